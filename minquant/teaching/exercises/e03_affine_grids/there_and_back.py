"""03.2, core: numbers to codes, by one of the conventions that real programs use.

What varies: bits, the convention of the scale (amax over 2^(b-1) - 1, amax over half a step more, or low..high with a
zero point), whether codes are stored signed or unsigned, and where a value half-way between two codes goes.
The range comes with the call, chosen beforehand, so that values can lie outside it: a cast before the clip then wraps.
A check that looks at one property leaves the others alone: the grid an answer claims is the grid it is judged on.
"""

from __future__ import annotations

import math

from ..beside import Bars, yours
from ..checking import close, number, side, written
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .there_and_back_answers import REFERENCE, SECOND, WRONG, answer_fields

NAME = "quantize"
RANGES = ((-1.3, 0.9), (-0.35, 2.6), (-47.0, 12.0))
SHARES = (0.09, 0.12, 0.2, 0.29, 0.42, 0.55, 0.61, 0.74, 0.83, 0.91)  # places inside a range, away from its ends
SCALES = {"restricted": "A / {q}, where A is the larger of `abs(low)` and `abs(high)`",
          "halves": "A / {q}.5, where A is the larger of `abs(low)` and `abs(high)`",
          "asymmetric": "(high - low) / {steps}, the range widened first to hold 0"}
CODES = {"restricted": "-{q} to {q}, and 0 is the code 0", "halves": "-{half} to {q}, and 0 is the code 0",
         "asymmetric": "0 to {steps}, and 0 is the code nearest to -low / scale"}
TIES = {"even": "to the even one of the two", "away": "to the one further from 0", "up": "to the higher one"}


def spec(draw: Draw) -> dict:
    """The convention of one variant."""
    bits, rule = draw.integer("bits", 4, 7), draw.choice("rule", tuple(SCALES))
    signed, ties = draw.choice("signed", (True, False)), draw.choice("ties", tuple(TIES))
    half = 2 ** (bits - 1)
    drawn = {"bits": bits, "rule": rule, "signed": signed, "ties": ties, "q": half - 1, "half": half,
             "steps": 2 * half - 1}
    low, high = {"restricted": (1 - half, half - 1), "halves": (-half, half - 1), "asymmetric": (0, 2 * half - 1)}[rule]
    shift = -half * signed if rule == "asymmetric" else half * (not signed)  # from the codes of the rule to storage
    drawn |= {"shift": shift, "lowest": low + shift, "highest": high + shift}
    words = {"scale_words": SCALES[rule].format(**drawn), "code_words": CODES[rule].format(**drawn),
             "tie_words": TIES[ties], "storage": _storage(drawn)}
    x, low, high = [-0.5, -0.2, 0.0, 0.3, 1.7], -0.6, 1.2
    codes, scale, zero = right(drawn, x, low, high)
    return drawn | words | {"x": x, "low": low, "high": high,
                            "example": f"the codes {codes}, the scale {scale:.6g} and the zero point {zero}"}


def _storage(drawn: Spec) -> str:
    shift = drawn["shift"]
    return "as they are" if shift == 0 else f"{abs(shift)} {'more' if shift > 0 else 'less'}, the code of 0 as well"


def nearest(ties: str, v: float) -> int:
    """A whole number next to v; half-way cases by the rule."""
    below = math.floor(v)
    if v - below == 0.5:
        return {"even": below + below % 2, "away": below + (v > 0), "up": below + 1}[ties]
    return below + (v - below > 0.5)


def right(spec: Spec, x: list[float], low: float, high: float) -> tuple[list[int], float, int]:
    """Codes, scale and zero point, by the rules of the exercise."""
    low, high = min(low, 0.0), max(high, 0.0)
    largest = max(-low, high)
    scale = {"restricted": largest / spec["q"], "halves": largest / (spec["q"] + 0.5),
             "asymmetric": (high - low) / spec["steps"]}[spec["rule"]] or 1.0
    zero = spec["shift"] + (nearest(spec["ties"], -low / scale) if spec["rule"] == "asymmetric" else 0)
    codes = [min(max(nearest(spec["ties"], v / scale) + zero, spec["lowest"]), spec["highest"]) for v in x]
    return codes, scale, zero


def _ask(answers: Answers, x: list[float], low: float, high: float) -> tuple[list[float], float, float]:
    """What the answer gives for one call: codes as numbers, scale, zero point."""
    call = written(NAME, (f"{len(x)} numbers", low, high))
    got = answers.call(NAME, x, low, high)
    if not isinstance(got, list) or len(got) != 3:
        raise Miss(f"{call} returned {_shortened(got)}", "codes, a scale and a zero point are expected",
                   "end the function with `return codes, scale, zero_point`")
    codes = got[0].ravel().tolist() if hasattr(got[0], "ravel") else got[0]
    if not isinstance(codes, list) or len(codes) != len(x):
        raise Miss(f"{call} returned {_shortened(codes)} for the codes", f"{len(x)} numbers need {len(x)} codes, in a "
                   "list or a NumPy array of one axis", "make one code for each number, in the same order")
    codes = [number(code, call + " as a code") for code in codes]
    scale, zero = (number(_single(part), call + " as scale or zero point") for part in got[1:])
    if scale <= 0:
        raise Miss(f"{call} returned the scale {scale:g}", "a step is longer than nothing",
                   "what does your scale become where low and high are both on one side of 0, or both 0?")
    return codes, scale, zero


def _single(part: object) -> object:
    """The number in an array of one, as NumPy arithmetic likes to return it."""
    return part.item() if hasattr(part, "item") and getattr(part, "size", 0) == 1 else part


def _shortened(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) < 60 else text[:56] + " ..."


def _inside(low: float, high: float) -> list[float]:
    return [low + share * (high - low) for share in SHARES]


def scales(spec: Spec, answers: Answers) -> None:
    """The scale of ranges around 0."""
    for low, high in RANGES:
        got, want = _ask(answers, [low / 2, high / 2], low, high)[1], right(spec, [], low, high)[1]
        if not close(got, want, 1e-5):
            raise Miss(f"the scale for the range {low} to {high} is {got:.6g}: {side(got, want)}",
                       f"this convention has the scale {spec['scale_words']}",
                       "conventions differ by half a step here; a grid must not mix two of them")


def half_a_step(spec: Spec, answers: Answers) -> None:
    """Values inside the range come back within half a step of the answer's own scale."""
    for low, high in RANGES:
        _comes_back(answers, low, high)


def _comes_back(answers: Answers, low: float, high: float) -> None:
    x = _inside(low, high)
    codes, scale, zero = _ask(answers, x, low, high)
    for value, code in zip(x, codes, strict=True):
        back = scale * (code - zero)
        if abs(back - value) > 0.5001 * scale:
            raise Miss(f"with the range {low} to {high}, {value:.6g} came back as {back:.6g}: "
                       f"{abs(back - value) / scale:.2f} of your steps away",
                       "the nearest code is never more than half a step away, inside the range",
                       "print value / scale, the code and scale * (code - zero_point) side by side")


def exact_zero(spec: Spec, answers: Answers) -> None:
    """0 has a code of its own in every range around 0."""
    for low, high in RANGES:
        _zero(spec, answers, low, high)


def _zero(spec: Spec, answers: Answers, low: float, high: float) -> None:
    (code,), _, zero = _ask(answers, [0.0], low, high)
    if code != zero or zero != round(zero) or abs(zero - right(spec, [], low, high)[2]) > 1:
        raise Miss(f"with the range {low} to {high}, 0 has the code {code:g} and the zero point is {zero:g}",
                   "0 must be exact, so its code is the zero point: a whole number, and one of the codes in storage",
                   "where does the table put the code of 0? Move it with the codes when storage moves them")


def saturated(spec: Spec, answers: Answers) -> None:
    """Values far outside the range."""
    for low, high in RANGES:
        far = 1.3 * max(-low, high)
        codes = _ask(answers, [-far, far, 300 * far, -300 * far], low, high)[0]
        if codes != [spec["lowest"], spec["highest"], spec["highest"], spec["lowest"]]:
            raise Miss(f"with the range {low} to {high}, {-far:g} has the code {codes[0]:g} and {far:g} has "
                       f"{codes[1]:g}", "what lies outside the range gets the code at that end",
                       "clip while the numbers are still wide, then store; a cast to few bits would wrap around")


def half_way(spec: Spec, answers: Answers) -> None:
    """Values exactly half-way between two codes of the answer's own scale, which is 0.25 if it is right."""
    low, high = {"restricted": (-spec["q"], spec["q"]), "halves": (-spec["q"] - 0.5, spec["q"] + 0.5),
                 "asymmetric": (-spec["q"], spec["half"])}[spec["rule"]]
    low, high = 0.25 * low, 0.25 * high
    scale = _ask(answers, [0.0], low, high)[1]
    halves = [k + 0.5 for k in range(-4, 4) if (k + 0.5) * scale / scale == k + 0.5]
    codes, _, zero = _ask(answers, [half * scale for half in halves], low, high)
    for half, code in zip(halves, codes, strict=True):
        if code - zero != nearest(spec["ties"], half):
            raise Miss(f"a value of {half:g} of your steps became {code - zero:g} steps",
                       f"a value half-way between two codes goes {spec['tie_words']}",
                       "round() and np.rint go to even; other rules take a floor of something")


def one_sided(spec: Spec, answers: Answers) -> None:
    """Ranges that do not hold 0."""
    for low, high in ((2.1, 5.3), (-7.0, -3.2)):
        _comes_back(answers, low, high)
        _zero(spec, answers, low, high)


def nothing(spec: Spec, answers: Answers) -> None:
    """A range of nothing but 0."""
    codes, scale, zero = _ask(answers, [0.0, 0.0, 0.0], 0.0, 0.0)
    if scale != 1 or any(scale * (code - zero) != 0 for code in codes):
        raise Miss(f"with the range 0 to 0 the scale is {scale:g}, and zeros come back as "
                   f"{[scale * (code - zero) for code in codes]}", "a block of zeros has scale 1 and stays zeros",
                   "`or 1.0` after the formula of the scale catches the 0")


def all_codes(spec: Spec, answers: Answers) -> None:
    """The codes themselves; half the points where all but a few are right."""
    wrong, total = [], 0
    for low, high in RANGES:
        x = _inside(low, high)
        codes, want = _ask(answers, x, low, high)[0], right(spec, x, low, high)[0]
        wrong += [(v, c, low, high) for v, c, w in zip(x, codes, want, strict=True) if c != w]
        total += len(x)
    if wrong:
        value, code, low, high = wrong[0]
        raise Miss(f"{len(wrong)} of {total} codes are not those of this convention; the first: {value:.6g} in the "
                   f"range {low} to {high} has the code {code:g}",
                   f"x / scale is rounded, then the code of 0 added; codes are stored {spec['storage']}",
                   "do this one by hand: divide, round, add, clip")


def show(spec: Spec, answers: Answers) -> Bars:
    """How far the values of the example land from where they were, in steps of the right scale."""
    x, low, high = spec["x"][:-1], spec["low"], spec["high"]
    codes, scale, zero = right(spec, x, low, high)
    got = yours(lambda: _ask(answers, x, low, high))
    rows = []
    for i, value in enumerate(x):
        mine = abs(got[1] * (got[0][i] - got[2]) - value) / scale if got else None
        rows.append((f"{value:g}", mine, abs(scale * (codes[i] - zero) - value) / scale))
    return Bars(f"How far a value moves, in the range {low} to {high}", "steps", rows)


EXERCISE = Exercise(
    id="03.2", title="There and back", kind="core", difficulty=3, importance=5, minutes=17,
    objective="You can turn numbers into codes by a given convention, and handle the ranges that break a careless one.",
    spec=spec, show=show, answer_fields=answer_fields,
    prose="""
Write `quantize(x, low, high)`: the codes of the numbers in the list `x`, on the grid of the range from `low` to `high`.
Return `(codes, scale, zero_point)`. The range was chosen beforehand, from other data, so numbers may lie outside it.

| rule | in this exercise |
|---|---|
| bits of a code | <<bits>> |
| scale | <<scale_words>> |
| codes | <<code_words>> |
| storage | codes are stored <<storage>> |
| a value half-way between two codes | goes <<tie_words>> |
| a value outside the range | gets the lowest or the highest code |
| a range of nothing but 0 | scale 1 |

`x / scale` is rounded first, then the code of 0 is added. `zero_point` is the code of 0 in storage, so that
`scale * (code - zero_point)` is what a code stands for. Ranges on one side of 0 occur as well.

**Example.** With the range from <<low>> to <<high>>, the numbers <<x>> have <<example>>.
""",
    hints=("Widen the range to hold 0 first. Then both kinds of convention can be written down as they stand.",
           "Write a small function for the rounding rule, and use it for every rounding there is.",
           "Stored codes run from <<lowest>> to <<highest>>. Clip after the code of 0 has been added."),
    head='''
def quantize(x, low, high):
    """(codes, scale, zero_point) of the numbers in x on the grid of low..high."""
''',
    reference=REFERENCE, second=SECOND, wrong=WRONG,
    explanation="Every convention in this table is in use somewhere, and none is wrong. What is wrong is to mix two: "
                "a scale from one program with codes from another is off by up to half a step at the ends, and nothing "
                "crashes.",
    checks=(Check("the scale", 1, scales), Check("inside the range: back within half a step", 1, half_a_step),
            Check("zero is exact", 1, exact_zero), Check("outside the range: the code at the end", 1, saturated),
            Check("half-way between two codes", 1, half_way), Check("ranges on one side of zero", 1, one_sided),
            Check("a range of nothing but zero", 1, nothing), Check("every code", 2, all_codes)),
)
