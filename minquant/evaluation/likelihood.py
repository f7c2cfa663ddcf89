"""Perplexity: how many tokens does the model seem to choose from, on text it has never seen?

How it works
    Each token costs the negative logarithm of the probability that the model gave it: its *nll*, in nats. The mean
    over a text is the cross-entropy, and perplexity is exp of it: a model that spreads its guess evenly over 20
    tokens has perplexity 20. Perplexity depends on how the tokenizer cuts the text; *bits per byte* does not, so it
    compares different models, and gzip.

    The standard error comes from the delta method: a small change dm of the mean changes exp(m) by exp(m) dm, so
    stderr(perplexity) = perplexity * stderr(mean nll), and ``statistics.py`` gives the latter.

Source
    Perplexity as a measure: Jelinek et al. 1977, J. Acoust. Soc. Am. 62, S63, doi:10.1121/1.2016299.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .statistics import standard_error
from .windows import check_text, chunks, cut_windows, log_softmax, progress_bar, scored_logits

if TYPE_CHECKING:
    from ..model import Transformer


@dataclass(frozen=True, eq=False)
class Perplexity:
    """Perplexity of a model on a text.

    Attributes:
        value: exp(mean nll).
        stderr: its standard error, from blocks of tokens (NaN where only one token was scored).
        nll: float64 (N - 1,), in nats; entry i is the cost of token i + 1.
    """

    value: float
    stderr: float
    nll: np.ndarray

    @classmethod
    def from_nll(cls, nll: np.ndarray) -> Perplexity:
        """From the cost of each scored token."""
        mean = float(nll.mean())
        value = math.exp(mean) if mean < 700 else math.inf
        return cls(value, value * standard_error(nll), nll)


def perplexity(model: Transformer, tokens: Any, context: int | None = None, stride: int | None = None,
               progress: Any = None) -> Perplexity:
    """Perplexity of a model on a text of any length, read in overlapping windows (see ``windows.py``).

    Args:
        model: float or quantized.
        tokens: (N,) whole numbers, N of at least 2. The first is read and not scored: start a text with token 0.
        context: tokens read at once, at most the model's own context, which is the default.
        stride: new tokens scored per window, 1..context; half the context by default. Each scored token, except
            those of the first window, has at least context - stride tokens before it.
        progress: True for a progress bar, or a function that wraps an iterable; None is silent.

    Returns:
        Perplexity(value, stderr, nll).

    Raises:
        ValueError: fewer than two tokens, a token outside the vocabulary, an impossible context or stride.
        TypeError: tokens that are not whole numbers.
    """
    tokens, context, stride = check_text(model, tokens, context, stride, least=2)
    nll = np.empty(len(tokens) - 1)  # (N - 1,)
    for window in progress_bar(progress, "perplexity")(cut_windows(len(nll), context, stride)):
        nll[window.first:window.end] = token_nll(scored_logits(model, tokens, window),
                                                 tokens[window.first + 1:window.end + 1])
    return Perplexity.from_nll(nll)


def token_nll(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """-log softmax(logits)[target], row by row: (n, vocab) and (n,) -> (n,) float64 nats."""
    nll = np.empty(len(targets))  # (n,)
    for part in chunks(*logits.shape):
        log_p = log_softmax(logits[part])  # (rows, vocab)
        nll[part] = -np.take_along_axis(log_p, targets[part, None], axis=1)[:, 0]  # (rows,)
    return nll


def bits_per_byte(model: Transformer, tokens: Any, context: int | None = None, stride: int | None = None,
                  progress: Any = None) -> float:
    """What a byte of the text costs, in bits: the nll of all scored tokens over the bytes they stand for.

    Arguments and errors as for ``perplexity``; also ValueError where the model has no tokenizer, or the scored
    tokens hold no text.
    """
    size = scored_bytes(model, tokens)
    return float(perplexity(model, tokens, context, stride, progress).nll.sum() / math.log(2) / size)


def scored_bytes(model: Transformer, tokens: Any) -> int:
    """Bytes of text in tokens[1:]; special tokens stand for none. Raises ValueError where that cannot be told."""
    tokenizer = model.tokenizer
    if tokenizer is None:
        raise ValueError("bits per byte need the bytes of each token, and this model has no tokenizer")
    tokens, _, _ = check_text(model, tokens, None, None, least=2)
    special = set(tokenizer.special.values())
    size = sum(map(len, tokenizer.token_bytes(t for t in tokens[1:].tolist() if t not in special)))
    if not size:
        raise ValueError("bits per byte: the scored tokens are all special tokens and hold no text")
    return size
