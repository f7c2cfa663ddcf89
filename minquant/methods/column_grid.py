"""Grids of a weight matrix that can be used one column at a time.

Round to nearest chooses all grids and then all codes. A method that changes later weights after it has rounded earlier
ones asks more often: it rounds single columns, and may want the grid of a group chosen anew when it gets there. Both
are done here with the functions of ``scaling``: the grid of a group is always the one ``quantize`` gives to these
weights, and a column is rounded with the stored scale. So a method that changes no weight gives what ``quantize``
gives, code for code.

What we leave out: presets whose scales need the whole tensor first (nvfp4, nf4_dq), or that round by a rule of their
own (ggml's q8_0, q5_0, q4_0, q4_1).
"""

from __future__ import annotations

import numpy as np

from ..scaling import QTensor, Scheme, grids, quantize

INSTEAD = {"q8_0": "int8:g32", "q5_0": "int5:g32:full", "q4_0": "int4:g32:full", "q4_1": "int4:g32:asym",
           "nvfp4": "fp4_e2m1:g16", "nf4_dq": "nf4"}


def check_scheme(scheme: str | Scheme) -> Scheme:
    """The scheme, parsed. Raises ValueError for one that cannot be rounded column by column, naming the nearest one."""
    scheme = Scheme.parse(scheme)
    if scheme.preset in INSTEAD:
        why = "rounds by a rule of its own" if scheme.is_ggml else "fixes its scales from the whole tensor"
        raise ValueError(f"{scheme.preset} {why}, so its columns cannot be rounded one at a time: use "
                         f"{INSTEAD[scheme.preset]}")
    return scheme


class ColumnGrid:
    """The grids of W (out, in) float32 under a scheme.

    Attributes:
        scheme: the scheme.
        scale: as in a QTensor of W's shape.
        zero_point: likewise.
        length: columns that share a grid: the group size, or all of them.

    Raises as ``quantize`` and ``check_scheme`` do.
    """

    def __init__(self, W: np.ndarray, scheme: str | Scheme) -> None:
        q = quantize(W, check_scheme(scheme))
        self.scheme, self.scale, self.zero_point = q.scheme, q.scale, q.zero_point
        self.length = q.scheme.group_size or W.shape[1]
        self._groups = W.shape[1] // self.length

    def refit(self, group: int, weights: np.ndarray) -> None:
        """Choose the grids of one group anew, from its weights as they are now: (out, length)."""
        q = quantize(weights, self.scheme)
        self.scale[:, group] = q.scale[:, 0]
        if q.zero_point is not None:
            self.zero_point[:, group] = q.zero_point[:, 0]

    def round(self, w: np.ndarray, column: int) -> tuple[np.ndarray, np.ndarray]:
        """Round a column w (out,): what ``grids.snap`` makes of it (codes of integers, values of other formats), and the
        weights that stands for, both float32."""
        group = column // self.length
        scale, zero = self._parts(slice(group, group + 1))
        snapped, values = round_on(w[:, None], scale, zero, self.scheme)
        return snapped[:, 0], values[:, 0]

    def rows(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Scale and zero point of every column, float32 (1 or out, in)."""
        return tuple(part if part is None else np.repeat(part, self.length, axis=1) for part in self._parts())

    def qtensor(self, snapped: np.ndarray) -> QTensor:
        """The quantized matrix, from columns (out, in) as ``round`` snaps them."""
        snapped, integer = np.ascontiguousarray(snapped), self.scheme.is_integer
        codes = snapped.astype(self.scheme.code_dtype) if integer else self.scheme.format.encode(snapped)
        return QTensor(codes, self.scale, self.zero_point, self.scheme)

    def _parts(self, groups: slice = slice(None)) -> tuple[np.ndarray, np.ndarray | None]:
        """Scale and zero point as float32 (1 or out, groups), of some groups or all; a plain cast has scale 1."""
        scale = np.float32(1) if self.scale is None else self.scale
        return tuple(part if part is None else np.reshape(part, (-1, self._groups))[:, groups].astype(np.float32)
                     for part in (scale, self.zero_point))


def round_on(w: np.ndarray, scale: np.ndarray, zero: np.ndarray | None,
             scheme: Scheme) -> tuple[np.ndarray, np.ndarray]:
    """Round weights, each on the grid at its place in scale and zero: what ``grids.snap`` gives, and the values."""
    snapped = grids.snap(w.astype(np.float32), scale, zero, scheme)
    return snapped, grids.unsnap(snapped.copy(), scale, zero)
