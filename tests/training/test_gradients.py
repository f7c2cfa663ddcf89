"""Each backward function, and the whole model's, against finite differences in float64."""

from __future__ import annotations

import naive
import numpy as np
import pytest

from minquant.model import Config, Transformer, layers, random_model
from minquant.model.config import tensor_shapes
from minquant.training import batch_logits, gradients, loss_and_gradients

BASE = dict(vocab_size=13, hidden=12, layers=2, heads=4, kv_heads=2, head_dim=6, ffn=10, context=16, norm_eps=1e-3)
SHAPES = {
    "grouped": {}, "one key head": {"kv_heads": 1}, "a key head each": {"kv_heads": 4},
    "one block, wide heads": {"layers": 1, "heads": 2, "head_dim": 8}, "three blocks": {"layers": 3, "ffn": 7},
}


def close(got: np.ndarray, expected: dict[tuple[int, ...], float]) -> None:
    """Gradients agree to 1e-7 of the largest expected entry (central differences are off by about step^2 = 1e-10)."""
    size = max(1e-3, max(abs(v) for v in expected.values()))
    for index, value in expected.items():
        assert abs(got[index] - value) < 1e-7 * size, f"at {index}: {got[index]} instead of {value}"


def check(forward, backward, *arrays: np.ndarray) -> None:
    """Compare every entry of every gradient of sum(forward(*arrays) * weight) with finite differences."""
    weight = np.random.default_rng(9).standard_normal(forward(*arrays).shape)
    got = backward(weight, *arrays)
    got = got if isinstance(got, tuple) else (got,)
    for array, gradient in zip(arrays, got, strict=True):
        assert gradient.shape == array.shape and gradient.dtype == np.float64
        close(gradient, naive.numerical_gradient(lambda: float((forward(*arrays) * weight).sum()), array))


@pytest.fixture
def rng():
    return np.random.default_rng(4)


# --- the parts ---------------------------------------------------------------------------------------------------


def test_linear(rng):
    check(layers.linear, gradients.linear_backward, rng.standard_normal((5, 4)), rng.standard_normal((3, 4)))


def test_rms_norm(rng):
    def forward(x, gain):
        return layers.rms_norm(x, gain, 1e-2)

    check(forward, lambda dy, x, gain: gradients.rms_norm_backward(dy, x, gain, 1e-2),
          rng.standard_normal((5, 6)), rng.standard_normal(6))


def test_rms_norm_of_a_row_of_zeros_has_a_finite_gradient(rng):
    dx, _ = gradients.rms_norm_backward(rng.standard_normal((1, 6)), np.zeros((1, 6)), np.ones(6), 1e-5)
    assert np.isfinite(dx).all()


def test_swiglu(rng):
    check(layers.swiglu, gradients.swiglu_backward, 3 * rng.standard_normal((4, 5)), rng.standard_normal((4, 5)))


def test_rope(rng):
    cos, sin = layers.rope_angles(np.arange(5), 6, 100.0)
    check(lambda x: layers.rope(x, cos, sin), lambda dy, x: gradients.rope_backward(dy, cos, sin),
          rng.standard_normal((2, 3, 5, 6)))


@pytest.mark.parametrize("heads, kv_heads", [(1, 1), (4, 2), (3, 1), (2, 2)])
def test_attention(rng, heads, kv_heads):
    def backward(dy, q, k, v):
        return gradients.attention_backward(dy, q, k, v, gradients.attention(q, k, v)[1])

    check(lambda q, k, v: gradients.attention(q, k, v)[0], backward, rng.standard_normal((2, heads, 4, 6)),
          rng.standard_normal((2, kv_heads, 4, 6)), rng.standard_normal((2, kv_heads, 4, 6)))


def test_attention_of_a_batch_is_the_model_s_attention_of_each_text(rng):
    q, k, v = (rng.standard_normal((3, heads, 7, 8)).astype(np.float32) for heads in (6, 2, 2))
    got, _ = gradients.attention(q, k, v)
    for text in range(3):
        np.testing.assert_allclose(got[text], layers.attention(q[text], k[text], v[text]), atol=1e-6)


def test_embedding_sums_over_equal_tokens(rng):
    tokens = np.array([3, 0, 3, 3, 5])
    check(lambda e: e[tokens], lambda dy, e: gradients.embedding_backward(dy, tokens, 7), rng.standard_normal((7, 4)))


def test_cross_entropy(rng):
    logits, targets = rng.standard_normal((6, 5)), np.array([0, 4, 2, 2, 1, 3])
    loss, dlogits = gradients.cross_entropy(logits, targets)
    assert loss == pytest.approx(-np.mean([naive.log_probabilities(row)[t] for row, t in zip(logits, targets)]))
    close(dlogits, naive.numerical_gradient(lambda: gradients.cross_entropy(logits, targets)[0], logits))


def test_cross_entropy_of_huge_logits_is_finite():
    loss, dlogits = gradients.cross_entropy(np.array([[1e5, 0.0, -1e5]], np.float32), np.array([1]))
    assert loss == pytest.approx(1e5) and np.array_equal(dlogits, [[1, -1, 0]])


# --- the whole model ---------------------------------------------------------------------------------------------


def float64_weights(config: Config, seed: int = 0) -> dict[str, np.ndarray]:
    return {name: array.astype(np.float64) for name, array in random_model(config, seed).weights.items()}


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_gradient_of_the_model(shape, tied):
    config = Config(**{**BASE, **shape}, tied=tied)
    weights = float64_weights(config)
    rng = np.random.default_rng(1)
    tokens = rng.integers(0, config.vocab_size, (2, 6))
    _, got = loss_and_gradients(config, weights, tokens)
    assert list(sorted(got)) == sorted(tensor_shapes(config))
    for name, weight in weights.items():
        assert got[name].shape == weight.shape and got[name].dtype == np.float64
        some = [tuple(rng.integers(0, n) for n in weight.shape) for _ in range(6)]
        some.append(np.unravel_index(np.abs(got[name]).argmax(), weight.shape))  # and where it matters most
        expected = naive.numerical_gradient(lambda: loss_and_gradients(config, weights, tokens)[0], weight, some)
        close(got[name], expected)


def test_along_the_whole_gradient_the_loss_falls_as_foretold():
    """No entry is left out: the slope along the full gradient is its squared length."""
    config = Config(**BASE)
    weights, tokens = float64_weights(config), np.random.default_rng(2).integers(0, config.vocab_size, (3, 9))
    _, got = loss_and_gradients(config, weights, tokens)
    length = sum(float((g * g).sum()) for g in got.values())

    def loss(step: float) -> float:
        return loss_and_gradients(config, {n: w + step * got[n] for n, w in weights.items()}, tokens)[0]

    assert (loss(1e-5) - loss(-1e-5)) / 2e-5 == pytest.approx(length, rel=1e-6)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_the_loss_is_that_of_the_model(tied):
    config = Config(**BASE, tied=tied)
    weights = dict(random_model(config).weights)
    tokens = np.random.default_rng(3).integers(0, config.vocab_size, (4, 11))
    loss, got = loss_and_gradients(config, weights, tokens)
    model = Transformer(config, weights)
    expected = [-naive.log_probabilities(row)[t] for text in tokens
                for row, t in zip(model.logits(text[:-1]), text[1:])]
    assert loss == pytest.approx(np.mean(expected), abs=1e-6)
    exact = loss_and_gradients(config, {n: w.astype(np.float64) for n, w in weights.items()}, tokens)[1]
    for name, gradient in got.items():
        assert gradient.dtype == np.float32
        np.testing.assert_allclose(gradient, exact[name], atol=2e-6 * np.abs(exact[name]).max())


def test_one_text_of_one_token():
    config = Config(**BASE)
    loss, got = loss_and_gradients(config, float64_weights(config), np.array([[0, 5]]))
    assert np.isfinite(loss)
    assert not got["model.layers.0.self_attn.q_proj.weight"].any()  # a single key is attended to whatever the query


def test_the_seam_gives_the_weights_used_and_takes_their_gradient():
    config = Config(**BASE)
    weights, tokens = float64_weights(config), np.random.default_rng(5).integers(0, config.vocab_size, (2, 8))
    seen = {}

    def through(name: str, weight: np.ndarray) -> np.ndarray:
        seen[name] = weight
        return np.round(weight * 4) / 4 if weight.ndim == 2 else weight

    loss, got = loss_and_gradients(config, weights, tokens, through)
    rounded = {name: through(name, weight) for name, weight in weights.items()}
    expected_loss, expected = loss_and_gradients(config, rounded, tokens)
    assert loss == expected_loss != loss_and_gradients(config, weights, tokens)[0]
    assert seen.keys() == weights.keys()
    for name in weights:
        np.testing.assert_array_equal(got[name], expected[name])


def test_tokens_that_cannot_be_learned_from_are_named():
    model = random_model(Config(vocab_size=11, hidden=8, layers=1, heads=2, kv_heads=1, head_dim=4, ffn=8, context=8))
    weights = dict(model.weights.items())
    with pytest.raises(ValueError, match=r"shape \(B, T \+ 1\), not \(3,\)"):
        loss_and_gradients(model.config, weights, np.array([1, 2, 3]))
    with pytest.raises(ValueError, match="token -1 .* outside the vocabulary"):
        loss_and_gradients(model.config, weights, np.array([[1, -1, 3]]))
    with pytest.raises(TypeError, match="whole numbers"):
        loss_and_gradients(model.config, weights, np.array([[1.0, 2.0]]))


# --- a teacher ---------------------------------------------------------------------------------------------------


def test_divergence_from_a_teacher(rng):
    teacher = rng.standard_normal((3, 5))
    check(lambda z: np.array(gradients.divergence(z, teacher)[0]),
          lambda du, z: du * gradients.divergence(z, teacher)[1], rng.standard_normal((3, 5)))
    assert gradients.divergence(teacher + 7, teacher)[0] == pytest.approx(0, abs=1e-12)


def test_a_model_taught_by_another(rng):
    """Loss is the mean KL of the models' logits; its gradient, by finite differences; no gradient from itself."""
    config = Config(**BASE)
    weights, other = ({name: rng.standard_normal(shape) * 0.3 for name, shape in tensor_shapes(config).items()}
                      for _ in range(2))
    tokens = rng.integers(0, 13, (2, 6))
    teacher = batch_logits(config, other, tokens[:, :-1])
    float32 = Transformer(config, {name: w.astype(np.float32) for name, w in other.items()})
    np.testing.assert_allclose(teacher[5:], float32.logits(tokens[1, :-1]), atol=1e-4)
    loss, found = loss_and_gradients(config, weights, tokens, teacher=teacher)
    name = "model.layers.1.mlp.up_proj.weight"
    expected = naive.numerical_gradient(lambda: loss_and_gradients(config, weights, tokens, teacher=teacher)[0],
                                        weights[name], [(0, 0), (3, 5), (9, 11)])
    close(found[name], expected)
    itself, zero = loss_and_gradients(config, other, tokens, teacher=teacher)
    assert loss > 0.01 and abs(itself) < 1e-12 and max(np.abs(g).max() for g in zero.values()) < 1e-12
