"""Our forward pass against that of transformers: stored logits, made by tools/make_checkpoint_vectors.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import minquant as mq
from minquant.model import Config, random_model, save

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: f"seed {case['seed']}")
def test_logits_and_greedy_tokens_are_those_of_transformers(tmp_path, case):
    config = Config(**case["config"])
    save(random_model(config, case["seed"]), tmp_path)
    model = mq.load(tmp_path)
    got, expected = model.logits(case["tokens"])[VECTORS["rows"]], np.array(case["logits"])
    assert np.abs(got - expected).max() < 1e-4 * np.abs(expected).max()
    assert model.generate(case["tokens"][:8], 16).tolist() == case["greedy"]


def test_the_cases_are_different_models():
    assert len({str(case["config"]) for case in VECTORS["cases"]}) == len(VECTORS["cases"]) >= 6
    assert {case["config"]["qk_norm"] for case in VECTORS["cases"]} == {True, False}
