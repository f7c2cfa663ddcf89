"""What the verbs' command lines share: the parser, list-valued flags and the flags of a recipe.

Nothing here imports NumPy: a wrong command line is answered before anything heavy is loaded.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, NoReturn

if TYPE_CHECKING:
    from ..model import Recipe, Transformer

RECIPE_FLAGS = {
    "weights": "linear layers of the blocks, for example int4:g32",
    "method": "how the codes of the weights are chosen, some with an option (smoothquant:0.75, smoothquant:search, "
              "rotate:SEED, llm_int8:THRESHOLD): rtn, gptq, gptq_act_order, awq, awq+gptq, hqq, smoothquant, "
              "smoothquant+gptq, rotate, rotate+gptq or llm_int8",
    "activations": "inputs of every linear layer, for example int8:token, or int8:tensor:static for one scale chosen "
                   "on calibration text",
    "kv": "cached keys and values, for example int8:token, kivi2 or int4:token:keychannel",
    "attention": "queries, keys and probabilities inside attention, for example int8:token or int8:token:smooth",
    "head": "output matrix (with the embedding, when tied)",
}
CALIBRATION_TOKENS = 8192
FLOAT = ("none", "float")  # in place of a scheme


class Parser(argparse.ArgumentParser):
    """An argument parser that refuses in one line and shows the defaults in its help."""

    def __init__(self, verb: str, about: str):
        super().__init__(prog=f"minquant {verb}", description=about, allow_abbrev=False,
                         formatter_class=_Help, argument_default=None)

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {' '.join(message.split())} ({self.prog} --help lists the options)", file=sys.stderr)
        raise SystemExit(2)

    def add_json(self) -> None:
        """The flag every verb that prints figures has."""
        self.add_argument("--json", action="store_true", help="print one JSON object instead of the table")

    def add_recipe(self) -> None:
        """The flags that spell a Recipe; without them everything stays in float."""
        group = self.add_argument_group("recipe (every part left out stays in float)")
        for flag, about in RECIPE_FLAGS.items():
            group.add_argument(f"--{flag}", metavar="M" if flag == "method" else "SCHEME",
                               default="rtn" if flag == "method" else None, help=about)
        group.add_argument("--recipe", type=_recipe, metavar="JSON|FILE",
                           help='all parts at once, as a JSON object or a file that holds one, for example '
                                '\'{"weights": "int4:g32", "method": "gptq"}\'; flags beside it count more')
        group.add_argument("--override", action="append", type=_pair, metavar="PATTERN=SCHEME",
                           help="another scheme for some matrices of the blocks, for example down_proj=int8:g32 or "
                                "layers.0=float, which is above all others; may be repeated, later ones count")
        group.add_argument("--calibration-tokens", type=whole(1), metavar="N", default=CALIBRATION_TOKENS,
                           help="how much of the calibration text, which shares nothing with the test text, is read by "
                                "methods that look at inputs, such as gptq")
        group.add_argument("--calibration-seed", type=whole(0), metavar="S", default=0, help="draws which part of it")


class _Help(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Keeps the paragraphs of a description; adds a default to each flag that has one worth showing."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False):
            return action.help
        if isinstance(action.default, (list, tuple)):
            return f"{action.help} (default: {','.join(map(str, action.default))})"
        return super()._get_help_string(action)


def recipe_words(args: argparse.Namespace) -> dict[str, Any]:
    """The recipe flags that were given, as keyword arguments of ``minquant.Recipe``."""
    given = {flag: getattr(args, flag) for flag in RECIPE_FLAGS if getattr(args, flag) is not None}
    whole = dict(args.recipe or {})
    if "method" in whole and given["method"] == "rtn":  # the flag's default
        del given["method"]
    words = {flag: value for flag, value in given.items() if value.lower() not in FLOAT}
    pairs = args.override or []
    overrides = [pair for pair in pairs if pair[1].lower() not in FLOAT]
    skip = [pattern for pattern, scheme in pairs if scheme.lower() in FLOAT]
    return whole | words | ({"overrides": overrides} if overrides else {}) | ({"skip": skip} if skip else {})


def calibration(args: argparse.Namespace, recipe: Recipe) -> dict[str, int] | None:
    """Which calibration text the flags ask for; None where the recipe looks at none."""
    if not recipe.needs_text:
        return None
    return {"tokens": args.calibration_tokens, "seed": args.calibration_seed}


def quantized(model: Transformer, recipe: Recipe, calibration: dict[str, int] | None,
              progress: bool | None = None) -> Transformer:
    """The model, quantized by a recipe, on the calibration text that ``calibration`` describes."""
    from ..evaluation import calibration_tokens

    seen = None if calibration is None else calibration_tokens(model, calibration["tokens"], calibration["seed"])
    return model.quantize(recipe, seen, progress)


def names(text: str) -> list[str]:
    """Value of a flag like ``--weights bf16,int8:channel``: the names, in order, as they were written."""
    found = [piece.strip() for piece in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"{text!r} holds an empty name: write a list like bf16,int8:channel")
    return found


def _recipe(text: str) -> dict[str, Any]:
    """Value of ``--recipe``: the keyword arguments of a Recipe."""
    try:
        found = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON object and no file that holds one: {error}") from None
    known = {*RECIPE_FLAGS, "skip", "overrides"}
    if not isinstance(found, dict) or not found.keys() <= known:
        raise argparse.ArgumentTypeError(f"a recipe is a JSON object with keys among {', '.join(sorted(known))}")
    return found


def _pair(text: str) -> tuple[str, str]:
    """Value of ``--override``: a pattern of names and a scheme."""
    pattern, _, scheme = text.partition("=")
    if not pattern or not scheme:
        raise argparse.ArgumentTypeError(f"{text!r} is no PATTERN=SCHEME, such as down_proj=int8:g32")
    return pattern, scheme


def whole(least: int) -> Callable[[str], int]:
    """Type of a flag that takes a whole number not below ``least``."""
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is too small: at least {least}")
        return value
    return parse


def wholes(least: int) -> Callable[[str], list[int]]:
    """Type of a flag that takes a list of whole numbers, like ``--context 128,1024``."""
    one = whole(least)
    return lambda text: [one(piece) for piece in names(text)]


def number(low: float, high: float) -> Callable[[str], float]:
    """Type of a flag that takes a number between ``low`` and ``high``, both included."""
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is outside {low:g} to {high:g}")
        return value
    return parse
