"""02.6, stretch: a test for encoders, and a museum of broken ones to run it on.

What varies: exponent bits, mantissa bits, bias, and what becomes of finite numbers too large.
The bugs are those of encoders written in a hurry: ties, a second rounding, the end of the subnormals, a carry that is
lost, a limit looked at too early, the sign of zero, NaN treated like a number. Both right programs follow every rule;
they differ in which of the codes of NaN they take.
"""

from __future__ import annotations

import numpy as np

from ..museum import Museum, Room, array
from ..source import Exercise, Miss, Spec
from ..variant import Draw
from . import layout
from .museum_answers import REFERENCE, SECOND, STARTER, WRONG

MOST = 20_000
WIDTHS = ((3, 2), (3, 3), (4, 2), (4, 3), (5, 2))
SHOWN = (-0.0, 1.3, float("inf"))


def spec(draw: Draw) -> dict:
    """The format of one variant."""
    E, M = draw.choice("widths", WIDTHS)
    drawn = {"E": E, "M": M, "bias": layout.standard_bias(E) + draw.choice("shift", (1, 2, 3))}
    drawn |= layout.names(drawn)
    infinity, saturate = drawn["sign_bit"] - drawn["steps"], draw.choice("saturate", (True, False))
    largest = f"{layout.number(drawn, infinity - 1):g}"
    drawn |= {"infinity": infinity, "limit": infinity - saturate, "other_limit": infinity - (not saturate),
              "largest_value": largest, "large_words": f"becomes {largest}" if saturate else "becomes infinity"}
    codes = keeps_the_sign(drawn, np.array(SHOWN))[0]
    return drawn | {"example": ", ".join(f"`{code:0{drawn['bits']}b}`" for code in codes.tolist())}


def _steps(spec: Spec, size: np.ndarray, rounded, lowest: int) -> tuple[np.ndarray, np.ndarray]:
    """(steps of the power of two that counts, its exponent field less one) of finite sizes."""
    exponent = np.where(size > 0, np.frexp(size)[1] - 1, lowest)
    exponent = np.maximum(exponent, lowest)
    return rounded(size / 2.0 ** (exponent - spec["M"])).astype(np.int64), exponent - lowest


def _plain_code(spec: Spec, size: np.ndarray, rounded=np.rint) -> np.ndarray:
    """Codes as if the grid went on for ever: the leading 1 in the steps raises the field by one."""
    steps, field = _steps(spec, size, rounded, spec["lowest"])
    return steps + (field << spec["M"])


def _encoder(code=_plain_code, limited=None, sign=lambda x, code: np.signbit(x), nan=None):
    """A program that is right but for the parts named."""
    def program(spec: Spec, x: np.ndarray) -> tuple:
        largest = layout.number(spec, spec["infinity"] - 1)
        size = np.minimum(np.nan_to_num(np.abs(x), nan=0.0), 4 * largest)
        codes = code(spec, size)
        codes = limited(spec, size, codes) if limited else np.minimum(codes, spec["limit"])
        codes = np.where(np.isinf(x), spec["infinity"], codes)
        codes = codes + spec["sign_bit"] * sign(x, codes)
        return (np.where(np.isnan(x), (nan or _quiet)(spec, x), codes),)

    return program


def _quiet(spec: Spec, x: np.ndarray) -> np.ndarray:
    return spec["infinity"] + spec["steps"] // 2 + spec["sign_bit"] * np.signbit(x)


keeps_the_sign = _encoder()  # a right program: NaN has the top mantissa bit, and the sign it came with
all_ones = _encoder(nan=lambda spec, x: 2 * spec["sign_bit"] - 1)  # another: NaN is all ones


def _away(v: np.ndarray) -> np.ndarray:
    return np.floor(v + 0.5)


def _twice(v: np.ndarray) -> np.ndarray:
    """First to three bits more, as by way of a longer format."""
    return np.rint(np.rint(v * 8) / 8)


def _flushed(spec: Spec, size: np.ndarray) -> np.ndarray:
    return np.where(size < 2.0 ** spec["lowest"], 0, _plain_code(spec, size))


def _no_carry(spec: Spec, size: np.ndarray) -> np.ndarray:
    """Steps that reach the next power of two keep the field of the one below."""
    steps, field = _steps(spec, size, np.rint, spec["lowest"])
    return np.where(steps == 2 * spec["steps"], steps - spec["steps"], steps) + (field << spec["M"])


def _half_steps(spec: Spec, size: np.ndarray) -> np.ndarray:
    """Subnormals in steps of the exponent -bias, where 1 - bias is meant."""
    steps = np.rint(size / 2.0 ** (spec["lowest"] - 1 - spec["M"])).astype(np.int64)
    return np.where(size < 2.0 ** spec["lowest"], np.minimum(steps, spec["steps"]), _plain_code(spec, size))


def _too_early(spec: Spec, size: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Overflow before rounding is over, or one code too low."""
    if spec["limit"] == spec["infinity"]:
        return np.where(size > layout.number(spec, spec["infinity"] - 1), spec["infinity"], codes)
    return np.minimum(codes, spec["limit"] - 1)


ROOMS = (
    Room("the nearer of two", {
        "cut off": _encoder(lambda s, v: _plain_code(s, v, np.floor)),
        "half-way cases away from zero": _encoder(lambda s, v: _plain_code(s, v, _away)),
        "rounds twice": _encoder(lambda s, v: _plain_code(s, v, _twice))},
        "a code stands for the nearest number of the format; where two are equally near, it is the even one",
        "try the middle between each two neighbours, and numbers a little beside that middle"),
    Room("subnormals and powers of two", {
        "subnormals become zero": _encoder(_flushed), "a carry is lost": _encoder(_no_carry),
        "subnormals in steps of half the size": _encoder(_half_steps)},
        "below the smallest normal number the steps go on down to 0; rounding up may reach the next power of two",
        "try numbers below the smallest normal one, and numbers just below each power of two"),
    Room("beyond the largest", {
        "the other rule": _encoder(limited=lambda s, v, c: np.minimum(c, s["other_limit"])),
        "what does not fit is cut off": _encoder(limited=lambda s, v, c: c % s["sign_bit"]),
        "a limit that comes too early": _encoder(limited=_too_early)},
        "the table says what becomes of numbers that round beyond the largest; what rounds down to it is not too large",
        "try the largest number, numbers up to a step beyond it, and numbers far beyond it"),
    Room("signs, zeros and NaN", {
        "minus zero has no sign": _encoder(sign=lambda x, c: x < 0),
        "what rounds to zero loses its sign": _encoder(sign=lambda x, c: np.signbit(x) & ((c > 0) | (x == 0))),
        "NaN becomes infinity": _encoder(nan=lambda s, x: np.full(x.shape, s["infinity"]))},
        "the sign bit is that of x, whatever the rest becomes; NaN stays NaN",
        "try -0.0, the smallest negative numbers there are, and float('nan')"),
)


def read(spec: Spec, one: object) -> tuple[np.ndarray]:
    """An input x as the learner wrote it."""
    x = array(one, 1, MOST, finite=False)
    if x is None:
        raise Miss("an entry of inputs() is no input of these programs",
                   f"each is an array with one axis and 1 to {MOST:,} numbers",
                   "write for example  return [np.array([0.1, -0.4])]")
    return (x,)


MUSEUM = Museum((keeps_the_sign, all_ones), ROOMS, read)

EXERCISE = Exercise(
    id="02.6", title="A museum of broken encoders", kind="stretch", difficulty=4, importance=5, minutes=30,
    objective="You can write a test that finds the usual mistakes of an encoder and leaves right ones alone.",
    spec=spec, show=MUSEUM.show, wrong=WRONG,
    prose="""
This time you write the *test*. Twelve encoders are broken, each in one way; two are right. You never see them, only
what they give. Each takes an array `x` and returns the codes of its numbers, by these rules:

| | |
|---|---|
| fields, from the top bit down | sign 1, exponent <<E>>, mantissa <<M>> bits; bias <<bias>> |
| exponent field 0 | subnormal numbers, as always |
| highest exponent field | infinity where the mantissa is 0, else NaN; the largest number is <<largest_value>> |
| between two numbers | to the nearest; where both are equally near, to the code that ends in 0 |
| rounded beyond the largest number | <<large_words>> |
| infinity | stays infinity |
| sign bit | that of x, for zeros and infinity as well |
| NaN | any code of NaN, with either sign |

Write two functions. `inputs()` returns a list of at most 50 arrays to try, of 1 to 20,000 numbers each; infinity and
NaN may be among them. `accepts(x, codes)` says, as True or False, whether such codes may be right; they come as an
array of whole numbers. A bug is caught if one of its outputs is refused. Refuse a right encoder once, and nothing
counts: an alarm that always rings is not one.

**Example.** For x = [-0.0, 1.3, inf] a right encoder gives <<example>>.
""",
    hints=("Make a list of all numbers that the format has, in the order of their codes. What you need to try, and "
           "what you need to know about a code, can be read from it.",
           "The middle between two neighbours is exact in float64. Try it, and a hundredth of a step on both sides.",
           "Where x is NaN, nothing but `codes % <<sign_bit>> > <<infinity>>` can be asked."),
    head="# inputs: what to try;  accepts: whether an output may be right",
    starter=STARTER, reference=REFERENCE, second=SECOND,
    explanation="A format of so few bits has so few numbers that a test can try all of them, and all middles. Random "
                "numbers would meet a tie or a minus zero perhaps never. And comparing codes of NaN would refuse a "
                "right encoder: know what the rules leave open before you compare.",
    checks=MUSEUM.checks(),
)
