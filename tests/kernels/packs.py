"""Small packed matrices of every kind, with random bytes in them."""

from __future__ import annotations

import numpy as np

from minquant.kernels import packed

KINDS = (packed.Float32, packed.BFloat16, packed.E4M3, packed.Int8Rows, packed.Int8G32, packed.Int8G64, packed.Int8G128,
         packed.Int4G32, packed.Int4G64, packed.Int4G128)


def random_packed(kind, layers, rows, columns, seed=0):
    """A packed matrix whose every code and every sign of a scale occurs sooner or later."""
    rng = np.random.default_rng(seed)
    if kind is packed.Float32:
        return kind(rng.standard_normal((layers, rows, columns), np.float32))
    if kind is packed.BFloat16:
        values = rng.standard_normal((layers, rows, columns), np.float32)
        return kind((values.view(np.uint32) >> 16).astype(np.uint16))
    group = next((g for table in (packed.INT8_GROUPS, packed.INT4_GROUPS) for g, k in table.items() if k is kind), None)
    stored = columns // 2 if kind in packed.INT4_GROUPS.values() else columns
    codes = rng.integers(-128, 128, (layers, rows, stored), np.int8)
    if kind is packed.E4M3:
        codes[(codes & 0x7F) == 0x7F] = 0  # the two codes that are not numbers
    if group is None:
        return kind(codes, rng.uniform(0.001, 0.1, (layers, rows)).astype(np.float32))
    scale = rng.uniform(-0.1, 0.1, (layers, rows, columns // group)).astype(np.float16)
    scale.reshape(-1)[:2] = 2.0**-20, -(2.0**-24)  # subnormal in float16
    return kind(codes, scale.view(np.int16))
