"""06.3, core: nibbles times a vector, decoded on the way.

What varies: which nibble comes first, whether a byte holds neighbours or two weights half a row apart, the size of a
group, and the zero point. Each is seen by a check of its own, as far as the others let it.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars, yours
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw
from .helpers import agree, ask_rows, check_memory, same

NAME = "fused4"


def spec(draw: Draw) -> dict:
    """The layout of one variant."""
    halves, low_first = draw.choice("rules", ((True, True), (True, False), (False, False), (False, True)))
    first, second = ("low", "high") if low_first else ("high", "low")
    return {"halves": halves, "low_first": low_first, "group": draw.choice("group", (8, 16, 32)),
            "zero": draw.choice("zero", (5, 6, 7, 9, 10)), "first_nibble": first, "second_nibble": second,
            "pair": "j and j + columns / 2" if halves else "2j and 2j + 1"}


def fields(spec: Spec) -> dict:
    """Pieces of the answers in the layout of this variant, and in the others."""
    pairs = ("j", "j + half"), ("2 * j", "2 * j + 1")
    (one, two), (other_one, other_two) = pairs if spec["halves"] else pairs[::-1]
    nibbles = "byte & 15", "byte >> 4"
    first, second = nibbles if spec["low_first"] else nibbles[::-1]
    rows = ("np.concatenate([{}, {}])", "np.stack([{}, {}], axis=1).reshape(-1)")[0 if spec["halves"] else 1]
    joined = rows.format(*(n.replace("byte", "packed[r]") for n in (first, second)))
    whole = ("np.concatenate([{}, {}], axis=1)", "np.stack([{}, {}], axis=2).reshape(len(packed), -1)")[
        0 if spec["halves"] else 1].format(*(n.replace("byte", "packed") for n in (first, second)))
    return {"one": one, "two": two, "other_one": other_one, "other_two": other_two, "first": first, "second": second,
            "row": joined, "whole": whole, "other_zero": 8}


def pack(spec: Spec, nibbles: np.ndarray) -> np.ndarray:
    """Nibbles (rows, columns) 0..15 -> bytes (rows, columns / 2), by the rules."""
    half = nibbles.shape[1] // 2
    one, two = (nibbles[:, :half], nibbles[:, half:]) if spec["halves"] else (nibbles[:, 0::2], nibbles[:, 1::2])
    low, high = (one, two) if spec["low_first"] else (two, one)
    return (low + 16 * high).astype(np.uint8)


def product(spec: Spec, nibbles: np.ndarray, scale: np.ndarray, x: np.ndarray) -> tuple:
    """(out, sum of magnitudes) in float64."""
    w = np.repeat(scale.astype(np.float64), spec["group"], axis=1) * (nibbles.astype(np.float64) - spec["zero"])
    return w @ x.astype(np.float64), abs(w) @ abs(x.astype(np.float64))


def random_matrix(spec: Spec, rows: int, groups: int) -> tuple:
    """nibbles, scale and x of random numbers."""
    rng = np.random.default_rng(rows)
    columns = groups * spec["group"]
    return (rng.integers(0, 16, (rows, columns)), rng.uniform(0.01, 0.1, (rows, groups)).astype(np.float32),
            rng.standard_normal(columns).astype(np.float32))


def _ask(spec: Spec, answers: Answers, nibbles: np.ndarray, scale: np.ndarray, x: np.ndarray) -> np.ndarray:
    rows, columns = nibbles.shape
    shown = f"fused4 of {rows} row(s) and {columns} columns"
    return ask_rows(answers, shown, NAME, rows, pack(spec, nibbles), scale, x)


def nibble_places(spec: Spec, answers: Answers) -> None:
    """One weight larger by one: which input is it multiplied by? All scales are 1."""
    columns = 4 * spec["group"]
    nibbles, scale = np.full((2, columns), 3), np.ones((2, 4), np.float32)
    x = np.arange(1, columns + 1, dtype=np.float32)
    before = _ask(spec, answers, nibbles, scale, x)
    for r, c in ((0, 0), (0, 1), (1, columns // 2 - 1), (1, columns // 2), (0, columns - 2), (1, columns - 1)):
        changed = nibbles.copy()
        changed[r, c] += 1
        grown = _ask(spec, answers, changed, scale, x) - before
        if not (same(grown[r], x[c]) and same(grown[1 - r], 0)):
            byte = c % (columns // 2) if spec["halves"] else c // 2
            raise Miss(f"a nibble of packed[{r}, {byte}] became larger by one, scales are 1, x is 1, 2, 3, ...: the "
                       f"sums grew by {grown[0]:g} and {grown[1]:g}",
                       f"byte j of a row holds its weights {spec['pair']}, the first of them in the "
                       f"{spec['first_nibble']} nibble",
                       "for this byte, write down both columns, and which nibble belongs to which")


def scales(spec: Spec, answers: Answers) -> None:
    """Both nibbles of a byte larger by one: their scales are added. All inputs are 1."""
    columns, groups = 4 * spec["group"], 4
    scale, x = (2.0 ** np.arange(groups))[None].astype(np.float32), np.ones(columns, np.float32)
    nibbles = np.full((1, columns), 3)
    before = _ask(spec, answers, nibbles, scale, x)[0]
    for byte in (0, spec["group"] // 2, columns // 4, columns // 2 - 1):
        pair = [byte, byte + columns // 2] if spec["halves"] else [2 * byte, 2 * byte + 1]
        changed = nibbles.copy()
        changed[0, pair] += 1
        grown = _ask(spec, answers, changed, scale, x)[0] - before
        if not same(grown, sum(2.0 ** (c // spec["group"]) for c in pair)):
            raise Miss(f"both nibbles of byte {byte} became larger by one, scales are 1, 2, 4, 8, x is all ones: the "
                       f"sum of {columns} columns grew by {grown:g}",
                       f"a group is {spec['group']} neighbouring weights of a row, not bytes; each has its own scale",
                       "which two columns lie in this byte, and in which group is each of them?")


def zero_point(spec: Spec, answers: Answers) -> None:
    """All nibbles alike."""
    columns = 2 * spec["group"]
    for nibble in range(16):
        got = _ask(spec, answers, np.full((1, columns), nibble), np.ones((1, 2), np.float32),
                   np.ones(columns, np.float32))[0]
        if not same(got, columns * (nibble - spec["zero"])):
            raise Miss(f"{columns} nibbles {nibble:04b}, scales and inputs 1: the sum is {got:g}",
                       f"a nibble is a number from 0 to 15; the weight is what is left without {spec['zero']} of it",
                       "mind the type: a byte has no negative numbers. Convert it before you subtract")


def any_matrix(spec: Spec, answers: Answers) -> None:
    """Random numbers."""
    for rows, groups in ((1, 2), (3, 4), (7, 4)):
        args = random_matrix(spec, rows, groups)
        got = _ask(spec, answers, *args)
        if not agree(got, *product(spec, *args)):
            raise Miss(f"fused4 of {rows} random row(s) and {groups} groups returned {got[0]:.6g} first",
                       "all rules at once, and sums kept in float32 or better", "see the checks above first")


def no_copy(spec: Spec, answers: Answers) -> None:
    """Right, and without room for a copy."""
    nibbles, scale, x = random_matrix(spec, 192, 4)
    if not agree(_ask(spec, answers, nibbles, scale, x), *product(spec, nibbles, scale, x)):
        raise Miss("fused4 of 192 random rows and 4 groups is not right yet",
                   "memory is only looked at where the result is right", "see the checks above first")
    check_memory(answers, nibbles.size, pack(spec, nibbles), scale, x)


def show(spec: Spec, answers: Answers) -> Bars:
    """Rows of equal nibbles, large ones."""
    columns = 2 * spec["group"]
    nibbles = np.repeat(np.array([[11], [12], [13], [15]]), columns, axis=1)
    args = nibbles, np.ones((4, 2), np.float32), np.ones(columns, np.float32)
    got, want = yours(lambda: _ask(spec, answers, *args)), product(spec, *args)[0]
    return Bars("Rows that hold one nibble only, all scales and inputs 1", "", [
        (f"nibble {nibbles[r, 0]}", None if got is None else float(got[r]), float(want[r])) for r in range(4)])


GIVEN = '''
from minquant.teaching.racing import peak_bytes, race

def most_memory(*args):
    """The most bytes that fused4 has in use at once. The last check asks this."""
    return peak_bytes(fused4, *args)
'''

STARTER = '''
def fused4(packed, scale, x):
    """Matrix times x: (rows,) float32."""
    raise NotImplementedError
'''

REFERENCE = '''
def fused4(packed, scale, x):
    half = packed.shape[1]
    out = np.zeros(packed.shape[0], np.float32)
    for r in range(packed.shape[0]):
        total = np.float32(0)
        for j in range(half):
            byte, one, two = np.int32(packed[r, j]), <<one>>, <<two>>
            total += np.float32((<<first>>) - <<zero>>) * scale[r, one // <<group>>] * x[one]
            total += np.float32((<<second>>) - <<zero>>) * scale[r, two // <<group>>] * x[two]
        out[r] = total
    return out
'''

SECOND = '''
def fused4(packed, scale, x):
    out = np.zeros(packed.shape[0], np.float32)
    for r in range(packed.shape[0]):
        steps = <<row>>.astype(np.float32) - <<zero>>
        products = (steps * x).reshape(-1, <<group>>).sum(axis=1)
        out[r] = products @ scale[r]
    return out
'''

WRONG = (
    Wrong("the two nibbles swapped", 5, REFERENCE.replace("<<first>>", "<<>>").replace(
        "<<second>>", "<<first>>").replace("<<>>", "<<second>>")),
    Wrong("neighbours and halves mixed up", 6, REFERENCE.replace("<<one>>", "<<other_one>>").replace(
        "<<two>>", "<<other_two>>")),
    Wrong("8 taken away, as Q4_0 does", 4, REFERENCE.replace("<<zero>>", "<<other_zero>>")),
    Wrong("nothing taken away", 4, REFERENCE.replace(" - <<zero>>", "")),
    Wrong("a group counted in bytes", 4, REFERENCE.replace("one // <<group>>", "j // <<group>>").replace(
        "two // <<group>>", "j // <<group>>")),
    Wrong("one scale for a whole row", 4, REFERENCE.replace("one // <<group>>", "0").replace("two // <<group>>", "0")),
    Wrong("one nibble of each byte", 7, REFERENCE.replace(
        "            total += np.float32((<<second>>) - <<zero>>) * scale[r, two // <<group>>] * x[two]\n", "")),
    Wrong("a float copy of the matrix", 1, '''
def fused4(packed, scale, x):
    weights = <<whole>>.astype(np.float32) - <<zero>>
    return (weights * np.repeat(scale, <<group>>, axis=1)) @ x
'''),
    Wrong("all codes unpacked first", 1, '''
def fused4(packed, scale, x):
    codes = <<whole>>
    return [(codes[r].astype(np.float32) - <<zero>>) * np.repeat(scale[r], <<group>>) @ x for r in range(len(codes))]
'''),
)

EXERCISE = Exercise(
    id="06.3", title="Four bits, fused", kind="core", difficulty=4, importance=5, minutes=18,
    objective="You can multiply packed 4-bit weights by a vector, whatever the order of their nibbles, without a copy.",
    spec=spec, show=show, answer_fields=fields, wrong=WRONG, given=GIVEN,
    prose="""
Two weights share a byte:

| what | |
|---|---|
| `packed` | (rows, columns / 2) uint8; byte j of a row holds its weights <<pair>> |
| the first of the two | lies in the <<first_nibble>> nibble, the second in the <<second_nibble>> nibble |
| `scale` | (rows, columns / <<group>>) float32, one for <<group>> neighbouring weights of a row |
| a weight | scale × (nibble - <<zero>>), the nibble as a number from 0 to 15 |
| `x` | (columns,) float32; columns are a multiple of <<group>>, and even |

Write `fused4(packed, scale, x)`: the matrix times `x`, (rows,) numbers, **without a copy of the matrix**, neither as
floats nor as codes: at no moment may your function hold more than half a byte per weight beyond its arguments. A copy
of one row is allowed.

**Example.** A byte 0x3C in a group of scale 2: its first weight is 2 × (nibble - <<zero>>) with the
<<first_nibble>> nibble, where the low nibble is 12 and the high one is 3.

**Speed** (not graded). Put `@njit` above your function when it is right, and `race` it against a NumPy version with a
copy, on 2048 x 4096 weights: ten times as fast is a good aim. Then think of the lesson's `v2`: can the two sums run in
loops of their own?
""",
    hints=("One pass over the bytes of a row. Each byte gives two weights: which two columns are they?",
           "Turn the byte into `np.int32` once, then mask it and shift it.",
           "The group of a weight follows from its column, not from its byte."),
    head="# fused4 goes into this cell",
    starter=STARTER, reference=REFERENCE, second=SECOND,
    explanation="Compiled, the first answer reads half a byte per weight and writes nothing. The second multiplies by "
                "the scale once for a group instead of once for a weight: fewer operations, and the way of the "
                "lesson's v3.",
    checks=(Check("which nibble is which weight", 2, nibble_places), Check("which scale", 1, scales),
            Check("the zero point", 1, zero_point), Check("any matrix", 2, any_matrix),
            Check("right, and no copy of the matrix", 1, no_copy)),
)
