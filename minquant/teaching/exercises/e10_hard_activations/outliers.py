"""10.2, core: LLM.int8(), the loud columns in float and the others in integers.

What varies: the threshold, in how many tokens a column has to be loud, and the bits.
The traps: elements instead of columns, an outlier that stays in the integer part as well, scales from before the
outliers left, signs, a token or a column with nothing left.
Source: Dettmers et al. 2022, "LLM.int8()", arXiv 2208.07339, section 3.1 (vector-wise), section 3.2 (decomposition). There
one token is enough; asking for more is this exercise's own rule.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars, yours
from ..e05_bit_packing.asking import ask, short
from ..e08_repairing_rounding.arrays import drawn_rows, literal, numbers, parts
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .outliers_answers import REFERENCE, SECOND, WRONG

NAME, TOKENS, CHANNELS, OUTPUTS = "multiply", 5, 6, 3
PARTS = ("outliers", "codes", "Y")


def spec(draw: Draw) -> dict:
    """The rules of one variant, and the problems of the checks and of the worked example."""
    bits, needed = draw.choice("bits", (4, 5, 6, 7)), draw.choice("needed", (1, 2, 3))
    threshold = draw.choice("threshold", (3.0, 4.0, 5.0, 7.0, 8.0))
    words = {1: "any token", 2: "at least two tokens", 3: "at least three tokens"}[needed]
    drawn = {"bits": bits, "top": 2 ** (bits - 1) - 1, "needed": needed, "other_needed": needed + 1,
             "threshold": threshold, "words": words}
    drawn |= {name: _problem(drawn, draw, name) for name in ("first", "second", "signs", "edge", "plain", "shown")}
    X, W = drawn["shown"]
    outliers, _, Y = multiplied(drawn, X, W)
    return drawn | {"X_text": literal(X, 13), "W_text": literal(W, 13),
                    "example": f"outliers {outliers} and a first output of {Y[0][0]:.4f}"}


def _problem(spec: Spec, draw: Draw, name: str) -> list:
    """X and W, clear of half-way cases; which columns are loud, and how, depends on the name."""
    t, needed = spec["threshold"], spec["needed"]
    for turn in range(1000):
        X = drawn_rows(draw, f"{name}{turn}.X", TOKENS, CHANNELS, -0.8 * t, 0.8 * t)
        W = drawn_rows(draw, f"{name}{turn}.W", OUTPUTS, CHANNELS, -1, 1)
        a, b, c = draw.order(f"{name}{turn}.columns", range(CHANNELS))[:3]
        tokens = draw.order(f"{name}{turn}.tokens", range(TOKENS))
        for j, times, sign in ((a, needed, 1), (b, needed + 1, -1), (c, needed - 1, 1)):
            for i in tokens[:times] if name != "plain" else ():
                size = {"edge": t}.get(name, round(t * draw.between(f"{name}{turn}.{i}.{j}", 1.5, 6), 2))
                X[i][j] = -size if name == "signs" else sign * size
        for row in W:
            row[a] = round(row[a] * 2.5, 2)  # a column of W that would set the scale, were it not taken out
        if name != "edge" or not any(abs(v) == t for j, v in _cells(X) if j not in (a, b, c)):
            if all(np.abs(q % 1 - 0.5).min() > 1e-3 for q in _quotients(spec, X, W)):
                return [X, W]
    raise RuntimeError("none of a thousand problems is clear of half-way cases; draw other numbers")


def _cells(X: list) -> list[tuple[int, float]]:
    return [(j, v) for row in X for j, v in enumerate(row)]


def _quotients(spec: Spec, X: list, W: list) -> list[np.ndarray]:
    """What is rounded: with the outliers out, and with all columns in, which is what wrong answers do."""
    loud, both = set(loud_columns(spec, X)), []
    for columns in ([j for j in range(CHANNELS) if j not in loud], list(range(CHANNELS))):
        for rows in (X, W):
            part = np.array(rows)[:, columns]
            amax = np.abs(part).max(axis=1, keepdims=True)
            both.append(part / np.where(amax > 0, amax, 1) * spec["top"])
    return both


def loud_columns(spec: Spec, X: list) -> list[int]:
    """The columns that leave, in order."""
    return [j for j, column in enumerate(zip(*X, strict=True))
            if sum(abs(v) >= spec["threshold"] for v in column) >= spec["needed"]]


def multiplied(spec: Spec, X: list, W: list) -> tuple[list[int], list[list[int]], list[list[float]]]:
    """(outliers, codes of X, Y), number by number."""
    loud = loud_columns(spec, X)
    rest = [j for j in range(len(X[0])) if j not in loud]

    def coded(rows):
        scales = [max((abs(row[j]) for j in rest), default=0) / spec["top"] or 1.0 for row in rows]
        return [[round(row[j] / s) for j in rest] for row, s in zip(rows, scales, strict=True)], scales

    (x, sx), (w, sw) = coded(X), coded(W)
    Y = [[sum(p * q for p, q in zip(a, b, strict=True)) * s * r + sum(row[j] * column[j] for j in loud)
          for b, r, column in zip(w, sw, W, strict=True)] for a, s, row in zip(x, sx, X, strict=True)]
    return loud, x, Y


def _ask(answers: Answers, shown: str, X: list, W: list) -> tuple[list, list, np.ndarray]:
    call = f"{NAME}({shown})"
    outliers, codes, Y = parts(ask(answers, call, NAME, np.array(X, float), np.array(W, float)), call, PARTS)
    if isinstance(outliers, np.ndarray):
        outliers = outliers.tolist()
    if not isinstance(outliers, list):
        raise Miss(f"{call} returned outliers {short(outliers)}", "a list of column numbers is expected",
                   "`np.flatnonzero(mask)` gives the places where a mask is True")
    return outliers, codes, numbers(Y, (len(X), len(W)), call, "Y")


def _same_columns(spec: Spec, answers: Answers, name: str, shown: str, why: str, advice: str) -> None:
    X, W = spec[name]
    got, want = _ask(answers, shown, X, W)[0], loud_columns(spec, X)
    if got != want:
        few = "too few" if len(got) < len(want) else "too many" if len(got) > len(want) else "others than these"
        raise Miss(f"for {shown} the outliers were {short(got)}: {few}", why, advice)


def found(spec: Spec, answers: Answers) -> None:
    """Which columns."""
    for name in ("first", "second", "plain"):
        _same_columns(spec, answers, name, "a problem", f"a column leaves if its magnitude is {spec['threshold']:g} or more "
                      f"in {spec['words']}", "count, column by column, the tokens in which it is loud")


def signs(spec: Spec, answers: Answers) -> None:
    """Loud and negative."""
    _same_columns(spec, answers, "signs", "a problem with large negative numbers",
                  "loud is a matter of magnitude", "what does your comparison say about a very negative number?")


def edge(spec: Spec, answers: Answers) -> None:
    """Exactly at the threshold."""
    _same_columns(spec, answers, "edge", "a problem with numbers exactly at the threshold",
                  "a magnitude that reaches the threshold is loud already", "`>` or `>=`?")


def codes(spec: Spec, answers: Answers) -> None:
    """The codes of what is left of X."""
    for name in ("first", "second"):
        X, W = spec[name]
        got, want = _ask(answers, "a problem", X, W)[1], multiplied(spec, X, W)[1]
        got = numbers(got, np.shape(want), f"{NAME}(a problem)", "codes")
        if not np.array_equal(got, want):
            raise Miss(f"{int((got != want).sum())} of {got.size} codes of X are others",
                       f"a token's scale is the largest magnitude of what is *left* of it, over {spec['top']}",
                       "take the columns out first, then look for the largest magnitude of each row")


def output(spec: Spec, answers: Answers) -> None:
    """The product."""
    for name in ("first", "second", "plain"):
        X, W = spec[name]
        got, want = _ask(answers, "a problem", X, W)[2], multiplied(spec, X, W)[2]
        if not np.allclose(got, want, rtol=1e-6, atol=1e-6):
            off = np.abs(got - want).max() / np.abs(want).max()
            kind = "a problem without outliers" if name == "plain" else "a problem with outliers"
            raise Miss(f"for {kind}, Y is off by up to {off:.1%} of its largest number",
                       "codes times codes, times the scale of the token and that of the output; plus the outliers in float",
                       "work out both parts for one output by hand; does any column count twice?")


def nothing(spec: Spec, answers: Answers) -> None:
    """Nothing is left of X, or of one token."""
    t = spec["threshold"]
    W = spec["first"][1]
    all_loud = [[2.0 * t + i + j for j in range(CHANNELS)] for i in range(TOKENS)]
    silent = [[0.0] * CHANNELS, *spec["plain"][0][1:]]
    for shown, X in (("a problem in which all columns are loud", all_loud), ("a problem with a token of zeros", silent)):
        got, want = _ask(answers, shown, X, W)[2], multiplied(spec, X, W)[2]
        if not np.allclose(got, want, rtol=1e-6, atol=1e-6):
            raise Miss(f"for {shown}, Y is wrong", "an empty sum is 0, and a scale of 0 counts as 1",
                       "`max(axis=1, initial=0)` works on rows without numbers; look at where you divide")


def show(spec: Spec, answers: Answers) -> Bars:
    """The first outputs of the example."""
    X, W = spec["shown"]
    mine = yours(lambda: _ask(answers, "the example", X, W)[2])
    want = multiplied(spec, X, W)[2]
    return Bars("Magnitude of Y in the example, token 0", "", [
        (f"output {o}", None if mine is None else abs(float(mine[0][o])), abs(want[0][o])) for o in range(OUTPUTS)])


EXERCISE = Exercise(
    id="10.2", title="The loud columns leave", kind="core", difficulty=3, importance=5, minutes=13,
    objective="You can multiply as LLM.int8() does: integers where they fit, float where they do not.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE, second=SECOND,
    prose="""
A product X Wᵀ is taken in two parts, as LLM.int8() does, with rules of its own:

| what | |
|---|---|
| outlier | a column of X that has a magnitude of <<threshold>> or more in <<words>> |
| float part | the outlier columns of X times the same columns of W, not rounded |
| scales | after the outliers have left: one for each row of X and one for each row of W, the largest magnitude over <<top>>; 1 where that would be 0 |
| codes | what is left over its scale, rounded to nearest (<<bits>> bits) |
| integer part | codes times codes, summed; then times both scales |
| Y | both parts together |

Write `multiply(X, W)`, which returns `(outliers, codes, Y)`: the numbers of the outlier columns in order, in a list; the
codes of X without those columns; and the product. Leave the arrays that you are given as they are.

**Example.** The problem in the cell below has <<example>>.
""",
    hints=("`(np.abs(X) >= t).sum(axis=0)` counts for every column in how many tokens it is loud.",
           "A mask `loud` of columns and its opposite `~loud` cut X and W in the same way.",
           "With `keepdims=True`, `sx * sw.T` has one product of scales per number of Y."),
    given="""
# The example. Change what you like: the checks use other problems.
X = np.array(<<X_text>>)
W = np.array(<<W_text>>)
""",
    head='''
def multiply(X, W):
    """(outliers, codes, Y): the columns in float, the codes of the rest of X, and the product."""
''',
    explanation="The paper takes a column out if one token is loud. How many columns that are depends on how many tokens "
                "are at hand: in the tiny model, most columns of the down matrices for a long text and few for one token.",
    checks=(Check("which columns leave", 1, found), Check("loud and negative", 1, signs),
            Check("exactly at the threshold", 1, edge), Check("the codes of what is left", 1, codes),
            Check("the product", 2, output), Check("nothing left to round", 1, nothing)),
)
