"""02.3, core: a shorter float32, made by shifting, as bf16 is.

What varies: how many bits are kept (never the 16 of bf16 nor the 19 of TF32), whether they are moved down or stay in
place with zeros behind them, and which code stands for NaN.
The traps are NaNs: cut off, one whose bits lie low becomes infinity; rounded up, one full of ones becomes minus zero.
"""

from __future__ import annotations

import random

from ..beside import Bars, yours
from ..checking import side
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME = "shorten"
INFINITY, NANS = 0x7F800000, (0x7F800001, 0x7F80007F, 0x7FC00000, 0x7FFFFFFE, 0x7FFFFFFF)
SHOWN = (0x3DCCCCCD, 0x3EAAAAAB, 0x40490FDB, 0x42F6E979)


def spec(draw: Draw) -> dict:
    """The short float of one variant: kept bits, where they stand, its NaN, and two examples."""
    kept, in_place = draw.choice("kept", (11, 12, 13, 14, 15, 17, 18, 20)), draw.choice("in_place", (True, False))
    quiet = draw.choice("quiet", (True, False))
    drop, mantissa = 32 - kept, kept - 9
    drawn = {"kept": kept, "drop": drop, "mantissa": mantissa, "half": hex((1 << drop - 1) - 1),
             "back": drop if in_place else 0, "other_back": 0 if in_place else drop,
             "infinity": hex(0xFF << mantissa), "top": kept - 1,
             "nan": hex(0xFF << mantissa | (1 << mantissa - 1 if quiet else (1 << mantissa) - 1)),
             "nan_words": "only the top mantissa bit set" if quiet else "all mantissa bits set",
             "place_words": "stay where they are in the 32 bits, with zeros behind them" if in_place else
             f"are moved down, so codes lie below 2^{kept}"}
    rows = "\n".join(f"| `{bits:#010x}` | `{short(drawn, bits):#x}` |" for bits in (SHOWN[1], NANS[1] | 1 << 31))
    return drawn | {"examples": rows}


def short(spec: Spec, bits: int) -> int:
    """The code of one float32 pattern, in plain whole numbers."""
    sign, size = bits >> 31, bits & 0x7FFFFFFF
    below, rest = size >> spec["drop"], size & (1 << spec["drop"]) - 1
    middle = 1 << spec["drop"] - 1
    code = below + (rest > middle or (rest == middle and below % 2 == 1))
    if size > INFINITY:
        code = int(spec["nan"], 16)
    return (sign << spec["top"] | code) << spec["back"]


def _ask(answers: Answers, patterns: list[int]) -> list[int]:
    """The learner's codes of float32 patterns, as whole numbers."""
    import numpy as np

    got = answers.call(NAME, np.array(patterns, np.uint32))
    if not isinstance(got, np.ndarray) or got.shape != (len(patterns),) or got.dtype.kind not in "iu":
        what = f"{got.dtype} in shape {got.shape}" if isinstance(got, np.ndarray) else f"{type(got).__name__}"
        raise Miss(f"{NAME} of an array of {len(patterns)} patterns returned {what}",
                   "an array of whole numbers in the same shape is expected, a code for each pattern",
                   "work on the whole array at once; keep to whole numbers, no floats on the way")
    return [int(code) for code in got]


def _compare(spec: Spec, answers: Answers, patterns: list[int], why: str, advice: str) -> None:
    for bits, got in zip(patterns, _ask(answers, patterns), strict=True):
        want = short(spec, bits)
        if got != want:
            raise Miss(f"the pattern ({bits:#010x}) became ({got:#x}): {side(got, want)}", why, advice)


def _kept_parts(spec: Spec, parity: int | None = None) -> list[int]:
    """Upper parts of positive finite patterns, lower bits zero, well below infinity; odd or even if asked."""
    dice = random.Random(spec["kept"])
    parts = [dice.randrange(1 << spec["mantissa"], 0xFE << spec["mantissa"]) for _ in range(60)]
    return [(part if parity is None else part - part % 2 + parity) << spec["drop"] for part in parts]


def exact(spec: Spec, answers: Answers) -> None:
    """Patterns that fit."""
    _compare(spec, answers, [0, *_kept_parts(spec)], "the lower bits are zero here, so nothing has to be rounded",
             "where do the kept bits end up? The table says whether they are moved")


def nearest(spec: Spec, answers: Answers) -> None:
    """Patterns between two codes, some of them just beside the middle."""
    middle = 1 << spec["drop"] - 1
    rests = (1, middle - 1, middle + 1, 2 * middle - 1)
    _compare(spec, answers, [part + rest for part in _kept_parts(spec)[:25] for rest in rests],
             "another code is nearer", "what do the dropped bits have to reach before the code goes up by one?")


def ties(spec: Spec, answers: Answers) -> None:
    """The middle between two codes, one point for each side."""
    middle, right, seen = 1 << spec["drop"] - 1, 0, 0
    for parity in (0, 1):
        patterns = [part + middle for part in _kept_parts(spec, parity)]
        wrong = [p for p, got in zip(patterns, _ask(answers, patterns), strict=True) if got != short(spec, p)]
        right += not wrong
        seen = wrong[0] if wrong else seen
    if right < 2:
        raise Miss(f"the pattern ({seen:#010x}) did not become the even code of the two that are equally near",
                   "its dropped bits are a one and zeros: exactly half a step",
                   "half a step less one, plus the last bit that is kept: add both before you shift", right)


def signs(spec: Spec, answers: Answers) -> None:
    """The same patterns with the sign bit set."""
    patterns = [part + 1 for part in _kept_parts(spec)]
    plus, minus = _ask(answers, patterns), _ask(answers, [p | 1 << 31 for p in patterns])
    for bits, one, other in zip(patterns, plus, minus, strict=True):
        if one == 0 or other != one | 1 << spec["top"] + spec["back"]:
            raise Miss(f"({bits:#010x}) became ({one:#x}); with the sign bit set, ({other:#x})",
                       "the two differ in the sign, so their codes differ in the top bit alone",
                       "take the sign off first, round what is left, and put the sign back at its new place")


def large(spec: Spec, answers: Answers) -> None:
    """The largest float32, and one that is just rounded up."""
    _compare(spec, answers, [0x7F7FFFFF, INFINITY - (1 << spec["drop"] - 1) + 1],
             "what is rounded beyond the largest number of the short float becomes infinity",
             "what is one code above the largest number? Does your sum get there by itself?")


def infinity(spec: Spec, answers: Answers) -> None:
    """Infinity."""
    _compare(spec, answers, [INFINITY], "this is infinity, which has all exponent bits set and no mantissa bit",
             "is infinity among the patterns that you turn into NaN, or that you limit?")


def nans(spec: Spec, answers: Answers) -> None:
    """NaNs of every kind."""
    _compare(spec, answers, list(NANS), "a float32 with all exponent bits set and any mantissa bit set is NaN, and NaN "
             "has one code here", "which patterns without their sign are larger than that of infinity (0x7f800000)?")


def show(spec: Spec, answers: Answers) -> Bars:
    """How far four familiar numbers are from what their codes stand for."""
    import numpy as np

    def value(pattern: int) -> float:
        return float(np.array([pattern], np.uint32).view(np.float32)[0])

    def error(bits: int, code: int) -> float:
        return 1e6 * abs(value(code << spec["drop"] - spec["back"]) / value(bits) - 1)

    got = yours(lambda: _ask(answers, list(SHOWN))) or [None] * len(SHOWN)
    return Bars("Relative errors of four numbers", "millionths", [
        (f"{value(bits):.7g}", None if code is None else error(bits, code), error(bits, short(spec, bits)))
        for bits, code in zip(SHOWN, got, strict=True)])


REFERENCE = '''
sign, size = bits >> 31, bits & 0x7FFFFFFF
last = size >> <<drop>> & 1
code = size + <<half>> + last >> <<drop>>
code = np.where(size > 0x7F800000, <<nan>>, code)
return (sign << <<top>> | code) << <<back>>
'''

WRONG = (
    Wrong("cut off instead of rounded", 3, REFERENCE.replace(" + <<half>> + last", "")),
    Wrong("ties up", 1, REFERENCE.replace("<<half>> + last", "<<half>> + 1")),
    Wrong("ties down", 1, REFERENCE.replace("<<half>> + last", "<<half>>")),
    Wrong("the last bit of the pattern instead of the last kept one", 1, REFERENCE.replace(
        "size >> <<drop>> & 1", "size & 1")),
    Wrong("NaN rounded like a number", 2, REFERENCE.replace("code = np.where(size > 0x7F800000, <<nan>>, code)\n", "")),
    Wrong("NaN becomes infinity", 2, REFERENCE.replace("<<nan>>", "<<infinity>>")),
    Wrong("infinity counted as NaN", 1, REFERENCE.replace("size > 0x7F800000", "size >= 0x7F800000")),
    Wrong("large numbers saturate", 1, REFERENCE.replace(
        "code = np.where(size >", "code = np.where(size < 0x7F800000, np.minimum(code, <<infinity>> - 1), code)\n"
        "code = np.where(size >")),
    Wrong("the sign dropped", 1, REFERENCE.replace("(sign << <<top>> | code)", "code")),
    Wrong("a signed shift", 1, REFERENCE.replace("bits >> 31,", "bits.astype(np.int32) >> 31,")),
    Wrong("bits left in the wrong place", 9, REFERENCE.replace("<<back>>", "<<other_back>>")),
)

EXERCISE = Exercise(
    id="02.3", title="A shorter float, by shifting", kind="core", difficulty=3, importance=4, minutes=12,
    objective="You can shorten a whole array of floats with shifts and masks alone, without breaking NaN.",
    spec=spec, show=show, wrong=WRONG,
    prose="""
A short float keeps the upper <<kept>> bits of a float32, as bf16 keeps 16: sign, 8 exponent bits, <<mantissa>> mantissa
bits.

| | |
|---|---|
| the kept bits | <<place_words>> |
| between two codes | to the nearest; ties to the code whose last kept bit is 0 |
| rounded beyond the largest finite number | becomes infinity: all exponent bits set, mantissa 0 |
| infinity | stays infinity |
| NaN (all exponent bits set, mantissa not 0) | becomes one code: all exponent bits and <<nan_words>> |
| the sign | is kept, that of NaN too |

Write `shorten(bits)`: `bits` is an array of `np.uint32`, each the 32 bits of a float32; return an array of the same
shape with their codes. No floats on the way.

**Examples.**

| float32 | code |
|---|---|
<<examples>>
""",
    hints=("Take the sign off first: `bits & 0x7FFFFFFF` is the rest.",
           "Add half a step minus one, add the last kept bit, then shift. Why does a number too large become infinity "
           "by itself?",
           "`np.where(condition, a, b)` chooses for every element."),
    head='''
def shorten(bits):
    """Codes of float32 patterns (np.uint32) in the short float above."""
''',
    reference=REFERENCE,
    second='''
size = bits & np.uint32(0x7FFFFFFF)
lower, upper = size & np.uint32(2 * <<half>> + 1), size >> np.uint32(<<drop>>)
up = (lower > <<half>> + 1) | ((lower == <<half>> + 1) & (upper % 2 == 1))
code = upper + up.astype(np.uint32)
code[size > 0x7F800000] = <<nan>>
code |= (bits >> np.uint32(31)) << np.uint32(<<top>>)
return code << np.uint32(<<back>>)
''',
    explanation="The largest finite pattern is followed by that of infinity, so a carry out of the largest number "
                "gives infinity without being asked. The same carry is the danger with NaN: a mantissa full of ones "
                "is carried into the sign bit, and NaN turns into minus zero, a number.",
    checks=(Check("patterns that fit", 1, exact), Check("the nearest code", 1, nearest),
            Check("ties to the even code", 2, ties), Check("the sign", 1, signs),
            Check("the largest numbers", 1, large), Check("infinity", 1, infinity), Check("NaN stays NaN", 2, nans)),
)
