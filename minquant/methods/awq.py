"""AWQ: multiply the columns that matter before rounding, divide their inputs by as much.

How it works
    Rounding moves a weight by up to half a step of its group, whatever the weight. What that does to the output
    depends on the input the column is multiplied with: a column that meets large inputs is *salient*. AWQ keeps no
    column at higher precision. It multiplies column j by s_j > 1 and the input by 1 / s_j, which changes nothing:

        X W^T = (X / s) (W s)^T          s (in,), along the columns of X (n, in) and of W (out, in)

    and then rounds W s. The error of column j reaches the output divided by s_j, while the steps of its group grow only
    if the column now holds the group's largest weight. Too large an s and the group's other columns pay for it. So the
    best s is searched, along one curve:

        s = mean|x|^alpha                alpha = 0, 1/20, ... 19/20; alpha = 0 is round to nearest
        error(alpha) = || X W^T - (X / s) Q(W s)^T ||^2

    with s divided by a number, so that the largest s times the smallest is 1.
    The error is that of the *output*. Where several matrices share the input they share s, and the error may be
    that of the whole part of the model they belong to (``forward``). Since the error is a quadratic form of D, the
    difference of the weights, X is read once and not once per alpha: ||X D^T||^2 = sum of D H * D, with H = X^T X.

    Then each group may be clipped (``clip_weights``): 1, 0.95, ... 0.55 of its largest magnitude, the one with the
    smallest error in the group's share of the output. The rest is round to nearest.

Source
    Lin et al. 2023, "AWQ: Activation-aware Weight Quantization", arXiv 2306.00978, section 3.2 (scaling, the search).
    Clipping: the authors' code, llm-awq, awq/quantize/auto_clip.py; the search: auto_scale.py.

What differs
    mean|x|^alpha is held above 1e-4 there; here mean|x| is, relative to the largest, so that inputs times ten give the
    same s. A column whose inputs are all zero gives no evidence: it keeps s = 1 (there it gets the smallest s).
    Clipping there looks at about 512 samples and at 256 rows at a time; here H of every group holds all samples. Ten
    steps of 0.05 end at 0.55, there and here, though its limit is called 0.5. Asymmetric grids there are not widened to
    contain 0.

What we leave out
    Searching over the magnitude of weights as well ("duo scaling" in AutoAWQ); folding s into the layer before: that
    takes a model (``model/awq.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Sequence

import numpy as np

from ..formats.base import as_float32
from ..scaling import QTensor, Scheme, fake_quantize, quantize
from .hessian import ROWS, hessian

FLOOR = 1e-4  # smallest mean|x|, as a share of the largest
CLIP_STEPS, CLIP_STEP = 10, 0.05
Forward = Callable[[list[np.ndarray]], np.ndarray]


@dataclass(frozen=True, eq=False)
class ScaleSearch:
    """What ``search_scales`` found.

    scales   (in,) float32: multiply the columns by them, divide the inputs
    alpha    the exponent they come from
    errors   (grid,) float64: the squared output error of every alpha tried, the U-shaped curve of the paper
    """

    scales: np.ndarray
    alpha: float
    errors: np.ndarray


@dataclass(frozen=True, eq=False)
class AwqResult:
    """What ``awq`` returns.

    scales    (in,) float32, by which the columns were multiplied
    alpha     the exponent they come from
    qtensor   the quantized *scaled* weight: its inputs are X / scales
    weight    (out, in) float32: dequantized, scales divided out; its inputs are X
    error     || X W^T - X weight^T ||^2, summed over samples and outputs
    """

    scales: np.ndarray
    alpha: float
    qtensor: QTensor
    weight: np.ndarray
    error: float


def awq(W: np.ndarray, X: np.ndarray, scheme: str | Scheme, *, grid: int = 20, clip: bool = True) -> AwqResult:
    """Quantize a weight matrix with the scales, and the clipping, that suit its inputs.

    Args:
        W: (out, in) real numbers.
        X: (samples, in), inputs of the matrix; one sample is enough to run, not to be good.
        scheme: a scale per channel or per group, such as "int4:g128:asym".
        grid: how many alphas are tried: 0, 1/grid, ... (grid-1)/grid.
        clip: search the range of each group afterwards.

    Returns:
        AwqResult. Without ``clip`` its error is never above that of round to nearest. Clipping judges each group by its
        own share of the output, so that the error of the sum may rise.

    Raises:
        ValueError: arrays that are not matrices or do not fit, no samples, NaN or infinity (in X with its place), a
            scheme with one scale for the whole tensor or with none.
    """
    scheme = Scheme.parse(scheme)
    W, X = _matrix(W, "W, (out, in),"), _inputs(X)
    found = search_scales([W], X, scheme, grid=grid)
    scaled = W * found.scales  # (out, in)
    if clip:
        scaled = clip_weights(scaled, X / found.scales, scheme)
    q = quantize(scaled, scheme)
    weight = q.dequantize() / found.scales  # (out, in)
    return AwqResult(found.scales, found.alpha, q, weight, _squared(X, W - weight))


def search_scales(weights: Sequence[np.ndarray], X: np.ndarray, scheme: str | Scheme | Sequence[str | Scheme],
                  forward: Forward | None = None, grid: int = 20) -> ScaleSearch:
    """Search one set of scales for all matrices that read the same input.

    Args:
        weights: matrices (out_j, in).
        X: (samples, in), their input.
        scheme: what they will be rounded to; a list with one for each, or one for all.
        forward: function of a list of matrices, to be used in place of ``weights`` on the *unscaled* input, that
            gives the output to judge by, any shape. Without it: the outputs of the matrices themselves.
        grid: how many alphas are tried.

    Returns:
        ScaleSearch; of equally good alphas the smallest.

    Raises ValueError as ``awq`` does, and if no alpha gives a finite error.
    """
    X, weights = _inputs(X), [_matrix(W, "a weight matrix, (out, in),") for W in weights]
    schemes = [scheme] * len(weights) if isinstance(scheme, (str, Scheme)) else scheme
    if len(schemes) != len(weights):
        raise ValueError(f"{len(schemes)} schemes for {len(weights)} matrices: give one for each, or one for all")
    pairs = [(W, Scheme.parse(own)) for W, own in zip(weights, schemes)]
    _check(pairs, X, grid)
    magnitude = np.abs(X).mean(axis=0, dtype=np.float64)  # (in,)
    error_of = _judge(weights, X, forward)
    errors = np.array([error_of([fake_quantize(W * s, own) / s for W, own in pairs])
                       for s in (scales_for(magnitude, i / grid) for i in range(grid))])  # (grid,)
    if not np.isfinite(errors).any():
        raise ValueError("no alpha gives a finite error: is the output of the matrices as they are finite?")
    best = int(np.nanargmin(errors))
    return ScaleSearch(scales_for(magnitude, best / grid), best / grid, errors)


def scales_for(magnitude: np.ndarray, alpha: float) -> np.ndarray:
    """The scales of one alpha: magnitude^alpha, divided so that the largest times the smallest is 1.

    magnitude: (in,) mean|x| of each column. Returns (in,) float32; exactly 1 everywhere for alpha = 0.
    """
    live = magnitude > 0  # (in,)
    if not live.any():
        return np.ones(len(magnitude), np.float32)
    s = np.maximum(magnitude, FLOOR * magnitude.max()) ** alpha  # (in,)
    s /= np.sqrt(s[live].max() * s[live].min())
    return np.where(live, s, 1).astype(np.float32)


def clip_weights(W: np.ndarray, X: np.ndarray, scheme: str | Scheme) -> np.ndarray:
    """Clip each group of W where that lowers the error of the group's share of the output.

    Args:
        W: (out, in), scaled already.
        X: (samples, in), its inputs, divided already.
        scheme: what W will be rounded to.

    Returns:
        (out, in) float32, held between plus and minus the chosen share of their group's largest magnitude (of the
        row's, where a scale belongs to a row). Of equally good shares the largest.

    Raises ValueError as ``awq`` does.
    """
    scheme = Scheme.parse(scheme)
    W, X = _matrix(W, "W, (out, in),"), _inputs(X)
    _check([(W, scheme)], X)
    length = scheme.block_length(W.shape)
    starts = range(0, W.shape[1], length)
    H = np.stack([hessian(X[:, start:start + length]) for start in starts])  # (groups, length, length)
    limit = np.abs(W.reshape(len(W), -1, length)).max(axis=2)  # (out, groups)
    best, least = W, np.full(limit.shape, np.inf)
    for step in range(CLIP_STEPS):
        end = np.repeat(limit * np.float32(1 - CLIP_STEP * step), length, axis=1)  # (out, in)
        clipped = np.clip(W, -end, end)
        error = _group_errors(W - fake_quantize(clipped, scheme), H)  # (out, groups)
        better = error < least
        least = np.where(better, error, least)
        best = np.where(np.repeat(better, length, axis=1), clipped, best)
    return best


def check_scheme(scheme: str | Scheme) -> Scheme:
    """The scheme, parsed. Raises ValueError where AWQ cannot work with it: scales must belong to rows or groups."""
    scheme = Scheme.parse(scheme)
    if scheme.granularity not in ("channel", "token", "group"):
        raise ValueError(f"AWQ needs a scale per row or per group, and {scheme} has none: write 'int4:g128:asym', say")
    return scheme


def _judge(weights: list[np.ndarray], X: np.ndarray, forward: Forward | None) -> Callable[[list], float]:
    """A function of matrices that gives the squared error of the output with them instead of ``weights``."""
    if forward is not None:
        target = np.asarray(forward(weights))
        return lambda trial: float(np.square(forward(trial) - target, dtype=np.float64).sum())
    H = hessian(X)[None]  # (1, in, in)
    return lambda trial: float(sum(_group_errors(W - Q, H).sum() for W, Q in zip(weights, trial, strict=True)))


def _group_errors(D: np.ndarray, H: np.ndarray) -> np.ndarray:
    """||X_g d_g||^2 of every row and group of D (out, in): (out, groups) float64. H: (groups, length, length)."""
    groups, length, _ = H.shape
    d = D.reshape(len(D), groups, length).transpose(1, 0, 2).astype(np.float64)  # (groups, out, length)
    return ((d @ H) * d).sum(axis=2).T  # (out, groups)


def _squared(X: np.ndarray, D: np.ndarray) -> float:
    """||X D^T||^2, the samples read in pieces."""
    pieces = (X[start:start + ROWS] @ D.T for start in range(0, len(X), ROWS))  # (ROWS, out) each
    return float(sum(np.square(piece, dtype=np.float64).sum() for piece in pieces))


def _matrix(x: np.ndarray, what: str) -> np.ndarray:
    x = as_float32(x)
    if x.ndim != 2:
        raise ValueError(f"{what} has two axes, got shape {x.shape}")
    return x


def _inputs(X: np.ndarray) -> np.ndarray:
    """X as float32 (samples, in). Raises ValueError where it has no samples, or values that are not finite."""
    X = _matrix(X, "X, (samples, in),")
    if not len(X):
        raise ValueError("X holds no samples: give inputs that the matrix sees on calibration text")
    bad = np.argwhere(~np.isfinite(X))
    if len(bad):
        sample, column = (int(i) for i in bad[0])
        raise ValueError(f"X holds {X[sample, column]} at sample {sample}, column {column}: inputs must be finite; "
                         "look for the layer that made them")
    return X


def _check(pairs: list[tuple[np.ndarray, Scheme]], X: np.ndarray, grid: int = 1) -> None:
    """Raise ValueError where matrices, each with its scheme, and inputs do not fit together."""
    if not pairs:
        raise ValueError("there is no matrix to search scales for")
    for W, scheme in pairs:
        if W.shape[1] != X.shape[1]:
            raise ValueError(f"X has {X.shape[1]} columns and a matrix of shape {W.shape} reads {W.shape[1]}: give the "
                             "inputs of this matrix")
        check_scheme(scheme).scale_shape(W.shape)  # raises where the group size does not divide a row
    if grid < 1:
        raise ValueError(f"grid must be at least 1, not {grid}")
