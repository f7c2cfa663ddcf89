"""What the exercises of this set share: matrices drawn and compared, and two grids written number by number."""

from __future__ import annotations

from collections.abc import Sequence

from ..checking import close, side
from ..e05_bit_packing.asking import short
from ..source import Miss
from ..variant import Draw

Rows = list[list[float]]
CLEAR = 1e-4  # how far quotients stay from half-way cases, in steps


def drawn(draw: Draw, name: str, count: int, length: int, size: float = 4.0, digits: int = 2) -> Rows:
    """A matrix of ``count`` rows, its columns of unequal sizes, as those of keys are."""
    sizes = [size * 2 ** draw.between(f"{name}.size{j}", -2, 0) for j in range(length)]
    return [[round(draw.between(f"{name}.{i}.{j}", -1, 1) * sizes[j], digits) or 0.1 for j in range(length)]
            for i in range(count)]


def symmetric(x: Sequence[float], top: int) -> tuple[float, list[int]]:
    """(scale, codes) of numbers that share a scale: their largest magnitude over ``top``; 1 where all are zero.

    Raises ArithmeticError for a quotient near a half-way case.
    """
    scale = max(map(abs, x)) / top or 1.0
    return scale, [whole(v / scale) for v in x]


def with_minimum(x: Sequence[float], bits: int) -> list[float]:
    """What numbers become that share a minimum and a scale. Raises as ``symmetric``."""
    low = min(x)
    scale = (max(x) - low) / (2**bits - 1) or 1.0
    return [low + scale * whole((v - low) / scale) for v in x]


def whole(quotient: float) -> int:
    """The nearest whole number. Raises ArithmeticError where two are."""
    if abs(quotient % 1 - 0.5) < CLEAR:
        raise ArithmeticError("a half-way case")
    return round(quotient)


def columns(rows: Rows) -> Rows:
    """The matrix turned over."""
    return [list(column) for column in zip(*rows)]


def as_rows(got: object, shown: str, what: str, count: int, length: int) -> Rows:
    """A matrix of that size, from lists of lists or an array. Raises Miss."""
    if hasattr(got, "tolist"):
        got = got.tolist()
    right = isinstance(got, list) and len(got) == count and all(
        isinstance(row, list) and len(row) == length and all(type(v) in (int, float) for v in row) for row in got)
    if not right:
        raise Miss(f"for {shown}, the {what} were {short(got, 3)}", f"{count} rows of {length} numbers are expected",
                   "one row per token, one number per channel, in the order in which the tokens came")
    return got


def check_rows(got: object, want: Rows, shown: str, what: str, why: str, advice: str) -> None:
    """Raise Miss unless a matrix is the one wanted, to 1e-6 of each number."""
    rows = as_rows(got, shown, what, len(want), len(want[0]) if want else 0)
    off = [(i, j) for i, row in enumerate(want) for j, v in enumerate(row) if not close(rows[i][j], v, 1e-6)]
    if off:
        i, j = off[0]
        raise Miss(f"for {shown}, {len(off)} of {len(want) * len(want[0])} {what} are not right; that of token {i}, "
                   f"channel {j} is {rows[i][j]:.5g}: {side(rows[i][j], want[i][j])}", why, advice)


def literal(rows: Rows, indent: int) -> str:
    """A matrix as Python, a row per line."""
    return ("[" + f",\n{' ' * indent} ".join(str(row) for row in rows) + "]")
