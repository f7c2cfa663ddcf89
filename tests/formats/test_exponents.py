"""E8M0 against ml_dtypes and against the definition."""

import ml_dtypes
import numpy as np
import pytest

from minquant import formats

E8M0 = formats.get("e8m0")


def expected(x: np.ndarray) -> np.ndarray:
    """Codes of ml_dtypes after clipping to the range of the format: it makes NaN of 0 and of what is too large."""
    return np.clip(x, np.float32(2.0**-127), np.float32(2.0**127)).astype(ml_dtypes.float8_e8m0fnu).view(np.uint8)


def test_every_code_decodes_as_ml_dtypes_does():
    codes = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(E8M0.decode(codes), codes.view(ml_dtypes.float8_e8m0fnu).astype(np.float32))
    np.testing.assert_array_equal(E8M0.decode(codes)[:255], np.float32(2.0) ** np.arange(-127.0, 128).astype(np.float32))
    np.testing.assert_array_equal(E8M0.encode(E8M0.values), codes)


def test_random_bit_patterns_encode_as_ml_dtypes():
    rng = np.random.default_rng(1)
    for _ in range(10):
        x = rng.integers(0, 0x7F800000, 1_000_000, dtype=np.uint32).view(np.float32)
        np.testing.assert_array_equal(E8M0.encode(x), expected(x))


def test_midpoints_and_subnormals():
    middle = (1.5 * 2.0 ** np.arange(-127.0, 127)).astype(np.float32)
    x = np.concatenate([np.nextafter(middle, np.float32(0)), middle, np.nextafter(middle, np.float32(np.inf)),
                        np.array([0, 1, 0x3FFFFF, 0x400000, 0x5FFFFF, 0x600000, 0x7FFFFF], np.uint32).view(np.float32)])
    np.testing.assert_array_equal(E8M0.encode(x), expected(x))
    np.testing.assert_array_equal(E8M0.encode(middle), np.arange(1, 255))  # halfway goes up


def test_the_ends():
    np.testing.assert_array_equal(E8M0.encode([0.0, -0.0, 1e-45, 2.0**127, 3.4e38, np.inf, np.nan]),
                                  [0, 0, 0, 254, 254, 254, 255])
    with pytest.raises(ValueError, match="positive, and 2 of 3 values are negative"):
        E8M0.encode([-1, 1, -np.inf])
