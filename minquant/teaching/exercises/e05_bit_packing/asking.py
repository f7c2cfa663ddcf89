"""What the exercises of this set share: arrays handed to an answer, arrays that come back, and refusals.

A call with an array in it is too long for a message, so every question brings a short way to write it down.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checking import written
from ..source import Answers, Miss


def ask(answers: Answers, shown: str, name: str, *args: Any) -> Any:
    """What ``name(*args)`` returns; where that misses, the call is written as ``shown``."""
    try:
        return answers.call(name, *args)
    except Miss as miss:
        raise _shorter(miss, shown, written(name, args)) from None


def _shorter(miss: Miss, shown: str, call: str) -> Miss:
    """The same miss with a call that fits a line, and advice that can be followed without its arguments."""
    what = miss.what.replace(call, shown)
    if " raised " not in what:
        return Miss(what, miss.why, miss.advice)
    return Miss(what, miss.why, "call it with the example of the text in a new cell; the last lines of the traceback "
                                "say where it stopped")


def ask_whole(answers: Answers, shown: str, name: str, *args: Any) -> np.ndarray:
    """The same for an answer that returns whole numbers, as a list or an array: int64, in the shape they came in."""
    got = ask(answers, shown, name, *args)
    try:
        numbers = np.asarray(got)
    except ValueError:  # rows of different lengths
        numbers = np.empty(0, object)
    if numbers.ndim and not numbers.size and numbers.dtype != object:
        return np.zeros(numbers.shape, np.int64)
    if numbers.ndim == 0 or numbers.dtype.kind not in "iu":
        raise Miss(f"{shown} returned {short(got)}", "a list or an array of whole numbers was expected",
                   "does every path end in a `return` with a list or an array? A float is no whole number")
    return numbers.astype(np.int64)


def refusal(answers: Answers, shown: str, name: str, *args: Any) -> str | None:
    """Name of the exception that ``name(*args)`` raises, None where it returns. Raises Miss without an answer."""
    try:
        answers.call(name, *args)
    except Miss as miss:
        if raised := re.search(r" raised (\w+): ", miss.what):
            return raised[1]
        raise _shorter(miss, shown, written(name, args)) from None
    return None


def short(value: Any, most: int = 8) -> str:
    """A value as a message shows it: the first entries of a long list, on one line."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) > most:
        return "[" + ", ".join(str(v) for v in value[:most]) + f", ... {len(value)} entries]"
    text = repr(value)
    return text if len(text) <= 120 else text[:116] + " ..."
