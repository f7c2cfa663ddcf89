"""Quantizing a whole model: which matrix gets which scheme, and what it is calibrated on.

How it works
    The output matrix is rounded first (where tied it is also the embedding, so all that follows is computed from
    it). Then the blocks, first to last. A method that asks for inputs gets what the *already quantized* blocks before
    it produce on the calibration text, as in GPTQ (Frantar et al. 2022, arXiv 2210.17323, section 5, "Setup"): so later
    blocks see, and can answer, the errors of earlier ones. A method that does not ask costs no forward pass.

What we leave out
    Changing the scales of neighbouring layers (AWQ, SmoothQuant) and rotating: those edit float weights.
"""

from __future__ import annotations

from collections import ChainMap
from typing import Any, Callable, Iterable

import numpy as np

from ..scaling import QTensor, Scheme
from . import layers
from .config import EMBEDDING, Config, linear_names, tensor_shapes
from .recipe import METHODS, Method, Recipe
from .tokens import check_tokens
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
        ValueError: NaN or infinite weights, a group size that does not divide a row, a ``skip`` that matches nothing,
            missing calibration tokens, a model whose weights are quantized already. The message names the weight.
    """
    if not isinstance(recipe, Recipe):
        raise TypeError(f"quantize takes a Recipe, not {type(recipe).__name__}: Recipe(weights={recipe!r})")
    if model.qtensors:
        raise ValueError(f"this model's weights are quantized already ({model.recipe}); quantize the float model")
    _check(model.config, recipe)
    rounded, qtensors = {}, {}
    partial = Transformer(model.config, ChainMap(rounded, model.weights), model.tokenizer, recipe)

    def put(name: str, method: Method, scheme: str, inputs: np.ndarray | None = None) -> None:
        qtensors[name] = _quantize_weight(name, model.weights[name], inputs, method, scheme)
        rounded[name] = qtensors[name].dequantize()

    if recipe.head is not None and not recipe.skips(model.config.head_name):
        put(model.config.head_name, METHODS["rtn"], recipe.head)
    if recipe.weights is not None:
        _quantize_blocks(partial, put, calibration, progress)
    weights = {**model.weights, **rounded} if isinstance(model.weights, dict) else ChainMap(rounded, model.weights)
    return Transformer(model.config, weights, model.tokenizer, recipe, qtensors)


def _quantize_blocks(partial: Transformer, put: Callable, calibration: Any, progress: Any) -> None:
    """Quantize the blocks in order; ``partial`` sees each weight as soon as ``put`` has rounded it."""
    config, recipe, method = partial.config, partial.recipe, METHODS[partial.recipe.method]
    states = [(partial.embed(w), _angles(config, len(w))) for w in _windows(config, calibration, recipe.method)] \
        if method.needs_inputs else []
    for layer in _wrap(progress)(range(config.layers)):
        inputs: dict[str, list[np.ndarray]] = {}
        for x, angles in states:
            partial.block(layer, x, angles, tap=lambda name, x: inputs.setdefault(name, []).append(x))
        for name in linear_names(config, layer):
            if not recipe.skips(name):
                put(name, method, recipe.weights, np.concatenate(inputs[name]) if method.needs_inputs else None)
        states = [(partial.block(layer, x, angles), angles) for x, angles in states]


def _quantize_weight(name: str, weight: np.ndarray, inputs: np.ndarray | None, method: Method,
                     scheme: str) -> QTensor:
    try:
        return method.quantize(weight, inputs, Scheme.parse(scheme))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _check(config: Config, recipe: Recipe) -> None:
    """Raise ValueError, before any work is done, where the recipe does not fit the model's shape."""
    shapes = tensor_shapes(config)
    linears = linear_names(config)
    recipe.check_skip([*linears, config.head_name, EMBEDDING])
    rows = {"weights": linears, "activations": linears, "head": [config.head_name]}
    for part, names in rows.items():
        scheme = getattr(recipe, part)
        for name in names if scheme is not None else ():
            if not recipe.skips(name):
                _check_group(Scheme.parse(scheme), shapes[name][-1], f"{part} of {name}")
    for part in ("kv", "attention"):
        if getattr(recipe, part) is not None:
            _check_group(Scheme.parse(getattr(recipe, part)), config.head_dim, f"{part}: a head")


def _check_group(scheme: Scheme, width: int, where: str) -> None:
    if scheme.group_size and width % scheme.group_size:
        raise ValueError(f"{where}: a row of {width} is no whole number of groups of {scheme.group_size} ({scheme}); "
                         f"choose a group size that divides {width}")


def _windows(config: Config, calibration: Any, method: str) -> Iterable[np.ndarray]:
    """Calibration tokens in windows of at most the model's context."""
    if calibration is None:
        raise ValueError(f"method {method!r} needs calibration tokens: model.quantize(recipe, calibration=tokens)")
    tokens = check_tokens(calibration, config.vocab_size)
    return [tokens[i:i + config.context] for i in range(0, len(tokens), config.context)]


def _angles(config: Config, length: int) -> tuple[np.ndarray, np.ndarray]:
    return layers.rope_angles(np.arange(length), config.head_dim, config.rope_theta)


def _wrap(progress: Any) -> Callable[[Iterable], Iterable]:
    if progress is True:
        from tqdm.auto import tqdm
        return lambda items: tqdm(items, desc="quantize", unit="block")
    return progress or (lambda items: items)
