"""``minquant eval``: what a recipe costs, measured on the shipped held-out text."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .arguments import Parser, calibration, quantized, recipe_words, whole
from .output import as_json, bar

if TYPE_CHECKING:
    from ..model import Recipe

TINY = "tiny"
LINES = (  # figure, what it is called, how it is printed
    ("perplexity", "perplexity", "{:.4g}"), ("bits_per_byte", "bits per byte", "{:.4f}"),
    ("kl", "KL to float, nats per token", "{:.3g}"), ("kl_p99", "99% of the tokens have less than", "{:.3g}"),
    ("top1_agreement", "same top-1 token as float", "{:.2%}"),
    ("right_to_wrong", "right token lost", "{:.2%}"), ("wrong_to_right", "right token gained", "{:.2%}"),
    ("nll_difference", "nll above float, nats per token", "{:+.3g}"),
    ("bits_per_weight", "bits per weight, whole model", "{:.3f}"))
ITSELF = {"kl": 0.0, "kl_stderr": 0.0, "kl_median": 0.0, "kl_p90": 0.0, "kl_p99": 0.0, "kl_max": 0.0,
          "top1_agreement": 1.0, "top1_agreement_stderr": 0.0, "right_to_wrong": 0.0, "wrong_to_right": 0.0,
          "nll_difference": 0.0, "nll_difference_stderr": 0.0}  # what a model is from itself


def parser() -> Parser:
    """The command line of this verb."""
    p = Parser("eval", "Perplexity, KL to the float model and top-1 agreement of a quantization recipe, on held-out\n"
                       "docstrings of this Python's standard library. Without flags: the float model.")
    p.add_argument("checkpoint", nargs="?", default=TINY, metavar="CHECKPOINT",
                   help="folder of a checkpoint in Hugging Face layout, GGUF, a file that minquant quantize wrote, or the "
                        "shipped model")
    p.add_argument("--reference", metavar="CHECKPOINT",
                   help="what it is compared with; by default the float model that the recipe was applied to. A model "
                        "that comes quantized out of a file has none: name the one it was made from")
    p.add_recipe()
    p.add_argument("--limit-bytes", type=whole(1), metavar="N", help="use only the first N bytes of the text")
    p.add_argument("--context", type=whole(2), metavar="N", help="tokens per window (default: the model's context)")
    p.add_json()
    return p


def main(argv: list[str]) -> int:
    """Run ``minquant eval``; returns the exit code."""
    args = parser().parse_args(argv)
    report = measure(args)
    print(as_json(report) if args.json else as_text(report))
    return 0


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """The object ``--json`` prints: the figures, and what was measured on what.

    Raises ValueError or OSError for a recipe or a checkpoint that cannot be used.
    """
    from .. import Recipe, load
    from ..evaluation import evaluate, heldout_tokens
    from ..interop import stored_weights

    words = recipe_words(args)
    recipe = Recipe(**words)  # checked before anything is read
    seen = calibration(args, recipe)
    model = load(args.checkpoint)
    tokens = heldout_tokens(model, limit_bytes=args.limit_bytes)
    other = None if args.reference is None else load(args.reference)
    if words.keys() > {"method"}:
        other, model = other or model, quantized(model, recipe, seen, bar())
    figures = evaluate(model, other, tokens, args.context, progress=bar()).figures()
    stored = stored_weights(args.checkpoint) if model.recipe == Recipe() else None
    if stored is not None:  # loaded as floats, but quantized by somebody
        figures["bits_per_weight"] = 8 * stored[1] / model.config.parameters
    elif other is None and model.recipe == Recipe():
        figures |= ITSELF  # the float model, which needs no second pass to be compared with itself
    return {"checkpoint": args.checkpoint, "recipe": _words_of(model.recipe), "stored": stored and stored[0],
            "calibration": seen, **figures}


def as_text(report: dict[str, Any]) -> str:
    """The report for people: one figure a line, with its standard error where it has one."""
    lines = [f"{report['checkpoint']}: {report['stored'] or _parts(report['recipe'])}; {report['scored_tokens']} tokens of held-out text"]
    if report["calibration"]:
        lines.append("  {0} on {tokens} tokens of calibration text, seed {seed}".format(
            report["recipe"]["method"], **report["calibration"]))
    for key, title, form in LINES:
        error = report.get(f"{key}_stderr")
        value = "-" if report[key] is None else form.format(report[key])
        lines.append(f"  {title:<33}{value}" + (f" ± {error:.2g}" if error is not None else ""))
    return "\n".join(lines)


def _words_of(recipe: Recipe) -> dict[str, Any]:
    """What a recipe says, without what it leaves in float."""
    return {part: value for part, value in asdict(recipe).items() if value}


def _parts(recipe: dict[str, Any]) -> str:
    """A recipe's words in a row: what is quantized to what."""
    single = [f"{part} {scheme}" for part, scheme in recipe.items() if part not in ("method", "overrides", "skip")]
    others = [f"{pattern} {scheme}" for pattern, scheme in recipe.get("overrides", ())]
    return ", ".join([*single, *others, *(f"{pattern} float" for pattern in recipe.get("skip", ()))]) or "float"
