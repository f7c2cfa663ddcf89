"""10.1, warm-up: how many codes one loud channel leaves to the others.

What varies: the bits, who shares a scale, and what is counted: different codes, or the whole range between the ends.
The traps: to count the loud channel as well, to take the scale without it, to take it without the sign.
Source of the idea: Dettmers et al. 2022, "LLM.int8()", arXiv 2208.07339, section 3.2.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars, yours
from ..checking import number, side
from ..e05_bit_packing.asking import ask
from ..e08_repairing_rounding.arrays import literal
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME, CHANNELS, TOKENS = "levels_left", 6, 8
SHARED = {"tensor": ("np.abs(X).max()", "one scale for the whole of X"),
          "token": ("np.abs(X).max(axis=1, keepdims=True)", "one scale for each token (row)")}
COUNTED = {"different": ("len(np.unique(codes))", "how many different codes they get"),
           "range": ("int(codes.max() - codes.min()) + 1",
                     "how many codes there are from the smallest to the largest that they get, both included")}


def spec(draw: Draw) -> dict:
    """The rules of one variant, and the inputs of the checks and of the worked example."""
    bits, shared = draw.choice("bits", (6, 7, 8)), draw.choice("shared", tuple(SHARED))
    counted = draw.choice("counted", tuple(COUNTED))
    other, miscounted = (next(n for n in names if n != mine) for names, mine in ((SHARED, shared), (COUNTED, counted)))
    drawn = {"bits": bits, "top": 2 ** (bits - 1) - 1, "shared": shared, "counted": counted,
             "scale": SHARED[shared][0], "other_scale": SHARED[other][0], "shared_words": SHARED[shared][1],
             "signed": SHARED[shared][0].replace("np.abs(X)", "X"), "count": COUNTED[counted][0],
             "alone": SHARED[shared][0].replace("(X)", "(np.delete(X, channel, axis=1))"),
             "other_count": COUNTED[miscounted][0], "count_words": COUNTED[counted][1]}
    drawn |= {name: _problem(drawn, draw, name) for name in ("quiet", "loud", "negative", "shown")}
    X, channel = drawn["shown"]
    return drawn | {"X_text": literal(X, 13), "channel": channel, "example": left(drawn, X, channel)}


def _problem(spec: Spec, draw: Draw, name: str) -> list:
    """An input and its marked channel: in "quiet" it is like the one before, else loud in every token."""
    for turn in range(3000):
        rows = [[draw.between(f"{name}{turn}.{i}.{j}", -1, 1) for j in range(CHANNELS)] for i in range(TOKENS)]
        channel = draw.integer(f"{name}{turn}.at", 0, CHANNELS - 1)
        for i, row in enumerate(rows):
            loud = draw.between(f"{name}{turn}.loud{i}", 1.5, 3.5)
            row[channel] = {"quiet": row[channel - 1], "negative": -loud}.get(name, loud)
            upright = -1 if name == "quiet" and max(row) < -min(row) else 1  # the largest magnitude is not negative
            rows[i] = [round(upright * v * (1.0, 0.6, 0.35)[i % 3], 3) for v in row]
        if _told_apart(spec, name, rows, channel):
            return [rows, channel]
    raise RuntimeError("three thousand inputs do not tell the rules apart; draw other numbers")


def _told_apart(spec: Spec, name: str, rows: list, channel: int) -> bool:
    """No half-way case; slips give another count, but for those that are none with such a channel."""
    X, alike = np.array(rows), {"quiet": {"counted", "alone", "signed"}, "loud": {"signed"}, "shown": {"signed"}}
    if any(np.abs(X / _scale(X, n) * spec["top"] % 1 - 0.5).min() < 1e-4 for n in SHARED):
        return False
    want = left(spec, rows, channel)
    return all((count == want) == (slip in alike.get(name, ())) for slip, count in _slips(spec, X, channel).items())


def _slips(spec: Spec, X: np.ndarray, channel: int) -> dict[str, int]:
    """What mistakes would count."""
    def count(codes, how=spec["counted"]):
        return len(np.unique(codes)) if how == "different" else int(codes.max() - codes.min()) + 1

    def others(scale, axis=1):
        return np.delete(np.rint(X / scale * spec["top"]), channel, axis=axis)

    scale = _scale(X, spec["shared"])
    return {"counted": count(np.rint(X / scale * spec["top"])), "token": count(others(scale, 0)),
            "alone": count(others(_scale(np.delete(X, channel, axis=1), spec["shared"]))),
            "signed": count(others(X.max(axis=1, keepdims=True) if spec["shared"] == "token" else X.max())),
            "values": count(np.delete(X / scale * spec["top"], channel, axis=1)),
            "sharing": count(others(_scale(X, next(n for n in SHARED if n != spec["shared"])))),
            "count": count(others(scale), next(n for n in COUNTED if n != spec["counted"]))}


def _scale(X: np.ndarray, shared: str) -> np.ndarray:
    return np.abs(X).max(axis=1, keepdims=True) if shared == "token" else np.abs(X).max()


def left(spec: Spec, rows: list, channel: int) -> int:
    """The count, by the rules of the exercise, number by number."""
    whole = max(abs(v) for row in rows for v in row)
    codes = []
    for row in rows:
        scale = (max(map(abs, row)) if spec["shared"] == "token" else whole) / spec["top"]
        codes += [round(v / scale) for j, v in enumerate(row) if j != channel]
    return len(set(codes)) if spec["counted"] == "different" else max(codes) - min(codes) + 1


def _check(spec: Spec, answers: Answers, name: str, shown: str, why: str, advice: str) -> None:
    rows, channel = spec[name]
    call = f"{NAME}({shown})"
    got = number(ask(answers, call, NAME, np.array(rows), channel), call)
    if got != (want := left(spec, rows, channel)):
        raise Miss(f"{call} returned {got:g}: {side(got, want)}", why, advice)


def quiet(spec: Spec, answers: Answers) -> None:
    """The marked channel is not loud."""
    _check(spec, answers, "quiet", "X, a channel that is not loud",
           f"all others are divided by their scale, rounded, and then: {spec['count_words']}",
           f"there is {spec['shared_words']}; print the codes before you count them")


def loud(spec: Spec, answers: Answers) -> None:
    """The marked channel is loud."""
    _check(spec, answers, "loud", "X, a loud channel", "the loud channel takes part in the scale and not in the count",
           "on which array do you look for the largest magnitude, and on which do you count?")


def negative(spec: Spec, answers: Answers) -> None:
    """The loud channel is always negative."""
    _check(spec, answers, "negative", "X, a channel of large negative numbers",
           "the scale comes from the largest magnitude, whatever its sign", "what is the largest of -9 and 1 here?")


def show(spec: Spec, answers: Answers) -> Bars:
    """The count of the example, and of the same input with the loud channel divided by 8."""
    rows, channel = spec["shown"]
    softer = [[v / 8 if j == channel else v for j, v in enumerate(row)] for row in rows]
    bars = []
    for label, X in (("as it is", rows), ("an eighth of it", softer)):
        mine = yours(lambda: number(ask(answers, NAME, NAME, np.array(X), channel), NAME))
        bars.append((label, mine, left(spec, X, channel)))
    return Bars("Codes for the other channels of the example", "codes", bars)


REFERENCE = '''
scale = <<scale>> / <<top>>
codes = np.delete(np.rint(X / scale), channel, axis=1)
return <<count>>
'''

EXERCISE = Exercise(
    id="10.1", title="What is left for the neighbours", kind="warm-up", difficulty=2, importance=4, minutes=5,
    objective="You can say how many codes a loud channel leaves to the others.",
    spec=spec, show=show, reference=REFERENCE,
    prose="""
An input X is rounded to <<bits>> bits.

| what | |
|---|---|
| scale | the largest magnitude over <<top>>; <<shared_words>> |
| code | the number over its scale, rounded to nearest |
| channel | number of a column of X: perhaps a loud one |
| count | look at the codes of all *other* channels, and count <<count_words>>, over all tokens together |

Write `levels_left(X, channel)`, which returns the count.

**Example.** In the cell below it is <<example>>.
""",
    hints=("`np.delete(a, j, axis=1)` is a without its column j.",
           "First the codes of everything, then without the channel, then count."),
    given="""
# The example. Change what you like: the checks use other inputs.
X = np.array(<<X_text>>)
channel = <<channel>>
""",
    head='''
def levels_left(X, channel):
    """The count of codes for all channels but this one."""
''',
    second='''
codes = [int(np.rint(v)) for row in X / (<<scale>> / <<top>>) for j, v in enumerate(row) if j != channel]
codes = np.array(sorted(codes))
return <<count>>
''',
    explanation="The loud channel is not rounded badly at all: relative to its size its error is small. It is the others "
                "that pay. A scale per token helps only where the loud channel happens to be small in a token.",
    checks=(Check("a channel that is not loud", 1, quiet), Check("a loud channel", 1, loud),
            Check("a channel of negative numbers", 1, negative)),
    wrong=(
        Wrong("the channel is counted too", 2, REFERENCE.replace(
            "np.delete(np.rint(X / scale), channel, axis=1)", "np.rint(X / scale)")),
        Wrong("the scale without the channel", 2, REFERENCE.replace("<<scale>>", "<<alone>>")),
        Wrong("the largest number instead of the largest magnitude", 1, REFERENCE.replace("<<scale>>", "<<signed>>")),
        Wrong("the other sharing", 3, REFERENCE.replace("<<scale>>", "<<other_scale>>")),
        Wrong("the other count", 3, REFERENCE.replace("<<count>>", "<<other_count>>")),
        Wrong("a token taken out instead of a channel", 3, REFERENCE.replace("axis=1)\nreturn", "axis=0)\nreturn")),
        Wrong("values counted, not codes", 3, REFERENCE.replace("np.rint(X / scale)", "X / scale")),
    ),
)
