"""Incremental decode equals one pass over the whole text, to 1e-5, for every cache format.

Where it can hold
    What a token reads, it reads as codes; two passes whose codes are equal differ by the order of float32 sums alone. But
    the *numbers* that are rounded differ by that order too, and now and then one lies so near the edge between two codes
    that it falls to the other side. From then on the two passes read different caches, and no bound of 1e-5 can hold:
    this is rounding, and no mistake of the cache. So every step here starts from the cache of the whole pass, and a token
    is compared where its own key and value, and the group it completes, have the same codes in both. That most tokens
    are such is asserted as well, and so is that a code which tips goes to a neighbour.

Where it does not hold, by design
    A prompt read with ``prefill=True`` attends to itself in float. Its first logits are those of no cache at all
    (``test_cache.test_prefill_attends_in_float``).
"""

from __future__ import annotations

import numpy as np
import pytest

from minquant.model import Recipe

from .test_cache import FORMATS, LONG, in_memory

TOKENS = 220  # beyond the window of KIVI, and one group more
SAME = 1e-5


@pytest.fixture(scope="module")
def model():
    return in_memory(LONG, seed=5)


@pytest.fixture(scope="module")
def text():
    return np.random.default_rng(1).integers(0, LONG.vocab_size, TOKENS)


def stored(layer, first, stop):
    """What a layer keeps of these tokens: (keys, values), in codes' values or, where they wait, in bf16."""
    if layer.new_keys is not None:
        return layer.new_keys[:, first:stop], layer.new_values[:, first:stop]
    return layer.keys[:, first:stop], layer.values[:, first:stop]


def copy_into(cache, whole, count):
    """Make a cache hold the first ``count`` tokens as ``whole`` held them at that moment."""
    for mine, theirs in zip(cache.layers, whole.layers):
        mine.settled = mine.form.settled(count)
        mine.keys[:, :mine.settled], mine.values[:, :mine.settled] = (a[:, :mine.settled] for a in (theirs.keys, theirs.values))
        if mine.new_keys is not None:
            mine.new_keys[:, :count], mine.new_values[:, :count] = stored(theirs, 0, count)
        mine.length = count
    cache.length = count


def same_codes(cache, whole, first):
    """Whether the tokens from ``first`` on, and the groups they completed, are kept alike in both."""
    if cache.form.keys is None:
        return True  # floats: nothing can tip
    for mine, theirs in zip(cache.layers, whole.layers):
        old = mine.form.settled(first)
        pairs = [*zip(stored(mine, first, mine.length), stored(theirs, first, mine.length)),
                 (mine.keys[:, old:mine.settled], theirs.keys[:, old:mine.settled]),
                 (mine.values[:, old:mine.settled], theirs.values[:, old:mine.settled])]
        if not all(np.allclose(a, b, rtol=1e-6, atol=1e-6) for a, b in pairs):
            return False
    return True


@pytest.mark.parametrize("pieces", [1, 7], ids=["token by token", "seven at a time"])
@pytest.mark.parametrize("name", [None, *FORMATS])
def test_incremental_decode_equals_the_full_forward(model, text, name, pieces):
    rounded = model.quantize(Recipe(kv=name))
    whole, cache = rounded.new_cache(TOKENS), rounded.new_cache(TOKENS)
    expected = rounded.run(text, whole)
    compared = 0
    for first in range(0, TOKENS - pieces + 1, pieces):
        copy_into(cache, whole, first)
        got = rounded.run(text[first:first + pieces], cache)
        if same_codes(cache, whole, first):
            np.testing.assert_allclose(got, expected[first:first + pieces], rtol=0, atol=SAME)
            compared += pieces
        else:  # a neighbouring code, not another number
            changed = np.abs(rounded.logits(text[:first + pieces]) - model.logits(text[:first + pieces]))[first:].max()
            assert np.abs(got - expected[first:first + pieces]).max() < max(changed, SAME)
    assert compared > (0.65 * TOKENS if name else TOKENS - pieces)


def test_a_cache_that_is_rounded_again_would_be_seen(model, text):
    """The control: the same comparison with old keys rounded twice, to a grid of their own, is off by far more."""
    rounded = model.quantize(Recipe(kv="int4:token"))
    whole, cache = rounded.new_cache(TOKENS), rounded.new_cache(TOKENS)
    expected = rounded.run(text, whole)
    copy_into(cache, whole, 100)
    for layer in cache.layers:
        layer.keys[:, :100] = np.rint(layer.keys[:, :100] * 3) / 3
    got = rounded.run(text[100:101], cache)
    assert np.abs(got - expected[100:101]).max() > 100 * SAME
