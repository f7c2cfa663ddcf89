"""A whole model calibrated: who sees what, what is shared, what is named when it goes wrong."""

from __future__ import annotations

import dataclasses
import weakref

import numpy as np
import pytest

import minquant as mq
from minquant.methods import Hessian, gptq, gptq_from_hessian
from minquant.model import METHODS, Method, Recipe, Transformer, linear_names
from minquant.model.gatherers import Samples

from .conftest import SMALL

INT3 = Recipe(weights="int3:channel", method="gptq")


@pytest.fixture
def text() -> np.ndarray:
    return np.random.default_rng(2).integers(0, SMALL.vocab_size, 60)  # windows of 24, 24 and 12


def inputs(model: Transformer, text: np.ndarray) -> dict[str, np.ndarray]:
    seen: dict[str, list[np.ndarray]] = {}
    for i in range(0, len(text), SMALL.context):
        model.run(text[i:i + SMALL.context], tap=lambda name, x: seen.setdefault(name, []).append(x))
    return {name: np.concatenate(pieces) for name, pieces in seen.items() if name.endswith(".weight")}


@pytest.mark.parametrize("method, options", [("gptq", {}),
                                             ("gptq_act_order", {"act_order": True, "static_groups": True})])
@pytest.mark.parametrize("scheme", ["int3:channel", "int4:g8:asym"])
def test_every_matrix_is_gptq_on_what_the_quantized_blocks_before_it_produce(small, text, scheme, method, options):
    model = small.quantize(Recipe(weights=scheme, method=method), calibration=text)
    half = Transformer(SMALL, {name: small.weights[name] if ".layers.1." in name else w
                               for name, w in model.weights.items()})  # block 0 quantized, block 1 in float
    for layer, judge in enumerate((small, half)):
        seen = inputs(judge, text)
        for name in linear_names(SMALL, layer):
            expected = gptq(small.weights[name], seen[name], scheme, **options)
            assert np.array_equal(model.qtensors[name].codes, expected.codes), name
            assert np.array_equal(model.weights[name], model.qtensors[name].dequantize())


def test_matrices_that_read_the_same_input_share_what_is_gathered(small, text, monkeypatch):
    made, alive = [], []

    class Counted(Hessian):
        def __init__(self):
            super().__init__()
            made.append(self)
            self.adds = 0

        def add(self, X):
            self.adds += 1
            super().add(X)

    def spy(weight, H, scheme):
        alive.append(len(made))
        return gptq_from_hessian(weight, H, scheme)

    monkeypatch.setitem(METHODS, "spy", Method(spy, needs_inputs=True, gather=Counted))
    model = small.quantize(dataclasses.replace(INT3, method="spy"), calibration=text)
    reference = small.quantize(INT3, calibration=text)
    assert all(np.array_equal(w, reference.weights[name]) for name, w in model.weights.items())
    assert [one.adds for one in made] == [3] * 8  # three windows; qkv, o, gate and up, down of two blocks
    assert alive == [4] * 7 + [8] * 7  # those of a block are made when its turn has come


def test_there_is_never_more_than_one_block_of_hessians(small, text, monkeypatch):
    alive, most = weakref.WeakSet(), []

    class Counted(Hessian):
        def __init__(self):
            super().__init__()
            alive.add(self)
            most.append(len(alive))

    monkeypatch.setitem(METHODS, "counted", Method(gptq_from_hessian, needs_inputs=True, gather=Counted))
    small.quantize(dataclasses.replace(INT3, method="counted"), calibration=text)
    assert len(most) == 8 and max(most) <= 5  # four inputs a block, and the last one of the block before


def test_a_skipped_matrix_is_not_gathered_for_and_its_neighbours_are(small, text):
    model = small.quantize(dataclasses.replace(INT3, skip=("q_proj", "down_proj")), calibration=text)
    whole = small.quantize(INT3, calibration=text)
    name = "model.layers.0.self_attn.k_proj.weight"
    assert np.array_equal(model.qtensors[name].codes, whole.qtensors[name].codes)
    assert not any("q_proj" in name or "down_proj" in name for name in model.qtensors)


def test_samples_keep_every_input():
    kept, X = Samples(), np.arange(12.0).reshape(6, 2)
    for i in range(0, 6, 2):
        kept.add(X[i:i + 2])
    assert np.array_equal(kept.result(), X) and kept.result() is kept.result()


CALIBRATED = sorted(name for name, method in METHODS.items() if method.needs_text)


@pytest.mark.parametrize("method", CALIBRATED)
@pytest.mark.parametrize("seen", [[7], [7] * 40, [0, 7] * 20])
def test_every_method_takes_text_that_says_little(small, tokens, method, seen):
    """One sample; the same again and again, so that H has rank 1 before the first block, and its columns are constant."""
    model = small.quantize(Recipe(weights="int3:g8:asym", method=method), calibration=seen)
    plain = small.quantize(Recipe(weights="int3:g8:asym"))
    error, ref = (np.abs(m.logits(tokens) - small.logits(tokens)).mean() for m in (model, plain))
    assert error < 3 * ref  # not better, but nothing ran away


@pytest.mark.parametrize("method", CALIBRATED)
@pytest.mark.parametrize("norm, first", [("input_layernorm", "self_attn.q_proj"),
                                         ("post_attention_layernorm", "mlp.gate_proj")])
def test_every_method_names_the_matrix_that_reads_nan(small, text, method, norm, first):
    small.weights[f"model.layers.1.{norm}.weight"][5] = np.nan
    words = rf"model\.layers\.1\.{first}\.weight.*: X holds nan at sample 0, column"
    if method.startswith("rotate"):  # it multiplies the gain into matrices first, so it looks at it first
        words = rf"model\.layers\.1\.{norm}\.weight holds NaN"
    with pytest.raises(ValueError, match=words):
        small.quantize(Recipe(weights="int3:g8:asym", method=method), calibration=text)


@pytest.mark.parametrize("method", [method for method in METHODS if method != "qat"])
def test_every_method_names_the_matrix_that_holds_nan_or_is_constant_and_fine(small, text, method):
    parts = ({"weights": "int8:channel", "activations": "int8:token"} if method == "llm_int8" else
             {"weights": "int3:g8:asym"})
    recipe, name = Recipe(**parts, method=method), "model.layers.1.self_attn.v_proj.weight"
    small.weights[name][:, 3:7] = 0.25
    assert np.isfinite(small.quantize(recipe, calibration=text).weights[name]).all()
    small.weights[name][2, 3] = np.nan
    with pytest.raises(ValueError, match=name):
        small.quantize(recipe, calibration=text)


def test_an_interrupted_run_leaves_the_model_as_it_was(small, text, tokens):
    kept = {name: w.copy() for name, w in small.weights.items()}

    def stop_after_the_first(blocks):
        yield next(iter(blocks))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small.quantize(INT3, calibration=text, progress=stop_after_the_first)
    assert all(np.array_equal(small.weights[name], w) for name, w in kept.items())
    again, whole = (small.quantize(INT3, calibration=text) for _ in range(2))
    assert np.array_equal(again.logits(tokens), whole.logits(tokens))


def test_on_the_trained_model_gptq_is_closer_to_float_than_rounding():
    """Tokens of calibration text and of held-out text, few: at 4 and 3 bits the difference is large."""
    from minquant.evaluation import Reference, calibration_tokens, evaluate, heldout_tokens

    model = mq.load("tiny")
    reference = Reference(model, heldout_tokens(model, limit_bytes=1500))
    seen = calibration_tokens(model, 1024)
    for scheme, share in (("int4:channel", 0.7), ("int3:channel", 0.7)):
        plain, calibrated = (evaluate(model.quantize(Recipe(weights=scheme, method=method), seen), reference).kl
                             for method in ("rtn", "gptq"))
        assert calibrated < share * plain, scheme
