"""The block of ``tiles.py`` in the vector layer: twelve dot products that live in registers.

The compiler does not vectorise a plain loop with twelve sums; written out it has no choice. ``vectors.py`` explains
the words.
"""

from __future__ import annotations

from ._cache import inlined_jit
from .vectors import load_floats, multiply_add, sum_floats, zeros


@inlined_jit
def _store(sums, s, a, b, c, d):
    sums[s] += sum_floats(a)
    sums[s + 1] += sum_floats(b)
    sums[s + 2] += sum_floats(c)
    sums[s + 3] += sum_floats(d)


@inlined_jit
def block(sums, s, s_stride, a, i, a_stride, b, j, b_stride, n):
    """As ``tiles.plain_block``."""
    a0 = a1 = a2 = b0 = b1 = b2 = c0 = c1 = c2 = d0 = d1 = d2 = zeros()
    for k in range(0, n, 8):
        x0, x1 = load_floats(b, j + k), load_floats(b, j + b_stride + k)
        x2, row = load_floats(b, j + 2 * b_stride + k), load_floats(a, i + k)
        a0, a1, a2 = multiply_add(a0, row, x0), multiply_add(a1, row, x1), multiply_add(a2, row, x2)
        row = load_floats(a, i + a_stride + k)
        b0, b1, b2 = multiply_add(b0, row, x0), multiply_add(b1, row, x1), multiply_add(b2, row, x2)
        row = load_floats(a, i + 2 * a_stride + k)
        c0, c1, c2 = multiply_add(c0, row, x0), multiply_add(c1, row, x1), multiply_add(c2, row, x2)
        row = load_floats(a, i + 3 * a_stride + k)
        d0, d1, d2 = multiply_add(d0, row, x0), multiply_add(d1, row, x1), multiply_add(d2, row, x2)
    _store(sums, s, a0, b0, c0, d0)
    _store(sums, s + s_stride, a1, b1, c1, d1)
    _store(sums, s + 2 * s_stride, a2, b2, c2, d2)
