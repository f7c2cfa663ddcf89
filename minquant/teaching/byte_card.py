"""One byte of a layout, drawn: among the other bytes, in the matrix, and bit by bit.

How it works
    ``byte_card(matrix, name, byte)`` draws a small matrix of codes with everything marked that the byte touches: the
    weight of its low nibble, the weight of its high nibble, or all the weights that a scale or a zero point serves.
    Under it stand the eight bits with what they mean in this layout, and a line for each layout that says where the
    weight in hand lies there. Marks are colours and words: "low" and "high" stand in the cells.

What is drawn comes from ``byte_layouts``, which asks the package.
"""

from __future__ import annotations

import numpy as np

from . import svg
from .byte_layouts import COLUMNS, NAMES, ROWS, Holds, Matrix, bits_per_weight, data_of, nibble_map, nibble_of
from .svg import Drawing

WIDTH, CELL, BYTE, LEFT, PAPER = 720, 20, 19, 62, "#eef1f4"  # widths of a matrix cell and of a byte
PER_LINE = {"dense": 16, "GGUF Q4_0": 18, "GPTQ": 32, "AWQ": 32}  # bytes in a line of the picture
PART_COLOUR = {"code": PAPER, "scale": svg.GREEN, "zero point": svg.PURPLE}
WORD = {"dense": 64, "GGUF Q4_0": 64, "GPTQ": 4, "AWQ": 4}  # bytes in a line without a gap
LOW, HIGH = svg.ORANGE, svg.SKY
_FIELDS = {"sign": svg.PURPLE, "exponent": svg.ORANGE, "mantissa": svg.SKY}


def byte_lines(matrix: Matrix, name: str) -> list[tuple[str, range]]:
    """The lines of the byte picture: what is written before each, and the numbers of its bytes."""
    lines, start = [], 0
    for part, data in matrix.parts(name):
        for at in range(0, data.size, PER_LINE[name]):
            lines.append((part if at == 0 else "", range(start + at, start + min(at + PER_LINE[name], data.size))))
        start += data.size
    return lines


def byte_card(matrix: Matrix, name: str, byte: int, weight: tuple[int, int] | None = None,
              with_bytes: bool = True) -> str:
    """One byte of a layout as SVG, and where the ``weight`` in hand (the followed one) lies in all layouts.

    ``with_bytes=False`` leaves the byte picture out, for a page that shows the bytes as buttons. Raises ValueError for
    an unknown layout or a byte that is not there.
    """
    data = data_of(matrix.parts(name))
    if not 0 <= byte < data.size:
        raise ValueError(f"{name} has the bytes 0 to {data.size - 1} here, not {byte}")
    lines = byte_lines(matrix, name) if with_bytes else []
    top = 46 + 21 * len(lines) if lines else 4
    holds = nibble_map(name)[2 * byte: 2 * byte + 2]
    meaning = [_meaning(matrix, name, what, int(data[byte]) >> 4 * n & 15) for n, what in enumerate(holds)]
    drawing = Drawing(WIDTH, top + 416, f"{name}, byte {byte}, 0x{data[byte]:02x}: low nibble {meaning[0]}; "
                                        f"high nibble {meaning[1]}")
    if lines:
        _bytes(drawing, matrix, name, data, lines, byte)
    _matrix(drawing, top, matrix, *holds)
    _bits(drawing, top + 214, matrix, byte, int(data[byte]), holds[0], meaning)
    _everywhere(drawing, top + 306, matrix, name, *(weight or matrix.followed))
    return str(drawing)


def _bytes(drawing: Drawing, matrix: Matrix, name: str, data: np.ndarray, lines: list, chosen: int) -> None:
    """All bytes in hexadecimal, line by line."""
    bits = bits_per_weight(matrix.parts(name))
    drawing.text(8, 20, f"{name}: {data.size} bytes for {ROWS * COLUMNS} weights, {bits:.4g} bits each", bold=True)
    drawing.text(WIDTH - 14, 20, "green: scales; purple: zero points", size=12, anchor="end", opacity=0.85)
    for row, (words, numbers) in enumerate(lines):
        y = 32 + 21 * row
        drawing.text(LEFT - 6, y + 14, words, size=12, anchor="end")
        for place, number in enumerate(numbers):
            x = LEFT + BYTE * place + 4 * (place // WORD[name])
            kind, here = nibble_map(name)[2 * number].kind, number == chosen
            drawing.rect(x + 0.5, y, BYTE - 1, 19, fill=LOW if here else PART_COLOUR[kind],
                         stroke=svg.INK if here else "none")
            drawing.text(x + BYTE / 2, y + 14, f"{data[number]:02x}", size=11, anchor="middle", mono=True, fill=svg.INK,
                         bold=here)


def _matrix(drawing: Drawing, top: float, matrix: Matrix, low: Holds, high: Holds) -> None:
    """The codes, with what the byte's nibbles touch marked."""
    drawing.text(8, top + 14, f"The matrix: rows {matrix.first_row} to {matrix.first_row + ROWS - 1}, columns 0 to "
                 f"{COLUMNS - 1}, codes from -8 to 7", bold=True)
    drawing.text(WIDTH - 14, top + 14, "underlined: the weight we follow", size=12, anchor="end", opacity=0.85)
    for column in range(0, COLUMNS, 4):
        drawing.text(LEFT + CELL * (column + 0.5), top + 34, str(column), size=11, anchor="middle", opacity=0.85)
    for row in range(ROWS):
        y = top + 40 + CELL * row
        drawing.text(LEFT - 6, y + 15, f"row {matrix.first_row + row}", size=11, anchor="end", opacity=0.85)
        for column in range(COLUMNS):
            x = LEFT + CELL * column
            fill, mark = _mark(row, column, low, high)
            drawing.rect(x + 0.5, y + 0.5, CELL - 1, CELL - 1, fill=fill, stroke=svg.INK if mark else "none")
            drawing.text(x + CELL / 2, y + 14, str(matrix.codes[row, column]), size=11, anchor="middle", mono=True,
                         fill=svg.INK, bold=bool(mark))
            if (row, column) == matrix.followed:
                drawing.line(x + 3, y + CELL - 3.5, x + CELL - 3, y + CELL - 3.5, stroke=svg.VERMILLION, width=2)


def _mark(row: int, column: int, low: Holds, high: Holds) -> tuple[str, str]:
    """Colour of a cell, and whether it is marked."""
    for holds, colour in ((low, LOW), (high, HIGH)):
        if holds.kind == "code" and (holds.row, holds.column) == (row, column):
            return colour, "here"
        if holds.kind != "code" and holds.row == row:
            return PART_COLOUR[holds.kind], "here"
    return PAPER, ""


def _bits(drawing: Drawing, y: float, matrix: Matrix, byte: int, value: int, low: Holds, meaning: list[str]) -> None:
    """The eight bits of the byte, highest first, and what each half of them means."""
    drawing.text(8, y + 14, f"Byte {byte}: 0x{value:02x}, its bits from the highest to the lowest", bold=True)
    for place, bit in enumerate(f"{value:08b}"):
        fill = _FIELDS[_field(8 * (low.digit // 2) + 7 - place)] if low.kind == "scale" else (HIGH, LOW)[place // 4]
        x = LEFT + 28 * place + 10 * (place // 4)
        drawing.rect(x, y + 26, 28, 30, fill=fill, stroke=svg.INK)
        drawing.text(x + 14, y + 46, bit, size=15, anchor="middle", mono=True, fill=svg.INK)
    drawing.text(LEFT + 56, y + 74, "high nibble", size=12, anchor="middle")
    drawing.text(LEFT + 178, y + 74, "low nibble", size=12, anchor="middle")
    if low.kind == "scale":
        scale = matrix.scale[low.row, 0]
        half = ("the lower byte of a float16: the last 8 bits of its mantissa",
                "the upper byte of a float16: sign, 5 bits of exponent, 2 of mantissa")[low.digit // 2]
        words = (half, f"float16 0x{int(scale.view(np.uint16)):04x} = {float(scale):.6g}",
                 f"the scale of row {matrix.first_row + low.row}: all its {COLUMNS} weights hang on it")
    else:
        words = (f"low:  {meaning[0]}", f"high: {meaning[1]}")
    for line, text in enumerate(words):
        drawing.text(LEFT + 256, y + 36 + 19 * line, text, size=12)


def _field(bit: int) -> str:
    """The field of a float16 in which a bit lies."""
    return "sign" if bit == 15 else "exponent" if bit >= 10 else "mantissa"


def _meaning(matrix: Matrix, name: str, holds: Holds, nibble: int) -> str:
    """What a nibble says, in the words of its layout."""
    where = f"row {matrix.first_row + holds.row}"
    if holds.kind == "scale":
        return f"part of the scale of {where}"
    if holds.kind == "zero point":
        stored = f"{nibble} + 1 = {nibble + 1}" if name == "GPTQ" else f"{nibble}"
        return f"{nibble:04b}, zero point {stored} of {where}"
    code = int(matrix.codes[holds.row, holds.column])
    how = {"dense": f"two's complement, {code}"}.get(name, f"{nibble} - 8 = {code}")
    return f"{nibble:04b}, {how}: {where}, column {holds.column}, {matrix.value(holds.row, holds.column):.4g}"


def _everywhere(drawing: Drawing, y: float, matrix: Matrix, name: str, row: int, column: int) -> None:
    """Where one weight lies in every layout."""
    drawing.text(8, y + 14, f"The weight in row {matrix.first_row + row}, column {column} (code "
                 f"{matrix.codes[row, column]}), in all four layouts", bold=True)
    for line, other in enumerate(NAMES):
        nibble, parts = nibble_of(other, row, column), matrix.parts(other)
        byte, shift = int(data_of(parts)[nibble // 2]), 4 * (nibble % 2)
        drawing.text(LEFT, y + 38 + 20 * line, f"{other:10s} byte {nibble // 2:3d} is 0x{byte:02x}, "
                     f"{'high' if shift else 'low':4s} nibble: {byte >> shift & 15:04b}", size=12, mono=True,
                     bold=other == name)
