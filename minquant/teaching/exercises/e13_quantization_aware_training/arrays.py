"""What the exercises of this set share: random problems, rounding on a grid, and arrays that are compared."""

from __future__ import annotations

import numpy as np

from ..source import Miss

CLEAR = 0.02  # how far quotients stay from half-way cases, in steps


def quotients(rng: np.random.Generator, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    """w / step: evenly drawn from low to high, away from half-way cases and from whole numbers."""
    whole = rng.integers(np.floor(low), np.ceil(high), shape)
    part = rng.uniform(CLEAR, 0.5 - CLEAR, shape) + 0.5 * rng.integers(0, 2, shape)
    return whole + part


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays agree to 1e-6."""
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-6, atol=1e-9))


def check_same(got: np.ndarray, want: np.ndarray, what: str, why: str, advice: str) -> None:
    """Raise Miss unless two arrays agree; says how many numbers do not, and the first of them."""
    off = ~np.isclose(got, want, rtol=1e-6, atol=1e-9)
    if off.any():
        place = tuple(int(i) for i in np.argwhere(off)[0])
        raise Miss(f"{what}: {off.sum()} of {off.size} numbers are not right; the first, at "
                   f"{list(place) if len(place) > 1 else place[0]}, is {got[place]:.5g}", why, advice)
