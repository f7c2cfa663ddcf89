"""Rounding that training can see through: its forward pass, and what stands in for its gradient.

How it works
    A block of weights w shares a step s. The model uses u = s c with c = clip(rint(w / s), lowest, highest). The
    derivative of rint is 0 almost everywhere, so the chain rule stops there: no weight would ever move. The
    **straight-through estimator** (STE) computes the backward pass as if rint were the identity:

        du/dw = 1 where lowest <= w / s <= highest, else 0: a clipped weight's move changes nothing, so it gets nothing

    **Learned step** (LSQ). With rint as the identity where it stands alone, u = s clip(rint(w / s)) has a derivative by
    s too:

        du/ds = c - w / s   inside: how far, in steps, rounding moved the weight
        du/ds = c           outside: the end of the grid moves with s

    Steps start at 2 mean|w| / sqrt(highest). A step gathers the gradients of all its N weights, so its gradient is
    multiplied by 1 / sqrt(N highest), which brings steps and weights to the same relative speed under plain gradient
    descent. (Adam divides a constant factor out again, apart from its eps and from clipping the global norm.)

    **Ternary** (b1.58). c in -1, 0, 1, and s = mean|w|, computed anew at each step: nothing to learn beside the
    weights. The gradient is passed to all weights, clipped or not.

Sources
    STE: Bengio et al. 2013 (arXiv 1308.3432), section 4. LSQ: Esser et al. 2020 (arXiv 1902.08153), sections 2.1 and
    2.2. b1.58: Ma et al. 2024 (arXiv 2402.17764), section 2; that the gradient bypasses both rounding and clipping is
    BitNet's rule (Wang et al. 2023, arXiv 2310.11453, section 2).

What differs from the papers
    LSQ has one step per layer; ours, one per group. A zero point is chosen once, before training, and stays. The step
    is used as it is stored (float16 in groups); its rounding is passed straight through. b1.58 adds eps to the scale
    and has one for a whole matrix; here the scheme says who shares it.

What we leave out
    Quantized activations; a learned zero point (LSQ+).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..formats import TernaryFormat
from ..scaling import QTensor, Scheme, quantize

Bound = np.ndarray | float


def straight_through(dused: np.ndarray, blocks: np.ndarray, step: Bound, lowest: Bound, highest: Bound) -> np.ndarray:
    """u = step clip(rint(w / step))   ->   dw = du where w / step lies in lowest .. highest, else 0.

    dused, blocks (n, length); step, lowest, highest numbers or (n, 1) -> (n, length).
    """
    ratio = blocks / step  # (n, length)
    return dused * ((ratio >= lowest) & (ratio <= highest))


def learned_step(dused: np.ndarray, blocks: np.ndarray, step: Bound, lowest: Bound, highest: Bound) -> np.ndarray:
    """u = step clip(rint(w / step))   ->   ds = g sum(du (c - w / step inside, c outside)),  g = 1 / sqrt(N highest).

    dused, blocks (n, length); step, lowest, highest numbers or (n, 1) -> (n, 1).
    """
    ratio = blocks / step  # (n, length)
    codes = np.clip(np.rint(ratio), lowest, highest)  # (n, length)
    slope = codes - np.clip(ratio, lowest, highest) * ((ratio >= lowest) & (ratio <= highest))  # (n, length)
    return np.sum(dused * slope, axis=1, keepdims=True) / np.sqrt(blocks.shape[1] * np.maximum(highest, 1))  # (n, 1)


def first_step(blocks: np.ndarray, highest: Bound) -> np.ndarray:
    """2 mean|w| / sqrt(highest) of each block: (n, length) -> (n, 1) float32; 1 for a block of zeros."""
    step = 2 * np.abs(blocks).mean(axis=1, keepdims=True) / np.sqrt(np.maximum(highest, 1))  # (n, 1)
    return np.where(step > 0, step, 1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Rounder:
    """How one matrix is rounded in training: made by ``rounder``.

    Attributes:
        scheme: an integer scheme or a ternary one.
        lowest, highest: smallest and largest signed code, numbers or (n, 1): codes less their zero point.
        zero_point: uint8 in the shape of the scales, or None.
        first: (n,) float32, the steps training starts with; None where they follow the weights (absmean).
    """

    scheme: Scheme
    lowest: Bound
    highest: Bound
    zero_point: np.ndarray | None
    first: np.ndarray | None

    def stored(self, weight: np.ndarray, step: np.ndarray | None) -> np.ndarray:
        """The steps in use, float32 (n, 1): as they would be stored, and above 0."""
        if self.first is None:
            return quantize(weight, self.scheme).scale.reshape(-1, 1).astype(np.float32)
        dtype = self.scheme.scale_dtype
        smallest = np.float32(np.finfo(dtype).smallest_subnormal)
        return np.maximum(step.reshape(-1, 1), smallest).astype(dtype).astype(np.float32)

    def used(self, weight: np.ndarray, step: np.ndarray | None) -> np.ndarray:
        """The weight the model computes with, float32, same shape."""
        blocks, s = self.scheme.blocks(weight), self.stored(weight, step)
        return (np.clip(np.rint(blocks / s), self.lowest, self.highest) * s).reshape(weight.shape)

    def backward(self, dused: np.ndarray, weight: np.ndarray,
                 step: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        """Gradient by the weight used -> by the float weight, and by the steps (n,) or None."""
        if self.first is None:
            return dused, None
        parts = (self.scheme.blocks(np.ascontiguousarray(dused)), self.scheme.blocks(weight),
                 self.stored(weight, step), self.lowest, self.highest)
        return straight_through(*parts).reshape(weight.shape), learned_step(*parts)[:, 0]

    def qtensor(self, weight: np.ndarray, step: np.ndarray | None) -> QTensor:
        """The trained matrix as a QTensor; it dequantizes to ``used``, bit for bit."""
        s = self.stored(weight, step)
        codes = np.clip(np.rint(self.scheme.blocks(weight) / s), self.lowest, self.highest)  # (n, length)
        if self.zero_point is not None:
            codes = codes + self.zero_point.reshape(-1, 1)
        shape = self.scheme.scale_shape(weight.shape)
        return QTensor(codes.reshape(weight.shape).astype(self.scheme.code_dtype),
                       s.reshape(shape).astype(self.scheme.scale_dtype), self.zero_point, self.scheme)


def rounder(weight: np.ndarray, scheme: str | Scheme) -> Rounder:
    """How to train a matrix (out, in) float32 for a scheme.

    The steps are learned, except with ``absmean``. Symmetric schemes start at LSQ's step; asymmetric ones, whose range
    LSQ has no rule for, at the scale and zero point of rounding to nearest.

    Raises ValueError for a scheme that is neither an integer grid nor ternary, or is a preset; as ``quantize`` does
    for a group size that does not divide, and for NaN.
    """
    scheme = check_scheme(scheme)
    q = quantize(weight, scheme)
    if not scheme.symmetric:
        zero = q.zero_point.reshape(-1, 1).astype(np.float32)  # (n, 1)
        low, high = scheme.code_range
        return Rounder(scheme, low - zero, high - zero, q.zero_point, q.scale.reshape(-1).astype(np.float32))
    ternary = isinstance(scheme.format, TernaryFormat)
    low, high = (-1, 1) if ternary else scheme.code_range
    absmean = scheme.calibrator == "absmean"
    return Rounder(scheme, low, high, None, None if absmean else first_step(scheme.blocks(weight), high)[:, 0])


def check_scheme(scheme: str | Scheme) -> Scheme:
    """The scheme, parsed. Raises ValueError where training cannot work with it."""
    scheme = Scheme.parse(scheme)
    if scheme.preset or not (scheme.is_integer or isinstance(scheme.format, TernaryFormat)):
        raise ValueError(f"training with rounding learns the step of an even grid, which {scheme} has not: use an "
                         "integer scheme such as int2:g32:asym, or a ternary one such as ternary:g32:absmean")
    return scheme
