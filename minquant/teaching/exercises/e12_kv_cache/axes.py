"""12.3, core: keys by channel, values by token, the newest tokens in float, and all bytes counted.

What varies: bits, the tokens of a group of keys, the channels of a group of values, the window, and the bits of scales and
minima.
Source of the idea: KIVI, Liu et al. 2024, arXiv 2402.02750, section 3 and algorithm 1.
"""

from __future__ import annotations

from ..beside import Bars, yours
from ..checking import close, number, side
from ..e05_bit_packing.asking import ask, short
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw
from . import rows
from .axes_answers import REFERENCE, SECOND, WRONG

NAME, CHANNELS, PARTS = "two_axes", 4, ("keys", "values", "nbytes")


def spec(draw: Draw) -> dict:
    """The rules and the texts of one variant."""
    group = draw.choice("group", (3, 4, 5))
    drawn = {"bits": draw.choice("bits", (2, 3, 4)), "group": group, "channels": CHANNELS,
             "share": draw.choice("share", (2, 4)), "window": group + draw.choice("more", (0, 1, 2)),
             "stored": draw.choice("stored", (8, 16, 32)), "float_bits": draw.choice("float_bits", (16, 32))}
    drawn["levels"] = 2 ** drawn["bits"] - 1
    lengths = {"first": 2 * group + drawn["window"], "second": 3 * group + drawn["window"] - 1,
               "shown": group + drawn["window"] + 1}
    for name, length in lengths.items():
        drawn[name] = _text(drawn, draw, name, length)
    keys, values, nbytes = cached(drawn, *drawn["shown"])
    return drawn | {"shown_keys": rows.literal(drawn["shown"][0], 7), "shown_values": rows.literal(drawn["shown"][1], 9),
                    "example_key": [round(v, 4) for v in keys[0]], "example_value": [round(v, 4) for v in values[0]],
                    "example_bytes": f"{nbytes:g}"}


def _text(spec: Spec, draw: Draw, name: str, length: int) -> tuple[rows.Rows, rows.Rows]:
    for turn in range(1000):
        both = tuple(rows.drawn(draw, f"{name}.{part}{turn}", length, CHANNELS) for part in ("keys", "values"))
        try:
            cached(spec, *both)
        except ArithmeticError:
            continue
        return both
    raise RuntimeError("none of a thousand texts is clear of half-way cases; draw other numbers")


def cached(spec: Spec, keys: rows.Rows, values: rows.Rows) -> tuple[rows.Rows, rows.Rows, float]:
    """(keys, values, bytes) as they are read back, by the rules of the exercise, number by number."""
    n, share, bits = spec["group"], spec["share"], spec["bits"]
    old = max(len(keys) - spec["window"], 0) // n * n
    back: rows.Rows = []
    for first in range(0, old, n):
        back += rows.columns([rows.with_minimum(c, bits) for c in rows.columns(keys[first:first + n])])
    read = [[v for c in range(0, CHANNELS, share) for v in rows.with_minimum(row[c:c + share], bits)]
            for row in values[:old]]
    groups = old // n * CHANNELS + old * CHANNELS // share
    size = 2 * old * CHANNELS * bits + 2 * groups * spec["stored"]
    size += 2 * (len(keys) - old) * CHANNELS * spec["float_bits"]
    return back + keys[old:], read + values[old:], size / 8


def _asked(answers: Answers, shown: str, keys: rows.Rows, values: rows.Rows) -> list:
    call = f"{NAME}({shown})"
    got = ask(answers, call, NAME, keys, values)
    if not isinstance(got, list) or len(got) != len(PARTS):
        raise Miss(f"{call} returned {short(got, 3)}", f"three things are expected: {', '.join(PARTS)}",
                   f"end the function with `return {', '.join(PARTS)}`")
    return got


def _codes(spec: Spec, answers: Answers, part: int, why: str, advice: str) -> None:
    """Rows that are in codes; a point for each text."""
    earned, told = 0, None
    for name in ("first", "second"):
        shown = f"{len(spec[name][0])} tokens"
        want = cached(spec, *spec[name])[part]
        old = (len(want) - spec["window"]) // spec["group"] * spec["group"]
        try:
            got = rows.as_rows(_asked(answers, shown, *spec[name])[part], shown, PARTS[part], len(want), CHANNELS)
            rows.check_rows(got[:old], want[:old], shown, PARTS[part], why, advice)
            earned += 1
        except Miss as miss:
            told = told or miss
    if told:
        raise Miss(told.what, told.why, told.advice, earned)


def keys(spec: Spec, answers: Answers) -> None:
    """Keys, a channel of several tokens at a time."""
    _codes(spec, answers, 0, f"a channel shares minimum and scale over {spec['group']} tokens that follow one another",
           "take one group of tokens: how many minima does it have? One per channel")


def values(spec: Spec, answers: Answers) -> None:
    """Values, some channels of a token at a time."""
    _codes(spec, answers, 1, f"a token shares minimum and scale over {spec['share']} neighbouring channels",
           "take one token: how many minima do its values have?")


def window(spec: Spec, answers: Answers) -> None:
    """What is still in float."""
    for name, shown in (("second", "the newest tokens"), ("short", "a text as long as the window")):
        both = spec["first"] if name == "short" else spec[name]
        both = tuple(part[:spec["window"]] for part in both) if name == "short" else both
        got, want = _asked(answers, shown, *both), cached(spec, *both)
        old = max(len(both[0]) - spec["window"], 0) // spec["group"] * spec["group"]
        for part in (0, 1):
            matrix = rows.as_rows(got[part], shown, PARTS[part], len(want[part]), CHANNELS)
            rows.check_rows(matrix[old:], want[part][old:], shown, PARTS[part],
                            f"the newest {spec['window']} tokens at least, and what is no whole group yet, are as they came",
                            "of so many tokens, how many are in groups? A whole number of groups, and never the newest")


def nbytes(spec: Spec, answers: Answers) -> None:
    """All bytes; a point for a text with nothing in groups and one for the others."""
    earned, told = 0, None
    short_one = tuple(part[:spec["window"]] for part in spec["first"])
    for texts in ((short_one,), (spec["first"], spec["second"])):
        try:
            for both in texts:
                shown = f"{len(both[0])} tokens"
                got, want = number(_asked(answers, shown, *both)[2], f"{NAME}({shown})[2]"), cached(spec, *both)[2]
                if not close(got, want):
                    raise Miss(f"for {shown}, nbytes was {got:g}: {side(got, want)}",
                               "codes, scales and minima of all groups count, and every number that is still in float",
                               "count the groups of keys and the groups of values apart: each has a scale and a minimum")
            earned += 1
        except Miss as miss:
            told = told or miss
    if told:
        raise Miss(told.what, told.why, told.advice, earned)


def equal(spec: Spec, answers: Answers) -> None:
    """Groups whose numbers are all the same."""
    both = tuple([[2.5] * CHANNELS for _ in part] for part in spec["first"])
    got = _asked(answers, "equal numbers", *both)
    for part in (0, 1):
        rows.check_rows(got[part], both[part], "equal numbers", PARTS[part],
                        "a group of equal numbers has the scale 1 and comes back as it was",
                        "what is your scale where the largest is the smallest?")


def show(spec: Spec, answers: Answers) -> Bars:
    """The keys of the example's first token, read back."""
    mine = yours(lambda: _asked(answers, "the example", *spec["shown"]))
    want = cached(spec, *spec["shown"])
    bars = []
    for part, noun in ((0, "key"), (1, "value")):
        got = mine and yours(lambda part=part: rows.as_rows(mine[part], "", "", len(want[part]), CHANNELS)[0])
        bars += [(f"{noun}, channel {c}", abs(got[c]) if got else None, abs(want[part][0][c])) for c in range(CHANNELS)]
    return Bars("Magnitudes of the first token as they are read back", "", bars)


EXERCISE = Exercise(
    id="12.3", title="Keys by channel, values by token", kind="core", difficulty=4, importance=5, minutes=18,
    objective="You can share scales along the axis that suits keys, and the one that suits values, and count every byte.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE, second=SECOND,
    prose="""
A cache in the manner of KIVI holds T tokens, each with a key and a value of <<channels>> channels.

| what | |
|---|---|
| tokens in groups | the oldest (T - <<window>>) // <<group>> * <<group>>, none where T is not above <<window>> |
| the other tokens | as they came, <<float_bits>> bits a number |
| a group of keys | one channel of <<group>> tokens that follow one another |
| a group of values | <<share>> neighbouring channels of one token |
| minimum, scale of a group | its smallest number; (largest - smallest) / <<levels>>, and 1 where that is 0; <<stored>> bits each |
| code | <<bits>> bits: the nearest whole number to (x - minimum) / scale |
| read back | minimum + scale * code |

Write `two_axes(keys, values)`, which returns `(keys, values, nbytes)`: both as they are read back, T rows of <<channels>>
floats, and the bytes of all that is kept. Both arguments are lists of T rows; `np` is NumPy; arrays may be returned in
place of lists. Minima and scales are not rounded here.

**Example.** Of the text in the cell below the first key comes back as <<example_key>>, the first value as
<<example_value>>, and the cache has <<example_bytes>> bytes.
""",
    hints=("`K[:old].reshape(-1, n, channels)` has the groups of keys; their tokens lie along axis 1.",
           "Write one function that rounds an array along an axis, and use it twice.",
           "Bytes: codes of both, then groups of keys, groups of values, then what waits."),
    given="""
# The example's text. Change what you like: the checks use others.
keys = <<shown_keys>>
values = <<shown_values>>
""",
    head='''
def two_axes(keys, values):
    """(keys, values, nbytes) as a cache gives them back."""
''',
    explanation="A channel that is large in every token takes the grid from its neighbours if they share a scale, and from "
                "nobody if it shares with itself. The float window is not free: at short contexts it is most of the cache.",
    checks=(Check("keys", 2, keys), Check("values", 2, values), Check("the newest tokens", 1, window),
            Check("bytes", 2, nbytes), Check("equal numbers", 1, equal)),
)
