"""04.2, core: try many ends of a grid and keep the one with the smallest error.

What varies: bits, symmetric or asymmetric, the power an error is raised to, and which shares of the range are tried.
None of the combinations is the package's own search. The answer hands back every error it found, so that the checks
can tell a wrong error from a wrong choice.
Source of the idea: the GPTQ authors' quant.py, find_params with mse=True.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..beside import Curves, yours
from ..checking import close, number, side
from ..e05_bit_packing.asking import ask, short
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .clip_search_answers import REFERENCE, SECOND, WRONG

NAME = "clip_search"


def spec(draw: Draw) -> dict:
    """Rules and lists of one variant."""
    symmetric, bits = draw.choice("symmetric", (True, False)), draw.choice("bits", (3, 4))
    drawn = {"bits": bits, "symmetric": symmetric, "percent": draw.choice("percent", (2, 3, 4, 5)),
             "power": draw.choice("power", (1.25, 1.5, 1.75, 2.25, 2.75)), "count": draw.integer("count", 9, 16)}
    drawn |= _words(bits, symmetric) | {"other_" + k: v for k, v in _words(bits, not symmetric).items()}
    drawn |= {name: _list(drawn, draw, name) for name in ("first", "second", "one_sided", "shown")}
    best, found = search(drawn, drawn["shown"])
    return drawn | {"lowest_percent": 100 - drawn["percent"] * (drawn["count"] - 1),
                    "example": f"{best:g}, with an error of {min(found):.4f}"}


def _words(bits: int, symmetric: bool) -> dict:
    """One kind of grid in code and in words."""
    top = 2 ** (bits - 1) - 1
    if symmetric:
        return {"ends": "-np.abs(x).max(), np.abs(x).max()", "steps": 2 * top, "zero": "0", "lowest": -top,
                "highest": top, "range_words": "from -m to m, where m is the largest magnitude in x",
                "zero_words": "0"}
    return {"ends": "min(x.min(), 0.0), max(x.max(), 0.0)", "steps": 2**bits - 1,
            "zero": "np.rint(-low * share / scale)", "lowest": 0, "highest": 2**bits - 1,
            "range_words": "from the smallest to the largest number in x, widened to hold 0",
            "zero_words": "`-low * share / scale`, rounded"}


def _list(spec: Spec, draw: Draw, name: str) -> list[float]:
    """Thirty numbers, most of them small, one far out, whose best share lies between the first and the last tried."""
    for turn in range(1000):
        x = [sum(draw.between(f"{name}{turn}.{i}.{j}", -1, 1) for j in range(3)) for i in range(30)]
        x[draw.integer(f"{name}{turn}.where", 0, 29)] = draw.between(f"{name}{turn}.far", 2.2, 3.8)
        x = [round(abs(v) if name == "one_sided" else v, 3) for v in x]
        if shares(spec)[-1] < search(spec, x)[0] < 1:
            return x
    raise RuntimeError("none of a thousand lists has its best share inside the grid; draw other numbers")


def shares(spec: Spec) -> list[float]:
    """The shares that are tried, the whole range first."""
    return [1 - n * spec["percent"] / 100 for n in range(spec["count"])]


def search(spec: Spec, x: Sequence[float]) -> tuple[float, list[float]]:
    """(best share, the error of every share), by the rules of the exercise, number by number."""
    low, high = (-max(map(abs, x)), max(map(abs, x))) if spec["symmetric"] else (min(*x, 0.0), max(*x, 0.0))
    found = []
    for share in shares(spec):
        scale = share * (high - low) / spec["steps"] or 1.0
        zero = 0 if spec["symmetric"] else round(-low * share / scale)
        codes = (min(max(round(v / scale) + zero, spec["lowest"]), spec["highest"]) for v in x)
        found.append(sum(abs(scale * (code - zero) - v) ** spec["power"] for code, v in zip(codes, x)))
    return shares(spec)[found.index(min(found))], found


def on_grid(spec: Spec) -> list[float]:
    """Numbers that lie on the grid of the whole range, both ends among them."""
    return [0.25 * (code - (0 if spec["symmetric"] else 2 ** (spec["bits"] - 2)))
            for code in range(spec["lowest"], spec["highest"] + 1)]


def _ask(spec: Spec, answers: Answers, shown: str, x: list[float]) -> tuple[float, list[float]]:
    call = f"{NAME}({shown})"
    got = ask(answers, call, NAME, x)
    if not isinstance(got, list) or len(got) != 2:
        raise Miss(f"{call} returned {short(got)}", "a share and a list of errors are expected",
                   "end the function with `return share, errors`")
    errors = got[1].tolist() if hasattr(got[1], "tolist") else got[1]
    if not isinstance(errors, list) or len(errors) != spec["count"]:
        raise Miss(f"{call} returned the errors {short(errors)}",
                   f"one error for each of the {spec['count']} shares is expected",
                   "the whole range is the first share")
    return number(got[0], call + "[0]"), [number(e, call + "[1]") for e in errors]


def calm(spec: Spec, answers: Answers) -> None:
    """Nothing is lost of numbers that lie on the grid of the whole range."""
    got = _ask(spec, answers, "numbers on the grid", on_grid(spec))
    if abs(got[1][0]) > 1e-9 or not close(got[0], 1.0, 1e-9):
        raise Miss(f"for numbers on the grid the share was {got[0]:g}, the error of the whole range {got[1][0]:.3g}",
                   "the grid of the whole range holds every one of them: kept whole, it has no error",
                   "print scale, zero point, codes and errors for the whole range")


def whole(spec: Spec, answers: Answers) -> None:
    """The error of the whole range, where nothing is clipped."""
    got, want = _ask(spec, answers, "a list", spec["first"])[1][0], search(spec, spec["first"])[1][0]
    if not close(got, want, 1e-6):
        raise Miss(f"with the whole range kept, the error of a list of 30 numbers was {got:.5g}: {side(got, want)}",
                   f"nothing is clipped here: the error is the sum of |error|^{spec['power']} from rounding alone",
                   "work out scale, codes and error of a list of two numbers by hand")


def clipped(spec: Spec, answers: Answers) -> None:
    """The errors of all shares."""
    for name in ("first", "second"):
        _compare(spec, answers, "a list with one large number", spec[name],
                 "a number beyond the end of the grid gets the last code, and its whole error counts")


def one_sided(spec: Spec, answers: Answers) -> None:
    """The errors of numbers that are all above zero."""
    _compare(spec, answers, "numbers above zero", spec["one_sided"],
             f"the range of this exercise goes {spec['range_words']}")


def _compare(spec: Spec, answers: Answers, shown: str, x: list[float], why: str) -> None:
    got, want = _ask(spec, answers, shown, x)[1], search(spec, x)[1]
    off = [n for n in range(len(want)) if not close(got[n], want[n], 1e-6)]
    if off:
        raise Miss(f"for {shown}, {len(off)} of {len(want)} errors are not right; the first is number {off[0] + 1} in "
                   f"the list: {got[off[0]]:.5g} is {side(got[off[0]], want[off[0]])}", why,
                   "print the codes and the errors of single numbers at that share")


def chosen(spec: Spec, answers: Answers) -> None:
    """The share belongs to the smallest of the answer's own errors."""
    for name in ("first", "second"):
        share, found = _ask(spec, answers, "a list with one large number", spec[name])
        if not close(share, shares(spec)[found.index(min(found))], 1e-9):
            raise Miss(f"the share was {share:g}, but another one has the smallest of the errors returned with it",
                       "the best share is the one with the smallest error", "at which place in your list is it?")


def zeros(spec: Spec, answers: Answers) -> None:
    """A list of zeros."""
    got = _ask(spec, answers, "zeros", [0.0] * 5)
    if not close(got[0], 1.0, 1e-9) or any(got[1]):
        raise Miss(f"for five zeros the share was {got[0]:g} and the errors {short(got[1], 4)}",
                   "every share has an error of 0 here; of equal errors the larger share wins",
                   "what is the scale of a range without width, and which of two equal errors do you keep?")


def show(spec: Spec, answers: Answers) -> Curves:
    """The error over the kept share for the example, the learner's beside ours."""
    x, percent = spec["shown"], [100 * share for share in shares(spec)[::-1]]
    mine = yours(lambda: _ask(spec, answers, "the example", x)[1][::-1])
    return Curves("The example: error over the share of the range that is kept", "percent of the range", "error",
                  percent, [("Spec", search(spec, x)[1][::-1]), *([("Yours", mine)] if mine else [])],
                  yours=yours(lambda: 100 * _ask(spec, answers, "the example", x)[0]))


EXERCISE = Exercise(
    id="04.2", title="Search for the end of a grid", kind="core", difficulty=3, importance=5, minutes=18,
    objective="You can write the clip search that quantizers use.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE, second=SECOND,
    prose="""
A list of numbers x is put on a grid of <<bits>> bits. The range goes <<range_words>>. Shrink it, round, and keep what
has the smallest error:

| what | |
|---|---|
| shares tried | 100%, then <<percent>>% less each time, <<count>> shares in all: down to <<lowest_percent>>% |
| scale | share times the width of the range, over <<steps>> |
| zero point | <<zero_words>> |
| code | `x / scale`, rounded (ties to even), plus the zero point; clipped to <<lowest>> .. <<highest>> |
| error | the sum of `|scale * (code - zero point) - x|` to the power <<power>> over all of x |
| of equal errors | the larger share wins |
| a range without width | (all numbers are 0) has scale 1 |

Write `clip_search(x)`, which returns `(share, errors)`: the best share as a number from 0 to 1, and the errors of all
shares in the order of the table. `x` is a list of floats; `np` is NumPy.

**Example.** For the list in the cell below, the best share is <<example>>.
""",
    hints=("Write the error of *one* share first, for the share 1, and look at it. The loop around it is short.",
           "Collect the errors in a list; `errors.index(min(errors))` is the first place of the smallest.",
           "The step from one share to the next is the same each time: share n is `1 - n * <<percent>> / 100`."),
    given="""
# The example's numbers. Change what you like: the checks use other lists.
example = <<shown>>
""",
    head='''
def clip_search(x):
    """(share, errors): the best share of the range of x, and the error of every share tried."""
''',
    explanation="Every quantizer that offers an mse option has this loop inside. The power decides how much a clipped "
                "number counts: the higher, the less is clipped.",
    checks=(Check("numbers on the grid are left alone", 1, calm), Check("the error of the whole range", 1, whole),
            Check("the errors of all shares", 1, clipped), Check("numbers above zero", 1, one_sided),
            Check("the smallest error is chosen", 1, chosen), Check("zeros", 1, zeros)),
)
