"""Does the error of a quantized cache compound? KL, and runs that still agree, against position.

How it works
    A rounded weight is wrong once, and the same for every token. A rounded key is read by all later tokens, whose own
    keys are computed from what they read: an error could feed on itself. Two measurements, each beside quantized
    weights as a control, whose error has nothing to feed on but the same text:

        reading     the text is given, in windows that do not overlap. KL at position p, averaged over the windows. If
                    errors compound, KL grows with p beyond what the control's does
        writing     each model writes on by itself, and the runs are compared with the float model's. A run that has
                    left never returns, so the share of identical runs falls in any case; what tells is the *rate* at
                    which runs still identical leave, per token. If errors compound, it rises with p

How sure
    Windows are independent pieces of text: their spread over the root of their number. Rates: Wilson's interval, over
    the tokens at risk.

What we leave out
    Contexts beyond the model's 512 tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model import CacheFormat, Config, Recipe
from .divergence import Reference
from .greedy import GreedyRuns, greedy_agreement
from .statistics import binomial_interval
from .summary import evaluate
from .windows import progress_bar

if TYPE_CHECKING:
    from ..model import Transformer


@dataclass(frozen=True, eq=False)
class ByPosition:
    """One recipe.

    kl               float64 (windows, context), nats, by position in the window
    runs             how long it writes what the float model writes
    bytes_per_token  of the cache when the context is full, all layers
    """

    kl: np.ndarray
    runs: GreedyRuns
    bytes_per_token: float

    def kl_between(self, first: int, last: int) -> tuple[float, float]:
        """Mean KL over positions first .. last - 1, and its standard error over the windows."""
        return _mean(self.kl[:, first:last].mean(axis=1))

    def growth(self, control: ByPosition, early: tuple[int, int], late: tuple[int, int]) -> tuple[float, float]:
        """By which factor KL grows from early to late positions beyond what the control's does; its standard error, by
        leaving out one window at a time (the four means share their windows)."""
        def factor(rows: np.ndarray) -> float:
            means = [np.array([of.kl[rows, a:b].mean() for of in (self, control)]) for a, b in (early, late)]
            own, other = means[1] / means[0]
            return float(own / other)

        every = np.arange(len(self.kl))
        left_out = np.array([factor(np.delete(every, i)) for i in every]) if len(every) > 1 else np.array([np.nan])
        return factor(every), float(np.sqrt(np.square(left_out - left_out.mean()).sum() * (1 - 1 / len(every))))

    def leaving(self, first: int, last: int) -> tuple[float, float, float]:
        """Share of the runs identical so far that leave per token, over tokens first .. last - 1: (rate, low, high)."""
        return leaving_rate(self.runs, first, last)


def by_position(model: Transformer, recipes: Mapping[str, Recipe], tokens: Any, prompts: Any, written: Any,
                context: int | None = None, calibration: Any = None, progress: Any = None) -> dict[str, ByPosition]:
    """Measure recipes against position.

    Args:
        model: the float model.
        recipes: name -> recipe.
        tokens: (N,), the text to read; what is left over after whole windows is not read.
        prompts, written: (P, T) and (P, n), what the float model wrote (``cut_prompts``, ``write_greedily``).
        context: tokens per window; the model's by default.
        calibration: tokens, for methods that need them.
        progress: True for a progress bar over the recipes, or a function that wraps an iterable.

    Raises ValueError for a text shorter than a window, and for what ``evaluate`` and ``greedy_agreement`` refuse.
    """
    context = model.config.context if context is None else context
    count = np.size(tokens) // context
    if not count:
        raise ValueError(f"a text of {np.size(tokens)} tokens holds no window of {context}")
    reference = Reference(model, np.asarray(tokens)[:count * context], context, stride=context)
    found = {}
    for name in progress_bar(progress, "recipes")(list(recipes)):
        rounded = model.quantize(recipes[name], calibration)
        kl = evaluate(rounded, reference).kl_per_token.reshape(count, context)
        found[name] = ByPosition(kl, greedy_agreement(rounded, prompts, written),
                                 cache_bytes(model.config, recipes[name].kv or "bf16", context) / context)
    return found


def leaving_rate(runs: GreedyRuns, first: int, last: int) -> tuple[float, float, float]:
    """Of the tokens that runs identical so far write in first .. last - 1, the share that is the first to differ, with
    Wilson's interval; NaN where no run gets there. Raises ValueError for a range that was not compared."""
    if not 0 <= first < last <= runs.length:
        raise ValueError(f"tokens {first} to {last}: runs of {runs.length} tokens were compared")
    left = int(((runs.identical >= first) & (runs.identical < last)).sum())
    at_risk = int(np.clip(np.minimum(runs.identical + 1, last) - first, 0, None).sum())
    if not at_risk:
        return float("nan"), float("nan"), float("nan")
    return left / at_risk, *binomial_interval(left, at_risk)


def cache_bytes(config: Config, kv: str | None, tokens: int) -> int:
    """Bytes that a cache holds of so many tokens in all layers: codes, scales, and what is kept in bf16."""
    return config.layers * CacheFormat.parse(kv).nbytes(tokens, config.kv_heads, config.head_dim)


def _mean(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard error of independent values (n,)."""
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return float(values.mean()), float(error)
