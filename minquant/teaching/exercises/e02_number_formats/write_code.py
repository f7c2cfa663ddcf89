"""02.2, core: a number as a code, rounded to nearest, ties to even.

What varies: widths, bias (never the usual one), which codes are no numbers, and what becomes of numbers too large.
One idea saves most of the trouble: codes without their sign are in the order of their values, so "one further" is "the
next value", also across powers of two, into the subnormals and up to the first code above the largest number.
"""

from __future__ import annotations

from ..beside import Curves, yours
from ..checking import ask_number, written
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from . import layout
from .write_code_answers import REFERENCE, SECOND, WRONG

NAME = "encode"
WIDTHS = ((3, 2), (3, 3), (2, 4), (3, 4), (4, 3), (4, 2), (5, 2))
HUGE = (1e9, 12345678.0, 3.0e38)


def spec(draw: Draw) -> dict:
    """The format of one variant, its rules at the top, and some examples."""
    E, M = draw.choice("widths", WIDTHS)
    drawn = {"E": E, "M": M, "bias": layout.standard_bias(E) + draw.choice("shift", (1, 2, 3))}
    drawn |= layout.names(drawn)
    ieee, saturate = draw.choice("ieee", (True, False)), draw.choice("saturate", (True, False))
    largest = drawn["sign_bit"] - 1 - (drawn["steps"] if ieee else 1)
    drawn |= {"largest": largest, "limit": largest + (not saturate), "other_limit": largest + saturate,
              "largest_value": f"{layout.number(drawn, largest):g}",
              "kept_words": "the highest exponent field is kept for infinity (mantissa 0) and NaN" if ieee else
              "all ones is NaN, every other code is a number, there is no infinity",
              "large_words": f"the largest number, {layout.number(drawn, largest):g}" if saturate else
              f"the first code after the largest number, which is {'infinity' if ieee else 'NaN'}"}
    sizes = (layout.between(drawn, drawn["steps"] + 1, 0.25), layout.between(drawn, 2, 0.75))
    rows = "\n".join(f"| {x:.10g} | `{layout.nearest(drawn, x):0{drawn['bits']}b}` |" for x in sizes)
    return drawn | {"examples": rows}


def _compare(spec: Spec, answers: Answers, cases: list[float], why: str, advice: str) -> None:
    """Hold the learner's codes of some sizes against the right ones."""
    for size in cases:
        got = ask_number(answers, NAME, size)
        if got != min(layout.nearest(spec, size), spec["limit"]):
            raise Miss(f"{written(NAME, (size,))} returned {got:g}", why, advice)


def _normal_codes(spec: Spec) -> range:
    return range(spec["steps"], spec["largest"])


def kept(spec: Spec, answers: Answers) -> None:
    """Numbers of the format."""
    _compare(spec, answers, [layout.number(spec, code) for code in (*_normal_codes(spec), spec["largest"])],
             "this is a number of the format itself, so there is nothing to round",
             "decode the code you return: which exponent field did you choose, and is it that of the table's bias?")


def nearest(spec: Spec, answers: Answers) -> None:
    """Numbers between two of the format, some of them close to the middle."""
    shares = (0.25, 0.75, 0.5 - 2.0**-12, 0.5 + 2.0**-12)
    _compare(spec, answers, [layout.between(spec, code, s) for code in _normal_codes(spec) for s in shares],
             "another number of the format is nearer",
             "measure how many steps the number is above the power of two below it, then round that count once")


def ties(spec: Spec, answers: Answers) -> None:
    """The middle between two neighbours, one point for each side that the even code can be on."""
    right, seen = 0, ""
    for parity in (0, 1):
        codes = [code for code in _normal_codes(spec) if code % 2 == parity]
        wrong = [x for x in (layout.between(spec, code, 0.5) for code in codes)
                 if ask_number(answers, NAME, x) != layout.nearest(spec, x)]
        right += not wrong
        seen = written(NAME, (wrong[0],)) if wrong else seen
    if right < 2:
        raise Miss(f"{seen} did not return the even code of the two that are equally near",
                   "of two numbers equally near, the one whose code ends in 0 is taken: sometimes the upper one, "
                   "sometimes the lower one", "which way does your rounding go at 0.5, and at 1.5?", right)


def subnormals(spec: Spec, answers: Answers) -> None:
    """From zero to the smallest normal number, no ties."""
    cases = [layout.between(spec, code, share) for code in range(spec["steps"]) for share in (0.0, 0.25, 0.75)]
    _compare(spec, answers, cases + [2.0**-40],
             "below the smallest normal number the format goes on in even steps, down to 0",
             "which power of two may the step never fall below? Keep your exponent from going lower")


def signs(spec: Spec, answers: Answers) -> None:
    """The sign bit, also of minus zero."""
    for size in (layout.number(spec, spec["steps"] + 1), layout.number(spec, spec["largest"]), 0.0):
        plus, minus = ask_number(answers, NAME, size), ask_number(answers, NAME, -size)
        if (size and not plus) or minus != plus + spec["sign_bit"]:
            raise Miss(f"{written(NAME, (size,))} returned {plus:g}, {written(NAME, (-size,))} returned {minus:g}",
                       "a negative number, minus zero included, has the code of its size with the top bit set",
                       "-0.0 < 0 is False; math.copysign(1, x) tells the sign of every number")


def large(spec: Spec, answers: Answers) -> None:
    """Numbers too large, and one that is just not."""
    _compare(spec, answers, [layout.between(spec, spec["largest"], 0.25)],
             "this is beyond the largest number, but not by half a step: it is rounded down to it",
             "round first, and look only then whether the result is too large")
    _compare(spec, answers, [layout.number(spec, spec["largest"] + 1), *HUGE],
             "the table says what becomes of numbers that are too large, however large they are",
             "limit the code before you add the sign bit to it")


def show(spec: Spec, answers: Answers) -> Curves:
    """Codes over sizes: a staircase that gets flatter at each power of two."""
    right = layout.number(spec, 4 * spec["steps"])
    sizes = [right * i / 160 for i in range(160)]
    got = yours(lambda: [ask_number(answers, NAME, size) for size in sizes])
    want = [min(layout.nearest(spec, size), spec["limit"]) for size in sizes]
    mine = [("Yours", got)] if got else []
    return Curves("Codes of sizes from 0 on", "size", "code", sizes, [("Spec", want), *mine])


EXERCISE = Exercise(
    id="02.2", title="Write a code", kind="core", difficulty=3, importance=5, minutes=18,
    objective="You can turn a number into the nearest code of any float format, ends and ties included.",
    spec=spec, show=show, wrong=WRONG,
    prose="""
A float format of <<bits>> bits:

| | |
|---|---|
| fields, from the top bit down | sign 1, exponent <<E>>, mantissa <<M>> bits; bias <<bias>> |
| exponent field 0 | subnormal numbers, as always |
| at the top | <<kept_words>>; the largest number is <<largest_value>> |
| between two numbers | to the nearest; where both are equally near, to the code that ends in 0 |
| rounded beyond the largest number | becomes <<large_words>> |

Write `encode(x)`: the code of a finite float, as a whole number. Minus zero has a code of its own.

**Examples.**

| x | code |
|---|---|
<<examples>>
""",
    hints=("`math.frexp(x)` gives (f, e) with x = f x 2^e and f from 0.5 up to 1. So the power of two at or below x is "
           "2^(e - 1). For 0 it gives e = 0, which means nothing.",
           "Count x in steps of the right power of two and use Python's `round`, which sends ties to even.",
           "Codes are in order: a step more is always the next code, from one power of two to the next as well."),
    head='''
def encode(x):
    """Code of the number nearest to x in the format above."""
''',
    reference=REFERENCE,
    second=SECOND,
    explanation="Steps counted from the power of two include the leading 1, which then carries into the exponent field "
                "by itself; that is why the subnormals need no case of their own. The second answer just tries every "
                "code: slow, and so plain that it makes a good test of the first.",
    checks=(Check("numbers of the format keep their codes", 1, kept), Check("the nearer of two", 1, nearest),
            Check("ties to the even code", 2, ties), Check("subnormal numbers", 1, subnormals),
            Check("the sign, also of minus zero", 1, signs), Check("numbers too large", 2, large)),
)
