"""``quantize`` and ``fake_quantize``: put a tensor on the grid a scheme describes.

Both walk the tensor in pieces that fit a core's cache: the range of every block, its scale, then its codes, before
the next piece is touched. ``fake_quantize`` skips the codes: it rounds floats to floats, which is what a model under
test needs for every activation and every cached key, and gives the very same values. Two presets need the whole
tensor before the first code (nvfp4, nf4_dq), and ggml's have a rule of their own: these go by way of codes.
"""

from __future__ import annotations

import numpy as np

from ..formats.base import as_float32
from ..packing import gguf
from . import calibrators, grids, nf4, nvfp4
from .qtensor import QTensor
from .scheme import Scheme


def quantize(x: np.ndarray, scheme: str | Scheme) -> QTensor:
    """Codes, scales and zero points of a tensor.

    x        at least one axis, real numbers (taken as float32). Rows and groups run along the *last* axis: weights
             are (out, in), activations (tokens, features).
    scheme   such as "int4:g32:asym"; see Scheme

    Raises ValueError for NaN or infinity in x, an unknown scheme, a group size that does not divide the last axis.
    """
    scheme, x = Scheme.parse(scheme), as_float32(x)
    shape = scheme.scale_shape(x.shape)
    if scheme.is_ggml:
        return _ggml(x, scheme)
    codes = np.empty(x.shape, scheme.code_dtype)
    if scheme.granularity == "none":
        for part, part_out in _cast_pieces(x, codes):
            part_out[...] = scheme.format.encode(part)
        return QTensor(codes, None, None, scheme)
    blocks, out = scheme.blocks(x), scheme.blocks(codes)
    if scheme.preset in _TWO_LEVELS:
        scale, extra = _TWO_LEVELS[scheme.preset](blocks, out, x)
        return QTensor(codes, scale.reshape(shape), None, scheme, extra)
    scale = np.empty((len(blocks), 1), scheme.scale_dtype)
    zero = np.empty((len(blocks), 1), np.uint8) if scheme.has_zero_point else None
    for rows in grids.row_chunks(*blocks.shape):
        scale[rows], part_zero = _grid(blocks[rows], scheme, x)
        if zero is not None:
            zero[rows] = part_zero
        _encode(blocks[rows], scale[rows].astype(np.float32), part_zero, scheme, out[rows])
    return QTensor(codes, scale.reshape(shape), None if zero is None else zero.reshape(shape), scheme)


def _encode(blocks: np.ndarray, scale: np.ndarray, zero: np.ndarray | None, scheme: Scheme, out: np.ndarray) -> None:
    """Write the codes of blocks (n, length) on their grids."""
    for part, part_out in _pieces(blocks, out):
        if scheme.is_integer:
            np.copyto(part_out, grids.snap(part, scale, zero, scheme), casting="unsafe")
        else:
            part_out[...] = scheme.format.encode(part / scale)


def _ggml(x: np.ndarray, scheme: Scheme) -> QTensor:
    """ggml's own rule of rounding goes with its layout: packing.gguf has both."""
    d, *minimum, codes = gguf.choose_codes(x, scheme.preset.upper())
    return QTensor(codes, d, None, scheme, {"minimum": m for m in minimum})


def _nvfp4(blocks: np.ndarray, out: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Writes the codes of all blocks of the tensor x; block scales and what is kept beside them."""
    _check_finite(blocks.min(initial=0), blocks.max(initial=0), x)
    scale, g = nvfp4.quantize(blocks, out)
    return scale, {"global_scale": np.array(g)}


def _nf4_dq(blocks: np.ndarray, out: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """As _nvfp4: the scales of all blocks are known before the first code is chosen."""
    low, high = grids.range_of(blocks)
    _check_finite(low, high, x)
    extra = nf4.compress(np.maximum(high, -low))
    scale = nf4.expand(extra)[:, None]
    for rows in grids.row_chunks(*blocks.shape):
        _encode(blocks[rows], scale[rows], None, Scheme.parse("nf4"), out[rows])
    return scale, extra


_TWO_LEVELS = {"nvfp4": _nvfp4, "nf4_dq": _nf4_dq}


def fake_quantize(x: np.ndarray, scheme: str | Scheme) -> np.ndarray:
    """``quantize(x, scheme).dequantize()``, bit for bit, without making codes: float32, same shape, a new array.

    Raises as quantize does.
    """
    scheme, x = Scheme.parse(scheme), as_float32(x)
    scheme.scale_shape(x.shape)  # raises where the scheme does not fit
    if scheme.is_ggml or scheme.preset in _TWO_LEVELS:
        return quantize(x, scheme).dequantize()
    values = np.empty(x.shape, np.float32)
    if scheme.granularity == "none":
        for part, part_out in _cast_pieces(x, values):
            scheme.format.round(part, out=part_out)
        return values
    blocks, out = scheme.blocks(x), scheme.blocks(values)
    for rows in grids.row_chunks(*blocks.shape):
        scale, zero = _grid(blocks[rows], scheme, x)
        scale32 = scale.astype(np.float32)
        for part, part_out in _pieces(blocks[rows], out[rows]):
            grids.snap(part, scale32, zero, scheme, out=part_out)
            if scheme.is_integer and zero is None:
                part_out += np.float32(0)  # rint(-0.3) is -0.0, the integer it stands for is 0
            grids.unsnap(part_out, scale32, zero)
    return values


def _cast_pieces(x: np.ndarray, out: np.ndarray):
    """x and out side by side in pieces that fit the cache, for a plain cast. Raises ValueError if x is not finite."""
    _check_finite(x.min(initial=0), x.max(initial=0), x)
    return _pieces(x.reshape(1, -1), out.reshape(1, -1))


def _pieces(*arrays: np.ndarray):
    """The arrays, all (n, length), side by side in pieces along the second axis that fit the cache."""
    for columns in grids.column_chunks(arrays[0].shape[1]):
        yield tuple(a[:, columns] for a in arrays)


def _grid(blocks: np.ndarray, scheme: Scheme, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Scale (n, 1) and zero point (n, 1) of blocks (n, length), a part of the tensor x."""
    low, high = grids.range_of(blocks)
    _check_finite(low, high, x)
    return calibrators.choose(blocks, low, high, scheme)


def _check_finite(low: np.ndarray, high: np.ndarray, x: np.ndarray) -> None:
    """Raise ValueError if the range of a part of x is not finite, saying how many values of x are not, and where."""
    if np.isfinite(low).all() and np.isfinite(high).all():  # NaN and infinity show in min or max
        return
    bad = np.argwhere(~np.isfinite(x))
    first = tuple(int(i) for i in bad[0])
    raise ValueError(f"{len(bad)} of {x.size} values to quantize are NaN or infinite, the first at index {first}: "
                     f"{x[first]}. A scale cannot be chosen for them; find out where they come from")
