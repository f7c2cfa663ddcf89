"""04.6, stretch: a test for searches of scales, and a museum of broken ones to run it on.

What varies: bits, the length of a group, the shares that are tried, and the power an error is raised to.
The bugs are those of blocks and of clip searches: the wrong numbers share, the search stops or judges by something
else, codes and scale do not belong together, an end or a zero goes wrong. Both right programs follow every rule; one of
them also tries shares in between, so its scales are others and its errors smaller.
Source of the search: the GPTQ authors' quant.py, find_params with mse=True.
"""

from __future__ import annotations

import numpy as np

from ..museum import Museum, Room, array
from ..source import Exercise, Miss, Spec
from ..variant import Draw
from .museum_answers import REFERENCE, SECOND, STARTER, WRONG

MOST = 700
SMALLEST, LARGEST = 1e-3, 1e3


def spec(draw: Draw) -> dict:
    """The rules of one variant."""
    drawn = {"bits": draw.choice("bits", (3, 4)), "group": draw.integer("group", 6, 11),
             "percent": draw.integer("percent", 2, 4), "count": draw.integer("count", 14, 18),
             "power": draw.choice("power", (0.75, 1, 1.25))}
    drawn |= {3: {"highest": 3, "other_highest": 7}, 4: {"highest": 7, "other_highest": 3}}[drawn["bits"]]
    shown = np.array([4.0, -1.0, 0.7])
    scales, codes = first_of_the_best(drawn, shown)
    return drawn | {"last_percent": 100 - drawn["percent"] * (drawn["count"] - 1),
                    "example": f"the scale {scales[0]:.6g} and the codes {codes.tolist()}"}


def _shares(spec: Spec) -> np.ndarray:
    return 1 - np.arange(spec["count"]) * spec["percent"] / 100


def _codes(spec: Spec, g: np.ndarray, scale, rounded=np.rint) -> np.ndarray:
    return np.clip(rounded(g / scale), -spec["highest"], spec["highest"])


def _cost(spec: Spec, off: np.ndarray) -> np.ndarray:
    return (np.abs(off) ** spec["power"]).sum(axis=-1)


def _searched(spec: Spec, g: np.ndarray, shares: np.ndarray, cost=_cost, end=None, pick=np.argmin, more=0.0) -> float:
    """The scale of the share whose codes cost least; 1 for a group of zeros."""
    largest = np.abs(g).max() if end is None else end(g)
    if largest <= 0:
        return 1.0
    scales = shares * largest / (spec["highest"] + more)
    return float(scales[pick(cost(spec, scales[:, None] * _codes(spec, g, scales[:, None]) - g))])


def _program(shares=_shares, rounded=np.rint, members=None, zero=1.0, codes=None, stored=np.float64, **search):
    """A program that is right but for the parts named."""
    def program(spec: Spec, x: np.ndarray) -> tuple:
        count = -(-len(x) // spec["group"])
        owner = members(spec, len(x), count) if members else np.arange(len(x)) // spec["group"]
        scales, found = np.ones(count), np.zeros(len(x), np.int64)
        for n in range(count):
            g = x[owner == n]
            scales[n] = _searched(spec, g, shares(spec), **search) if len(g) else scales[max(n - 1, 0)]
            found[owner == n] = codes(spec, g, scales[n]) if codes else _codes(spec, g, scales[n], rounded)
            if len(g) and not g.any():
                scales[n] = zero
        return stored(scales).astype(np.float64), found

    return program


def _between(spec: Spec) -> np.ndarray:
    """The shares of the rules and one between each two."""
    return np.sort(np.concatenate([_shares(spec), _shares(spec)[:-1] - spec["percent"] / 200]))


first_of_the_best = _program()  # a right program
finer = _program(_between, lambda v: np.copysign(np.floor(np.abs(v) + 0.5), v))  # another: half-way cases away from 0


def _every_nth(spec: Spec, length: int, count: int) -> np.ndarray:
    return np.arange(length) % count


def _tail_joins(spec: Spec, length: int, count: int) -> np.ndarray:
    """The numbers that fill no group go to the one before."""
    return np.minimum(np.arange(length) // spec["group"], max(length // spec["group"] - 1, 0))


def _one_for_all(spec: Spec, x: np.ndarray) -> tuple:
    scale = _searched(spec, x, _shares(spec))
    return np.full(-(-len(x) // spec["group"]), scale), _codes(spec, x, scale).astype(np.int64)


def _first_rise(costs: np.ndarray) -> int:
    """The last one before the cost rises for the first time."""
    rises = np.flatnonzero(np.diff(costs) > 0)
    return int(rises[0]) if len(rises) else len(costs) - 1


def _of_the_whole_range(spec: Spec, g: np.ndarray, scale: float) -> np.ndarray:
    return _codes(spec, g, np.abs(g).max() / spec["highest"] or 1.0)


ROOMS = (
    Room("who shares a scale", {
        "every n-th number shares": _program(members=_every_nth), "one scale for all": _one_for_all,
        "the short last group has no scale of its own": _program(members=_tail_joins)},
        "neighbours share, and the last group has a scale even if it is short",
        "hold each group against its own scale; try groups of large and of small numbers, and any length"),
    Room("what is chosen", {
        "stops where the error first rises": _program(pick=_first_rise),
        "squares instead of the power": _program(cost=lambda s, off: np.square(off).sum(axis=-1)),
        "errors that cancel": _program(cost=lambda s, off: np.abs(off.sum(axis=-1)))},
        "no share may be better than the one that was chosen, by the measure of the rules",
        "make the errors of all shares yourself, for many groups: a search that is only nearly right needs many"),
    Room("codes and their scale", {
        "codes of the whole range": _program(codes=_of_the_whole_range),
        "never clipped": _program(codes=lambda s, g, scale: np.rint(g / scale)),
        "the scale shortened once the codes are made": _program(stored=np.float16)},
        "whoever reads the codes has the scale beside them and nothing else; codes have no bits to spare",
        "compute errors from the codes and scales that you were given, and look at the range of the codes"),
    Room("ends and zeros", {
        "the largest number, not the largest magnitude": _program(end=lambda g: g.max()),
        "the end half a step further out": _program(more=0.5), "a group of zeros": _program(zero=0.0)},
        "the end of the grid is the largest magnitude, at the highest code; a group of zeros has the scale 1",
        "try groups whose largest magnitude is negative, and zeros among other groups"),
)


def read(spec: Spec, one: object) -> tuple[np.ndarray]:
    """An input x as the learner wrote it."""
    x = array(one, 1, MOST)
    if x is None:
        raise Miss("an entry of inputs() is no input of these programs",
                   f"each is an array with one axis and 1 to {MOST:,} finite numbers",
                   "write for example  return [np.array([0.1, -0.4])]")
    sizes = np.abs(x[x != 0])
    if len(sizes) and not SMALLEST <= sizes.min() <= sizes.max() <= LARGEST:
        raise Miss("an entry of inputs() has numbers that are very small or very large",
                   "a number is 0, or its magnitude is from 0.001 to 1000",
                   "scale your numbers, or set small ones to 0")
    return (x,)


MUSEUM = Museum((first_of_the_best, finer), ROOMS, read)

EXERCISE = Exercise(
    id="04.6", title="A museum of broken searches", kind="stretch", difficulty=4, importance=4, minutes=30,
    objective="You can test a search by what it must reach, without doing it the same way.",
    spec=spec, show=MUSEUM.show, wrong=WRONG,
    prose="""
This time you write the *test*. Twelve programs are broken, each in one way; two are right. You never see them, only
what they give. Each takes an array `x` of numbers and returns `(scales, codes)`, by these rules:

| | |
|---|---|
| a group | <<group>> neighbours in x; the last group may be shorter; one scale for each |
| codes | from -<<highest>> to <<highest>>: x / scale, rounded to a nearest whole number and clipped |
| shares | 1, then <<percent>>% less each time, down to <<last_percent>>%: <<count>> of them |
| a scale that is tried | share * (largest magnitude in the group) / <<highest>> |
| error of a group | the sum of abs(scale * code - x) ** <<power>> |
| what must be reached | an error no larger than with the best of these shares; a millionth more and 1e-9 is forgiven |
| a group of zeros | has the scale 1 |
| half-way cases, and scales that do as well or better | are left to the program |

Write two functions. `inputs()` returns a list of at most 50 arrays, with 1 to 700 numbers each: zeros, and numbers of
magnitude 0.001 to 1000. `accepts(x, scales, codes)` says, as True or False, whether such an output may be right; both
come as arrays. A bug is caught if one of its outputs is refused. Refuse a right program once, and nothing counts: an
alarm that always rings is not one.

**Example.** For x = [4.0, -1.0, 0.7] one of the right programs gives <<example>>.
""",
    hints=("You need not find the scale that the program found. You need the smallest error that your own search "
           "reaches, and the error that the program's scale and codes make.",
           "Go through the groups: `x[start:start + <<group>>]` has one scale. Are there as many scales as groups?",
           "An error that is no larger than the best does not rule out codes that are out of range."),
    head="# inputs: what to try;  accepts: whether an output may be right",
    starter=STARTER, reference=REFERENCE, second=SECOND,
    explanation="A search is tested by what it reaches, not by the way it took: then a better search passes as well, "
                "and one that stops early or judges by another measure does not. It shows only in some groups, so try "
                "many.",
    checks=MUSEUM.checks(),
)
