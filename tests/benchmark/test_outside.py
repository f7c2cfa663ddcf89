"""Time outside the matrices: the pass computes what a step's matrices compute, and leaves the decoder as it was."""

from __future__ import annotations

import numpy as np
import pytest

from minquant.benchmark import outside, outside_matrices_ms
from minquant.benchmark.outside import parts_ms
from minquant.decoder import Decoder
from minquant.kernels.matrices import matrices_only, prepare_inputs
from minquant.model import Config, random_model

MINI = Config(vocab_size=64, hidden=64, layers=2, heads=4, kv_heads=2, head_dim=16, ffn=128, context=32)


@pytest.mark.parametrize("weights, activations", [("bf16", None), ("q8_0", "int8:g32"), ("int4:g32", None)])
def test_the_pass_multiplies_every_matrix(weights, activations):
    decoder = Decoder(random_model(MINI), weights, context=8, threads=1, activations=activations)
    scratch, logits = decoder.scratch, np.empty(64, np.float32)
    values = np.random.default_rng(0).standard_normal(scratch.input.values.size).astype(np.float32)
    scratch.input.values[:] = values
    prepare_inputs(scratch)
    matrices_only(logits, decoder.packed_weights, scratch, 64)
    model = random_model(MINI)
    down = model.weights["model.layers.1.mlp.down_proj.weight"]
    head = model.weights["model.embed_tokens.weight"]
    gate = model.weights["model.layers.1.mlp.gate_proj.weight"]
    slack = {"bf16": 1e-5, "q8_0": 0.02, "int4:g32": 0.2}[weights]  # of rounding, of the largest value
    for got, expected in ((logits, head @ values[:64]), (scratch.projected, down @ values[:128]),
                          (scratch.gate_up[0], gate @ values[:64])):
        assert np.abs(got - expected).max() <= slack * np.abs(expected).max()


def test_figures_add_up_and_the_decoder_stands_where_it_stood():
    decoder = Decoder(random_model(MINI), "bf16", context=8, threads=1)
    for token in (5, 6, 7):
        decoder.step(token)
    figures = outside_matrices_ms(decoder, 3)
    assert set(figures) == {f"{name}{end}" for name in ("outside_ms", "matrices_ms") for end in ("", "_p10", "_p90")}
    assert figures["matrices_ms"] > 0 and decoder.position == 3
    again = Decoder(random_model(MINI), "bf16", context=8, threads=1)
    for token in (5, 6, 7):
        again.step(token)
    np.testing.assert_array_equal(decoder.step(8), again.step(8))


@pytest.mark.parametrize("weights, activations", [("bf16", None), ("q4_0", "int8:g32")])
def test_every_part_has_a_time_and_the_decoder_stands_where_it_stood(weights, activations):
    decoders = [Decoder(random_model(MINI), weights, context=8, threads=1, activations=activations) for _ in range(2)]
    for decoder in decoders:
        decoder.step(5)
    figures = parts_ms(decoders[0], 2)
    assert set(figures) == {"norms", "inputs", "rotations", "attention", "swiglu", "additions", "launches"}
    assert all(ms > 0 for ms in figures.values()) and decoders[0].position == 1
    np.testing.assert_array_equal(decoders[0].step(8), decoders[1].step(8))


def test_differences_are_paired(monkeypatch):
    """A pair in a slow moment changes the matrices, not the difference."""
    seconds = np.array([[0.011, 0.010], [0.051, 0.050], [0.012, 0.010]])
    monkeypatch.setattr(outside, "step_and_pass_seconds", lambda decoder, pairs: seconds)
    figures = outside_matrices_ms(None)
    assert figures["outside_ms"] == pytest.approx(1) and figures["matrices_ms"] == pytest.approx(10)


def test_bad_input():
    decoder = Decoder(random_model(MINI), "bf16", context=1, threads=1)
    with pytest.raises(ValueError, match="at least one pair"):
        outside_matrices_ms(decoder, 0)
    with pytest.raises(ValueError, match="at least one repetition"):
        parts_ms(decoder, 0)
    decoder.step(0)
    with pytest.raises(ValueError, match="the cache is full"):
        outside_matrices_ms(decoder, 1)
