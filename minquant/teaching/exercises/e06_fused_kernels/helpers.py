"""What the kernels of this set are asked besides their result: rows of numbers, and how much memory they need."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checking import close
from ..source import Answers, Miss


def ask_rows(answers: Answers, shown: str, name: str, rows: int, *args: Any) -> np.ndarray:
    """What the answer returns, as float64 (rows,). Raises Miss for anything else; ``shown`` stands for the call."""
    try:
        got = answers.call(name, *args)
    except Miss as miss:
        what = f"{shown} raised {miss.what.split(' raised ', 1)[1]}" if " raised " in miss.what else miss.what
        advice = miss.advice if "is not written yet" in what or "no `" in what else (
            "make a small matrix of your own in a new cell, and call your function with it")
        raise Miss(what, miss.why, advice) from None
    try:
        numbers = np.asarray(got, np.float64).reshape(-1)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.size != rows or not np.isfinite(numbers).all():
        raise Miss(f"{shown} returned {str(got)[:60]}", f"{rows} finite numbers were expected, one for each row",
                   "does the function end in `return out`, after the loop over the rows?")
    return numbers


def check_memory(answers: Answers, weights: int, *args: Any) -> None:
    """Raise Miss where the answer needs more than half a byte for each weight, by its own ``most_memory``."""
    used = answers.call("most_memory", *args)
    if not isinstance(used, (int, float)) or used > weights / 2:
        raise Miss(f"for a matrix of {weights:,} weights your function had up to {used:,} bytes more in use at once",
                   "that is room for a copy of the matrix, or a good part of it; the loop exists to avoid that",
                   "decode a weight where it is used, and keep nothing that has as many entries as the matrix")


def agree(got: np.ndarray, want: np.ndarray, size: np.ndarray) -> bool:
    """Whether float32 sums agree: to 1e-5 of the sum of magnitudes."""
    return bool((abs(got - want) <= 1e-5 * size).all())


def same(got: float, want: float) -> bool:
    """Whether two sums of a few exact numbers agree."""
    return close(got, want, 1e-5)
