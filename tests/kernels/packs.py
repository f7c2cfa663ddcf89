"""Small packed matrices of every kind, with random bytes in them, and inputs to multiply them by."""

from __future__ import annotations

import numpy as np

from minquant.kernels import inputs, packed

KINDS = packed.KINDS
WHOLE_NUMBERS = (packed.Int8Groups, packed.Int4Groups, packed.Int4Zeros, packed.Int3Groups, packed.Int2Groups)
GROUPED = (*WHOLE_NUMBERS, packed.E4M3Groups, packed.Book4)


def random_packed(kind, layers, rows, columns, seed=0, group=32, scale_type=np.float16):
    """A packed matrix whose every code and every sign of a scale occurs sooner or later."""
    rng = np.random.default_rng(seed)
    if kind is packed.Float32:
        return kind(rng.standard_normal((layers, rows, columns), np.float32))
    if kind is packed.BFloat16:
        values = rng.standard_normal((layers, rows, columns), np.float32)
        return kind((values.view(np.uint32) >> 16).astype(np.uint16))
    if kind in packed.BITS:
        return _eight_rows(rng, kind, layers, rows, columns, group, scale_type)
    codes = rng.integers(-128, 128, (layers, rows, columns), np.int8)
    if kind in (packed.E4M3, packed.E4M3Groups):
        codes[(codes & 0x7F) == 0x7F] = 0  # the two codes that are not numbers
    if kind is packed.E5M2:
        codes[(codes & 0x7C) == 0x7C] = 0  # infinity and six that are not numbers
    if kind not in GROUPED:
        return kind(codes, rng.uniform(0.001, 0.1, (layers, rows)).astype(np.float32))
    return kind(codes, _scales(rng, (layers, rows, columns // group), scale_type))


def _eight_rows(rng, kind, layers, rows, columns, group, scale_type):
    """Formats that keep eight rows together; the rows that fill up the last block are random as well."""
    blocks, words = -(-rows // packed.LANES), columns * packed.BITS[kind] // 32
    codes = rng.integers(0, 2**32, (layers, blocks, words, packed.LANES), np.uint32)
    shape = (layers, blocks, columns // group, packed.LANES)
    more = []
    if kind is packed.Int4Zeros:
        more = [rng.integers(0, 16, shape, np.uint8)]
    if kind is packed.Book4:
        more = [np.sort(rng.uniform(-1, 1, 16)).astype(np.float32)]
    return kind(codes, _scales(rng, shape, scale_type), *more)


def _scales(rng, shape, scale_type):
    if scale_type is np.uint8:
        return rng.integers(110, 130, shape, np.uint8)
    scale = rng.uniform(-0.1, 0.1, shape).astype(scale_type)
    if scale_type is np.float16:
        scale.reshape(-1)[:2] = 2.0**-20, -(2.0**-24)  # subnormal in float16
        return scale.view(np.int16)
    return scale


def input_of(values, activations=None):
    """A prepared input."""
    x = inputs.make_input(values.size, activations)
    x.values[:] = values
    inputs.prepare(x)
    return x


def seen_values(x):
    """The numbers an input stands for, float64."""
    if isinstance(x, inputs.FloatInput):
        return x.values.astype(np.float64)
    return x.codes * np.repeat(x.scale.astype(np.float64), 32)[:x.codes.size]
