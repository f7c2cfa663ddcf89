"""SmoothQuant on a whole model: scales found on calibration text, folded into the norms.

How it works
    ``methods/smoothquant.py`` divides the channels of an input by s and multiplies the columns that read it. Nobody
    should have to divide at run time, so 1/s goes into the gain of the norm that makes the input (equation 4 and figure
    5 of the paper): input norm -> q, k, v and post-attention norm -> gate, up. These are the first and third of AWQ's
    places (``awq.folds``). The float model computes what it did before; only then is anything rounded.

    The statistics are those of the float model, taken block by block through its own taps.

Source
    Xiao et al. 2022, arXiv 2211.10438, section 4; the authors' code, smoothquant/smooth.py (the same places).

What we leave out
    The inputs of o and down, as there: they come out of attention and of SwiGLU and not out of a norm. That is where
    W8A8 hurts the tiny model most, and what rotation is for (``rotation.py``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..methods import search_alpha, smooth_scales
from ..methods.smoothquant import ALPHA
from . import awq
from . import calibration as text
from .gatherers import Samples
from .transformer import Transformer

SEARCH = "search"


def smooth(model: Transformer, calibration: Any, alpha: float | str = ALPHA, weights: str | None = None,
           activations: str | None = None) -> Transformer:
    """The model with its outliers partly in the weights: the same logits up to rounding error.

    Args:
        model: a float model; it stays as it is.
        calibration: tokens (N,), cut into windows of at most the context.
        alpha: one for the whole model, 0 to 1; or "search": for each input the one with the smallest output error of
            the matrices that read it.
        weights, activations: schemes that a search rounds to.

    Raises ValueError for missing tokens, an alpha outside 0 to 1, a quantized model, and weights or inputs that are not
    finite, naming the matrix.
    """
    if model.qtensors:
        raise ValueError(f"smooth takes a float model; this one is quantized already ({model.recipe})")
    states, changed = text.start(model, calibration, "smoothquant"), {}
    for layer in range(model.config.layers):
        places = [place for place in awq.folds(model.config, layer) if place.part]
        readers = {name for place in places for name in place.readers}
        gathered = text.observe(model, layer, states, Samples, readers)
        for place in places:
            X = gathered[place.readers[0]].result()  # (samples, in)
            try:
                scales = _scales(X, [model.weights[name] for name in place.readers], alpha, weights, activations)
            except ValueError as error:
                raise ValueError(f"{', '.join(place.readers)}: {error}") from error
            changed |= awq.fold(model.weights, place, scales)
        states = text.advance(model, layer, states)
    return Transformer(model.config, {**model.weights, **changed}, model.tokenizer)


def _scales(X: np.ndarray, matrices: list[np.ndarray], alpha: float | str, weights: str | None,
            activations: str | None) -> np.ndarray:
    bad = np.argwhere(~np.isfinite(X))
    if len(bad):
        sample, column = map(int, bad[0])
        raise ValueError(f"X holds {X[sample, column]} at sample {sample}, column {column}: inputs must be finite; "
                         "look for the layer that made them")
    if alpha == SEARCH:
        return search_alpha(matrices, X, weights, activations).scales
    return smooth_scales(np.abs(X).max(axis=0), matrices, alpha)
