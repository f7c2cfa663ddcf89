"""A long text in windows that a model can read, each position scored once.

How it works
    A model reads at most ``context`` tokens at once. Window k reads tokens k * stride up to k * stride + context.
    The first window scores all its positions. Every later one scores only those that no earlier window reached, the
    last ``stride`` of its own; the others are there to be read. So every scored position, except those of the first
    window, follows at least context - stride tokens:

        context 8, stride 4      tokens   0 1 2 3 4 5 6 7 8 9 ...          s  scored, r  only read
        window 0                          s s s s s s s s
        window 1                                  r r r r s s s s
        window 2                                          r r r r s s ...

    A small stride gives each token more to go on and a lower perplexity, and costs context/stride times the work.
    ``stride = context`` is cheapest: the first tokens of each window are then guessed from next to nothing.

Source
    The same windows as in "Perplexity of fixed-length models", Hugging Face transformers documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.tokens import check_tokens

if TYPE_CHECKING:
    from ..model import Transformer

CHUNK = 1 << 18  # logits turned into float64 at once: 2 MB, which stays in the processor's cache


@dataclass(frozen=True)
class Window:
    """Read tokens begin..end, score positions first..end (``end`` not included). Position p foretells token p + 1."""

    begin: int
    first: int
    end: int


def cut_windows(count: int, context: int, stride: int) -> list[Window]:
    """The windows that score positions 0..count-1, each once and in order."""
    found = [Window(0, 0, min(context, count))]
    while found[-1].end < count:
        begin = found[-1].begin + stride
        found.append(Window(begin, found[-1].end, min(begin + context, count)))
    return found


def check_text(model: Transformer, tokens: Any, context: int | None, stride: int | None, least: int = 1,
               ) -> tuple[np.ndarray, int, int]:
    """Tokens as int64 (N,), context and stride, checked; None becomes the model's context and half of it.

    Raises ValueError: fewer tokens than ``least``, a token outside the vocabulary, a context longer than the
    model's or below 1, a stride outside 1..context. TypeError: tokens that are not whole numbers.
    """
    if least > 1 and not isinstance(tokens, (str, bytes)) and np.size(tokens) < least:
        raise ValueError(f"{np.size(tokens)} tokens leave nothing to score: the first is only read, every later one is "
                         f"scored; give at least {least}, the first of them 0 where the text starts")
    tokens = check_tokens(tokens, model.config.vocab_size)  # (N,)
    context = whole("context", model.config.context if context is None else context)
    if context > model.config.context:
        raise ValueError(f"context {context} is longer than the {model.config.context} tokens this model reads at once")
    stride = whole("stride", max(1, context // 2) if stride is None else stride)
    if stride > context:
        raise ValueError(f"stride {stride} is longer than the context of {context}: tokens between would not be scored")
    return tokens, context, stride


def whole(name: str, value: Any) -> int:
    """The value as an int; ValueError, naming it, where it is no whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
    return int(value)


def scored_logits(model: Transformer, tokens: np.ndarray, window: Window) -> np.ndarray:
    """Logits of a window's scored positions: (window.end - window.first, vocab) float32."""
    return model.logits(tokens[window.begin:window.end])[window.first - window.begin:]


def chunks(rows: int, vocab: int) -> Iterator[slice]:
    """Slices of the rows of a (rows, vocab) array, of about CHUNK numbers each."""
    step = max(1, CHUNK // vocab)
    return (slice(i, min(i + step, rows)) for i in range(0, rows, step))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithm of the softmax over the last axis, in float64: (..., vocab) -> (..., vocab)."""
    shifted = logits.astype(np.float64)  # (..., vocab)
    shifted -= shifted.max(axis=-1, keepdims=True)  # (..., vocab)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))  # (..., vocab)
    return shifted


def progress_bar(progress: Any, what: str) -> Callable[[Iterable], Iterable]:
    """A function that wraps the windows: ``progress`` itself, a tqdm bar where it is True, nothing where it is None."""
    if progress is True:
        from tqdm.auto import tqdm
        return lambda items: tqdm(items, desc=what, unit="window")
    return progress or (lambda items: items)
