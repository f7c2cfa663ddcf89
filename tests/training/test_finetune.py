"""Fine-tuning learns a small text, the same way each time, and changes nothing it was given."""

from __future__ import annotations

import numpy as np
import pytest

from minquant.evaluation import perplexity
from minquant.model import Config, Recipe, Transformer, random_model
from minquant.scaling import fake_quantize
from minquant.training import finetune

CONFIG = Config(vocab_size=32, hidden=32, layers=2, heads=4, kv_heads=2, head_dim=8, ffn=48, context=32)
RNG = np.random.default_rng(0)
PHRASE = RNG.integers(1, 32, 24)
TEXT = np.concatenate([np.r_[0, PHRASE] for _ in range(12)])  # 300 tokens that can be learned by heart
SETTINGS = dict(batch=4, context=24, lr=3e-3)


def fresh() -> Transformer:
    return Transformer(CONFIG, dict(random_model(CONFIG, seed=1).weights))


@pytest.fixture(scope="module")
def trained():
    return finetune(fresh(), TEXT, 60, seed=3, **SETTINGS)


def test_the_loss_falls(trained):
    model, history = trained
    assert history.loss[0] > 3.0 and history.loss[-5:].mean() < 0.5 * history.loss[:5].mean()
    assert perplexity(model, TEXT).value < 0.25 * perplexity(fresh(), TEXT).value
    assert all(weight.dtype == np.float32 for weight in model.weights.values())


def test_the_history_has_one_entry_per_step(trained):
    _, history = trained
    assert history.loss.shape == history.gradient_norm.shape == history.learning_rate.shape == (60,)
    assert history.learning_rate[5] == pytest.approx(3e-3) == history.learning_rate.max()
    assert history.learning_rate[0] == pytest.approx(3e-3 / 6) and history.learning_rate[-1] < 1e-4
    assert (history.gradient_norm > 0).all()


def test_the_same_seed_gives_the_same_weights(trained):
    model, history = trained
    again, repeated = finetune(fresh(), TEXT, 60, seed=3, **SETTINGS)
    np.testing.assert_array_equal(history.loss, repeated.loss)
    for name, weight in model.weights.items():
        np.testing.assert_array_equal(weight, again.weights[name])
    _, other = finetune(fresh(), TEXT, 2, seed=4, **SETTINGS)
    assert other.loss[0] != history.loss[0]


def test_nothing_given_is_changed():
    model, text = fresh(), TEXT.copy()
    before = {name: weight.copy() for name, weight in model.weights.items()}
    finetune(model, text, 2, **SETTINGS)
    assert np.array_equal(text, TEXT)
    assert all(np.array_equal(weight, before[name]) for name, weight in model.weights.items())


def test_training_with_rounding_makes_the_rounded_model_better():
    """The seam at work: straight-through training at 2 bits against rounding afterwards."""
    def through(name: str, weight: np.ndarray) -> np.ndarray:
        return fake_quantize(weight, "int2:g8") if "_proj" in name else weight

    def rounded(model: Transformer) -> float:
        return perplexity(model.quantize(Recipe(weights="int2:g8")), TEXT).value

    plain, _ = finetune(fresh(), TEXT, 40, seed=0, **SETTINGS)
    aware, history = finetune(fresh(), TEXT, 40, seed=0, through=through, **SETTINGS)
    assert rounded(aware) < 0.8 * rounded(plain)
    assert history.loss[-5:].mean() == pytest.approx(np.log(rounded(aware)), abs=0.5)  # it trained what is used
    assert not np.array_equal(aware.weights["model.layers.0.mlp.up_proj.weight"],
                              fake_quantize(aware.weights["model.layers.0.mlp.up_proj.weight"], "int2:g8"))


def test_progress_is_shown_step_by_step():
    seen = []
    finetune(fresh(), TEXT, 3, progress=lambda steps: (seen.append(s) or s for s in steps), **SETTINGS)
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("change, message", [
    ({"steps": 0}, "steps must be a whole number of at least 1, not 0"),
    ({"batch": 2.5}, "batch must be a whole number"),
    ({"context": 0}, "context must be a whole number"),
    ({"context": 33}, "context 33 is longer than the 32 tokens"),
    ({"tokens": TEXT[:24]}, "24 tokens are too few for one window of context \\+ 1 = 25"),
    ({"tokens": np.r_[TEXT, 32]}, "token 32 at position 300 is outside the vocabulary"),
    ({"lr": 0.0}, "lr must be a finite number above 0"),
    ({"lr": float("nan")}, "lr must be a finite number above 0"),
    ({"clip": -1}, "clip must be a finite number above 0"),
    ({"warmup": 9}, "warmup \\(9\\) must be at least 0 and less than the 4 steps"),
    ({"lr": 1e30, "steps": 8}, "the loss is .* at step .*; try a lower learning rate than 1e\\+30"),
])
@pytest.mark.filterwarnings("error")
def test_bad_input_is_refused_with_words(change, message):
    given = {"tokens": TEXT, "steps": 4, **SETTINGS, **change}
    with pytest.raises(ValueError, match=message):
        finetune(fresh(), **given)


def test_a_quantized_model_is_refused():
    with pytest.raises(ValueError, match="finetune trains a float model, and this one is quantized"):
        finetune(fresh().quantize(Recipe(weights="int8:channel")), TEXT, 1, **SETTINGS)
    with pytest.raises(ValueError, match="finetune trains a float model"):
        finetune(fresh().quantize(Recipe(kv="int8:token")), TEXT, 1, **SETTINGS)
