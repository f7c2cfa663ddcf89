"""01.1, warm-up: how many bytes is one quantized matrix, scales and zero points counted?

What varies: bits of a code, group size, bits of a scale, bits of a zero point.
The trap: "n bits" is never n bits. A group of 32 with a 16-bit scale adds half a bit to every weight.
"""

from __future__ import annotations

from ..beside import Bars, yours
from ..checking import ask_number, close, side
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME = "matrix_bytes"


def spec(draw: Draw) -> dict:
    """The storage format of one variant, and the matrix of the worked example."""
    drawn = {"bits": draw.choice("bits", (3, 4, 5, 6)), "group": draw.choice("group", (16, 24, 32, 48, 64, 96)),
             "scale_bits": draw.choice("scale_bits", (8, 16, 32)), "zero_bits": draw.choice("zero_bits", (4, 8, 12))}
    drawn |= {"rows": draw.integer("rows", 3, 9) * 8, "columns": 2 * drawn["group"] + draw.integer("rest", 2, 14)}
    return drawn | {"example": f"{bytes_of(drawn, drawn['rows'], drawn['columns']):g}"}


def bytes_of(spec: Spec, rows: int, columns: int) -> float:
    """Bytes of a matrix, by the rules of the exercise."""
    groups = -(-columns // spec["group"])
    return rows * (columns * spec["bits"] + groups * (spec["scale_bits"] + spec["zero_bits"])) / 8


def codes(spec: Spec, answers: Answers) -> None:
    """A column that opens no group adds its codes and nothing else."""
    rows, columns = spec["group"] + 1, 3 * spec["group"] - 5
    before, after = (ask_number(answers, NAME, rows, c) for c in (columns, columns + 1))
    want = bytes_of(spec, rows, columns + 1) - bytes_of(spec, rows, columns)
    if not close(after - before, want, 1e-6):
        raise Miss(f"going from {columns} to {columns + 1} columns (with {rows} rows) changed {NAME} by "
                   f"{after - before:g} bytes: {side(after - before, want)}",
                   f"column {columns + 1} falls into a group that every row has open already: it adds its codes alone",
                   "write down the bits of one code, times the rows, and turn bits into bytes")


def scales(spec: Spec, answers: Answers) -> None:
    """Whole groups: codes, scales and zero points together."""
    for rows, columns in ((1, spec["group"]), (5, 4 * spec["group"])):
        got, want = ask_number(answers, NAME, rows, columns), bytes_of(spec, rows, columns)
        if not close(got, want):
            raise Miss(f"{NAME}({rows}, {columns}) returned {got:g} bytes: {side(got, want)}",
                       f"a row of {columns} weights is {columns // spec['group']} whole group(s), and each group "
                       "stores more than its codes", "list what one group stores, in bits, from the table above")


def short_group(spec: Spec, answers: Answers) -> None:
    """A row that does not divide into groups ends in a shorter one."""
    for rows, columns in ((1, spec["group"] + 1), (40, 3 * spec["group"] - 9)):
        got, want = ask_number(answers, NAME, rows, columns), bytes_of(spec, rows, columns)
        if not close(got, want):
            raise Miss(f"{NAME}({rows}, {columns}) returned {got:g} bytes: {side(got, want)}",
                       f"{columns} weights are not a whole number of groups of {spec['group']}: the row ends in a "
                       "shorter group, and no group reaches into the next row",
                       "count the groups of one row of this length by hand, then make your code count the same")


def show(spec: Spec, answers: Answers) -> Bars:
    """The worked example, beside the learner's own figure."""
    return Bars(f"A matrix of {spec['rows']} x {spec['columns']}", "bytes",
                [("matrix_bytes", yours(lambda: ask_number(answers, NAME, spec["rows"], spec["columns"])),
                  bytes_of(spec, spec["rows"], spec["columns"]))])


EXERCISE = Exercise(
    id="01.1", title="Bytes of one matrix", kind="warm-up", difficulty=1, importance=5, minutes=5,
    objective="You can say what a quantized matrix weighs, with everything counted that has to be stored.",
    spec=spec, show=show,
    prose="""
A matrix is stored in this format:

| what | |
|---|---|
| one code per weight | <<bits>> bits |
| groups | <<group>> neighbouring weights of a row; the last group of a row may be shorter |
| one scale per group | <<scale_bits>> bits |
| one zero point per group | <<zero_bits>> bits |

A shorter group stores no codes for weights that are not there, but it has its own scale and zero point.
No group reaches into the next row, and nothing is padded.

Write `matrix_bytes(rows, columns)`: the bytes of such a matrix. A fraction of a byte is fine.

**Example.** <<rows>> rows of <<columns>> columns weigh <<example>> bytes.
""",
    hints=("Count in bits first: bits of the codes of one row, plus bits of what its groups store. Divide by 8 last.",
           "`-(-a // b)` is a divided by b, rounded up."),
    head='''
def matrix_bytes(rows, columns):
    """Bytes of a rows x columns matrix in the format of the table above."""
''',
    reference='''
groups = -(-columns // <<group>>)  # of one row; the last may be short
return rows * (columns * <<bits>> + groups * (<<scale_bits>> + <<zero_bits>>)) / 8
''',
    second='''
bits = 0
for start in range(0, columns, <<group>>):
    bits += min(<<group>>, columns - start) * <<bits>> + <<scale_bits>> + <<zero_bits>>
return rows * bits / 8
''',
    explanation="Rounding up is the whole difference between a formula that is right for friendly sizes and one that "
                "is right. The second answer walks over the groups instead, and shows the same thing slowly.",
    checks=(Check("a column inside a group adds only its codes", 1, codes),
            Check("every group stores its scale and zero point", 1, scales),
            Check("a short last group is a group all the same", 1, short_group)),
    wrong=(
        Wrong("scales left out", 2, "return rows * columns * <<bits>> / 8"),
        Wrong("zero points left out", 2, """
            return rows * (columns * <<bits>> + -(-columns // <<group>>) * <<scale_bits>>) / 8"""),
        Wrong("one scale per row", 2, "return rows * (columns * <<bits>> + <<scale_bits>> + <<zero_bits>>) / 8"),
        Wrong("bits returned as bytes", 3, """
            return rows * (columns * <<bits>> + -(-columns // <<group>>) * (<<scale_bits>> + <<zero_bits>>))"""),
        Wrong("the short group dropped", 1, """
            return rows * (columns * <<bits>> + columns // <<group>> * (<<scale_bits>> + <<zero_bits>>)) / 8"""),
        Wrong("a fraction of a scale for a short group", 2, """
            return rows * columns * (<<bits>> + (<<scale_bits>> + <<zero_bits>>) / <<group>>) / 8"""),
        Wrong("groups run on into the next row", 2, """
            groups = -(-rows * columns // <<group>>)
            return (rows * columns * <<bits>> + groups * (<<scale_bits>> + <<zero_bits>>)) / 8"""),
        Wrong("the example's number for everything", 3, "return <<example>>"),
    ),
)
