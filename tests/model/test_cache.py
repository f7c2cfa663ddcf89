"""The quantized cache: what each query reads against the rules, written once, bytes reported are bytes held."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from numpy.testing import assert_allclose

from minquant.model import CacheFormat, Config, KVCache, Recipe, load
from minquant.model import layers as parts
from minquant.model.cache import LayerCache
from minquant.scaling import Scheme, fake_quantize

from .conftest import in_memory

LONG = Config(vocab_size=19, hidden=16, layers=2, heads=4, kv_heads=2, head_dim=32, ffn=24, context=330)
FORMATS = ("bf16", "int8:token", "int3:token", "int4:g32:asym", "int2:token", "fp8_e4m3:token", "fp8_e5m2:g32", "mxfp8",
           "mxfp4", "int4:token:keychannel", "int4:g32:asym:keychannel", "mxfp8:keychannel", "kivi4", "kivi2",
           "int8:token:prerope", "kivi2:prerope", "int4:token:prerope:keychannel")
BITS = {"bf16": 16, "int8:token": 9, "int3:token": 4, "int4:g32:asym": 4.625, "int2:token": 3, "fp8_e4m3:token": 9,
        "fp8_e5m2:g32": 8.5, "mxfp8": 8.25, "mxfp4": 4.25, "int4:token:keychannel": (4.5 + 5) / 2,
        "int4:g32:asym:keychannel": 4.625, "mxfp8:keychannel": 8.25, "kivi4": 5, "kivi2": 3, "int8:token:prerope": 9,
        "kivi2:prerope": 3, "int4:token:prerope:keychannel": (4.5 + 5) / 2}  # of a number of 32 in codes
CHUNKS = ([330], [1] * 330, [100, 1, 28, 30, 1, 1, 169], [160, 170])


@pytest.fixture(scope="module")
def model():
    return in_memory(LONG, seed=5)


@pytest.fixture(scope="module")
def text():
    return np.random.default_rng(1).integers(0, LONG.vocab_size, 330)


@pytest.fixture(scope="module")
def kv():
    """Keys with two large channels, and values, as (KV heads, tokens, head size)."""
    k, v = np.random.default_rng(2).standard_normal((2, 2, 330, 32)).astype(np.float32)
    k[..., 3] += 20
    k[..., 9] *= 8
    return k, v


def filled(kv_format, k, v, chunks):
    cache, pieces, first = KVCache(LONG, None, kv_format), [], 0
    for n in chunks:
        pieces.append([cache.store(layer, k[:, first:first + n], v[:, first:first + n]) for layer in range(2)][0])
        cache.advance(n)
        first += n
    return cache, pieces


def in_chunks(model, text, chunks):
    """Logits of a text read in passes of these lengths."""
    cache = model.new_cache()
    return np.concatenate([model.run(part, cache) for part in np.split(text, np.cumsum(chunks)[:-1])])


def read_by(pieces):
    """Keys and values each query reads, in the order of the queries."""
    for passed in pieces:
        for own, keys, values in passed:
            count = (own.stop or 0) - own.start
            for i in range(count):
                seen = keys.shape[1] - count + 1 + i
                yield keys[:, :seen], values[:, :seen]


@pytest.mark.parametrize("bits", [2, 4])
@pytest.mark.parametrize("chunks", CHUNKS, ids=lambda c: f"{len(c)} passes")
def test_kivi_reads_what_the_rules_say(kv, bits, chunks):
    k, v = kv
    reads = list(read_by(filled(f"kivi{bits}", k, v, chunks)[1]))
    assert [keys.shape[1] for keys, _ in reads] == list(range(1, 331))
    for t in (0, 31, 126, 127, 158, 159, 160, 190, 191, 222, 329):
        for head in range(2):
            ref_k, ref_v = naive.kivi_rows(k[head, :t + 1], v[head, :t + 1], bits)
            assert_allclose(reads[t][0][head], ref_k, rtol=1e-6, atol=1e-6)
            assert_allclose(reads[t][1][head], ref_v, rtol=1e-6, atol=1e-6)


def test_keys_by_channel_wait_for_their_group_only(kv):
    k, v = kv
    reads = list(read_by(filled("int4:token:keychannel", k, v, [330])[1]))
    for t in (30, 31, 32, 63, 64, 329):
        old = (t + 1) // 32 * 32
        columns = fake_quantize(k[:, :old], "bf16").transpose(0, 2, 1)  # what waited was in bf16
        ref = fake_quantize(columns, "int4:g32").transpose(0, 2, 1) if old else k[:, :0]
        assert np.array_equal(reads[t][0][:, :old], ref)
        assert np.array_equal(reads[t][0][:, old:], fake_quantize(k[:, old:t + 1], "bf16"))
        if old:
            assert np.array_equal(reads[t][1][:, :old], fake_quantize(fake_quantize(v[:, :old], "bf16"), "int4:token"))


def test_keys_by_channel_keep_the_neighbours_of_a_large_one(kv):
    """The reason for the axis: the error of the channels beside the large ones, by token and by channel."""
    k, v = kv
    small = [c for c in range(32) if c not in (3, 9)]
    error = {}
    for name in ("int4:token", "int4:token:keychannel"):
        cache, _ = filled(name, k[:, :320], v[:, :320], [320])
        error[name] = np.square(cache.keys[0, :, :320] - k[:, :320])[..., small].mean()
    assert error["int4:token"] > 10 * error["int4:token:keychannel"]


@pytest.mark.parametrize("name", FORMATS)
def test_token_by_token_equals_all_at_once(model, text, name):
    """In float to 1e-5. With a format, the order of a sum may tip a value over the edge between two codes; who reads it
    then differs by that code, far less than by the format itself. That all read the same is tested above, exactly."""
    assert_allclose(in_chunks(model, text, CHUNKS[2]), model.logits(text), atol=1e-5)
    rounded = model.quantize(Recipe(kv=name))
    ref = rounded.logits(text)
    changed = np.abs(ref - model.logits(text)).max(axis=1)
    for chunks in CHUNKS:
        errors = np.abs(in_chunks(rounded, text, chunks) - ref).max(axis=1)
        assert np.median(errors) < 0.2 * np.median(changed)


@pytest.mark.parametrize("name", FORMATS)
def test_bytes_reported_are_bytes_held(kv, name):
    k, v = kv
    for chunks in ([1] * 40, [200], [330], [100, 1, 28, 30, 1, 1, 169]):
        cache, _ = filled(name, k, v, chunks)
        held = 0
        for layer in cache.layers:
            held += sum(part.nbytes for codes in layer.key_codes + layer.value_codes for part in codes.pack().values())
            if layer.new_keys is not None:  # on bf16's grid: two bytes a number
                held += 2 * 2 * layer.new_keys[:, layer.settled:layer.length].size
        assert cache.nbytes == held == 2 * cache.form.nbytes(cache.length, 2, 32)
        old = cache.form.settled(cache.length)
        assert cache.nbytes == 2 * 2 * 2 * 32 * (BITS[name] * old + 16 * (cache.length - old)) / 8


def test_without_a_format_the_floats_are_held(kv):
    cache, _ = filled(None, *kv, [330])
    assert np.array_equal(cache.keys[0], kv[0]) and np.array_equal(cache.values[1], kv[1])
    assert cache.nbytes == cache.keys.nbytes + cache.values.nbytes == 2 * cache.form.nbytes(330, 2, 32)


@pytest.mark.parametrize("name", FORMATS)
def test_a_group_is_written_once(kv, name, monkeypatch):
    """Every token of every layer passes the one place that rounds once, in order; codes and values stay as written."""
    k, v = kv
    written, plain = [], LayerCache._write

    def counted(self, keys, values):
        first = self.settled
        plain(self, keys, values)
        written.append((id(self), first, self.settled))

    monkeypatch.setattr(LayerCache, "_write", counted)
    cache, seen = KVCache(LONG, None, name), 0
    for n in (150, 1, 20, 60, 99):
        kept = cache.keys[:, :, :cache.layers[0].settled].copy(), list(cache.layers[1].key_codes)
        for layer in range(2):
            cache.store(layer, k[:, seen:seen + n], v[:, seen:seen + n])
        cache.advance(n)
        seen += n
        assert np.array_equal(cache.keys[:, :, :kept[0].shape[2]], kept[0])
        assert all(a is b for a, b in zip(kept[1], cache.layers[1].key_codes))
    for layer in cache.layers:
        spans = [(first, stop) for number, first, stop in written if number == id(layer)]
        assert spans[0][0] == 0 and [s[0] for s in spans[1:]] == [s[1] for s in spans[:-1]]
        assert spans[-1][1] == cache.form.settled(330) == layer.settled


@pytest.mark.parametrize("name", ["int4:token", "kivi2", "int4:token:keychannel", "int8:token:prerope"])
def test_prefill_attends_in_float(model, text, name):
    rounded = model.quantize(Recipe(kv=name))
    cache = rounded.new_cache()
    assert_allclose(rounded.run(text[:200], cache, prefill=True), model.logits(text[:200]), atol=1e-5)
    other = rounded.new_cache()
    model_cache = model.new_cache()
    model.run(text[:200], model_cache)
    for layer in range(2):  # what was stored is what the format makes of the float model's keys and values
        given = (model_cache.keys[layer, :, :200], model_cache.values[layer, :, :200])
        if not name.endswith("prerope"):
            other.store(layer, *given)
            assert np.array_equal(cache.keys[layer], other.keys[layer])
    got = rounded.run(text[200:202], cache, prefill=True)  # older tokens are there only as they are held
    assert np.abs(got - model.logits(text[:202])[200:]).max() > 1e-4


def test_keys_before_rope_are_turned_when_read(kv):
    k, v = kv
    angles = parts.rope_angles(np.arange(330), 32, LONG.rope_theta)
    cache, _ = filled("int8:token:prerope", k, v, [200, 130])
    assert_allclose(cache.keys[0], parts.rope(fake_quantize(k, "int8:token"), *angles), atol=1e-5)
    cache, pieces = filled("kivi2:prerope", k, v, [330])
    plain, plain_pieces = filled("kivi2", k, v, [330])
    assert_allclose(cache.keys[0, :, :192], parts.rope(plain.keys[0, :, :192], *(a[:192] for a in angles)), atol=1e-5)
    assert_allclose(pieces[0][-1][1], parts.rope(plain_pieces[0][-1][1], *angles), atol=1e-5)


def test_kivi_up_to_its_window_is_bf16(model, text):
    a, b = (model.quantize(Recipe(kv=name)).logits(text[:159]) for name in ("kivi2", "bf16"))
    assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("name, words", [
    ("kivi3", "unknown scheme 'kivi3'.*kivi2 or kivi4.*keychannel.*prerope"), ("int8:channel", "write int8:token"),
    ("int8:tensor", "whole tensor"), ("nvfp4", "whole tensor"), ("kivi2:keychannel", "by channel already"),
    ("bf16:keychannel", "no scale for 32 tokens"), ("int4:g16:keychannel", "g32"), ("int8:token:prerop", "prerop"),
])
def test_unknown_formats_are_named(name, words):
    with pytest.raises(ValueError, match=f"recipe, kv: .*{words}"):
        Recipe(kv=name)


def test_formats_read_from_strings_and_schemes():
    assert CacheFormat.parse("kivi4") == CacheFormat.parse("kivi4") and CacheFormat.parse(None) == CacheFormat()
    assert CacheFormat.parse(Scheme.parse("int8:token")) == CacheFormat.parse("int8:token")
    assert str(CacheFormat.parse("int4:token:asym:keychannel").keys) == "int4:g32:asym"
    with pytest.raises(TypeError, match="recipe, kv"):
        Recipe(kv=8)


def test_a_pass_broken_off_leaves_no_half_cache_in_use(kv):
    cache = KVCache(LONG, None, "int8:token")
    cache.store(0, kv[0][:, :3], kv[1][:, :3])
    with pytest.raises(ValueError, match="layer 0 of the cache holds 3 tokens and the cache 0: a pass was broken off"):
        cache.store(0, kv[0][:, :3], kv[1][:, :3])


def test_heads_that_hold_no_whole_group_are_refused(small):
    for name in ("kivi2", "mxfp8", "int4:g32:keychannel"):
        with pytest.raises(ValueError, match=f"kv: a head: a row of 4 is no whole number of groups of 32 .{name}"):
            small.quantize(Recipe(kv=name))
    assert np.isfinite(small.quantize(Recipe(kv="int4:token:keychannel")).logits([1, 2, 3])).all()


def test_a_saved_model_keeps_its_formats(model, text, tmp_path):
    rounded = model.quantize(Recipe(weights="int8:channel", kv="kivi2:prerope", attention="int8:token:smooth"))
    rounded.save(tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    assert loaded.recipe == rounded.recipe and np.array_equal(loaded.logits(text), rounded.logits(text))


def test_generation_goes_on_past_the_window(model, text):
    """As token by token: the prompt in float, then every token reads what is held."""
    rounded = model.quantize(Recipe(kv="kivi2"))
    written = rounded.generate(text[:150], 40)
    cache, expected = rounded.new_cache(), []
    logits = rounded.run(text[:150], cache, prefill=True)[-1]
    for _ in range(40):
        expected.append(int(logits.argmax()))
        logits = rounded.run(expected[-1:], cache)[0]
    assert written.tolist() == expected and cache.layers[0].settled == 32
