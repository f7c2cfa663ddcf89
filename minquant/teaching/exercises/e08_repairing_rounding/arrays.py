"""What the exercises on matrices share: matrices drawn from a key, matrices in text, and matrices that come back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..e05_bit_packing.asking import short
from ..source import Miss
from ..variant import Draw

Rows = list[list[float]]


def drawn_rows(draw: Draw, name: str, rows: int, columns: int, low: float, high: float, digits: int = 2) -> Rows:
    """A matrix of evenly drawn numbers, rounded to so many digits."""
    return [[round(draw.between(f"{name}.{i}.{j}", low, high), digits) for j in range(columns)] for i in range(rows)]


def drawn_factor(draw: Draw, name: str, columns: int) -> Rows:
    """An upper triangle as a factor of H^-1 may be: its diagonal above 0 and not near 1, the others below 0."""
    F = drawn_rows(draw, name, columns, columns, -0.9, -0.1)
    for i, row in enumerate(F):
        row[:i] = [0.0] * i
        row[i] = round(2 ** (draw.choice(f"{name}.sign{i}", (-1, 1)) * draw.between(f"{name}.{i}", 0.4, 1.0)), 2)
    return F


def parts(got: Any, call: str, names: tuple[str, ...]) -> list:
    """The things that an answer returns together, one per name. Raises Miss where there are more or fewer."""
    if not isinstance(got, list) or len(got) != len(names):
        raise Miss(f"{call} returned {short(got)}", f"{len(names)} things are expected: {', '.join(names)}",
                   f"end the function with `return {', '.join(names)}`")
    return got


def numbers(got: Any, shape: tuple[int, ...], call: str, name: str) -> np.ndarray:
    """A list or an array of finite numbers in this shape, as float64. Raises Miss for anything else."""
    try:
        found = np.asarray(got, float)
    except (TypeError, ValueError, OverflowError):
        found = np.empty(0)
    if found.shape != shape:
        raise Miss(f"{call} returned {name} of shape {np.shape(got) if hasattr(got, 'shape') else found.shape}",
                   f"numbers in the shape {shape} are expected there", "print `np.shape` of what you return")
    if not np.isfinite(found).all():
        raise Miss(f"{call} returned {name} with infinity or NaN in it", "finite numbers are expected",
                   "look at the places where you divide")
    return found


def literal(rows: Any, indent: int, digits: int = 4) -> str:
    """A matrix as the argument of ``np.array(``, one row per line; continued lines are indented by so much."""
    text = [str([round(float(x), digits) + 0.0 for x in row]) for row in rows]
    return "[" + (",\n" + " " * (indent + 1)).join(text) + "]"


def slips(F: Rows) -> list[Rows]:
    """The factor as four mistakes in its use would have it: nothing handed on, the wrong way, err
    not divided, err divided twice.

    A matrix that these give the same codes as the factor itself would let the mistakes pass.
    """
    F = np.array(F)
    diagonal = np.diag(np.diag(F))
    beside = F - diagonal
    return [part.tolist() for part in (diagonal, diagonal - beside, np.eye(len(F)) + beside, diagonal**2 + beside)]
