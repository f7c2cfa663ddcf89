"""08.3, core: from inputs to the factor that the loop over the columns needs, in an order of its own.

What varies: how H is counted, how it is damped, and whether large inputs come first or last. The answer goes back to
the original order of the columns: there the factor is a triangle with its rows and columns shuffled.
The traps: chol(H) is not chol(H^-1), a triangle of the other half, a permutation that is not undone, or done twice.
Source: Frantar et al. 2022, "GPTQ", arXiv 2210.17323, section 4, step 3; the order is "act_order" of the authors' code.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars, yours
from ..checking import side
from ..e05_bit_packing.asking import ask
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .arrays import Rows, drawn_rows, literal, numbers, parts
from .factor_answers import REFERENCE, SECOND, WRONG

NAME = "factor"
COUNTED = {"sum": ("X.T @ X", "1", "XᵀX, summed over the samples"),
           "mean": ("X.T @ X / len(X)", "1 / samples", "XᵀX over the number of samples"),
           "twice": ("2 * X.T @ X", "2", "2 XᵀX, summed over the samples")}
PROBLEMS = {"many": (12, 5), "more": (9, 4), "few": (3, 5), "shown": (5, 3)}


def spec(draw: Draw) -> dict:
    """The rules of one variant, and the inputs of the checks."""
    counted, largest, falling = (draw.choice("counted", tuple(COUNTED)), draw.choice("largest", (True, False)),
                                 draw.choice("falling", (True, False)))
    other = "sum" if counted != "sum" else "mean"
    drawn = {"counted": counted, "share": draw.integer("share", 2, 20) / 100, "largest": largest,
             "falling": falling, "H": COUNTED[counted][0], "factor": COUNTED[counted][1], "other_H": COUNTED[other][0],
             "counted_words": COUNTED[counted][2], "sign": "-" if falling else "", "other_sign": "" if falling else "-",
             "level": "max" if largest else "mean", "other_level": "mean" if largest else "max",
             "python_level": "max(H.diagonal())" if largest else "sum(H.diagonal()) / columns",
             "level_words": "the largest element" if largest else "the mean",
             "order_words": "falls" if falling else "rises"}
    drawn |= {name: _inputs(drawn, draw, name, *sizes) for name, sizes in PROBLEMS.items()}
    order, F = factored(drawn, drawn["shown"])
    return drawn | {"example_order": order, "example_text": literal(drawn["shown"], 18),
                    "example_F": "; ".join(", ".join(f"{x + 0.0:.4f}" for x in row) for row in F)}


def _inputs(spec: Spec, draw: Draw, name: str, samples: int, columns: int) -> Rows:
    """Inputs that go together, of sizes so different that their order is certain and is neither 0, 1, 2 nor its own
    inverse."""
    for turn in range(1000):
        common = [draw.between(f"{name}{turn}.common{n}", -1, 1) for n in range(samples)]
        sizes = [2 ** draw.between(f"{name}{turn}.size{j}", -1, 1) for j in range(columns)]
        own = drawn_rows(draw, f"{name}{turn}.own", samples, columns, -1, 1)
        X = [[round(s * (c + o), 1) for s, o in zip(sizes, row, strict=True)]
             for c, row in zip(common, own, strict=True)]
        power = sorted(sum(row[j] ** 2 for row in X) for j in range(columns))
        if power[0] > 0.2 and all(b > 1.05 * a for a, b in zip(power, power[1:], strict=False)):
            order = factored(spec, X)[0]
            if any(order[order[i]] != i for i in range(columns)):
                return X
    raise RuntimeError("none of a thousand inputs has a clear order; draw other numbers")


def damped(spec: Spec, X: Rows) -> list[list[float]]:
    """H with its damping, sum by sum."""
    columns = range(len(X[0]))
    per = {"sum": 1, "mean": 1 / len(X), "twice": 2}[spec["counted"]]
    H = [[per * sum(row[i] * row[j] for row in X) for j in columns] for i in columns]
    diagonal = [H[i][i] for i in columns]
    for i in columns:
        H[i][i] += spec["share"] * (max(diagonal) if spec["largest"] else sum(diagonal) / len(diagonal))
    return H


def factored(spec: Spec, X: Rows) -> tuple[list[int], np.ndarray]:
    """(order, F) by the rules of the exercise: the inverse of the triangle that Cholesky finds from the other end."""
    H = np.array(damped(spec, X))
    order = sorted(range(len(H)), key=lambda i: H[i, i], reverse=spec["falling"])
    last_first = np.ix_(order[::-1], order[::-1])
    F = np.zeros(H.shape)
    F[last_first] = np.linalg.inv(np.linalg.cholesky(H[last_first]))
    return order, F


def _ask(answers: Answers, shown: str, X: Rows) -> tuple[list[float], np.ndarray]:
    call, columns = f"{NAME}({shown})", len(X[0])
    got = parts(ask(answers, call, NAME, np.array(X)), call, ("order", "F"))
    order = numbers(got[0], (columns,), call, "an order").tolist()
    if sorted(order) != list(range(columns)):
        raise Miss(f"{call} returned the order {order}", f"every column from 0 to {columns - 1} comes once in it",
                   "an order is a list of column numbers, not of sizes")
    return [int(i) for i in order], numbers(got[1], (columns, columns), call, "F")


def ordered(spec: Spec, answers: Answers) -> None:
    """The order of the columns."""
    for name in ("many", "more"):
        order = _ask(answers, f"{len(spec[name])} samples", spec[name])[0]
        if order != factored(spec, spec[name])[0]:
            raise Miss(f"the order is {order}", f"along it, the diagonal of H {spec['order_words']} from each column "
                       "to the next", "print the diagonal of H in your order")


def nothing_in_common(spec: Spec, answers: Answers) -> None:
    """Inputs of which only one at a time is not zero."""
    X = [[2.0, 0, 0, 0], [0, 0.5, 0, 0], [0, 0, 4.0, 0], [0, 0, 0, 1.0]]
    F, want = _ask(answers, "one input at a time", X)[1], factored(spec, X)[1]
    if not np.allclose(F, want, rtol=1e-6, atol=1e-9):
        if (abs(F - np.diag(np.diag(F))) > 1e-9).any():
            raise Miss("with one input at a time, F has numbers beside its diagonal", "these columns have nothing in "
                       "common, so H and F are diagonal", "print H, and the matrix you add to it")
        i = int(np.argmax(abs(np.diag(F - want)) / np.diag(want)))
        raise Miss(f"with one input at a time, F[{i}, {i}] is {F[i, i]:.5g}: {side(F[i, i], want[i, i])}",
                   "H is diagonal here, and F[i, i] squared is one over the damped element i of its diagonal",
                   "is it the inverse that was factored, was H damped as asked, and does F stand in the order of X?")


def triangle(spec: Spec, answers: Answers) -> None:
    """A column hands nothing to those that were rounded before it."""
    for name in ("many", "more"):
        F = _ask(answers, f"{len(spec[name])} samples", spec[name])[1]
        order = factored(spec, spec[name])[0]
        early = [(i, j) for n, i in enumerate(order) for j in order[:n] if abs(F[i, j]) > 1e-9]
        if early or not F.any():
            i, j = early[0] if early else (order[0], order[0])
            raise Miss(f"F[{i}, {j}] is {F[i, j]:.4g}" + (f", and column {j} comes before column {i}" if early else ""),
                       "row i of F says what column i hands on; what came before it in the order is rounded already",
                       "print F with its rows and columns in the order: it has to be an upper triangle")


def inverse(spec: Spec, answers: Answers) -> None:
    """The whole factor."""
    for name in ("many", "more"):
        _compare(spec, answers, f"{len(spec[name])} samples", spec[name],
                 "H is made from X, damped, and FᵀF has to be its inverse, row by row and column by column",
                 "multiply FᵀF with the damped H: is that the unit matrix? Then look at the zeros of F")


def few(spec: Spec, answers: Answers) -> None:
    """Fewer samples than columns."""
    _compare(spec, answers, f"{len(spec['few'])} samples", spec["few"],
             "with fewer samples than columns H has no inverse; only what is added to its diagonal gives it one",
             "what is added to the diagonal, and when?")


def _compare(spec: Spec, answers: Answers, shown: str, X: Rows, why: str, advice: str) -> None:
    F, want = _ask(answers, f"{shown} of {len(X[0])} inputs", X)[1], factored(spec, X)[1]
    off = ~np.isclose(F, want, rtol=1e-6, atol=1e-9)
    if off.any():
        raise Miss(f"for {shown} of {len(X[0])} inputs, {off.sum()} of {off.size} elements of F are not right", why,
                   advice)


def show(spec: Spec, answers: Answers) -> Bars:
    """The diagonal of F for the example."""
    got, want = yours(lambda: _ask(answers, "the example", spec["shown"])), factored(spec, spec["shown"])[1]
    return Bars("The diagonal of F in the example", "", [
        (f"F[{i}, {i}]", None if got is None else float(got[1][i, i]), float(want[i, i])) for i in range(len(want))])


EXERCISE = Exercise(
    id="08.3", title="The factor behind the loop", kind="core", difficulty=4, importance=4, minutes=15,
    objective="You can make the factor of GPTQ from inputs, in any order of the columns.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE, second=SECOND,
    prose="""
The loop of 08.2 runs on a factor F with H⁻¹ = FᵀF. Make it from the inputs X, for columns that are rounded in an order
of their own:

| what | |
|---|---|
| H | <<counted_words>> |
| damping | <<share>> times <<level_words>> of the diagonal of H is added to every diagonal element |
| order | a list of column numbers along which the diagonal of H <<order_words>> (no two are equal) |
| U | with rows **and** columns of H in that order: the upper triangle with H⁻¹ = UᵀU and a diagonal above 0 |
| F | U with rows and columns back in the order of X |

Write `factor(X)`, which returns `(order, F)`. `X` is an array with one row per sample.

So F[i, j] says what column i, once rounded, hands to column j of W, whatever the order; where j came before i it is 0.

**Example.** The inputs in the cell below have the order <<example_order>> and the rows of F are <<example_F>>.
""",
    hints=("`H[np.ix_(order, order)]` takes rows and columns in a new order.",
           "`np.linalg.cholesky(A)` gives the *lower* L with A = L Lᵀ. Which A, and what is the upper triangle?",
           "The order that undoes an order is `np.argsort(order)`: try it on a list of three."),
    given="""
# The example. Change what you like: the checks use other inputs.
example = np.array(<<example_text>>)
""",
    head='''
def factor(X):
    """(order, F): the order of the columns, and F with H^-1 = F^T F in the order of X."""
''',
    explanation="The second answer is OBQ's way: take one row and column after the other out of the inverse. Row i "
                "of F is the row of the inverse at the time when column i leaves it, over the root of its corner. "
                "Cholesky gives all these rows at once.",
    checks=(Check("the order", 1, ordered), Check("inputs that have nothing in common", 1, nothing_in_common),
            Check("nothing is handed back", 1, triangle), Check("the factor", 2, inverse),
            Check("fewer samples than columns", 1, few)),
)
