"""Each worker of a parallel loop tells the system on which processors it may run.

Only a thread itself, or somebody who knows its number, can set its mask, and the numbers of Numba's workers are not
known: so the workers do it, in a parallel loop of as many rounds as there are threads. ``decoder/threads.py`` decides.
``sched_setaffinity`` is a function of Linux's C library; elsewhere ``pin_workers`` must not be called.
"""

from __future__ import annotations

from numba import prange, types

from ._cache import parallel_jit

_set_affinity = types.ExternalFunction("sched_setaffinity", types.int32(types.int32, types.uintp, types.uintp))


@parallel_jit
def pin_workers(failed, masks):
    """failed[t] (threads,) int32 = 0 where worker t now runs on the processors whose bits are set in masks[t].

    masks (threads, bytes) uint8, a ``cpu_set_t`` each. The first is that of the calling thread, and is left as it is.
    """
    for thread in prange(masks.shape[0]):
        if thread > 0:
            failed[thread] = _set_affinity(0, masks.shape[1], masks[thread].ctypes.data)
