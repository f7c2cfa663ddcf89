"""How fast is a recipe that mixes formats? Put together from the speeds of whole models in one format each.

How it works
    ``Decoder`` packs all matrices of the blocks in one format. A recipe with overrides has several, so its time is added
    up: ``measure_decode`` says how many bytes per second this machine reads of each format, all overheads of a step
    counted, and a token takes

        sum over the matrices (bytes / rate of their format)  +  bytes of the cache / rate of bf16

    For a recipe of one format and a cache in bf16 this is the measured speed again.

What we leave out
    That a matrix of another format may be slower or faster beside others, and what a quantized cache costs to decode
    (lesson 12 measures that). Formats without a kernel have no rate, and such a recipe no speed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..model import Config, Recipe


def format_rates(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Bytes per second of every format among rows of ``measure_decode`` (kv bf16): {"bf16": 2e10, ...}."""
    return {row["weights"]: row["bytes_per_token"] * row["tokens_per_s"] for row in rows if row["kv"] == "bf16"}


def bytes_by_format(config: Config, recipe: Recipe) -> Counter[str]:
    """Bytes that a token reads of the weights, by the scheme they are in; what is left in float counts as bf16.

    An embedding apart from the output matrix is not counted: one row of it is read.
    """
    from ..model import linear_names, tensor_shapes
    from ..scaling import Scheme

    found: Counter[str] = Counter()
    for name, shape in tensor_shapes(config).items():
        if name == "model.embed_tokens.weight" and not config.tied:
            continue
        inside = name in linear_names(config)
        scheme = recipe.scheme_of(name) if inside else recipe.head if name == config.head_name else None
        found[scheme or "bf16"] += Scheme.parse(scheme).nbytes(shape) if scheme else 2 * math.prod(shape)
    return found


def recipe_speed(config: Config, recipe: Recipe, rates: Mapping[str, float], cached: int = 512) -> float | None:
    """Tokens per second of a recipe on a model of this shape; None where it has a format without a rate."""
    from ..evaluation import cache_bytes

    found = bytes_by_format(config, recipe)
    if not found.keys() <= rates.keys():
        return None
    seconds = sum(nbytes / rates[scheme] for scheme, nbytes in found.items())
    return 1 / (seconds + cache_bytes(config, recipe.kv or "bf16", cached) / rates["bf16"])
