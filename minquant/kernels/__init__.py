"""Fifth question: how are packed codes multiplied?

Files, in the order to read them:

    bandwidth.py    the speed of light: a loop that only reads
    bits.py         from the bits of bfloat16, float16 and fp8 to float32, sixteen at a time
    packed.py       how the bytes of each format lie in memory
    floats.py       bfloat16 and fp8 weights times a vector, as a ladder from NumPy to all cores
    integers.py     int8 and int4
    batch.py        the same weights times several vectors at once
    matvec.py       one name for all of them
    attention.py    one token against the cache
    step.py         a whole token, from embedding row to logits
    _cache.py       where compiled code is kept

Plain loops that Numba compiles; nothing here knows a model, a scheme or a file. Kernels write into arrays they are
given and check nothing: ``minquant.Decoder`` checks what it hands them. Everything also runs, slowly, with
``NUMBA_DISABLE_JIT=1``.
"""

from ._cache import kernel_cache, state as cache_state

with kernel_cache():
    from . import attention, bandwidth, batch, bits, floats, integers, matvec, packed, step

__all__ = ["attention", "bandwidth", "batch", "bits", "cache_state", "floats", "integers", "matvec", "packed", "step"]
