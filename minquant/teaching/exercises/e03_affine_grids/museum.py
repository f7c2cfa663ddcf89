"""03.6, stretch: a test for quantizers, and a museum of broken ones to run it on.

What varies: the bits, which of three conventions the scale follows, and what is added to a code in storage.
The bugs are the ones that get into real quantizers: two conventions mixed, a cast before the clip, codes made with a
scale that is not the one stored, rounding twice, rounding towards zero, a tail that a loop forgets, a group of zeros.
Both right programs follow every rule; they differ in where a value half-way between two codes goes.
"""

from __future__ import annotations

import numpy as np

from ..museum import Museum, Room, array
from ..source import Exercise, Miss, Spec
from ..variant import Draw
from .museum_answers import REFERENCE, SECOND, STARTER, WRONG

MOST = 20_000
RULES = ("restricted", "halves", "full")


def spec(draw: Draw) -> dict:
    """Bits and convention of one variant."""
    bits, rule = draw.integer("bits", 5, 7), draw.choice("rule", RULES)
    q = 2 ** (bits - 1) - 1
    divisor = {"restricted": float(q), "halves": q + 0.5, "full": q + 1.0}
    lowest = -q if rule == "restricted" else -q - 1
    other = RULES[(RULES.index(rule) + draw.integer("other", 1, 2)) % 3]
    return {"bits": bits, "rule": rule, "divisor": divisor[rule], "other_divisor": divisor[other], "lowest": lowest,
            "highest": q, "shift": draw.integer("shift", 1, 60)}


def _scale(amax: float, divisor: float) -> float:
    return float(np.float16(amax / divisor)) if amax else 1.0


def _codes(spec: Spec, steps: np.ndarray, rounded=np.rint) -> np.ndarray:
    return np.clip(rounded(steps), spec["lowest"], spec["highest"]).astype(np.int64)


def _stored(spec: Spec, codes: np.ndarray, scale: float) -> tuple:
    return codes + spec["shift"], scale


def to_even(spec: Spec, x: np.ndarray, amax: float) -> tuple:
    """A right program: half-way cases go to the even code."""
    scale = _scale(amax, spec["divisor"])
    return _stored(spec, _codes(spec, x / scale), scale)


def away_from_zero(spec: Spec, x: np.ndarray, amax: float) -> tuple:
    """Another: half-way cases go to the code further from 0."""
    scale = _scale(amax, spec["divisor"])
    return _stored(spec, _codes(spec, x / scale, lambda v: np.copysign(np.floor(np.abs(v) + 0.5), v)), scale)


def _broken(rounded=np.rint, scale_for_codes=None, scale_given=None, steps=None, after=None):
    """A program that is right but for the parts named."""
    def program(spec: Spec, x: np.ndarray, amax: float) -> tuple:
        scale = _scale(amax, spec["divisor"])
        own = scale_for_codes(spec, amax) if scale_for_codes and amax else scale
        codes = steps(spec, x / own) if steps else _codes(spec, x / own, rounded)
        given = scale_given(spec, amax) if scale_given and amax else scale
        return _stored(spec, after(codes) if after else codes, given)

    return program


def _wraps(spec: Spec, v: np.ndarray) -> np.ndarray:
    """Stored in so many bits first, and clipped then."""
    half = 2 ** (spec["bits"] - 1)
    return np.clip((np.rint(v).astype(np.int64) + half) % (2 * half) - half, spec["lowest"], spec["highest"])


def _one_too_far(spec: Spec, v: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(v), spec["lowest"] - 1, spec["highest"]).astype(np.int64)


def _no_tail(codes: np.ndarray) -> np.ndarray:
    return np.where(np.arange(len(codes)) < len(codes) // 8 * 8, codes, 0)


def _zeros_spoiled(spec: Spec, x: np.ndarray, amax: float) -> tuple:
    codes, scale = to_even(spec, x, amax)
    return codes, scale if amax else 0.0


ROOMS = (
    Room("wrong neighbours", {
        "rounds towards zero": _broken(np.trunc), "rounds down": _broken(np.floor),
        "rounds twice": _broken(lambda v: np.rint(np.rint(2 * v) / 2))},
        "inside the range, a code stands for a number at most half a step away",
        "try many numbers between the codes, and allow half a step, not more"),
    Room("ends of the range", {
        "another convention": _broken(scale_for_codes=lambda s, a: _scale(a, s["other_divisor"]),
                                      scale_given=lambda s, a: _scale(a, s["other_divisor"])),
        "stored before it is clipped": _broken(steps=_wraps), "one code too far down": _broken(steps=_one_too_far)},
        "numbers beyond amax get the code at that end; the ends are part of the convention, and so is the scale",
        "try numbers well beyond amax on both sides, and work the scale out yourself"),
    Room("the stored scale", {
        "codes made with the scale before rounding": _broken(scale_for_codes=lambda s, a: a / s["divisor"]),
        "a scale that was never rounded": _broken(scale_given=lambda s, a: a / s["divisor"])},
        "whoever reads the codes has the stored float16 scale, so they must fit that one",
        "the difference shows only close to half-way cases of large codes: try thousands of numbers, several amax"),
    Room("lengths and zeros", {
        "the last few forgotten": _broken(after=_no_tail), "a group of zeros": _zeros_spoiled},
        "a quantizer is called with any number of values, and with groups that are all zero",
        "vary the length of x, and let amax be 0 once"),
)


def read(spec: Spec, one: object) -> tuple[np.ndarray, float]:
    """An input (x, amax) as the learner wrote it."""
    if not isinstance(one, list) or len(one) != 2:
        raise Miss("an entry of inputs() is not a pair", "each is (x, amax): an array of numbers, and the amax of its grid",
                   "write for example  return [(np.array([0.1, -0.4]), 0.5)]")
    x, end = array(one[0], 1, MOST), array(one[1], 0, 1)
    amax = -1.0 if end is None else float(end)
    if x is None or amax < 0:
        raise Miss("an entry of inputs() is no input of these programs",
                   f"x has one axis with 1 to {MOST:,} finite numbers, and amax is a number from 0",
                   "print the shape of every x, and every amax")
    if amax and not 1e-3 <= amax <= 1e3 or not amax and x.any():
        raise Miss(f"amax is {amax:g} in an entry of inputs()", "it is from 0.001 to 1000, or 0 for a group of zeros",
                   "try others; very small scales have rounding troubles of their own in float16")
    return x, amax


MUSEUM = Museum((to_even, away_from_zero), ROOMS, read)


def drawn(draw: Draw) -> dict:
    """The spec with its words and example."""
    found = spec(draw)
    x, amax = np.array([-1.0, 0.3, 2.0]), 1.0
    codes, scale = to_even(found, x, amax)
    return found | {"example": f"the codes {codes.tolist()} with the scale {scale:.7g}"}


EXERCISE = Exercise(
    id="03.6", title="A museum of broken quantizers", kind="stretch", difficulty=4, importance=5, minutes=30,
    objective="You can write a test that finds the usual mistakes of a quantizer and leaves right ones alone.",
    spec=drawn, show=MUSEUM.show, wrong=WRONG,
    prose="""
This time you write the *test*. Ten quantizers are broken, each in one way; two are right. You never see them, only what
they give. Each takes a group of numbers `x` and the `amax` of its grid, chosen beforehand, and returns codes and scale:

| rule | in this exercise |
|---|---|
| scale | `amax / <<divisor>>`, rounded to float16; for `amax = 0` the scale is 1 |
| codes | `x / scale` with that rounded scale, to a nearest whole number, between <<lowest>> and <<highest>> |
| storage | codes are stored <<shift>> more: 0 has the code <<shift>> |
| a value half-way between two codes | may go to either |
| a value beyond the range | gets the lowest or the highest code |

Write two functions. `inputs()` returns a list of at most 50 pairs `(x, amax)` to try: x an array of 1 to 20,000 numbers,
amax from 0.001 to 1000, or 0 for a group of zeros. `accepts(x, amax, codes, scale)` says, as True or False, whether such
an output may be right; codes come as an array. A bug is caught if one of its outputs is refused. Refuse a right
quantizer once, and nothing counts: an alarm that always rings is not one.

**Example.** For x = [-1.0, 0.3, 2.0] and amax = 1.0, a right quantizer gives <<example>>.
""",
    hints=("Start with `accepts`: work out the scale by the rule, then how far each code is from where x lies.",
           "`np.clip(x / scale, <<lowest>>, <<highest>>)` is where a code should be, to half a step; then comes the <<shift>>.",
           "Leave a little room: half a step plus a ten-thousandth, because x / scale is itself rounded."),
    head="# inputs: what to try;  accepts: whether an output may be right",
    starter=STARTER, reference=REFERENCE, second=SECOND,
    explanation="The inputs matter as much as the comparison. Random numbers inside the range find none of the bugs at its "
                "ends, round lengths hide a forgotten tail, and codes made with an unrounded scale differ only close to "
                "half-way cases. A test that compares codes exactly would refuse right programs: rules leave things open.",
    checks=MUSEUM.checks(),
)
