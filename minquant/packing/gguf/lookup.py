"""MXFP4, NVFP4, IQ4_NL: 4-bit codes whose values stand in a table.

**MXFP4 as ggml writes it.** One exponent e for 32 values, of the largest magnitude amax:

    e = floor(log2(amax)) - 2 + 127        code = the E2M1 value nearest to x / 2^(e - 127), beyond 6 it is 6

This is not our preset ``mxfp4``, nor what OCP's text has in mind, in three places:

- Ties go to the smaller magnitude, not to the even code: ggml tries the sixteen values in order and keeps the first
  best. For the same reason -0 is never written.
- log2 is taken in float32, where a value just below a power of two can already give a whole number. Such a block gets
  an exponent one too large. Our rule: log2 in float64, rounded to float32. On the 40 values below every power of two
  glibc's log2f and NumPy's give the same; another library may round differently there.
- An all-zero block has e = 0.

We differ at the ends of float, on purpose: ggml converts a negative e (amax below 2^-125) to a byte, which C leaves
undefined, we take 0; just below 2^128 it takes e = 253, we 252, with the same value read back.

**NVFP4** has a scale of 8 bits, E4M3, for every 16 values, and E2M1 codes; **IQ4_NL** has sixteen uneven levels, denser
around zero where most weights are. Both are read only.

Source: ggml, ``src/ggml-quants.c`` (quantize_row_mxfp4_ref), ``src/ggml-impl.h`` (ggml_e8m0_to_fp32_half,
ggml_ue4m3_to_fp32: 0x7F counts as 0) and ``src/ggml-common.h`` (kvalues_mxfp4, kvalues_iq4nl).
"""

from __future__ import annotations

import numpy as np

from . import lanes
from .blocks import BlockType
from .rounding import amax_of

# E2M1 doubled, so that it is whole; the scale is halved in return: 2^(e - 128)
E2M1 = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.float32)
IQ4_LEVELS = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32)

# Nearest of 0 1 2 3 4 6 8 12 to v, ties down, is decided by ceil(2 v): 1 and less are 0, 2 and 3 are 1, ...
_NEAREST = np.repeat(np.arange(8, dtype=np.uint8), [2, 2, 2, 2, 3, 4, 6, 12])

_CODE = np.arange(128)
_E4M3 = np.where(_CODE < 8, _CODE * 2.0**-9, (1 + _CODE % 8 / 8) * 2.0 ** (_CODE // 8 - 7)).astype(np.float32)
_E4M3_HALVED = np.concatenate([_E4M3, _E4M3]) / np.float32(2)  # the highest bit is not looked at
_E4M3_HALVED[0x7F] = 0


def choose(x: np.ndarray, type: BlockType) -> tuple[np.ndarray, np.ndarray]:
    """MXFP4: float32 (n, 32) -> e uint8 (n,), codes uint8 (n, 32)."""
    amax = amax_of(x).astype(np.float64)
    log2 = np.log2(amax, out=np.full_like(amax, -np.inf), where=amax > 0)
    e = np.clip(np.floor(log2.astype(np.float32)) + np.float32(125), 0, 252).astype(np.uint8)
    doubled = np.abs(x)
    doubled /= _step(e)[:, None]  # exact, a power of two
    doubled += doubled
    codes = _NEAREST[np.ceil(doubled).astype(np.uint8)]
    codes |= ((x < 0) & (codes > 0)).view(np.uint8) << np.uint8(3)
    return e, codes


def pack(parts: tuple[np.ndarray, ...], type: BlockType, out: np.ndarray) -> None:
    """Writes scales and codes into blocks (n,), a structured array."""
    out[type.struct.names[0]], codes = parts
    out["qs"] = lanes.merge(codes, 4, _lane(type))


def unpack(blocks: np.ndarray, type: BlockType) -> tuple[np.ndarray, np.ndarray]:
    """Scales (n,), for NVFP4 (n, 4), as stored, and codes uint8 (n, elements)."""
    return blocks[type.struct.names[0]].copy(), lanes.split(blocks["qs"], 4, _lane(type))


def values(parts: tuple[np.ndarray, ...], type: BlockType, out: np.ndarray) -> None:
    """Writes the numbers that scales and codes stand for: float32 (n, elements)."""
    scale, codes = parts
    match type.name:
        case "IQ4_NL":
            np.multiply(IQ4_LEVELS[codes], scale.astype(np.float32)[:, None], out=out)
        case "MXFP4":
            with np.errstate(over="ignore"):  # e = 254 and 255 are beyond float32
                np.multiply(E2M1[codes], _step(scale)[:, None], out=out)
        case "NVFP4":
            np.multiply(E2M1[codes], np.repeat(_E4M3_HALVED[scale], 16, axis=1), out=out)


def _lane(type: BlockType) -> int:
    return 8 if type.name == "NVFP4" else 16


def _step(e: np.ndarray) -> np.ndarray:
    """2^(e - 128) in float32: half the E8M0 scale."""
    return np.ldexp(np.float32(1), e.astype(np.int32) - 128)
