"""13.5, stretch: a packed matrix of -1, 0 and 1 times a vector, by adding.

What varies: which two bits of a byte come first, whether a byte holds neighbours or four weights a quarter of a row
apart, and which two bits mean -1, 0 and 1.
A kernel that multiplies by 0 is found out by an infinite input: 0 times infinity is no number.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars, yours
from ..e06_fused_kernels.helpers import agree, ask_rows, check_memory, same
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME = "ternary"
MEANINGS = ((0, 1, 2), (1, 0, 2), (3, 0, 1), (2, 0, 1), (1, 2, 3), (2, 3, 0))  # the two bits of -1, 0 and 1


def spec(draw: Draw) -> dict:
    """The layout of one variant."""
    low_first, quarters = draw.choice("rules", ((True, False), (False, True), (True, True), (False, False)))
    bits = draw.choice("bits", MEANINGS)
    byte = sum(bits[t + 1] << shift for t, shift in zip((1, 0, -1, 1), shifts(low_first)))
    return {"low_first": low_first, "quarters": quarters, "bits": bits,
            "columns_of": "j, j + q, j + 2q and j + 3q, with q = columns / 4" if quarters else
                          "4j, 4j + 1, 4j + 2 and 4j + 3",
            "first_bits": "lowest" if low_first else "highest",
            "meaning": ", ".join(f"{bits[t + 1]:02b} is {t}" for t in (-1, 0, 1)), "byte": f"{byte:08b}"}


def shifts(low_first: bool) -> tuple[int, ...]:
    """Where the four weights of a byte begin."""
    return (0, 2, 4, 6) if low_first else (6, 4, 2, 0)


def pack(spec: Spec, trits: np.ndarray) -> np.ndarray:
    """Weights (rows, columns) of -1, 0, 1 -> bytes (rows, columns / 4), by the rules."""
    rows, columns = trits.shape
    four = trits.reshape(rows, 4, columns // 4).swapaxes(1, 2) if spec["quarters"] else trits.reshape(rows, -1, 4)
    return (np.array(spec["bits"])[four + 1] << np.array(shifts(spec["low_first"]))).sum(axis=2).astype(np.uint8)


def _ask(spec: Spec, answers: Answers, trits: np.ndarray, scale: np.ndarray, x: np.ndarray) -> np.ndarray:
    rows, columns = trits.shape
    return ask_rows(answers, f"{NAME} of {rows} row(s) and {columns} columns", NAME, rows, pack(spec, trits), scale, x)


def random_matrix(rows: int, columns: int) -> tuple[np.ndarray, ...]:
    """Weights, scales and inputs."""
    rng = np.random.default_rng(rows)
    return (rng.integers(-1, 2, (rows, columns)), rng.uniform(0.01, 0.1, rows).astype(np.float32),
            rng.standard_normal(columns).astype(np.float32))


def product(trits: np.ndarray, scale: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(out, sum of magnitudes) in float64."""
    w = trits * scale[:, None].astype(np.float64)
    return w @ x.astype(np.float64), abs(w) @ abs(x.astype(np.float64))


def places(spec: Spec, answers: Answers) -> None:
    """One weight at a time is 1, all others 0; a point for the first four columns, one for the rest."""
    columns, earned, told = 24, 0, None
    x = np.arange(1, columns + 1, dtype=np.float32)
    for which in (range(4), range(4, columns)):
        try:
            for c in which:
                trits = np.zeros((2, columns), int)
                trits[1, c] = 1
                got = _ask(spec, answers, trits, np.ones(2, np.float32), x)
                if not (same(got[1], c + 1) and same(got[0], 0)):
                    byte = c % 6 if spec["quarters"] else c // 4
                    raise Miss(f"one weight of packed[1, {byte}] is 1 and all others of {columns} columns are 0, x is "
                               f"1, 2, 3, ...: the sums are {got[0]:g} and {got[1]:g}",
                               f"byte j holds the weights {spec['columns_of']}, the first in its {spec['first_bits']} "
                               "two bits", "for this byte, write down its four columns, and where each begins")
            earned += 1
        except Miss as miss:
            told = told or miss
    if told:
        raise Miss(told.what, told.why, told.advice, earned)


def signs(spec: Spec, answers: Answers) -> None:
    """Rows of one value only, inputs 1."""
    trits = np.repeat(np.array([[-1], [0], [1]]), 8, axis=1)
    got = _ask(spec, answers, trits, np.ones(3, np.float32), np.ones(8, np.float32))
    if not all(same(g, 8 * t) for g, t in zip(got, (-1, 0, 1))):
        raise Miss("rows of eight times -1, 0 and 1, scales and inputs 1: the sums are "
                   f"{', '.join(f'{g:g}' for g in got)}",
                   f"the two bits mean: {spec['meaning']}", "print the two bits that you cut out of a byte")


def scales(spec: Spec, answers: Answers) -> None:
    """Equal rows with scales of their own."""
    trits, scale = np.ones((3, 8), int), np.array([1, 4, 0.25], np.float32)
    got = _ask(spec, answers, trits, scale, np.ones(8, np.float32))
    if got[0] == 0 or not all(same(g, s * got[0]) for g, s in zip(got, scale)):
        raise Miss(f"three equal rows with the scales 1, 4 and 0.25 gave {', '.join(f'{g:g}' for g in got)}",
                   "a row's sum is multiplied by the row's scale, once", "where does `scale[r]` stand?")


def skipped(spec: Spec, answers: Answers) -> None:
    """Inputs that only meet zeros may be anything."""
    trits, scale, x = random_matrix(5, 32)
    trits[:, [3, 17, 30]] = 0
    want, size = product(trits, scale, x)
    x[[3, 17, 30]] = np.inf, -np.inf, np.nan
    if not agree(_ask(spec, answers, trits, scale, x), want, size):
        raise Miss("three inputs are infinite or no number, and every weight that they meet is 0: the sums are wrong",
                   "a weight of 0 adds nothing; a multiplication by 0 is no nothing where its partner is infinite",
                   "add for 1, subtract for -1, and do neither for 0")


def any_matrix(spec: Spec, answers: Answers) -> None:
    """Random numbers."""
    for rows, columns in ((1, 4), (3, 64), (7, 96)):
        args = random_matrix(rows, columns)
        got = _ask(spec, answers, *args)
        if not agree(got, *product(*args)):
            raise Miss(f"{NAME} of {rows} random row(s) and {columns} columns returned {got[0]:.6g} first",
                       "all rules at once, and sums kept in float32 or better", "see the checks above first")


def no_copy(spec: Spec, answers: Answers) -> None:
    """Right, and without room for a copy."""
    trits, scale, x = random_matrix(192, 128)
    if not agree(_ask(spec, answers, trits, scale, x), *product(trits, scale, x)):
        raise Miss(f"{NAME} of 192 random rows and 128 columns is not right yet",
                   "memory is only looked at where the result is right", "see the checks above first")
    check_memory(answers, trits.size, pack(spec, trits), scale, x)


def show(spec: Spec, answers: Answers) -> Bars:
    """Rows of ones, more of them from row to row."""
    trits = (np.arange(8)[None] < np.array([[2], [4], [6], [8]])).astype(int)
    args = trits, np.ones(4, np.float32), np.arange(1, 9, dtype=np.float32)
    got, want = yours(lambda: _ask(spec, answers, *args)), product(*args)[0]
    return Bars("The first weights are 1, the others 0; x is 1, 2, 3, ...", "", [
        (f"{2 * r + 2} ones", None if got is None else float(got[r]), float(want[r])) for r in range(4)])


def fields(spec: Spec) -> dict:
    """Pieces of the answers in this layout, and in the others."""
    column = ("j + k * quarter", "4 * j + k")
    own, other = column if spec["quarters"] else column[::-1]
    low = spec["low_first"]
    joined = ("np.concatenate({})", "np.stack({}, axis=1).reshape(-1)")[0 if spec["quarters"] else 1]
    fours = "[packed[r] >> n & 3 for n in {}]".format(list(shifts(low)))
    whole = "np.concatenate({}, axis=1)" if spec["quarters"] else "np.stack({}, axis=2).reshape(len(packed), -1)"
    bits = spec["bits"]
    return {"column": own, "other_column": other, "shift": "2 * k" if low else "6 - 2 * k",
            "other_shift": "6 - 2 * k" if low else "2 * k", "minus": bits[0], "nought": bits[1], "plus": bits[2],
            "row": joined.format(fours), "whole": whole.format(fours.replace("[r]", ""))}


GIVEN = '''
from minquant.teaching.racing import peak_bytes, race

def most_memory(*args):
    """The most bytes that ternary has in use at once. The last check asks this."""
    return peak_bytes(ternary, *args)
'''

STARTER = '''
def ternary(packed, scale, x):
    """Matrix times x: (rows,) float32."""
    raise NotImplementedError
'''

REFERENCE = '''
def ternary(packed, scale, x):
    quarter = packed.shape[1]
    out = np.zeros(packed.shape[0], np.float32)
    for r in range(packed.shape[0]):
        total = np.float32(0)
        for j in range(quarter):
            byte = np.int32(packed[r, j])
            for k in range(4):
                bits = byte >> (<<shift>>) & 3
                if bits == <<plus>>:
                    total += x[<<column>>]
                elif bits == <<minus>>:
                    total -= x[<<column>>]
        out[r] = scale[r] * total
    return out
'''

SECOND = '''
def ternary(packed, scale, x):
    out = np.zeros(len(packed), np.float32)
    for r in range(len(packed)):
        bits = <<row>>
        out[r] = scale[r] * (x[bits == <<plus>>].sum() - x[bits == <<minus>>].sum())
    return out
'''

WRONG = (
    Wrong("the four in the other order", 5, REFERENCE.replace("<<shift>>", "<<other_shift>>")),
    Wrong("neighbours and quarters mixed up", 5, REFERENCE.replace("<<column>>", "<<other_column>>")),
    Wrong("plus and minus swapped", 6, REFERENCE.replace("total += x", "total ~= x").replace(
        "total -= x", "total += x").replace("total ~= x", "total -= x")),
    Wrong("two bits for plus are taken for zero", 7, REFERENCE.replace("bits == <<plus>>", "bits == <<nought>>")),
    Wrong("multiplied, zeros as well", 1, '''
def ternary(packed, scale, x):
    out = np.zeros(len(packed), np.float32)
    for r in range(len(packed)):
        bits = <<row>>
        out[r] = scale[r] * (((bits == <<plus>>) * 1.0 - (bits == <<minus>>)) @ x)
    return out
'''),
    Wrong("no scale", 4, REFERENCE.replace("scale[r] * total", "total")),
    Wrong("one scale for all rows", 4, REFERENCE.replace("scale[r] * total", "scale[0] * total")),
    Wrong("all weights unpacked first", 1, '''
def ternary(packed, scale, x):
    bits = <<whole>>
    return [scale[r] * (x[row == <<plus>>].sum() - x[row == <<minus>>].sum()) for r, row in enumerate(bits)]
'''),
)

EXERCISE = Exercise(
    id="13.5", title="A matrix without multiplications", kind="stretch", difficulty=4, importance=3, minutes=30,
    objective="You can multiply packed ternary weights by a vector with additions only, without a copy.",
    spec=spec, show=show, answer_fields=fields, wrong=WRONG, given=GIVEN,
    prose="""
Weights that are -1, 0 or 1 turn a product of a matrix and a vector into sums: add, subtract, or leave out. Four such
weights share a byte:

| what | |
|---|---|
| `packed` | (rows, columns / 4) uint8; byte j of a row holds its weights <<columns_of>> |
| the first of the four | lies in the <<first_bits>> two bits, the others follow in order |
| two bits | <<meaning>>; the fourth pattern does not occur |
| `scale` | (rows,) float32, one for a row |
| `x` | (columns,) float32; columns are a multiple of 4 |

Write `ternary(packed, scale, x)`: the matrix times `x`, (rows,) numbers. Per row one multiplication is allowed, by its
scale. **No multiplication by a weight**: what meets a weight of 0 may be infinite or no number, and must not matter.
**No copy of the matrix**: at no moment may your function hold more than half a byte per weight beyond its arguments. A
copy of one row is allowed.

**Example.** The byte <<byte>> holds 1, 0, -1 and 1, in this order.

**Speed** (not graded). Put `@njit` above your function when it is right, and `race` it against a NumPy version with a
copy, on 2048 x 4096 weights. A branch for every weight is slow where nobody can foresee it: can you do without `if`?
""",
    hints=("One pass over the bytes of a row; each byte gives four weights. Which four columns are they?",
           "`byte >> n & 3` cuts two bits out."),
    head="# ternary goes into this cell",
    starter=STARTER, reference=REFERENCE, second=SECOND,
    explanation="What counts on a CPU is again the bytes: an eighth of those of bf16. Hardware made for such weights "
                "could leave its multipliers out.",
    checks=(Check("which bits are which weight", 2, places), Check("what the bits mean", 1, signs),
            Check("the scales", 1, scales), Check("zeros are left out", 1, skipped),
            Check("any matrix", 1, any_matrix), Check("right, and no copy of the matrix", 1, no_copy)),
)
