"""Which part of a model minds rounding most? Weights, activations, the KV cache and attention, each alone.

How it works
    The text books have an order: weights < activations < KV cache < attention, the last the most fragile. Here each
    part alone gets the same number format, on the same text, and the KL to the float model is measured token by token,
    so that any two parts can be compared with a paired error. Two granularities are fair to all four:

        row      one scale per row: an output channel of a weight matrix, a token's input to a linear layer, a head's
                 key or value of a token, a query's or a key's row, a query's probabilities
        group    one scale per 32 neighbours of a row (float16)

    A third, *practised*, gives each part at equal code bits what its literature gives it: GPTQ for weights, a zero
    point for activations, KIVI for the cache, smoothed keys for attention. It is what a user meets, and no longer a
    comparison of like with like.

What "fragile" can mean
    KL at the same bits; the fewest bits that keep KL within a budget; KL per unit of relative error, which asks what
    the model minds and not what the grid does to the numbers. ``Fragility.statement`` says for each whether the order
    holds. KL = error of the operands x how much the model minds it, and both differ from part to part.

What we leave out
    Other models, long contexts and outliers: a trained model of 4 layers has few. The order is a fact of a model and a
    scheme, not a law; that is the point of measuring it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model import Recipe, layers, linear_names, method_of
from ..scaling import fake_quantize
from .calibration import calibration_tokens
from .comparison import SURE
from .divergence import Reference
from .statistics import Difference, paired_difference, standard_error
from .summary import evaluate
from .windows import progress_bar

if TYPE_CHECKING:
    from ..model import Transformer

TEXTBOOK = ("weights", "activations", "kv", "attention")  # least fragile first
SHARED = {"row": {part: "token" for part in TEXTBOOK} | {"weights": "channel"},
          "group": {part: "g32" for part in TEXTBOOK}}
PRACTISED = {"weights": {"weights": "int{}:g32:asym", "method": "gptq"},
             "activations": {"activations": "int{}:g32:asym"}, "kv": {"kv": "kivi{}"},
             "attention": {"attention": "int{}:g32:asym:smooth"}}
PRACTISED_BITS = (2, 4)  # those of KIVI
SAMPLE = 128  # tokens on which the error of the operands is taken
BUDGET = 0.01  # nats per token that a part may cost


@dataclass(frozen=True, eq=False)
class Cell:
    """One part, quantized alone.

    part          "weights", "activations", "kv" or "attention"
    sharing       "row", "group" or "practised"
    bits          of a code
    recipe        what was run
    kl_per_token  float64 (N,), nats
    error         relative squared error of the rounded operands, |x - x'|^2 / |x|^2; None where it was not taken
    """

    part: str
    sharing: str
    bits: int
    recipe: Recipe
    kl_per_token: np.ndarray
    error: float | None = None

    @property
    def kl(self) -> float:
        """Mean KL to the float model, nats per token."""
        return float(self.kl_per_token.mean())

    @property
    def kl_stderr(self) -> float:
        """Its standard error over the text."""
        return standard_error(self.kl_per_token)

    def figures(self) -> dict[str, Any]:
        """Everything but the array, ready for JSON."""
        scheme = getattr(self.recipe, self.part)
        return {"part": self.part, "sharing": self.sharing, "bits": self.bits, "scheme": scheme,
                "method": self.recipe.method, "kl": self.kl, "kl_stderr": self.kl_stderr, "error": self.error}


@dataclass(frozen=True)
class Fragility:
    """What was measured, by (part, sharing, bits)."""

    cells: Mapping[tuple[str, str, int], Cell] = field(default_factory=dict)

    def columns(self) -> list[tuple[str, int]]:
        """(sharing, bits) in which all four parts were measured, in the order they were."""
        return list(dict.fromkeys((sharing, bits) for _, sharing, bits in self.cells))

    def order(self, sharing: str, bits: int) -> list[Cell]:
        """The four parts, least KL first."""
        return sorted((self.cells[part, sharing, bits] for part in TEXTBOOK), key=lambda cell: cell.kl)

    def gaps(self, sharing: str, bits: int) -> list[tuple[str, str, Difference]]:
        """(part, the next one in the text books' order, KL of the second minus the first, paired)."""
        found = {part: self.cells[part, sharing, bits].kl_per_token for part in TEXTBOOK}
        return [(a, b, paired_difference(found[b], found[a])) for a, b in pairwise(TEXTBOOK)]

    def bits_needed(self, sharing: str, budget: float = BUDGET) -> dict[str, int | None]:
        """For each part the fewest bits, of those measured, that keep the mean KL within the budget; None: none do."""
        def fewest(part: str) -> int | None:
            fits = [b for p, s, b in self.cells if (p, s) == (part, sharing) and self.cells[p, s, b].kl <= budget]
            return min(fits, default=None)
        return {part: fewest(part) for part in TEXTBOOK}

    def minded(self, sharing: str, bits: int) -> dict[str, float]:
        """KL per unit of relative squared error of the operands: what the model minds, whatever the grid."""
        return {part: self.cells[part, sharing, bits].kl / self.cells[part, sharing, bits].error for part in TEXTBOOK}


def fragility(model: Transformer, reference: Reference, bits: Sequence[int] = (8, 6, 5, 4, 3),
              sharing: Sequence[str] = ("row", "group", "practised"),
              measure: Callable[[Recipe], np.ndarray] | None = None, progress: Any = None) -> Fragility:
    """Quantize each part alone, at several widths.

    Args:
        model: the float model.
        reference: the float model on the text to measure on.
        bits: widths of the codes, each once; *practised* has PRACTISED_BITS.
        sharing: of "row", "group", "practised".
        measure: function of a recipe that gives KL per token, (N,), where results are kept; by default it is measured.
        progress: True for a progress bar over the recipes, or a function that wraps an iterable.

    Raises ValueError for no bits, bits given twice or an unknown sharing, and for what ``model.quantize`` refuses.
    """
    bits = tuple(bits)
    if not bits or len(set(bits)) < len(bits) or not set(sharing) <= {*SHARED, "practised"} or not sharing:
        raise ValueError(f"fragility: bits, each once, and sharing of row, group, practised; not {bits!r}, {sharing!r}")
    recipes = {(part, how, b): _recipe(part, how, b) for how in sharing
               for b in (PRACTISED_BITS if how == "practised" else bits) for part in TEXTBOOK}
    measure = measure or (lambda recipe: measured_kl(model, reference, recipe))
    sample = reference.tokens[:min(SAMPLE, reference.context)]
    cells = {}
    for key in progress_bar(progress, "fragility")(list(recipes)):
        part, how, _ = key
        error = None if how == "practised" else operand_error(model, sample, part, getattr(recipes[key], part))
        cells[key] = Cell(*key, recipes[key], measure(recipes[key]), error)
    return Fragility(cells)


def measured_kl(model: Transformer, reference: Reference, recipe: Recipe) -> np.ndarray:
    """KL per token, (N,) nats, of a recipe; methods that read calibration text get ``calibration_tokens``."""
    text = calibration_tokens(model) if recipe.has_weights and method_of(recipe.method)[0].needs_text else None
    return evaluate(model.quantize(recipe, text), reference).kl_per_token


def operand_error(model: Transformer, tokens: Any, part: str, scheme: str) -> float:
    """|x - x'|^2 / |x|^2 over all that a part rounds: matrices of the blocks; inputs of them; keys and values; queries,
    keys and probabilities. ``tokens``: a text within the context, read by the float model."""
    power = np.zeros(2)  # of the errors, of the numbers

    def add(x: np.ndarray) -> np.ndarray:
        short = -x.shape[-1] % 32  # a row of probabilities may be no whole number of groups
        padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, short)])
        power[:] += np.square(padded - fake_quantize(padded, scheme), dtype=np.float64).sum(), np.square(
            x, dtype=np.float64).sum()
        return x

    names = linear_names(model.config)
    if part == "weights":
        for name in names:
            add(model.weights[name])
        return power[0] / power[1]
    seen: dict[str, np.ndarray] = {}
    model.run(tokens, tap=lambda name, x: seen.setdefault(name, x.copy()))
    heads = [[seen[f"model.layers.{i}.self_attn.{p}"] for p in "qkv"] for i in range(model.config.layers)]
    if part == "activations":
        for name in names:
            add(seen[name])
    for q, k, v in heads if part in ("kv", "attention") else ():
        if part == "kv":
            add(k), add(v)
        else:
            add(q), add(k), layers.attention(q, k, v, through=add)
    return power[0] / power[1]


def _recipe(part: str, sharing: str, bits: int) -> Recipe:
    if sharing == "practised":
        return Recipe(**{word: value.format(bits) for word, value in PRACTISED[part].items()})
    return Recipe(**{part: f"int{bits}:{SHARED[sharing][part]}"})


def verdict(gap: Difference) -> str:
    """Of two parts in the text books' order: "holds", "reversed", or "not told apart" within three standard errors."""
    if abs(gap.value) <= SURE * gap.stderr:
        return "not told apart"
    return "holds" if gap.value > 0 else "reversed"
