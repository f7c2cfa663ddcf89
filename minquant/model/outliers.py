"""A model with outliers in its activations, made from one that has none.

How it works
    Small models have no channels that are many times larger than the others in every token; large ones do (Dettmers et
    al. 2022, arXiv 2208.07339, section 4). ``plant`` transplants them: a few channels of a norm's gain are multiplied
    by a power of two, and the columns that read them divided by it. No bit of a logit changes, but what lies between
    the two now has outliers, and everything that rounds it must live with them.

    This is SmoothQuant run backwards, so its success on such a model is partly circular: say so, and show the model as
    it was beside it.

What we leave out
    Outliers that come and go with tokens, and those before the norms: the inputs of o and down stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .awq import Fold, fold, folds
from .transformer import Transformer


def places(model: Transformer) -> list[Fold]:
    """Every place for scales, block by block."""
    return [place for layer in range(model.config.layers) for place in folds(model.config, layer)]


def plant(model: Transformer, channels: Sequence[int], factor: float) -> Transformer:
    """The same function with outliers: what the norms hand on in these channels is ``factor`` times as large.

    The gains of both norms of each block are multiplied, the columns that read them divided. For a power of two no bit
    of a logit changes. Raises ValueError for a factor that is no power of two.
    """
    if np.frexp(factor)[0] != 0.5:
        raise ValueError(f"factor {factor} is no power of two: weights divided by it would be rounded, and the model "
                         "would no longer be exactly the same")
    scales = np.ones(model.config.hidden, np.float32)
    scales[list(channels)] = 1 / factor
    weights = dict(model.weights)
    for place in places(model):
        if place.part:
            weights |= fold(weights, place, scales)
    return Transformer(model.config, weights, model.tokenizer)
