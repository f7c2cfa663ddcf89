"""Timing several calls in turns, with the reading loop beside each.

One *round* makes every call once, the reading loop just before it. The loop reads a buffer several times the last-level
cache: it measures the memory of the same moment, and it throws what a call is going to read out of the cache. Every
other round goes in reverse order, so that a slow minute of the machine meets all calls alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

import numpy as np

from .bandwidth import ReadLoop

Calls = dict[Hashable, tuple[int, Callable[[], object]]]


def time_in_turns(calls: Calls, repetitions: int, progress: Callable[[str], None] | None = None) -> dict:
    """Time ``calls``: name -> (threads, call). Each is made once before, so that nothing is left to compile.

    Returns name -> float64 (repetitions, 2): seconds, and read GB/s of the same moment with as many threads. Raises
    ValueError for no repetitions.
    """
    from ..decoder.threads import thread_count

    if repetitions < 1:
        raise ValueError(f"repetitions must be at least 1, not {repetitions}")
    say = progress or (lambda line: None)
    loop, samples = ReadLoop(), {name: np.empty((repetitions, 2)) for name in calls}
    for threads, call in calls.values():
        with thread_count(threads):
            call()
    for threads in {threads for threads, _ in calls.values()}:
        loop.gb_per_s(threads)
    for round_ in range(repetitions):
        say(f"timing: round {round_ + 1} of {repetitions}")
        for name in calls if round_ % 2 == 0 else reversed(calls):
            threads, call = calls[name]
            read = loop.gb_per_s(threads)
            with thread_count(threads):
                samples[name][round_] = seconds_of(call), read
    return samples


def seconds_of(call: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
