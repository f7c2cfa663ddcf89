"""Lesson 05's bytes: what each nibble holds against the layouts' own formulas, the card that says so, the buttons."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import minquant as mq
from minquant.teaching import byte_inspector, svg, widgets
from minquant.teaching.byte_card import byte_card, byte_lines
from minquant.teaching.byte_inspector import ByteInspector
from minquant.teaching.byte_layouts import (COLUMNS, NAMES, ROWS, Holds, Matrix, bits_per_weight, data_of, nibble_map,
                                            nibble_of)


@pytest.fixture(scope="module")
def matrix():
    return Matrix.of(mq.load("tiny"))


def formula(name: str) -> list[Holds]:
    """What each nibble holds, written down from the descriptions of the layouts, nothing asked of the package."""
    found = {}
    for row in range(ROWS):
        for column in range(COLUMNS):
            nibble = {"dense": 32 * row + column,
                      "GGUF Q4_0": 36 * row + 4 + 2 * (column % 16) + column // 16,
                      "GPTQ": 64 * (column // 8) + 8 * row + column % 8,
                      "AWQ": 8 * column + (0, 4, 1, 5, 2, 6, 3, 7)[row]}[name]
            found[nibble] = Holds("code", row, column)
        for digit in range(4):
            start = {"dense": 256 + 4 * row, "GGUF Q4_0": 36 * row}.get(name, 264 + 4 * row)
            found[start + digit] = Holds("scale", row, digit=digit)
        if name in ("GPTQ", "AWQ"):
            found[256 + (row if name == "GPTQ" else (0, 4, 1, 5, 2, 6, 3, 7)[row])] = Holds("zero point", row)
    return [found[nibble] for nibble in range(len(found))]


@pytest.mark.parametrize("name", NAMES)
def test_what_the_package_says_is_what_the_formulas_say(name, matrix):
    assert list(nibble_map(name)) == formula(name)
    assert len(nibble_map(name)) == 2 * data_of(matrix.parts(name)).size


@pytest.mark.parametrize("name", NAMES)
def test_every_nibble_has_the_value_it_is_said_to_have(name, matrix):
    data = data_of(matrix.parts(name))
    for number, holds in enumerate(nibble_map(name)):
        nibble = int(data[number // 2]) >> 4 * (number % 2) & 15
        if holds.kind == "scale":
            want = int(matrix.scale.view(np.uint16)[holds.row, 0]) >> 4 * holds.digit & 15
        elif holds.kind == "zero point":
            want = 7 if name == "GPTQ" else 8
        else:
            code = int(matrix.codes[holds.row, holds.column])
            want = code % 16 if name == "dense" else code + 8
        assert nibble == want, holds


def test_bits_per_weight_are_those_of_the_layouts(matrix):
    assert [bits_per_weight(matrix.parts(name)) for name in NAMES] == [4.5, 4.5, 4.625, 4.625]


def test_the_small_matrix_is_cut_around_the_followed_weight(matrix):
    from minquant.teaching import one_weight

    model = mq.load("tiny")
    weight = one_weight.followed(model)
    row, column = matrix.followed
    assert (matrix.first_row + row, column) == (weight.row, weight.column)
    assert matrix.value(row, column) == one_weight.encoded(model.weights[weight.tensor], weight, "q4_0").value


def test_an_unknown_layout_is_named(matrix):
    with pytest.raises(ValueError, match="unknown layout 'EXL2': choose one of dense"):
        matrix.parts("EXL2")
    with pytest.raises(ValueError, match="unknown layout 'EXL2'"):
        ByteInspector(matrix, "EXL2")
    with pytest.raises(ValueError, match="bytes 0 to 143 here, not 144"):
        byte_card(matrix, "dense", 144)


@pytest.mark.parametrize("name", NAMES)
def test_the_lines_of_the_picture_are_all_bytes_once(name, matrix):
    lines = byte_lines(matrix, name)
    assert [n for _, numbers in lines for n in numbers] == list(range(data_of(matrix.parts(name)).size))
    assert [words for words, _ in lines if words] == [part for part, _ in matrix.parts(name)]


def words_of(picture: str) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(picture).findall(".//{*}text")]


def marked_cells(picture: str, colour: str) -> list[str]:
    """Words in the cells of the matrix that are filled with a colour and framed."""
    root = ElementTree.fromstring(picture)
    cells = {(float(r.get("x")) + 9.5, float(r.get("y")) + 13.5) for r in root.findall(".//{*}rect")
             if r.get("fill") == colour and r.get("stroke") == svg.INK and r.get("height") == "19" == r.get("width")}
    return ["".join(t.itertext()) for t in root.findall(".//{*}text")
            if (float(t.get("x")), float(t.get("y"))) in cells]


@pytest.mark.parametrize("name", NAMES)
def test_the_card_marks_both_weights_of_a_byte(name, matrix):
    byte = nibble_of(name, *matrix.followed) // 2
    low, high = nibble_map(name)[2 * byte: 2 * byte + 2]
    card = byte_card(matrix, name, byte, with_bytes=False)
    assert marked_cells(card, svg.ORANGE) == [str(matrix.codes[low.row, low.column])]
    assert marked_cells(card, svg.SKY) == [str(matrix.codes[high.row, high.column])]
    said = " ".join(words_of(card))
    assert f"low:  {int(data_of(matrix.parts(name))[byte]) & 15:04b}" in said and "row 100, column 5" in said
    assert len(words_of(byte_card(matrix, name, byte))) > len(words_of(card)) + 140


def test_the_card_marks_all_weights_of_a_scale(matrix):
    card = byte_card(matrix, "GGUF Q4_0", 18 * 4 + 1)
    assert len(marked_cells(card, svg.GREEN)) == COLUMNS
    said = " ".join(words_of(card))
    assert "upper byte of a float16" in said and "0x2570" in said and "all its 32 weights" in said
    assert "zero point 7 + 1 = 8 of row 96" in " ".join(words_of(byte_card(matrix, "GPTQ", 128)))


def marked(inspector) -> list[int]:
    """Bytes whose button has the look of a chosen one."""
    chosen = (inspector._looks["low"], inspector._looks["high"])
    return [n for n in range(len(nibble_map(inspector.name)) // 2) if inspector.buttons[n].style in chosen]


def test_a_click_takes_one_nibble_in_hand_and_a_second_the_other(matrix):
    inspector = ByteInspector(matrix)
    assert (inspector.byte, inspector.weight, marked(inspector)) == (79, (4, 5), [79])
    inspector.buttons[24].click()
    low, high = ((h.row, h.column) for h in nibble_map("GGUF Q4_0")[48:50])
    assert (inspector.byte, inspector.weight, marked(inspector)) == (24, low, [24])
    assert (inspector.row.value, inspector.column.value) == (matrix.first_row + low[0], low[1])
    assert inspector.buttons[24].style is inspector._looks["low"]
    inspector.buttons[24].click()
    assert inspector.weight == high and inspector.buttons[24].style is inspector._looks["high"]
    assert f"row {matrix.first_row + high[0]}, column {high[1]} (code" in inspector.picture


def test_the_sliders_find_the_byte(matrix):
    inspector = ByteInspector(matrix, "AWQ")
    inspector.column.value = 31
    inspector.row.value = matrix.first_row
    assert inspector.weight == (0, 31) and inspector.byte == nibble_of("AWQ", 0, 31) // 2 == marked(inspector)[0]


def test_another_layout_keeps_the_weight_and_shows_its_own_bytes(matrix):
    inspector = ByteInspector(matrix)
    for name in NAMES:
        inspector.choice.value = name
        data = data_of(matrix.parts(name))
        shown = [b for line in inspector._lines.children for b in line.children[1:]]
        assert [int(button.description, 16) for button in shown] == data.tolist()
        assert inspector.weight == (4, 5) and marked(inspector) == [nibble_of(name, 4, 5) // 2]


def test_a_scale_is_looked_at_and_the_weight_stays_in_hand(matrix):
    inspector = ByteInspector(matrix)
    inspector.buttons[0].click()
    assert (inspector.byte, inspector.weight, marked(inspector)) == (0, (4, 5), [0])
    assert "the scale of row 96" in inspector.picture


def test_without_a_kernel_the_first_picture_is_there(monkeypatch):
    bundles = []
    monkeypatch.setattr(byte_inspector, "display", lambda bundle, raw: bundles.append(bundle))
    monkeypatch.setattr(widgets, "display", lambda bundle, raw: bundles.append(bundle))
    byte_inspector.inspect_bytes(mq.load("tiny"))
    live, still = bundles
    assert "application/vnd.jupyter.widget-view+json" in live and "byte 79, 0xc1" in live["text/plain"]
    assert live["image/svg+xml"].startswith("<svg") and "<details>" in still["text/html"]
