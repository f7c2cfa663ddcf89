"""AWQ on a whole model: where the scales go, and what they are judged by.

How it works
    ``methods/awq.py`` multiplies the columns of a matrix by s and divides its inputs by s. Nobody should have to
    divide at run time, so 1/s is folded into whatever makes the input, which must be linear in it:

        divided                       multiplied        judged by the output of
        input norm's gain             q, k, v           attention
        rows of v                     o                 o             where each row of v feeds one column of o
        post-attention norm's gain    gate, up          feed-forward
        rows of up                    down              down

    SwiGLU is silu(gate) * up: linear in up, not in gate. The float model computes what it did before, up to rounding
    error.
    The residual stream, and with it the embedding, stays as it is.

    Block by block: the inputs of the matrices are taken from the calibration text as the *quantized* blocks before
    leave it; the scales are searched, each with the rest of the block in float, and folded; then every matrix but q and
    k is clipped. Rounding, by whatever method follows, is done in ``quantizing.py``. To judge the alphas, attention and
    feed-forward are run 21 times, which is nearly all the time AWQ takes: on the first windows only, of 2,048 tokens.
    mean|x|, o, down and the clipping see all of the text.

Source
    Lin et al. 2023, arXiv 2306.00978, section 3.2; the authors' code, llm-awq, awq/quantize/pre_quant.py, auto_scale.py
    (the pairs of its LlamaDecoderLayer), auto_clip.py (q and k are left alone: their outputs meet in a product, so the
    error of one says little).

What differs
    There, and in AutoAWQ, blocks are calibrated on what the *float* blocks before them produce, and judged on all of
    it. The rows of v and the columns of o are paired there if both matrices have the same shape, here if there are as
    many key/value heads as query heads, which is what it takes.

What we leave out
    v and o under grouped-query attention (as there): one row of v feeds a column of o in several heads, which would
    have to agree on a scale. Judging with rounded activations, cache or attention: the search knows weights only.
"""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass
from typing import Iterable, Mapping

import numpy as np

from ..methods import ScaleSearch, clip_weights, search_scales
from .calibration import State
from .config import Config, linear_names
from .transformer import Transformer

JUDGED = 2048  # tokens on which attention and feed-forward are run, for every alpha
UNCLIPPED = ("q_proj.weight", "k_proj.weight")
Inputs = dict[str, list[np.ndarray]]  # name of a matrix -> its inputs (T, in), window by window


@dataclass(frozen=True)
class Fold:
    """A place for scales: ``source`` makes the input that ``readers`` read.

    source     name of a norm's gain (in,), or of a matrix (in, ...) whose rows make the input
    readers    names of the matrices (out, in)
    part       whose output the scales are judged by: "attention", "feed_forward", or "" for the reader itself
    """

    source: str
    readers: tuple[str, ...]
    part: str = ""


def folds(config: Config, layer: int) -> list[Fold]:
    """The places for scales in one block, in the order of the forward pass."""
    block = f"model.layers.{layer}"
    attention, mlp = f"{block}.self_attn", f"{block}.mlp"
    found = [Fold(f"{block}.input_layernorm.weight", tuple(f"{attention}.{p}_proj.weight" for p in "qkv"), "attention"),
             Fold(f"{attention}.v_proj.weight", (f"{attention}.o_proj.weight",)),
             Fold(f"{block}.post_attention_layernorm.weight", (f"{mlp}.gate_proj.weight", f"{mlp}.up_proj.weight"),
                  "feed_forward"),
             Fold(f"{mlp}.up_proj.weight", (f"{mlp}.down_proj.weight",))]
    if config.heads != config.kv_heads:
        found.remove(found[1])
    return found[:-1] if config.online_hadamard else found  # a Hadamard matrix between up and down mixes the rows


def fold(weights: Mapping[str, np.ndarray], place: Fold, scales: np.ndarray) -> dict[str, np.ndarray]:
    """The weights that change when scales (in,) are put in a place: new float32 arrays by name."""
    source = weights[place.source]
    divisor = scales if source.ndim == 1 else scales[:, None]
    return {place.source: source / divisor, **{name: weights[name] * scales for name in place.readers}}


def scale_block(model: Transformer, layer: int, states: Iterable[State], clip: bool = True) -> dict[str, np.ndarray]:
    """Prepare the float weights of a block for rounding: scales searched and folded, ranges clipped.

    Args:
        model: float from this block on. Its recipe says what the matrices will be rounded to; one that stays in float
            is not searched for and not clipped, but is multiplied where it shares an input with one that is.
        layer: number of the block.
        states: the calibration text before it, window by window.
        clip: clip them (q and k never are).

    Returns:
        The weights that change, by name: matrices and norm gains. ``model`` stays as it is.

    Raises ValueError, naming the matrix or matrices, for inputs that are not finite.
    """
    plain, states, scheme_of = Transformer(model.config, model.weights), list(states), model.recipe.scheme_of
    inputs = _observe(plain, layer, states)
    weights = ChainMap({}, model.weights)
    for place in folds(model.config, layer):
        readers = {name: scheme_of(name) for name in place.readers if scheme_of(name)}
        if readers:
            scales = _search(plain, layer, place.part, readers, inputs, states).scales
            weights.update(fold(weights, place, scales))
            inputs |= dict.fromkeys(place.readers, [x / scales for x in inputs[place.readers[0]]])
    for name in linear_names(model.config, layer) if clip else ():
        if not name.endswith(UNCLIPPED) and scheme_of(name):
            weights[name] = clip_weights(weights[name], np.concatenate(inputs[name]), scheme_of(name))
    return weights.maps[0]


def _observe(model: Transformer, layer: int, states: list[State]) -> Inputs:
    """What each matrix of the block reads."""
    inputs: Inputs = {}
    for x, angles in states:
        model.block(layer, x, angles, tap=lambda name, x: inputs.setdefault(name, []).append(x))
    return inputs


def _search(model: Transformer, layer: int, part: str, readers: dict[str, str], inputs: Inputs,
            states: list[State]) -> ScaleSearch:
    """The scales of the readers (name -> scheme) of one input, judged by a part of the float block."""
    shared = inputs[next(iter(readers))]
    X = np.concatenate(shared)  # (samples, in)
    first = max(JUDGED // model.config.context, 1)
    judged = list(zip(shared, states, strict=True))[:first]

    def forward(trial: list[np.ndarray]) -> np.ndarray:
        changed = Transformer(model.config, ChainMap(dict(zip(readers, trial, strict=True)), model.weights))
        if part == "attention":
            return np.concatenate([changed.attention(layer, x, angles) for x, (_, angles) in judged])
        return np.concatenate([changed.feed_forward(layer, x) for x, _ in judged])  # (tokens, d)

    try:
        weights = [model.weights[name] for name in readers]
        return search_scales(weights, X, list(readers.values()), forward if part else None)
    except ValueError as error:
        raise ValueError(f"{', '.join(readers)}: {error}") from error
