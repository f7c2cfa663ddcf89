"""Checks on what a model is given to read."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cache import KVCache


def check_tokens(tokens: Any, vocab_size: int, start: int = 0) -> np.ndarray:
    """Tokens as an int64 array (T,). Raises TypeError or ValueError saying which token is wrong, and where.

    ``start`` is the position of the first one, for the message.
    """
    if isinstance(tokens, (str, bytes)):
        raise TypeError("tokens are numbers; turn text into them with model.tokenizer.encode(text)")
    array = np.asarray(tokens)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"tokens must be a row of at least one number, shape (T,), not {array.shape}"
                         + ("; token 0 starts a text" if array.size == 0 else ""))
    if array.dtype.kind not in "iu":
        raise TypeError(f"tokens must be whole numbers, not {array.dtype}")
    wrong = np.flatnonzero((array < 0) | (array >= vocab_size))
    if wrong.size:
        raise ValueError(f"token {array[wrong[0]]} at position {start + wrong[0]} is outside the vocabulary: "
                         f"this model knows 0 to {vocab_size - 1}")
    return array.astype(np.int64)


def check_room(start: int, count: int, context: int, cache: KVCache | None) -> None:
    """Raise ValueError where tokens start .. start + count - 1 leave the context, or the cache."""
    limits = [("the model's context", context)] + ([("the cache", cache.capacity)] if cache is not None else [])
    for what, limit in limits:
        if start + count > limit:
            raise ValueError(f"{count} tokens from position {start} do not fit: {what} holds {limit} tokens, so the "
                             f"one at position {limit} is too many")
