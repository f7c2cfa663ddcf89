"""Numbers to blocks and back, for every type: the shapes are checked here, the types are in the other files.

Each family of types is a file with four functions, and everything is made of them:

    choose(x)       numbers -> parts: scales and codes, one byte or more for each
    pack(parts)     parts   -> blocks
    unpack(blocks)  blocks  -> parts
    values(parts)   parts   -> numbers

Blocks are worked on in chunks whose float32 values fit a core's cache.
"""

from __future__ import annotations

import numpy as np

from . import floats, linear, lookup, superblocks, ternary
from .blocks import TYPES, BlockType

_CHUNK = 1 << 16  # elements worked on at a time

_FAMILIES = {
    floats: ("F32", "F16", "BF16"),
    linear: ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"),
    lookup: ("MXFP4", "NVFP4", "IQ4_NL"),
    ternary: ("TQ1_0", "TQ2_0"),
    superblocks: ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"),
}
_FAMILY = {name: family for family, names in _FAMILIES.items() for name in names}


def quantize(x: np.ndarray, type: str) -> np.ndarray:
    """Blocks of a float matrix: x (rows..., columns) -> uint8 (rows..., columns / elements * bytes of a block).

    type   a key of TYPES that is writable

    Raises TypeError for what is not real numbers, ValueError for an unknown type, one that is only read, columns that
    are not whole blocks, NaN or infinity.
    """
    block, family, rows, shape = _prepare(x, type)
    blocks = np.empty(len(rows), block.struct)
    for chunk in _chunks(len(rows), block):
        family.pack(family.choose(rows[chunk], block), block, out=blocks[chunk])
    return _as_bytes(blocks, (*shape[:-1], shape[-1] // block.elements))


def dequantize(raw: np.ndarray, type: str) -> np.ndarray:
    """float32 values of blocks: uint8 (rows..., bytes) -> (rows..., columns). Raises as unpack_blocks."""
    block, blocks, shape = _blocks(raw, type)
    family = _FAMILY[type]
    x = np.empty((len(blocks), block.elements), np.float32)
    for chunk in _chunks(len(blocks), block):
        family.values(family.unpack(blocks[chunk], block), block, out=x[chunk])
    return x.reshape(*shape[:-1], shape[-1] * block.elements)


def choose_codes(x: np.ndarray, type: str) -> tuple[np.ndarray, ...]:
    """Parts of the blocks of x (rows..., columns), not yet packed: scales, one or more, then codes.

    Scales are shaped (rows..., blocks), or (rows..., blocks, sub-blocks); codes are shaped like x, one byte each:

        Q8_0 Q4_0 Q5_0 TQ1_0 TQ2_0    d float16, codes int8
        Q4_1 Q5_1                     d, m float16, codes uint8
        MXFP4                         e uint8, codes uint8
        Q4_K Q5_K                     d, dmin float16, scales, mins uint8 (..., 8), codes uint8
        Q6_K                          d float16, scales int8 (..., 16), codes int8
        F32 F16 BF16                  the numbers alone; a bfloat16 as its bits, uint16

    Raises as quantize.
    """
    block, family, rows, shape = _prepare(x, type)
    parts = [np.empty((len(rows), *p.shape[1:]), p.dtype) for p in _no_parts(block)]
    for chunk in _chunks(len(rows), block):
        for part, chosen in zip(parts, family.choose(rows[chunk], block), strict=True):
            part[chunk] = chosen
    return _unroll(parts, (*shape[:-1], shape[-1] // block.elements))


def pack_blocks(*parts_and_type) -> np.ndarray:
    """Bytes of blocks, uint8 (rows..., bytes): pack_blocks(d, codes, "Q4_0").

    Takes what choose_codes gives for the type, then the type.

    Raises ValueError for an unknown type, parts that do not fit it or each other, a code out of its range.
    """
    *parts, type = parts_and_type
    block = _type(type)
    templates = _no_parts(block)
    if len(parts) != len(templates):
        raise ValueError(f"{type} blocks are made of {len(templates)} arrays, scales first, codes last; got "
                         f"{len(parts)}")
    _check_range(parts[-1], block)
    parts = [np.asarray(part, template.dtype) for part, template in zip(parts, templates, strict=True)]
    codes = parts[-1]
    if codes.ndim < 1 or codes.shape[-1] % block.elements:
        raise ValueError(f"{type} works on blocks of {block.elements}: it does not divide the last axis of codes of "
                         f"shape {codes.shape}")
    lead = (*codes.shape[:-1], codes.shape[-1] // block.elements)
    for part, template in zip(parts[:-1], templates[:-1], strict=True):
        if part.shape != (*lead, *template.shape[1:]):
            raise ValueError(f"{type}: codes of shape {codes.shape} need one scale per {block.elements}: shape "
                             f"{(*lead, *template.shape[1:])}, got scales {part.shape}")
    count = int(np.prod(lead))
    flat = [np.ascontiguousarray(p).reshape(count, *t.shape[1:]) for p, t in zip(parts, templates, strict=True)]
    blocks = np.empty(count, block.struct)
    for chunk in _chunks(count, block):
        _FAMILY[type].pack(tuple(part[chunk] for part in flat), block, out=blocks[chunk])
    return _as_bytes(blocks, lead)


def unpack_blocks(raw: np.ndarray, type: str) -> tuple[np.ndarray, ...]:
    """Parts of blocks, uint8 (rows..., bytes): scales and codes as choose_codes gives them.

    The types that are read only have these parts: Q2_K as Q4_K with 16 sub-blocks, Q3_K as Q6_K; NVFP4 scales uint8
    (..., 4); IQ4_NL d float16, codes uint8.

    Raises TypeError for other dtypes, ValueError for an unknown type or rows that are not whole blocks.
    """
    block, blocks, shape = _blocks(raw, type)
    parts = [np.empty((len(blocks), *p.shape[1:]), p.dtype) for p in _no_parts(block)]
    for chunk in _chunks(len(blocks), block):
        for part, read in zip(parts, _FAMILY[type].unpack(blocks[chunk], block), strict=True):
            part[chunk] = read
    return _unroll(parts, shape)


def _prepare(x: np.ndarray, type: str):
    """Block type, family, blocks float32 (n, elements) and shape of what is to be quantized."""
    block = _type(type)
    if not block.writable:
        raise ValueError(f"{type} blocks can be read, not written: choose one of "
                         f"{', '.join(name for name in TYPES if TYPES[name].writable)}")
    x = np.asarray(x)
    if x.dtype.kind not in "fiu" and x.dtype.name != "bfloat16":
        raise TypeError(f"expected an array of real numbers, got dtype {x.dtype}")
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and is refused as that
        x = np.asarray(x, np.float32, order="C")
    if x.ndim < 1 or x.shape[-1] % block.elements:
        raise ValueError(f"{type} works on blocks of {block.elements}: it does not divide the last axis of shape "
                         f"{x.shape}")
    _refuse_nonfinite(x)
    return block, _FAMILY[type], x.reshape(x.size // block.elements, block.elements), x.shape


def _blocks(raw: np.ndarray, type: str) -> tuple[BlockType, np.ndarray, tuple[int, ...]]:
    """Block type, blocks as a structured array (n,), and their shape (rows..., blocks)."""
    block = _type(type)
    raw = np.asarray(raw)
    if raw.dtype != np.uint8:
        raise TypeError(f"{type} blocks are uint8, got dtype {raw.dtype}")
    if raw.ndim < 1 or raw.shape[-1] % block.nbytes:
        raise ValueError(f"{type} blocks are {block.nbytes} bytes each: rows of shape {raw.shape} are not whole blocks")
    blocks = np.ascontiguousarray(raw).reshape(-1).view(block.struct)
    return block, blocks, (*raw.shape[:-1], raw.shape[-1] // block.nbytes)


def _unroll(parts: list[np.ndarray], shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Parts (n, ...) of blocks that lie in this shape (rows..., blocks): codes in the shape of the matrix."""
    *scales, codes = parts
    return *(s.reshape(*shape, *s.shape[1:]) for s in scales), codes.reshape(*shape[:-1], shape[-1] * codes.shape[1])


def _no_parts(block: BlockType) -> tuple[np.ndarray, ...]:
    """The parts of no blocks at all: their types and the shape of each behind its first axis."""
    return _FAMILY[block.name].unpack(np.empty(0, block.struct), block)


def _as_bytes(blocks: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """uint8 (rows..., bytes) of blocks (n,) that lie in this shape (rows..., blocks)."""
    return blocks.view(np.uint8).reshape(*shape[:-1], shape[-1] * blocks.dtype.itemsize)


def _chunks(count: int, block: BlockType):
    step = _CHUNK // block.elements
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def _type(name: str) -> BlockType:
    if name not in TYPES:
        raise ValueError(f"unknown GGUF block type {name!r}: choose one of {', '.join(TYPES)}")
    return TYPES[name]


def _check_range(codes: np.ndarray, block: BlockType) -> None:
    codes = np.asarray(codes)
    if block.codes is None or not codes.size:
        return
    low, high = codes.min(), codes.max()
    if low < block.codes[0] or high > block.codes[1]:
        raise ValueError(f"{block.name} codes lie in {block.codes[0]}..{block.codes[1]}, got {low}..{high}")


def _refuse_nonfinite(x: np.ndarray) -> None:
    if np.isfinite(x.min(initial=0)) and np.isfinite(x.max(initial=0)):  # NaN and infinity show in one of the two
        return
    bad = np.argwhere(~np.isfinite(x))
    first = tuple(int(i) for i in bad[0])
    raise ValueError(f"{len(bad)} of {x.size} values to quantize are NaN or infinite, the first at index {first}: "
                     f"{x[first]}. No scale fits them; find out where they come from")
