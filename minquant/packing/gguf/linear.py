"""Q8_0, Q4_0, Q4_1, Q5_0, Q5_1: 32 codes on an even grid, one scale, perhaps a minimum.

**How codes are chosen.** Not quite as ``scaling`` does elsewhere; ggml multiplies by ``1/d`` taken in float32 *before*
d is rounded to float16, so the stored scale and the one used for rounding differ a little. With n = 4 or 5 bits:

    Q8_0         d = amax / 127                    code = round(x / d), halves away from zero
    Q4_0, Q5_0   d = largest / -2^(n-1)            code = floor(x / d + 2^(n-1) + 1/2), at most 2^n - 1; less 2^(n-1)
    Q4_1, Q5_1   d = (max - min) / (2^n - 1)       code = floor((x - min) / d + 1/2)
                 m = min

``largest`` is the value of largest magnitude, with its sign: divided by the negative it lands exactly on the lowest
code, the one without a partner. Q4_0 and Q5_0 store the code plus 2^(n-1).

**Bytes.** Those of ggml's quantize_row_q8_0_ref and its siblings (``src/ggml-quants.c``) and of the ``gguf`` package,
which does the same in NumPy. Where these two, or two builds of ggml, differ:

- A compiler that fuses ``x * (1/d) + 8.5`` into one operation rounds once where the C text, the package and we round
  twice: rare ties differ.
- A block of zeros that starts with -0.0: the scale of Q4_0 is -0.0 in C, 0.0 in the package, as here.
- Zeros of both signs in a Q4_1 block whose least value is zero: C stores the first one's sign as m, as we do; in the
  package the signs of m and of a zero scale depend on the machine. No decoded value differs by more than the sign of 0.

We differ from both at the ends of float, on purpose: where a scale or minimum is beyond float16 they write infinity, we
65504; where d is so small that 1/d is infinite their codes are undefined, ours are those of x = 0.
"""

from __future__ import annotations

import numpy as np

from . import lanes
from .blocks import BlockType
from .rounding import amax_of, half, inverse, largest_of, range_of, round_away

_LARGEST = np.finfo(np.float32).max
_BITS = {"Q4_0": 4, "Q4_1": 4, "Q5_0": 5, "Q5_1": 5}


def choose(x: np.ndarray, type: BlockType) -> tuple[np.ndarray, ...]:
    """float32 (n, 32) -> d float16 (n,), for Q4_1 and Q5_1 m float16 (n,), codes int8 or uint8 (n, 32)."""
    if type.name == "Q8_0":
        d = amax_of(x) / np.float32(127)
        return half(d), round_away(x * inverse(d)[:, None]).astype(np.int8)
    if "m" in type.struct.names:
        return _choose_above_minimum(x, 2 ** _BITS[type.name] - 1)
    return _choose_around_zero(x, 2 ** (_BITS[type.name] - 1))


def _choose_around_zero(x: np.ndarray, middle: int) -> tuple[np.ndarray, np.ndarray]:
    d = largest_of(x) / np.float32(-middle)
    shifted = x * inverse(d)[:, None]
    shifted += np.float32(middle + 0.5)
    np.trunc(shifted, out=shifted)
    np.minimum(shifted, np.float32(2 * middle - 1), out=shifted)
    shifted -= np.float32(middle)
    return half(d), shifted.astype(np.int8)


def _choose_above_minimum(x: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    low, high = range_of(x)
    zero = np.flatnonzero(low == 0)
    low[zero] = x[zero, x[zero].argmin(axis=1)]  # of 0.0 and -0.0 the first
    with np.errstate(over="ignore"):
        d = np.minimum(high - low, _LARGEST) / np.float32(top)
        d += np.float32(0)  # never -0.0
        shifted = x - low[:, None]
    shifted *= inverse(d)[:, None]
    shifted += np.float32(0.5)
    np.minimum(shifted, np.float32(top), out=shifted)
    return half(d), half(low), shifted.astype(np.uint8)


def pack(parts: tuple[np.ndarray, ...], type: BlockType, out: np.ndarray) -> None:
    """Writes what ``choose`` gives into blocks (n,), a structured array."""
    *scales, codes = parts
    for name, scale in zip(("d", "m"), scales, strict=False):
        out[name] = scale
    if type.name == "Q8_0":
        out["qs"] = codes
        return
    if codes.dtype == np.int8:
        codes = (codes - np.int8(type.codes[0])).view(np.uint8)
    out["qs"] = lanes.merge(codes, 4, 16)
    if "qh" in type.struct.names:
        out["qh"] = lanes.merge(codes >> np.uint8(4), 1, 1)


def unpack(blocks: np.ndarray, type: BlockType) -> tuple[np.ndarray, ...]:
    """What ``pack`` was given."""
    scales = [blocks[name].astype(np.float16) for name in ("d", "m") if name in blocks.dtype.names]
    if type.name == "Q8_0":
        return *scales, np.ascontiguousarray(blocks["qs"])
    codes = lanes.split(blocks["qs"], 4, 16)
    if "qh" in blocks.dtype.names:
        codes |= lanes.split(blocks["qh"], 1, 1) << np.uint8(4)
    if type.codes[0]:
        codes = codes.view(np.int8)
        codes += np.int8(type.codes[0])
    return *scales, codes


def values(parts: tuple[np.ndarray, ...], type: BlockType, out: np.ndarray) -> None:
    """Writes the numbers that ``unpack``'s parts stand for: float32 (n, 32)."""
    *scales, codes = parts
    np.copyto(out, codes)
    out *= scales[0].astype(np.float32)[:, None]
    if len(scales) == 2:
        out += scales[1].astype(np.float32)[:, None]
