"""GPTQ: round one column after another; later columns make good what rounding did to the output.

How it works
    A layer computes X W^T. Round column 1 of W, and the outputs are off by that column of X times the rounding error.
    But the other columns of X resemble the first: change the weights that are still free a little, and most of the
    error goes away. Then round column 2, and so on; the last column has nobody left to help it. Every row of W is a
    least-squares problem of its own, and all share H = X^T X (``hessian.py``). With the upper triangular U that has
    H^-1 = U^T U, one column takes two lines:

        err_i   = (w_i - q_i) / U_ii             q_i: w_i, as it is by now, on its grid
        w_j    -= err_i * U_ij    for j > i      the best answer of the free weights to that error

    At any time the free columns hold the least-squares optimum, given all that is rounded already. And the sum of
    err^2 over all columns *is* the squared output error, trace((W - Q) H (W - Q)^T) with the damped H.

The three steps that make it fast (section 4 of the paper; they start from OBQ, ``obq.py``)
    1. One order for all rows. OBQ picks, row by row, the weight that costs least, so every row needs its own inverse.
       In a fixed order all rows share U, and the columns of W are rounded as whole vectors.
    2. Lazy blocks. Within a block of 128 columns, updates reach only the block; the columns behind it get all 128 at
       once, as one matrix product. The same arithmetic in another order: any block size gives the same codes.
    3. Cholesky. U is computed once, beforehand, instead of deleting a row and a column of H^-1 at each step; rounding
       errors do not pile up.

Grids
    One scale per row or for the whole matrix: from the weights before the first step. Groups: from the weights as they
    are when the group is reached, already changed by the columns before it; or beforehand with ``static_groups``.
    ``act_order`` takes columns in the order of falling H_ii, so that those with the largest inputs are rounded while
    there are many left to answer. A group's columns are then no longer neighbours in time, and only grids fixed
    beforehand keep the layout of a QTensor (groups along the row): with groups it asks for ``static_groups``.
    (AutoGPTQ can also form groups along the new order and stores g_idx, the group of each column; see
    ``packing/gptq.py``.)

Precision
    W, U and err are float64; a column is rounded in float32 as everywhere. So codes are those of the definition, and
    columns of X that are orthogonal, where U is diagonal and nothing is passed on, give ``rtn`` code for code.

Source
    Frantar et al. 2022, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers",
    arXiv 2210.17323: section 4, Algorithm 1. Grouping: section 5, "Additional Tricks". ``act_order`` and
    ``static_groups``: the authors' code, gptq.py, fasterquant.

What differs
    The authors' code chooses the grid of a group inside a block before that block's own updates, so codes depend on the
    block size; here blocks are cut to whole groups and all updates are in. It chooses the grids of rows before dead
    columns (inputs always zero) are set to 0; here after. Its symmetric grid has one code more below zero, ours if the
    scheme says ``full``.

What we leave out
    Calibrating a whole model, which is in ``model/quantizing.py``; and searching the order or the damping.
"""

from __future__ import annotations

import numpy as np

from ..scaling import QTensor, Scheme
from .column_grid import ColumnGrid, check_scheme
from .hessian import check_problem, hessian, inverse_factor


def gptq(W: np.ndarray, X: np.ndarray, scheme: str | Scheme, *, damp: float = 0.01, block: int = 128,
         act_order: bool = False, static_groups: bool = False) -> QTensor:
    """Quantize a weight matrix so that its outputs on X change little.

    Args:
        W: (out, in) real numbers.
        X: (samples, in) inputs of the matrix, real numbers, or an iterable of such pieces. Fewer samples than columns
            work, thanks to ``damp``.
        scheme: such as "int4:g128"; integers of any width, symmetric or not, every granularity and calibrator; float
            formats, MX presets, nf4 and plain casts likewise.
        damp: share of the mean of H's diagonal that is added to it.
        block: columns between two updates of all that follow; changes the time, never the codes.
        act_order: columns with the largest inputs first. With groups only together with ``static_groups``.
        static_groups: choose the grids of groups from W, before anything is rounded.

    Returns:
        QTensor. Columns whose inputs are all zero come out as zeros.

    Raises:
        ValueError: shapes that do not fit, no samples, NaN or infinity (with its place), a scheme that cannot be
            rounded column by column (ggml presets, nvfp4, nf4_dq), ``act_order`` with groups that are not static.
    """
    return gptq_from_hessian(W, hessian(X), scheme, damp=damp, block=block, act_order=act_order,
                             static_groups=static_groups)


def gptq_from_hessian(W: np.ndarray, H: np.ndarray, scheme: str | Scheme, *, damp: float = 0.01, block: int = 128,
                      act_order: bool = False, static_groups: bool = False) -> QTensor:
    """``gptq`` for inputs that were summed up before: H = X^T X (in, in), as ``hessian`` or ``Hessian`` make it.

    The way to go where X is large (H is summed piece by piece), or where several matrices read the same inputs.
    Everything else, errors included, as for ``gptq``.
    """
    scheme = _check_order(check_scheme(scheme), act_order, static_groups)
    W, H, dead = check_problem(W, H)
    order = np.argsort(-np.diag(H), kind="stable") if act_order else np.arange(len(H))  # (in,)
    U = inverse_factor(H[np.ix_(order, order)], damp, dead[order])  # (in, in)
    grid = ColumnGrid(W, scheme)
    refit = scheme.granularity == "group" and not static_groups
    snapped, _ = round_columns(W[:, order], U, grid, order, block, refit)  # (out, in)
    return grid.qtensor(snapped[:, np.argsort(order)])


def round_columns(W: np.ndarray, U: np.ndarray, grid: ColumnGrid, order: np.ndarray, block: int = 128,
                  refit: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Algorithm 1 of the paper: round the columns of W from left to right.

    Args:
        W: (out, in), columns in the order they are rounded in; not changed.
        U: (in, in) upper triangular, H^-1 = U^T U for H in the same order.
        grid: grids of the matrix in its original order; changed where ``refit``.
        order: (in,) original number of each column.
        block: columns between two updates of all that follow.
        refit: choose each group's grids from its current weights; ``order`` must be 0, 1, 2, ... then.

    Returns:
        (snapped, err), both (out, in) in the order given: what ``grid.round`` makes of each column, float32, and
        err = (w - q) / U_ii, float64.
    """
    W = np.array(W, np.float64)  # the current weights
    snapped, err = np.empty(W.shape, np.float32), np.empty(W.shape)
    columns = W.shape[1]
    block = _whole_groups(block, grid.length if refit else 1)
    for start in range(0, columns, block):
        end = min(start + block, columns)
        for i in range(start, end):
            if refit and i % grid.length == 0:
                grid.refit(i // grid.length, W[:, i:i + grid.length])
            snapped[:, i], q = grid.round(W[:, i], order[i])
            err[:, i] = (W[:, i] - q) / U[i, i]
            W[:, i + 1:end] -= np.outer(err[:, i], U[i, i + 1:end])
        W[:, end:] -= err[:, start:end] @ U[start:end, end:]  # (out, block) @ (block, rest)
    return snapped, err


def _whole_groups(block: int, length: int) -> int:
    """The block size, cut down to whole groups of this length, at least one: no group then waits for an update."""
    if isinstance(block, bool) or not isinstance(block, (int, np.integer)) or block < 1:
        raise ValueError(f"block is a number of columns, at least 1, not {block!r}")
    return max(block - block % length, length)


def _check_order(scheme: Scheme, act_order: bool, static_groups: bool) -> Scheme:
    """The scheme. Raises ValueError for act_order with groups whose grids are not fixed beforehand."""
    if act_order and scheme.granularity == "group" and not static_groups:
        raise ValueError(f"act_order takes the columns of a group of {scheme} at different times, so its grid cannot be "
                         "chosen when it is reached: add static_groups=True, which fixes all grids beforehand, or use "
                         "one scale per row ('channel')")
    return scheme
