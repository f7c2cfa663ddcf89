"""11.1, warm-up: the exponent that a block shares.

What varies: the exponent of the format's largest value, the range of the stored exponent, and what a block of zeros has.
The trap: a logarithm is rounded, and just below a power of two it is rounded up.
"""

from __future__ import annotations

import math

from ..beside import Bars, yours
from ..checking import ask_number, side, written
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw
from .elements import exponent_of

NAME = "shared_exponent"


def spec(draw: Draw) -> dict:
    """The rules of one variant."""
    low, high = draw.choice("range", ((-31, 32), (-63, 64), (-15, 16), (-50, 13)))
    drawn = {"emax": draw.choice("emax", (1, 2, 3, 4, 6, 8)), "low": low, "high": high,
             "zero": draw.choice("zero", (low, high, low + 1))}
    shown = round(draw.between("shown", 9, 15.5), 2)
    return drawn | {"shown": f"{shown:g}", "example": exponent_of(shown) - drawn["emax"]}


def right(spec: Spec, largest: float) -> int:
    """The exponent, by the rules of the exercise."""
    if not largest:
        return spec["zero"]
    return min(max(exponent_of(largest) - spec["emax"], spec["low"]), spec["high"])


def _compare(spec: Spec, answers: Answers, cases: list[float], why: str, advice: str) -> None:
    for largest in cases:
        got = ask_number(answers, NAME, largest)
        if got != right(spec, largest):
            raise Miss(f"{written(NAME, (largest,))} returned {got:g}: {side(got, right(spec, largest))}", why, advice)


def ordinary(spec: Spec, answers: Answers) -> None:
    """Powers of two and numbers between them."""
    _compare(spec, answers, [1.0, 4.0, 0.125, 3.0, 5.9, 0.7, 11.3, 1.01],
             "the power of two at or below the largest number has to become that of the format's largest value",
             "which power of two is the largest one not above 5.9?")


def just_below(spec: Spec, answers: Answers) -> None:
    """The last number before a power of two."""
    _compare(spec, answers, [math.nextafter(2.0**k, 0) for k in (3, 1, 0, -2)],
             "this number is just below a power of two, so it still belongs to the power before",
             "print the logarithm of this number with all its digits; `math.frexp` takes a float apart without rounding")


def ends(spec: Spec, answers: Answers) -> None:
    """Zero, and exponents that cannot be stored."""
    _compare(spec, answers, [0.0, 1e-30, 1e30],
             f"exponents are stored from {spec['low']} to {spec['high']}, and a block of zeros has {spec['zero']}",
             "what does your function do with 0, and with numbers that are very large or very small?")


def show(spec: Spec, answers: Answers) -> Bars:
    """A few exponents beside the learner's."""
    return Bars("Exponents of blocks by their largest number", "", [
        (f"{x:g}", yours(lambda x=x: ask_number(answers, NAME, x)), right(spec, x)) for x in (0.3, 1.5, 6.0, 40.0)])


EXERCISE = Exercise(
    id="11.1", title="The exponent of a block", kind="warm-up", difficulty=1, importance=5, minutes=5,
    objective="You can find the exponent that a block of numbers shares, without a logarithm.",
    spec=spec, show=show,
    prose="""
A block shares the scale 2^e. By the rule of the MX standard, the exponent of the largest magnitude in the block has to
become the exponent of the format's largest value:

| what | |
|---|---|
| exponent of a number | that of the power of two at or below it: 2^3 = 8 for 8, 9.5 and 15.9 |
| exponent of the format's largest value | <<emax>> |
| e | the exponent of the largest magnitude, minus <<emax>> |
| stored | from <<low>> to <<high>>; what is beyond takes the nearest of these |
| a block of zeros | has e = <<zero>> |

Write `shared_exponent(largest)`, which returns e for a block with this largest magnitude (a float, 0 or above).

**Example.** For <<shown>>, e is <<example>>.
""",
    hints=("`math.frexp(x)` gives (f, n) with x = f * 2^n and f from 0.5 up to 1.",),
    head='''
def shared_exponent(largest):
    """e of a block whose largest magnitude is this."""
''',
    reference='''
if largest == 0:
    return <<zero>>
return min(max(math.frexp(largest)[1] - 1 - <<emax>>, <<low>>), <<high>>)
''',
    second='''
e = <<low>>
while e < <<high>> and largest >= 2.0 ** (e + 1 + <<emax>>):
    e += 1
return e if largest else <<zero>>
''',
    explanation="A logarithm seems to say the same, and says something else for the last numbers before a power of two: "
                "it cannot be told from a whole number there. The file would still be valid, with other codes in it.",
    checks=(Check("ordinary numbers", 1, ordinary), Check("just below a power of two", 1, just_below),
            Check("zero, and the ends of the range", 1, ends)),
    wrong=(
        Wrong("the floor of a logarithm", 1, """
            if largest == 0:
                return <<zero>>
            return min(max(math.floor(math.log2(largest)) - <<emax>>, <<low>>), <<high>>)"""),
        Wrong("rounded up", 2, """
            if largest == 0:
                return <<zero>>
            return min(max(math.ceil(math.log2(largest)) - <<emax>>, <<low>>), <<high>>)"""),
        Wrong("the format's exponent left out", 2, """
            if largest == 0:
                return <<zero>>
            return min(max(math.frexp(largest)[1] - 1, <<low>>), <<high>>)"""),
        Wrong("one too high", 2, """
            if largest == 0:
                return <<zero>>
            return min(max(math.frexp(largest)[1] - <<emax>>, <<low>>), <<high>>)"""),
        Wrong("zero forgotten", 1, "return min(max(math.frexp(largest)[1] - 1 - <<emax>>, <<low>>), <<high>>)"),
        Wrong("the range forgotten", 1, """
            if largest == 0:
                return <<zero>>
            return math.frexp(largest)[1] - 1 - <<emax>>"""),
        Wrong("the example's number for everything", 3, "return <<example>>"),
    ),
)
