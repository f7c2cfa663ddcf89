"""A quantized model in one file: bit for bit the same, as large as it says, and refused where it is damaged."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import minquant as mq
from minquant.model import METHODS, Recipe, Tokenizer, Transformer, random_model, save, saving
from minquant.model.safetensors import SafetensorsFile
from minquant.model.tokenizer import BYTES_AS_TEXT

from .conftest import SMALL, in_memory

WIDE = dataclasses.replace(SMALL, hidden=32, ffn=64, heads=4, kv_heads=4, head_dim=8)  # for blocks of 32
CALIBRATION = np.random.default_rng(2).integers(0, SMALL.vocab_size, 60)
RECIPES = [
    Recipe(),
    Recipe(weights="int4:g8:asym", activations="int8:token", kv="int4:token", attention="int8:token",
           head="int3:channel"),
    Recipe(weights="int3:channel", skip=("down_proj", "layers.1"), overrides={"o_proj": "fp6_e3m2:channel"}),
    Recipe(weights="mxfp4:even", overrides={"layers.0": "nvfp4", "down_proj": "nf4_dq", "o_proj": "q4_1"}, head="bf16"),
    *(Recipe(weights="int3:g8:asym", method=method) for method in METHODS if method not in ("llm_int8", "qat")),
    Recipe(weights="int8:channel", activations="int8:token", method="llm_int8:1.5", head="int8:channel"),
    Recipe(weights="int4:g8", activations="int8:tensor:asym:p99.9:static", head="int8:channel", skip="v_proj"),
]


def same(a: Transformer, b: Transformer) -> bool:
    """Nothing tells the two apart, bit for bit."""
    def bits(array):
        return None if array is None else (array.dtype, array.shape, array.tobytes())

    parts = [[{name: bits(array) for name, array in {"codes": q.codes, "scale": q.scale, "zero": q.zero_point,
                                                     **q.extra}.items()} | {"scheme": q.scheme}
              for _, q in sorted(model.qtensors.items())] for model in (a, b)]
    return (a.config == b.config and a.recipe == b.recipe
            and set(a.qtensors) == set(b.qtensors) and parts[0] == parts[1]
            and {n: bits(a.weights[n]) for n in b.weights} == {n: bits(w) for n, w in b.weights.items()})


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("tied", [True, False])
def test_a_model_comes_back_bit_for_bit(tmp_path, recipe, tied, tokens):
    model = in_memory(dataclasses.replace(WIDE, tied=tied)).quantize(recipe, CALIBRATION)
    model.save(tmp_path / "model.safetensors")
    back = mq.load(tmp_path / "model.safetensors")
    assert same(model, back) and back.nbytes == model.nbytes
    assert np.array_equal(back.logits(tokens), model.logits(tokens))
    assert np.array_equal(back.generate([1], 5), model.generate([1], 5))
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize("recipe", RECIPES[:4])
def test_the_file_has_the_bytes_the_model_claims_and_a_header(tmp_path, recipe):
    bf16 = Recipe(weights="bf16", head="bf16")
    model = Transformer(WIDE, in_memory(WIDE).quantize(bf16).weights).quantize(recipe)
    model.save(tmp_path / "model")
    data = (tmp_path / "model").read_bytes()
    assert len(data) == 8 + int.from_bytes(data[:8], "little") + model.nbytes


def test_what_awq_folds_into_norms_is_kept_in_float32(tmp_path):
    model = in_memory(SMALL).quantize(Recipe(weights="int3:g8:asym", method="awq"), CALIBRATION)
    model.save(tmp_path / "model")
    file, name = SafetensorsFile(tmp_path / "model"), "model.layers.0.input_layernorm.weight"
    assert file.stored(name).dtype == np.float32 and np.array_equal(file[name], model.weights[name])


def test_the_tokenizer_and_the_model_without_one(tmp_path):
    vocab = {"<|endoftext|>": 0} | {piece: 1 + byte for byte, piece in BYTES_AS_TEXT.items()}
    tokenizer = Tokenizer(vocab | {"th": 257}, [("t", "h")], {"<|endoftext|>": 0})
    config = dataclasses.replace(SMALL, vocab_size=258)
    model = Transformer(config, in_memory(config).weights, tokenizer)
    model.save(tmp_path / "model")
    back = mq.load(tmp_path / "model")
    assert back.tokenizer.encode("the thé").tolist() == tokenizer.encode("the thé").tolist()
    in_memory(SMALL).save(tmp_path / "none")
    assert mq.load(tmp_path / "none").tokenizer is None


def test_lazy_weights_are_saved(tmp_path, tokens):
    model = random_model(SMALL, seed=3).quantize(Recipe(weights="int4:g8"))
    model.save(tmp_path / "model")
    assert np.array_equal(mq.load(tmp_path / "model").logits(tokens), model.logits(tokens))


def test_a_loaded_model_is_quantized_already(tmp_path):
    in_memory(SMALL).quantize(Recipe(weights="int4:g8")).save(tmp_path / "model")
    with pytest.raises(ValueError, match="quantized already"):
        mq.load(tmp_path / "model").quantize(Recipe(weights="int4:g8"))


# ---- what is refused


@pytest.fixture
def path(tmp_path):
    """A file of a quantized model."""
    in_memory(SMALL).quantize(Recipe(weights="int4:g8:asym", overrides={"o_proj": "int8:channel"})).save(tmp_path / "m")
    return tmp_path / "m"


def rewritten(path, **changes) -> None:
    """Change what a file says about its model, and let the checksum agree: what a stranger could do."""
    file = SafetensorsFile(path)
    tensors = {name: np.array(file.stored(name)) for name in file}
    for name in [name for name in changes if name in tensors]:
        value = changes.pop(name)
        tensors = {n: x for n, x in tensors.items() if n != name} | ({} if value is None else {name: value})
    about = {key: value for key, value in (json.loads(file.metadata["minquant"]) | changes).items() if value != "drop"}
    text = json.dumps(about)
    saving.write_stored(path, tensors, {"minquant": text, "crc32": saving._checksum(text, tensors.values())})


def test_every_cut_is_refused(path, tmp_path):
    whole = path.read_bytes()
    for keep in (*range(0, len(whole), 97), len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:keep])
        with pytest.raises(ValueError, match="cut"):
            mq.load(tmp_path / "cut")


def test_a_flipped_bit_anywhere_is_refused_or_changes_nothing(path, tokens):
    whole, model, rng = path.read_bytes(), mq.load(path), np.random.default_rng(0)
    header = 8 + int.from_bytes(whole[:8], "little")
    places = [*rng.integers(0, header, 120), *rng.integers(header, len(whole), 40)]
    refused = 0
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            assert same(mq.load(path), model)  # a blank behind the header
        except ValueError as error:
            assert path.name in str(error)
            refused += 1
    assert refused >= len(places) - 5


def test_a_damaged_payload_is_named_as_such(path):
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    with pytest.raises(ValueError, match="m is damaged: its checksum is [0-9a-f]{8}, not [0-9a-f]{8}"):
        mq.load(path)


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_version_is_refused_by_name(path, version):
    rewritten(path, version=version)
    with pytest.raises(ValueError, match=f"m has version {version!r} of this layout; this minquant reads version 1"):
        mq.load(path)


O_CODES, NORM = "model.layers.0.self_attn.o_proj.weight.codes", "model.norm.weight"


@pytest.mark.parametrize("changes, words", [
    ({"config": "drop"}, "is incomplete: KeyError"),
    ({"recipe": {"weights": "int4:g8:asym", "colour": "red"}}, "is incomplete: TypeError.*colour"),
    ({"recipe": {"weights": "int9:g8"}}, "recipe, weights: unknown scheme"),
    ({"recipe": {"method": "magic"}}, "'magic' is unknown"),
    ({"config": dataclasses.asdict(SMALL) | {"layers": -1}}, "layers must be a whole number"),
    ({"config": dataclasses.asdict(SMALL) | {"layers": 3}}, "tensor model.layers.2.* is missing, or has no place"),
    ({"config": dataclasses.asdict(SMALL) | {"hidden": 12}}, "group size 8 does not divide"),
    ({"config": dataclasses.asdict(SMALL) | {"vocab_size": 18}}, r"tensor .*embed_tokens.weight has shape \(19, 16\)"),
    ({"schemes": {"no.weight": "int4:g8"}}, "the model has no weight no.weight to be quantized"),
    ({"schemes": {}}, "tensor model.layers.0.* is missing, or has no place"),
    ({"schemes": {"model.norm.weight": "int4:g3"}}, "group size 3 does not divide"),
    ({"tokenizer": "{}"}, "not laid out as a tokenizer file"),
    ({O_CODES: None}, f"tensor {O_CODES} is missing, or has no place"),
    ({O_CODES: np.zeros(3, np.uint8)}, rf"tensor {O_CODES} has shape \(3,\); the model's shape asks for \(384,\)"),
    ({NORM: np.full(16, np.nan, np.float32)}, "tensor model.norm.weight holds nan"),
    ({NORM: np.zeros(16, np.uint8)}, "tensor model.norm.weight has dtype U8"),
])
def test_a_file_made_by_a_stranger_is_checked(path, changes, words):
    rewritten(path, **changes)
    with pytest.raises(ValueError, match=f"^m: .*{words}"):
        mq.load(path)


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"config": 1}', "[" * 100_000])
def test_a_description_that_is_none(path, text):
    file = SafetensorsFile(path)
    saving.write_stored(path, {name: np.array(file.stored(name)) for name in file}, {"minquant": text})
    with pytest.raises(ValueError, match="m: what it says about its model is damaged"):
        mq.load(path)


def test_a_checkpoint_of_others_is_not_taken_for_one_of_ours(tmp_path, small):
    save(small, tmp_path)
    with pytest.raises(ValueError, match="model.safetensors was not written by minquant.* give the folder"):
        mq.load(tmp_path / "model.safetensors")


def test_an_interrupted_or_refused_save_leaves_the_old_file(path, monkeypatch):
    before, model = path.read_bytes(), in_memory(SMALL)
    model.weights[NORM][3] = np.inf
    with pytest.raises(ValueError, match="model.norm.weight holds NaN or infinity"):
        model.save(path)
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        in_memory(SMALL).save(path)
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["m"]
