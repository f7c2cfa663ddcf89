"""Quantizing in parts: the bytes of an uninterrupted run, whatever interrupted it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import minquant as mq
from minquant.interop import parts, quantize_in_parts, write_gguf
from minquant.model import Config, Transformer, load, random_model, save

MINI = Config(vocab_size=64, hidden=64, layers=3, heads=4, kv_heads=2, head_dim=16, ffn=96, context=32)
TEXT = np.random.default_rng(0).integers(0, 64, 200)
RECIPES = [{"weights": "int4:g32"}, {"weights": "q4_0", "head": "q4_0"}, {"weights": "int4:g32:asym", "method": "hqq"},
           {"weights": "int3:g32:asym", "method": "gptq", "head": "int8:channel"},
           {"weights": "int4:g32", "method": "awq", "overrides": {"down_proj": "int8:g32"}, "skip": ("layers.1",)},
           {"weights": "int4:g32:asym", "method": "awq+gptq"}, {"head": "nvfp4"}]


@pytest.fixture
def folder(tmp_path):
    save(random_model(MINI, 5), tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def interrupt_at(monkeypatch, call: int):
    """Let the work stop when it comes to its n-th layer."""
    real, calls = parts.quantize_block, []

    def counted(*args):
        calls.append(1)
        if len(calls) > call:
            raise KeyboardInterrupt
        real(*args)

    monkeypatch.setattr(parts, "quantize_block", counted)


@pytest.mark.parametrize("words", RECIPES, ids=str)
@pytest.mark.parametrize("stop", [0, 2])
def test_an_interrupted_run_goes_on_to_the_same_bytes_as_in_memory(folder, tmp_path, monkeypatch, words, stop):
    recipe, work = mq.Recipe(**words), tmp_path / "out.parts"
    load(folder).quantize(recipe, TEXT).save(tmp_path / "expected")
    if recipe.has_weights:
        with monkeypatch.context() as patch:
            interrupt_at(patch, stop)
            with pytest.raises(KeyboardInterrupt):
                quantize_in_parts(load(folder, lazy=True), recipe, work, "source", TEXT)
        assert len(list(work.glob("layer_*"))) == stop
    made = []
    monkeypatch.setattr(parts, "_layer_part", lambda *a, real=parts._layer_part: made.append(a[1]) or real(*a))
    model = quantize_in_parts(load(folder, lazy=True), recipe, work, "source", TEXT)
    assert made == (list(range(stop, 3)) if recipe.has_weights else [])
    model.save(tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == (tmp_path / "expected").read_bytes()
    assert np.array_equal(model.logits(TEXT[:9]), mq.load(tmp_path / "expected").logits(TEXT[:9]))


def test_gguf_from_parts_is_gguf_from_memory(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "ROWS_AT_ONCE", 24)
    recipe = mq.Recipe(weights="q4_0", head="q8_0")
    write_gguf(load(folder).quantize(recipe), tmp_path / "a.gguf")
    write_gguf(quantize_in_parts(load(folder, lazy=True), recipe, tmp_path / "w", 0), tmp_path / "b.gguf")
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


def test_parts_of_another_job_or_damaged_ones_are_made_again(folder, tmp_path, monkeypatch):
    work, recipe, model = tmp_path / "w", mq.Recipe(weights="int4:g32"), load(folder, lazy=True)
    made = []
    monkeypatch.setattr(parts, "_layer_part", lambda *a, real=parts._layer_part: made.append(a[1]) or real(*a))
    for source, layers in (("a", [0, 1, 2]), ("a", []), ("b", [0, 1, 2])):
        made.clear()
        quantize_in_parts(model, recipe, work, source)
        assert made == layers
    raw = bytearray((work / "layer_0001.safetensors").read_bytes())
    raw[-1] ^= 1
    (work / "layer_0001.safetensors").write_bytes(raw)
    made.clear()
    quantize_in_parts(model, recipe, work, "b")
    assert made == [1]


def test_what_cannot_be_quantized_touches_nothing(folder, tmp_path):
    model = load(folder, lazy=True)
    for recipe, words in ((mq.Recipe(weights="int4:g48"), "no whole number of groups"),
                          (mq.Recipe(weights="int4:g32", method="gptq"), "needs calibration tokens")):
        with pytest.raises(ValueError, match=words):
            quantize_in_parts(model, recipe, tmp_path / "w", 0)
    assert not (tmp_path / "w").exists()


def test_a_killed_command_goes_on_to_the_same_bytes(tmp_path):
    command = [sys.executable, "-m", "minquant", "quantize", "tiny", "--weights", "int4:g32", "--method", "gptq",
               "--calibration-tokens", "4096", "--out"]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    assert subprocess.run([*command, tmp_path / "whole"], env=environment, capture_output=True).returncode == 0
    running = subprocess.Popen([*command, tmp_path / "killed"], env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / "killed.parts" / "layer_0001.safetensors").exists():
            assert running.poll() is None and time.monotonic() < deadline
            time.sleep(0.002)
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert not (tmp_path / "killed").exists() and (tmp_path / "killed.parts").is_dir()
    done = subprocess.run([*command, tmp_path / "killed"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "layer 1 of" not in done.stderr and "layer 4 of" in done.stderr
    assert (tmp_path / "killed").read_bytes() == (tmp_path / "whole").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["killed", "whole"]
