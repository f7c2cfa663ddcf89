"""13.3, core: a matrix of ternary codes, four to a byte, times a vector, by adding and subtracting.

What varies: at which end of a byte its first code lies, and which bits stand for which code.
The traps: the order in a byte, the table, and the scale.
Source: Ma et al. 2024, arXiv 2402.17764, figure 1, for additions in place of multiplications; the layout is made up.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars, yours
from ..e05_bit_packing.asking import ask
from ..e08_repairing_rounding.arrays import numbers
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME = "ternary_matvec"
TABLES = ((0, 1, -1), (-1, 0, 1), (1, -1, 0))  # each a turn of the others, so that no code keeps its bits


def spec(draw: Draw) -> dict:
    """The rules of one variant, and its worked example."""
    first_low, table = draw.choice("first_low", (True, False)), draw.integer("table", 0, 2)
    names = {1: "+1", 0: "0", -1: "-1"}
    drawn = {"first_low": first_low, "codes": TABLES[table], "table": [*TABLES[table], 0],
             "other_table": [*TABLES[(table + 1) % 3], 0], "shifts": [0, 2, 4, 6] if first_low else [6, 4, 2, 0],
             "other_shifts": [6, 4, 2, 0] if first_low else [0, 2, 4, 6],
             "end": "lowest" if first_low else "highest",
             "table_words": ", ".join(f"{bits:02b} is {names[c]}" for bits, c in enumerate(TABLES[table]))}
    row = [1, -1, 0, 1]
    return drawn | {"byte": int(pack(drawn, np.array([row]))[0, 0]), "row": row,
                    "x": [1.0, 2.0, 4.0, 8.0], "y": 0.5 * (1 - 2 + 8)}


def pack(spec: Spec, codes: np.ndarray) -> np.ndarray:
    """Codes (rows, columns) as bytes (rows, columns / 4) by the rules of the exercise."""
    fields = np.array([[spec["codes"].index(int(c)) for c in row] for row in codes])
    fields = fields.reshape(len(codes), -1, 4)
    return (fields << np.array(spec["shifts"])).sum(axis=2).astype(np.uint8)


def compare(spec: Spec, answers: Answers, codes: np.ndarray, x: np.ndarray, what: str, why: str, advice: str) -> None:
    """A matrix of these codes times x, with another scale for each row. Raises Miss where a row is off."""
    scale = np.round(0.3 + 0.25 * np.arange(len(codes)), 3)
    call = f"{NAME}({what})"
    got = numbers(ask(answers, call, NAME, pack(spec, codes), scale, x), (len(codes),), call, "outputs")
    for row, (mine, want) in enumerate(zip(got, scale * (codes @ x), strict=True)):
        if abs(mine - want) > 1e-6 * (1 + abs(want)):
            raise Miss(f"{call} returned {mine:g} for row {row}", why, advice)


def zeros(spec: Spec, answers: Answers) -> None:
    """Codes that are all 0."""
    compare(spec, answers, np.zeros((3, 8), int), np.arange(1.0, 9), "three rows of code 0 and eight inputs",
            "a code of 0 leaves its input out", "which two bits stand for 0?")


def single(spec: Spec, answers: Answers) -> None:
    """One code other than 0 in each row."""
    codes = np.zeros((8, 8), int)
    for i in range(8):
        codes[i, i] = 1 if i % 3 else -1
    compare(spec, answers, codes, np.array([1.0, 3, 7, 20, 50, 110, 300, 700]), "one code of +1 or -1 in each row",
            "row i looks at input i alone, adds it or takes it away, and multiplies by its scale",
            "which input did your row take, and with which sign? Divide what it returned by the scale of the row")


def whole(spec: Spec, answers: Answers) -> None:
    """A matrix of all kinds of codes."""
    rng = np.random.default_rng(5)
    for rows, columns in ((5, 12), (2, 40)):
        compare(spec, answers, rng.integers(-1, 2, (rows, columns)), np.round(rng.normal(0, 2, columns), 3),
                f"a matrix of {rows} rows and {columns} columns", "all codes count", "compare with the matrix product "
                "of the codes, unpacked by hand for the first byte")


def show(spec: Spec, answers: Answers) -> Bars:
    """Each input of the example alone."""
    rows = []
    for i, code in enumerate(spec["row"]):
        x = np.eye(4)[i] * spec["x"][i]
        mine = yours(lambda: numbers(answers.call(NAME, np.array([[spec["byte"]]], np.uint8), np.array([0.5]), x),
                                     (1,), NAME, "outputs"))
        rows.append((f"input {i} alone", None if mine is None else abs(float(mine[0])), abs(0.5 * code * x[i])))
    return Bars("The example, one input at a time, without sign", "", rows)


REFERENCE = '''
fields = packed[:, :, None] >> np.array(<<shifts>>, np.uint8) & 3
codes = np.array(<<table>>)[fields].reshape(len(packed), -1)
plus = np.where(codes == 1, x, 0).sum(axis=1)
minus = np.where(codes == -1, x, 0).sum(axis=1)
return scale * (plus - minus)
'''

EXERCISE = Exercise(
    id="13.3", title="Multiply without multiplying", kind="core", difficulty=3, importance=3, minutes=15,
    objective="You can multiply a vector by packed ternary weights.",
    spec=spec, show=show, reference=REFERENCE,
    prose="""
A weight of -1, 0 or 1 needs no multiplication: its input is taken away, left out, or added. One multiplication is left
per row, by the row's scale.

| what | |
|---|---|
| a byte | holds four codes of one row, two bits each; the first of them in its <<end>> bits |
| two bits | <<table_words>>; 11 does not occur |
| packed | uint8 (rows, bytes): the bytes of a row from left to right |
| scale | one per row |

Write `ternary_matvec(packed, scale, x)`, which returns the outputs, one per row.

**Example.** One row of one byte, <<byte>>, holds the codes <<row>>. With scale 0.5 and x = <<x>> it gives <<y>>.
""",
    hints=("Shift the byte so that the code you want lies lowest, then keep two bits with `& 3`.",
           "`packed[:, :, None] >> shifts` gives all four fields of every byte at once.",
           "`np.array(table)[fields]` looks up all codes at once."),
    head='''
def ternary_matvec(packed, scale, x):
    """Outputs (rows,) of a packed ternary matrix and an input x (columns,)."""
''',
    second='''
out = np.zeros(len(packed))
for i, row in enumerate(packed):
    codes = [<<table>>[int(byte) >> shift & 3] for byte in row for shift in <<shifts>>]
    for code, value in zip(codes, x):
        if code > 0:
            out[i] += value
        elif code < 0:
            out[i] -= value
return out * scale
''',
    explanation="On a computer with fast multipliers this saves memory traffic rather than arithmetic: a ternary "
                "matrix is read at two bits a weight, or 1.6 where five codes share a byte (lesson 05).",
    checks=(Check("codes of 0", 1, zeros), Check("one code at a time", 2, single), Check("whole matrices", 2, whole)),
    wrong=(
        Wrong("the other end of the byte first", 4, REFERENCE.replace("<<shifts>>", "<<other_shifts>>")),
        Wrong("another table", 5, REFERENCE.replace("<<table>>", "<<other_table>>")),
        Wrong("the scale forgotten", 4, REFERENCE.replace("scale * (plus - minus)", "plus - minus")),
        Wrong("divided by the scale", 4, REFERENCE.replace("scale * (plus - minus)", "(plus - minus) / scale")),
        Wrong("signs lost", 4, REFERENCE.replace("plus - minus", "plus + minus")),
        Wrong("only the positive ones", 4, REFERENCE.replace("(plus - minus)", "plus")),
        Wrong("the wrong way", 4, REFERENCE.replace("plus - minus", "minus - plus")),
        Wrong("a quarter of the columns apart", 4, REFERENCE.replace(
            "[fields].reshape", "[fields].transpose(0, 2, 1).reshape")),
    ),
)
