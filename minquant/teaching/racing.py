"""Two functions against each other: which is faster, and how much memory one needs. For exercises 06.

Memory is what ``tracemalloc`` counts: arrays of NumPy and objects of Python. Numba's own arrays are invisible to it,
so of a compiled function the Python source is run. What we leave out: arrays made by further compiled functions that
it calls.

It lies outside ``exercises/``, because a notebook imports it while it is graded, when the exercises' sources are closed.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

RACES = 7


def peak_bytes(function: Callable, *args: Any) -> int:
    """The most memory in use at one moment of ``function(*args)``, in bytes, beyond what was in use before."""
    function = getattr(function, "py_func", function)
    running = tracemalloc.is_tracing()
    if not running:
        tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        function(*args)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        if not running:
            tracemalloc.stop()


def race(one: Callable, other: Callable, *args: Any) -> float:
    """How many times as fast ``one`` is as ``other`` on the same arguments: the ratio of the median times.

    Both run once before, so that nothing is left to compile, and then in turns. The ratio is printed too.
    """
    for function in (one, other):
        function(*args)
    seconds = np.array([[_seconds(one, args), _seconds(other, args)] for _ in range(RACES)])
    mine, theirs = np.median(seconds, axis=0)
    print(f"{1e3 * mine:.2f} ms against {1e3 * theirs:.2f} ms: {theirs / mine:.1f} times as fast")
    return float(theirs / mine)


def _seconds(function: Callable, args: tuple) -> float:
    started = time.perf_counter()
    function(*args)
    return time.perf_counter() - started
