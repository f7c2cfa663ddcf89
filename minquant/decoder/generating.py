"""Writing text with a decoder: what may be asked for, and the blocks in which compiled code does it.

The prompt is read at once, then ``kernels.sampling.write`` draws a token, reads it, draws the next, a block of them per
call. Python is entered only between two blocks, where Ctrl-C is noticed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.sampling import BLOCK, write
from ..model.transformer import check_tokens
from .decoder import Decoder, _count
from .threads import thread_count


def generate(decoder: Decoder, tokens: Any, n: int, temperature: float = 0.0, top_p: float = 1.0,
             top_k: int | None = None, seed: int = 0, stop: int | None = None) -> np.ndarray:
    """Continue a text. Whatever was in the cache is forgotten; afterwards it holds all but the last token written.

    Args:
        decoder: what writes.
        tokens: the prompt, T token numbers.
        n: how many tokens to write.
        temperature: 0 for the likeliest token, 1 for the model's own probabilities.
        top_p: share of the probability to draw from, above 0 and at most 1.
        top_k: draw from so many of the likeliest tokens only, before ``top_p`` is looked at; None for all.
        seed: the same seed draws the same random numbers (not those of ``model.generate``).
        stop: end with this token, should it be written; the result is shorter then.

    Returns:
        The new tokens, int64 (n,).

    Raises:
        ValueError: an empty prompt, a token outside the vocabulary, more tokens than the cache holds, a negative n,
            seed or temperature, a top_p or top_k out of range.
        TypeError: a count that is no whole number.
    """
    vocabulary, context = decoder.config.vocab_size, decoder.context
    tokens, n, seed = check_tokens(tokens, vocabulary), _count("n", n, 0), _count("seed", seed, 0)
    top_k = vocabulary if top_k is None else _count("top_k", top_k, 1)
    stop = -1 if stop is None else _count("stop", stop, 0)
    if stop >= vocabulary:
        raise ValueError(f"stop: token {stop} is outside the vocabulary: this model knows 0 to {vocabulary - 1}")
    if not 0 <= temperature < np.inf:
        raise ValueError(f"temperature must be a number from 0 up, not {temperature}")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, not {top_p}")
    if len(tokens) + n - 1 > context:
        raise ValueError(f"{len(tokens)} prompt tokens and {n} new ones do not fit a cache of {context} "
                         f"tokens. Make room with Decoder(..., context={len(tokens) + n})")
    decoder.reset()
    new = np.empty(n, np.int64)
    if n == 0:
        return new
    logits = decoder.prefill(tokens)
    room = vocabulary if temperature else 0
    sampler = (float(temperature), top_k, float(top_p), np.array([seed % 2**64], np.uint64), np.empty(room),
               np.empty(room, np.int64))
    for first in range(0, n, BLOCK):
        block, more = new[first:first + BLOCK], first + BLOCK < n
        with thread_count(decoder.threads):
            count = write(block, more, stop, logits, decoder.position, *decoder._step_arguments(), *sampler)
        stopped = block[count - 1] == stop
        decoder.position += count if more and not stopped else count - 1
        if stopped:
            return new[:first + count]
    return new
