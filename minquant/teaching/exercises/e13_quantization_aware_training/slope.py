"""13.1, warm-up: the gradient of a loss behind a rounding, straight through.

What varies: the step, the ends of the grid, the input, the target, and whether the loss is a square or half of one.
The traps: the chain rule starts at the *rounded* weight, and what lies beyond the grid gets nothing.
"""

from __future__ import annotations

from ..beside import Bars, yours
from ..checking import ask_number, close, side, written
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME = "slope"


def spec(draw: Draw) -> dict:
    """The loss of one variant."""
    half = draw.choice("half", (True, False))
    low, high = draw.choice("ends", ((-1, 2), (-2, 1), (-2, 3), (-3, 2), (-2, 2)))
    drawn = {"half": half, "low": low, "high": high, "step": draw.choice("step", (0.2, 0.3, 0.4, 0.6)),
             "x": draw.choice("x", (1.5, 2.5, 3.0, -1.5, -2.0)), "target": draw.choice("target", (0.35, -0.45, 0.85)),
             "factor": 1 if half else 2, "loss": "0.5 * (x * u - t)^2" if half else "(x * u - t)^2"}
    shown = round(drawn["step"] * (0.3 + min(high, 1) - 1), 3)
    return drawn | {"shown": shown, "example": f"{right(drawn, shown):.6g}", "used": f"{used(drawn, shown):.3g}"}


def used(spec: Spec, w: float) -> float:
    """The rounded weight."""
    return spec["step"] * min(max(round(w / spec["step"]), spec["low"]), spec["high"])


def right(spec: Spec, w: float) -> float:
    """The slope, by the rules of the exercise."""
    if not spec["low"] <= w / spec["step"] <= spec["high"]:
        return 0.0
    return spec["factor"] * (spec["x"] * used(spec, w) - spec["target"]) * spec["x"]


def _compare(spec: Spec, answers: Answers, places: list[float], why: str, advice: str) -> None:
    for place in places:
        w = round(place * spec["step"], 9)
        got, want = ask_number(answers, NAME, w), right(spec, w)
        if not close(got, want, 1e-6):
            raise Miss(f"{written(NAME, (w,))} returned {got:.6g}: {side(got, want)}", why, advice)


def on_the_grid(spec: Spec, answers: Answers) -> None:
    """Weights that are codes times the step: rounding moves nothing."""
    _compare(spec, answers, [spec["low"] + 1, 0, spec["high"] - 1],
             "here u is w, and this is the plain chain rule: the slope by u, times that of u by w, which is 1",
             "what is the derivative of the loss by u? The inner factor belongs to it")


def between(spec: Spec, answers: Answers) -> None:
    """Weights between two codes."""
    _compare(spec, answers, [spec["low"] + 0.4, 0.3, -0.2, spec["high"] - 0.35],
             "the loss was computed from u, so its slope is taken at u; only the step from u back to w is pretended",
             "compute u first, and use w for nothing else but to find it")


def beyond(spec: Spec, answers: Answers) -> None:
    """Weights outside the grid, also those that round to its last code."""
    _compare(spec, answers, [spec["low"] - 0.3, spec["high"] + 0.4, spec["low"] - 2.2, spec["high"] + 1.7],
             "beyond the first and the last code w / s is cut off, and a cut weight changes nothing when it moves",
             "compare w / s with the two ends, before it is rounded")


def show(spec: Spec, answers: Answers) -> Bars:
    """The magnitude of the slope at a few places."""
    rows = []
    for place in (spec["low"] - 0.3, spec["low"] + 0.4, 0.0, 0.3, spec["high"] - 0.35, spec["high"] + 0.4):
        w = round(place * spec["step"], 9)
        mine = yours(lambda w=w: ask_number(answers, NAME, w))
        rows.append((f"w = {w:.3g}", mine, right(spec, w)))
    return Bars("Slopes (a bar shows those above 0)", "", rows)


REFERENCE = '''
u = <<step>> * min(max(round(w / <<step>>), <<low>>), <<high>>)
inside = <<low>> <= w / <<step>> <= <<high>>
return <<factor>> * (<<x>> * u - <<target>>) * <<x>> * inside
'''

EXERCISE = Exercise(
    id="13.1", title="A slope where there is none", kind="warm-up", difficulty=2, importance=5, minutes=5,
    objective="You can take the gradient of a loss through a rounding, straight through.",
    spec=spec, show=show, reference=REFERENCE,
    prose="""
One weight w, one input x, one target t. The model rounds its weight before it uses it:

| what | |
|---|---|
| codes | whole numbers from <<low>> to <<high>> |
| step s | <<step>> |
| the weight in use | u = s * c, where c is rint(w / s), cut off at <<low>> and <<high>> |
| loss | <<loss>> with x = <<x>> and t = <<target>> |

The true derivative of this loss by w is 0 almost everywhere: a small move of w leaves c where it is. Write `slope(w)`,
which returns the gradient by the **straight-through** rule: du/dw counts as 1 where w / s lies from <<low>> to
<<high>>, and as 0 beyond.

**Example.** For w = <<shown>>, u is <<used>> and the slope is <<example>>.
""",
    hints=("The chain rule: (derivative of the loss by u) times (du/dw). Only the second factor is pretended.",),
    head='''
def slope(w):
    """The gradient of the loss by w, straight through."""
''',
    second='''
if w / <<step>> < <<low>> or w / <<step>> > <<high>>:
    return 0.0
return <<factor>> * (<<x>>) ** 2 * <<step>> * round(w / <<step>>) - <<factor>> * <<x>> * <<target>>
''',
    explanation="The gradient does not shrink while w wanders between two codes, because the loss does not change "
                "there. It pushes the same way until w crosses the middle between two codes, and u jumps.",
    checks=(Check("on the grid", 1, on_the_grid), Check("between two codes", 1, between),
            Check("beyond the grid", 1, beyond)),
    wrong=(
        Wrong("the slope at w instead of u", 1, REFERENCE.replace("<<x>> * u -", "<<x>> * w -")),
        Wrong("the true derivative", 2, "return 0.0"),
        Wrong("nothing is cut off", 1, REFERENCE.replace(" * inside", "")),
        Wrong("cut off after rounding", 1, REFERENCE.replace(
            "<<low>> <= w / <<step>> <= <<high>>", "<<low>> <= round(w / <<step>>) <= <<high>>")),
        Wrong("the inner factor forgotten", 2, REFERENCE.replace(" * <<x>> * inside", " * inside")),
        Wrong("the step multiplied in once more", 2, REFERENCE.replace("* inside", "* <<step>> * inside")),
        Wrong("the other square", 2, REFERENCE.replace("return <<factor>>", "return 2 / <<factor>>")),
        Wrong("the example's number for everything", 3, "return <<example>>"),
    ),
)
