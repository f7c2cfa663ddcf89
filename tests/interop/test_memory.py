"""A checkpoint larger than memory: opening it reads no numbers, and quantizing it takes memory for a layer, not for all."""

from __future__ import annotations

import dataclasses
import tracemalloc

import pytest

import minquant as mq
from minquant.interop import check_plan, quantize_in_parts, write_checkpoint, write_gguf
from minquant.model import Config, Transformer, random_model, save
from minquant.model.safetensors import SafetensorsFile
from minquant.packing import gguf

MINI = Config(vocab_size=64, hidden=64, layers=2, heads=4, kv_heads=2, head_dim=16, ffn=96, context=64)
WIDE = Config(vocab_size=12288, hidden=256, layers=2, heads=4, kv_heads=2, head_dim=64, ffn=768, context=64)
FLOAT = 4 * WIDE.vocab_size * WIDE.hidden  # bytes of its embedding as float32: most of the model


def made(kind: str, folder):
    """A checkpoint of each kind, and its path."""
    model = Transformer(MINI, dict(random_model(MINI, 1).weights))
    if kind == "gguf":
        write_gguf(model, folder / "m.gguf", "Q8_0")
        return folder / "m.gguf"
    if kind == "safetensors":
        save(model, folder)
    else:
        write_checkpoint(model.quantize(mq.Recipe(weights="int4:g32:asym")), folder, kind)
    return folder


@pytest.mark.parametrize("kind", ["safetensors", "gguf", "gptq", "awq", "compressed-tensors"])
def test_opening_a_checkpoint_reads_no_numbers(tmp_path, monkeypatch, kind):
    path = made(kind, tmp_path)

    def read(*args, **words):
        raise AssertionError("numbers were read")

    with monkeypatch.context() as patch:
        for name in ("rows", "stored"):
            patch.setattr(SafetensorsFile, name, read)
        patch.setattr(gguf, "dequantize", read)
        model = mq.load(path, lazy=True)
        assert "model.norm.weight" in model.weights and "lm_head.weight" not in model.weights
        check_plan(model, mq.Recipe(weights="q8_0"), "gguf")
        with pytest.raises(AssertionError, match="numbers were read"):
            model.weights["model.norm.weight"]
    assert model.weights["model.norm.weight"].shape == (64,)


def peak(folder, config: Config, kind: str) -> int:
    """Most bytes that were allocated while a checkpoint of this shape was quantized and written."""
    save(random_model(config), folder)
    recipe = {"gguf": mq.Recipe(weights="q4_0", head="q4_0"), "gptq": mq.Recipe(weights="int4:g32")}.get(kind)
    tracemalloc.start()
    try:
        model = mq.load(folder, lazy=True)
        if kind == "blocks":
            write_gguf(model, folder / "out.gguf", "Q4_0")
        else:
            model = quantize_in_parts(model, recipe, folder / "parts", 0)
            write_gguf(model, folder / "out.gguf") if kind == "gguf" else write_checkpoint(model, folder / "out", kind)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind, share", [("blocks", 1.5), ("gptq", 1.5), ("gguf", 1.7)])
def test_memory_does_not_grow_with_the_model(tmp_path, kind, share):
    """A third of the rows are converted at once here, in a few copies; all at once would be over twice the embedding.
    And layers cost nothing: six of them no more than two."""
    for name in ("two", "six"):
        (tmp_path / name).mkdir()
    two = peak(tmp_path / "two", WIDE, kind)
    assert two < share * FLOAT
    assert peak(tmp_path / "six", dataclasses.replace(WIDE, layers=6), kind) < two + (1 << 20)
