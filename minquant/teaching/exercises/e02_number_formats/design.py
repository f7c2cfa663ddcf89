"""02.5, stretch: the shortest float format that holds a range of numbers to a relative error.

What varies: how numbers are rounded (which decides what a mantissa bit buys), which codes are no numbers, and at which
end a range that does not fill the format leaves its spare powers of two.
The trap: log2 rounds. Just below a power of two, floor(log2(x)) is one too large.
"""

from __future__ import annotations

import math

from ..beside import Bars, yours
from ..checking import number, written
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME = "design"
KEPT = {"none": (1, 1, "every code is a number"),
        "nan": (1, 2, "all ones is NaN, every other code is a number"),
        "ieee": (2, 1, "the highest exponent field holds infinity and NaN, no numbers")}
SHOWN = (("weights", 2.0**-6, 1.0, 0.05), ("activations", 0.01, 60.0, 0.05), ("gradients", 1e-8, 0.1, 0.1))


def spec(draw: Draw) -> dict:
    """Rules of one variant."""
    kept = draw.choice("kept", tuple(KEPT))
    nearest, low = draw.choice("nearest", (True, False)), draw.choice("low", (True, False))
    return {"kept": kept, "off": KEPT[kept][0], "lost": KEPT[kept][1], "kept_words": KEPT[kept][2],
            "half": int(nearest), "other_half": 1 - int(nearest), "spare": int(low), "other_spare": 1 - int(low),
            "pick": -1 if low else 0,
            "rounding": "to the nearest, so by at most half the distance between neighbours" if nearest else
            "towards zero, so by less than the distance between neighbours",
            "error_words": "half of 2^-M" if nearest else "2^-M",
            "spare_words": "take the largest, so that spare powers of two lie below `low`" if low else
            "take the smallest, so that spare powers of two lie above `high`"}


def largest(spec: Spec, E: int, M: int, bias: int) -> float:
    """Largest number of a format; 0 where no exponent field is left for normal numbers."""
    top = (1 << E) - spec["off"]
    return (2 - spec["lost"] * 2.0**-M) * 2.0 ** (top - bias) if top > 0 else 0.0


def best(spec: Spec, low: float, high: float, error: float) -> list[int]:
    """(E, M, bias) by the rules of the exercise."""
    M = next(m for m in range(1, 60) if 2.0 ** -(m + spec["half"]) <= error)
    bias = 1 - (math.frexp(low)[1] - 1)
    E = next(e for e in range(1, 12) if largest(spec, e, M, bias) >= high)
    while spec["spare"] and largest(spec, E, M, bias + 1) >= high:
        bias += 1
    return [E, M, bias]


def _ask(answers: Answers, case: tuple) -> list[float]:
    got = answers.call(NAME, *case)
    if not isinstance(got, list) or len(got) != 3:
        raise Miss(f"{written(NAME, case)} returned {got!r}", "three whole numbers are expected: E, M and the bias",
                   "end the function with `return E, M, bias`")
    return [number(value, written(NAME, case)) for value in got]


def _compare(spec: Spec, answers: Answers, cases: list[tuple], part: int, why: str, advice: str) -> None:
    """Hold one of the three numbers against the right one."""
    for case in cases:
        got = _ask(answers, case)
        if got[part] != best(spec, *case)[part]:
            raise Miss(f"{written(NAME, case)} returned {('E', 'M', 'bias')[part]} = {got[part]:g}", why, advice)


def mantissa(spec: Spec, answers: Answers) -> None:
    """Fewest mantissa bits."""
    cases = [(1.0, 4.0, error) for error in (0.5, 0.2, 0.125, 0.12, 0.0625, 0.06, 0.01, 2.0**-9, 0.001)]
    _compare(spec, answers, cases, 1, "the error of the table, at the worst place within a power of two, must not be "
             "above `error`, and M is as small as that allows (but at least 1)",
             "where within a power of two is the relative error largest? Work it out for M = 1, 2, 3")


def exponent(spec: Spec, answers: Answers) -> None:
    """Fewest exponent bits, for ranges that begin and end well within powers of two."""
    cases = [(1.25 * 2.0**a, 1.25 * 2.0 ** (a + n), 0.1) for a in (-20, -3, 5) for n in (1, 3, 5, 8, 13, 20, 40)]
    _compare(spec, answers, cases, 0, "the range needs so many powers of two, and E bits give so many exponent fields, "
             "of which not all are for normal numbers",
             "count: which fields of 2 exponent bits hold normal numbers in this exercise?")


def edges(spec: Spec, answers: Answers) -> None:
    """Ranges that end at, or just beyond, the largest number of a format."""
    cases = []
    for E, M in ((2, 3), (3, 2), (4, 3)):
        top = largest(spec, E, M, 0)
        cases += [(2.0, high, 2.0 ** -(M + spec["half"])) for high in (top, math.nextafter(top, math.inf))]
    _compare(spec, answers, cases, 0, "`high` is just at, or just above, the largest number that so few exponent bits "
             "allow, and the rule about codes that are no numbers decides",
             "write down the largest number of E = 2, M = 3 with bias 0, from its code")


def powers(spec: Spec, answers: Answers) -> None:
    """A range that begins just below a power of two needs one power of two more."""
    fields = 8 - spec["off"]  # powers of two that 3 exponent bits give
    cases = [(math.nextafter(2.0**k, 0.0), 1.25 * 2.0 ** (k - 1 + fields), 0.01) for k in (-17, -4, 3)]
    _compare(spec, answers, cases, 0, "`low` is just below a power of two here, by its last digit, and the smallest "
             "normal number, itself a power of two, must not be above it",
             "print your exponent of `low` for this number; math.frexp does not round, math.log2 does")


def bias(spec: Spec, answers: Answers) -> None:
    """The bias, and at which end powers of two are left over."""
    cases = [(1.5 * 2.0**a, 1.25 * 2.0 ** (a + n), 0.05) for a in (-9, 0, 6) for n in (2, 4, 9, 17)]
    _compare(spec, answers, cases, 2, "the format has powers of two to spare, and the table says at which end they "
             "lie; the smallest normal number is 2^(1 - bias)",
             "try the next bias in either direction: does the range still fit?")


def show(spec: Spec, answers: Answers) -> Bars:
    """Bits of the formats for three kinds of numbers."""
    return Bars("Bits of the whole code, sign included", "bits", [
        (name, yours(lambda c=case: 1 + sum(_ask(answers, tuple(c))[:2])), 1 + sum(best(spec, *case)[:2]))
        for name, *case in SHOWN])


REFERENCE = '''
def largest(bias):
    return (2 - <<lost>> / 2**M) * 2.0 ** (2**E - <<off>> - bias) if 2**E > <<off>> else 0.0

M, E = 1, 1
while 2.0 ** -(M + <<half>>) > error:
    M += 1
bias = 2 - math.frexp(low)[1]  # the smallest normal number is the power of two at or below low
while largest(bias) < high:
    E += 1
room = math.frexp(largest(bias) / high)[1] - 1  # powers of two to spare
return E, M, bias + <<spare>> * room
'''

WRONG = (
    Wrong("the error of the other rounding", 2, REFERENCE.replace("<<half>>", "<<other_half>>")),
    Wrong("two mantissa bits at least", 1, REFERENCE.replace("M, E = 1, 1", "M, E = 2, 1")),
    Wrong("floor(log2(low))", 1, REFERENCE.replace("2 - math.frexp(low)[1]", "1 - math.floor(math.log2(low))")),
    Wrong("the mantissa of the largest number forgotten", 1, REFERENCE.replace("(2 - <<lost>> / 2**M)", "2")),
    Wrong("the sign bit counted into the exponent", 3, REFERENCE.replace("return E,", "return E + 1,")),
    Wrong("the usual bias", 1, REFERENCE.replace("bias + <<spare>> * room", "2 ** (E - 1) - 1")),
    Wrong("spare powers at the other end", 1, REFERENCE.replace("<<spare>>", "<<other_spare>>")),
    Wrong("mantissa and exponent in the other order", 4, REFERENCE.replace("return E, M", "return M, E")),
)

EXERCISE = Exercise(
    id="02.5", title="Design a format", kind="stretch", difficulty=4, importance=3, minutes=30,
    objective="You can say how many exponent and mantissa bits a set of numbers needs.",
    spec=spec, show=show, wrong=WRONG,
    prose="""
All your numbers lie from `low` to `high` (both above 0, both included, signs aside). Each must be stored with a
relative error of at most `error`. Write `design(low, high, error)`: the float format with the fewest bits that does it,
as `(E, M, bias)`. The rules:

| | |
|---|---|
| rounding | <<rounding>> |
| mantissa | M is the smallest number, from 1 on, for which <<error_words>> is at most `error` |
| codes that are no numbers | <<kept_words>> |
| range | `low` is not below the smallest normal number, 2^(1 - bias); `high` is not above the largest number |
| exponent | E is the smallest number, from 1 on, for which some bias (any whole number) gives that range |
| of several biases | <<spare_words>> |
""",
    hints=("The three numbers can be found one after the other: M from the error, then E, then the bias.",
           "The smallest normal number is a power of two at or below `low`. Which bias puts it as high as it may be? "
           "If the largest number is then still too small, E is."),
    head='''
def design(low, high, error):
    """(E, M, bias) of the shortest float format for numbers from low to high."""
''',
    reference=REFERENCE,
    second='''
M = max(1, math.ceil(-math.log2(error)) - <<half>>)
lowest = 2 - math.frexp(low)[1]
for E in range(1, 10):
    fits = []
    for bias in range(lowest, lowest + 2**E):
        largest = (2 - <<lost>> / 2**M) * 2.0 ** (2**E - <<off>> - bias)
        if 2**E > <<off>> and largest >= high:
            fits.append(bias)
    if fits:
        return E, M, fits[<<pick>>]
''',
    explanation="M buys accuracy, E buys range, and they do not help each other: that is the trade between E4M3 and "
                "E5M2. A scale is a bias that each tensor has for itself, and it need not be a power of two.",
    checks=(Check("mantissa bits", 1, mantissa), Check("exponent bits", 1, exponent),
            Check("the largest number counts", 1, edges), Check("just below a power of two", 1, powers),
            Check("the bias", 1, bias)),
)
