"""F32, F16, BF16: plain numbers, a block of one. Rounded to nearest even, held at the largest finite value."""

from __future__ import annotations

import numpy as np

from .blocks import BlockType
from .rounding import half

_LARGEST_BF16 = np.uint32(0x7F7F0000).view(np.float32)


def choose(x: np.ndarray, type: BlockType) -> tuple[np.ndarray]:
    """float32 (n, 1) -> the number in its type (n, 1): float32, float16, or uint16, the bits of a bfloat16."""
    if type.name == "BF16":
        bits = np.clip(x, -_LARGEST_BF16, _LARGEST_BF16).view(np.uint32)
        bits += np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))  # over a half carries, a half if odd
        return ((bits >> np.uint32(16)).astype(np.uint16),)
    return (half(x) if type.name == "F16" else x,)


def pack(parts: tuple[np.ndarray, ...], type: BlockType, out: np.ndarray) -> None:
    """Writes what ``choose`` gives into blocks (n,), a structured array."""
    out["x"] = parts[0][:, 0]


def unpack(blocks: np.ndarray, type: BlockType) -> tuple[np.ndarray]:
    """What ``pack`` was given."""
    return (blocks["x"].astype(blocks["x"].dtype.newbyteorder("="))[:, None],)


def values(parts: tuple[np.ndarray, ...], type: BlockType, out: np.ndarray) -> None:
    """Writes the numbers as float32 (n, 1)."""
    if type.name == "BF16":
        np.left_shift(parts[0], np.uint32(16), out=out.view(np.uint32))
    else:
        np.copyto(out, parts[0])
