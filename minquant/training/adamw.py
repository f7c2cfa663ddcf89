"""AdamW, gradient clipping, and a learning rate that rises and falls.

How it works
    A gradient says which way is down, not how far to go. Adam keeps, per weight, a running mean m of its gradients
    and a running mean v of their squares, and steps by m / sqrt(v): about the same length for every weight, shorter
    where the gradient's sign is unsure. Both means start at 0, so they are divided by 1 - beta^t to make up for it.
    AdamW shrinks weights beside that step (*decoupled* decay) instead of adding decay * w to the gradient, where
    the division by sqrt(v) would distort it.

Sources
    Adam: Kingma and Ba 2014 (arXiv 1412.6980), algorithm 1. Decoupled decay: Loshchilov and Hutter 2017
    (arXiv 1711.05101), algorithm 2; where the paper scales decay by the schedule alone, we follow PyTorch and scale
    it by the learning rate. Clipping by the global norm: Pascanu et al. 2012 (arXiv 1211.5063), algorithm 1.

What we leave out
    AMSGrad; a learning rate per group of weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np


class AdamW:
    """Adam with decoupled weight decay. ``weights`` given to ``step`` are not changed; new arrays are returned."""

    def __init__(self, betas: tuple[float, float] = (0.9, 0.98), eps: float = 1e-8, decay: float = 0.01) -> None:
        """``decay`` applies to matrices; norm gains (one dimension) are not drawn towards 0."""
        self.betas, self.eps, self.decay, self.count = betas, eps, decay, 0
        self._mean: dict[str, np.ndarray] = {}
        self._square: dict[str, np.ndarray] = {}

    def step(self, weights: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray],
             lr: float) -> dict[str, np.ndarray]:
        """The weights after one step of learning rate ``lr``; dtype and shapes stay."""
        self.count += 1
        return {name: self._moved(name, weight, gradients[name], lr) for name, weight in weights.items()}

    @property
    def moments(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """The running means of gradients and of their squares, by name."""
        return self._mean, self._square

    def restore(self, count: int, mean: dict[str, np.ndarray], square: dict[str, np.ndarray]) -> None:
        """Go on from ``moments`` kept after ``count`` steps."""
        self.count, self._mean, self._square = count, mean, square

    def _moved(self, name: str, weight: np.ndarray, gradient: np.ndarray, lr: float) -> np.ndarray:
        """One tensor, any shape; m and v are kept under its name."""
        b1, b2 = self.betas
        m = b1 * self._mean.get(name, 0.0) + (1 - b1) * gradient
        v = b2 * self._square.get(name, 0.0) + (1 - b2) * gradient * gradient
        self._mean[name], self._square[name] = m, v
        m_hat = m / (1 - b1**self.count)
        v_hat = v / (1 - b2**self.count)
        decay = self.decay if weight.ndim > 1 else 0.0
        return weight - lr * (m_hat / (np.sqrt(v_hat) + self.eps) + decay * weight)


def clip_gradients(gradients: Mapping[str, np.ndarray], limit: float) -> tuple[dict[str, np.ndarray], float]:
    """Shrink all gradients by one factor so that together they are no longer than ``limit``.

    Returns the gradients and their length before: the root of the sum of all squares over all tensors.
    """
    norm = math.sqrt(sum(float(np.sum(np.square(g, dtype=np.float64))) for g in gradients.values()))
    factor = min(1.0, limit / norm) if norm > 0 else 1.0
    return {name: g * factor for name, g in gradients.items()}, norm


def learning_rate(step: int, steps: int, peak: float, warmup: int) -> float:
    """Linear from peak/warmup up to ``peak`` in ``warmup`` steps, then linear down to 0 just after the last step.

    ``step`` counts from 0 to steps - 1; ``warmup`` is less than ``steps``.
    """
    rising = (step + 1) / warmup if warmup else 1.0
    falling = (steps - step) / (steps - warmup)
    return peak * min(1.0, rising, falling)
