"""``minquant qat``: a file that the other verbs read, and a run that goes on where it was stopped."""

from __future__ import annotations

import json

import numpy as np

from minquant import Recipe, load
from minquant.evaluation import training_tokens
from minquant.training import qat

WORDS = ("--weights", "int2:g32:asym", "--steps", "2", "--batch", "2", "--context", "16", "--text-tokens", "200")


def test_the_file_holds_the_model_that_the_flags_spell(command, checkpoint, tmp_path):
    path, model = tmp_path / "two.safetensors", load(checkpoint)
    got = json.loads(command("qat", checkpoint, "--output", path, *WORDS, "--seed", "3", "--json").out)
    expected, history = qat(model, "int2:g32:asym", training_tokens(model, 200), 2, 2, 16, 1e-3, 3)
    found = load(path)
    assert found.recipe == Recipe("int2:g32:asym", "qat")
    assert np.array_equal(found.logits([0, 5, 9]), expected.logits([0, 5, 9]))
    assert got["first_loss"] == history.loss[0] and got["bits_per_weight"] == found.bits_per_weight
    assert list(tmp_path.iterdir()) == [path]  # what a stopped run would have gone on from is gone


def test_what_cannot_be_done_is_refused_before_any_work(refused, checkpoint, tmp_path):
    assert "learns the step of an even grid" in refused("qat", checkpoint, "--output", tmp_path / "x", *WORDS[2:],
                                                        "--weights", "nf4")
    assert "is a folder" in refused("qat", checkpoint, "--output", tmp_path, *WORDS)
    assert "minquant qat" in refused("quantize", checkpoint, "--output", tmp_path / "x", "--weights", "int4:g32",
                                     "--method", "qat")
    assert list(tmp_path.iterdir()) == []
