"""GGUF block formats, as llama.cpp's ggml stores them: Q8_0 and Q4_0.

A row of the matrix is cut into blocks of 32 neighbours. Each block is written out whole, its scale ``d`` in front of
its codes, so that one read brings everything needed to decode it:

    Q8_0   34 bytes, 8.5 bits per weight    d: float16 | 32 x int8
    Q4_0   18 bytes, 4.5 bits per weight    d: float16 | 16 bytes, byte j = element j low, element j + 16 high

    Q4_0:  | d lo | d hi | e0 + e16<<4 | e1 + e17<<4 | ... | e15 + e31<<4 |

The nibbles are split in halves, not interleaved: one AND with 0x0F yields elements 0..15, one shift elements 16..31,
both already in order.

**How codes are chosen.** Not quite as ``scaling`` does elsewhere; ggml multiplies by ``1/d`` taken in float32 *before*
d is rounded to float16, so the stored scale and the one used for rounding differ a little.

    Q8_0   d = amax / 127;                                        code = round(x / d), halves away from zero
    Q4_0   d = (the value of largest magnitude, with sign) / -8;  code = floor(x / d + 8.5) - 8, at most 7

The odd sign makes the largest value land exactly on -8, the one code without a partner. Q4_0 stores code + 8.

Source: ggml, ``src/ggml-quants.c`` (quantize_row_q8_0_ref, quantize_row_q4_0_ref) and ``src/ggml-common.h``
(block_q8_0, block_q4_0). The ``gguf`` Python package gives the same bytes, see tests/packing. (A compiler that fuses
``x * (1/d) + 8.5`` into one operation rounds once where the C text, the package and we round twice: rare ties differ.)
We differ at the ends of float: where d is beyond float16 ggml writes infinity, we write 65504; where d is so small that
1/d is infinite its codes are undefined, ours are 0.

What we leave out: Q4_1, Q5_0, the K-quants, and the file around the blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOCK = 32  # elements that share a scale
_CHUNK = 2048  # blocks worked on at a time: their float32 fit in a core's cache
_LARGEST_HALF = np.float32(65504)


@dataclass(frozen=True)
class BlockType:
    """Size of one block: ``elements`` weights in ``nbytes`` bytes."""

    name: str
    elements: int
    nbytes: int

    @property
    def bits_per_weight(self) -> float:
        """Scale counted."""
        return 8 * self.nbytes / self.elements


TYPES = {t.name: t for t in (BlockType("Q8_0", BLOCK, 34), BlockType("Q4_0", BLOCK, 18))}
assert TYPES["Q8_0"].bits_per_weight == 8.5 and TYPES["Q4_0"].bits_per_weight == 4.5


def quantize(x: np.ndarray, type: str) -> np.ndarray:
    """Blocks of a float matrix: x (rows..., columns) -> uint8 (rows..., columns / 32 * bytes of a block).

    type   "Q8_0" or "Q4_0"

    Raises ValueError for an unknown type, columns that are no multiple of 32, NaN or infinity.
    """
    d, codes = choose_codes(x, type)
    return pack_blocks(d, codes, type)


def dequantize(raw: np.ndarray, type: str) -> np.ndarray:
    """float32 values of blocks: uint8 (rows..., bytes) -> (rows..., columns). Raises ValueError as unpack_blocks."""
    d, codes = unpack_blocks(raw, type)
    blocks = codes.reshape(*d.shape, BLOCK).astype(np.float32)
    blocks *= d.astype(np.float32)[..., None]
    return blocks.reshape(codes.shape)


def choose_codes(x: np.ndarray, type: str) -> tuple[np.ndarray, np.ndarray]:
    """Scales and codes, not yet packed: x (rows..., columns) -> d float16 (rows..., blocks), codes int8 like x."""
    _type(type)
    x = np.ascontiguousarray(x, dtype=np.float32)
    if x.ndim < 1 or x.shape[-1] % BLOCK:
        raise ValueError(f"{type} works on blocks of {BLOCK}: it does not divide the last axis of shape {x.shape}")
    blocks = x.reshape(-1, BLOCK)
    _refuse_nonfinite(x)
    d, codes = np.empty(len(blocks), np.float16), np.empty(blocks.shape, np.int8)
    choose = {"Q8_0": _choose_q8_0, "Q4_0": _choose_q4_0}[type]
    for start in range(0, len(blocks), _CHUNK):
        part = slice(start, start + _CHUNK)
        d[part] = choose(blocks[part], codes[part])
    return d.reshape(*x.shape[:-1], x.shape[-1] // BLOCK), codes.reshape(x.shape)


def _choose_q8_0(blocks: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Writes the codes of blocks (n, 32), returns d (n,) float16."""
    low, high = _range(blocks)
    d = np.maximum(np.abs(low), np.abs(high)) / np.float32(127)
    scaled = blocks * _inverse(d)[:, None]
    # Halves away from zero. trunc(v + 0.5) would be wrong just below a half, where the sum rounds up to a whole number;
    # twice the fraction is exact.
    whole = np.trunc(scaled)
    scaled -= whole
    whole += np.trunc(scaled + scaled)
    np.copyto(codes, whole, casting="unsafe")
    return _half(d)


def _choose_q4_0(blocks: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Writes the codes of blocks (n, 32), returns d (n,) float16."""
    low, high = _range(blocks)
    largest = np.where(high > -low, high, low)
    even = np.flatnonzero(high == -low)  # the first of two equal magnitudes wins
    largest[even] = blocks[even, np.abs(blocks[even]).argmax(axis=1)]
    d = largest / np.float32(-8)
    shifted = blocks * _inverse(d)[:, None]
    shifted += np.float32(8.5)
    np.trunc(shifted, out=shifted)
    np.minimum(shifted, np.float32(15), out=shifted)
    shifted -= np.float32(8)
    np.copyto(codes, shifted, casting="unsafe")
    return _half(d)


def pack_blocks(d: np.ndarray, codes: np.ndarray, type: str) -> np.ndarray:
    """Bytes of blocks: d float16 (rows..., blocks), codes int8 (rows..., columns) -> uint8 (rows..., bytes)."""
    block = _type(type)
    d, codes = np.asarray(d, np.float16), np.asarray(codes, np.int8)
    if codes.shape != (*d.shape[:-1], d.shape[-1] * BLOCK):
        raise ValueError(f"{type}: codes of shape {codes.shape} need one scale per {BLOCK}, got scales {d.shape}")
    raw = np.empty((*d.shape, block.nbytes), np.uint8)
    raw[..., :2] = d.astype("<f2")[..., None].view(np.uint8)
    if type == "Q8_0":
        raw[..., 2:] = codes.view(np.uint8).reshape(*d.shape, BLOCK)
    else:
        unsigned = (codes + np.int8(8)).view(np.uint8).reshape(*d.shape, 2, BLOCK // 2)
        np.bitwise_or(unsigned[..., 0, :], unsigned[..., 1, :] << np.uint8(4), out=raw[..., 2:])
    return raw.reshape(*d.shape[:-1], d.shape[-1] * block.nbytes)


def unpack_blocks(raw: np.ndarray, type: str) -> tuple[np.ndarray, np.ndarray]:
    """d float16 (rows..., blocks) and codes int8 (rows..., columns) of uint8 (rows..., bytes).

    Raises TypeError for other dtypes, ValueError for an unknown type or rows that are not whole blocks.
    """
    block = _type(type)
    raw = np.asarray(raw)
    if raw.dtype != np.uint8:
        raise TypeError(f"{type} blocks are uint8, got dtype {raw.dtype}")
    if raw.ndim < 1 or raw.shape[-1] % block.nbytes:
        raise ValueError(f"{type} blocks are {block.nbytes} bytes each: rows of shape {raw.shape} are not whole blocks")
    blocks = raw.reshape(*raw.shape[:-1], raw.shape[-1] // block.nbytes, block.nbytes)
    d = np.ascontiguousarray(blocks[..., :2]).view("<f2")[..., 0].astype(np.float16, copy=False)
    body = blocks[..., 2:]
    if type == "Q8_0":
        codes = np.ascontiguousarray(body).view(np.int8)
    else:
        codes = np.concatenate([body & np.uint8(15), body >> np.uint8(4)], axis=-1).view(np.int8) - np.int8(8)
    return d, codes.reshape(*d.shape[:-1], d.shape[-1] * BLOCK)


def _type(name: str) -> BlockType:
    if name not in TYPES:
        raise ValueError(f"unknown GGUF block type {name!r}: choose one of {', '.join(TYPES)}")
    return TYPES[name]


def _range(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value of every block (n, 32): two (n,)."""
    columns = np.ascontiguousarray(blocks.T)  # NumPy reduces many short rows slowly, few long columns fast
    return columns.min(axis=0), columns.max(axis=0)


def _inverse(d: np.ndarray) -> np.ndarray:
    """1/d in float32, 0 for d = 0 (all-zero block) and for a d so small that 1/d overflows (its float16 is 0)."""
    with np.errstate(divide="ignore", over="ignore"):
        inverse = np.float32(1) / d
    inverse[~np.isfinite(inverse)] = 0
    return inverse


def _half(d: np.ndarray) -> np.ndarray:
    return np.clip(d, -_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)


def _refuse_nonfinite(x: np.ndarray) -> None:
    if np.isfinite(x.min(initial=0)) and np.isfinite(x.max(initial=0)):  # NaN and infinity show in one of the two
        return
    bad = np.argwhere(~np.isfinite(x))
    first = tuple(int(i) for i in bad[0])
    raise ValueError(f"{len(bad)} of {x.size} values to quantize are NaN or infinite, the first at index {first}: "
                     f"{x[first]}. No scale fits them; find out where they come from")
