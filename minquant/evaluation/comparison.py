"""Several methods, one scheme: which stays closest to the float model, and how much of that is luck?

How it works
    All methods round the same model to the same scheme, so all pay the same bits, and are measured on the same tokens
    of the same text. Two things in such a figure are luck, and each has its own error:

        the text          d = KL(method) - KL(baseline), token by token; the standard error of its mean
        the calibration   methods that read text are run once per seed, each on another draw of it; d is the mean over
                          the seeds, and the spread of the single means over the root of their number its error

    The two are independent of each other, so their squares add. A difference is called significant where it is more
    than three of these errors away from 0. Two would be right for a single question; a table asks a dozen, and from
    five seeds the spread is only known to within a third.

Source
    Pairing: ``statistics.py``. Error over random subjects and random items as a sum: Clark 1973, "The language-as-
    fixed-effect fallacy", J. Verbal Learning and Verbal Behavior 12, 335, doi:10.1016/S0022-5371(73)80014-3.

What we leave out
    Other trained models (a table for one model says nothing certain about the next), and the draws that overlap: where
    several seeds are taken from one short calibration text, they differ less than texts of that length do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model import Recipe, method_of
from .calibration import calibration_tokens
from .divergence import Reference
from .statistics import paired_difference, standard_error
from .summary import evaluate, heldout_tokens
from .windows import progress_bar

if TYPE_CHECKING:
    from ..model import Transformer

SURE = 3.0  # standard errors from which on a difference counts as significant
ALL_METHODS = ("rtn", "hqq", "awq", "gptq", "awq+gptq")


@dataclass(frozen=True)
class Gap:
    """What lies between two methods.

    value          mean KL of one minus mean KL of the other, nats per token: below 0, the first is closer to float
    stderr_text    its standard error over the text
    stderr_seeds   its standard error over the calibration text: 0 where neither method reads any, NaN for one seed
    """

    value: float
    stderr_text: float
    stderr_seeds: float

    @property
    def stderr(self) -> float:
        """Both errors together."""
        return math.hypot(self.stderr_text, self.stderr_seeds)

    @property
    def significant(self) -> bool:
        """More than three standard errors from 0; never where one of the errors is unknown (NaN)."""
        return abs(self.value) > SURE * self.stderr

    def figures(self) -> dict[str, float | bool]:
        """All of it, ready for JSON."""
        return {"difference": self.value, "stderr_text": self.stderr_text, "stderr_seeds": self.stderr_seeds,
                "significant": self.significant}


@dataclass(frozen=True, eq=False)
class MethodRow:
    """One method on one scheme.

    scheme, method    what was run
    bits_per_weight   storage per weight over the whole model
    seeds             of the calibration text; empty for a method that reads none
    kl_per_token      (runs, N) float64, nats; one run per seed, or one
    gap               to the baseline on the same scheme; None for the baseline itself
    """

    scheme: str
    method: str
    bits_per_weight: float
    seeds: tuple[int, ...]
    kl_per_token: np.ndarray
    gap: Gap | None = None

    @property
    def kl(self) -> float:
        """Mean KL to the float model, nats per token, over all runs."""
        return float(self.kl_per_token.mean())

    @property
    def kl_stderr(self) -> float:
        """Its standard error over the text."""
        return standard_error(self.kl_per_token.mean(axis=0))

    @property
    def kl_spread(self) -> float:
        """Standard deviation of the mean KL from seed to seed: 0 without calibration text, NaN for one seed."""
        return _spread(self.kl_per_token.mean(axis=1), self.seeds)

    def minus(self, other: MethodRow) -> Gap:
        """The gap between this method and another one. Raises ValueError for two texts or two sets of seeds."""
        if self.seeds and other.seeds and self.seeds != other.seeds:
            raise ValueError(f"{self.method} was calibrated with seeds {self.seeds}, {other.method} with "
                             f"{other.seeds}: methods are compared on the same calibration texts")
        text = paired_difference(self.kl_per_token.mean(axis=0), other.kl_per_token.mean(axis=0))
        means = self.kl_per_token.mean(axis=1) - other.kl_per_token.mean(axis=1)  # (runs,)
        return Gap(text.value, text.stderr, _spread(means, self.seeds or other.seeds) / math.sqrt(len(means)))

    def figures(self) -> dict[str, Any]:
        """Everything but the array, ready for JSON."""
        found = {"scheme": self.scheme, "method": self.method, "bits_per_weight": self.bits_per_weight, "kl": self.kl,
                 "kl_stderr": self.kl_stderr, "kl_spread": self.kl_spread, "seeds": list(self.seeds),
                 "kl_of_runs": self.kl_per_token.mean(axis=1).tolist()}
        return found if self.gap is None else found | self.gap.figures()


def compare_methods(model: Transformer, schemes: Sequence[str], methods: Sequence[str] = ALL_METHODS,
                    seeds: Sequence[int] = (0, 1, 2), reference: Reference | None = None,
                    calibration: Callable[[int], Any] | None = None, progress: Any = None) -> list[MethodRow]:
    """Run methods on schemes and compare each with the first of them.

    Args:
        model: the float model.
        schemes: of the matrices of the blocks.
        methods: keys of ``METHODS``; the first is the baseline.
        seeds: draws of the calibration text, for methods that read it; at least two to tell anything from luck.
        reference: the float model on the text to measure on; by default the shipped held-out test text.
        calibration: function of a seed that gives tokens; ``calibration_tokens(model, seed=seed)`` by default.
        progress: True for a progress bar over the runs, or a function that wraps an iterable.

    Returns:
        A row per scheme and method, in the order given.

    Raises:
        ValueError: no scheme, method or seed, or one given twice; a scheme that a method cannot work with, before
            anything is run; and for what ``model.quantize`` and ``evaluate`` refuse.
    """
    for what, given in (("scheme", schemes), ("method", methods), ("seed", seeds)):
        if isinstance(given, str) or not len(given) or len(set(given)) < len(given):
            raise ValueError(f"compare_methods: a list of at least one {what}, each once, not {given!r}")
    recipes = {(scheme, method): Recipe(weights=scheme, method=method) for scheme in schemes for method in methods}
    runs = [(cell, seed) for cell in recipes for seed in (seeds if recipes[cell].needs_text else seeds[:1])]
    reference = reference or Reference(model, heldout_tokens(model))
    draw = calibration or (lambda seed: calibration_tokens(model, seed=seed))
    kl: dict[tuple[str, str], list[np.ndarray]] = {cell: [] for cell in recipes}
    bits: dict[tuple[str, str], float] = {}
    for cell, seed in progress_bar(progress, "methods")(runs):
        rounded = model.quantize(recipes[cell], draw(seed) if recipes[cell].needs_text else None)
        kl[cell].append(evaluate(rounded, reference).kl_per_token)
        bits[cell] = rounded.bits_per_weight
    rows = [MethodRow(scheme, method, bits[scheme, method], _seeds_of(method, seeds), np.stack(kl[scheme, method]))
            for scheme, method in recipes]
    baseline = {row.scheme: row for row in rows if row.method == methods[0]}
    return [row if row is baseline[row.scheme] else
            MethodRow(row.scheme, row.method, row.bits_per_weight, row.seeds, row.kl_per_token,
                      row.minus(baseline[row.scheme])) for row in rows]


def pairs(rows: Sequence[MethodRow]) -> list[tuple[MethodRow, MethodRow, Gap]]:
    """Every two rows (a, b) on the same scheme, and the gap b - a: not only to the baseline."""
    return [(a, b, b.minus(a)) for i, a in enumerate(rows) for b in rows[i + 1:] if a.scheme == b.scheme]


def as_markdown(rows: Sequence[MethodRow]) -> str:
    """The rows as a Markdown table; KL and its errors in thousandths of a nat."""
    head = ("scheme", "bits", "method", "KL", "spread over seeds", "difference", "error: text", "error: seeds",
            "significant")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows:
        cells = [row.scheme, f"{row.bits_per_weight:.2f}", row.method,
                 f"{1e3 * row.kl:.2f} ± {1e3 * row.kl_stderr:.2f}", f"{1e3 * row.kl_spread:.2f}" if row.seeds else ""]
        if row.gap is None:
            cells += ["", "", "", "baseline"]
        else:
            cells += [f"{1e3 * row.gap.value:+.2f}", f"{1e3 * row.gap.stderr_text:.2f}",
                      f"{1e3 * row.gap.stderr_seeds:.2f}", "yes" if row.gap.significant else "no"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _seeds_of(method: str, seeds: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(seed) for seed in seeds) if method_of(method)[0].needs_text else ()


def _spread(means: np.ndarray, seeds: tuple[int, ...]) -> float:
    """Standard deviation of means (runs,): 0 where nothing was drawn, NaN where one draw shows no spread."""
    if not seeds:
        return 0.0
    return float(means.std(ddof=1)) if len(means) > 1 else math.nan
