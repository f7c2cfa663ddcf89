"""03.5, stretch: the fewest bits that reach a signal-to-noise ratio, before anything is quantized.

What varies: the convention of the grid, and how numbers are rounded: to the nearest code (mean squared error of 1/12
of a squared step), down (1/3), or up and down at random so that the mean is right (1/6).
Source of the 1/12: Bennett 1948; the conditions under which it holds: Widrow, Kollar and Liu 1996. We leave out
clipping, and numbers that are few compared with the codes.
"""

from __future__ import annotations

import math

from ..beside import Curves, yours
from ..checking import close, number, side, written
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME = "enough_bits"
EVEN = ((-1.0, 1.0, 0.21, 7, 0.6), (-0.3, 0.3, 0.07, 9, 5.4), (-8.0, 8.0, 0.9, 6, 3.0))
UNEVEN = ((-0.278, 9.0, 0.8, 34.0), (-85.0, 52.0, 1.7, 22.0), (0.0, 1.0, 0.11, 25.0))  # low, high, rms, target
ROUNDING = {"nearest": (12, "to the nearest code: an error is anything from -1/2 to 1/2 of a step, all equally likely"),
            "down": (3, "down: an error is anything from 0 to a whole step, all equally likely"),
            "random": (6, "up or down at random: at a share f of the way from one code to the next, up with "
                          "probability f, and f is anything from 0 to 1, all equally likely")}
GRIDS = {"restricted": "the larger of -low and high, over 2^(bits-1) - 1",
         "halves": "the larger of -low and high, over 2^(bits-1) - 1/2", "asymmetric": "high - low, over 2^bits - 1"}
_STEP = {"restricted": "max(-low, high) / (2 ** (bits - 1) - 1)", "halves": "max(-low, high) / (2 ** (bits - 1) - 0.5)",
         "asymmetric": "(high - low) / (2**bits - 1)"}
_NEXT = {"restricted": "asymmetric", "halves": "restricted", "asymmetric": "restricted"}


def spec(draw: Draw) -> dict:
    """Convention and rounding of one variant."""
    rule, rounding = draw.choice("rule", tuple(GRIDS)), draw.choice("rounding", tuple(ROUNDING))
    drawn = {"rule": rule, "rounding": rounding, "most": draw.integer("most", 11, 14), "grid_words": GRIDS[rule],
             "rounding_words": ROUNDING[rounding][1]}
    return drawn | {"example": f"{ratio(drawn, -1.0, 2.0, 0.5, 8):.2f} dB"}


def ratio(spec: Spec, low: float, high: float, rms: float, bits: int) -> float:
    """Predicted signal-to-noise ratio in dB."""
    amax = max(-low, high)
    step = {"restricted": amax / (2 ** (bits - 1) - 1), "halves": amax / (2 ** (bits - 1) - 0.5),
            "asymmetric": (high - low) / (2**bits - 1)}[spec["rule"]]
    return 10 * math.log10(rms**2 * ROUNDING[spec["rounding"]][0] / step**2)


def best(spec: Spec, low: float, high: float, rms: float, target: float) -> tuple[int, float] | None:
    """The fewest bits from 2 to the most, and the ratio they reach; None where even the most are too few."""
    for bits in range(2, spec["most"] + 1):
        if ratio(spec, low, high, rms, bits) >= target:
            return bits, ratio(spec, low, high, rms, bits)
    return None


def even_cases(spec: Spec) -> list[tuple]:
    """Calls with a target that EVEN's bits reach with its margin in dB to spare: one bit fewer never does."""
    return [(low, high, rms, round(ratio(spec, low, high, rms, bits) - margin, 1))
            for low, high, rms, bits, margin in EVEN]


def _ask(answers: Answers, case: tuple) -> tuple[float, float] | None:
    got = answers.call(NAME, *case)
    if got is None:
        return None
    if not isinstance(got, list) or len(got) != 2:
        raise Miss(f"{written(NAME, case)} returned {got!r}", "two numbers are expected, bits and dB, or None",
                   "end the function with `return bits, ratio`")
    return number(got[0], written(NAME, case) + "[0]"), number(got[1], written(NAME, case) + "[1]")


def _pair(answers: Answers, case: tuple) -> tuple[float, float]:
    got = _ask(answers, case)
    if got is None:
        raise Miss(f"{written(NAME, case)} returned None", "here some number of bits is enough",
                   "None is for targets that even the most bits do not reach")
    return got


def ratios(spec: Spec, answers: Answers) -> None:
    """The ratio at the bits that the answer itself names."""
    for case in even_cases(spec):
        bits, got = _pair(answers, case)
        want = ratio(spec, *case[:3], int(bits)) if 2 <= bits <= 30 else math.nan
        if not close(got, want, 1e-4):
            raise Miss(f"{written(NAME, case)} returned {bits:g} bits and {got:.2f} dB",
                       "with so many bits the mean squared error predicts another ratio",
                       "write down step, mean squared error and mean square of the numbers for these bits")


def fewest(spec: Spec, answers: Answers) -> None:
    """No bit fewer would do, no bit more is needed."""
    for case in even_cases(spec):
        bits, want = _pair(answers, case)[0], best(spec, *case)[0]
        if bits != want:
            raise Miss(f"{written(NAME, case)} returned {bits:g} bits: {side(bits, want)}",
                       "the fewest bits are asked for whose ratio is at least the target",
                       "print the ratio for every number of bits, and look where it passes the target")


def uneven(spec: Spec, answers: Answers) -> None:
    """Ranges that reach further on one side of 0."""
    for case in UNEVEN:
        got, want = _pair(answers, case), best(spec, *case)
        if got[0] != want[0] or not close(got[1], want[1], 1e-4):
            raise Miss(f"{written(NAME, case)} returned {got[0]:g} bits and {got[1]:.2f} dB",
                       f"the step of this grid is {spec['grid_words']}",
                       "which of the two ends sets the step here, or do both?")


def hopeless(spec: Spec, answers: Answers) -> None:
    """A target that no number of bits reaches."""
    case = (-1.0, 1.0, 0.2, 200.0)
    got = _ask(answers, case)
    if got is not None:
        raise Miss(f"{written(NAME, case)} returned {got[0]:g} bits", "more bits than there may be",
                   "return None where even the most bits do not reach the target")
    _pair(answers, even_cases(spec)[0])


def easy(spec: Spec, answers: Answers) -> None:
    """A target below what two bits reach."""
    case = (-1.0, 1.0, 0.5, -30.0)
    got = _pair(answers, case)
    if got[0] != 2:
        raise Miss(f"{written(NAME, case)} returned {got[0]:g} bits", "numbers of bits start at 2 here",
                   "with which number of bits does your search begin?")


def show(spec: Spec, answers: Answers) -> Curves:
    """Bits over the target, for weights whose largest is 4.5 times their root mean square."""
    targets = [float(t) for t in range(0, 64, 2)]
    want = [(best(spec, -4.5, 4.5, 1.0, t) or (spec["most"], 0.0))[0] for t in targets]
    got = yours(lambda: [_pair(answers, (-4.5, 4.5, 1.0, t))[0] for t in targets])
    return Curves("Range -4.5 to 4.5, root mean square 1", "target in dB", "bits", targets,
                  [("Spec", want), *([("Yours", got)] if got else [])])


def fields(spec: Spec) -> dict:
    """The lines of answers that follow from the convention."""
    names = list(ROUNDING)
    other = names[(names.index(spec["rounding"]) + 1) % len(names)]
    share, amax = ROUNDING[spec["rounding"]][0], "max(-low, high)"
    return {"share": share, "other_share": ROUNDING[other][0], "step": _STEP[spec["rule"]],
            "other_step": _STEP[_NEXT[spec["rule"]]],
            "rough_step": f"2 * {amax} / 2**bits" if spec["rule"] != "asymmetric" else "(high - low) / 2**bits"}


REFERENCE = '''
for bits in range(2, <<most>> + 1):
    step = <<step>>
    ratio = 10 * math.log10(rms**2 / (step**2 / <<share>>))
    if ratio >= target_db:
        return bits, ratio
return None
'''

WRONG = (
    Wrong("the error of another rounding", 3, REFERENCE.replace("<<share>>", "<<other_share>>")),
    Wrong("the step of another grid", 2, REFERENCE.replace("<<step>>", "<<other_step>>")),
    Wrong("2^bits steps", 2, REFERENCE.replace("<<step>>", "<<rough_step>>")),
    Wrong("20 times the logarithm of a ratio of squares", 3, REFERENCE.replace("10 * math", "20 * math")),
    Wrong("the largest number in place of the root mean square", 3, REFERENCE.replace("rms**2", "max(-low, high)**2")),
    Wrong("one bit too many", 4, REFERENCE.replace("return bits, ratio", "return bits + 1, ratio + 6.02")),
    Wrong("no limit", 1, REFERENCE.replace("<<most>> + 1", "40")),
    Wrong("starts at three bits", 1, REFERENCE.replace("range(2,", "range(3,")),
)

EXERCISE = Exercise(
    id="03.5", title="Enough bits", kind="stretch", difficulty=4, importance=4, minutes=30,
    objective="You can predict how many bits numbers need, from their range and their root mean square.",
    spec=spec, show=show, answer_fields=fields, wrong=WRONG,
    prose="""
Write `enough_bits(low, high, rms, target_db)`: the fewest bits, from 2 to <<most>>, with which numbers are predicted to
reach a signal-to-noise ratio of at least `target_db`, and the ratio they reach, as `(bits, ratio)`. Return `None` where
even <<most>> bits do not reach it. The numbers lie between `low` (0 or below) and `high` (above 0), and `rms` is the
root of the mean of their squares.

- The ratio in dB is 10 times the decimal logarithm of mean square over mean squared error.
- One step of the grid is <<grid_words>>.
- Numbers are rounded <<rounding_words>>.
- The predicted mean squared error is the mean of the squared errors that this rounding makes. Nothing is clipped.

**Example.** Range -1 to 2, root mean square 0.5, 8 bits: <<example>>.
""",
    hints=("First the mean squared error in units of a squared step: an integral, or an average over many evenly "
           "spaced places between two codes, worked out by a loop.",
           "Then the ratio for a given number of bits. The smallest one is found by trying."),
    head='''
def enough_bits(low, high, rms, target_db):
    """(bits, predicted ratio in dB) with the fewest bits that reach the target; None where none do."""
''',
    reference=REFERENCE,
    second='''
share = 1 / <<share>>
ratios = {}
for bits in range(2, <<most>> + 1):
    step = <<step>>
    ratios[bits] = 20 * math.log10(rms / step) - 10 * math.log10(share)
reached = [bits for bits in ratios if ratios[bits] >= target_db]
return (min(reached), ratios[min(reached)]) if reached else None
''',
    explanation="Each bit is worth 6.02 dB; what separates one tensor from another is how far its largest number lies "
                "above its root mean square. Rounding down costs a factor of 4 in squared error against rounding to "
                "nearest, which is one bit exactly; rounding at random costs a factor of 2, and is right on average.",
    checks=(Check("the ratio at your own number of bits", 1, ratios), Check("no bit more than needed", 1, fewest),
            Check("ranges that are not even", 1, uneven), Check("a target out of reach", 1, hopeless),
            Check("a target that is easy", 1, easy)),
)
