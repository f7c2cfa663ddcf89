"""13.2, core: the gradient of a learned step.

What varies: the ends of the grid, and the factor that the sum is multiplied with.
The traps: the sign of what rounding added, the two ends, and the factor.
Source: Esser et al. 2020, arXiv 1902.08153, section 2.1, equation 3, and section 2.2; one of the factors is theirs.
"""

from __future__ import annotations

import math

import numpy as np

from ..beside import Bars, yours
from ..checking import close, written
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME = "step_gradient"
FACTORS = {"lsq": ("1 / math.sqrt(len(w) * <<high>>)", "1 / sqrt(N high), for N weights, as in the paper"),
           "root": ("1 / math.sqrt(len(w))", "1 / sqrt(N), for N weights"),
           "mean": ("1 / len(w)", "1 / N, for N weights")}


def spec(draw: Draw) -> dict:
    """The rules of one variant, and its worked example."""
    factor = draw.choice("factor", tuple(FACTORS))
    other = draw.choice("other", [name for name in FACTORS if name != factor])
    drawn = {"low": draw.choice("low", (-8, -4, -3)), "high": draw.choice("high", (4, 6, 8)), "factor": factor}
    places = [1.25, drawn["high"] + 0.8, -0.7, drawn["low"] - 1.5]
    drawn |= {"w": [round(0.2 * place, 3) for place in places], "du": [1.0, -2.0, 0.5, 1.0],
              "factor_words": FACTORS[factor][1]}
    for name, which in (("rule", factor), ("other_rule", other)):
        drawn[name] = FACTORS[which][0].replace("<<high>>", str(drawn["high"]))
    return drawn | {"example": f"{gradient(drawn, drawn['w'], drawn['du'], 0.2):.4f}"}


def gradient(spec: Spec, w: list, du: list, step: float) -> float:
    """By the rules of the exercise, one weight at a time."""
    total = 0.0
    for x, g in zip(w, du, strict=True):
        ratio = x / step
        end = spec["low"] if ratio < spec["low"] else spec["high"] if ratio > spec["high"] else None
        total += g * (round(ratio) - ratio if end is None else end)
    n = len(w)
    return total * {"lsq": 1 / math.sqrt(n * spec["high"]), "root": 1 / math.sqrt(n), "mean": 1 / n}[spec["factor"]]


def compare(spec: Spec, answers: Answers, places: list[float], why: str, advice: str) -> None:
    """Weights at these places, for two steps. Raises Miss where the gradient is another one."""
    for step in (0.4, 0.15):
        w = np.round(step * np.array(places), 6)
        du = np.resize([1.7, -0.6, 0.45], len(w))
        call = written(NAME, (w.tolist(), du.tolist(), step))
        got, want = answers.call(NAME, w, du, step), gradient(spec, w.tolist(), du.tolist(), step)
        if isinstance(got, list) and len(got) == 1:
            got = got[0]
        if not isinstance(got, (int, float)):
            raise Miss(f"{call} returned {str(got)[:60]}", "the step is one number, and so is its gradient",
                       "add up over all weights")
        if not close(float(got), want, 1e-6):
            raise Miss(f"{call} returned {got:.5g}: too {'large' if got > want else 'small'}", why, advice)


def inside(spec: Spec, answers: Answers) -> None:
    """Weights inside the grid alone."""
    compare(spec, answers, [0.8, -1.3, 1.1, -0.4, 0.0], "none of these weights is clipped; each adds what rounding has "
            "added to w / step, times its du", "write u as w plus step times something that is held fixed")


def above(spec: Spec, answers: Answers) -> None:
    """Weights above the grid alone."""
    compare(spec, answers, [spec["high"] + 0.3, spec["high"] + 2.2], "all of these weights lie above the grid, where u "
            "is step times high", "what is the derivative of step times high by step?")


def below(spec: Spec, answers: Answers) -> None:
    """Weights below the grid alone."""
    compare(spec, answers, [spec["low"] - 0.4, spec["low"] - 3.1, spec["low"] - 1.0], "all of these weights lie below "
            "the grid, where u is step times low", "what is the derivative of step times low by step?")


def together(spec: Spec, answers: Answers) -> None:
    """All kinds, and more of them."""
    compare(spec, answers, [0.7, spec["high"] + 1.4, -1.2, spec["low"] - 2.3, 1.4, -0.6, spec["high"] + 0.2],
            "seven weights of all three kinds", "the sum runs over all weights, and the factor knows how many they are")


def show(spec: Spec, answers: Answers) -> Bars:
    """What each weight of the example adds, in magnitude."""
    rows = []
    for i, w in enumerate(spec["w"]):
        du = [g if j == i else 0.0 for j, g in enumerate(spec["du"])]
        mine = yours(lambda: answers.call(NAME, np.array(spec["w"]), np.array(du), 0.2))
        rows.append((f"w = {w}", abs(mine) if isinstance(mine, (int, float)) else None,
                     abs(gradient(spec, spec["w"], du, 0.2))))
    return Bars("What each weight of the example adds, without sign", "", rows)


REFERENCE = '''
ratio = w / step
inside = (ratio >= <<low>>) & (ratio <= <<high>>)
codes = np.clip(np.rint(ratio), <<low>>, <<high>>)
slope = np.where(inside, codes - ratio, codes)
return float((du * slope).sum() * (<<rule>>))
'''

EXERCISE = Exercise(
    id="13.2", title="The step learns too", kind="core", difficulty=4, importance=4, minutes=18,
    objective="You can derive and write the gradient by the step of a grid.",
    spec=spec, show=show, reference=REFERENCE,
    prose="""
A block of N weights shares one step. Backwards, rint counts as the identity *in how it follows its argument*, but the
difference that it made stays: with r = rint(w / step) - w / step held fixed,

| weight | in use | derivative by step |
|---|---|---|
| not clipped | step (w / step + r) = w + step r | find it |
| above the grid | step * <<high>> | find it |
| below the grid | step * <<low>> | find it |

The gradient by the step is the sum over the block of du times that derivative, times the factor <<factor_words>>.

Write `step_gradient(w, du, step)`, which returns that number. Codes run from <<low>> to <<high>>.

**Example.** For w = <<w>>, du = <<du>> and step = 0.2 it is <<example>>.
""",
    hints=("A weight that rounding has moved up by 0.3 of a step moves up by 0.3 more of it when the step grows.",
           "A clipped weight's derivative is a whole number."),
    head='''
def step_gradient(w, du, step):
    """Gradient of the loss by the step that all weights w share."""
''',
    second='''
total = 0.0
for x, g in zip(w, du):
    if x > <<high>> * step:
        total += g * <<high>>
    elif x < <<low>> * step:
        total += g * <<low>>
    else:
        total += g * (round(float(x / step)) - x / step)
return float(total * (<<rule>>))
''',
    explanation="Inside, the derivative is between -1/2 and 1/2 and says whether a larger step would have met the "
                "weight better. Beyond, it is the end of the grid: the step grows if the clipped weights want to go further.",
    checks=(Check("weights inside the grid", 2, inside), Check("weights above it", 1, above),
            Check("weights below it", 1, below), Check("all together", 1, together)),
    wrong=(
        Wrong("the sign of what rounding added", 3, REFERENCE.replace("codes - ratio", "ratio - codes")),
        Wrong("codes for all", 3, REFERENCE.replace("np.where(inside, codes - ratio, codes)", "codes")),
        Wrong("clipped weights add nothing", 3, REFERENCE.replace("codes - ratio, codes)", "codes - ratio, 0)")),
        Wrong("clipped weights as if they were not", 3, REFERENCE.replace("np.where(inside, codes - ratio, codes)",
                                                                         "codes - ratio")),
        Wrong("the upper end for both", 2, REFERENCE.replace("codes - ratio, codes)", "codes - ratio, <<high>>)")),
        Wrong("the difference in weights, not in steps", 3, REFERENCE.replace("codes - ratio, codes",
                                                                             "step * codes - w, codes")),
        Wrong("without the factor", 5, REFERENCE.replace(" * (<<rule>>)", "")),
        Wrong("another factor", 5, REFERENCE.replace("<<rule>>", "<<other_rule>>")),
        Wrong("nothing but zeros", 5, "return 0.0"),
    ),
)
