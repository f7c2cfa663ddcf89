"""Fifth question: how are packed codes multiplied?

Files, in the order to read them:

    bandwidth.py    the speed of light: loops that only read
    bits.py         from the bits of bfloat16, float16 and fp8 to float32, sixteen at a time
    packed.py       how the bytes of each format lie in memory
    inputs.py       what they are multiplied by: float or 8-bit activations (simd_rounding.py: rounded fast)
    rows.py         scales and rows back to float32: every format in its plainest form
    floats.py       bfloat16 and fp8 weights times a vector, as a ladder from NumPy to all cores
    integers.py     whole numbers of any width in plain loops
    targets.py      which vector instructions this processor has
    vectors.py      a small vector layer over them
    simd.py         int8 and MXFP8 in that layer, a row at a time
    eight_rows.py   int4, int3, int2 and code books of 4 bits in it, eight rows at a time (with eight_products.py)
    matvec.py       one name for all of them
    batch.py        the same weights times several vectors at once
    caches.py       how cached keys and values lie in memory
    append.py       a token's own key and value, rounded into the cache
    attention.py    one token against the cache
    attention_plain.py, attention_simd.py    its loops over each cache format
    step.py         a whole token, from embedding row to logits
    matrices.py     the same token without all that lies between its matrices, for timing
    parts.py        all that lies between, part by part, for timing
    tiles.py        packed weights times many vectors: a matrix product (simd_tiles.py: its innermost block)
    prefill.py      a whole prompt, matrix times matrix
    sampling.py     from logits to the next token, and the loop that writes
    pinning.py      each thread on a core of its own
    ladder.py       int8 and int4 once more, step by step from NumPy to the vector layer
    detours.py      ways that are slower than the weights they came from: to be measured
    _cache.py       where compiled code is kept
    compiling.py    a line of progress while it is being made

Loops that Numba compiles; nothing here knows a model, a scheme or a file. Kernels write into arrays they are
given and check nothing: ``minquant.Decoder`` checks what it hands them. Everything also runs, slowly, with
``NUMBA_DISABLE_JIT=1``.
"""

from ._cache import kernel_cache, state as cache_state
from .compiling import compile_progress

with kernel_cache():
    from . import (append, attention, bandwidth, batch, bits, caches, detours, floats, inputs, integers, ladder, matrices,
                   matvec, packed, parts, pinning, prefill, rows, sampling, step, targets, tiles)

__all__ = ["append", "attention", "bandwidth", "batch", "bits", "cache_state", "caches", "compile_progress", "detours",
           "floats", "inputs", "integers", "ladder", "matrices", "matvec", "packed", "parts", "pinning", "prefill", "rows",
           "sampling", "step", "targets", "tiles"]
