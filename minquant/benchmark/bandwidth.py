"""The speed of light of decoding: how many bytes a second this machine reads.

``ReadLoop`` times loops that only read (``kernels.bandwidth``) over a buffer several times the last-level cache. A
virtual machine's bandwidth moves from second to second with its neighbours, so a share of it means something only where
both are measured side by side: the other benchmarks keep a ``ReadLoop`` and call it between their own repetitions.

The loops differ in how many places they read at once, and which is fastest depends on the processor and on how many
threads read. ``ReadLoop`` tries all of them in alternation when a number of threads is first asked for, keeps the
fastest (``places``), and from then on times that one: a roof is the best that reading can do.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

import numpy as np

from .machine import last_level_cache
from .statistics import summary

BLOCK = 1 << 20
SMALLEST = 256 << 20
TRIES = 3  # of each loop, after one that compiles it and wakes the threads
CACHES = 4  # the buffer is at least this many times the last-level cache


class ReadLoop:
    """A buffer that does not fit the cache, and the loop that reads it once."""

    def __init__(self, buffer_bytes: int | None = None) -> None:
        """``buffer_bytes``: None for four times the last-level cache, at least 256 MiB. Rounded up to whole MiB."""
        if buffer_bytes is None:
            buffer_bytes = max(SMALLEST, CACHES * (last_level_cache() or 0))
        elif buffer_bytes < 1:
            raise ValueError(f"a buffer to read has at least one byte, not {buffer_bytes}")
        blocks = -(-buffer_bytes // BLOCK)
        self.buffer = np.full((blocks, BLOCK // 8), 1, np.uint64)  # written, so that every page is really there
        self._sums = np.zeros(blocks, np.uint64)
        self.tried: dict[int, dict[int, float]] = {}  # threads -> places -> GB/s, the median of a few

    def gb_per_s(self, threads: int) -> float:
        """Read the buffer once with so many threads, from as many places as is fastest; 10^9 bytes per second."""
        return self._read(threads, self.places(threads))

    def places(self, threads: int) -> int:
        """From how many places at once so many threads read fastest."""
        from ..kernels.bandwidth import LOOPS

        if threads not in self.tried:
            rounds = [{places: self._read(threads, places) for places in LOOPS} for _ in range(TRIES + 1)]
            self.tried[threads] = {places: median(r[places] for r in rounds[1:]) for places in LOOPS}
        figures = self.tried[threads]
        return max(figures, key=figures.get)

    def _read(self, threads: int, places: int) -> float:
        from ..decoder.threads import thread_count
        from ..kernels.bandwidth import LOOPS

        with thread_count(threads):
            start = time.perf_counter()
            LOOPS[places](self._sums, self.buffer)
            seconds = time.perf_counter() - start
        if not (self._sums == BLOCK // 8).all():
            raise RuntimeError("the reading loop did not read everything: its sums are wrong")
        return self.buffer.nbytes / seconds / 1e9


def thread_counts(threads: int | Sequence[int] | None, default: Sequence[int]) -> list[int]:
    """Numbers of threads to measure, as a list. Raises ValueError for more than there are."""
    import numba

    counts = list(default) if threads is None else [threads] if isinstance(threads, int) else list(threads)
    most = numba.config.NUMBA_NUM_THREADS
    for count in counts:
        if not 1 <= count <= most:
            raise ValueError(f"{count} threads asked for: this machine has 1 to {most}")
    return counts


def read_bandwidth(threads: int | Sequence[int] | None = None, buffer_bytes: int | None = None,
                   repetitions: int = 15) -> list[dict]:
    """Read bandwidth of this machine, one row per number of threads.

    ``threads``: a number or several; None for one and all. A row has ``threads``, ``read_gb_per_s`` (median, 10^9 bytes
    per second, with ``_p10`` and ``_p90``), ``buffer_bytes``, ``repetitions``, ``places`` (from how many the loop reads at
    once) and ``tried``: {places: GB/s}, what the choice was made by. Takes about a second.
    """
    import numba

    counts = thread_counts(threads, sorted({1, numba.config.NUMBA_NUM_THREADS}))
    loop, figures = ReadLoop(buffer_bytes), {count: [] for count in counts}
    for count in counts:
        loop.gb_per_s(count)  # compile, and wake the threads
    for _ in range(repetitions):
        for count in counts:
            figures[count].append(loop.gb_per_s(count))
    return [{"threads": count, **summary("read_gb_per_s", values), "buffer_bytes": loop.buffer.nbytes,
             "repetitions": repetitions, "places": loop.places(count), "tried": loop.tried[count]} for count, values in figures.items()]
