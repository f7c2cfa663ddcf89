"""Q2_K, Q3_K, Q4_K, Q5_K, Q6_K: super-blocks of 256 whose scales are codes too.

A float16 scale for every 16 or 32 weights would cost half a bit to a bit per weight, and a minimum as much again. The
K-quants store these scales and minima as small whole numbers s and m, and one pair of float16 for all of them:

    Q2_K, Q4_K, Q5_K    x = (d * s) * q - (dmin * m)        Q3_K, Q6_K    x = (d * s) * q

This file is the layout: super-blocks to parts (``unpack``), parts to super-blocks (``pack``), parts to numbers
(``values``). How Q4_K, Q5_K and Q6_K find their scales is in ``search.py``.

The parts, for n super-blocks with k sub-blocks each (8 of 32 weights for Q4_K and Q5_K, else 16 of 16):

    d, for some dmin      float16 (n,)
    scales, for some mins uint8 or, signed, int8 (n, k)
    codes                 uint8 or, signed, int8 (n, 256)

Source: ggml, ``src/ggml-quants.c`` (dequantize_row_q2_K to dequantize_row_q6_K, get_scale_min_k4).
"""

from __future__ import annotations

import numpy as np

from . import lanes
from .blocks import BlockType
from .search import choose

__all__ = ["choose", "pack", "unpack", "values"]

_MULTIPLES = {"Q2_K": (0, 15), "Q3_K": (-32, 31), "Q4_K": (0, 63), "Q5_K": (0, 63), "Q6_K": (-128, 127)}
_FOUR, _SIX = np.uint8(4), np.uint8(6)  # shifts
_LOW_4, _LOW_6 = np.uint8(15), np.uint8(63)  # masks


def pack(parts: tuple[np.ndarray, ...], type: BlockType, out: np.ndarray) -> None:
    """Writes parts into super-blocks (n,), a structured array. Raises ValueError for scales beyond their bits."""
    *scales, codes = parts
    low, high = _MULTIPLES[type.name]
    for multiples in scales[len(scales) // 2 :]:
        if multiples.size and not low <= multiples.min() <= multiples.max() <= high:
            raise ValueError(f"{type.name}: scales and minima of sub-blocks lie in {low}..{high}, got "
                             f"{multiples.min()}..{multiples.max()}")
    out["d"] = scales[0]
    if "dmin" in type.struct.names:
        out["dmin"] = scales[1]
    codes = (codes.view(np.int8) - np.int8(type.codes[0])).view(np.uint8)
    match type.name:
        case "Q2_K":
            out["scales"] = lanes.merge(np.concatenate(scales[2:], axis=1), 4, 16)
            out["qs"] = lanes.merge(codes, 2, 32)
        case "Q3_K":
            raised = (scales[1] + np.int8(32)).view(np.uint8)
            out["scales"] = np.concatenate([lanes.merge(raised, 4, 8), lanes.merge(raised >> _FOUR, 2, 4)], axis=1)
            out["qs"], out["hmask"] = lanes.merge(codes, 2, 32), lanes.merge(codes >> np.uint8(2), 1, 32)
        case "Q4_K" | "Q5_K":
            out["scales"] = _merge_6_bits(*scales[2:])
            out["qs"] = lanes.merge(codes, 4, 32)
            if type.name == "Q5_K":
                out["qh"] = lanes.merge(codes >> _FOUR, 1, 32)
        case "Q6_K":
            out["scales"] = scales[1]
            out["ql"], out["qh"] = lanes.merge(codes, 4, 64), lanes.merge(codes >> _FOUR, 2, 32)


def unpack(blocks: np.ndarray, type: BlockType) -> tuple[np.ndarray, ...]:
    """Parts of super-blocks: what ``pack`` was given."""
    match type.name:
        case "Q2_K":
            both = lanes.split(blocks["scales"], 4, 16)
            scales = [both[:, :16], both[:, 16:]]
            codes = lanes.split(blocks["qs"], 2, 32)
        case "Q3_K":
            low, high = lanes.split(blocks["scales"][:, :8], 4, 8), lanes.split(blocks["scales"][:, 8:], 2, 4)
            scales = [(low | high << _FOUR).view(np.int8) - np.int8(32)]
            codes = lanes.split(blocks["qs"], 2, 32) | lanes.split(blocks["hmask"], 1, 32) << np.uint8(2)
        case "Q4_K" | "Q5_K":
            scales = _split_6_bits(blocks["scales"])
            codes = lanes.split(blocks["qs"], 4, 32)
            if type.name == "Q5_K":
                codes |= lanes.split(blocks["qh"], 1, 32) << _FOUR
        case "Q6_K":
            scales = [blocks["scales"].copy()]
            codes = lanes.split(blocks["ql"], 4, 64) | lanes.split(blocks["qh"], 2, 32) << _FOUR
    if type.codes[0]:
        codes = codes.view(np.int8) + np.int8(type.codes[0])
    return *(blocks[name].astype(np.float16) for name in ("d", "dmin") if name in type.struct.names), *scales, codes


def values(parts: tuple[np.ndarray, ...], type: BlockType, out: np.ndarray) -> None:
    """Writes the numbers that parts stand for: float32 (n, 256)."""
    *scales, codes = parts
    np.copyto(out, codes)
    d, *dmin = (unit.astype(np.float32)[:, None] for unit in scales[: len(scales) // 2])
    s, *m = (multiples.astype(np.float32) for multiples in scales[len(scales) // 2 :])
    by_sub_block = out.reshape(*s.shape, 256 // s.shape[1])
    by_sub_block *= (d * s)[..., None]
    if dmin:
        by_sub_block -= (dmin[0] * m[0])[..., None]


def _merge_6_bits(scales: np.ndarray, mins: np.ndarray) -> np.ndarray:
    """Twelve bytes (n, 12) of eight scales and eight minima: the first four of each stay whole, the others are cut."""
    low = scales[:, :4] | scales[:, 4:] >> _FOUR << _SIX, mins[:, :4] | mins[:, 4:] >> _FOUR << _SIX
    return np.concatenate([*low, scales[:, 4:] & _LOW_4 | mins[:, 4:] << _FOUR], axis=1)


def _split_6_bits(raw: np.ndarray) -> list[np.ndarray]:
    """Scales (n, 8) and minima (n, 8) of twelve bytes: the way back."""
    first, rest = raw[:, :8], raw[:, 8:]
    scales = np.concatenate([first[:, :4] & _LOW_6, first[:, :4] >> _SIX << _FOUR | rest & _LOW_4], axis=1)
    mins = np.concatenate([first[:, 4:] & _LOW_6, first[:, 4:] >> _SIX << _FOUR | rest >> _FOUR], axis=1)
    return [scales, mins]
