"""Train a model further on a text.

How it works
    Each step takes ``batch`` random windows of the text, computes the loss and its gradient (``backward.py``), clips
    the gradient, and moves the weights (``adamw.py``). One core needs about half a second for the 1,024 tokens of a
    step of the tiny model: enough to adapt it to a short text in a minute or two, too slow for the twenty million
    tokens of its training (``tools/train_tiny.py`` does that).

What we leave out
    Stopping early on held-out text; saving in between; low-rank updates (LoRA).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..model import Recipe, Transformer
from ..model.config import refuse_rotated
from ..model.tokens import check_tokens
from .adamw import AdamW, clip_gradients, learning_rate
from .backward import Through, loss_and_gradients


@dataclass(frozen=True, eq=False)
class History:
    """What happened at each step; float64 arrays (steps,).

    Attributes:
        loss: nats per token on the step's batch, before the step.
        gradient_norm: length of the whole gradient before clipping.
        learning_rate: the step's learning rate.
    """

    loss: np.ndarray
    gradient_norm: np.ndarray
    learning_rate: np.ndarray


def finetune(model: Transformer, tokens: Any, steps: int, batch: int = 8, context: int = 128, lr: float = 3e-4,
             seed: int = 0, warmup: int | None = None, decay: float = 0.01, clip: float = 1.0,
             through: Through | None = None, progress: Any = None) -> tuple[Transformer, History]:
    """A new model, trained further on a text. The given model stays as it is.

    Args:
        model: a float model.
        tokens: (N,) the text, at least context + 1 tokens.
        steps: number of steps.
        batch, context: windows per step, and tokens read in each.
        lr: peak learning rate; it rises linearly over ``warmup`` steps (a tenth of ``steps`` by default) and falls
            linearly to 0.
        seed: chooses the windows; the same seed gives the same weights on the same machine.
        decay: weight decay of matrices. clip: longest gradient, over all weights together.
        through: ``through(name, weight)`` gives the weight used in the forward pass (quantization-aware training with
            the straight-through estimator). The float weights are trained, and returned unquantized.
        progress: True for a progress bar, or a function that wraps an iterable; None is silent.

    Returns:
        The trained Transformer (float32) and its History.

    Raises:
        ValueError: too few tokens, a token outside the vocabulary, a context longer than the model's, a number that is
            not positive, a quantized model; or a loss that is no longer finite (the learning rate is too high).
    """
    tokens = check_training("finetune", model, tokens, steps, batch, context, lr, clip)
    warmup = max(1, steps // 10) if warmup is None else warmup
    if not 0 <= warmup < max(steps, 2):
        raise ValueError(f"finetune: warmup ({warmup}) must be at least 0 and less than the {steps} steps")
    warmup = min(warmup, steps - 1)
    rng, optimizer = np.random.default_rng(seed), AdamW(decay=decay)
    weights = {name: np.array(weight, np.float32) for name, weight in model.weights.items()}
    rows = []
    for step in wrap(progress, "finetune")(range(steps)):
        text = windows(tokens, rng, batch, context)  # (batch, context + 1)
        with np.errstate(over="ignore", invalid="ignore"):  # told in words below
            loss, gradients = loss_and_gradients(model.config, weights, text, through)
            gradients, norm = clip_gradients(gradients, clip)
        if not np.isfinite(loss + norm):
            raise ValueError(f"finetune: the loss is {loss} at step {step}; try a lower learning rate than {lr}")
        rate = learning_rate(step, steps, lr, warmup)
        weights = optimizer.step(weights, gradients, rate)
        rows.append((loss, norm, rate))
    return Transformer(model.config, weights, model.tokenizer), History(*np.array(rows, np.float64).T)


def windows(tokens: np.ndarray, rng: np.random.Generator, batch: int, context: int) -> np.ndarray:
    """Random windows of the text: (N,) -> (batch, context + 1)."""
    starts = rng.integers(0, len(tokens) - context, batch)  # (batch,)
    return tokens[starts[:, None] + np.arange(context + 1)]


def check_training(who: str, model: Transformer, tokens: Any, steps: int, batch: int, context: int, lr: float,
                   clip: float) -> np.ndarray:
    """Tokens as int64 (N,). Raises ValueError for what cannot be trained, before any work is done."""
    for name, value in (("steps", steps), ("batch", batch), ("context", context)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{who}: {name} must be a whole number of at least 1, not {value!r}")
    for name, value in (("lr", lr), ("clip", clip)):
        if not 0 < value < np.inf:
            raise ValueError(f"{who}: {name} must be a finite number above 0, not {value!r}")
    if model.qtensors or model.recipe != Recipe():
        raise ValueError(f"{who} trains a float model, and this one is quantized ({model.recipe}); give the "
                         "float model")
    if context > model.config.context:
        raise ValueError(f"{who}: context {context} is longer than the {model.config.context} tokens this model "
                         "reads")
    refuse_rotated(model.config, f"{who} does not train", "Train the model before rotation")
    tokens = check_tokens(tokens, model.config.vocab_size)  # (N,)
    if len(tokens) < context + 1:
        raise ValueError(f"{who}: {len(tokens)} tokens are too few for one window of context + 1 = {context + 1}; "
                         "give more text or a shorter context")
    return tokens


def wrap(progress: Any, what: str) -> Callable[[Iterable], Iterable]:
    """What wraps the steps: a progress bar, the function given, or nothing."""
    if progress is True:
        from tqdm.auto import tqdm
        return lambda items: tqdm(items, desc=what, unit="step")
    return progress or (lambda items: items)
