"""A grid chosen beforehand: one scale for a tensor that is not there yet.

Activations are made while the model runs. A *dynamic* scale is taken from the numbers at hand, which costs a pass over
them; a *static* one is chosen once, on calibration text, and stored. What is larger than anything seen there saturates.
Only one scale for the whole tensor can be chosen beforehand: the tokens are not there yet, and a scale per feature
would stand inside the sum of a matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..formats.base import as_float32
from . import grids
from .quantizer import quantize
from .scheme import Scheme


@dataclass(frozen=True)
class FixedGrid:
    """Scale and zero point of a scheme with one scale for the whole tensor.

    scheme       such as "int8:tensor" or "fp8_e4m3:tensor:p99.9"
    scale        a float32 value above 0
    zero_point   a code, where the scheme is asymmetric; else None

    Raises ValueError for another granularity, or a scale that is not finite and above 0.
    """

    scheme: Scheme
    scale: float
    zero_point: int | None = None

    def __post_init__(self):
        object.__setattr__(self, "scheme", Scheme.parse(self.scheme))
        if self.scheme.granularity != "tensor":
            raise ValueError(f"a fixed grid has one scale for the whole tensor; {self.scheme} has more, or none")
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"a scale is finite and above 0, not {self.scale}")
        if (self.zero_point is not None) != self.scheme.has_zero_point:
            raise ValueError(f"{self.scheme} and a zero point {self.zero_point} do not fit")

    @classmethod
    def of(cls, samples: np.ndarray, scheme: str | Scheme) -> FixedGrid:
        """The grid that the scheme's calibrator chooses for samples, any shape. Raises as ``quantize`` does."""
        q = quantize(np.reshape(samples, (1, -1)), scheme)
        return cls(q.scheme, float(q.scale), None if q.zero_point is None else int(q.zero_point))

    def fake_quantize(self, x: np.ndarray) -> np.ndarray:
        """x, any shape, rounded to the grid: float32, a new array. Magnitudes beyond its ends saturate.

        Raises ValueError for NaN or infinity.
        """
        x = as_float32(x)
        if not np.isfinite(x).all():
            raise ValueError("values to quantize are NaN or infinite: find out where they come from")
        zero = None if self.zero_point is None else np.float32(self.zero_point)
        snapped = grids.snap(x, np.float32(self.scale), zero, self.scheme)
        if self.scheme.is_integer and zero is None:
            snapped += np.float32(0)  # rint(-0.3) is -0.0, the integer it stands for is 0
        return grids.unsnap(snapped, np.float32(self.scale), zero)
