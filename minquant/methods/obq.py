"""Optimal Brain Quantization: always round the weight that costs least now, and let all others answer.

How it works
    Each row w of W is on its own: minimise (w - q) H (w - q)^T with H = X^T X, one weight at a time. Hinv is the inverse
    of H over the weights that are still free. Rounding weight p to q_p costs, after the best answer of the rest,

        cost_p = (w_p - q_p)^2 / Hinv_pp                                 take the p with the smallest
        w     -= (w_p - q_p) / Hinv_pp * Hinv[p, :]                      the best answer
        Hinv  -= Hinv[:, p] Hinv[p, :] / Hinv_pp                         p is free no longer: row and column p vanish

    The last line removes one weight from H and inverts again, exactly, at the price of an outer product.

    The greedy order puts off what is hard. A weight pushed off the end of its grid, more than half a step away from
    the nearest value, would wait and grow; such outliers are rounded at once, the worst of them first.

    Every row takes in^3 steps, for its order, and so its inverse, is its own. GPTQ (``gptq.py``) gives up the order and
    shares the inverse. Use this file to learn, and to see on small matrices what the order is worth.

Source
    Frantar and Alistarh 2022, "Optimal Brain Compression", arXiv 2208.11580, section 5, equation 7, and the authors'
    code, trueobs.py, quantize. It goes back to Hassibi and Stork 1993, "Optimal Brain Surgeon".

What differs
    The authors' code adds 1 to the diagonal of H where H cannot be inverted; here H is damped as for GPTQ. Groups
    have grids of their own, chosen beforehand.

What we leave out
    Many rows at a time, sparse rows, more than 512 columns; formats other than integers, whose step is not even, so
    that "half a step" says nothing.
"""

from __future__ import annotations

import numpy as np

from ..scaling import QTensor, Scheme
from .column_grid import ColumnGrid, round_on
from .hessian import check_problem, hessian, inverse_factor

MOST_COLUMNS = 512


def obq(W: np.ndarray, X: np.ndarray, scheme: str | Scheme, damp: float = 0.01) -> QTensor:
    """Quantize a small weight matrix in the greedy order.

    Args:
        W: (out, in) real numbers, at most 512 columns.
        X: (samples, in) inputs of the matrix, real numbers.
        scheme: integers, symmetric or not, every granularity and calibrator: "int3:channel", "int4:g32:asym".
        damp: share of the mean of H's diagonal that is added to it.

    Returns:
        QTensor. Columns whose inputs are all zero come out as zeros.

    Raises:
        ValueError: more than 512 columns, a scheme that is not of integers or is a ggml preset, and as ``gptq``.
    """
    if np.ndim(W) == 2 and np.shape(W)[1] > MOST_COLUMNS:
        raise ValueError(f"obq takes in^3 steps for every row; W of shape {np.shape(W)} has more than {MOST_COLUMNS} "
                         "columns: use gptq")
    if not Scheme.parse(scheme).is_integer:
        raise ValueError(f"obq rounds to integers, {scheme} does not: use gptq")
    W, H, dead = check_problem(W, hessian(X))
    U = inverse_factor(H, damp, dead)
    Hinv = U.T @ U  # (in, in)
    grid = ColumnGrid(W, scheme)
    scale, zero = (part if part is None else np.broadcast_to(part, W.shape) for part in grid.rows())  # (out, in)
    snapped = [_round_row(w, Hinv.copy(), scale[r], None if zero is None else zero[r], grid.scheme)
               for r, w in enumerate(W)]
    return grid.qtensor(np.array(snapped))


def _round_row(w: np.ndarray, Hinv: np.ndarray, scale: np.ndarray, zero: np.ndarray | None,
               scheme: Scheme) -> np.ndarray:
    """Codes of one row w (in,), float32. Hinv (in, in) is used up; scale and zero are (in,)."""
    w = w.astype(np.float64)
    codes = np.empty(len(w), np.float32)
    free = np.ones(len(w), bool)
    while free.any():
        snapped, q = round_on(w, scale, zero, scheme)
        p = _next(w - q, np.diag(Hinv), scale, free)
        codes[p], free[p] = snapped[p], False
        row, corner = Hinv[p].copy(), Hinv[p, p]
        w -= (w[p] - q[p]) / corner * row
        Hinv -= np.outer(row, row) / corner
    return codes


def _next(error: np.ndarray, diagonal: np.ndarray, scale: np.ndarray, free: np.ndarray) -> int:
    """Which weight to round next: the worst outlier, or the one that costs least; the first of equals."""
    error = np.where(free, np.abs(error), 0)
    if (error > scale / 2).any():
        return int(np.argmax(np.where(error > scale / 2, error, 0)))
    cost = np.full(len(error), np.inf)
    np.divide(error**2, diagonal, out=cost, where=free)
    return int(np.argmin(cost))
