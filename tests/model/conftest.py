"""Small models, random and finite in a moment, that every test of ``model`` may use."""

from __future__ import annotations

import numpy as np
import pytest

from minquant.model import Config, Transformer, random_model

SMALL = Config(vocab_size=19, hidden=16, layers=2, heads=6, kv_heads=2, head_dim=4, ffn=24, context=24, norm_eps=1e-3)
TOKENS = np.array([0, 7, 3, 18, 3, 11, 5])


def in_memory(config: Config, seed: int = 0) -> Transformer:
    """A random model whose weights are kept, as those of a loaded one are."""
    return Transformer(config, dict(random_model(config, seed).weights))


@pytest.fixture
def small() -> Transformer:
    return in_memory(SMALL)


@pytest.fixture
def tokens() -> np.ndarray:
    return TOKENS.copy()
