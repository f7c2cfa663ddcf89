"""Random models: lazy, seeded, exact in bf16, and of ordinary size all the way up."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from minquant.model import SHAPES, Config, Transformer, random_model
from minquant.scaling import fake_quantize

from .conftest import SMALL


def test_weights_are_made_when_asked_for_and_not_kept():
    model = random_model("0.8b")  # 808 million weights, in no time
    name = "model.layers.25.self_attn.k_proj.weight"
    first, second = model.weights[name], model.weights[name]
    assert first is not second and np.array_equal(first, second) and first.shape == (256, 1280)
    assert len(model.weights) == 26 * 9 + 2 and name in model.weights and "lm_head.weight" not in model.weights
    with pytest.raises(KeyError):
        model.weights["lm_head.weight"]


def test_seed_and_name_decide():
    a, b = random_model("tiny"), random_model("tiny", seed=1)
    q, k = "model.layers.0.self_attn.q_proj.weight", "model.layers.1.self_attn.q_proj.weight"
    assert not np.array_equal(a.weights[q], b.weights[q]) and not np.array_equal(a.weights[q], a.weights[k])


def test_the_stream_is_pinned():
    """The same weights on every machine and under every version of NumPy: stored figures depend on it."""
    w = random_model("tiny").weights["model.layers.0.mlp.up_proj.weight"]
    assert w.ravel()[:4].tolist() == [0.01068115234375, 0.0089111328125, 0.1396484375, 0.060791015625]


@pytest.mark.parametrize("name", ["model.embed_tokens.weight", "model.layers.2.input_layernorm.weight",
                                  "model.layers.1.mlp.down_proj.weight"])
def test_values_are_exact_in_bf16(name):
    w = random_model("tiny").weights[name]
    assert w.dtype == np.float32 and np.array_equal(w, fake_quantize(w, "bf16"))


def test_values_are_normal_and_unrelated():
    w = random_model("0.1b").weights["model.layers.0.mlp.up_proj.weight"].astype(float) * np.sqrt(768)  # 1.6 million
    assert abs(w.mean()) < 0.005 and abs(w.std() - 1) < 0.005
    assert abs((w**4).mean() - 3) < 0.03
    assert abs(np.corrcoef(w[:, :-1].ravel(), w[:, 1:].ravel())[0, 1]) < 0.005
    down = random_model("0.1b").weights["model.layers.0.mlp.down_proj.weight"]  # writes to the residual stream
    assert abs(down.std() * np.sqrt(2048 * 2 * 12) - 1) < 0.005
    gain = random_model("0.1b").weights["model.norm.weight"]
    assert abs(gain.mean() - 1) < 0.02 and 0.1 < gain.std() < 0.15


def test_activations_neither_explode_nor_vanish_over_28_layers():
    config = dataclasses.replace(SHAPES["0.6b"], vocab_size=512, hidden=256, heads=4, kv_heads=2, head_dim=64, ffn=768)
    sizes = {}

    def tap(name, x):
        sizes[name] = np.sqrt(np.mean(x * x))

    logits = random_model(config).run(np.arange(32), tap=tap)
    assert all(0.05 < size < 20 for size in sizes.values()), sizes
    assert 0.5 < logits.std() < 2


def test_logits_work_on_weights_that_are_not_kept(tokens):
    lazy = random_model(SMALL)
    assert np.array_equal(lazy.logits(tokens), Transformer(SMALL, dict(lazy.weights)).logits(tokens))


def test_unknown_shapes_are_refused():
    with pytest.raises(ValueError, match="unknown shape '7b': choose one of tiny, 0.1b, 0.6b, 0.8b"):
        random_model("7b")
    with pytest.raises(TypeError, match="a shape or a Config, not int"):
        random_model(7)
    assert random_model(Config(8, 4, 1, 1, 1, 2, 4, 8)).config.hidden == 4
