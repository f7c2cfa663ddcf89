"""Training with rounding: a quantized model like any other, better than rounding afterwards, and never lost."""

from __future__ import annotations

import numpy as np
import pytest

import minquant as mq
from minquant.evaluation import kl_divergence, perplexity
from minquant.model import Config, Recipe, Transformer, linear_names, random_model
from minquant.training import finetune, qat

CONFIG = Config(vocab_size=32, hidden=32, layers=2, heads=4, kv_heads=2, head_dim=8, ffn=48, context=32)
PHRASE = np.random.default_rng(0).integers(1, 32, 24)
TEXT = np.concatenate([np.r_[0, PHRASE] for _ in range(12)])
SETTINGS = dict(batch=4, context=24, lr=3e-3)


@pytest.fixture(scope="module")
def model():
    """A float model that has learned the text."""
    return finetune(Transformer(CONFIG, dict(random_model(CONFIG, seed=1).weights)), TEXT, 60, seed=3, **SETTINGS)[0]


def same(a: Transformer, b: Transformer) -> bool:
    return (all(np.array_equal(a.weights[name], b.weights[name]) for name in b.weights)
            and all(np.array_equal(a.qtensors[name].codes, q.codes) for name, q in b.qtensors.items()))


@pytest.mark.parametrize("scheme", ["int2:g8:asym", "ternary:g8:absmean", "ternary:channel"])
def test_it_beats_rounding_and_gptq_afterwards(model, scheme):
    trained, history = qat(model, scheme, TEXT, 40, **SETTINGS)
    kl = kl_divergence(trained, model, TEXT).mean()
    for method in ("rtn", "gptq"):
        assert kl < 0.5 * kl_divergence(model.quantize(Recipe(scheme, method), TEXT), model, TEXT).mean()
    assert history.loss[-5:].mean() < 0.5 * history.loss[0]


def test_the_text_can_be_the_teacher(model):
    trained, history = qat(model, "int2:g8:asym", TEXT, 40, distil=False, **SETTINGS)
    assert history.loss[-5:].mean() < 0.7 * history.loss[0]
    assert perplexity(trained, TEXT).value < perplexity(model.quantize(Recipe("int2:g8:asym")), TEXT).value


def test_the_result_is_a_model_like_any_other(model, tmp_path):
    trained, _ = qat(model, "int2:g8:asym", TEXT, 3, **SETTINGS)
    assert trained.recipe == Recipe("int2:g8:asym", "qat") and set(trained.qtensors) == set(linear_names(CONFIG))
    assert trained.nbytes == model.quantize(Recipe("int2:g8:asym")).nbytes
    trained.save(tmp_path / "model")
    back = mq.load(tmp_path / "model")
    assert same(back, trained) and np.array_equal(back.logits(TEXT[:9]), trained.logits(TEXT[:9]))
    bf16 = mq.formats.get("bf16")
    assert all(np.array_equal(bf16.round(w), w) for name, w in trained.weights.items() if name not in trained.qtensors)


def test_a_stopped_run_ends_with_the_same_bits(model, tmp_path):
    def stop(steps):
        for step in steps:
            if step == 5:
                raise KeyboardInterrupt
            yield step

    whole, history = qat(model, "int3:g8", TEXT, 8, seed=5, **SETTINGS)
    kept = tmp_path / "run.npz"
    with pytest.raises(KeyboardInterrupt):
        qat(model, "int3:g8", TEXT, 8, seed=5, checkpoint=kept, every=2, progress=stop, **SETTINGS)
    seen = []
    again, repeated = qat(model, "int3:g8", TEXT, 8, seed=5, checkpoint=kept, every=2,
                          progress=lambda steps: (seen.append(s) or s for s in steps), **SETTINGS)
    assert seen == [4, 5, 6, 7] and same(again, whole) and np.array_equal(history.loss, repeated.loss)
    finished, _ = qat(model, "int3:g8", TEXT, 8, seed=5, checkpoint=kept, every=2, **SETTINGS)
    assert same(finished, whole) and [path.name for path in tmp_path.iterdir()] == ["run.npz"]


def test_a_checkpoint_of_another_run_is_refused(model, tmp_path):
    kept = tmp_path / "run.npz"
    qat(model, "int3:g8", TEXT, 2, checkpoint=kept, **SETTINGS)
    with pytest.raises(ValueError, match="belongs to another run: its scheme, seed differ"):
        qat(model, "int4:g8", TEXT, 2, seed=1, checkpoint=kept, **SETTINGS)
    with pytest.raises(ValueError, match="its text differ"):
        qat(model, "int3:g8", TEXT[::-1], 2, checkpoint=kept, **SETTINGS)
    kept.write_bytes(kept.read_bytes()[:3000])
    with pytest.raises(ValueError, match="run.npz is no checkpoint of qat, or is damaged"):
        qat(model, "int3:g8", TEXT, 2, checkpoint=kept, **SETTINGS)


def test_the_seed_decides_and_nothing_given_is_changed(model):
    before = {name: w.copy() for name, w in model.weights.items()}
    first, again, other = (qat(model, "ternary:g8", TEXT, 2, seed=seed, **SETTINGS)[0] for seed in (1, 1, 2))
    assert same(first, again) and not same(first, other)
    assert all(np.array_equal(w, model.weights[name]) for name, w in before.items())


def test_training_can_be_watched(model):
    seen = []
    trained, _ = qat(model, "int2:g8:asym", TEXT, 3, **SETTINGS,
                     watch=lambda step, rounders, now: seen.append((step, rounders, now)))
    assert [step for step, *_ in seen] == [0, 1, 2, 3]
    name, (_, rounders, now) = "model.layers.0.mlp.up_proj.weight", seen[-1]
    assert np.array_equal(rounders[name].used(now[name], now[name + ".step"]), trained.weights[name])


@pytest.mark.parametrize("change, message", [
    ({"steps": 0}, "qat: steps must be a whole number"), ({"tokens": TEXT[:24]}, "qat: 24 tokens are too few"),
    ({"scheme": "nf4"}, "learns the step of an even grid"), ({"scheme": "int4:g7"}, "does not divide"),
    ({"lr": 1e30, "steps": 8}, "qat: the loss is .* at step .*; try a lower learning rate"),
])
@pytest.mark.filterwarnings("error")
def test_bad_input_is_refused_with_words(model, change, message):
    with pytest.raises(ValueError, match=message):
        qat(model, **{"scheme": "int4:g8", "tokens": TEXT, "steps": 2, **SETTINGS, **change})


def test_other_ways_to_quantize_point_here(model):
    with pytest.raises(ValueError, match="come from training the whole model.*minquant qat"):
        model.quantize(Recipe("int4:g8", "qat"))
    with pytest.raises(ValueError, match="qat trains a float model, and this one is quantized"):
        qat(model.quantize(Recipe("int4:g8")), "int4:g8", TEXT, 1, **SETTINGS)
