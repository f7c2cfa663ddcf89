"""13.1, warm-up: a straight-through gradient that treats clipped weights apart.

What varies: the grid, and what share of the gradient a clipped weight still gets.
The traps: to judge by the rounded weight, which is never beyond the grid, and to forget one of the two ends.
Source: Bengio et al. 2013, arXiv 1308.3432, section 4, for the estimator; the share is this exercise's own.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars, yours
from ..checking import close, written
from ..e08_repairing_rounding.arrays import numbers
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME = "through"


def spec(draw: Draw) -> dict:
    """The rules of one variant, and its worked example."""
    drawn = {"step": draw.choice("step", (0.05, 0.1, 0.2)), "low": draw.choice("low", (-4, -3, -2)),
             "high": draw.choice("high", (1, 2, 3)), "share": draw.choice("share", (0.1, 0.2, 0.25, 0.5))}
    places = [0.3, drawn["high"] + 0.4, drawn["low"] - 1.2]
    w = [round(drawn["step"] * place, 3) for place in places]
    return drawn | {"w": w, "example": [1, drawn["share"], drawn["share"]]}


def gradient(spec: Spec, w: list, du: list) -> list[float]:
    """By the rules of the exercise."""
    return [g if spec["low"] <= x / spec["step"] <= spec["high"] else spec["share"] * g
            for x, g in zip(w, du, strict=True)]


def compare(spec: Spec, answers: Answers, places: list[float], why: str, advice: str) -> None:
    """Weights at these places of the grid, with gradients of both signs. Raises Miss at the first that is off."""
    w = np.round(spec["step"] * np.array(places), 6)
    du = np.resize([1.5, -0.75, 2.0], len(w))
    call = written(NAME, (w.tolist(), du.tolist()))
    got = numbers(answers.call(NAME, w, du), w.shape, call, "gradients")
    for x, place, mine, want in zip(w, places, got, gradient(spec, w, du), strict=True):
        if not close(float(mine), float(want)):
            raise Miss(f"{call} gives {mine:g} for the weight {x:g}, which lies at {place:g} steps", why, advice)


def inside(spec: Spec, answers: Answers) -> None:
    """Weights between the ends."""
    compare(spec, answers, [spec["low"] + 0.6, -0.3, 0.2, spec["high"] - 0.3],
            "no weight here is clipped: rounding counts as the identity, and the gradient passes as it is",
            "what is the derivative of u = w by w?")


def beyond(spec: Spec, answers: Answers) -> None:
    """Weights far beyond both ends."""
    compare(spec, answers, [spec["low"] - 3, spec["high"] + 2.5, 0.2],
            f"a clipped weight gets {spec['share']} of the gradient, at either end of the grid",
            "print w / step beside low and high")


def half(spec: Spec, answers: Answers) -> None:
    """Weights beyond an end by less than half a step, which round back to it."""
    compare(spec, answers, [spec["low"] - 0.3, spec["high"] + 0.3],
            "it lies beyond the end, though its code is that of the end",
            "does your condition look at w / step, or at the rounded code?")


def show(spec: Spec, answers: Answers) -> Bars:
    """The example of the text."""
    mine = yours(lambda: numbers(answers.call(NAME, np.array(spec["w"]), np.ones(3)), (3,), NAME, "gradients"))
    return Bars("Gradient of the three weights of the example, where du is 1", "", [
        (f"w = {w}", None if mine is None else float(mine[i]), float(want))
        for i, (w, want) in enumerate(zip(spec["w"], spec["example"], strict=True))])


REFERENCE = '''
ratio = w / <<step>>
inside = (ratio >= <<low>>) & (ratio <= <<high>>)
return np.where(inside, du, <<share>> * du)
'''

EXERCISE = Exercise(
    id="13.1", title="Straight through", kind="warm-up", difficulty=2, importance=5, minutes=5,
    objective="You can write the backward pass of rounding.",
    spec=spec, show=show, reference=REFERENCE,
    prose="""
| what | |
|---|---|
| step of the grid | <<step>> |
| codes | <<low>> to <<high>> |
| a weight that is not clipped | gets the gradient du as it is |
| a clipped weight | gets <<share>> times du, so that it can find its way back |

Write `through(w, du)`, which returns the gradient by the float weights. Both are arrays of the same length.

**Example.** For w = <<w>> and du = [1, 1, 1] it is <<example>>.
""",
    hints=("Clipped or not is a question about `w / step`.", "`np.where(condition, a, b)` chooses for each element."),
    head='''
def through(w, du):
    """Gradient of the loss by the float weights w, where du is that by the weights in use."""
''',
    second='''
clipped = np.clip(w / <<step>>, <<low>>, <<high>>) != w / <<step>>
factor = np.ones(len(w))
factor[clipped] = <<share>>
return factor * du
''',
    explanation="With the share 0 this is the plain straight-through estimator with clipping, with 1 the one that "
                "BitNet uses.",
    checks=(Check("weights inside the grid", 1, inside), Check("weights beyond it", 2, beyond),
            Check("weights just beyond it", 1, half)),
    wrong=(
        Wrong("everything passes", 3, "return du"),
        Wrong("the true derivative of a staircase", 4, "return np.zeros(len(w))"),
        Wrong("judged by the rounded weight", 1, REFERENCE.replace("w / <<step>>", "np.rint(w / <<step>>)")),
        Wrong("bounds not in steps", 3, REFERENCE.replace("w / <<step>>", "w")),
        Wrong("only the upper end", 3, REFERENCE.replace("(ratio >= <<low>>) & ", "")),
        Wrong("only the lower end", 3, REFERENCE.replace(" & (ratio <= <<high>>)", "")),
        Wrong("the other way round", 4, REFERENCE.replace("du, <<share>> * du", "<<share>> * du, du")),
        Wrong("clipped weights get nothing", 3, REFERENCE.replace("<<share>> * du", "0 * du")),
        Wrong("times the step", 4, REFERENCE.replace("return ", "return <<step>> * ")),
    ),
)
