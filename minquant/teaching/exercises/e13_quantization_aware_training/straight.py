"""13.2, core: a layer with rounded weights, forwards and backwards.

What varies: the ends of the grid, how many weights share a step, whether a matrix has one row per output or per input,
and what weights beyond the grid get: nothing (LSQ), a tenth, or what leads back into the grid.
The traps: the inputs' gradient needs the *rounded* weights; a mask belongs to the quotient, before it is rounded.
Sources: Bengio et al. 2013 (arXiv 1308.3432), section 4; Esser et al. 2020 (arXiv 1902.08153), section 2.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars, yours
from ..e05_bit_packing.asking import ask
from ..e08_repairing_rounding.arrays import literal, numbers, parts
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong, fill
from ..variant import Draw
from .arrays import check_same, quotients

NAME = "backward"
RULES = {"nothing": "0", "tenth": "a tenth of its gradient",
         "back": "its gradient where a step against it leads back towards the grid, else 0"}


def spec(draw: Draw) -> dict:
    """The rules of one variant, and its example."""
    low, high = draw.choice("ends", ((-1, 2), (-2, 1), (-2, 3), (-4, 3)))
    drawn = {"low": low, "high": high, "group": draw.choice("group", (2, 4)),
             "rule": draw.choice("rule", tuple(RULES)),
             "outputs_first": draw.choice("outputs_first", (True, False))}
    rows, columns = (2, 4) if drawn["outputs_first"] else (4, 4)
    W = [[round(draw.between(f"w{i}.{j}", low - 0.4, high + 0.4) * 0.5, 2) for j in range(columns)]
         for i in range(rows)]
    n_in, n_out = (columns, rows) if drawn["outputs_first"] else (rows, columns)
    example = {"x": [[round(draw.between(f"x{j}", -1, 1), 1) for j in range(n_in)]], "W": W,
               "step": [[0.5] * (columns // drawn["group"]) for _ in range(rows)],
               "dy": [[round(draw.between(f"dy{j}", -1, 1), 1) for j in range(n_out)]]}
    return drawn | {"example": example, "rule_words": RULES[drawn["rule"]]} | {
        f"{name}_text": literal(rows, 13 if name != "step" else 16) for name, rows in example.items()} | {
        "shape": "one row per output, one column per input" if drawn["outputs_first"] else
                 "one row per input, one column per output",
        "product": "y = x U^T" if drawn["outputs_first"] else "y = x U"}


def used(spec: Spec, W: np.ndarray, step: np.ndarray) -> np.ndarray:
    """The weights that the layer computes with."""
    s = np.repeat(step, spec["group"], axis=1)
    return s * np.clip(np.rint(W / s), spec["low"], spec["high"])


def right(spec: Spec, x: np.ndarray, W: np.ndarray, step: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(dx, dW)"""
    s, U = np.repeat(step, spec["group"], axis=1), used(spec, W, step)
    dx, dU = (dy @ U, dy.T @ x) if spec["outputs_first"] else (dy @ U.T, x.T @ dy)
    below, above = W / s < spec["low"], W / s > spec["high"]
    passes = {"nothing": ~(below | above), "tenth": np.where(below | above, 0.1, 1),
              "back": np.where(below, dU < 0, np.where(above, dU > 0, True))}[spec["rule"]]
    return dx, dU * passes


def problem(spec: Spec, samples: int, low: float, high: float, seed: int) -> tuple[np.ndarray, ...]:
    """x, W, step, dy with quotients from low to high."""
    rng, outputs, inputs = np.random.default_rng(seed), 8, 12
    rows, columns = (outputs, inputs) if spec["outputs_first"] else (inputs, outputs)
    step = rng.uniform(0.05, 0.4, (rows, columns // spec["group"]))
    W = quotients(rng, (rows, columns), low, high) * np.repeat(step, spec["group"], axis=1)
    return rng.standard_normal((samples, inputs)), W, step, rng.standard_normal((samples, outputs))


def _ask(answers: Answers, problem: tuple[np.ndarray, ...], where: str) -> tuple[np.ndarray, np.ndarray]:
    call = f"{NAME}({where})"
    dx, dW = parts(ask(answers, call, NAME, *problem), call, ("dx", "dW"))
    return numbers(dx, problem[0].shape, call, "dx"), numbers(dW, problem[1].shape, call, "dW")


def inputs(spec: Spec, answers: Answers) -> None:
    """dx, where all weights lie inside."""
    given = problem(spec, 3, spec["low"], spec["high"], 1)
    dx, _ = _ask(answers, given, "all weights inside the grid")
    if np.allclose(dx, (lambda x, W, step, dy: dy @ (W if spec["outputs_first"] else W.T))(*given)):
        raise Miss("dx is what a layer with the float weights has", "the layer computed with U; so does its gradient",
                   "which matrix stood in the forward pass?")
    check_same(dx, right(spec, *given)[0], "dx, all weights inside the grid",
               "the gradient of the inputs is that of a plain layer whose matrix is U",
               "write the layer without any rounding first, and put U in the place of its matrix")


def inside(spec: Spec, answers: Answers) -> None:
    """dW, where all weights lie inside: one sample, then several."""
    for samples in (1, 5):
        given = problem(spec, samples, spec["low"], spec["high"], 2 + samples)
        _, dW = _ask(answers, given, f"all weights inside the grid, {samples} sample(s)")
        check_same(dW, right(spec, *given)[1], f"dW, all weights inside the grid, {samples} sample(s)",
                   "inside the grid rounding counts as if it were not there: dW is the gradient by U as it is",
                   "dU is a sum over the samples of (gradient of an output) times (input)")


def beyond(spec: Spec, answers: Answers) -> None:
    """dW where weights lie inside and beyond one end of the grid, a point for each end."""
    earned, told = 0, None
    for side, low, high in (("below", spec["low"] - 2, spec["high"]), ("above", spec["low"], spec["high"] + 2)):
        given = problem(spec, 4, low, high, 11)
        _, dW = _ask(answers, given, f"weights inside and {side} the grid")
        want = right(spec, *given)[1]
        try:
            check_same(dW, want, f"dW, weights inside and {side} the grid", f"a weight beyond the grid gets "
                       f"{spec['rule_words']}", "a step of training is W - lr * dW: which way does it move a weight?"
                       if spec["rule"] == "back" else "which weights are beyond? Ask W / s, before it is rounded")
            earned += 1
        except Miss as miss:
            told = told or miss
    if told:
        raise Miss(told.what, told.why, told.advice, earned)


def anything(spec: Spec, answers: Answers) -> None:
    """Weights inside and beyond, steps of all sizes."""
    given = problem(spec, 6, spec["low"] - 2, spec["high"] + 2, 21)
    dx, dW = _ask(answers, given, "weights inside and beyond")
    want = right(spec, *given)
    for name, got, wanted in (("dx", dx, want[0]), ("dW", dW, want[1])):
        check_same(got, wanted, f"{name}, weights inside and beyond", "all rules at once; each weight has the step of "
                   "its own group", "see the checks above first; then print the steps in the shape of W")


def show(spec: Spec, answers: Answers) -> Bars:
    """The magnitudes of dW of the example, row by row."""
    given = tuple(np.array(spec["example"][name]) for name in ("x", "W", "step", "dy"))
    mine, want = yours(lambda: _ask(answers, given, "the example")[1]), right(spec, *given)[1]
    return Bars("The example: magnitudes of dW in its first two rows", "", [
        (f"dW[{i}, {j}]", None if mine is None else abs(float(mine[i, j])), abs(float(want[i, j])))
        for i in range(2) for j in range(4)])


def fields(spec: Spec) -> dict:
    """Pieces of the answers in this layout, and in the other."""
    layouts = ("dy @ U", "dy.T @ x"), ("dy @ U.T", "x.T @ dy")
    dx, dU = layouts[0 if spec["outputs_first"] else 1]
    passes = {"nothing": "(W / s >= <<low>>) & (W / s <= <<high>>)", 
              "tenth": "np.where((W / s < <<low>>) | (W / s > <<high>>), 0.1, 1)",
              "back": "~((W / s < <<low>>) & (dU >= 0) | (W / s > <<high>>) & (dU <= 0))"}
    other = {"nothing": "tenth", "tenth": "nothing", "back": "nothing"}[spec["rule"]]
    found = {"passes": passes[spec["rule"]], "other_passes": passes[other],
             "loop": {"nothing": "0.0", "tenth": "d / 10", "back": "d if (d < 0) == (q < 0) else 0.0"}[spec["rule"]],
             "i_out": "i" if spec["outputs_first"] else "j", "i_in": "j" if spec["outputs_first"] else "i"}
    return {k: fill(v, spec) for k, v in found.items()} | {"dx": dx, "dU": dU, "float_dx": dx.replace("U", "W")}


REFERENCE = '''
s = np.repeat(step, <<group>>, axis=1)
U = s * np.clip(np.rint(W / s), <<low>>, <<high>>)
dx, dU = <<dx>>, <<dU>>
passes = <<passes>>
return dx, dU * passes
'''

SECOND = '''
dx, dW = np.zeros(x.shape), np.zeros(W.shape)
for (i, j), w in np.ndenumerate(W):
    s = step[i, j // <<group>>]
    q = w / s
    u = s * min(max(round(q), <<low>>), <<high>>)
    dx[:, <<i_in>>] += dy[:, <<i_out>>] * u
    d = sum(dy[:, <<i_out>>] * x[:, <<i_in>>])
    dW[i, j] = d if <<low>> <= q <= <<high>> else <<loop>>
return dx, dW
'''

EXERCISE = Exercise(
    id="13.2", title="Straight through a layer", kind="core", difficulty=3, importance=5, minutes=15,
    objective="You can write the backward pass of a layer whose weights are rounded.",
    spec=spec, show=show, answer_fields=fields, reference=REFERENCE, second=SECOND,
    wrong=(
        Wrong("dx from the float weights", 2, REFERENCE.replace("<<dx>>", "<<float_dx>>")),
        Wrong("another rule beyond the grid", 3, REFERENCE.replace("<<passes>>", "<<other_passes>>")),
        Wrong("the true derivative of rint", 5, REFERENCE.replace("dU * passes", "dU * 0")),
        Wrong("the step multiplied in once more", 5, REFERENCE.replace("dU * passes", "dU * passes * s")),
        Wrong("steps tiled instead of repeated", 6, REFERENCE.replace(
            "np.repeat(step, <<group>>, axis=1)", "np.tile(step, (1, <<group>>))")),
        Wrong("the mean over the samples", 5, REFERENCE.replace("dU * passes", "dU * passes / len(x)")),
    ),
    prose="""
A layer keeps float weights W and computes with rounded ones, U:

| what | |
|---|---|
| W | <<shape>> |
| step | one for <<group>> neighbours of a row of W: (rows, columns / <<group>>) |
| U | s * c, where c is rint(W / s), cut off at <<low>> and <<high>>, and s is each weight's own step |
| forward | <<product>>, one row of x and of y per sample |
| backward | `dy` is the gradient of the loss by y; wanted are the gradients by x and by W |
| inside | a weight with W / s from <<low>> to <<high>> gets the gradient by its U (straight through) |
| beyond | a weight beyond the grid gets <<rule_words>> |

Write `backward(x, W, step, dy)`, which returns `(dx, dW)`, in the shapes of x and W. A step of training would be
W - lr * dW with a small lr above 0.

**Example.** The arrays in the cell below; the cell that is not graded shows what dW is there.
""",
    hints=("First the layer with U as if it were an ordinary matrix: dx, and the gradient by U.",
           "`np.repeat(step, n, axis=1)` writes each step n times, side by side."),
    given="""
# The example. Change what you like: the checks use other arrays.
x = np.array(<<x_text>>)
W = np.array(<<W_text>>)
step = np.array(<<step_text>>)
dy = np.array(<<dy_text>>)
""",
    head='''
def backward(x, W, step, dy):
    """(dx, dW): gradients by the inputs and by the float weights."""
''',
    explanation="All of it is an ordinary layer, but for two places: the matrix is U, and a mask decides which weights "
                "hear of it. What is best beyond the grid is disputed. Where it gets 0, a weight that left "
                "never returns by itself, unless the step grows.",
    checks=(Check("dx", 1, inputs), Check("dW inside the grid", 2, inside), Check("dW beyond the grid", 2, beyond),
            Check("everything at once", 1, anything)),
)
