"""Still drawings of layouts: codes that straddle words, two orders of nibbles, what one row or column touches.

Each function returns SVG text; show it with ``widgets.show_still``. ``touched`` is not drawn from a description: it
asks ``byte_layouts``, which asks the package.
"""

from __future__ import annotations

from . import svg
from .byte_layouts import NAMES, Matrix, data_of, nibble_map
from .svg import Drawing

WIDTH, WORD_BITS = 720, 32


def codes_in_words(bits: int, words: int | None = None) -> str:
    """Codes of ``bits`` bits in 32-bit words, lowest bit first; codes that lie in two words are marked.

    ``words``: how many words are drawn, all that 32 codes fill by default. Raises ValueError for bits outside 1 to 8.
    """
    if bits not in range(1, 9):
        raise ValueError(f"codes have 1 to 8 bits here, not {bits}")
    count = min(words or bits, bits)
    torn = [i for i in range(WORD_BITS) if i * bits // 32 != (i * bits + bits - 1) // 32]
    names = " and ".join(map(str, torn)) or "none"
    drawing = Drawing(WIDTH, 62 + 52 * count, f"32 codes of {bits} bits fill {bits} words of 32 bits; codes that lie "
                                              f"in two words: {names}")
    drawing.text(8, 20, f"32 codes of {bits} bits in {bits} words of 32; in two words: {names}", bold=True)
    drawing.text(8, 42, "bit 31 on the left, bit 0 on the right", size=12, opacity=0.85)
    cell = 640 / WORD_BITS
    for word in range(count):
        y = 52 + 52 * word
        drawing.text(8, y + 27, f"word {word}", size=12)
        for code in range(WORD_BITS):
            first, last = max(code * bits, 32 * word), min(code * bits + bits, 32 * word + 32)
            if first >= last:
                continue
            left, width = 66 + cell * (32 * word + 32 - last), cell * (last - first)
            fill = svg.ORANGE if code in torn else (svg.SKY, "#eef1f4")[code % 2]
            drawing.rect(left, y + 6, width, 32, fill=fill, stroke=svg.INK)
            for bit in range(1, last - first):
                drawing.line(left + cell * bit, y + 32, left + cell * bit, y + 38, stroke=svg.INK)
            drawing.text(left + width / 2, y + 26, str(code), size=12, anchor="middle", fill=svg.INK, bold=code in torn)
    return str(drawing)


def nibble_orders() -> str:
    """Neighbours in a byte against halves of a block in a byte, and what one AND gives of each."""
    drawing = Drawing(WIDTH, 258, "32 codes in 16 bytes. Neighbours together: one AND with 0x0F in every byte gives "
                      "codes 0, 2, 4 to 30. Halves together: it gives codes 0 to 15 in order")
    orders = (("Neighbours share a byte", lambda j: (2 * j, 2 * j + 1), 0),
              ("Halves share a byte (GGUF)", lambda j: (j, j + 16), 130))
    for words, pair, top in orders:
        drawing.text(8, top + 20, words, bold=True)
        for y, name in ((top + 32, "bytes"), (top + 72, "& 0x0F"), (top + 98, ">> 4")):
            drawing.text(62, y + 16, name, size=12, anchor="end", mono=True)
        for j in range(16):
            x, (low, high) = 70 + 40 * j, pair(j)
            for left, code, fill in ((x, high, svg.SKY), (x + 19, low, svg.ORANGE)):
                drawing.rect(left, top + 32, 19, 24, fill=fill, stroke=svg.INK)
                drawing.text(left + 9.5, top + 48, str(code), size=11, anchor="middle", fill=svg.INK)
            for y, code, fill in ((top + 72, low, svg.ORANGE), (top + 98, high, svg.SKY)):
                drawing.rect(x, y, 38, 22, fill=fill)
                drawing.text(x + 19, y + 15, str(code), size=12, anchor="middle", fill=svg.INK)
    return str(drawing)


def touched(matrix: Matrix) -> str:
    """For every layout, the bytes that the followed weight's row touches (with scale and zero point), and its column.

    Of the column only the codes: it has no scale of its own.
    """
    row, column = matrix.followed
    counts = {name: [_touched(name, row=row), _touched(name, column=column)] for name in NAMES}
    words = "; ".join(f"{name}: a row touches {_runs(in_row)}, a column {_runs(in_column)}"
                      for name, (in_row, in_column) in counts.items())
    drawing = Drawing(WIDTH, 30 + 74 * len(NAMES), words)
    for line, (name, both) in enumerate(counts.items()):
        y, size = 10 + 74 * line, data_of(matrix.parts(name)).size
        drawing.text(8, y + 18, name, bold=True)
        for place, (bytes_, what, fill) in enumerate(zip(both, ("one row", "one column"), (svg.ORANGE, svg.SKY))):
            top = y + 26 + 20 * place
            drawing.text(84, top + 12, what, size=12, anchor="end")
            for byte in range(size):
                drawing.rect(92 + 2.7 * byte, top, 2.4, 15, fill=fill if byte in bytes_ else svg.GREY,
                             opacity=1 if byte in bytes_ else 0.35)
            drawing.text(98 + 2.7 * size, top + 12, _runs(bytes_), size=12)
    return str(drawing)


def _touched(name: str, row: int | None = None, column: int | None = None) -> list[int]:
    """Bytes that hold anything of a row of the small matrix, or the codes of a column."""
    return sorted({n // 2 for n, holds in enumerate(nibble_map(name))
                   if (holds.row == row if column is None else holds.column == column)})


def _runs(numbers: list[int]) -> str:
    """How many bytes, in how many pieces."""
    pieces = 1 + sum(b - a > 1 for a, b in zip(numbers, numbers[1:]))
    return f"{len(numbers)} bytes in {pieces} piece{'s' * (pieces > 1)}"
