"""HQQ: move the grid of a group until most of its weights are close to it, without looking at any data.

How it works
    Squared error cares most for the few weights that are far off. HQQ minimises sum |W - Q|^p with p < 1, which cares
    most for how many are close, and lets outliers be wrong. Such a sum has no derivative to follow, so the error is
    split ("half-quadratic"): E takes the part that is allowed to be large, and what is left is an ordinary square,

        minimise   sum |E|^p  +  beta/2 * sum (W - Q - E)^2        in turns over E and over the grid of Q

        E      <-  shrink(W - Q, beta, p) = sign(x) * max(|x| - |x|^(p-1) / beta, 0)        x = W - Q
        zero   <-  mean over the group of  code - (W - E) / scale                           the scale stays
        beta   <-  kappa * beta

    Each turn rounds W to the grid anew. A small error is shrunk to nothing, so the grid follows it; of a large one E
    takes nearly all, so the grid does not.

Where the zero point is stored
    The zero point that comes out is no whole number, and that is the whole gain: with the scale fixed, a whole one
    can only move the ends of the grid, never its points, and rounded at the end it does no better than round to nearest
    (a test shows both). The authors keep it as a float16 beside each scale. Of our layouts only ``q4_1`` has room for
    that (real = scale * code + minimum): there we do as they do. An integer scheme such as "int4:g32:asym" stores a
    whole zero point of 4 bits, so there each turn rounds the zero point and then fits the *scale* to W - E by least
    squares: points that may not shift may still spread. That step is ours.

Source
    Badri and Shaji, "Half-Quadratic Quantization of Large Machine Learning Models", Mobius Labs 2023
    (mobiusml.github.io/hqq_blog), and their code, hqq/core/optimize.py, optimize_weights_proximal_legacy.

What differs
    They shrink errors in units of the weights. At beta = 10 and p = 0.7 that zeroes every error below 0.17: unless the
    steps of the grid are wider than a third, E is 0 and the zero point is a plain mean. We count errors in steps of
    the grid, so that a matrix times two gets the same codes. They stop all groups when the mean |W - Q| no longer
    falls, and return the zero point that follows; we take every turn, judge each group by the sum that is minimised
    and return the best grid it had, the first included. So no group is worse than round to nearest by that measure.
    They do not widen the range to contain 0.

What we leave out
    Groups along the other axis, zero points and scales that are quantized themselves, the solver by gradient descent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..formats.base import as_float32
from ..scaling import QTensor, Scheme, grids
from .rtn import rtn

FLOAT_ZERO = "q4_1"  # the preset with a float16 offset beside each scale


def hqq(W: np.ndarray, scheme: str | Scheme, *, iterations: int = 20, p: float = 0.7, beta: float = 10.0,
        kappa: float = 1.01) -> QTensor:
    """Quantize a weight matrix by half-quadratic splitting; no inputs are needed.

    Args:
        W: (out, in) real numbers.
        scheme: asymmetric integers, such as "int4:g64:asym", or "q4_1" for a float zero point.
        iterations: turns; 0 rounds to nearest.
        p: exponent of the error that is minimised, above 0 and at most 1.
        beta: how firmly W - E must be met, in turn one; larger shrinks less. kappa: by what it grows each turn.

    Returns:
        QTensor. In no group is sum |W - Q|^p above that of the scheme's own grid (``rtn``).

    Raises:
        ValueError: a scheme without a zero point, p, beta, kappa or iterations out of range, and as ``rtn`` does.
    """
    scheme = check_scheme(scheme)
    _check_settings(iterations, p, beta, kappa)
    start = rtn(W, scheme)
    blocks = scheme.blocks(as_float32(W))  # (n, length)
    codes = np.empty(blocks.shape, np.uint8)
    best = _grid_of(start)
    for rows in grids.row_chunks(*blocks.shape):
        grid = best.part(rows)
        _improve(blocks[rows], grid, iterations, p, beta, kappa)
        codes[rows] = grid.codes(blocks[rows])
    shape = start.scale.shape
    extra = {"minimum": best.minimum.astype(np.float16).reshape(shape)} if scheme.preset == FLOAT_ZERO else {}
    zero = None if extra else best.zero.astype(np.uint8).reshape(shape)
    return QTensor(codes.reshape(start.shape), best.scale.astype(start.scale.dtype).reshape(shape), zero, scheme, extra)


def check_scheme(scheme: str | Scheme) -> Scheme:
    """The scheme, parsed. Raises ValueError where it has no zero point that could move."""
    scheme = Scheme.parse(scheme)
    if not scheme.has_zero_point and scheme.preset != FLOAT_ZERO:
        raise ValueError(f"HQQ moves the zero point, and {scheme} has none: write an asymmetric integer scheme such as "
                         f"'int4:g64:asym', or {FLOAT_ZERO!r} for a float zero point")
    return scheme


def shrink(x: np.ndarray, beta: float, p: float) -> np.ndarray:
    """What of an error x, any shape, is written off: nearly all of a large one, nothing of a small one.

    An approximate minimum over e of |e|^p + beta/2 (x - e)^2, and the exact one for p = 1.
    """
    size = np.abs(x)
    with np.errstate(divide="ignore"):  # 0 to a negative power: the threshold of 0 is infinite, what is left is 0
        return np.sign(x) * np.maximum(size - size ** np.float32(p - 1) / np.float32(beta), 0)


@dataclass
class _Grid:
    """The grids of n groups: ``value = scale * (code - zero) + minimum``; each (n, 1) float32, as stored."""

    scheme: Scheme
    scale: np.ndarray
    zero: np.ndarray  # whole; 0 where the offset is a float
    minimum: np.ndarray  # 0 where the zero point is whole

    def part(self, rows: slice) -> _Grid:
        """The grids of some groups, as views."""
        return _Grid(self.scheme, self.scale[rows], self.zero[rows], self.minimum[rows])

    def codes(self, blocks: np.ndarray) -> np.ndarray:
        """Nearest codes of blocks (n, length), as float32."""
        return grids.snap(blocks - self.minimum, self.scale, self.zero, self.scheme)

    def values(self, codes: np.ndarray) -> np.ndarray:
        """What codes (n, length) stand for."""
        return grids.unsnap(codes.copy(), self.scale, self.zero) + self.minimum

    def fitted(self, codes: np.ndarray, target: np.ndarray) -> _Grid:
        """The grid on which these codes come closest to a target (n, length), with what may move."""
        if self.scheme.preset == FLOAT_ZERO:
            minimum = (target - self.scale * codes).mean(axis=1, keepdims=True)  # (n, 1): -scale times their zero
            return _Grid(self.scheme, self.scale, self.zero, minimum.astype(np.float16).astype(np.float32))
        lowest, highest = self.scheme.code_range
        zero = np.rint((codes - target / self.scale).mean(axis=1, keepdims=True)).clip(lowest, highest)  # (n, 1)
        steps = codes - zero  # (n, length)
        square = (steps * steps).sum(axis=1, keepdims=True)  # (n, 1)
        scale = (target * steps).sum(axis=1, keepdims=True) / np.maximum(square, 1)  # (n, 1); steps are whole
        scale = np.where(scale > 0, scale, self.scale)
        return _Grid(self.scheme, _as_stored(scale, self.scheme), zero, self.minimum)


def _improve(blocks: np.ndarray, best: _Grid, iterations: int, p: float, beta: float, kappa: float) -> None:
    """The turns, on blocks (n, length): ``best`` is overwritten wherever a better grid is found."""
    least = np.full((len(blocks), 1), np.inf)  # (n, 1)
    grid = best
    for _ in range(iterations + 1):
        codes = grid.codes(blocks)  # (n, length)
        off = blocks - grid.values(codes)  # (n, length)
        error = (np.abs(off) ** np.float32(p)).sum(axis=1, keepdims=True, dtype=np.float64)  # (n, 1)
        better = error < least
        for kept, new in ((least, error), (best.scale, grid.scale), (best.zero, grid.zero),
                          (best.minimum, grid.minimum)):
            np.copyto(kept, new, where=better)
        written_off = shrink(off / grid.scale, beta, p) * grid.scale  # E, in units of the weights
        grid = grid.fitted(codes, blocks - written_off)
        beta *= kappa


def _grid_of(q: QTensor) -> _Grid:
    """Grids of a quantized tensor, one row per group."""
    scale = q.scale.astype(np.float32).reshape(-1, 1)
    scale[scale == 0] = 1  # so ggml writes a constant group: code 0 and the minimum say it all
    zero = np.zeros_like(scale) if q.zero_point is None else q.zero_point.astype(np.float32).reshape(-1, 1)
    minimum = q.extra.get("minimum", np.zeros_like(scale)).astype(np.float32).reshape(-1, 1)
    return _Grid(q.scheme, scale, zero, minimum)


def _as_stored(scale: np.ndarray, scheme: Scheme) -> np.ndarray:
    """A float32 scale through the type it is stored in, and back."""
    kept = grids.stored(scale, np.zeros(scale.shape, bool), scheme.scale_dtype, scheme.code_range[1])
    return kept.astype(np.float32)


def _check_settings(iterations: int, p: float, beta: float, kappa: float) -> None:
    """Raise ValueError for settings that have no meaning."""
    if not 0 < p <= 1:
        raise ValueError(f"p must be above 0 and at most 1, not {p}: with p > 1 outliers would lead again")
    if not beta > 0 or not kappa >= 1:
        raise ValueError(f"beta must be above 0 and kappa at least 1, not {beta} and {kappa}")
    if iterations < 0:
        raise ValueError(f"iterations must be 0 or more, not {iterations}")
