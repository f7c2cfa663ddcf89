"""AWQ taken apart for lesson 09: the same float function in other weights, made before anything is rounded.

How it works
    ``observe`` keeps what every matrix reads on a text. ``search_all`` runs the library's search over alpha at every
    place of the *float* model; ``scaled`` folds what it found; ``clipped`` runs the clip search on its own. Both return
    models that are still float, so each can be rounded by any method and measured beside the others, and the search is
    run once for all of them. ``plant``, from ``model/outliers.py``, makes a model with outliers.

What differs from ``model/awq.py``
    Like the authors' code, this calibrates every block on what the float blocks before it produce. There it is what the
    quantized blocks produce, and a block is searched only when those before it are done.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..methods import ScaleSearch, clip_weights, search_scales
from ..model import Transformer, layers
from ..model.awq import UNCLIPPED, Fold, fold
from ..model.config import linear_names
from ..model.outliers import places, plant  # noqa: F401


def observe(model: Transformer, tokens: np.ndarray) -> dict[str, np.ndarray]:
    """What every matrix of the blocks reads on a text: name -> (tokens, in) float32, in windows of the context."""
    seen: dict[str, list[np.ndarray]] = {name: [] for name in linear_names(model.config)}
    for start in range(0, len(tokens), model.config.context):
        model.run(tokens[start:start + model.config.context], tap=lambda name, x: seen.get(name, []).append(x))
    return {name: np.concatenate(pieces) for name, pieces in seen.items()}


def search_all(model: Transformer, inputs: Mapping[str, np.ndarray], scheme: str) -> dict[Fold, ScaleSearch]:
    """The library's search over alpha at every place of a float model.

    Args:
        model: a float model.
        inputs: what ``observe`` gave for it.
        scheme: what the matrices will be rounded to.

    Raises ValueError as ``methods.search_scales`` does.
    """
    return {place: search_scales([model.weights[name] for name in place.readers], inputs[place.readers[0]], scheme,
                                 judge(model, place, inputs[place.readers[0]])) for place in places(model)}


@dataclass(frozen=True)
class _Part:
    """The output of attention or of the feed-forward part with other matrices in it."""

    model: Transformer
    place: Fold
    X: np.ndarray

    def __call__(self, trial: Sequence[np.ndarray]) -> np.ndarray:
        config, layer = self.model.config, int(self.place.source.split(".")[2])
        changed = Transformer(config, ChainMap(dict(zip(self.place.readers, trial, strict=True)), self.model.weights))
        if self.place.part == "feed_forward":
            return changed.feed_forward(layer, self.X)
        windows = [self.X[i:i + config.context] for i in range(0, len(self.X), config.context)]
        return np.concatenate([changed.attention(layer, x, layers.rope_angles(
            np.arange(len(x)), config.head_dim, config.rope_theta, config.rope_scaling)) for x in windows])


def judge(model: Transformer, place: Fold, X: np.ndarray):
    """A function of the readers' matrices that gives the output by which their scales are judged; None where that is
    the output of the reader itself. X: (tokens, in), what they read."""
    return _Part(model, place, X) if place.part else None


def scaled(model: Transformer, found: Mapping[Fold, ScaleSearch]) -> Transformer:
    """The float model with the scales of a search folded in: other weights, the same logits up to rounding error."""
    weights = dict(model.weights)
    for place, search in found.items():
        weights |= fold(weights, place, search.scales)
    return Transformer(model.config, weights, model.tokenizer)


def clipped(model: Transformer, inputs: Mapping[str, np.ndarray], scheme: str) -> Transformer:
    """The float model with every matrix but q and k clipped where that suits its inputs; no longer the same function.

    inputs: what the matrices of *this* model read (``observe``). Raises ValueError as ``methods.clip_weights`` does.
    """
    weights = dict(model.weights)
    for name, X in inputs.items():
        if not name.endswith(UNCLIPPED):
            weights[name] = clip_weights(weights[name], X, scheme)
    return Transformer(model.config, weights, model.tokenizer)
