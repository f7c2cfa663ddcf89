"""12.5, stretch: attention of one query whose two products are products of whole numbers.

What varies: bits of queries and keys, bits of probabilities and values, what is taken off the keys first, and how the
probabilities are scaled.
Source of the idea: SageAttention, Zhang et al. 2024, arXiv 2410.02367, sections 4.2 and 4.3.
"""

from __future__ import annotations

import math
from statistics import fmean, median

from ..beside import Bars, yours
from ..e05_bit_packing.asking import ask, short
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw
from . import rows
from .attend_answers import CENTERS, PROBABILITIES, REFERENCE, SECOND, WRONG

NAME, CHANNELS, KEYS = "attend", 4, 6
SLIPS = ("query", "scale", "center")  # operands that give one of them the right output would let the mistake pass


def spec(draw: Draw) -> dict:
    """The rules and the operands of one variant."""
    center, scaled = draw.choice("center", tuple(CENTERS)), draw.choice("scaled", tuple(PROBABILITIES))
    drawn = {"top": 2 ** (draw.choice("bits", (4, 5, 6)) - 1) - 1,
             "p_top": 2 ** (draw.choice("p_bits", (5, 6, 7)) - 1) - 1, "center": center, "scaled": scaled}
    drawn |= CENTERS[center] | PROBABILITIES[scaled]
    drawn["scaled_words"] = drawn["scaled_words"].format(**drawn)
    for name in ("first", "second", "shown"):
        drawn[name] = _operands(drawn, draw, name)
    scores, out = attended(drawn, *drawn["shown"])
    q, K, V = drawn["shown"]
    return drawn | {"channels": CHANNELS, "root": f"{math.sqrt(CHANNELS):g}", "q": q, "K": rows.literal(K, 4),
                    "V": rows.literal(V, 4), "example_scores": [round(s, 4) for s in scores],
                    "example_out": [round(v, 4) for v in out]}


def _operands(spec: Spec, draw: Draw, name: str) -> tuple[list[float], rows.Rows, rows.Rows]:
    """q, K and V; keys with much in common, probabilities that are spread."""
    for turn in range(3000):
        q = rows.drawn(draw, f"{name}{turn}.q", 1, CHANNELS, 3.0)[0]
        K, V = (rows.drawn(draw, f"{name}{turn}.{part}", KEYS, CHANNELS, 2.5) for part in "KV")
        shared = [round(draw.between(f"{name}{turn}.shared{j}", -6, 6), 2) for j in range(CHANNELS)]
        K = [[round(v + s, 2) for v, s in zip(row, shared)] for row in K]
        try:
            scores, out = attended(spec, q, K, V)
            attended(spec, q, [[v + 3.0 for v in row] for row in K], V)
            slipped = [attended(spec, q, K, V, slip)[1] for slip in SLIPS]
        except ArithmeticError:
            continue
        if 1.0 < max(scores) - min(scores) < 4.0 and all(
                max(abs(a - b) for a, b in zip(out, other)) > 1e-3 for other in slipped):
            return q, K, V
    raise RuntimeError("no operands in three thousand are clear of half-way cases; draw other numbers")


def _center(spec: Spec, column: list[float]) -> float:
    return {"mean": fmean, "median": median, "middle": lambda c: (min(c) + max(c)) / 2}[spec["center"]](column)


def attended(spec: Spec, q: list[float], K: rows.Rows, V: rows.Rows, slip: str = "") -> tuple[list[float], list[float]]:
    """(scores, output) by the rules of the exercise, number by number; or with a query in float, one scale for all keys,
    nothing taken off."""
    off = [0.0 if slip == "center" else _center(spec, c) for c in rows.columns(K)]
    K = [[v - o for v, o in zip(row, off)] for row in K]
    sq, cq = (1.0, q) if slip == "query" else rows.symmetric(q, spec["top"])
    everyone = max(abs(v) for row in K for v in row) / spec["top"]
    scores = []
    for row in K:
        sk, ck = rows.symmetric(row, spec["top"]) if slip != "scale" else (everyone, [round(v / everyone) for v in row])
        scores.append(sum(a * b for a, b in zip(cq, ck)) * sq * sk / math.sqrt(len(q)))
    e = [math.exp(s - max(scores)) for s in scores]
    p = [v / sum(e) for v in e]
    sp = (max(p) if spec["scaled"] == "row" else 1.0) / spec["p_top"]
    cp = [rows.whole(v / sp) for v in p]
    out = []
    for column in rows.columns(V):
        sv, cv = rows.symmetric(column, spec["p_top"])
        out.append(sum(a * b for a, b in zip(cp, cv)) * sp * sv)
    return scores, out


def _asked(answers: Answers, shown: str, q: list[float], K: rows.Rows, V: rows.Rows) -> list:
    call = f"{NAME}({shown})"
    got = ask(answers, call, NAME, q, K, V)
    if not isinstance(got, list) or len(got) != 2:
        raise Miss(f"{call} returned {short(got, 3)}", "two lists are expected: scores, and the output",
                   "end the function with `return scores, out`")
    return got


def _compare(spec: Spec, answers: Answers, part: int, what: str, why: str, advice: str) -> None:
    """A point for each set of operands."""
    earned, told = 0, None
    for name in ("first", "second"):
        try:
            got = _asked(answers, "q, K, V", *spec[name])[part]
            rows.check_rows([got.tolist() if hasattr(got, "tolist") else got], [attended(spec, *spec[name])[part]],
                            "q, K, V", what, why, advice)
            earned += 1
        except Miss as miss:
            told = told or miss
    if told:
        raise Miss(told.what, told.why, told.advice, earned)


def scored(spec: Spec, answers: Answers) -> None:
    """The scores."""
    _compare(spec, answers, 0, "scores", "a score is a sum of products of codes, times both scales, over the root of the "
             "number of channels", "print the codes of q and of one key, and do one score by hand")


def common(spec: Spec, answers: Answers) -> None:
    """What all keys have in common changes nothing."""
    q, K, V = spec["first"]
    before = _asked(answers, "q, K, V", q, K, V)[0]
    after = _asked(answers, "q, K + 3, V", q, [[v + 3.0 for v in row] for row in K], V)[0]
    before, after = (rows.as_rows([s.tolist() if hasattr(s, "tolist") else s], "q, K, V", "scores", 1, KEYS)[0]
                     for s in (before, after))
    want = attended(spec, q, K, V)[0]
    if max(abs(a - b) for a, b in zip(after, before)) > 1e-6 or max(abs(a - b) for a, b in zip(before, want)) > 1e-6:
        raise Miss("scores changed when 3 was added to every number of every key", "what all keys have in common is taken "
                   "off before they are rounded, so that no scale sees it", "take it off the keys, and not off the scores")


def output(spec: Spec, answers: Answers) -> None:
    """The output."""
    _compare(spec, answers, 1, "outputs", "probabilities and values are rounded too, and a channel of the values has a "
             "scale of its own", "if the scores are right, look at the two scales of the second product")


def equal_keys(spec: Spec, answers: Answers) -> None:
    """All keys alike: nothing is left of them."""
    q, _, V = spec["second"]
    got = _asked(answers, "q, equal keys, V", q, [[2.0, -1.0, 4.0, 0.5]] * KEYS, V)[0]
    got = got.tolist() if hasattr(got, "tolist") else got
    rows.check_rows([got], [[0.0] * KEYS], "equal keys", "scores",
                    "nothing is left of equal keys: their scale is 1, their codes and scores are 0", "where do you divide?")


def show(spec: Spec, answers: Answers) -> Bars:
    """The magnitudes of the example's output."""
    mine = yours(lambda: _asked(answers, "the example", *spec["shown"])[1])
    mine = mine.tolist() if hasattr(mine, "tolist") else mine
    return Bars("Magnitudes of the example's output", "", [
        (f"channel {j}", abs(mine[j]) if mine else None, abs(v)) for j, v in enumerate(attended(spec, *spec["shown"])[1])])


EXERCISE = Exercise(
    id="12.5", title="Attention in whole numbers", kind="stretch", difficulty=4, importance=3, minutes=30,
    objective="You can compute attention with products of codes, and know why something is taken off the keys first.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE, second=SECOND,
    prose="""
One query q of <<channels>> numbers looks at the rows of K and adds up the rows of V. Both products are to be products of
codes:

| what | |
|---|---|
| keys | <<center_words>> is taken off every key first |
| codes of q, and of each key | nearest whole numbers to x / scale; the scale is its own largest magnitude over <<top>>, 1 where all are zero |
| score of a key | the sum of the products of codes, times both scales, over <<root>> (the root of <<channels>>) |
| p | softmax of the scores, in float |
| codes of p | nearest whole numbers to p / scale; the scale is <<scaled_words>> |
| codes of V | a scale for each **column**: its largest magnitude over <<p_top>>, 1 where all are zero |
| output of a channel | the sum of the products of codes of p and of its column, times both scales |

Write `attend(q, K, V)`, which returns `(scores, out)`. q is a list, K and V are lists of rows; `np` is NumPy; arrays may
be returned.

**Example.** The operands in the cell below have the scores (rounded) <<example_scores>> and the output <<example_out>>
""",
    hints=("A function that gives codes and scales of an array along an axis serves q, K and V.",
           "`np.rint` rounds; `keepdims=True` keeps an axis to divide along."),
    given="""
# The example's operands. Change what you like: the checks use others.
q = <<q>>
K = <<K>>
V = <<V>>
""",
    head='''
def attend(q, K, V):
    """(scores, out) of one query, both products in codes."""
''',
    explanation="Softmax does not notice a number that is added to all scores, and such a number is all that the common part "
                "of the keys adds. A scale does notice it: it is stretched for what tells nothing.",
    checks=(Check("the scores", 2, scored), Check("what keys have in common", 1, common), Check("the output", 2, output),
            Check("equal keys", 1, equal_keys)),
)
