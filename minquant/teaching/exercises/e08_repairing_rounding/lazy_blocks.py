"""08.5, stretch: the same codes with few, large updates.

What varies: the number of columns in a block, whether the first or the last block is the shorter one, and the codes.
Laziness is no matter of codes, which must not change, so the answer also hands back what the last column held whenever
a column was rounded: there it shows when updates arrive.
Source: Frantar et al. 2022, "GPTQ", arXiv 2210.17323, section 4, step 2, and Algorithm 1.
"""

from __future__ import annotations

import numpy as np

from ..beside import Curves, yours
from ..e05_bit_packing.asking import ask
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .arrays import drawn_factor, drawn_rows, literal, numbers, parts, slips
from .lazy_blocks_answers import REFERENCE, SECOND, WRONG

NAME, CLEAR = "lazy_blocks", 1e-4
Problem = dict[str, list]


def spec(draw: Draw) -> dict:
    """The rules of one variant, and the matrices of the checks."""
    block, short_first = draw.choice("block", (3, 4, 5, 6)), draw.choice("short_first", (True, False))
    top, lowest_too = draw.choice("top", (3, 7)), draw.choice("lowest_too", (True, False))
    first = f"[0, *range(n % {block} or {block}, n, {block})]"
    last = f"[*range(0, n, {block})]"
    drawn = {"block": block, "short_first": short_first, "lowest": -top - lowest_too, "highest": top,
             "starts": first if short_first else last, "other_starts": last if short_first else first,
             "more": block + 1, "opens": f"(n - i) % {block} == 0" if short_first else f"i % {block} == 0",
             "short_words": "first" if short_first else "last"}
    sizes = {"one": block, "even": 3 * block, "odd": 3 * block - 1, "odder": 2 * block + 1}
    drawn |= {name: _problem(drawn, draw, name, columns) for name, columns in sizes.items()}
    drawn["shown"] = _problem(drawn, draw, "shown", 2 * block + 2, rows=1)
    starts = block_starts(drawn, 2 * block + 2)
    return drawn | {"W_text": literal(drawn["shown"]["W"], 13), "U_text": literal(drawn["shown"]["U"], 13),
                    "scale_text": str(drawn["shown"]["scale"]), "n": 2 * block + 2,
                    "example": ", ".join(f"{a} to {b - 1}" for a, b in zip(starts, [*starts[1:], 2 * block + 2]))}


def _problem(spec: Spec, draw: Draw, name: str, columns: int, rows: int = 6) -> Problem:
    """W, an upper triangle and a scale per row, whose codes show the usual mistakes; nothing lies half-way."""
    for turn in range(1000):
        U = drawn_factor(draw, f"{name}{turn}.U", columns)
        scale = [round(1.1 / spec["highest"] * draw.between(f"{name}{turn}.s{r}", 0.9, 1.1), 3) for r in range(rows)]
        problem = {"W": drawn_rows(draw, f"{name}{turn}.W", rows, columns, -1, 1), "U": U, "scale": scale}
        codes, _, apart = rounded(spec, problem)
        if rows == 1 or not any((rounded(spec, problem | {"U": slip})[0] == codes).all() for slip in slips(U)):
            if apart > CLEAR:
                return problem
    raise RuntimeError("no matrix in a thousand shows the usual mistakes without a half-way case; draw other numbers")


def block_starts(spec: Spec, columns: int) -> list[int]:
    """First columns of the blocks."""
    size, rest = spec["block"], columns % spec["block"]
    return [0, *range(rest or size, columns, size)] if spec["short_first"] else [*range(0, columns, size)]


def rounded(spec: Spec, problem: Problem) -> tuple[np.ndarray, np.ndarray, float]:
    """(codes, waiting, distance from half-way cases): no block at all; waiting is worked out from the errors."""
    W, U, scale = (np.array(problem[name]) for name in ("W", "U", "scale"))
    n = W.shape[1]
    now, codes, err, apart = W.copy(), np.zeros(W.shape, int), np.zeros(W.shape), 1.0
    for i in range(n):
        quotient = now[:, i] / scale
        apart = min(apart, abs(quotient % 1 - 0.5).min())
        codes[:, i] = np.rint(quotient).clip(spec["lowest"], spec["highest"])
        err[:, i] = (now[:, i] - scale * codes[:, i]) / U[i, i]
        now = now - np.outer(err[:, i], U[i])
    starts = block_starts(spec, n)
    waiting = np.zeros(W.shape)
    for i in range(n):  # all blocks that are done have arrived; inside the last block every column has
        seen = i if i >= starts[-1] else max(s for s in starts if s <= i)
        waiting[:, i] = W[:, -1] - err[:, :seen] @ U[:seen, -1]
    return codes, waiting, apart


def _ask(answers: Answers, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    W, U, scale = (np.array(problem[name]) for name in ("W", "U", "scale"))
    call = f"{NAME}(a matrix of {W.shape[1]} columns)"
    got = parts(ask(answers, call, NAME, W, U, scale), call, ("codes", "waiting"))
    return numbers(got[0], W.shape, call, "codes"), numbers(got[1], W.shape, call, "waiting")


def _codes(spec: Spec, answers: Answers, names: tuple[str, ...], why: str, advice: str) -> None:
    for name in names:
        got, want = _ask(answers, spec[name])[0], rounded(spec, spec[name])[0]
        wrong = [j for j in range(want.shape[1]) if (got[:, j] != want[:, j]).any()]
        if wrong:
            raise Miss(f"with {want.shape[1]} columns, the codes are not right from column {wrong[0]} on", why, advice)


def one_block(spec: Spec, answers: Answers) -> None:
    """A matrix that is one block."""
    _codes(spec, answers, ("one",), f"{spec['block']} columns are one block: this is the plain loop, column by column",
           "does your loop inside a block pass each error to the columns that follow in it?")


def codes(spec: Spec, answers: Answers) -> None:
    """Blocks change nothing in the codes."""
    _codes(spec, answers, ("even", "odd", "odder"), "blocks change the time of updates, never the codes: these are not "
           "those of the plain loop", "what has a column to receive before its own block begins, and from whom?")


def late(spec: Spec, answers: Answers) -> None:
    """Inside a block that is not the last, nothing reaches the last column."""
    for name in ("even", "odd"):
        waiting, n = _ask(answers, spec[name])[1], len(spec[name]["U"])
        if np.ptp(waiting, axis=1).max() < 1e-9:
            raise Miss(f"with {n} columns, the last column never changes",
                       "it has to receive the errors of all columns before it, block by block",
                       "after a block, multiply its errors with the rows of U")
        starts = block_starts(spec, n)
        for start, end in zip(starts, starts[1:]):
            moved = np.ptp(waiting[:, start:end], axis=1).max()
            if moved > 1e-9:
                raise Miss(f"with {n} columns, the last column changes by {moved:.3g} while columns {start} to "
                           f"{end - 1} are rounded", f"blocks have {spec['block']} columns; what lies behind a block "
                           "has to wait until the block is done", "how far to the right may an update inside a block "
                           "reach? And where do your blocks begin?")


def arrives(spec: Spec, answers: Answers) -> None:
    """At the end of a block everything arrives."""
    for name in ("even", "odd", "odder"):
        waiting, want = _ask(answers, spec[name])[1], rounded(spec, spec[name])[1]
        off = [i for i in range(want.shape[1]) if not np.allclose(waiting[:, i], want[:, i], rtol=1e-7, atol=1e-9)]
        if off:
            raise Miss(f"with {want.shape[1]} columns, the last column does not hold what it should when column "
                       f"{off[0]} is rounded", "by then it has received all of the blocks that are done, and inside "
                       "its own block also every column before", "write waiting down before a column is rounded, and "
                       "update everything behind a block in one product of matrices")


def show(spec: Spec, answers: Answers) -> Curves:
    """How far the last column of the example has moved by the time each column is rounded."""
    start, want = np.array(spec["shown"]["W"])[0, -1], rounded(spec, spec["shown"])[1]
    mine = yours(lambda: _ask(answers, spec["shown"])[1])
    curves = [(name, abs(held[0] - start).tolist()) for name, held in (("Spec", want), ("Yours", mine))
              if held is not None]
    return Curves("The example: how far the last column has moved", "column that is being rounded", "distance",
                  list(range(spec["n"])), curves)


EXERCISE = Exercise(
    id="08.5", title="Lazy blocks", kind="stretch", difficulty=4, importance=3, minutes=30,
    objective="You can delay the updates of GPTQ and multiply them as matrices, without changing a code.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE, second=SECOND,
    prose="""
The loop of 08.2 reads and writes all that is left of W for every column, to do one multiplication per weight. So cut
the columns into blocks: inside a block, updates reach only the block; behind it, everything waits and then receives the
whole block as one product of matrices.

| what | |
|---|---|
| columns | from left to right; `U` is upper triangular with H⁻¹ = UᵀU |
| blocks | of <<block>> columns; where the columns do not fill all of them, the <<short_words>> block is shorter |
| grid | `scale`, one number per row, is given and stays |
| code | the weight as it is now over the scale, rounded (ties to even), clipped to <<lowest>> .. <<highest>> |
| err of column i | (weight - scale * code) / U[i, i] |
| update | column j loses err * U[i, j]: at once if j is in the same block, else when the whole block is done |

Write `lazy_blocks(W, U, scale)`, which returns `(codes, waiting)`, both in the shape of W. `waiting[:, i]` is what the
**last** column of W holds at the time when column i is about to be rounded. It shows that you were lazy. Leave the
arrays that you are given as they are.

**Example.** The matrix in the cell below has <<n>> columns. Its blocks are the columns <<example>>.
""",
    hints=("Two loops: over blocks, and inside over the columns of a block. Keep err of all columns in a matrix.",
           "Behind a block: `err[:, start:end] @ U[start:end, end:]` has the shape of what is still to come.",
           "The codes must be those of the plain loop. Write that one first and compare."),
    given="""
# The example. Change what you like: the checks use other matrices.
W = np.array(<<W_text>>)
U = np.array(<<U_text>>)
scale = np.array(<<scale_text>>)
""",
    head='''
def lazy_blocks(W, U, scale):
    """(codes, waiting): codes of W, and the last column at the time when each column is rounded."""
''',
    explanation="The arithmetic is the same, and so are the codes. What changes is where it happens: a block fits "
                "into the cache, and the far updates become one product that reads the rest of W once per block "
                "instead of once per column.",
    checks=(Check("one block", 1, one_block), Check("the codes of the plain loop", 2, codes),
            Check("nothing arrives early", 1, late), Check("everything arrives in time", 1, arrives)),
)
