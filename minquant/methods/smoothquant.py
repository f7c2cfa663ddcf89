"""SmoothQuant: hand a part of the activations' outliers over to the weights, which have room for them.

How it works
    Some channels of the activations are far larger than the others, in every token. A scale for the whole tensor, or
    for a token, must cover them, and leaves the other channels a few levels each. The weights of those channels are
    ordinary. So channel j of the input is divided by s_j and column j of the weights multiplied by it, which changes
    nothing before rounding:

        X W^T = (X / s) (W s)^T                          s (in,), along the columns of X (n, in) and of W (out, in)
        s_j = max|X_j|^alpha / max|W_j|^(1 - alpha)

    alpha says how much of the difficulty moves. With alpha = 1 every channel of X / s reaches exactly 1: the weights
    carry it all. With alpha = 0 it is every column of W s, and the activations carry more than before. In between, at
    1/2, both have the same largest value in each channel. Where several matrices read the input, they share s, and
    max|W_j| is taken over all of them. Compare AWQ (``awq.py``), the same identity used for the weights' sake.

Source
    Xiao et al. 2022, "SmoothQuant", arXiv 2211.10438, section 4, equations 3 and 4; alpha = 0.5 there for most models,
    0.75 where outliers are worse. The paper chooses one alpha per model by a grid search; ``search_alpha`` chooses one
    for each input, by the output error of the matrices that read it.

What differs
    The authors' code holds max|W_j| and s above 1e-5. Here a channel that is all zero, in the inputs or in the weights,
    keeps s = 1, and the others are as the equation says.

What we leave out
    Folding 1/s into what makes the input: that takes a model (``model/smoothing.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..formats.base import as_float32
from ..scaling import Scheme, fake_quantize

ALPHA = 0.5
STEPS = 20  # search_alpha tries 0, 1/20, ... 1


@dataclass(frozen=True, eq=False)
class AlphaSearch:
    """What ``search_alpha`` found.

    scales   (in,) float32: divide the input by them, multiply the columns
    alpha    the exponent they come from
    alphas   (steps + 1,) float64, all that were tried, 0 to 1
    errors   (steps + 1,) float64: the squared output error of each
    """

    scales: np.ndarray
    alpha: float
    alphas: np.ndarray
    errors: np.ndarray


def smooth_scales(act_amax: Any, weights: np.ndarray | Sequence[np.ndarray], alpha: float = ALPHA) -> np.ndarray:
    """The scales of one input: divide its channels by them and multiply the columns of the matrices that read it.

    Args:
        act_amax: (in,) largest magnitude of each channel of the input on calibration text.
        weights: every matrix (out_j, in) that reads the input; a single one may be given as it is.
        alpha: 0 leaves all of the difficulty with the activations, 1 moves all of it into the weights.

    Returns:
        (in,) float32, above 0 and finite. 1 for a channel that is all zero in the inputs or in the weights.

    Raises ValueError for an alpha outside 0 .. 1, no matrix, shapes that do not fit, values that are negative or not
    finite.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be from 0 to 1, not {alpha}: it is the share that moves into the weights")
    x = as_float32(act_amax)
    if x.ndim != 1 or not (np.isfinite(x).all() and (x >= 0).all()):
        raise ValueError(f"act_amax holds the largest magnitude of each channel, (in,) finite numbers not below 0; got "
                         f"shape {x.shape}" + (f", from {x.min()} to {x.max()}" if x.size else ""))
    matrices = _matrices(weights, len(x))
    w = np.max([np.abs(W).max(axis=0, initial=0) for W in matrices], axis=0)  # (in,)
    if not np.isfinite(w).all():
        raise ValueError(f"the weights of channel {int(np.argmin(np.isfinite(w)))} are not finite")
    live = (x > 0) & (w > 0)
    x, w = (np.where(live, each, 1).astype(np.float64) for each in (x, w))
    s = x**alpha / w ** (1 - alpha)  # (in,)
    return np.clip(s, np.finfo(np.float32).tiny, np.finfo(np.float32).max).astype(np.float32)


def search_alpha(weights: np.ndarray | Sequence[np.ndarray], X: np.ndarray, weight_scheme: str | Scheme | None,
                 input_scheme: str | Scheme | None, steps: int = STEPS) -> AlphaSearch:
    """Try alpha = 0, 1/steps, ... 1 and keep the one with the smallest squared error of the output.

    Args:
        weights: every matrix (out_j, in) that reads the input.
        X: (samples, in), the input on calibration text.
        weight_scheme, input_scheme: what the two are rounded to, such as "int8:channel" and "int8:token"; None leaves
            one of them in float.
        steps: how many alphas beside 0.

    Returns:
        AlphaSearch; of equally good alphas the smallest.

    Raises ValueError as ``smooth_scales`` does, for X without samples or not finite, and for steps below 1.
    """
    X = as_float32(X)
    if X.ndim != 2 or not len(X) or not np.isfinite(X).all():
        raise ValueError(f"X must be finite inputs (samples, in), at least one sample; got shape {X.shape}")
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    matrices, amax = _matrices(weights, X.shape[1]), np.abs(X).max(axis=0)  # (in,)
    targets = [X @ W.T for W in matrices]  # (samples, out) each
    alphas = np.arange(steps + 1) / steps
    errors = np.empty(steps + 1)
    for i, alpha in enumerate(alphas):
        s = smooth_scales(amax, matrices, alpha)
        rounded = _through(X / s, input_scheme)
        errors[i] = sum(np.square(rounded @ _through(W * s, weight_scheme).T - target, dtype=np.float64).sum()
                        for W, target in zip(matrices, targets))
    best = float(alphas[errors.argmin()])
    return AlphaSearch(smooth_scales(amax, matrices, best), best, alphas, errors)


def _through(x: np.ndarray, scheme: str | Scheme | None) -> np.ndarray:
    return x if scheme is None else fake_quantize(x, scheme)


def _matrices(weights: np.ndarray | Sequence[np.ndarray], width: int) -> list[np.ndarray]:
    """The matrices, float32. Raises ValueError unless there is one, and all read ``width`` channels."""
    given = [weights] if isinstance(weights, np.ndarray) and weights.ndim == 2 else list(weights)
    matrices = [as_float32(W) for W in given]
    if not matrices:
        raise ValueError("there is no matrix that reads the input")
    for W in matrices:
        if W.ndim != 2 or W.shape[1] != width:
            raise ValueError(f"the input has {width} channels; a matrix (out, {width}) reads it, not one of shape "
                             f"{W.shape}")
    return matrices
