"""10.3, core: SmoothQuant's scales for one input, folded into the norm that makes it.

What varies: alpha, how the size of a channel of the input is measured, how the norm is made (RMSNorm, or LayerNorm with a
bias), and whether matrices lie with one row per output or, as GPT-2's do, with one row per channel.
The traps: alpha and 1 - alpha swapped, s and 1/s swapped, a scale for each matrix, the bias of the norm forgotten, a
channel that is always zero.
Source: Xiao et al. 2022, "SmoothQuant", arXiv 2211.10438, section 4, equation 4. The size there is always the largest.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars, yours
from ..e05_bit_packing.asking import ask
from ..e08_repairing_rounding.arrays import drawn_rows, literal, numbers, parts
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .smooth_answers import REFERENCE, SECOND, WRONG

NAME, CHANNELS, TOKENS, ROWS = "smooth", 5, 6, {"gate": 4, "up": 3}
PARTS = ("s", "norm", "matrices")
# Size of a channel: in NumPy, for one column in Python, in words.
SIZES = {"largest": ("np.abs(X).max(axis=0)", "max(abs(x) for x in X[:, j])", "the largest magnitude in any token"),
         "root": ("np.sqrt((X**2).mean(axis=0))", "math.sqrt(X[:, j] @ X[:, j] / len(X))",
                  "the root of the mean square over the tokens"),
         "mean": ("np.abs(X).mean(axis=0)", "sum(abs(x) for x in X[:, j]) / len(X)", "the mean of the magnitudes over the tokens")}


def spec(draw: Draw) -> dict:
    """The rules of one variant, and the problems of the checks and of the worked example."""
    alpha, size = draw.choice("alpha", (0.3, 0.4, 0.6, 0.7, 0.8)), draw.choice("size", tuple(SIZES))
    other = draw.choice("other", [n for n in SIZES if n != size])
    layer, turned = (draw.choice(name, (True, False)) for name in ("layer", "rows"))
    axis = "1" if turned else "0"
    drawn = {"alpha": alpha, "beta": round(1 - alpha, 2), "size": SIZES[size][0], "python": SIZES[size][1],
             "other_size": SIZES[other][0], "size_words": SIZES[size][2], "measure": size, "layer": layer,
             "turned": turned, "axis": axis, "channels": "-1, 1" if turned else "1, -1", "T": ".T" * turned,
             "made": "(x - mean) / deviation * norm[\"gain\"] + norm[\"bias\"]" if layer
             else "x / root mean square * norm[\"gain\"]",
             "norm_words": "a LayerNorm, which has a gain and a bias" if layer else "an RMSNorm, which has a gain",
             "layout_words": "channel, one column per output" if turned else "output, one column per channel",
             "parts": "gain bias" if layer else "gain"}
    drawn |= {name: _problem(draw, name, layer) for name in ("first", "second", "shown")}
    norm, matrices, X = (drawn["shown"][n] for n in ("norm", "matrices", "X"))
    indent = " " * 12
    return drawn | {
        "norm_text": ", ".join(f'"{n}": np.array({v})' for n, v in norm.items()), "X_text": literal(X, 13),
        "matrix_text": f",\n{indent}".join(f'"{n}": np.array({literal(np.array(w).T if turned else w, 25 + len(n))})'
                                           for n, w in matrices.items()),
        "example": f"s = {', '.join(f'{v:.4g}' for v in scales_of(drawn, drawn['shown'])[:3])}, ..."}


def _problem(draw: Draw, name: str, layer: bool) -> dict:
    """A norm, two matrices of unequal size in each column, inputs with a loud channel and tokens of unequal size."""
    loud = draw.order(f"{name}.loud", [1.0, 0.5, 12.0, 2.0, 4.0])
    X = [[round(x * a * (2.0 if i == 1 else 1.0), 2) for x, a in zip(row, loud, strict=True)]
         for i, row in enumerate(drawn_rows(draw, f"{name}.X", TOKENS, CHANNELS, -1, 1))]
    matrices = {}
    for n, rows in ROWS.items():
        heavy = draw.order(f"{name}.{n}.heavy", [0.3, 0.6, 1.0, 1.7, 2.4])
        matrices[n] = [[round(w * a, 2) for w, a in zip(row, heavy, strict=True)]
                       for row in drawn_rows(draw, f"{name}.{n}", rows, CHANNELS, 0.3, 1)]
        matrices[n][0] = [-w for w in matrices[n][0]]
    norm = {"gain": drawn_rows(draw, f"{name}.gain", 1, CHANNELS, 0.4, 1.6)[0]}
    if layer:
        norm["bias"] = drawn_rows(draw, f"{name}.bias", 1, CHANNELS, 0.3, 0.9)[0]
    return {"norm": norm, "matrices": matrices, "X": X}


def dead(problem: dict) -> dict:
    """The same with a channel that is always zero."""
    return problem | {"X": [[0.0 if j == 2 else x for j, x in enumerate(row)] for row in problem["X"]]}


def scales_of(spec: Spec, problem: dict) -> list[float]:
    """s, by the rules of the exercise, channel by channel."""
    s = []
    for j, column in enumerate(zip(*problem["X"], strict=True)):
        size = {"largest": max(map(abs, column)), "mean": sum(map(abs, column)) / len(column),
                "root": (sum(x * x for x in column) / len(column)) ** 0.5}[spec["measure"]]
        weight = max(abs(row[j]) for W in problem["matrices"].values() for row in W)
        s.append(size ** spec["alpha"] / weight ** (1 - spec["alpha"]) if size else 1.0)
    return s


def made(norm: dict, x: np.ndarray) -> np.ndarray:
    """What the norm hands on; whether it takes off the mean is no matter for the scales."""
    return x / np.sqrt((x**2).mean(axis=1, keepdims=True)) * norm["gain"] + norm.get("bias", 0)


def _ask(spec: Spec, answers: Answers, shown: str, problem: dict) -> tuple[np.ndarray, dict, dict]:
    """s, the norm, and the matrices with one row per output, as the answer has them."""
    call = f"{NAME}({shown})"
    norm = {n: np.array(v) for n, v in problem["norm"].items()}
    given = {n: np.array(W).T if spec["turned"] else np.array(W) for n, W in problem["matrices"].items()}
    s, new, matrices = parts(ask(answers, call, NAME, norm, given, np.array(problem["X"])), call, PARTS)
    for got, names, what in ((new, norm, "norm"), (matrices, given, "matrices")):
        if not isinstance(got, dict) or set(got) != set(names):
            raise Miss(f"{call} returned {what} as {str(got)[:60]}", f"a dict with {', '.join(names)} is expected",
                       "start from `dict(norm)` and `dict(matrices)`, and put new arrays into them")
    new = {n: numbers(new[n], norm[n].shape, call, n) for n in norm}
    matrices = {n: numbers(matrices[n], given[n].shape, call, n) for n in given}
    return (numbers(s, (CHANNELS,), call, "s"), new,
            {n: W.T if spec["turned"] else W for n, W in matrices.items()})


def scales(spec: Spec, answers: Answers) -> None:
    """The scales; a point for each of two problems."""
    right, told = 0, None
    for name in ("first", "second"):
        try:
            s = _ask(spec, answers, "a problem", spec[name])[0]
            want = scales_of(spec, spec[name])
            wrong = [j for j in range(CHANNELS) if abs(s[j] / want[j] - 1) > 1e-6]
            if wrong:
                j = wrong[0]
                raise Miss(f"s of channel {j} is {s[j]:.5g}: too {'large' if s[j] > want[j] else 'small'}",
                           f"(size of the channel)^{spec['alpha']} over (largest weight of it)^{spec['beta']}, over "
                           "all matrices", "work out the two sizes for this channel, and print them")
            right += 1
        except Miss as miss:
            told = told or miss
    if told:
        raise Miss(told.what, told.why, told.advice, right)


def multiplied(spec: Spec, answers: Answers) -> None:
    """All matrices are multiplied by the answer's own s."""
    for name in ("first", "second"):
        s, _, matrices = _ask(spec, answers, "a problem", spec[name])
        for n, W in matrices.items():
            if not np.allclose(W, np.array(spec[name]["matrices"][n]) * s, rtol=1e-6):
                raise Miss(f"{n} is not the old one with every channel times s",
                           "whatever reads the input has to be multiplied, channel by channel",
                           "`W * s` multiplies columns, `W * s[:, None]` rows: which are the channels here?")


def divided(spec: Spec, answers: Answers) -> None:
    """What the norm makes is divided by the answer's own s."""
    x = np.array([[np.sin(1 + 3 * t + 2 * j) for j in range(CHANNELS)] for t in range(4)])
    for name in ("first", "second"):
        s, norm, _ = _ask(spec, answers, "a problem", spec[name])
        old = made({n: np.array(v) for n, v in spec[name]["norm"].items()}, x)
        if not np.allclose(made(norm, x), old / s, rtol=1e-6, atol=1e-9):
            raise Miss("what leaves the norm is not what left it before, divided by s",
                       f"the norm makes {spec['made']}", "which of its arrays does every number pass?")


def unchanged(spec: Spec, answers: Answers) -> None:
    """The outputs of all matrices."""
    x = np.array([[np.cos(2 + t + 5 * j) for j in range(CHANNELS)] for t in range(4)])
    for name in ("first", "second"):
        _, norm, matrices = _ask(spec, answers, "a problem", spec[name])
        if all(np.allclose(W, spec[name]["matrices"][n]) for n, W in matrices.items()):
            raise Miss("the matrices are those that you were given", "the outputs have to stay, and the weights to change",
                       "work out s for one channel by hand, and where it goes")
        old = made({n: np.array(v) for n, v in spec[name]["norm"].items()}, x)
        for n, W in matrices.items():
            a, b = old @ np.array(spec[name]["matrices"][n]).T, made(norm, x) @ W.T
            if not np.allclose(a, b, rtol=1e-6, atol=1e-9):
                raise Miss(f"the output of {n} changes by up to {np.abs(a - b).max() / np.abs(a).max():.1%}",
                           "divided before and multiplied behind, every number comes out as before",
                           "follow one channel through the norm and into each matrix")


def zeros(spec: Spec, answers: Answers) -> None:
    """A channel that is always zero."""
    problem = dead(spec["first"])
    s = _ask(spec, answers, "a problem with a channel of zeros", problem)[0]
    if not np.allclose(s, scales_of(spec, problem), rtol=1e-6):
        raise Miss(f"with a channel of zeros, s was {', '.join(f'{v:.4g}' for v in s)}",
                   "such a channel keeps the scale 1, and the others are as before",
                   "what does your formula give for a size of 0, and what becomes of the gain then?")


def show(spec: Spec, answers: Answers) -> Bars:
    """The scales of the example."""
    mine, want = yours(lambda: _ask(spec, answers, "the example", spec["shown"])[0]), scales_of(spec, spec["shown"])
    return Bars("The example: s of every channel", "", [
        (f"channel {j}", None if mine is None else float(mine[j]), want[j]) for j in range(CHANNELS)])


EXERCISE = Exercise(
    id="10.3", title="Hand it to the weights", kind="core", difficulty=3, importance=5, minutes=14,
    objective="You can find SmoothQuant's scales and fold them into a model that computes what it did before.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE, second=SECOND,
    prose="""
Several matrices read one input, which a norm makes. It is <<norm_words>>: it hands on
`<<made>>`.

| what | |
|---|---|
| X | what the norm made of calibration text, one row per token |
| size of a channel | <<size_words>> |
| weight of a channel | the largest magnitude of its weights, over *all* matrices |
| s | size to the power of <<alpha>>, over weight to the power of <<beta>>; 1 for a channel whose size is 0 |
| matrices | one row per <<layout_words>> |
| result | what leaves the norm is divided by s, and the matrices make of it what they made before |

Write `smooth(norm, matrices, X)`, which returns `(s, norm, matrices)`: the scales, and two new dicts like those you are
given. `norm` holds the arrays of the norm (here: <<parts>>), `matrices` holds any number of matrices. Leave the arrays
that you are given as they are.

**Example.** In the cell below <<example>>
""",
    hints=("One s for all: find the largest weight of every channel in each matrix, then over the matrices.",
           "`np.max([...], axis=0)` takes the largest of several arrays, place by place.",
           "Nobody divides at run time: something of the norm is divided, once."),
    given="""
# The example. Change what you like: the checks use other problems.
norm = {<<norm_text>>}
matrices = {<<matrix_text>>}
X = np.array(<<X_text>>)
""",
    head='''
def smooth(norm, matrices, X):
    """(s, norm, matrices): the scales, and both with the scales folded in."""
''',
    explanation="After folding, nothing in the checkpoint tells that it was smoothed; that is why it costs nothing at run "
                "time. It also means that outliers which were *made* by such a folding are taken out without a trace.",
    checks=(Check("the scales", 2, scales), Check("the matrices are multiplied", 1, multiplied),
            Check("the norm makes good for it", 1, divided), Check("the outputs stay", 1, unchanged),
            Check("a channel of zeros", 1, zeros)),
)
