"""One weight of the tiny model, followed through the whole course.

The choice
    The second largest weight, by magnitude, in the first group of 32 of row 100
    of the last block's down projection. Second largest, because the largest of a
    group sets the scale and is hardly ever rounded; the down projection of the
    last block, because what it writes goes straight to the output, so that the
    weight's share of a logit can be followed by hand. This file is the only
    place that makes the choice.

What happens to it
    ``encoded(matrix, weight, scheme)`` quantizes the matrix it lies in and
    returns what became of this one number: its bits, field by field, the scale
    it shares and with how many, and the value that comes back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import formats
from ..scaling import QTensor, Scheme, quantize

ROW, GROUP = 100, 32


@dataclass(frozen=True)
class OneWeight:
    """Where the weight lies, and its float value."""

    tensor: str
    row: int
    column: int
    value: float

    def __str__(self) -> str:
        return f"{self.tensor}[{self.row}, {self.column}]"


@dataclass(frozen=True)
class Encoded:
    """One weight under one scheme.

    ``fields``: (name, bits) from the top bit down, ``bits`` a string of 0 and 1. ``code`` is the stored integer, for
    integer formats only. ``scale`` and ``zero_point`` are None where the scheme has none; ``scale_bits`` is the width
    of the stored scale and ``shared_by`` the number of weights that share it. ``value`` is what decoding gives back.
    """

    scheme: str
    fields: tuple[tuple[str, str], ...]
    code: int | None
    scale: float | None
    scale_bits: int
    zero_point: int | None
    shared_by: int
    value: float

    @property
    def bits(self) -> str:
        """All bits of the code, sign or top bit first."""
        return "".join(bits for _, bits in self.fields)


def followed(model) -> OneWeight:
    """The weight this course follows, in ``model`` (any Transformer with at least one block).

    Raises ValueError for a model too narrow to hold it.
    """
    name = f"model.layers.{model.config.layers - 1}.mlp.down_proj.weight"
    matrix = model.weights[name]
    if matrix.shape[0] <= ROW or matrix.shape[1] < GROUP:
        raise ValueError(f"{name} has shape {matrix.shape}: "
                         f"the followed weight needs {ROW + 1} rows and {GROUP} columns")
    column = int(np.argsort(-np.abs(matrix[ROW, :GROUP]), kind="stable")[1])
    return OneWeight(name, ROW, column, float(matrix[ROW, column]))


def encoded(matrix: np.ndarray, weight: OneWeight, scheme: str | Scheme) -> Encoded:
    """What becomes of ``weight`` when ``matrix`` (out, in), in which it lies, is quantized.

    Raises ValueError where the scheme is unknown or does not fit the matrix.
    """
    q = quantize(matrix, scheme)
    fmt = q.scheme.format
    code = int(q.codes[weight.row, weight.column])
    pattern = f"{code & ((1 << fmt.bits) - 1):0{fmt.bits}b}"
    scale, shared = _scale(q, weight)
    zero = None if q.zero_point is None else int(_entry(q.zero_point, q, weight))
    return Encoded(str(q.scheme), fields(fmt, pattern), code if isinstance(fmt, formats.IntFormat) else None,
                   scale, q.scheme.scale_bits, zero, shared,
                   float(q.dequantize()[weight.row, weight.column]))


def fields(fmt: formats.Format, pattern: str) -> tuple[tuple[str, str], ...]:
    """The bits of one code under their names, top bit first."""
    if not isinstance(fmt, formats.FloatFormat):
        names = {formats.CodeBook: "index", formats.ExponentFormat: "exponent"}
        return ((names.get(type(fmt), "integer"), pattern),)
    cut = 1 + fmt.exponent_bits
    return ("sign", pattern[:1]), ("exponent", pattern[1:cut]), ("mantissa", pattern[cut:])


def _scale(q: QTensor, weight: OneWeight) -> tuple[float | None, int]:
    """The scale of the weight and how many weights share it."""
    if q.scale is None:
        return None, 1
    return float(_entry(q.scale, q, weight)), int(np.prod(q.shape)) // max(q.scale.size, 1)


def _entry(per_block: np.ndarray, q: QTensor, weight: OneWeight) -> np.generic:
    """The entry of a scale or zero-point array that belongs to the weight: () or (rows, 1) or (rows, groups)."""
    if per_block.ndim == 0:
        return per_block[()]
    width = q.shape[-1] // per_block.shape[-1]
    return per_block[weight.row, weight.column // width]
