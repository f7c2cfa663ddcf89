"""One weight's biography: every stop against an outside reader or a plain computation, every place against the source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from gguf.quants import dequantize

import minquant as mq
from minquant._paths import data_path
from minquant.evaluation import heldout_tokens
from minquant.interop import write_checkpoint
from minquant.kernels import rows
from minquant.teaching import biography, one_weight

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The biography in the shipped model, and the file it ends in."""
    path = tmp_path_factory.mktemp("trace") / "one.gguf"
    return biography.follow("tiny", path), path


def test_the_bytes_of_the_checkpoint_are_the_weight(told):
    figures = told[0].figures
    raw = data_path("model.safetensors").read_bytes()[figures["offset"]:figures["offset"] + 2]
    value = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)[0]
    assert raw.hex() == figures["bytes"] and value == figures["value"] == one_weight.followed(mq.load("tiny")).value


def test_scale_and_code_are_those_of_a_plain_q4_0(told):
    weight, figures = told[0].weight, told[0].figures
    start = weight.column // 32 * 32
    block = mq.load("tiny").weights[weight.tensor][weight.row, start:start + 32]
    largest = block[np.abs(block).argmax()]
    assert figures["scale"] == np.float16(largest / np.float32(-8))
    assert figures["code"] == min(np.floor(block[weight.column - start] * (-8 / largest) + 8.5), 15) - 8


def test_the_gguf_package_reads_the_same_value_and_the_same_byte(told):
    found, path = told
    tensor = next(t for t in GGUFReader(path).tensors if t.name == "blk.3.ffn_down.weight")
    value = dequantize(tensor.data, tensor.tensor_type)[found.weight.row, found.weight.column]
    assert value == np.float32(found.figures["rounded"])
    offset = found.figures["gguf_offset"]
    assert path.read_bytes()[offset] == found.figures["gguf_byte"]
    assert tensor.data_offset <= offset < tensor.data_offset + tensor.n_bytes
    assert found.figures["gguf_code"] == found.figures["code"]


def test_another_code_in_that_half_of_the_byte_moves_this_weight_alone(told, tmp_path):
    found, path = told
    raw = bytearray(path.read_bytes())
    raw[found.figures["gguf_offset"]] ^= 0b0010 << (4 if found.figures["half"] == "high" else 0)
    (tmp_path / "other.gguf").write_bytes(raw)
    before, after = (mq.load(p).weights[found.weight.tensor] for p in (path, tmp_path / "other.gguf"))
    assert np.argwhere(before != after).tolist() == [[found.weight.row, found.weight.column]]


def test_the_kernels_product_is_weight_times_input(told):
    figures = told[0].figures
    assert figures["product"] == pytest.approx(figures["rounded"] * figures["input"], rel=1e-3)
    assert figures["kernel"] in ("eight_rows.int4_groups", "integers.decoded_rows")


def test_the_share_of_the_logit_is_what_the_weight_adds(told):
    found, path = told
    model = mq.load(path)
    tokens = heldout_tokens(model, limit_bytes=biography.TEXT_BYTES)
    zeroed = {**model.weights, found.weight.tensor: model.weights[found.weight.tensor].copy()}
    zeroed[found.weight.tensor][found.weight.row, found.weight.column] = 0
    other = mq.Transformer(model.config, zeroed, model.tokenizer)
    token = found.figures["token"]
    with_it, without = (m.logits(tokens)[-1] for m in (model, other))
    assert token == with_it.argmax() and with_it[token] == pytest.approx(found.figures["logit"], abs=2e-5)
    assert without[token] == pytest.approx(found.figures["logit_without"], abs=2e-5)
    assert found.figures["share"] == pytest.approx(with_it[token] - without[token], abs=4e-5)


def test_every_stop_names_a_line_that_is_there(told):
    places = [place for stop in told[0].stops for place in stop.place.replace(" (read)", "").split(" (written), ")]
    assert len(places) == 10
    for place in places:
        file, _, number = place.rpartition(":")
        assert (ROOT / file).read_text(encoding="utf-8").splitlines()[int(number) - 1].strip(), place
    text = biography.as_text(told[0])
    assert all(stop.value in text and stop.place in text for stop in told[0].stops)


def test_a_place_is_one_line_of_code():
    place = biography.where(rows.scale_to_float, "return _SCALES")
    file, _, number = place.rpartition(":")
    assert "return _SCALES[" in (ROOT / file).read_text(encoding="utf-8").splitlines()[int(number) - 1]
    assert biography.where(rows, "return _SCALES[np.dtype") == place
    with pytest.raises(LookupError, match="0 lines"):
        biography.where(rows, "this is nowhere")
    with pytest.raises(LookupError, match="lines of"):
        biography.where(rows, "@jit")


def test_what_is_no_folder_of_a_float_checkpoint_is_refused(told, tmp_path):
    for name in (str(told[1]), str(tmp_path / "missing")):
        with pytest.raises(ValueError, match="no folder"):
            biography.follow(name, tmp_path / "x.gguf")
    folder = tmp_path / "done"
    write_checkpoint(mq.load("tiny").quantize(mq.Recipe(weights="int4:g32")), folder, "compressed-tensors")
    with pytest.raises(ValueError, match="quantized already"):
        biography.follow(str(folder), tmp_path / "x.gguf")
    assert not (tmp_path / "x.gguf").exists()
