"""Quantization-aware training: the weights learn where rounding will put them.

How it works
    The float weights stay; each step rounds them (``rounding.py``), runs the *rounded* model forward and backward, and
    moves the float weights and the steps of their grids by what comes back. What is kept at the end is the rounded
    weights: a quantized model like any other. The matrices of the blocks are rounded; embedding and norms are trained
    in float and stored as bf16.

    The goal is the float model's own distribution over the next token (``teacher``), not the next token of the text:
    the text then only says where the two are to agree, and the student cannot gain by learning the text itself.

    A run is a function of its arguments: the windows of step n come from the seed and n alone. ``checkpoint`` names a
    file in which all that changes is kept from time to time; a run that finds it goes on from there and ends with
    the same bits as one that was never stopped.

Sources
    Training with rounding: Jacob et al. 2017 (arXiv 1712.05877), section 3. With a float teacher: LLM-QAT (Liu et al.
    2023, arXiv 2305.17888), section 2, which samples its text from the teacher; ours is read.

What we leave out
    Rounded activations and caches; freezing weights that swing between two codes (Nagel et al. 2022, arXiv 2203.11086).
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..formats import get as get_format
from ..model import Recipe, Transformer, linear_names
from .adamw import AdamW, clip_gradients, learning_rate
from .backward import batch_logits, loss_and_gradients
from .finetune import History, check_training, windows, wrap
from .rounding import Rounder, check_scheme, rounder

Watch = Callable[[int, dict[str, Rounder], dict[str, np.ndarray]], None]
STEP = ".step"  # the steps of NAME are trained under the name NAME.step


def qat(model: Transformer, scheme: str, tokens: Any, steps: int, batch: int = 8, context: int = 64, lr: float = 1e-3,
        seed: int = 0, distil: bool = True, decay: float = 0.0, clip: float = 1.0,
        checkpoint: str | os.PathLike | None = None, every: int = 50,
        progress: Any = None, watch: Watch | None = None) -> tuple[Transformer, History]:
    """A quantized model, trained with its rounding. The given model stays as it is.

    Args:
        model: a float model; also the teacher.
        scheme: of the matrices of the blocks: an integer scheme, or a ternary one ("absmean": BitNet b1.58).
        tokens: (N,) the text, at least context + 1 tokens.
        steps: number of steps.
        batch, context: windows per step, and tokens read in each.
        lr: peak learning rate; it rises over a tenth of the steps and falls linearly to 0.
        seed: chooses the windows.
        distil: learn the float model's distribution; False: the text's next token.
        decay: weight decay of matrices. clip: longest gradient, over all weights together.
        checkpoint: a file to go on from, where there is one, and to write every ``every`` steps and at the end.
        progress: True for a progress bar, or a function that wraps an iterable; None is silent.
        watch: called as ``watch(step, rounders, trained)`` before each step and, with ``steps``, at the end: name to
            Rounder, and name to float weight, steps of grids under ``NAME.step``. Nothing is to be changed.

    Returns:
        A Transformer with ``qtensors`` and the recipe ``Recipe(weights=scheme, method="qat")``, and its History.

    Raises:
        ValueError: as ``finetune``; a scheme that cannot be trained; a checkpoint of another run, or a damaged one.
    """
    tokens = check_training("qat", model, tokens, steps, batch, context, lr, clip)
    recipe = Recipe(weights=str(check_scheme(scheme)), method="qat")
    rounders = {name: rounder(model.weights[name], scheme) for name in linear_names(model.config)}
    trained = {name: np.array(weight, np.float32) for name, weight in model.weights.items()}
    trained |= {name + STEP: r.first for name, r in rounders.items() if r.first is not None}
    run = {"scheme": recipe.weights, "steps": steps, "batch": batch, "context": context, "lr": lr, "seed": seed,
           "distil": distil, "decay": decay, "clip": clip, "text": int(np.sum(tokens * np.arange(1, len(tokens) + 1)))}
    optimizer, rows = AdamW(decay=decay), []
    if checkpoint is not None and Path(checkpoint).exists():
        trained, rows = _resume(Path(checkpoint), run, trained, optimizer)
    for step in wrap(progress, "qat")(range(len(rows), steps)):
        if watch is not None:
            watch(step, rounders, trained)
        text = windows(tokens, np.random.default_rng([seed, step]), batch, context)  # (batch, context + 1)
        teacher = batch_logits(model.config, model.weights, text[:, :-1]) if distil else None  # (batch*context, vocab)
        with np.errstate(over="ignore", invalid="ignore"):  # told in words below
            loss, found = rounded_loss(model, rounders, trained, text, teacher)
            found, norm = clip_gradients(found, clip)
        if not np.isfinite(loss + norm):
            raise ValueError(f"qat: the loss is {loss} at step {step}; try a lower learning rate than {lr}")
        rate = learning_rate(step, steps, lr, min(max(1, steps // 10), steps - 1))
        trained = optimizer.step(trained, found, rate)
        rows.append((loss, norm, rate))
        if checkpoint is not None and ((step + 1) % every == 0 or step + 1 == steps):
            _keep(Path(checkpoint), run, trained, optimizer, rows)
    if watch is not None:
        watch(steps, rounders, trained)
    return _finished(model, recipe, rounders, trained), History(*np.array(rows, np.float64).reshape(-1, 3).T)


def rounded_loss(model: Transformer, rounders: dict[str, Rounder], trained: dict[str, np.ndarray], text: np.ndarray,
                 teacher: np.ndarray | None) -> tuple[float, dict[str, np.ndarray]]:
    """Loss of the rounded model, and its gradients by all that is trained: weights, and steps under ``NAME.step``."""
    weights = {name: w for name, w in trained.items() if not name.endswith(STEP)}

    def through(name: str, weight: np.ndarray) -> np.ndarray:
        return rounders[name].used(weight, trained.get(name + STEP)) if name in rounders else weight

    loss, found = loss_and_gradients(model.config, weights, text, through, teacher)
    for name, r in rounders.items():
        found[name], dstep = r.backward(found[name], weights[name], trained.get(name + STEP))
        if dstep is not None:
            found[name + STEP] = dstep
    return loss, found


def _finished(model: Transformer, recipe: Recipe, rounders: dict[str, Rounder],
              trained: dict[str, np.ndarray]) -> Transformer:
    """The quantized model: QTensors of the rounded matrices, and the rest as bf16, as it is counted and stored."""
    bf16 = get_format("bf16")
    qtensors = {name: r.qtensor(trained[name], trained.get(name + STEP)) for name, r in rounders.items()}
    weights = {name: qtensors[name].dequantize() if name in qtensors else bf16.round(trained[name])
               for name in model.weights}
    return Transformer(model.config, weights, model.tokenizer, recipe, qtensors)


def _keep(path: Path, run: dict, trained: dict[str, np.ndarray], optimizer: AdamW, rows: list) -> None:
    """Write all that changes, under a temporary name first."""
    mean, square = optimizer.moments
    arrays = {f"{part}/{name}": x for part, group in (("w", trained), ("m", mean), ("v", square))
              for name, x in group.items()}
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as handle:
        np.savez(handle, run=np.array(json.dumps(run)), rows=np.array(rows, np.float64), **arrays)
    os.replace(temporary, path)


def _resume(path: Path, run: dict, trained: dict[str, np.ndarray],
            optimizer: AdamW) -> tuple[dict[str, np.ndarray], list]:
    """Weights and history from a checkpoint; the optimizer's state is put in place. Raises ValueError as ``qat``."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            found, rows = json.loads(str(kept["run"])), [tuple(row) for row in kept["rows"]]
            parts = [{name: kept[f"{part}/{name}"] for name in trained} for part in "wmv"] if found == run else []
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path.name} is no checkpoint of qat, or is damaged ({error}): remove it to start "
                         "anew") from None
    if found != run:
        changed = [key for key in run if found.get(key) != run[key]]
        raise ValueError(f"{path.name} belongs to another run: its {', '.join(changed)} differ. Name another file, or "
                         "remove it to start anew")
    optimizer.restore(len(rows), *parts[1:])
    return parts[0], rows
