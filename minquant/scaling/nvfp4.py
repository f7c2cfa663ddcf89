"""NVFP4: 16 neighbours share an fp8 scale, and the whole tensor a float32 one. 4.5 bits per weight.

    value = element * block_scale / G        element: fp4 E2M1;  block_scale: fp8 E4M3;  G: float32, one per tensor

A power of two, as MX has it, can be wrong by a factor of almost two; an E4M3 number has three mantissa bits and follows
the block's largest value to within 1/16. But E4M3 spans only 2^-9 .. 448, too little for blocks of any magnitude. So
the tensor is first stretched by G until its largest block needs exactly the largest scale:

    G = 448 * 6 / amax of the tensor,     block_scale = E4M3(G * amax of the block / 6),
    code = E2M1(x / (block_scale / G))    with the stored scale, to nearest even, saturating

Held inside their types: a block scale that E4M3 would round to zero becomes its smallest value, a block of zeros has
scale 1, G of a tensor of zeros is 1, and G is kept where neither it nor the largest value overflows float32.

Source: NVIDIA, Introducing NVFP4 (2025), and the two-level scheme of TensorRT Model Optimizer. Others store 1/G; the
values are the same.

What we leave out: calibrating G on data seen beforehand (here it is the tensor's own), two-dimensional blocks.
"""

from __future__ import annotations

import numpy as np

from .. import formats
from . import grids

_E2M1, _E4M3 = formats.get("fp4_e2m1"), formats.get("fp8_e4m3")
_STRETCHED = np.float32(_E4M3.max * _E2M1.max)  # 448 * 6


def global_scale(amax: float) -> np.float32:
    """G of a tensor whose largest magnitude is amax (finite, >= 0)."""
    if amax == 0:
        return np.float32(1)
    with np.errstate(over="ignore"):
        g = np.minimum(_STRETCHED / np.float32(amax), np.finfo(np.float32).max)
        while not np.isfinite(_STRETCHED / g):  # amax at the end of float32: what decodes to it must not pass it
            g = np.nextafter(g, np.float32(np.inf))
    return g


def block_scales(amax: np.ndarray, g: np.float32) -> np.ndarray:
    """Scales of blocks with these largest magnitudes (float32, any shape): values of E4M3, float32, all above zero."""
    scale = _E4M3.round(g * amax / np.float32(_E2M1.max))
    np.maximum(scale, np.float32(_E4M3.smallest_subnormal), out=scale)
    scale[amax == 0] = 1
    return scale


def quantize(blocks: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.float32]:
    """Write the codes of blocks (n, 16) float32, finite; returns block scales (n, 1) float32 and G."""
    low, high = grids.range_of(blocks)
    amax = np.maximum(high, -low)
    g = global_scale(amax.max(initial=0))
    scale = block_scales(amax, g)
    for rows in grids.row_chunks(*blocks.shape):
        codes[rows] = _E2M1.encode(blocks[rows] / (scale[rows] / g))
    return scale, g
