"""Round to nearest: quantize, for matrices."""

import numpy as np
import pytest

import minquant as mq


def test_every_weight_is_the_nearest_point_of_its_grid():
    W = np.random.default_rng(0).normal(0, 0.02, (8, 64)).astype(np.float32)
    q = mq.methods.rtn(W, "int4:g32")
    grid = np.arange(-7, 8, dtype=np.float32)[:, None, None] * np.repeat(q.scale.astype(np.float32), 32, axis=1)
    best = np.abs(grid - W).min(axis=0)
    np.testing.assert_array_equal(np.abs(q.dequantize() - W), best)


def test_it_takes_matrices_only():
    for shape in ((64,), (2, 8, 64), ()):
        with pytest.raises(ValueError, match=r"two axes, \(out, in\)"):
            mq.methods.rtn(np.ones(shape), "int4:g32")


def test_the_name_is_the_function_not_its_file():
    import minquant.methods.rtn  # noqa: F401  importing the file must not hide the function

    assert callable(mq.methods.rtn)
