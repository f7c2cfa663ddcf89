"""What is kept of the inputs of a matrix while a text runs through a model.

A gatherer takes inputs piece by piece and says in the end what a method wants to know of them. ``Samples`` keeps them
all: n * in numbers for n tokens. ``methods.Hessian`` is a gatherer too and keeps X^T X: in * in numbers, however long
the text is.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np


class Gatherer(Protocol):
    """Takes inputs piece by piece and keeps what a method needs of them."""

    def add(self, X: np.ndarray) -> None:
        """Inputs (samples, in)."""

    def result(self) -> Any:
        """What the method gets."""


class Samples:
    """The gatherer that keeps every input."""

    def __init__(self) -> None:
        self._pieces: list[np.ndarray] = []

    def add(self, X: np.ndarray) -> None:
        """Inputs (samples, in)."""
        self._pieces.append(X)

    def result(self) -> np.ndarray:
        """All inputs in the order they came: (samples, in)."""
        if len(self._pieces) > 1:  # once, for all matrices that share them
            self._pieces = [np.concatenate(self._pieces)]
        return self._pieces[0]
