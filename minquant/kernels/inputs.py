"""What a packed matrix is multiplied by: float32 activations, or 8-bit ones.

    FloatInput    the activations as they are
    Int8Input     in groups of 32, each with a scale: scheme "int8:g32", computed for every token anew

With 8-bit activations a product of codes is a whole number, and four of them are added in one instruction. They cost
some accuracy, which ``Recipe(activations="int8:g32")`` measures: the codes and scales here are exactly the ones
``scaling.quantize`` gives (scale = amax / 127 rounded to float16, codes divided by the rounded scale).

Both carry ``sums``, the sum over every 32 activations as the products see them, for weights stored with an offset:

    sum s (q - z) x  =  s (sum q x  -  z sum x)

so that a kernel multiplies the unsigned codes as they are, and takes the offset back once per group.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.extending import overload

from ._cache import exact_jit, jit
from .bits import round_to_half
from .packed import CHUNK, aligned
from .targets import TARGET

_f32 = np.float32
_PLACES = tuple(_f32(256.0**-k) for k in range(4))


class FloatInput(NamedTuple):
    """values (columns,) float32; sums (columns / 32,) float32; every_fourth, in_place (columns,) float32.

    ``every_fourth`` holds the same numbers, each 32 of them in the order 0, 4, .. 28, 1, 5, .. 29, 2, .. 31: that in
    which a vector kernel comes by the codes of 32 bytes (``vector_bytes.widen``). ``in_place``: column c divided by
    256^(c mod 4), for codes that are multiplied where they lie in a 32-bit word (``eight_products.py``).
    """

    values: np.ndarray
    sums: np.ndarray
    every_fourth: np.ndarray
    in_place: np.ndarray


class Int8Input(NamedTuple):
    """values as above; codes (columns,) int8; scale (columns / 32,) float32; sums, of scale times codes."""

    values: np.ndarray
    codes: np.ndarray
    scale: np.ndarray
    sums: np.ndarray


def make_input(columns: int, activations: str | None) -> FloatInput | Int8Input:
    """Room for an input of so many numbers; ``activations`` None or "int8:g32"."""
    chunks = -(-columns // CHUNK)
    values, sums = aligned((columns,), _f32), aligned((chunks,), _f32)
    if activations is None:
        return FloatInput(values, sums, *(aligned((CHUNK * chunks,), _f32) for _ in range(2)))
    return Int8Input(values, aligned((columns,), np.int8), aligned((chunks,), _f32), sums)


@exact_jit
def group_scale(largest):
    """The stored scale of a group whose largest magnitude is this: float16 of largest / 127, as a float32."""
    s = round_to_half(min(_f32(largest / _f32(127)), _f32(65504)))
    return _f32(1) if largest == 0 else max(s, _f32(2.0**-24))


@exact_jit
def _quantize_group(codes, scale, sums, values, g):
    """Group g in plain loops; it may be the last, and short."""
    first, stop = g * CHUNK, min((g + 1) * CHUNK, values.size)
    largest = _f32(0)
    for c in range(first, stop):
        largest = max(largest, abs(values[c]))
    s = group_scale(largest)
    total = np.int32(0)
    for c in range(first, stop):
        code = min(max(np.rint(_f32(values[c] / s)), _f32(-127)), _f32(127))
        codes[c] = np.int8(code)
        total += np.int32(code)
    scale[g], sums[g] = s, s * _f32(total)


@exact_jit
def quantize_plainly(codes, scale, sums, values):
    """codes, scale, sums of finite values (columns,), as in Int8Input."""
    for g in range(scale.size):
        _quantize_group(codes, scale, sums, values, g)


@exact_jit
def _quantize_fast(codes, scale, sums, values):
    """The same, whole groups in the vector layer."""
    whole = values.size // CHUNK
    for g in range(whole):
        s = group_scale(simd_rounding.largest(values, CHUNK * g))
        scale[g], sums[g] = s, s * simd_rounding.put_codes(codes, values, CHUNK * g, s)
    for g in range(whole, scale.size):
        _quantize_group(codes, scale, sums, values, g)


quantize_into = quantize_plainly
if TARGET is not None:
    from . import simd_rounding
    quantize_into = _quantize_fast


@jit
def put_every_fourth(x):
    """Fill in ``x.every_fourth`` from ``x.values``."""
    for c in range(x.values.size):
        x.every_fourth[c // CHUNK * CHUNK + c % 4 * 8 + c % CHUNK // 4] = x.values[c]


@jit
def put_sums_and_places(x):
    """Fill in ``x.sums`` and ``x.in_place`` from ``x.values``."""
    for g in range(x.sums.size):
        total = _f32(0)
        for c in range(g * CHUNK, min((g + 1) * CHUNK, x.values.size)):
            total += x.values[c]
            x.in_place[c] = x.values[c] * _PLACES[c % 4]
        x.sums[g] = total


def input_scale(x, chunk):
    """What the products of a chunk of activations are still to be multiplied by."""
    return _f32(1) if isinstance(x, FloatInput) else x.scale[chunk]


def take(x, columns):
    """The input of the first ``columns`` numbers: a view."""
    return _TAKE[type(x)](x, columns)


def prepare(x):
    """Fill in all that follows from ``values``. (``matvec.multiply`` fills in what its kernel reads.)"""
    _PREPARE[type(x)](x)


def _take_float(x, columns):
    chunks = (columns + CHUNK - 1) // CHUNK
    return FloatInput(x.values[:columns], x.sums[:chunks], x.every_fourth[:CHUNK * chunks],
                      x.in_place[:CHUNK * chunks])


def _take_int8(x, columns):
    chunks = (columns + CHUNK - 1) // CHUNK
    return Int8Input(x.values[:columns], x.codes[:columns], x.scale[:chunks], x.sums[:chunks])


def _prepare_float(x):
    put_every_fourth(x)
    put_sums_and_places(x)


def _prepare_int8(x):
    quantize_into(x.codes, x.scale, x.sums, x.values)


_TAKE = {FloatInput: _take_float, Int8Input: _take_int8}
_PREPARE = {FloatInput: _prepare_float, Int8Input: _prepare_int8}


@overload(take)
def _take_for(x, columns):
    return _TAKE.get(getattr(x, "instance_class", None))


@overload(prepare)
def _prepare_for(x):
    return _PREPARE.get(getattr(x, "instance_class", None))


@overload(input_scale)
def _input_scale_for(x, chunk):
    if x.instance_class is FloatInput:
        return lambda x, chunk: _f32(1)
    return lambda x, chunk: x.scale[chunk]
