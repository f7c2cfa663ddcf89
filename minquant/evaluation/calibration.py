"""Calibration text: what a method may look at before the model is measured.

How it works
    The ``calibration`` split of ``corpus.heldout``: paragraphs of the standard library's docstrings that the model was
    trained on, and that are named once and for all, so that everyone who asks for the same number of tokens and the
    same seed gets the same text. It shares no paragraph with the test text that figures are measured on. A seed draws
    the order of the paragraphs, so several seeds show how much of a figure is luck of the calibration text.

What we leave out
    Text of other kinds (code, another language, noise): make tokens of it with ``model.tokenizer.encode``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .corpus import heldout

if TYPE_CHECKING:
    from ..model import Transformer

TOKENS = 8192  # by default


def calibration_tokens(model: Transformer, count: int = TOKENS, seed: int = 0) -> np.ndarray:
    """Tokens for ``model.quantize(recipe, calibration=...)``.

    Args:
        model: a model with a tokenizer.
        count: how many tokens, token 0 at the start included.
        seed: draws the order of the paragraphs.

    Returns:
        int64 (count,). Half the count gives the first half of them.

    Raises:
        ValueError: no tokenizer, a count below 1 or above what the split holds.
        RuntimeError: as ``heldout``.
    """
    if model.tokenizer is None:
        raise ValueError("this model has no tokenizer to turn calibration text into tokens: put its tokenizer.json into "
                         "its folder, or give tokens of your own")
    if count < 1:
        raise ValueError(f"{count} calibration tokens: at least one is needed")
    paragraphs = heldout("calibration").paragraphs
    order = np.random.default_rng(seed).permutation(len(paragraphs))
    tokens = np.concatenate(([0], model.tokenizer.encode("\n\n".join(paragraphs[i] for i in order))))  # (N,)
    if count > len(tokens):
        raise ValueError(f"{count} calibration tokens: the calibration text has only {len(tokens)}")
    return tokens[:count].astype(np.int64)
