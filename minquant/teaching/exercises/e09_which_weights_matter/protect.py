"""09.1, warm-up: round a matrix, all but the few columns that meet the largest inputs.

What varies: the share of columns that is kept, whether it is rounded up or down, and how the size of an input is
measured. The traps: to choose by the weights, to let signs cancel, to keep rows or single weights.
Source: Lin et al. 2023, "AWQ", arXiv 2306.00978, section 3.1, Table 1: the observation that AWQ starts from.
"""

from __future__ import annotations

import math

import numpy as np

from ..beside import Bars, yours
from ..e05_bit_packing.asking import ask
from ..e08_repairing_rounding.arrays import drawn_rows, literal, numbers
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME, FEW = "protect", 6  # FEW: so few columns that every variant keeps one of them
# Size of a column: in NumPy, for one column in Python, with signs that cancel, and in words.
SIZES = {"mean": ("np.abs(X).mean(axis=0)", "sum(abs(x) for x in X[:, j])", "np.abs(X.mean(axis=0))",
                  "the mean of |x| over all samples"),
         "largest": ("np.abs(X).max(axis=0)", "max(abs(x) for x in X[:, j])", "X.max(axis=0)",
                     "the largest |x| in any sample"),
         "square": ("(X**2).mean(axis=0)", "X[:, j] @ X[:, j]", "X.mean(axis=0) ** 2",
                    "the mean of x² over all samples")}
LOUD = {"mean": [-3, 3] * 4, "largest": [0, 0, 0, 0, 0, -10, 0, 0], "square": [0, 5.5, 0, -5.5] * 2}  # largest by each


def spec(draw: Draw) -> dict:
    """The rules of one variant, and the matrices of the checks and of the worked example."""
    measure, share = draw.choice("measure", tuple(SIZES)), draw.choice("share", (0.05, 0.08, 0.1, 0.12, 0.15))
    up = draw.choice("up", (True, False))
    other = draw.choice("other", [m for m in SIZES if m != measure])
    counts = f"math.ceil({share} * len(size))", f"max(int({share} * len(size)), 1)"
    drawn = {"measure": measure, "share": share, "up": up, "size": SIZES[measure][0], "python": SIZES[measure][1],
             "signed": SIZES[measure][2], "size_words": SIZES[measure][3], "other_size": SIZES[other][0],
             "count": counts[not up], "other_count": counts[up], "percent": f"{share:.0%}",
             "count_words": "rounded up" if up else "rounded down, but at least one"}
    W, X = drawn_rows(draw, "W", 3, FEW, -1, 1), drawn_rows(draw, "X", 4, FEW, -1, 1)
    loud = draw.integer("loud", 0, FEW - 1)
    for row in X:
        row[loud] = round(8 * row[loud], 2)
    drawn |= {"W": W, "X": X, "Q": (np.rint(2 * np.array(W)) / 2 + 0.0).tolist()}
    return drawn | {"W_text": literal(W, 13), "X_text": literal(X, 13), "Q_text": literal(drawn["Q"], 13),
                    "example": kept(drawn, X)[0]}


def kept(spec: Spec, X: list) -> list[int]:
    """The columns that are kept, by the rules of the exercise."""
    columns = list(zip(*X, strict=True))
    size = {"mean": lambda x: sum(map(abs, x)) / len(x), "largest": lambda x: max(map(abs, x)),
            "square": lambda x: sum(v * v for v in x) / len(x)}[spec["measure"]]
    exact = spec["share"] * len(columns)
    count = math.ceil(exact) if spec["up"] else max(math.floor(exact), 1)
    return sorted(sorted(range(len(columns)), key=lambda j: -size(columns[j]))[:count])


def problem(columns: int, loud: dict[int, list], quiet: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W, Q and X: Q is W moved everywhere, inputs grow and weights fall from left to right, a few inputs are loud."""
    rise = np.arange(columns) / columns
    W = np.round(np.sin(1 + 7 * np.arange(4)[:, None] + 3 * np.arange(columns)) * (2 - rise), 3)
    X = np.tile(quiet * (1 + rise), (8, 1))
    for j, values in loud.items():
        X[:, j] = values
    return W, W + 0.25, X


def _ask(answers: Answers, W: np.ndarray, Q: np.ndarray, X: np.ndarray) -> list[int]:
    """The columns of W that the answer kept. Raises Miss unless every other column is one of Q."""
    call = f"{NAME}(a matrix of {W.shape[1]} columns)"
    got = numbers(ask(answers, call, NAME, W, Q, X), W.shape, call, "a matrix")
    whole = {j for j in range(W.shape[1]) if np.array_equal(got[:, j], W[:, j])}
    torn = [j for j in range(W.shape[1]) if j not in whole and not np.array_equal(got[:, j], Q[:, j])]
    if torn:
        raise Miss(f"{call} returned columns that are neither those of W nor those of Q: {torn[:5]}",
                   "a column is kept whole or not at all: all its weights meet the same input",
                   "which axis of W belongs to the inputs, and so to the columns of X?")
    return sorted(whole)


def whole(spec: Spec, answers: Answers) -> None:
    """Columns of W or of Q, some of each."""
    W, Q, X = problem(27, {})
    if len(_ask(answers, W, Q, X)) in (0, 27):
        raise Miss("what came back is all W, or all Q", "a few columns come from W, all others from Q",
                   "start from a copy of Q, and put columns of W into it")


def count(spec: Spec, answers: Answers) -> None:
    """How many."""
    for columns in (FEW, 27, 31, 34):
        W, Q, X = problem(columns, {})
        got, want = len(_ask(answers, W, Q, X)), len(kept(spec, X.tolist()))
        if got != want:
            raise Miss(f"of {columns} columns, {got} are kept: too {'many' if got > want else 'few'}",
                       f"{spec['percent']} of the columns are kept, {spec['count_words']}",
                       f"what is {spec['percent']} of {columns}, before it is rounded?")


def loudest(spec: Spec, answers: Answers) -> None:
    """One input is larger than all others in every sample."""
    for j in (2, 4):
        W, Q, X = problem(FEW, {j: [4.0] * 8})
        if (got := _ask(answers, W, Q, X)) != [j]:
            raise Miss(f"input {j} is 4 in every sample and all others are below 1, but the columns {got} were kept",
                       "an error of a weight reaches the output times its input: large inputs make a column matter",
                       "is it W or X that you measure, and do you take the largest?")


def measured(spec: Spec, answers: Answers) -> None:
    """Three inputs, each the largest by another measure, with signs that cancel."""
    for places in ((1, 3, 4), (4, 2, 1)):
        loud = dict(zip(places, LOUD.values(), strict=True))
        W, Q, X = problem(FEW, loud, quiet=0.1)
        if (got := _ask(answers, W, Q, X)) != kept(spec, X.tolist()):
            raise Miss(f"of {FEW} inputs the columns {got} were kept, and another matters more",
                       f"the size of an input is {spec['size_words']}; its sign is no matter",
                       "print the size of every column; in this check the signs of an input change from sample to "
                       "sample")


def show(spec: Spec, answers: Answers) -> Bars:
    """The output error of the example, rounded throughout and with the columns that were kept."""
    W, Q, X = (np.array(spec[name]) for name in ("W", "Q", "X"))
    right = Q.copy()
    right[:, kept(spec, spec["X"])] = W[:, kept(spec, spec["X"])]
    lost = [float(np.square(X @ (W - part).T).sum()) for part in (Q, right)]
    call = f"{NAME}(the example)"
    mine = yours(lambda: numbers(answers.call(NAME, W, Q, X), W.shape, call, "a matrix"))
    return Bars("Squared error of the output in the example", "", [
        ("all rounded", lost[0], lost[0]),
        ("some kept", None if mine is None else float(np.square(X @ (W - mine).T).sum()), lost[1])])


REFERENCE = '''
size = <<size>>
kept = np.argsort(-size)[:<<count>>]
return np.where(np.isin(np.arange(len(size)), kept), W, Q)
'''

EXERCISE = Exercise(
    id="09.1", title="Keep the columns that matter", kind="warm-up", difficulty=2, importance=4, minutes=5,
    objective="You can say which columns of a matrix matter, and keep them.",
    spec=spec, show=show, reference=REFERENCE,
    prose="""
W has one row per output and one column per input; X has one row per sample. Q is W, rounded. A layer computes X Wᵀ.

| what | |
|---|---|
| size of an input | <<size_words>> |
| kept | <<percent>> of the columns of W, <<count_words>>: those with the largest inputs (no two are equal) |
| all other columns | those of Q |

Write `protect(W, Q, X)`, which returns the matrix that comes out. Leave the arrays that you are given as they are.

**Example.** Of the matrix in the cell below column <<example>> is kept.
""",
    hints=("`np.argsort(a)` gives the places of a from the smallest number to the largest.",
           "`axis=0` runs over the samples and leaves one number per input."),
    given="""
# The example. Change what you like: the checks use other matrices.
W = np.array(<<W_text>>)
Q = np.array(<<Q_text>>)
X = np.array(<<X_text>>)
""",
    head='''
def protect(W, Q, X):
    """Q, with the columns of W in place of those that meet the largest inputs."""
''',
    second='''
mixed, size = np.array(Q), {j: <<python>> for j in range(X.shape[1])}
for j in sorted(size, key=size.get)[-<<count>>:]:
    mixed[:, j] = W[:, j]
return mixed
''',
    explanation="Keeping a few columns in float16 is what showed that the inputs decide, not the weights. AWQ itself "
                "keeps none: a matrix of two kinds of numbers is slow to multiply. It scales those columns instead, "
                "which is the next exercise.",
    checks=(Check("whole columns", 1, whole), Check("so many of them", 1, count),
            Check("one input that is always large", 1, loudest), Check("the size of an input", 2, measured)),
    wrong=(
        Wrong("chosen by the weights", 3, REFERENCE.replace("<<size>>", "np.abs(W).mean(axis=0)")),
        Wrong("signs cancel", 2, REFERENCE.replace("<<size>>", "<<signed>>")),
        Wrong("another measure of size", 2, REFERENCE.replace("<<size>>", "<<other_size>>")),
        Wrong("the smallest inputs", 3, REFERENCE.replace("argsort(-size)", "argsort(size)")),
        Wrong("the first columns", 3, REFERENCE.replace("np.argsort(-size)", "np.arange(len(size))")),
        Wrong("the share rounded the other way", 1, REFERENCE.replace("<<count>>", "<<other_count>>")),
        Wrong("no column where there are few", 4, REFERENCE.replace("<<count>>", "int(<<share>> * len(size))")),
        Wrong("one column more", 4, REFERENCE.replace("<<count>>]", "<<count>> + 1]")),
        Wrong("W and Q swapped", 4, REFERENCE.replace("W, Q)", "Q, W)")),
        Wrong("rows for columns", 5, REFERENCE.replace("len(size)), kept)", "len(W)), kept)[:, None]")),
        Wrong("single weights for columns", 5, '''
            size = np.abs(W) * <<size>>
            return np.where(size >= np.sort(size.ravel())[-math.ceil(<<share>> * size.size)], W, Q)'''),
        Wrong("measured per sample", 5, REFERENCE.replace("<<size>>", "np.abs(X).mean(axis=1)")),
    ),
)
