"""Code books: nf4 and dynamic8 against their definitions and against brute force."""

import naive
import numpy as np
import pytest

from minquant import formats
from minquant.formats import CodeBook, codebooks

BOOKS = ["nf4", "dynamic8"]
every_book = pytest.mark.parametrize("name", BOOKS)


@every_book
def test_the_nearest_level_by_trying_all(name):
    fmt = formats.get(name)
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-1.3, 1.3, 300), rng.normal(0, 1e-4, 100), [0, -0.0, 5, -5, np.inf, -np.inf]])
    x = x.astype(np.float32)
    np.testing.assert_array_equal(fmt.encode(x), [naive.nearest_level(v, fmt.levels) for v in x])
    np.testing.assert_array_equal(fmt.round(x), fmt.decode(fmt.encode(x)))


@every_book
def test_halfway_goes_to_the_lower_level(name):
    fmt = formats.get(name)
    levels = np.float32(fmt.levels)
    middle = (levels[1:].astype(np.float64) + levels[:-1]) / 2
    exact = middle == middle.astype(np.float32)
    assert exact.sum() >= 2
    codes = np.arange(len(middle))
    x = middle.astype(np.float32)
    np.testing.assert_array_equal(fmt.encode(x)[exact], codes[exact])
    np.testing.assert_array_equal(fmt.encode(np.nextafter(x, np.float32(2))), codes + 1)
    np.testing.assert_array_equal(fmt.encode(np.nextafter(x, np.float32(-2))), codes)


def test_the_published_levels_are_the_quantiles():
    levels = np.array(formats.get("nf4").levels)
    np.testing.assert_allclose(codebooks.normal_quantiles(), levels, atol=6e-7)
    assert (levels[0], levels[7], levels[15]) == (-1, 0, 1)
    np.testing.assert_array_equal(np.float32(levels), levels)  # they are float32 numbers


def test_dynamic8_has_a_level_more_in_every_decade():
    positive = formats.get("dynamic8").grid[formats.get("dynamic8").grid > 0]
    counts = np.histogram(positive, 10.0 ** np.arange(-7, 1))[0]
    np.testing.assert_array_equal(counts, [1, 2, 4, 8, 16, 32, 65])  # the last holds 1.0 too
    np.testing.assert_allclose(positive[:4], [5.5e-7, 3.25e-6, 7.75e-6, 2.125e-5], rtol=1e-6)


def test_a_book_must_be_a_book():
    with pytest.raises(ValueError, match="odd: a code of 2 bits has 4 levels, not 3"):
        CodeBook("odd", 2, (0.0, 1.0, 2.0))
    with pytest.raises(ValueError, match="larger than the one before"):
        CodeBook("odd", 1, (1.0, 1.0))
