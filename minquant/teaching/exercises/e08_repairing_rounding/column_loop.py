"""08.2, core: round a matrix column by column; the columns that are still free answer every error.

What varies: bits, symmetric codes with or without the lowest one, from which side the columns are taken, and whether
dead columns count when the grid is chosen. The factor is given, triangular towards the columns that come later.
Source: Frantar et al. 2022, "GPTQ", arXiv 2210.17323, Algorithm 1 without its blocks. The package's own loop goes from
left to right, and clears dead columns first.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars, yours
from ..checking import close, number, side
from ..e05_bit_packing.asking import ask
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .arrays import drawn_factor, drawn_rows, literal, numbers, parts, slips
from .column_loop_answers import REFERENCE, SECOND, WRONG

NAME, CLEAR = "round_columns", 1e-4  # CLEAR: how far, in steps, every quotient stays from a half-way case
Problem = dict[str, list]
PROBLEMS = {"pair": (12, 2), "many": (9, 6), "more": (9, 5), "shown": (3, 4)}  # rows, columns


def spec(draw: Draw) -> dict:
    """The rules of one variant, and the matrices of the checks."""
    top, lowest_too = draw.choice("top", (3, 7)), draw.choice("lowest_too", (True, False))
    forward, clear_first = draw.choice("forward", (True, False)), draw.choice("clear_first", (True, False))
    left, right = "range(len(F))", "reversed(range(len(F)))"
    clear, keep = "W[:, dead] = 0", "# the grid is chosen from all of W"
    drawn = {"lowest": -top - lowest_too, "highest": top, "end": top + draw.choice("beyond", (0.7, 0.8, 1.2, 1.3)),
             "forward": forward, "clear_first": clear_first, "columns": left if forward else right,
             "other_columns": right if forward else left, "after": "i + 1:" if forward else ":i",
             "free": "range(i, columns)" if forward else "range(i + 1)", "row": "w" if clear_first else "W[r]",
             "clear_early": clear if clear_first else keep, "clear_late": keep if clear_first else clear,
             "other_clear": clear if clear_first else keep,
             "side_words": "left to right" if forward else "right to left",
             "half_words": "upper" if forward else "lower",
             "count_words": "do not count" if clear_first else "count like the others"}
    drawn |= {name: _problem(drawn, draw, name, *sizes) for name, sizes in PROBLEMS.items()}
    codes, loss, _ = rounded(drawn, drawn["shown"])
    return drawn | {"example": f"{codes.tolist()}, and the loss is {loss:.5f}",
                    "W_text": literal(drawn["shown"]["W"], 13), "F_text": literal(drawn["shown"]["F"], 13)}


def _problem(spec: Spec, draw: Draw, name: str, rows: int, columns: int) -> Problem:
    """W and a factor, triangular as the order wants it, whose codes show the usual mistakes; nothing lies half-way."""
    for turn in range(1000):
        F = drawn_factor(draw, f"{name}{turn}.F", columns)
        if not spec["forward"]:
            F = [row[::-1] for row in F[::-1]]
        problem = {"W": drawn_rows(draw, f"{name}{turn}.W", rows, columns, -1, 1), "F": F, "dead": []}
        codes = rounded(spec, problem)[0]
        if any((rounded(spec, problem | {"F": slip})[0] == codes).all() for slip in slips(F)):
            continue
        if min(rounded(spec, p)[2] for p in (problem, without_factor(problem), with_dead(problem))) > CLEAR:
            return problem
    raise RuntimeError("no matrix in a thousand shows the usual mistakes without a half-way case; draw other numbers")


def without_factor(problem: Problem) -> Problem:
    """The same matrix with inputs that have nothing in common."""
    return problem | {"F": np.diag(np.diag(problem["F"])).tolist()}


def with_dead(problem: Problem) -> Problem:
    """The same without a factor, and with a dead column that holds the largest weight of every other row."""
    F, W = np.diag(np.diag(problem["F"])), np.array(problem["W"])
    F[1, 1] = 1
    W[::2, 1] = np.sign(W[::2, 1] + 0.001) * 1.55
    return {"W": W.tolist(), "F": F.tolist(), "dead": [1]}


def grid(spec: Spec, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """W with its dead columns cleared (rows, columns), and the scale of each row (rows,)."""
    W = np.array(problem["W"])
    cleared = W.copy()
    cleared[:, problem["dead"]] = 0
    scale = np.abs(cleared if spec["clear_first"] else W).max(axis=1) / spec["end"]
    return cleared, np.where(scale > 0, scale, 1)


def rounded(spec: Spec, problem: Problem) -> tuple[np.ndarray, float, float]:
    """(codes, loss, distance of the quotients from the nearest half-way case), by the rules of the exercise."""
    W, scale = grid(spec, problem)
    F, codes, loss, apart = np.array(problem["F"]), np.zeros(W.shape, int), 0.0, 1.0
    columns = list(range(len(F)))
    while columns:
        i = columns.pop(0 if spec["forward"] else -1)
        quotient = W[:, i] / scale
        codes[:, i] = np.rint(quotient).clip(spec["lowest"], spec["highest"])
        off = (W[:, i] - scale * codes[:, i]) / F[i, i]
        W[:, columns] -= off[:, None] * F[i, columns]
        loss += float(off @ off)
        apart = min(apart, np.abs(quotient % 1 - 0.5).min())
    return codes, loss, apart


def _ask(answers: Answers, shown: str, problem: Problem) -> tuple[np.ndarray, float]:
    W, F = np.array(problem["W"]), np.array(problem["F"])
    call = f"{NAME}({shown})"
    got = parts(ask(answers, call, NAME, W, F, problem["dead"]), call, ("codes", "loss"))
    codes = numbers(got[0], W.shape, call, "codes")
    if (codes % 1).any():
        raise Miss(f"{call} returned codes that are no whole numbers", "a code says at which step of the grid a weight "
                   "is, not how large the weight is", "keep codes and weights in two arrays")
    return codes, number(got[1], f"the loss of {call}")


def _compare(spec: Spec, answers: Answers, shown: str, problem: Problem, why: str, advice: str) -> None:
    got, want = _ask(answers, shown, problem)[0], rounded(spec, problem)[0]
    wrong = [j for j in range(want.shape[1]) if (got[:, j] != want[:, j]).any()]
    if wrong:
        raise Miss(f"for {shown}, the codes are not right in the columns {wrong}", why, advice)


def apart(spec: Spec, answers: Answers) -> None:
    """Columns that nobody can answer for."""
    for name in ("pair", "many"):
        _compare(spec, answers, "a diagonal factor", without_factor(spec[name]),
                 "nothing is handed on here, so every weight gets the nearest code of its grid",
                 "write down the scale of one row, and its quotients before they are rounded")


def pair(spec: Spec, answers: Answers) -> None:
    """Two columns: the second answers the first."""
    _compare(spec, answers, "two columns", spec["pair"], "the column that comes second moves before it is rounded",
             "print the second column before and after the update, and work out one row by hand")


def many(spec: Spec, answers: Answers) -> None:
    """More columns."""
    for name in ("many", "more"):
        _compare(spec, answers, f"{len(spec[name]['F'])} columns", spec[name],
                 "each column hands its error to all that are still free, in the order of the exercise",
                 "which is the first column that is not right, in the order in which they are rounded?")


def losses(spec: Spec, answers: Answers) -> None:
    """The loss is the squared error of the output that the answer's own codes make."""
    for name in ("many", "more"):
        codes, loss = _ask(answers, f"{len(spec[name]['F'])} columns", spec[name])
        W, scale = grid(spec, spec[name])
        own = float(np.square((W - scale[:, None] * codes) @ np.linalg.inv(spec[name]["F"])).sum())
        if not close(loss, own, 1e-6):
            raise Miss(f"the loss is {loss:.5g}: {side(loss, own)} for the codes returned with it",
                       "the squares of all err add up to trace(D H Dᵀ) for D = W - scale * codes",
                       "what exactly is squared in your loop, and is it squared for every column?")


def dead(spec: Spec, answers: Answers) -> None:
    """Columns whose inputs are always zero."""
    for name in ("many", "more"):
        _compare(spec, answers, "a dead column", with_dead(spec[name]),
                 f"dead columns are set to 0; in the choice of a scale their weights {spec['count_words']}",
                 "print the scale of each row; which weights was it made from?")


def zeros(spec: Spec, answers: Answers) -> None:
    """A row of zeros."""
    first, *rest = spec["more"]["W"]
    codes = _ask(answers, "a row of zeros", spec["more"] | {"W": [first, [0.0] * len(first), *rest]})[0]
    if codes[1].any():
        raise Miss(f"a row of zeros has the codes {codes[1].tolist()}", "its scale is 1 and all its weights are 0",
                   "what is the largest magnitude of that row, and what is divided by it?")


def show(spec: Spec, answers: Answers) -> Bars:
    """The loss of the example, and what rounding to nearest would lose."""
    W, scale = grid(spec, spec["shown"])
    nearest = scale[:, None] * np.rint(W / scale[:, None]).clip(spec["lowest"], spec["highest"])
    alone = float(np.square((W - nearest) @ np.linalg.inv(spec["shown"]["F"])).sum())
    return Bars("Squared error of the output in the example", "", [
        ("nearest codes", alone, alone),
        ("your loop", yours(lambda: _ask(answers, "the example", spec["shown"])[1]), rounded(spec, spec["shown"])[1])])


EXERCISE = Exercise(
    id="08.2", title="The loop over the columns", kind="core", difficulty=3, importance=5, minutes=15,
    objective="You can write the loop at the heart of GPTQ.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE, second=SECOND,
    prose="""
Round W column after column, from <<side_words>>. The factor F is given: H⁻¹ = FᵀF, and F is <<half_words>> triangular,
so that row i of F has numbers only in column i and in the columns that come after it in this order.

| what | |
|---|---|
| a grid | one scale per row, chosen before anything is rounded: the largest magnitude in the row over <<end>> |
| a row of zeros | has scale 1 |
| `dead` | columns whose inputs are always zero: set them to 0; in the choice of a scale they <<count_words>> |
| a code | the weight **as it is now** over the scale, rounded (ties to even), clipped to <<lowest>> .. <<highest>> |
| err of column i | (weight - scale * code) / F[i, i], for every row |
| update | every column j that is still free loses err * F[i, j] |
| loss | the sum of err² over all rows and columns |

Write `round_columns(W, F, dead)`, which returns `(codes, loss)`: the codes as whole numbers in the shape of W. Leave
the array that you are given as it is.

**Example.** The matrix in the cell below has the codes <<example>>.
""",
    hints=("Copy W first. The copy holds the current weights; let it change from step to step.",
           "All rows do the same at the same time: err is a vector with one number per row, and the update is "
           "`np.outer(err, ...)`.",
           "Where F is zero the update changes nothing, so you need not say which columns are still free."),
    given="""
# The example. Change what you like: the checks use other matrices.
W = np.array(<<W_text>>)
F = np.array(<<F_text>>)
dead = []
""",
    head='''
def round_columns(W, F, dead):
    """(codes, loss) of W, rounded column by column with H^-1 = F^T F."""
''',
    explanation="The loss needs no H: each err is the part of the output error that no free column can take away any "
                "more. That is why GPTQ can print the error of a layer without multiplying anything.",
    checks=(Check("nothing to hand on", 1, apart), Check("two columns", 1, pair), Check("many columns", 2, many),
            Check("the loss is the error of the output", 1, losses), Check("dead columns", 1, dead),
            Check("a row of zeros", 1, zeros)),
)
