"""LLM.int8(): leave the few columns with outliers in float, multiply the rest as 8-bit integers.

How it works
    One input X (n, in), one matrix W (out, in), both decomposed along the axis they are summed over:

    1. Column j is an *outlier* if any |X_ij| reaches the threshold. A whole column, not single elements: it leaves
       X and W together.
    2. Each row of what is left of X, and each row of what is left of W (an output channel, a column of the paper's
       transposed W), has a scale of its own, largest magnitude / 127 ("vector-wise").
    3. The codes are multiplied and summed in int32; a product of two scales per output turns the sums into floats.
    4. The outlier columns are multiplied in float, and added:

        X W^T  =  X[:, O] W[:, O]^T  +  (scale_x scale_w^T) * (codes_x codes_w^T)

    With the outliers gone, a row's scale fits the rest of it. That costs little, since in large models they are some
    0.1% of the columns, the same ones in nearly all tokens and layers.

Source
    Dettmers et al. 2022, "LLM.int8()", arXiv 2208.07339: section 3.1 (vector-wise, equation 7), section 3.2
    (decomposition, equation 8, threshold 6), figure 2 (the order of the steps).

What differs
    bitsandbytes quantizes W once and whole, and multiplies outliers with the dequantized codes: no float copy of W is
    needed. Here, as in the paper, outliers meet float weights, and scales are taken after they are gone.

What we leave out
    Speed. Sums of products of codes are whole numbers below 2^53, exact in float64 in any order, and NumPy multiplies
    float64 many times faster than integers: so that is how ``int32_matmul`` computes them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..formats.base import as_float32
from ..scaling import quantize

THRESHOLD = 6.0
INT32_MAX = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Input and weights, taken apart for one multiplication. k columns are outliers, in - k are regular.

    outliers   (k,) int64, their numbers, ascending
    regular    (in - k,) int64, the others
    x_codes    (n, in - k) int8        x_scale   (n, 1) float32      the input without its outliers
    w_codes    (out, in - k) int8      w_scale   (out, 1) float32    the weights they are multiplied with
    x_float    (n, k) float32          w_float   (out, k) float32    the outliers and their weights
    """

    outliers: np.ndarray
    regular: np.ndarray
    x_codes: np.ndarray
    x_scale: np.ndarray
    w_codes: np.ndarray
    w_scale: np.ndarray
    x_float: np.ndarray
    w_float: np.ndarray

    def matmul(self) -> np.ndarray:
        """X W^T: (n, out) float32."""
        sums = int32_matmul(self.x_codes, self.w_codes)  # (n, out)
        y = sums.astype(np.float32) * (self.x_scale * self.w_scale.T)  # (n, out) * ((n, 1) * (1, out))
        return y + self.x_float @ self.w_float.T if len(self.outliers) else y


def decompose(X: np.ndarray, W: np.ndarray, threshold: float = THRESHOLD, bits: int = 8) -> Decomposition:
    """Take an input and a matrix apart into outlier columns and int8 codes.

    Args:
        X: (n, in) real numbers.
        W: (out, in) real numbers.
        threshold: a column of X is an outlier if any of its magnitudes is not below this. ``inf``: none is; 0: all.
        bits: of the codes, 2 to 8. The paper has 8; fewer show the effect on a model that 8 bits hardly harm.

    Raises ValueError for arrays that are no matrices, do not fit or are not finite, for a threshold that is negative or
    NaN, for bits out of range, and for rows so long that a sum could leave int32.
    """
    X, W = as_float32(X), as_float32(W)
    if X.ndim != 2 or W.ndim != 2 or X.shape[1] != W.shape[1]:
        raise ValueError(f"X (n, in) and W (out, in) share the last axis, got shapes {X.shape} and {W.shape}")
    if not threshold >= 0:
        raise ValueError(f"the threshold of outliers must be 0 or more, not {threshold}")
    if bits not in range(2, 9):
        raise ValueError(f"codes of {bits} bits: choose 2 to 8")
    for name, array in (("X", X), ("W", W)):
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds NaN or infinity: find out where they come from")
    is_outlier = (np.abs(X) >= threshold).any(axis=0)  # (in,)
    outliers, regular = np.flatnonzero(is_outlier), np.flatnonzero(~is_outlier)
    x = quantize(np.take(X, regular, axis=1), f"int{bits}:token")
    w = quantize(np.take(W, regular, axis=1), f"int{bits}:channel")
    return Decomposition(outliers, regular, x.codes, x.scale, w.codes, w.scale,
                         np.take(X, outliers, axis=1), np.take(W, outliers, axis=1))


def llm_int8_matmul(X: np.ndarray, W: np.ndarray, threshold: float = THRESHOLD, bits: int = 8) -> np.ndarray:
    """X W^T by the decomposition of LLM.int8(): (n, out) float32. Arguments and errors as for ``decompose``."""
    return decompose(X, W, threshold, bits).matmul()


def int32_matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a b^T of int8 codes a (n, in) and b (out, in): (n, out) int32, exact.

    Raises TypeError for other types, ValueError where a sum of ``in`` products could be more than int32 holds.
    """
    if a.dtype != np.int8 or b.dtype != np.int8:
        raise TypeError(f"codes are int8, not {a.dtype} and {b.dtype}")
    if a.shape[1] * 128 * 128 > INT32_MAX:
        raise ValueError(f"a sum of {a.shape[1]} products of int8 may leave int32: at most {INT32_MAX // 128**2}")
    return (a.astype(np.float64) @ b.T.astype(np.float64)).astype(np.int32)
