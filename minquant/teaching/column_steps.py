"""What the stepper of lesson 08 shows: GPTQ's loop, with everything kept that happens to a few weights.

How it works
    ``record`` rounds some columns of a matrix one after another, as ``methods/gptq.py`` does. It keeps the weights of a
    few rows after every column, what the error of a column does to each column behind it, and two running errors of
    the output, over all rows: GPTQ's, and that of rounding the same columns to nearest. ``pushes_on`` follows one
    weight of a whole matrix: what every column that is rounded before it does to it.

Sign
    An error is weight minus rounded weight, so +0.4 means that too little is left, and a share of +0.5 adds 0.2 to
    another column.

What we leave out
    Groups, zero points and blocks: ``methods/gptq.py`` has them. ``record`` takes its columns for a layer of their own,
    so H holds their inputs only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..methods.column_grid import ColumnGrid
from ..methods.hessian import check_problem, hessian, inverse_factor

DAMP = 0.01


@dataclass(frozen=True, eq=False)
class Steps:
    """GPTQ on some columns of a matrix, one after another.

    Attributes:
        title: what was cut.
        rows, columns: their numbers in the matrix; all rows are rounded, these are shown.
        weights: (in + 1, shown, in) in steps of each row's grid: before the first column, after it, and so on.
        codes: (shown, in) whole numbers.
        shares: (in, in), shares[i, j]: what column j > i takes over of an error of 1 in column i.
        nearest, repaired: (in + 1,) squared output error of all rows after so many columns, rounded to nearest and by
            GPTQ; in shares of the first one's last value.
        followed: place (row, column) among those shown of a weight to mark, or None.
    """

    title: str
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    weights: np.ndarray
    codes: np.ndarray
    shares: np.ndarray
    nearest: np.ndarray
    repaired: np.ndarray
    followed: tuple[int, int] | None = None


def record(title: str, W: np.ndarray, X: np.ndarray, rows: Sequence[int], columns: Sequence[int],
           scheme: str = "int4:channel", followed: tuple[int, int] | None = None) -> Steps:
    """Cut columns out of W (out, in) and round them, with the inputs X (samples, in) of the whole matrix.

    ``rows`` are those to show; ``followed`` is a place in W. Raises ValueError for a scheme other than symmetric
    integers with a scale per row, and as ``methods.gptq`` does.
    """
    W, H, dead = check_problem(W[:, columns], hessian(X[:, columns]))
    grid = _grid(W, scheme)
    shares = _shares_of(inverse_factor(H, DAMP, dead))  # (in, in)
    now, nearest = W.astype(np.float64), W.astype(np.float64)  # (out, in) each
    rows = list(rows)
    kept, codes, errors = [now[rows]], np.empty(W.shape, int), [(0.0, 0.0)]
    for i in range(len(H)):
        codes[:, i], q = grid.round(now[:, i], i)
        error = now[:, i] - q  # (out,)
        now += np.outer(error, shares[i])
        now[:, i], nearest[:, i] = q, grid.round(W[:, i], i)[1]
        kept.append(now[rows])
        errors.append(tuple(float(((W - Q) @ H * (W - Q)).sum()) for Q in (nearest, now)))
    by_nearest, by_gptq = np.array(errors).T / (errors[-1][0] or 1.0)
    place = None if followed is None else (rows.index(followed[0]), list(columns).index(followed[1]))
    return Steps(title, tuple(rows), tuple(columns), np.array(kept) / grid.scale[rows].astype(np.float64), codes[rows],
                 shares, by_nearest, by_gptq, place)


@dataclass(frozen=True, eq=False)
class Pushes:
    """What happened to one weight before it was rounded; all figures in steps of its row's grid.

    Attributes:
        columns: (before,) numbers of the columns rounded before it, in that order.
        pushes: (before,) what each of them added to it.
        start, end: the weight at first, and when its turn came.
        code: what it was rounded to.
    """

    columns: np.ndarray
    pushes: np.ndarray
    start: float
    end: float
    code: int


def pushes_on(W: np.ndarray, H: np.ndarray, place: tuple[int, int], scheme: str = "int4:channel",
              act_order: bool = False) -> Pushes:
    """Follow the weight at ``place`` (row, column) of W (out, in) through GPTQ, with H = X^T X (in, in).

    Raises ValueError as ``record`` does.
    """
    row, column = place
    W, H, dead = check_problem(W, H)
    grid = _grid(W, scheme)
    order = np.argsort(-np.diag(H), kind="stable") if act_order else np.arange(len(H))  # (in,)
    shares = _shares_of(inverse_factor(H[np.ix_(order, order)], DAMP, dead[order]))  # (in, in)
    turn = int(np.flatnonzero(order == column)[0])
    now, pushes = W[:, order].astype(np.float64), np.empty(turn)  # (out, in), (before,)
    for i in range(turn):
        error = now[:, i] - grid.round(now[:, i], order[i])[1]  # (out,)
        pushes[i] = error[row] * shares[i, turn]
        now[:, i + 1:] += np.outer(error, shares[i, i + 1:])
    step = float(grid.scale[row, 0])
    code = int(grid.round(now[:, turn], column)[0][row])
    return Pushes(order[:turn], pushes / step, float(W[row, column]) / step, float(now[row, turn]) / step, code)


def _grid(W: np.ndarray, scheme: str) -> ColumnGrid:
    """The grids of W. Raises ValueError where rows have no steps of their own that a picture could count in."""
    grid = ColumnGrid(W, scheme)
    if grid.scheme.granularity != "channel" or not grid.scheme.is_integer or grid.zero_point is not None:
        raise ValueError(f"the stepper shows weights in steps of their row's grid, and {scheme} has no such steps: "
                         "use symmetric integers with a scale per row, such as 'int4:channel'")
    return grid


def _shares_of(U: np.ndarray) -> np.ndarray:
    """What column j > i takes over of an error of 1 in column i: (in, in), from the factor of the inverse of H."""
    return -np.triu(U / np.diag(U)[:, None], 1)


def related(X: np.ndarray, column: int, count: int = 16) -> list[int]:
    """The column and the ``count - 1`` others whose inputs X (samples, in) resemble its own most, in order.

    Resemblance is |x_i . x_j| / (|x_i| |x_j|), as H sees it.
    """
    H = hessian(X)
    length = np.sqrt(np.maximum(np.diag(H), np.finfo(float).tiny))
    alike = np.abs(H[column]) / length  # (in,), times a number
    alike[column] = np.inf
    return sorted(int(c) for c in np.argsort(-alike, kind="stable")[:count])
