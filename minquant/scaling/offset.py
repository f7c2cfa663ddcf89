"""Groups that start at their smallest value: ``value = minimum + scale * code``, code 0 .. 2^b - 1.

How it works
    Minimum and scale are kept as float16 and rounded first; the scale spans from the stored minimum to the largest
    value, and codes are computed with both as they are stored. Nothing has to contain 0, so a group of values that lie
    all above it (a key's channel, which may hardly move) spends no code on what it does not have. ``int2:g32:asym`` has
    a zero point of 2 bits beside the scale, this grid a minimum of 16: 3 bits per number against 2.56.

Source
    KIVI (Liu et al. 2024, arXiv 2402.02750), section 3.1: z is the minimum, s = (max - min) / (2^b - 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import packing
from ..formats.base import as_float32

HALF = np.finfo(np.float16)


@dataclass(frozen=True)
class Offset:
    """The rule: codes of ``bits`` bits, ``group`` neighbours along the last axis share scale and minimum."""

    bits: int
    group: int = 32

    def nbytes(self, shape: tuple[int, ...]) -> int:
        """Bytes of a packed tensor of this shape, scales and minima counted."""
        count = int(np.prod(shape))
        return -(-count * self.bits // 8) + count // self.group * 4

    def quantize(self, x: np.ndarray) -> OffsetTensor:
        """Codes, scales and minima of x, rows last, float32.

        Raises ValueError for NaN or infinity, and where the group does not divide the last axis.
        """
        x = as_float32(x)
        if x.shape[-1] % self.group:
            raise ValueError(f"groups of {self.group} do not divide a last axis of {x.shape[-1]}")
        if not np.isfinite(x).all():
            raise ValueError("a value to quantize is NaN or infinite: find out where it comes from")
        blocks = x.reshape(*x.shape[:-1], -1, self.group)  # (..., groups, group)
        levels = np.float32((1 << self.bits) - 1)
        minimum = blocks.min(axis=-1).clip(-HALF.max, HALF.max).astype(np.float16)  # (..., groups)
        low = minimum.astype(np.float32)
        span = blocks.max(axis=-1) - low
        scale = (span / levels).clip(HALF.smallest_subnormal, HALF.max).astype(np.float16)
        scale[span <= 0] = 1  # all the same: every code is 0
        codes = np.rint((blocks - low[..., None]) / scale.astype(np.float32)[..., None]).clip(0, levels)
        return OffsetTensor(codes.astype(np.uint8).reshape(x.shape), scale, minimum, self)


@dataclass(frozen=True, eq=False)
class OffsetTensor:
    """codes uint8, the tensor's shape; scale and minimum float16, one per group: (..., groups)."""

    codes: np.ndarray
    scale: np.ndarray
    minimum: np.ndarray
    rule: Offset

    def dequantize(self) -> np.ndarray:
        """What the codes stand for, float32."""
        scale, low = (np.repeat(part.astype(np.float32), self.rule.group, axis=-1)
                      for part in (self.scale, self.minimum))
        return low + scale * self.codes.astype(np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes when packed."""
        return self.rule.nbytes(self.codes.shape)

    def pack(self) -> dict[str, np.ndarray]:
        """The packed bytes, uint8: codes dense, least significant bit first; scale and minimum little-endian."""
        halves = {"scale": self.scale, "minimum": self.minimum}
        return {"codes": packing.pack_bits(self.codes, self.rule.bits)} | {
            name: np.ascontiguousarray(part, "<f2").reshape(-1).view(np.uint8) for name, part in halves.items()}
