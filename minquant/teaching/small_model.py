"""``measure``: one recipe on the shipped model and a short text, remembered; what lesson 14's exercises are measured with.

How it works
    The model, the text and the float model's answers are made once per process, and so is every card: a recipe that was
    measured before costs nothing. A few hundred tokens are enough to tell recipes apart that differ by a fifth, because
    all read the same ones; for a figure to publish, take more (``minquant eval``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from .. import evaluation
from ..evaluation.card import CACHE, Card, measure_card
from ..interop import load
from ..model import Recipe, Transformer

CALIBRATION = 1024  # tokens, for methods that look at text


def measure(recipe: Mapping[str, Any], split: str = "validation", limit_bytes: int = 1000, cached: int = CACHE) -> Card:
    """A recipe, as the keyword arguments of ``minquant.Recipe``, on so many bytes of a held-out split.

    ``cached``: tokens in the cache when a token is written. Raises ValueError or TypeError for what is no recipe.
    """
    if not isinstance(recipe, Mapping):
        raise TypeError(f"a recipe is a dict such as {{'weights': 'int4:g32'}}, not {recipe!r:.60}")
    return _measured(json.dumps(recipe, sort_keys=False), split, limit_bytes, cached)


@cache
def _tiny() -> Transformer:
    return load("tiny")


@cache
def _reference(split: str, limit_bytes: int) -> evaluation.Reference:
    return evaluation.Reference(_tiny(), evaluation.heldout_tokens(_tiny(), split, limit_bytes))


@cache
def _measured(words: str, split: str, limit_bytes: int, cached: int) -> Card:
    recipe, model = Recipe(**json.loads(words)), _tiny()
    seen = evaluation.calibration_tokens(model, CALIBRATION) if recipe.needs_text else None
    text = f"the first {limit_bytes} bytes of the {split} split of held-out docstrings"
    return measure_card(model.quantize(recipe, seen), _reference(split, limit_bytes), text, cached)
