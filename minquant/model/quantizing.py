"""Quantizing a whole model: which matrix gets which scheme, and what it is calibrated on.

How it works
    The output matrix is rounded first (where tied it is also the embedding, so all that follows is computed from
    it). Then the blocks, first to last. A method that asks for inputs gets what the *already quantized* blocks before
    it produce on the calibration text, as in GPTQ (Frantar et al. 2022, arXiv 2210.17323, section 5, "Setup"): so later
    blocks see, and can answer, the errors of earlier ones. A method that does not ask costs no forward pass. AWQ
    first edits the float weights of the block at hand, its norms among them (``awq.py``); then a method rounds them.

    Before all that, SmoothQuant and rotation rewrite the float model as a whole (``smoothing.py``, ``rotation.py``).
    After it, static scales of activations are chosen (``static.py``); until then activations stay in float. LLM.int8()
    rounds nothing beforehand: outliers are told by the input, in ``Transformer``.

What we leave out
    Calibrating the matrices of one block on each other, o
    on rounded q, k and v and so on ("true sequential" in AutoGPTQ): four passes through a block instead of one.
"""

from __future__ import annotations

from collections import ChainMap
from dataclasses import replace
from typing import Any, Callable, Iterable

import numpy as np

from ..scaling import QTensor, Scheme
from . import awq
from . import calibration as text
from .attending import AttentionFormat
from .cache_format import CacheFormat
from .config import EMBEDDING, linear_names, tensor_shapes
from .method import METHODS, TRAINED, Method, method_of
from .recipe import Recipe
from .rotation import rotate
from .smoothing import smooth
from .static import input_grids
from .transformer import Transformer


def quantize(model: Transformer, recipe: Recipe, calibration: Any = None, progress: Any = None) -> Transformer:
    """A new model, quantized by a recipe. The given model stays as it is.

    Args:
        model: a float model.
        recipe: what is quantized and how.
        calibration: tokens (N,) for methods that need them; cut into windows of at most the context. Others,
            ``rtn`` among them, do not read it.
        progress: True for a progress bar, or a function that wraps an iterable; None is silent.

    Returns:
        A Transformer whose ``weights`` are the dequantized values and whose ``qtensors`` hold codes and scales.

    Raises:
        ValueError: NaN or infinite weights, a group size that does not divide a row, an entry of ``skip`` or
            ``overrides`` that matches nothing, missing calibration tokens, a model whose weights are quantized already.
            The message names the weight.
    """
    check(model, recipe)
    model = _prepared(model, recipe, calibration)
    rounded, qtensors = {}, {}
    until_then = replace(recipe, activations=None) if recipe.static else recipe
    partial = Transformer(model.config, ChainMap(rounded, model.weights), model.tokenizer, until_then)

    def put(name: str, method: Method, scheme: str, inputs: Any = None) -> None:
        qtensors[name] = quantize_weight(name, partial.weights[name], inputs, method, scheme)
        rounded[name] = qtensors[name].dequantize()

    if recipe.head is not None and not recipe.skips(model.config.head_name):
        put(model.config.head_name, METHODS["rtn"], recipe.head)
    if recipe.has_weights and not method_of(recipe.method)[0].decompose:
        _quantize_blocks(partial, put, calibration, progress)
    weights = {**model.weights, **rounded} if isinstance(model.weights, dict) else ChainMap(rounded, model.weights)
    grids = input_grids(partial, recipe, calibration) if recipe.static else {}
    return Transformer(model.config, weights, model.tokenizer, recipe, qtensors, grids)


def _prepared(model: Transformer, recipe: Recipe, calibration: Any) -> Transformer:
    """The float model as the method rewrites it before anything is rounded: the same function."""
    method, option = method_of(recipe.method)
    if method.prepare or method.decompose:
        _check_finite(model, linear_names(model.config))
    if method.prepare == "smooth":
        return smooth(model, calibration, option, recipe.weights, recipe.activation_scheme)
    return rotate(model, option) if method.prepare == "rotate" else model


def _quantize_blocks(partial: Transformer, put: Callable, calibration: Any, progress: Any) -> None:
    """Quantize the blocks in order; ``partial`` sees each weight as soon as ``put`` has rounded it."""
    recipe, (method, _) = partial.recipe, method_of(partial.recipe.method)
    states = text.start(partial, calibration, recipe.method) if method.needs_states else []
    for layer in _wrap(progress)(range(partial.config.layers)):
        quantize_block(partial, layer, states, method, put)
        states = text.advance(partial, layer, states)


def quantize_block(partial: Transformer, layer: int, states: list[text.State], method: Method, put: Callable) -> None:
    """Quantize one block. What was gathered of its inputs is given up at the end, before the next block's is."""
    names = linear_names(partial.config, layer)
    if method.needs_states:
        _check_finite(partial, names)
    if method.scale:
        partial.weights.update(awq.scale_block(partial, layer, states, method.clip))
    gathered = text.observe(partial, layer, states, method.gather) if method.needs_inputs else {}
    for name in names:
        scheme = partial.recipe.scheme_of(name)
        if scheme is not None:
            put(name, method, scheme, gathered[name].result() if method.needs_inputs else None)


def _check_finite(model: Transformer, names: Iterable[str]) -> None:
    """Raise ValueError naming the matrix at fault, and not the next one, whose inputs it would spoil."""
    for name in names:
        if not np.isfinite(model.weights[name]).all():
            raise ValueError(f"{name} holds NaN or infinity: find out where they come from")


def quantize_weight(name: str, weight: np.ndarray, inputs: Any, method: Method, scheme: str) -> QTensor:
    """One weight by a method. Raises ValueError naming it."""
    try:
        return method.quantize(weight, inputs, Scheme.parse(scheme))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def check(model: Transformer, recipe: Recipe) -> None:
    """Raise ValueError or TypeError, before any work is done, where the recipe does not fit the model."""
    if not isinstance(recipe, Recipe):
        raise TypeError(f"quantize takes a Recipe, not {type(recipe).__name__}: Recipe(weights={recipe!r})")
    if model.qtensors:
        raise ValueError(f"this model's weights are quantized already ({model.recipe}); quantize the float model")
    if recipe.method == "qat" and recipe.has_weights:
        raise ValueError(TRAINED)
    config, shapes = model.config, tensor_shapes(model.config)
    linears = linear_names(config)
    recipe.check_names(linears, [config.head_name, EMBEDDING])
    for name in linears:
        for part, scheme in (("weights", recipe.scheme_of(name)), ("activations", recipe.activation_scheme)):
            if scheme is not None and not recipe.skips(name):
                _check_group(Scheme.parse(scheme), shapes[name][-1], f"{part} of {name}")
    if recipe.head is not None and not recipe.skips(config.head_name):
        _check_group(Scheme.parse(recipe.head), shapes[config.head_name][-1], f"head of {config.head_name}")
    _check_length(CacheFormat.parse(recipe.kv).row_group, config.head_dim, "kv: a head", recipe.kv)
    if recipe.attention is not None:
        _check_group(AttentionFormat.parse(recipe.attention).scheme, config.head_dim, "attention: a head")


def _check_group(scheme: Scheme, width: int, where: str) -> None:
    _check_length(scheme.group_size, width, where, scheme)


def _check_length(group: int | None, width: int, where: str, name: Any) -> None:
    if group and width % group:
        raise ValueError(f"{where}: a row of {width} is no whole number of groups of {group} ({name}); "
                         f"choose a group size that divides {width}")


def _wrap(progress: Any) -> Callable[[Iterable], Iterable]:
    if progress is True:
        from tqdm.auto import tqdm
        return lambda items: tqdm(items, desc="quantize", unit="block")
    return progress or (lambda items: items)
