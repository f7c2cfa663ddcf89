"""Drawings and plots of lesson 05: straddling codes, orders, touched bytes, a GGUF file walked through."""

import xml.etree.ElementTree as ElementTree

import gguf as reference  # the outside oracle
import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402

import minquant as mq  # noqa: E402
from minquant.packing import gguf, unpack_bits  # noqa: E402
from minquant.teaching import header_walker, packing_figures, packing_pictures  # noqa: E402
from minquant.teaching.byte_layouts import Matrix  # noqa: E402


@pytest.fixture(scope="module")
def matrix():
    return Matrix.of(mq.load("tiny"))


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def words(picture: str) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(picture).findall(".//{*}text")]


@pytest.mark.parametrize("bits, torn", [(2, []), (3, [10, 21]), (4, []), (5, [6, 12, 19, 25]),
                                        (6, [5, 10, 21, 26]), (7, [4, 9, 13, 18, 22, 27])])
def test_codes_that_lie_in_two_words_are_drawn_twice(bits, torn):
    drawn = [int(w) for w in words(packing_pictures.codes_in_words(bits)) if w.isdigit()]
    assert sorted(drawn) == sorted([*range(32), *torn])
    with pytest.raises(ValueError, match="1 to 8 bits here, not 9"):
        packing_pictures.codes_in_words(9)


def test_orders_show_every_code_once_a_byte_and_once_unpacked():
    drawn = [int(w) for w in words(packing_pictures.nibble_orders()) if w.isdigit()]
    assert sorted(drawn) == sorted(4 * list(range(32)))


def test_touched_counts_the_bytes_a_row_needs(matrix):
    said = words(packing_pictures.touched(matrix))
    assert [w for w in said if "piece" in w] == [
        "18 bytes in 2 pieces", "8 bytes in 8 pieces", "18 bytes in 1 piece", "8 bytes in 8 pieces",
        "19 bytes in 6 pieces", "8 bytes in 8 pieces", "35 bytes in 34 pieces", "4 bytes in 1 piece"]


@pytest.fixture(scope="module")
def small_file(tmp_path_factory):
    """The file of the lesson: (path, its bytes, the float rows)."""
    rows = mq.load("tiny").weights["model.layers.3.mlp.down_proj.weight"][96:104, :32]
    path = tmp_path_factory.mktemp("gguf") / "eight_rows.gguf"
    gguf.file.write(path, {"general.architecture": "llama", "general.name": "eight rows", "llama.block_count": 1},
                    {"blk.3.ffn_down.weight": (gguf.quantize(rows, "Q4_0"), "Q4_0", rows.shape)})
    return path, path.read_bytes(), rows


def test_the_gguf_package_reads_the_lessons_file_and_writes_the_same_blocks(small_file):
    path, data, rows = small_file
    reader = reference.GGUFReader(path)
    assert reader.fields["general.name"].contents() == "eight rows" and reader.alignment == 32
    (tensor,) = reader.tensors
    assert tensor.name == "blk.3.ffn_down.weight" and tensor.shape.tolist() == [32, 8] and tensor.data_offset == 224
    want = reference.quants.quantize(rows, reference.GGMLQuantizationType.Q4_0)
    assert np.array_equal(tensor.data, want) and data[224:368] == want.tobytes()


def test_a_card_for_every_field_marks_its_bytes(small_file):
    _, data, _ = small_file
    spans = gguf.file.spans(data)
    for number, span in enumerate(spans):
        card = header_walker.header_card(data, spans, number)
        ink = [t for t in ElementTree.fromstring(card).findall(".//{*}text") if t.get("fill") == "#16181d"]
        marked = ["".join(t.itertext()) for t in ink]
        assert marked[::2] == [f"{b:02x}" for b in data[span.start:span.stop]][:len(marked) // 2]
        assert len(marked) // 2 == min(span.stop - span.start, 160) and span.name in words(card)
    assert "value: 'GGUF'" in words(header_walker.header_card(data, spans, 0))


def test_a_file_shorter_than_the_picture_is_drawn_whole(tmp_path):
    gguf.file.write(tmp_path / "none.gguf", {}, {})
    data = (tmp_path / "none.gguf").read_bytes()
    card = header_walker.header_card(data, gguf.file.spans(data), 1)
    cells = [t for t in ElementTree.fromstring(card).findall(".//{*}text") if t.get("text-anchor") == "middle"]
    drawn = ["".join(t.itertext()) for t in cells if float(t.get("x")) < header_walker.LETTERS]
    assert drawn == [f"{b:02x}" for b in data]


ROWS = [{"kind": kind, "bit": bit, "kl": 10.0 ** -bit, "kl_low": 10.0 ** (-bit - 1), "kl_high": 2 * 10.0 ** -bit}
        for kind, bits in (("code", 4), ("scale", 16)) for bit in range(bits)]


def test_fields_of_a_float16_are_told_apart():
    assert [packing_figures.field_of(row) for row in ROWS] == (
        ["code"] * 4 + ["mantissa"] * 10 + ["exponent"] * 5 + ["sign"])


def test_flip_costs_draws_every_bit_at_its_value():
    _, axes = packing_figures.flip_costs(ROWS, 0.5)
    drawn = [(x, y) for line in axes.get_lines() if line.get_marker() in "os^D" and line.get_linestyle() == "None"
             for x, y in zip(line.get_xdata(), line.get_ydata())]
    assert sorted(y for _, y in drawn) == sorted(row["kl"] for row in ROWS)
    assert [t.get_text() for t in axes.get_xticklabels()] == [str(row["bit"]) for row in ROWS]


def test_unpacking_shows_bars_and_the_line_they_do_not_reach():
    rows = [{"layout": name, "gb_per_s": gb, "gb_per_s_p10": gb, "gb_per_s_p90": gb, "read_gb_per_s": 12.0}
            for name, gb in (("dense int4", 0.5), ("ternary", 0.25))]
    _, axes = packing_figures.unpacking(rows)
    assert [p.get_width() for p in axes.patches] == [0.5, 0.25]
    assert axes.get_xlim()[1] > 12 and any(set(line.get_xdata()) == {12.0} for line in axes.get_lines())


def test_the_dense_stream_is_what_the_words_are_drawn_from():
    """Code i in bits 3i to 3i + 2: the rule by which codes_in_words finds the torn ones."""
    stream = np.zeros(12, np.uint8)
    stream[3] |= 0xC0  # bits 30 and 31
    stream[4] |= 0x01  # bit 32
    assert np.flatnonzero(unpack_bits(stream, 3, 32)).tolist() == [10]
