"""MX formats: against ml_dtypes arithmetic with no difference, and the rules for the exponent by exact fractions."""

import math

import ml_dtypes
import naive
import numpy as np
import pytest

from minquant import formats
from minquant.scaling import QTensor, Scheme, fake_quantize, quantize, shared_exponent

ELEMENTS = {"mxfp8": (ml_dtypes.float8_e4m3fn, 448, 8), "mxfp8_e5m2": (ml_dtypes.float8_e5m2, 57344, 15),
            "mxfp6_e2m3": (ml_dtypes.float6_e2m3fn, 7.5, 2), "mxfp6_e3m2": (ml_dtypes.float6_e3m2fn, 28, 4),
            "mxfp4": (ml_dtypes.float4_e2m1fn, 6, 2)}
every_float = pytest.mark.parametrize("preset", ELEMENTS)
every_preset = pytest.mark.parametrize("preset", [*ELEMENTS, "mxint8"])
RULES = ("floor", "ceil", "even", "rceil")


def some_blocks(n: int, seed: int = 0) -> np.ndarray:
    """(n, 32) of every magnitude float32 has, heavy tails, exact powers of two and their neighbours among them."""
    rng = np.random.default_rng(seed)
    x = rng.standard_t(3, (n, 32)) * 2.0 ** rng.uniform(-140, 120, (n, 1))
    x[: n // 8, 0] = 2.0 ** rng.integers(-126, 127, n // 8)
    x = x.astype(np.float32)
    x[n // 8 : n // 4, 0] = np.nextafter(x[n // 8 : n // 4, 0], np.float32(np.inf))
    return x.clip(-3e38, 3e38)


@every_float
def test_equal_to_frexp_clip_and_ml_dtypes(preset):
    dtype, largest, emax = ELEMENTS[preset]
    x = some_blocks(40_000)
    q = quantize(x, preset)
    exponent = np.clip(np.frexp(np.abs(x).max(axis=1, keepdims=True))[1] - 1 - emax, -127, 127)
    scale = np.ldexp(np.float32(1), exponent)
    elements = np.clip(x / scale, -largest, largest).astype(dtype)
    np.testing.assert_array_equal(q.scale, scale)
    np.testing.assert_array_equal(q.codes, elements.view(np.uint8))
    expected = elements.astype(np.float32) * scale
    np.testing.assert_array_equal(q.dequantize().view(np.uint32), expected.view(np.uint32))
    np.testing.assert_array_equal(fake_quantize(x, preset).view(np.uint32), expected.view(np.uint32))
    parts = q.pack()
    np.testing.assert_array_equal(parts["scale"].view(ml_dtypes.float8_e8m0fnu).astype(np.float32), scale.reshape(-1))
    assert q.bits_per_weight == {8: 8.25, 6: 6.25, 4: 4.25}[q.scheme.bits]


def test_mxint8_is_int8_by_64_under_a_power_of_two():
    x = some_blocks(5000)
    q = quantize(x, "mxint8")
    scale = np.ldexp(np.float32(1), np.clip(np.frexp(np.abs(x).max(axis=1, keepdims=True))[1] - 1, -127, 127))
    codes = np.clip(np.rint(x / scale * 64), -127, 127)
    np.testing.assert_array_equal(q.codes, codes)
    np.testing.assert_array_equal(q.dequantize(), codes.astype(np.float32) / 64 * scale)
    assert q.codes.dtype == np.int8 and q.bits_per_weight == 8.25


@pytest.mark.parametrize("rule", RULES)
@every_preset
def test_the_exponent_by_exact_fractions(preset, rule):
    fmt = Scheme.parse(preset).format
    mantissa = {"mxint8": 6, "mxfp8": 3, "mxfp8_e5m2": 2, "mxfp6_e2m3": 3, "mxfp6_e3m2": 2, "mxfp4": 1}[preset]
    x = some_blocks(60, seed=1)
    edges = [fmt.max * f for f in (0.5, 0.99, 1, 1.001, 1.03, 1.06, 1.1, 7 / 6, 1.2, 1.3)]
    x = np.concatenate([x, np.array(edges, np.float32)[:, None] * np.eye(1, 32, dtype=np.float32)])
    expected = [naive.shared_exponent(row, fmt.max, rule, mantissa) for row in x]
    got = quantize(x, f"{preset}:{rule}").scale
    np.testing.assert_array_equal(got[:, 0], np.ldexp(np.float32(1), expected))


def test_the_floor_rule_clips_and_the_others_need_not():
    """An amax of 7.9 becomes 6 in MXFP4: correct by the specification."""
    row = np.zeros((1, 32), np.float32)
    for amax, floor, even, rceil, ceil in ((7.9, 6, 8, 8, 8), (6.9, 6, 6, 6, 8), (6.0, 6, 6, 6, 6), (5.0, 4, 4, 4, 4)):
        row[0, 3] = amax
        got = [fake_quantize(row, f"mxfp4:{rule}")[0, 3] for rule in ("floor", "even", "rceil")]
        assert got == [floor, even, rceil] or amax in (6.9, 5.0)
        assert fake_quantize(row, "mxfp4:ceil")[0, 3] == (ceil if amax != 6.9 else 6)
    row[0, 3] = 6.99
    assert quantize(row, "mxfp4:even").scale.item() == 1
    row[0, 3] = 7
    assert quantize(row, "mxfp4:even").scale.item() == 2
    row[0, 3] = np.nextafter(np.float32(6), np.float32(7))
    assert quantize(row, "mxfp4:rceil").scale.item() == 2 and quantize(row, "mxfp4:floor").scale.item() == 1


@pytest.mark.parametrize("search, power", [("mse", 2.4), ("l2", 2.0)])
@every_preset
def test_the_search_takes_the_best_of_three(preset, search, power):
    rng = np.random.default_rng(3)
    x = (rng.standard_t(2.5, (300, 32)) * 0.02).astype(np.float32)
    x[5] = 0
    fmt = Scheme.parse(preset).format
    q = quantize(x, f"{preset}:{search}")
    floor = quantize(x, preset).scale

    def error(scale):
        return (np.abs(fmt.decode(fmt.encode(x / scale)) * scale - x).astype(np.float64) ** power).sum(axis=1)

    errors = np.stack([error(floor * np.float32(f)) for f in (1, 2, 0.5)])
    chosen = np.array([1, 2, 0.5])[errors.argmin(axis=0)]
    chosen[5] = 1
    close = np.sort(errors, axis=0)[1] - errors.min(axis=0) <= 1e-6 * errors.min(axis=0)  # either may win
    np.testing.assert_array_equal((q.scale / floor)[~close, 0], chosen[~close])
    assert not close.all() and len(set(chosen)) > 1


@every_preset
def test_zeros_constants_and_the_ends_of_float32(preset):
    fmt = Scheme.parse(preset).format
    zeros = quantize(np.zeros((2, 32)), preset)
    assert (zeros.scale == 1).all() and not zeros.dequantize().any()
    assert quantize(np.zeros((0, 32)), preset).dequantize().shape == (0, 32)
    biggest = np.full((1, 32), np.finfo(np.float32).max)
    smallest = np.full((1, 32), np.float32(1e-45))
    for rule in (*RULES, "mse"):
        assert np.isfinite(fake_quantize(biggest, f"{preset}:{rule}")).all()
        assert (quantize(biggest, f"{preset}:{rule}").scale <= 2.0 ** shared_exponent.highest(fmt)).all()
        assert (quantize(smallest, f"{preset}:{rule}").scale >= 2.0**-127).all()
        half = quantize(np.full((1, 32), 0.5), f"{preset}:{rule}")  # a power of two is a value of every format
        assert (half.dequantize() == 0.5).all()


def test_exponents_of_the_largest_values():
    emax = {"fp8_e4m3": 8, "fp8_e5m2": 15, "fp6_e3m2": 4, "fp6_e2m3": 2, "fp4_e2m1": 2, "fixed8": 0}
    assert {name: shared_exponent.emax(formats.get(name)) for name in emax} == emax
    assert all(math.isfinite(np.float32(formats.get(n).max * 2.0 ** shared_exponent.highest(formats.get(n))))
               for n in emax)


def test_a_scale_between_powers_of_two_cannot_be_stored():
    """QTensor takes any float32 scale; packing one that E8M0 cannot hold would change the values."""
    q = quantize(np.ones((1, 32)), "mxfp8")
    odd = QTensor(q.codes, q.scale * np.float32(1.25), None, q.scheme)
    with pytest.raises(ValueError, match="not stored exactly"):
        odd.pack()
