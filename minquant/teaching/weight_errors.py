"""What a scheme does to weights: how much is lost, what it costs, and where two schemes lose the same.

How it works
    ``relative_error`` rounds every matrix by a scheme and adds up ``|error|^power`` over all of them, as a share of the
    same sum over the weights themselves. With power 2 that is noise over signal (squared error), with power 1 it is the
    mean absolute error in units of the mean magnitude. ``bits_per_weight`` is the price, scales counted.
    ``crossing`` finds where one curve over the group size passes through another.

What we leave out
    The model. Weights that are far off need not hurt, and small errors may: KL (``minquant.evaluation``) decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..model.config import linear_names
from ..scaling import Scheme, fake_quantize


def linear_layers(model) -> list[np.ndarray]:
    """The matrices of all blocks of a Transformer, (out, in) float32 each, first block first."""
    return [model.weights[name] for name in linear_names(model.config)]


def relative_error(matrices: Sequence[np.ndarray], scheme: str, power: float = 2.0) -> float:
    """sum |W - rounded W|^power / sum |W|^power, over all matrices together."""
    lost = whole = 0.0
    for W in matrices:
        lost += (np.abs(W - fake_quantize(W, scheme)).astype(np.float64) ** power).sum()
        whole += (np.abs(W).astype(np.float64) ** power).sum()
    return float(lost / whole)


def bits_per_weight(matrices: Sequence[np.ndarray], scheme: str) -> float:
    """Bits of storage per weight over all matrices together, scales and zero points counted."""
    stored = sum(Scheme.parse(scheme).nbytes(W.shape) for W in matrices)
    return 8 * stored / sum(W.size for W in matrices)


def crossing(sizes: Sequence[float], ratios: Sequence[float]) -> float | None:
    """The size at which a ratio of two errors passes through 1, None where it never does.

    Interpolated on a straight line between neighbours, both axes logarithmic: (sizes ascending, ratios above 0). Of
    several crossings the first. Raises ValueError for lists of different lengths.
    """
    points = [(math.log(size), math.log(ratio)) for size, ratio in zip(sizes, ratios, strict=True)]
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        if y0 * y1 <= 0 and y0 != y1:
            return math.exp(x0 - y0 * (x1 - x0) / (y1 - y0))
    return None
