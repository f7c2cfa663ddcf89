"""Drawing a token, against the definition."""

from __future__ import annotations

import numpy as np
import pytest

import minquant as mq
import naive
from minquant.kernels import sampling
from minquant.model import Config, generation, random_model

pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")  # of uint64, meant so; only Python's NumPy warns
MINI = Config(vocab_size=37, hidden=64, layers=1, heads=2, kv_heads=1, head_dim=16, ffn=64, context=64)
CASES = [(0.7, None, 1.0), (1.0, None, 0.9), (1.0, 5, 1.0), (1.3, 8, 0.6), (1.0, 1, 1.0), (0.5, 400, 0.3),
         (1.0, None, 1e-9)]


def logits(seed=0, size=40):
    """With ties, some far below the others."""
    return np.round(np.random.default_rng(seed).standard_normal(size) * 3, 1).astype(np.float32)


def sample(x, temperature, top_k, top_p, share):
    return sampling.sample(x, temperature, top_k or x.size, top_p, share, np.zeros(x.size), np.zeros(x.size, np.int64))


@pytest.mark.parametrize("temperature, top_k, top_p", CASES)
def test_frequencies_are_the_definitions(temperature, top_k, top_p):
    """Evenly spaced shares hit every token as often as its probability says, to within one of the spacing."""
    x, count = logits(), 2000
    expected = naive.sampling_probabilities(x, temperature, top_k, top_p)
    drawn = [sample(x, temperature, top_k, top_p, (i + 0.5) / count) for i in range(count)]
    got = np.bincount(drawn, minlength=x.size) / count
    assert np.abs(got - expected).max() < 1.01 / count
    assert not got[np.array(expected) == 0].any()


@pytest.mark.parametrize("seed", range(5))
def test_a_share_gives_the_token_of_the_numpy_model(seed):
    class Fixed:
        def random(self):
            return self.share

    rng, fixed = np.random.default_rng(seed), Fixed()
    for fixed.share in rng.random(40):
        x, top_p = logits(seed, 60), float(rng.uniform(0.05, 0.99))
        assert sample(x, 0.8, None, top_p, fixed.share) == generation.sample(x, 0.8, top_p, fixed)


def test_draws_pass_a_chi_square_test():
    x, state, count = logits(3, 12), np.array([11], np.uint64), 3000
    expected = count * np.array(naive.sampling_probabilities(x, 2.0, None, 1.0))
    observed = np.bincount([sample(x, 2.0, None, 1.0, sampling.draw(state)) for _ in range(count)], minlength=12)
    assert ((observed - expected) ** 2 / expected).sum() < 31.3  # 11 degrees of freedom: exceeded once in 1000


def test_random_numbers_are_splitmix64():
    state = np.array([1234567], np.uint64)
    expected = naive.splitmix64(1234567, 5)
    assert expected[0] == 6457827717110365317  # the value of the published generator
    for number in expected:
        assert sampling.draw(state) == (number >> 11) / 2**53


def test_temperature_0_takes_the_lowest_of_equals():
    assert sample(np.array([1, 3, 2, 3], np.float32), 0.0, None, 1.0, 0.99) == 1
    assert sampling.likeliest(np.array([5], np.float32)) == 0


def test_large_logits_do_not_overflow():
    assert sample(np.array([-3e38, 3e38, 1], np.float32), 1.0, None, 0.9, 0.5) == 1


@pytest.mark.needs_jit
def test_a_seed_writes_the_same_text():
    decoder = mq.Decoder(random_model(MINI), "bf16", context=64)
    one, again, other = (decoder.generate([1, 2], 40, temperature=1.0, top_p=0.9, top_k=20, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.needs_jit
def test_blocks_draw_what_steps_draw():
    """The loop is the definition: draw from the logits, read, draw again."""
    decoder, state = mq.Decoder(random_model(MINI), "bf16", context=64), np.array([5], np.uint64)
    written = decoder.generate([1, 2], 2 * sampling.BLOCK + 3, temperature=1.5, top_p=0.95, seed=5)
    assert decoder.position == 2 + len(written) - 1
    decoder.reset()
    x = decoder.prefill([1, 2])
    for token in written:
        assert token == sample(x, 1.5, None, 0.95, sampling.draw(state))
        x = decoder.step(token)


@pytest.mark.needs_jit
def test_stop_ends_the_text_with_its_token():
    decoder = mq.Decoder(random_model(MINI), "bf16", context=64)
    whole = decoder.generate([1, 2], 40, temperature=1.5)
    stop = int(whole[20])
    first = int(np.argmax(whole == stop))
    np.testing.assert_array_equal(decoder.generate([1, 2], 40, temperature=1.5, stop=stop), whole[:first + 1])
    assert decoder.position == 2 + first


@pytest.mark.parametrize("arguments, error, message", [
    ({"temperature": -0.1}, ValueError, "temperature must be a number from 0 up, not -0.1"),
    ({"temperature": float("nan")}, ValueError, "temperature must be a number from 0 up"),
    ({"top_p": 0.0}, ValueError, "top_p must be above 0 and at most 1, not 0.0"),
    ({"top_p": 1.5}, ValueError, "top_p must be above 0 and at most 1"),
    ({"top_k": 0}, ValueError, "top_k must be at least 1, not 0"),
    ({"top_k": 2.5}, TypeError, "top_k must be a whole number"),
    ({"stop": 37}, ValueError, "stop: token 37 is outside the vocabulary"),
    ({"seed": -1}, ValueError, "seed must be at least 0"),
])
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        mq.Decoder(random_model(MINI), "bf16", context=4).generate([1], 2, **arguments)
