"""H = X^T X: what a method needs to know of a layer's inputs, and how it is made safe to invert.

How it works
    Rounding changes W by D, and the outputs X W^T by X D^T. The squared error of all outputs is a quadratic form,

        ||X D^T||^2 = sum over rows d of D:  d H d^T          H = X^T X  (in, in)

    so H is all that a method that looks at this error needs: in * in numbers, however many samples there were. Half
    the second derivative of the error by any row is H, which gives it its name. H says how far a change of one weight
    can be made good by a change of another: H_ij is large where inputs i and j go together.

    H is summed in float64 from pieces of X, so 131,072 samples need no more memory than 4,096.

Dead columns and damping
    An input that is always zero gives H_ii = 0: its weights never matter. They are set to 0 and H_ii to 1, so that H
    can be inverted. And to every other diagonal element a share of their mean is added (``damp``, 1%):

        H + damp * mean(H_ii) * I

    which is the H of a problem that also dislikes large D: fewer samples than columns then do no harm, and errors are
    not pushed into a direction only because the few samples at hand happen to avoid it. Where the factorization below
    still fails, it is tried again with ten times the damping, up to 1, and a warning says so.

The factor
    Methods that round one column after another need the inverse of H without its first columns, for each number of
    columns left out. All of them are in one matrix, the upper triangular U with

        H^-1 = U^T U          row i of U, divided by U_ii, is row 1 of the inverse of H[i:, i:], divided by its corner

    It is found without inverting H: factored from its last row upwards, H = R R^T with R upper triangular, so that
    H^-1 = R^-T R^-1 and U = R^-1.

Source
    Frantar et al. 2022, "GPTQ", arXiv 2210.17323, section 4, step 3 (Cholesky reformulation, dampening).

What differs
    The authors' gptq.py divides H by the number of samples and multiplies it by 2, in float32: the same result. It
    takes the mean of the diagonal after dead elements became 1, so that the damping depends on the unit of X; here
    they are left out. It does not retry.
"""

from __future__ import annotations

import warnings
from typing import Iterable

import numpy as np

from ..formats.base import as_float32

ROWS = 4096  # samples of X turned into float64 at a time
FIRST_DAMP = 1e-6  # what a damping of 0 that fails is retried with


class Hessian:
    """H of inputs that arrive in pieces: ``add`` each, then ``result``. Keeps (in, in) float64 and nothing else."""

    def __init__(self) -> None:
        self._sum: np.ndarray | None = None
        self.samples = 0

    def add(self, X: np.ndarray) -> None:
        """Count inputs (samples, in) real numbers in.

        Raises ValueError for what is no matrix, another number of columns than before, NaN or infinity (with its
        place; samples are counted over all pieces).
        """
        X = as_float32(X)
        if X.ndim != 2 or not X.shape[1]:
            raise ValueError(f"X has two axes, (samples, in), got shape {X.shape}")
        if self._sum is None:
            self._sum = np.zeros((X.shape[1], X.shape[1]))
        if X.shape[1] != len(self._sum):
            raise ValueError(f"X has {X.shape[1]} columns, the inputs before it had {len(self._sum)}")
        for start in range(0, len(X), ROWS):
            part = X[start:start + ROWS]
            _check_finite("X", part, "sample", self.samples)
            part = part.astype(np.float64)  # (ROWS, in)
            self._sum += part.T @ part  # (in, in)
            self.samples += len(part)

    def result(self) -> np.ndarray:
        """H (in, in) float64. Raises ValueError where no sample was added."""
        if not self.samples:
            raise ValueError("X holds no samples: give inputs that the matrix sees on calibration text")
        return self._sum


def hessian(X: np.ndarray | Iterable[np.ndarray]) -> np.ndarray:
    """H = X^T X, (in, in) float64.

    X: inputs (samples, in), or an iterable of such pieces, which are read one at a time and may be made on the way.

    Raises as ``Hessian`` does.
    """
    total = Hessian()
    for piece in (X,) if isinstance(X, np.ndarray) else X:
        total.add(piece)
    return total.result()


def check_problem(W: np.ndarray, H: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W as float32 (out, in), its dead columns zero; H as float64 (in, in), 1 on the diagonal there; dead (in,) bool.

    All are new arrays.

    Raises ValueError where they are no matrices that fit, W is not finite, or H is no finite, symmetric X^T X.
    """
    W, H = np.array(as_float32(W)), np.array(H, np.float64)
    if W.ndim != 2 or not W.size:
        raise ValueError(f"W has two axes, (out, in), and is not empty; got shape {W.shape}")
    _check_finite("W", W, "row")
    columns = W.shape[1]
    if H.shape != (columns, columns):
        raise ValueError(f"W of shape {W.shape} needs inputs X of shape (samples, {columns}), so H = X^T X of shape "
                         f"({columns}, {columns}); got H of shape {H.shape}")
    if not np.isfinite(H).all():
        raise ValueError("H holds NaN or infinity: the inputs it was summed from do, or are too large to be squared")
    diagonal = np.diag(H)
    if (diagonal < 0).any() or not np.allclose(H, H.T, rtol=1e-6, atol=1e-6 * diagonal.max()):
        raise ValueError("H is not symmetric with a diagonal of squares: it is made as X^T X, see hessian(X)")
    dead = diagonal == 0  # a copy: what follows changes the diagonal
    W[:, dead] = 0
    H[dead, dead] = 1
    return W, H, dead


def damped(H: np.ndarray, damp: float, dead: np.ndarray) -> np.ndarray:
    """H + damp * mean(H_ii) * I, a new (in, in) array. Dead columns, (in,) bool, do not count in the mean."""
    live = np.diag(H)[~dead]
    return H + damp * (live.mean() if live.size else 1.0) * np.eye(len(H))


def inverse_factor(H: np.ndarray, damp: float, dead: np.ndarray) -> np.ndarray:
    """The upper triangular U with (H damped)^-1 = U^T U: (in, in) float64, its diagonal above zero.

    Args:
        H, dead: as ``check_problem`` gives them.
        damp: share of the mean diagonal that is added, at least 0; ten times as much after every failure.

    Raises ValueError for a damp that is negative or not finite, and where no damping up to 1 helps.
    """
    if not 0 <= damp < np.inf:
        raise ValueError(f"damp is a share of the mean diagonal of H, such as 0.01, and not below 0; got {damp}")
    share = damp
    while (R := _upper_factor(damped(H, share, dead))) is None:
        if share >= 1:
            raise ValueError(f"H cannot be factored even with {share:g} of its mean diagonal added: is it X^T X?")
        share = min(max(10 * share, FIRST_DAMP), 1.0)
    if share != damp:
        warnings.warn(f"H damped by {damp:g} could not be factored; {share:g} was used. Give more samples, or damp="
                      f"{share:g}", RuntimeWarning, stacklevel=4)
    return np.linalg.inv(R)


def _upper_factor(H: np.ndarray) -> np.ndarray | None:
    """The upper triangular R with H = R R^T, or None where H is not positive definite beyond doubt."""
    try:
        R = np.linalg.cholesky(H[::-1, ::-1])[::-1, ::-1]
    except np.linalg.LinAlgError:
        return None
    certain = len(H) * np.finfo(np.float64).eps * np.diag(H)  # (in,) below it a pivot is rounding error
    return R if (np.square(np.diag(R)) > certain).all() else None


def _check_finite(what: str, values: np.ndarray, row_name: str, first: int = 0) -> None:
    """Raise ValueError with the place of the first value that is not finite; the rows are counted from ``first``."""
    if np.isfinite(values).all():
        return
    row, column = (int(i) for i in np.argwhere(~np.isfinite(values))[0])
    raise ValueError(f"{what} holds {values[row, column]} at {row_name} {first + row}, column {column}: all values must "
                     "be finite; find out what made them")
