"""Small models and a short text that every test of the figures may use."""

from __future__ import annotations

import numpy as np
import pytest

from minquant.model import Config, Recipe, Tokenizer, Transformer, random_model
from minquant.model.tokenizer import BYTES_AS_TEXT

CONFIG = Config(vocab_size=260, hidden=16, layers=2, heads=4, kv_heads=2, head_dim=4, ffn=24, context=12)


def small_tokenizer() -> Tokenizer:
    """A tokenizer of single bytes, three merges and one special token, number 0."""
    vocab = {"<|endoftext|>": 0} | {piece: 1 + byte for byte, piece in BYTES_AS_TEXT.items()}
    merges = [("t", "h"), ("th", "e"), ("i", "n")]
    vocab |= {left + right: 257 + i for i, (left, right) in enumerate(merges)}
    return Tokenizer(vocab, merges, {"<|endoftext|>": 0})


@pytest.fixture(scope="session")
def model() -> Transformer:
    return Transformer(CONFIG, dict(random_model(CONFIG, seed=2).weights), small_tokenizer())


@pytest.fixture(scope="session")
def rounded(model) -> Transformer:
    return model.quantize(Recipe(weights="int3:channel", kv="int4:token"))


@pytest.fixture(scope="session")
def tokens(model) -> np.ndarray:
    return np.r_[0, model.tokenizer.encode("the cat in the hat, then nothing")]
