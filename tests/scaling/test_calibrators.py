"""Calibrators against their definitions, one block and one bin at a time."""

import naive
import numpy as np
import pytest

from minquant.scaling import calibrators, fake_quantize, quantize


def rows(n: int = 6, length: int = 3000) -> np.ndarray:
    rng = np.random.default_rng(0)
    shapes = [rng.normal(0, 1, length), rng.standard_t(2, length), np.maximum(rng.normal(0, 1, length), 0),
              rng.uniform(-1, 1, length), rng.laplace(0, 5, length), np.r_[rng.normal(0, 0.1, length - 1), 40]]
    return np.stack(shapes[:n]).astype(np.float32)


@pytest.mark.parametrize("p", [50.0, 99.0, 99.9, 100.0])
def test_percentile_of_magnitudes(p):
    x = rows()
    ends = calibrators.percentile(x, p)
    assert ends.shape == (len(x), 1) and ends.dtype == np.float32
    for row, end in zip(x, ends, strict=True):
        ordered = sorted(abs(float(v)) for v in row)
        place = p / 100 * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        assert end == pytest.approx(ordered[low] + (place - low) * (ordered[high] - ordered[low]), rel=1e-6)


def test_percentile_schemes_clip_at_the_threshold():
    x = rows()
    end = calibrators.percentile(x, 99)
    q = quantize(x, "int8:channel:p99")
    np.testing.assert_array_equal(q.scale, end / np.float32(127))
    np.testing.assert_array_equal(q.codes, np.clip(np.rint(x / q.scale), -127, 127))
    asym = quantize(x, "int8:channel:asym:p99")
    low, high = np.maximum(x.min(1, keepdims=True), -end), np.minimum(x.max(1, keepdims=True), end)
    np.testing.assert_array_equal(asym.scale, (high - np.minimum(low, 0)) / np.float32(255))
    np.testing.assert_array_equal(quantize(x, "int8:channel:p100").codes, quantize(x, "int8:channel").codes)
    np.testing.assert_array_equal(quantize(x, "fp8_e4m3:channel:p99").scale, end / np.float32(448))


def test_a_threshold_of_zero_keeps_the_full_range():
    x = np.zeros((2, 100), np.float32)
    x[0, 7] = 3
    q = quantize(x, "int4:channel:p90")
    np.testing.assert_array_equal(q.scale, quantize(x, "int4:channel").scale)
    assert q.dequantize()[0, 7] == 3 and not q.dequantize()[1].any()


@pytest.mark.parametrize("levels, bins", [(128, 512), (8, 64), (4, 100), (128, 1500)])
def test_entropy_by_its_pseudocode(levels, bins):
    x = rows(6 if bins < 1000 else 1)
    got = calibrators.entropy(x, levels, bins)
    for row, end in zip(x, got, strict=True):
        largest = float(np.abs(row).max())
        counts, _ = np.histogram(np.abs(row).astype(np.float64), bins, range=(0, largest))
        assert end.item() == pytest.approx(naive.entropy_threshold(counts, largest / bins, levels), rel=1e-6)


def test_divergence_of_a_histogram_by_hand():
    """Four bins on two levels: keep 2, 3 or 4 of them."""
    counts = np.array([6, 2, 0, 2])
    p2, q2 = np.array([6, 4]) / 10, np.array([6, 2]) / 8
    p4, q4 = np.array([6, 2, 2]) / 10, np.array([4, 4, 2]) / 10  # bins 0, 1 share 8; bins 2, 3 hold 2, one is empty
    expected = [(p2 * np.log(p2 / q2)).sum(), np.inf, (p4 * np.log(p4 / q4)).sum()]
    np.testing.assert_allclose(calibrators.divergences(counts, 2), expected)


def test_entropy_clips_tails_and_leaves_a_uniform_block_alone():
    x = rows()
    share = calibrators.entropy(x)[:, 0] / np.abs(x).max(axis=1)
    assert share[3] > 0.95                       # uniform
    assert share[1] < 0.5                        # heavy tails
    assert share[5] == 1                         # an outlier behind empty bins: no end before it has a Q
    assert ((share > 0) & (share <= 1)).all()


def test_entropy_of_nothing_and_of_few_values():
    assert calibrators.entropy(np.zeros((2, 50), np.float32)).tolist() == [[0], [0]]
    assert calibrators.entropy(np.zeros((0, 50), np.float32)).shape == (0, 1)
    assert calibrators.entropy(np.zeros((2, 0), np.float32)).tolist() == [[0], [0]]
    one = calibrators.entropy(np.float32([[0, 0, -5, 0]]))
    assert 0 < one.item() <= 5
    with pytest.raises(ValueError, match="64 bins cannot be put on 128 levels"):
        calibrators.entropy(rows(), 128, 64)


def test_entropy_schemes_use_the_levels_of_their_bits():
    x = rows()
    for bits in (8, 4, 2):
        end = calibrators.entropy(x, 1 << bits - 1)
        np.testing.assert_array_equal(quantize(x, f"int{bits}:channel:kl").scale, end / np.float32(2 ** (bits - 1) - 1))


def test_absmean_is_the_mean_magnitude():
    x = rows()
    q = quantize(x, "ternary:channel:absmean")
    np.testing.assert_allclose(q.scale, np.abs(x.astype(np.float64)).mean(axis=1, keepdims=True), rtol=1e-6)
    np.testing.assert_array_equal(q.codes, np.clip(np.rint(x / q.scale), -1, 1))
    gauss = rows(1, 20_000)
    error = {c: np.square(fake_quantize(gauss, f"ternary:tensor{c}") - gauss).mean() for c in (":absmean", "")}
    assert error[":absmean"] < 0.5 * error[""]
