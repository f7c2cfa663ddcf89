"""06.2, core: a matrix of 8-bit codes with zero points times a vector, decoded on the way.

What varies: the size of a group, what is added to a stored zero point (GPTQ's files store it minus one), and whether
scales lie row by row or group by group (as GPTQ's do). The traps: bytes minus bytes, which wrap around in NumPy, and a
last group that is shorter.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars, yours
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw
from .helpers import agree, ask_rows, check_memory, same

NAME = "fused8"


def spec(draw: Draw) -> dict:
    """The layout of one variant."""
    by_groups = draw.choice("by_groups", (True, False))
    return {"group": draw.choice("group", (16, 24, 32, 40, 48)), "plus": draw.integer("plus", 1, 5),
            "by_groups": by_groups, "shape": "(groups, rows)" if by_groups else "(rows, groups)",
            "place": "[g, r]" if by_groups else "[r, g]"}


def fields(spec: Spec) -> dict:
    """How answers find a scale in the layout of this variant, and in the other one."""
    here, there = f"c // {spec['group']}, r", f"r, c // {spec['group']}"
    if spec["by_groups"]:
        return {"at": here, "other_at": there, "row_at": ":, r", "first_at": "0, r", "turned": ".T"}
    return {"at": there, "other_at": here, "row_at": "r", "first_at": "r, 0", "turned": ""}


def product(spec: Spec, codes: np.ndarray, scale: np.ndarray, zero: np.ndarray, x: np.ndarray) -> tuple:
    """(out, sum of magnitudes) in float64 by the rules; scale and zero as an answer gets them."""
    scale, zero = (a.T if spec["by_groups"] else a for a in (scale, zero))
    group = np.arange(codes.shape[1]) // spec["group"]
    w = scale[:, group].astype(np.float64) * (codes.astype(np.float64) - zero[:, group] - spec["plus"])
    return w @ x.astype(np.float64), abs(w) @ abs(x.astype(np.float64))


def stored(spec: Spec, a: np.ndarray) -> np.ndarray:
    """(rows, groups) as an answer gets it."""
    return np.ascontiguousarray(a.T) if spec["by_groups"] else a


def random_matrix(spec: Spec, rows: int, columns: int, seed: int) -> tuple:
    """codes, scale, zero and x of random numbers."""
    rng, groups = np.random.default_rng(seed), -(-columns // spec["group"])
    return (rng.integers(0, 256, (rows, columns)).astype(np.uint8),
            stored(spec, rng.uniform(0.01, 0.1, (rows, groups)).astype(np.float32)),
            stored(spec, rng.integers(60, 190, (rows, groups)).astype(np.uint8)),
            rng.standard_normal(columns).astype(np.float32))


def _moved_code(spec: Spec, answers: Answers, columns: int, places: list[tuple[int, int]], why: str, then: str) -> None:
    """One code larger by one: the sum of its row grows by scale times input, the others stay."""
    groups = -(-columns // spec["group"])
    scale = stored(spec, (2.0 ** np.arange(3 * groups).reshape(3, groups)).astype(np.float32))
    zero, x = stored(spec, np.full((3, groups), 9, np.uint8)), (1 + np.arange(columns) % 7).astype(np.float32)
    codes = np.full((3, columns), 9 + spec["plus"], np.uint8)
    shown = f"fused8 of 3 rows and {columns} columns"
    before = ask_rows(answers, shown, NAME, 3, codes, scale, zero, x)
    for r, c in places:
        changed = codes.copy()
        changed[r, c] += 1
        grown = ask_rows(answers, shown, NAME, 3, changed, scale, zero, x) - before
        want = np.zeros(3)
        want[r] = 2.0 ** (r * groups + c // spec["group"]) * x[c]
        if not all(map(same, grown, want)):
            raise Miss(f"{shown}: code [{r}, {c}] became larger by one, its input is {x[c]:g}, and the sums grew by "
                       f"{', '.join(f'{g:g}' for g in grown)}", why, then)


def places(spec: Spec, answers: Answers) -> None:
    """Codes of two full groups."""
    last = 2 * spec["group"] - 1
    _moved_code(spec, answers, last + 1, [(0, 0), (1, spec["group"] - 1), (1, spec["group"]), (2, last)],
                f"code [r, c] belongs to row r and group g = c // {spec['group']}; its scale is scale{spec['place']}",
                "which sum has to grow, and by the product of which two numbers? Print the scale your loop takes")


def short_group(spec: Spec, answers: Answers) -> None:
    """Columns that do not fill the last group."""
    group = spec["group"]
    _moved_code(spec, answers, group + 5, [(0, group), (2, group + 4)],
                f"{group + 5} columns are one full group and five columns more, which are a group as well",
                "count the columns of your loop, not the groups")


def zero_points(spec: Spec, answers: Answers) -> None:
    """One weight, the other inputs zero."""
    group = spec["group"]
    x = np.zeros(group, np.float32)
    x[3] = 1
    for code, zero in ((200, 100), (100, 200), (7, 7), (0, 250)):
        codes, ones = np.full((1, group), 77, np.uint8), np.ones((1, 1), np.float32)
        codes[0, 3] = code
        got = ask_rows(answers, "fused8 of one row", NAME, 1, codes, ones, np.full((1, 1), zero, np.uint8), x)[0]
        if not same(got, code - zero - spec["plus"]):
            raise Miss(f"one weight: code {code}, scale 1, stored zero point {zero}, input 1. The sum is {got:g}",
                       "the zero point is the stored number plus what the table says, and it may be larger than a code",
                       "mind the type: a byte minus a byte is a byte in NumPy. Convert before you subtract")


def any_matrix(spec: Spec, answers: Answers) -> None:
    """Full groups, random numbers."""
    for rows, groups in ((1, 1), (3, 3), (7, 4)):
        args = random_matrix(spec, rows, groups * spec["group"], rows)
        got = ask_rows(answers, f"fused8 of {rows} rows and {groups} groups", NAME, rows, *args)
        if not agree(got, *product(spec, *args)):
            raise Miss(f"fused8 of {rows} random row(s) and {groups} group(s) returned {got[0]:.6g} first",
                       "all rules at once, and sums kept in float32 or better", "see the checks above and below first")


def no_copy(spec: Spec, answers: Answers) -> None:
    """Right, and without room for a copy."""
    args = random_matrix(spec, 192, 2 * spec["group"], 64)
    if not agree(ask_rows(answers, "fused8 of 192 rows and 2 groups", NAME, 192, *args), *product(spec, *args)):
        raise Miss("fused8 of 192 random rows and 2 groups is not right yet",
                   "memory is only looked at where the result is right", "see the checks above first")
    check_memory(answers, args[0].size, *args)


def show(spec: Spec, answers: Answers) -> Bars:
    """Four rows of codes that are above their zero points."""
    codes, scale, zero, _ = random_matrix(spec, 4, 2 * spec["group"], 8)
    args = np.maximum(codes, 200), scale, zero, np.ones(2 * spec["group"], np.float32)
    got, want = yours(lambda: ask_rows(answers, "an example", NAME, 4, *args)), product(spec, *args)[0]
    return Bars("Sums of four rows", "", [(f"row {r}", None if got is None else float(got[r]), float(want[r]))
                                         for r in range(4)])


GIVEN = '''
from minquant.teaching.racing import peak_bytes, race

def most_memory(*args):
    """The most bytes that fused8 has in use at once. The last check asks this."""
    return peak_bytes(fused8, *args)
'''

STARTER = '''
def fused8(codes, scale, zero, x):
    """Matrix times x: (rows,) float32."""
    raise NotImplementedError
'''

REFERENCE = '''
def fused8(codes, scale, zero, x):
    out = np.zeros(codes.shape[0], np.float32)
    for r in range(codes.shape[0]):
        total = np.float32(0)
        for c in range(codes.shape[1]):
            q = np.int32(codes[r, c]) - np.int32(zero[<<at>>]) - np.int32(<<plus>>)
            total += np.float32(q) * scale[<<at>>] * x[c]
        out[r] = total
    return out
'''

SECOND = '''
def fused8(codes, scale, zero, x):
    group = np.arange(codes.shape[1]) // <<group>>
    out = np.zeros(codes.shape[0], np.float32)
    for r in range(codes.shape[0]):
        steps = codes[r].astype(np.float32) - zero[<<row_at>>][group] - <<plus>>
        out[r] = (steps * scale[<<row_at>>][group]) @ x
    return out
'''

WRONG = (
    Wrong("the stored zero point taken as it is", 4, REFERENCE.replace(" - np.int32(<<plus>>)", "")),
    Wrong("a byte minus a byte", 4, REFERENCE.replace(
        "np.int32(codes[r, c]) - np.int32(zero[<<at>>]) - np.int32(<<plus>>)",
        "codes[r, c] - zero[<<at>>] - np.uint8(<<plus>>)")),
    Wrong("scales looked up in the other layout", 6, REFERENCE.replace("scale[<<at>>]", "scale[<<other_at>>]")),
    Wrong("one scale for a whole row", 6, REFERENCE.replace("scale[<<at>>]", "scale[<<first_at>>]")),
    Wrong("the short last group left out", 1, REFERENCE.replace(
        "range(codes.shape[1])", "range(codes.shape[1] // <<group>> * <<group>>)")),
    Wrong("a float copy of the matrix", 1, '''
def fused8(codes, scale, zero, x):
    group = np.arange(codes.shape[1]) // <<group>>
    weights = codes.astype(np.float32) - zero<<turned>>[:, group] - <<plus>>
    return (weights * scale<<turned>>[:, group]) @ x
'''),
    Wrong("divided by the scale", 6, REFERENCE.replace("* scale[", "/ scale[")),
    Wrong("the inputs forgotten", 7, REFERENCE.replace(" * x[c]", "")),
    Wrong("only the last row written", 6, REFERENCE.replace("        out[r] = total", "    out[r] = total")),
)

EXERCISE = Exercise(
    id="06.2", title="Eight bits, fused", kind="core", difficulty=3, importance=5, minutes=15,
    objective="You can multiply 8-bit codes with zero points by a vector without ever writing a weight to memory.",
    spec=spec, show=show, answer_fields=fields, wrong=WRONG, given=GIVEN,
    prose="""
A matrix is stored like this:

| argument | |
|---|---|
| `codes` | (rows, columns) uint8 |
| `scale` | <<shape>> float32, for groups of <<group>> columns; the last group of a row may be shorter |
| `zero` | <<shape>> uint8: the *stored* zero points. The zero point itself is the stored number plus <<plus>> |
| `x` | (columns,) float32 |

The weight in row r and column c is `scale × (code - zero point)`, with the scale and the zero point of its group.

Write `fused8(codes, scale, zero, x)`: the matrix times `x`, (rows,) numbers, **without a copy of the matrix**: at no
moment may your function hold more than half a byte per weight beyond its arguments. A copy of one row is allowed.

**Example.** One row, one group, scale 0.5, stored zero point 100: the code 120 is the weight
0.5 × (120 - (100 + <<plus>>)).

**Speed** (not graded). When all checks pass, put `@njit` above your function, write the version with a float copy in
NumPy as `copied`, and run `race(fused8, copied, *args)` on a matrix of 2048 x 4096. The lesson's ladder says what to
expect: a plain loop is v1, the copy is v0. `@njit(fastmath=True)` lets the compiler reorder sums, as in v2: ten times
as fast as the copy is a good aim.
""",
    hints=("Two loops, rows outside, and one sum per row. Inside, first turn one code into its weight.",
           "`np.int32(...)` around every byte you calculate with is right in plain Python and in Numba.",
           "Where is `c // group` in the shape of `scale`: first or second?"),
    head="# fused8 goes into this cell",
    starter=STARTER, reference=REFERENCE, second=SECOND,
    explanation="The first answer is the kernel: put `@njit` above it and it runs at the speed of v1 of the ladder, or "
                "faster if you take the scale out of the inner loop. The second keeps one decoded row, which stays in "
                "the cache: NumPy can be fused too, row by row.",
    checks=(Check("which scale and which input", 2, places), Check("zero points", 1, zero_points),
            Check("a last group that is shorter", 1, short_group), Check("any matrix of full groups", 2, any_matrix),
            Check("right, and no copy of the matrix", 1, no_copy)),
)
