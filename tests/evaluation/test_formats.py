"""Formats at equal bits on a small model."""

from __future__ import annotations

import numpy as np
import pytest

from minquant.evaluation import Reference, compare_formats, evaluate
from minquant.evaluation.formats import SCHEMES, as_table
from minquant.model import Config, Recipe, Transformer, linear_names, random_model
from minquant.scaling import fake_quantize

CONFIG = Config(vocab_size=19, hidden=64, layers=1, heads=2, kv_heads=2, head_dim=32, ffn=64, context=24)


def test_every_row_is_what_its_parts_give():
    model = Transformer(CONFIG, dict(random_model(CONFIG).weights))
    reference = Reference(model, np.arange(40) % 19)
    rows = compare_formats(model, reference, ["int4:g32", "mxfp8"])
    assert [(row.scheme, row.bits) for row in rows] == [("mxfp8", 8.25), ("int4:g32", 4.5)]
    row, both = rows[1], model.quantize(Recipe(weights="int4:g32", activations="int4:g32"))
    assert row.kl_both == evaluate(both, reference).kl > 0
    assert row.kl_weights == evaluate(model.quantize(Recipe(weights="int4:g32")), reference).kl
    errors = [np.square(w - fake_quantize(w, "int4:g32")).sum() / np.square(w).sum()
              for w in (model.weights[name] for name in linear_names(CONFIG))]
    assert row.weight_error == pytest.approx(np.median(errors), rel=1e-4)
    assert rows[0].weight_error < row.weight_error / 5 and rows[0].input_error < row.input_error / 5
    assert "| 4.50 | int4:g32 |" in as_table(rows)


def test_the_schemes_come_in_sets_of_equal_bits():
    model = Transformer(CONFIG, dict(random_model(CONFIG).weights))
    reference = Reference(model, np.arange(30) % 19)
    bits = [round(row.bits, 1) for row in compare_formats(model, reference, SCHEMES)]
    assert all(bits.count(b) > 1 for b in bits)
    with pytest.raises(ValueError, match="at least one scheme"):
        compare_formats(model, reference, "mxfp4")
