"""What a token costs outside its weight matrices: attention, norms, rotation, SwiGLU, rounding.

How it is measured
    A decode step and a pass over the matrices alone (``kernels.matrices``: the same products in the same order and with
    the same launches) in alternation, and the median of their differences, each taken between neighbours: the bandwidth
    of a shared machine moves, and a difference of two medians would move with it.

What it cannot see
    Work that hides behind memory: a norm that runs while the next matrix is already being fetched costs nothing here,
    as it should. The difference of two large times is noisy: look at its spread.

What it consists of
    ``parts_ms`` times the parts one by one (``kernels.parts``). A part run again and again finds its data in the cache,
    where a token finds the keys and values in memory, so the parts add up to less than ``outside_ms``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from .statistics import summary

if TYPE_CHECKING:
    from ..decoder import Decoder
    from ..model import Transformer

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


def measure_parts(shape: str | Transformer, weights: Iterable[str], kv: Iterable[str] = ("bf16",),
                  context: Iterable[int] = (128,), threads: Iterable[int] | None = None, repetitions: int = PAIRS,
                  activations: str | None = None, progress: Callable[[str], None] | None = None) -> list[dict]:
    """``parts_ms`` of every combination, for arguments as ``measure_decode`` takes them.

    Returns one row each: ``weights``, ``kv``, ``context``, ``threads``, and ``parts_ms``, milliseconds by name.
    Raises ValueError as ``measure_decode`` and ``parts_ms`` do.
    """
    from ..decoder import Decoder, takes_activations
    from ..model import random_model

    model, rows = random_model(shape) if isinstance(shape, str) else shape, []
    for name, cached in product(weights, kv):
        decoder = Decoder(model, name, kv=cached, context=max(context) + 1, progress=progress,
                          activations=activations if takes_activations(name) else None)
        for tokens, count in product(context, threads or [decoder.threads]):
            decoder.threads = count
            decoder.fill_cache(tokens)
            rows.append({"weights": name, "kv": cached, "context": tokens, "threads": count,
                         "parts_ms": parts_ms(decoder, repetitions)})
    return rows


def parts_ms(decoder: Decoder, repetitions: int = PAIRS) -> dict[str, float]:
    """Milliseconds of a token at the decoder's present position in each part that is not a matrix, by name.

    Medians over ``repetitions`` in turns. ``launches`` are those of the matrices: ``matrices_ms`` holds them, and
    ``outside_ms`` does not. The decoder stands where it stood; its cache is overwritten at that one position.
    Raises ValueError for fewer than one repetition, and where the cache is full.
    """
    from ..decoder.threads import thread_count
    from ..kernels.parts import PARTS

    if repetitions < 1:
        raise ValueError(f"at least one repetition is needed, not {repetitions}")
    position, seconds = decoder.position, np.empty((repetitions, len(PARTS)))
    decoder.step(0)  # leaves ordinary numbers everywhere
    decoder.rewind(position)
    weights, cache, scratch, eps = decoder._step_arguments()
    with thread_count(decoder.threads):
        for repetition in range(-1, repetitions):  # the one before the first compiles, and is written over
            for i, part in enumerate(PARTS.values()):
                start = time.perf_counter()
                part(weights, cache, scratch, position, eps)
                seconds[repetition, i] = time.perf_counter() - start
    return dict(zip(PARTS, 1e3 * np.median(seconds, axis=0)))
