"""09.3, core: try a row of alphas, and keep the one whose scales leave the smallest error in the output of a block.

What varies: the grid of alphas, how the size of an input is measured, its smallest value, how scales are normalised,
and the block's activation and grid (both given as functions).
The traps: an error of weights, an error of each matrix by itself, s and 1/s swapped, a scale for each matrix where both
read one input, an input that is always zero. The answer hands back every error, so that a wrong error can be told from
a wrong choice.
Source: Lin et al. 2023, "AWQ", arXiv 2306.00978, section 3.2; the authors' code, llm-awq, auto_scale.py.
"""

from __future__ import annotations

import math

import numpy as np

from ..beside import Curves, yours
from ..checking import close, number, side
from ..e05_bit_packing.asking import ask
from ..e08_repairing_rounding.arrays import Rows, drawn_rows, literal, numbers, parts
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .search_alpha_answers import REFERENCE, SECOND, WRONG

NAME, COLUMNS, CLEAR = "search", 6, 1e-7  # CLEAR: how far, in steps, every quotient stays from a half-way case
# Size of an input: in NumPy, with signs that cancel, in words.
SIZES = {"mean": ("np.abs(X).mean(axis=0)", "np.abs(X.mean(axis=0))", "the mean of |x| over all samples"),
         "root": ("np.sqrt((X**2).mean(axis=0))", "np.abs(X.mean(axis=0))",
                  "the root of the mean of x² over all samples"),
         "largest": ("np.abs(X).max(axis=0)", "np.abs(X.max(axis=0))", "the largest |x| in any sample")}
# What scales are divided by.
NORMS = {"middle": ("np.sqrt(s.max() * s.min())", "the largest s times the smallest is 1"),
         "mean": ("s.mean()", "their mean is 1"), "largest": ("s.max()", "the largest s is 1"),
         "smallest": ("s.min()", "the smallest s is 1")}
ACTS = {"silu": ("z / (1 + np.exp(-z))", "silu, as in Llama"), "relu": ("np.maximum(z, 0)", "relu"),
        "tanh": ("np.tanh(z)", "tanh")}
Problem = dict[str, Rows]


def spec(draw: Draw) -> dict:
    """The rules of one variant, and the blocks of the checks."""
    size, norm, act = (draw.choice(n, tuple(o)) for n, o in (("size", SIZES), ("norm", NORMS), ("act", ACTS)))
    steps, one_too = draw.choice("steps", (8, 10, 12, 16)), draw.choice("one_too", (True, False))
    drawn = {"measure": size, "normal": norm, "act": act, "steps": steps, "one_too": one_too,
             "group": draw.choice("group", (2, 3)), "top": draw.choice("top", (3, 7)),
             "floor": draw.choice("floor", (0.001, 0.002, 0.005, 0.01)), "total": draw.choice("total", ("mean", "sum")),
             "size": SIZES[size][0], "signed": SIZES[size][1], "size_words": SIZES[size][2], "act_code": ACTS[act][0],
             "act_words": ACTS[act][1], "divisor": NORMS[norm][0], "norm_words": NORMS[norm][1],
             "other_divisor": NORMS[draw.choice("other_norm", [n for n in NORMS if n != norm])][0],
             "other_size": SIZES[draw.choice("other_size", [s for s in SIZES if s != size])][0]}
    drawn |= {"count": steps + one_too, "other_count": steps + (not one_too), "last": f"{steps - 1 + one_too}/{steps}",
              "bits": {3: 3, 7: 4}[drawn["top"]]}
    drawn |= {name: _problem(drawn, draw, name, *sizes)
              for name, sizes in {"first": (4, 9), "second": (5, 8), "shown": (2, 4)}.items()}
    alpha, _, errors, _ = searched(drawn, drawn["shown"])
    drawn |= {f"{n}_text": literal(drawn["shown"][n], i) for n, i in (("gate", 16), ("up", 14), ("X", 13))}
    return drawn | {"example": f"alpha = {round(alpha * steps)}/{steps}, with an error of {min(errors):.5f}; that of "
                               f"alpha = 0 is {errors[0]:.5f}"}


def _problem(spec: Spec, draw: Draw, name: str, rows: int, samples: int) -> Problem:
    """A block whose best alpha lies inside the grid, and none of whose quotients lies half-way.

    Inputs are of unequal sizes and of both signs, and a few samples are larger, so that measures of size differ.
    """
    for turn in range(1000):
        sizes = [2 ** draw.between(f"{name}{turn}.size{j}", -2.5, 2.5) for j in range(COLUMNS)]
        X = [[round(s * x * (1.0, 2.5)[n % 3 == j % 3], 2) for j, (s, x) in enumerate(zip(sizes, row, strict=True))]
             for n, row in enumerate(drawn_rows(draw, f"{name}{turn}.X", samples, COLUMNS, -1, 1))]
        problem = {n: drawn_rows(draw, f"{name}{turn}.{n}", rows, COLUMNS, -1, 1) for n in ("gate", "up")} | {"X": X}
        alpha, _, errors, apart = searched(spec, problem)
        if 0 < alpha < (len(errors) - 1) / spec["steps"] and min(apart, searched(spec, dead(problem))[3]) > CLEAR:
            return problem
    raise RuntimeError("none of a thousand blocks has its best alpha inside the grid; draw other numbers")


def dead(problem: Problem) -> Problem:
    """The same block with an input that is always zero and meets the largest weights."""
    return {n: [[row[0], 0.0 if n == "X" else (1.7 if r % 2 else -1.9), *row[2:]] for r, row in enumerate(rows)]
            for n, rows in problem.items()}


def sizes_of(spec: Spec, X: Rows) -> list[float]:
    """Size of every input, column by column."""
    each = {"mean": lambda x: sum(map(abs, x)) / len(x), "largest": lambda x: max(map(abs, x)),
            "root": lambda x: math.sqrt(sum(v * v for v in x) / len(x))}[spec["measure"]]
    sizes = [each(column) for column in zip(*X, strict=True)]
    return [max(s, spec["floor"] * max(sizes)) for s in sizes]


def scales_of(spec: Spec, sizes: list[float], alpha: float) -> np.ndarray:
    """The scales of one alpha, (columns,)."""
    s = [size**alpha for size in sizes]
    by = {"middle": math.sqrt(max(s) * min(s)), "mean": sum(s) / len(s), "largest": max(s), "smallest": min(s)}
    return np.array(s) / by[spec["normal"]]


def output(spec: Spec, X: np.ndarray, gate: np.ndarray, up: np.ndarray) -> np.ndarray:
    """What the block makes of X with matrices (..., outputs, columns): (..., samples, outputs)."""
    z = X @ gate.swapaxes(-1, -2)
    act = {"silu": z / (1 + np.exp(-z)), "relu": np.maximum(z, 0), "tanh": np.tanh(z)}[spec["act"]]
    return act * (X @ up.swapaxes(-1, -2))


def _rounded(spec: Spec, W: np.ndarray) -> tuple[np.ndarray, float]:
    """W (..., columns) on its grid, and how far its quotients stay from half-way cases."""
    blocks = W.reshape(*W.shape[:-1], -1, spec["group"])
    scale = np.abs(blocks).max(axis=-1, keepdims=True) / spec["top"]
    quotient = blocks / np.where(scale > 0, scale, 1)
    return (scale * np.rint(quotient)).reshape(W.shape), float(np.abs(quotient % 1 - 0.5).min())


def searched(spec: Spec, problem: Problem) -> tuple[float, np.ndarray, list[float], float]:
    """(alpha, scales, errors, distance from half-way cases), by the rules of the exercise."""
    gate, up, X = (np.array(problem[n]) for n in ("gate", "up", "X"))
    sizes = sizes_of(spec, problem["X"])
    s = np.array([[scales_of(spec, sizes, i / spec["steps"])] for i in range(spec["count"])])  # (alphas, 1, columns)
    (Q, near), (P, close_by) = _rounded(spec, gate * s), _rounded(spec, up * s)
    off = np.square(output(spec, X, Q / s, P / s) - output(spec, X, gate, up))  # (alphas, samples, outputs)
    errors = (off.mean(axis=(1, 2)) if spec["total"] == "mean" else off.sum(axis=(1, 2))).tolist()
    best = errors.index(min(errors))
    return best / spec["steps"], s[best, 0], errors, min(near, close_by)


def _ask(spec: Spec, answers: Answers, shown: str, problem: Problem) -> tuple[float, np.ndarray, np.ndarray]:
    call = f"{NAME}({shown})"
    arrays = (np.array(problem[n]) for n in ("gate", "up", "X"))
    alpha, s, errors = parts(ask(answers, call, NAME, *arrays), call, ("alpha", "s", "errors"))
    return (number(alpha, f"{call}, the alpha,"), numbers(s, (COLUMNS,), call, "scales"),
            numbers(errors, (len(errors) if isinstance(errors, (list, np.ndarray)) and np.ndim(errors) else 1,), call,
                    "errors"))


def nearest(spec: Spec, answers: Answers) -> None:
    """Alpha 0 is round to nearest."""
    for name in ("first", "second"):
        got, want = _ask(spec, answers, "a block", spec[name])[2][:1], searched(spec, spec[name])[2][0]
        if not len(got) or not close(got[0], want, 1e-6):
            said = f"the first error is {got[0]:.5g}: {side(got[0], want)}" if len(got) else "there is no error at all"
            raise Miss(said, "with alpha = 0 every s is the same, and the error is that of plain rounding: the "
                       f"{spec['total']} of the squares, over the output of the block",
                       "round both matrices without any scale, and compare what `output` makes of them")


def every(spec: Spec, answers: Answers) -> None:
    """The errors of all alphas."""
    for name in ("first", "second"):
        got, want = _ask(spec, answers, "a block", spec[name])[2], searched(spec, spec[name])[2]
        if len(got) != len(want):
            raise Miss(f"there are {len(got)} errors: too {'many' if len(got) > len(want) else 'few'}",
                       f"alpha goes from 0 to {spec['last']} in steps of 1/{spec['steps']}",
                       "count the alphas, both ends included")
        wrong = [i for i, pair in enumerate(zip(got, want, strict=True)) if not close(*pair, 1e-6)]
        if wrong:
            i = wrong[0]
            raise Miss(f"the error of alpha = {i}/{spec['steps']} is {got[i]:.5g}: {side(got[i], want[i])}",
                       "scaled, rounded, and with the scales divided out again, both matrices read X as it is",
                       "print s for this alpha, and the rounded matrices beside those you began with")


def best(spec: Spec, answers: Answers) -> None:
    """The alpha of the smallest error, and the smallest of equals."""
    for name in ("first", "second"):
        alpha, _, errors = _ask(spec, answers, "a block", spec[name])
        if not close(alpha * spec["steps"], float(np.argmin(errors)), 1e-6):
            raise Miss(f"alpha is {alpha:g}, and the smallest of the errors returned with it is number "
                       f"{int(np.argmin(errors))}, from 0", "the alpha that is returned is the one with the smallest "
                       "error", f"error number i belongs to alpha = i/{spec['steps']}")
    alike = spec["first"] | {"X": [[1.0 if x > 0 else -1.0 for x in row] for row in spec["first"]["X"]]}
    alpha = _ask(spec, answers, "inputs that all have size 1", alike)[0]
    if alpha:
        raise Miss(f"for inputs that all have size 1, alpha is {alpha:g}", "all alphas are equally good there",
                   "of equally good ones, the smallest alpha is asked for: 0")


def scales(spec: Spec, answers: Answers) -> None:
    """The scales that belong to the answer's own alpha."""
    for name in ("first", "second"):
        alpha, s, _ = _ask(spec, answers, "a block", spec[name])
        if not np.allclose(s, scales_of(spec, sizes_of(spec, spec[name]["X"]), alpha), rtol=1e-6):
            raise Miss(f"for alpha = {alpha:g}, the largest scale is {s.max():.4g}, the smallest {s.min():.4g}; they "
                       "should be others", f"s is the size of each input to the power of alpha, divided so that "
                       f"{spec['norm_words']}", "work out s for one input by hand; do you return the scales of the "
                       "best alpha, or the last?")


def unused(spec: Spec, answers: Answers) -> None:
    """An input that is always zero."""
    problem = dead(spec["first"])
    errors = _ask(spec, answers, "a block with an input that is always zero", problem)[2]
    want = searched(spec, problem)[2]
    if len(errors) != len(want) or not np.allclose(errors, want, rtol=1e-6):
        raise Miss("with an input that is always zero, the errors are not right",
                   f"its size counts as {spec['floor']:g} times the largest: a scale of 0 could not be divided out",
                   "print the sizes, and the scales of the last alpha")


def show(spec: Spec, answers: Answers) -> Curves:
    """The errors of the example over alpha."""
    want = searched(spec, spec["shown"])[2]
    mine = yours(lambda: _ask(spec, answers, "the example", spec["shown"])[2].tolist())
    curves = [("Spec", want), *([("Yours", mine)] if mine is not None and len(mine) == len(want) else [])]
    return Curves("The example: squared error of the output", "alpha", "error",
                  [i / spec["steps"] for i in range(spec["count"])], curves)


EXERCISE = Exercise(
    id="09.3", title="Search for alpha", kind="core", difficulty=3, importance=5, minutes=14,
    objective="You can find the scales of AWQ for a block of a model.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE, second=SECOND,
    prose="""
Two matrices, `gate` and `up`, read one input X (one row per sample). The block makes `act(X gateᵀ) * (X upᵀ)` of it,
with act = <<act_words>>. The cell below has two functions for you: `output(X, gate, up)` is the block, and
`rounded(W)` rounds a matrix to <<bits>> bits. Find one s for both matrices:

| what | |
|---|---|
| size of an input | <<size_words>>; no size counts as less than <<floor>> times the largest one |
| alpha | 0, 1/<<steps>>, 2/<<steps>> ... <<last>> |
| s | size to the power of alpha, one number per input, divided so that <<norm_words>> |
| matrices to try | times s along their columns, rounded, and with s divided out again: they read X as it is |
| error of an alpha | the <<total>> of all squared differences between the block's output with them and without rounding |
| best | the alpha with the smallest error; of equally good ones the smallest |

Write `search(gate, up, X)`, which returns `(alpha, s, errors)`: the best alpha, its s, and the errors of all alphas in
a list. Leave the two functions and the arrays that you are given as they are.

**Example.** The block in the cell below has its best <<example>>.
""",
    hints=("Work out what `output` should give once, before the loop.",
           "`W * s` multiplies the columns of W by s. One s, one loop, both matrices.",
           "Keep errors and scales in two lists; look for the smallest error at the end."),
    given="""
def rounded(W):
    \"\"\"W with <<group>> neighbours of a row on a grid of <<bits>> bits of their own.\"\"\"
    blocks = W.reshape(len(W), -1, <<group>>)
    scale = np.abs(blocks).max(axis=2, keepdims=True) / <<top>>
    scale[scale == 0] = 1
    return (scale * np.rint(blocks / scale)).reshape(W.shape)


def output(X, gate, up):
    \"\"\"What the block makes of X.\"\"\"
    z = X @ gate.T
    return <<act_code>> * (X @ up.T)


# The example. Change what you like: the checks use other blocks.
gate = np.array(<<gate_text>>)
up = np.array(<<up_text>>)
X = np.array(<<X_text>>)
""",
    head='''
def search(gate, up, X):
    """(alpha, s, errors): the best alpha, its scales, and the error of every alpha."""
''',
    explanation="Since alpha = 0 is among those tried, scaling is never worse than round to nearest on these inputs; "
                "on others it may be. Dividing s by a number changes no error here, because every group's grid grows "
                "with it. It matters where scales are stored as float16, which has a largest and a smallest number.",
    checks=(Check("alpha 0 is round to nearest", 1, nearest), Check("the error of every alpha", 2, every),
            Check("the best alpha", 1, best), Check("its scales", 1, scales),
            Check("an input that is always zero", 1, unused)),
)
