"""What the matrices of a block read on calibration text.

How it works
    Calibration tokens are cut into windows of at most the context. All windows are run through one block after
    another; between two blocks only the residual stream of each is kept. ``observe`` runs them through a block and
    hands what each matrix reads to a gatherer (``gatherers.py``), which keeps what the method needs. Matrices that read
    the same input (q, k and v; gate and up) share one. There is never more than one block's worth of gatherers.
"""

from __future__ import annotations

from typing import Any, Callable, Container, Iterable

import numpy as np

from . import layers
from .config import Config, linear_names
from .gatherers import Gatherer
from .tokens import check_tokens
from .transformer import Transformer

State = tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]  # x (T, d) of a window before a block, its RoPE angles


def start(model: Transformer, calibration: Any, method: str) -> list[State]:
    """The calibration text as the first block reads it, window by window.

    Raises ValueError where the tokens are missing (naming the method that needs them) or unknown to the model.
    """
    if calibration is None:
        raise ValueError(f"method {method!r} needs calibration tokens: model.quantize(recipe, calibration=tokens)")
    tokens = check_tokens(calibration, model.config.vocab_size)
    windows = (tokens[i:i + model.config.context] for i in range(0, len(tokens), model.config.context))
    return [(model.embed(window), _angles(model.config, len(window))) for window in windows]


def observe(model: Transformer, layer: int, states: Iterable[State],
            gather: Callable[[], Gatherer], wanted: Container[str] | None = None) -> dict[str, Gatherer]:
    """Run the windows through a block and gather what its matrices read, by name: those that are wanted, by default
    those that are not left in float.

    Raises ValueError, naming the matrix, for an input that the gatherer refuses.
    """
    if wanted is None:
        wanted = {name for name in linear_names(model.config, layer) if model.recipe.scheme_of(name)}
    gathered: dict[str, Gatherer] = {}
    seen: np.ndarray | None = None  # the input that was added last, and where
    latest: Gatherer | None = None

    def tap(name: str, x: np.ndarray) -> None:
        nonlocal seen, latest
        if name not in wanted:
            return
        if x is not seen:
            seen, latest = x, gathered.get(name) or gather()
            try:
                latest.add(x)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        gathered[name] = latest

    for x, angles in states:
        model.block(layer, x, angles, tap=tap)
    return gathered


def advance(model: Transformer, layer: int, states: Iterable[State]) -> list[State]:
    """The same text after the block, as it is now."""
    return [(model.block(layer, x, angles), angles) for x, angles in states]


def _angles(config: Config, length: int) -> tuple[np.ndarray, np.ndarray]:
    return layers.rope_angles(np.arange(length), config.head_dim, config.rope_theta, config.rope_scaling)
