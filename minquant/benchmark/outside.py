"""What a token costs outside its weight matrices: attention, norms, rotation, SwiGLU, rounding.

How it is measured
    A decode step and a pass over the matrices alone (``kernels.matrices``: the same products in the same order and with
    the same launches) in alternation, and the median of their differences, each taken between neighbours: the bandwidth
    of a shared machine moves, and a difference of two medians would move with it.

What it cannot see
    Work that hides behind memory: a norm that runs while the next matrix is already being fetched costs nothing here,
    as it should. The difference of two large times is noisy: look at its spread.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from .statistics import summary

if TYPE_CHECKING:
    from ..decoder import Decoder

PAIRS = 15


def outside_matrices_ms(decoder: Decoder, pairs: int = PAIRS) -> dict[str, float]:
    """Milliseconds of a token at the decoder's present position that are not spent in weight matrices.

    Returns ``outside_ms`` and ``matrices_ms`` (the rest), medians over ``pairs`` alternations with ``_p10`` and
    ``_p90``. The decoder stands where it stood; its cache is overwritten at that one position.
    Raises ValueError for fewer than one pair, and where the cache is full.
    """
    if pairs < 1:
        raise ValueError(f"at least one pair of a step and a pass is needed, not {pairs}")
    step, matrices = 1e3 * step_and_pass_seconds(decoder, pairs).T
    return {**summary("outside_ms", step - matrices), **summary("matrices_ms", matrices)}


def step_and_pass_seconds(decoder: Decoder, pairs: int) -> np.ndarray:
    """Seconds (pairs, 2) of a whole step and of the pass over the matrices right after it."""
    from ..decoder.threads import thread_count
    from ..kernels.matrices import matrices_only, prepare_inputs

    c, position, seconds = decoder.config, decoder.position, np.empty((pairs, 2))
    logits, weights, scratch = np.empty(c.vocab_size, np.float32), decoder.packed_weights, decoder.scratch
    with thread_count(decoder.threads):
        for pair in range(-1, pairs):  # the one before the first wakes the threads, and is written over
            start = time.perf_counter()
            decoder.step(pair % c.vocab_size, out=logits)  # leaves ordinary activations for the pass
            middle = time.perf_counter()
            decoder.rewind(position)
            prepare_inputs(scratch)
            between = time.perf_counter()
            matrices_only(logits, weights, scratch, c.heads * c.head_dim)
            seconds[pair] = middle - start, time.perf_counter() - between
    return seconds
