"""03.1, warm-up: the scale and the zero point of a range.

What varies: bits, signed or unsigned codes, and whether the lowest code is kept free (TensorFlow calls that
"narrow range"; some formats mark a missing value with it).
The traps: n codes are n - 1 steps apart, the zero point is a code and so a whole number, and 0 must have a code of
its own even where the range does not hold it.
"""

from __future__ import annotations

from ..beside import Bars, yours
from ..checking import close, number, side, written
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME = "scale_and_zero"


def spec(draw: Draw) -> dict:
    """The codes of one variant, and the range of the worked example."""
    bits, signed, free = (draw.integer("bits", 3, 8), draw.choice("signed", (True, False)),
                          draw.choice("free", (True, False)))
    shift = 2 ** (bits - 1)
    lowest, highest = (-shift if signed else 0) + free, 2**bits - 1 - shift * signed
    drawn = {"bits": bits, "lowest": lowest, "highest": highest, "steps": highest - lowest,
             "other_lowest": lowest + shift if signed else lowest - shift,
             "free_words": f"the code {lowest - 1} is kept free" if free else "all of them are used"}
    return drawn | dict(zip(("low", "high", "example"), _example(drawn), strict=True))


def _example(spec: Spec) -> tuple[float, float, str]:
    low, high = _around(spec, 0.3, 0.125)
    scale, zero = grid(spec, low, high)
    return low, high, f"a scale of {scale:g} and the zero point {zero}"


def grid(spec: Spec, low: float, high: float) -> tuple[float, int]:
    """Scale and zero point, by the rules of the exercise."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / spec["steps"]
    return scale, spec["lowest"] + round(-low / scale)


def _around(spec: Spec, part: float, scale: float) -> tuple[float, float]:
    """A range around 0 with this scale, in which 0 lies a whole number of steps and ``part`` above its low end."""
    below = (spec["steps"] // 3 + part) * scale
    return -below, spec["steps"] * scale - below


def _ask(answers: Answers, low: float, high: float) -> tuple[float, float]:
    call, got = written(NAME, (low, high)), answers.call(NAME, low, high)
    if not isinstance(got, list) or len(got) != 2:
        raise Miss(f"{call} returned {got!r}", "two numbers are expected: a scale and a zero point",
                   "end the function with `return scale, zero_point`")
    return number(got[0], call + "[0]"), number(got[1], call + "[1]")


def scales(spec: Spec, answers: Answers) -> None:
    """The scale of ranges around 0."""
    for low, high in ((-1.0, 3.0), (-0.375, 0.125)):
        got, want = _ask(answers, low, high)[0], grid(spec, low, high)[0]
        if not close(got, want, 1e-6):
            raise Miss(f"{written(NAME, (low, high))} returned the scale {got:.6g}: {side(got, want)}",
                       f"the lowest code stands for {low}, the highest for {high}, and all steps between are equal",
                       "how many steps lie between the lowest and the highest code? (Count fence posts and gaps.)")


def zero_points(spec: Spec, answers: Answers) -> None:
    """The zero point of ranges that hold 0."""
    for low, high in (_around(spec, 0.7, 0.25), _around(spec, 0.3, 0.25), (-0.25 * spec["steps"], 0.0)):
        call, got, want = written(NAME, (low, high)), _ask(answers, low, high)[1], grid(spec, low, high)[1]
        if not close(got, round(got)):
            raise Miss(f"{call} returned the zero point {got:g}", "0 would fall between two codes and not be exact",
                       "the zero point is itself a code: round it")
        if not close(got, want):
            raise Miss(f"{call} returned the zero point {got:g}",
                       "that is not the code nearest to the place of 0 between the lowest and the highest code",
                       f"{low:g} has the lowest code of the table; how many steps above it does 0 lie?")


def widened(spec: Spec, answers: Answers) -> None:
    """Ranges on one side of 0."""
    quarter = 0.25 * spec["steps"]
    for low, high in ((quarter / 2, quarter), (-quarter, -quarter / 2)):
        call, got, want = written(NAME, (low, high)), _ask(answers, low, high), grid(spec, low, high)
        if not close(got[0], want[0], 1e-6) or not close(got[1], want[1], 1e-6):
            raise Miss(f"{call} returned the scale {got[0]:.6g} and the zero point {got[1]:g}",
                       "0 lies outside this range, and it must have a code of its own all the same",
                       "widen the range to hold 0 before anything else is computed from it")


def show(spec: Spec, answers: Answers) -> Bars:
    """The worked example: scale, and how far the zero point lies above the lowest code."""
    low, high = spec["low"], spec["high"]
    want = grid(spec, low, high)
    got = yours(lambda: _ask(answers, low, high)) or (None, None)
    above = None if got[1] is None else got[1] - spec["lowest"]
    return Bars(f"The range {low:g} to {high:g}", "", [("1000 x scale", got[0] and 1000 * got[0], 1000 * want[0]),
                                                      ("steps up to 0", above, want[1] - spec["lowest"])])


REFERENCE = '''
low, high = min(low, 0), max(high, 0)
scale = (high - low) / <<steps>>
return scale, <<lowest>> + round(-low / scale)
'''

EXERCISE = Exercise(
    id="03.1", title="Scale and zero point", kind="warm-up", difficulty=1, importance=5, minutes=5,
    objective="You can lay a grid of codes over a range so that zero is exact.",
    spec=spec, show=show,
    prose="""
A range of numbers is put on a grid of <<bits>>-bit codes:

| what | |
|---|---|
| codes | <<lowest>> to <<highest>>; <<free_words>> |
| a code stands for | `scale * (code - zero_point)` |
| scale | the range over the number of steps from the lowest to the highest code |
| zero point | the code of 0: a whole number, the nearest one |
| a range without 0 | is widened first, just so far that it holds 0 |

Write `scale_and_zero(low, high)`, which returns `(scale, zero_point)`. `low` is below `high`.

**Example.** The range from <<low>> to <<high>> has <<example>>.
""",
    hints=("A fence with n posts has n - 1 gaps.",
           "Seen from the low end of the range, 0 lies `-low / scale` steps further up."),
    head='''
def scale_and_zero(low, high):
    """(scale, zero_point) of the grid for numbers from low to high."""
''',
    reference=REFERENCE,
    second='''
ends = sorted((low, 0.0, high))
step = (ends[2] - ends[0]) / (<<highest>> - (<<lowest>>))
return step, round(<<lowest>> - ends[0] / step)
''',
    explanation="The rounded zero point moves the whole grid by up to half a step, so the ends of the range are no "
                "longer hit exactly. That is the price of an exact zero, and it is worth paying: zeros are common "
                "(padding, masks, ReLU), and an error in each of them adds up.",
    checks=(Check("the scale of a range around zero", 1, scales),
            Check("the zero point is the nearest code", 1, zero_points),
            Check("a range on one side of zero is widened", 1, widened)),
    wrong=(
        Wrong("divided by the number of codes", 3, REFERENCE.replace("<<steps>>", "(<<steps>> + 1)")),
        Wrong("zero point not rounded", 1, REFERENCE.replace("round(-low / scale)", "-low / scale")),
        Wrong("zero point rounded down", 1, REFERENCE.replace("round(-low / scale)", "int(-low / scale)")),
        Wrong("range not widened", 1, REFERENCE.replace("low, high = min(low, 0), max(high, 0)\n", "")),
        Wrong("codes of the other storage", 2, REFERENCE.replace("<<lowest>>", "<<other_lowest>>")),
        Wrong("sign of the zero point", 2, REFERENCE.replace("round(-low", "round(low")),
        Wrong("a symmetric grid", 3, '''
            scale = max(abs(low), abs(high)) * 2 / <<steps>>
            return scale, (<<lowest>> + <<highest>>) // 2'''),
        Wrong("the example's range for every range", 3, '''
            scale = (<<high>> - (<<low>>)) / <<steps>>
            return scale, <<lowest>> + round(-(<<low>>) / scale)'''),
    ),
)
