"""How many threads a token runs on, and on which cores they stay.

**How many.** Numba starts one thread for each logical processor that this process may use (its *affinity mask*, as
``taskset`` or a container sets it; ``NUMBA_NUM_THREADS`` overrides it). Two of them may be one core: hyperthreads share
its arithmetic and its way to memory, and a memory-bound loop gains nothing from the second. A container may also be
limited to a share of the processors' time (``minquant/_container.py`` reads it): threads beyond it
are stopped in the middle of a token, and the others wait for them. So ``default_threads`` is the smallest of: Numba's
number, the cores under the mask, the limit rounded up.

**Where.** A parallel loop is as slow as its slowest thread. Left alone, the system may put two of them on one core for
a while, or move one to a core whose caches are cold. ``thread_count`` pins the *workers*, a core each, and leaves the
calling thread alone, so that programs it starts (they inherit its mask) are not confined; the first core is left to it.
Measured once, on 2 cores of a shared AMD Zen 3 machine (0.6b shape, q4_0, 2 threads, 18 alternated pairs of 0.4 s):
tokens per second pinned over free (``minquant decode`` without and with ``MINQUANT_PIN=0``), median 1.02, p10 0.96, p90 3.8. So there is little to gain in an ordinary moment and
much in a bad one. Confining the calling thread as well gave 1.01, 0.94 and 3.7. A pinned worker cannot make way either:
where another program keeps its core busy, turn pinning off.

Pinning is Linux's ``sched_setaffinity``; elsewhere, and where the system refuses, nothing happens. ``MINQUANT_PIN=0`` in
the environment turns it off; ``unpin()`` gives the workers back the mask of the calling thread.

What we leave out: memory of several processors (NUMA): on such a machine ``numactl --cpunodebind`` gives a decoder the
cores of one. Fast and slow cores of one processor are not told apart.
"""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numba
import numpy as np

from .._container import container_limits

_CPUS = Path("/sys/devices/system/cpu")
_MASK_BYTES = 128  # room for 1024 processors, as in glibc's cpu_set_t
_last: tuple[tuple[int, int] | None, bool] = None, False  # (calling thread, threads) last asked for; are they pinned?


def cores(cpus: Path = _CPUS) -> list[int]:
    """The first logical processor of each core that this process may use; [] where the system does not say."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    firsts = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        siblings = _read(cpus / f"cpu{cpu}/topology/thread_siblings_list")
        firsts.setdefault(siblings or str(cpu), cpu)
    return list(firsts.values())


def default_threads() -> int:
    """Threads a decoder runs on unless told otherwise: at least 1, at most what Numba has."""
    limit = container_limits()["cores"]
    counts = [numba.config.NUMBA_NUM_THREADS, len(cores()) or math.inf, math.inf if limit is None else math.ceil(limit)]
    return max(1, min(counts))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


# ----------------------------------------------------------------------------------------------------------- pinning

def _possible() -> bool:
    return sys.platform.startswith("linux") and sys.byteorder == "little" and not numba.config.DISABLE_JIT


def _set_masks(sets: list[set[int]]) -> bool:
    """Let worker i run on ``sets[i]``; entry 0, of the calling thread, is ignored. False where that is not possible."""
    if not _possible() or max(map(max, sets)) >= 8 * _MASK_BYTES:
        return False
    from ..kernels.pinning import pin_workers

    masks, failed = np.zeros((len(sets), 8 * _MASK_BYTES), np.uint8), np.zeros(len(sets), np.int32)
    for mask, cpus in zip(masks, sets):
        mask[list(cpus)] = 1
    own = os.sched_getaffinity(0)
    pin_workers(failed, np.packbits(masks, axis=1, bitorder="little"))
    os.sched_setaffinity(0, own)  # a threading layer may have let the calling thread run another's iteration
    return not failed.any()


def pin(threads: int) -> bool:
    """Keep each worker of the next parallel loops on a core of its own. Returns whether they are.

    They are not with ``MINQUANT_PIN=0``, with fewer cores than threads, off Linux, and without the JIT. Looked into only
    when the number of threads or the calling thread is another than the last time: workers of fewer threads may be gone.
    """
    global _last
    if os.environ.get("MINQUANT_PIN") == "0" or threads < 2:
        return False
    key = threading.get_ident(), threads
    if _last[0] != key:
        places = cores()
        _last = key, len(places) >= threads and _set_masks([{cpu} for cpu in places[:threads]])
    return _last[1]


def unpin() -> None:
    """Let the workers run wherever the calling thread may."""
    global _last
    key, pinned = _last
    _last = None, False
    if pinned:
        with _numba_threads(key[1]):
            _set_masks([os.sched_getaffinity(0)] * key[1])


@contextmanager
def _numba_threads(threads: int) -> Iterator[None]:
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        yield
    finally:
        numba.set_num_threads(before)


@contextmanager
def thread_count(threads: int) -> Iterator[None]:
    """Let parallel kernels use this many threads, pinned if may be; afterwards the number is as it was."""
    with _numba_threads(threads):
        pin(threads)
        yield
