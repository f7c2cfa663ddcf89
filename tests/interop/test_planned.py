"""What cannot be written is refused before the work; rotated models are refused by everybody who cannot turn them."""

from __future__ import annotations

import json

import numpy as np
import pytest

import minquant as mq
from minquant.interop import check_plan, quantize_in_parts, write_checkpoint, write_gguf
from minquant.model import Config, Transformer, random_model, save
from minquant.model.rotation import rotate
from minquant.packing import gguf
from minquant.training import finetune, loss_and_gradients, qat

MINI = Config(vocab_size=64, hidden=64, layers=1, heads=4, kv_heads=2, head_dim=16, ffn=64, context=32)
TEXT = np.random.default_rng(0).integers(0, 64, 200)


@pytest.fixture(scope="module")
def model() -> Transformer:
    return Transformer(MINI, dict(random_model(MINI, 2).weights))


@pytest.fixture(scope="module")
def rotated(model) -> Transformer:
    return rotate(model)


@pytest.mark.parametrize("call", [
    lambda m, p: write_gguf(m, p / "m.gguf", "Q8_0"), lambda m, p: write_gguf(m.quantize(mq.Recipe(weights="q8_0")),
                                                                              p / "m.gguf"),
    lambda m, p: write_checkpoint(m.quantize(mq.Recipe(weights="int4:g32")), p / "out", "gptq"),
    lambda m, p: write_checkpoint(m.quantize(mq.Recipe(weights="int4:g32")), p / "out", "compressed-tensors"),
    lambda m, p: save(m, p / "out"), lambda m, p: qat(m, "int4:g32", TEXT, 1, 1, 8),
    lambda m, p: finetune(m, TEXT, 1, 1, 8), lambda m, p: loss_and_gradients(m.config, m.weights, TEXT[None, :9])],
    ids=["gguf", "gguf of codes", "gptq", "compressed-tensors", "folder", "qat", "finetune", "gradients"])
def test_a_rotated_model_is_refused_by_name_and_told_what_to_do(rotated, tmp_path, call):
    with pytest.raises(ValueError, match=r"rotated model \(config.online_hadamard\).*Hadamard matrix.*before rotation"):
        call(rotated, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_rotated_model_is_kept_in_a_file_of_ours(rotated, tmp_path):
    rotated.save(tmp_path / "m")
    assert np.array_equal(mq.load(tmp_path / "m").logits(TEXT[:5]), rotated.logits(TEXT[:5]))


@pytest.mark.parametrize("format, words, said", [
    ("gguf", {"weights": "int4:g32"}, "GGUF has no blocks for 'int4:g32'"),
    ("gguf", {"weights": "q4_0", "overrides": {"down_proj": "int8:g32"}}, "down_proj.weight: GGUF has no blocks"),
    ("gguf", {"weights": "q4_0", "method": "rotate"}, "a GGUF file cannot hold a rotated model"),
    ("gptq", {"weights": "int4:g32", "method": "rotate"}, "a gptq checkpoint cannot hold a rotated model"),
    ("gguf", {"weights": "int8:channel", "activations": "int8:token", "method": "llm_int8"}, "llm_int8 rounds the weights"),
    ("awq", {"weights": "int4:g32", "head": "int8:g32"}, "leave the head of the recipe in float"),
    ("gptq", {"weights": "int4:channel"}, "no place for 'int4:channel'"),
    ("gptq", {"weights": "int4:g32", "skip": ("down_proj",)}, "down_proj.weight is in float"),
    ("gguf", {"weights": "int4:g48"}, "no whole number of groups")])
def test_a_plan_that_cannot_be_written_is_refused_as_the_writer_would(model, format, words, said):
    with pytest.raises(ValueError, match=said):
        check_plan(model, mq.Recipe(**words), format)


@pytest.mark.parametrize("format, words, unsaid", [
    ("gguf", {"weights": "q4_0", "head": "q8_0", "overrides": {"down_proj": "q4_1"}}, []), ("gguf", {}, []),
    ("gguf", {"weights": "q8_0", "activations": "int8:g32", "kv": "fp16"}, ["activations", "kv"]),
    ("gguf", {"weights": "q8_0", "activations": "int8:tensor:static"}, ["activations"]),
    ("gguf", {"weights": "q8_0", "method": "smoothquant", "activations": "int8:token"}, ["activations"]),
    ("gptq", {"weights": "int4:g32", "method": "gptq"}, []),
    ("compressed-tensors", {"weights": "int8:channel", "kv": "int8:token"}, ["kv"])])
def test_a_plan_that_can_be_written_is_written(model, tmp_path, format, words, unsaid):
    recipe = mq.Recipe(**words)
    assert check_plan(model, recipe, format) == unsaid
    quantized = quantize_in_parts(model, recipe, tmp_path / "parts", 0, TEXT)
    write_gguf(quantized, tmp_path / "m") if format == "gguf" else write_checkpoint(quantized, tmp_path / "m", format)


def test_the_command_refuses_before_it_works(tmp_path, capsys, model):
    from minquant.cli import main

    save(model, tmp_path / "in")
    for words, said in ((["--weights", "int4:g32", "--out", "m.gguf"], "GGUF has no blocks"),
                        (["--weights", "q4_0", "--method", "rotate", "--out", "m.gguf"], "rotated model"),
                        (["--weights", "int4:channel", "--format", "gptq", "--out", "m"], "no place for")):
        assert main(["quantize", str(tmp_path / "in"), *words[:-1], str(tmp_path / words[-1])]) == 2
        err = capsys.readouterr().err
        assert said in err and "quantizing layer" not in err
    assert [p.name for p in tmp_path.iterdir()] == ["in"]
    words = ["--weights", "q8_0", "--activations", "int8:g32", "--out", str(tmp_path / "m.gguf")]
    assert main(["quantize", str(tmp_path / "in"), *words]) == 0
    assert "a gguf file says nothing of activations" in capsys.readouterr().err


def test_a_folder_of_somebody_else_is_not_emptied(tmp_path, model):
    (tmp_path / "m.parts").mkdir()
    (tmp_path / "m.parts" / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="a folder that quantize did not make"):
        quantize_in_parts(model, mq.Recipe(weights="int4:g32"), tmp_path / "m.parts", 0)
    assert (tmp_path / "m.parts" / "thesis.txt").exists()


@pytest.mark.parametrize("kind", ["gptq", "awq", "compressed-tensors", "gguf"])
def test_eval_says_what_a_file_of_others_holds(tmp_path, capsys, kind):
    from minquant.cli import main

    model, path = mq.load("tiny"), tmp_path / kind
    if kind == "gguf":
        write_gguf(model, path, "Q4_0")
        assert 8 * path.stat().st_size / model.config.parameters > 4.5
    else:
        write_checkpoint(model.quantize(mq.Recipe(weights="int4:g32")), path, kind)
    assert main(["eval", str(path), "--limit-bytes", "300", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["stored"].lower().startswith(kind) and report["kl"] is None
    assert report["bits_per_weight"] == pytest.approx(4.51 if kind == "gguf" else 6.4, abs=0.6)
    assert main(["eval", str(path), "--limit-bytes", "300"]) == 0
    assert f"{report['stored']}; " in capsys.readouterr().out


def test_digits_one_by_one_are_smollms_word_rule(tmp_path):
    pytest.importorskip("tokenizers")
    from minquant.model.library_tokenizer import from_json

    model = mq.load("tiny")
    raw = json.loads(model.tokenizer.to_json())
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    for digits, rule in ([{"type": "Digits", "individual_digits": True}], "smollm"), ([], "gpt-2"):
        raw["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [*digits, level]}
        given = Transformer(model.config, model.weights, from_json(json.dumps(raw)))
        write_gguf(given, tmp_path / "m.gguf", "Q8_0")
        again = mq.load(tmp_path / "m.gguf")
        text = "of 12345 items,<|endoftext|> 10 at a time"
        assert gguf.file.read(tmp_path / "m.gguf")[0]["tokenizer.ggml.pre"] == rule
        assert np.array_equal(again.tokenizer.encode(text), given.tokenizer.encode(text))
    raw["pre_tokenizer"] = level | {"add_prefix_space": True}
    with pytest.raises(ValueError, match="puts a space before every text"):
        write_gguf(Transformer(model.config, model.weights, from_json(json.dumps(raw))),
                   tmp_path / "n.gguf", "Q8_0")
    assert not (tmp_path / "n.gguf").exists()
