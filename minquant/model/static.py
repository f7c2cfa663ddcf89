"""Static scales of activations: chosen once, on calibration text, for every input of a matrix.

How it works
    The model whose weights are rounded already runs over the text block by block, its activations in float, and the
    taps hand over what each matrix reads. Matrices that share an input share a grid. For the min-max rule the two ends
    of the range are enough; other calibrators see every number, of one block at a time.

What we leave out
    Running averages over batches ("observers"); calibrating on inputs that are themselves rounded by earlier grids.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..scaling import FixedGrid, Scheme
from . import calibration as text
from .config import linear_names
from .gatherers import Gatherer, Samples
from .recipe import Recipe
from .transformer import Transformer


class Ends:
    """The gatherer that keeps the smallest and the largest number."""

    def __init__(self) -> None:
        self._ends = np.zeros(2, np.float32)

    def add(self, X: np.ndarray) -> None:
        """Inputs (samples, in). Raises ValueError where they are not finite."""
        ends = np.array([X.min(initial=0), X.max(initial=0)], np.float32)
        if not np.isfinite(ends).all():
            raise ValueError("inputs are NaN or infinite: look for the layer that made them")
        self._ends = np.array([min(ends[0], self._ends[0]), max(ends[1], self._ends[1])])

    def result(self) -> np.ndarray:
        """(2,) float32."""
        return self._ends


def input_grids(model: Transformer, recipe: Recipe, calibration: Any) -> dict[str, FixedGrid]:
    """The grid of every input that the recipe rounds, by the name of the matrix that reads it.

    Args:
        model: weights as they will be; its own recipe leaves activations in float.
        recipe: what is asked for, with a static scheme of activations.
        calibration: tokens (N,).

    Raises ValueError where tokens are missing, or an input is not finite, naming the matrix.
    """
    if calibration is None:
        raise ValueError(f"activations {recipe.activations!r} need calibration tokens: model.quantize(recipe, "
                         "calibration=tokens); without ':static' the scale is taken from the tokens at hand")
    scheme = Scheme.parse(recipe.activation_scheme)
    gather = Ends if scheme.calibrator == "minmax" else Samples
    states, grids = text.start(model, calibration, recipe.method), {}
    for layer in range(model.config.layers):
        wanted = {name for name in linear_names(model.config, layer) if not recipe.skips(name)}
        seen = text.observe(model, layer, states, gather, wanted)
        grids |= {name: FixedGrid.of(gathered.result(), scheme) for name, gathered in seen.items()}
        states = text.advance(model, layer, states)
    head = model.config.head_name
    if recipe.head is not None and not recipe.skips(head):
        grids[head] = FixedGrid.of(_head_input(model, states, gather()).result(), scheme)
    return grids


def _head_input(model: Transformer, states: list[text.State], gathered: Gatherer) -> Gatherer:
    for x, _ in states:
        model.head(x, tap=lambda _, y: gathered.add(y))
    return gathered
