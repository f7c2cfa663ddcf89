"""07.3, core: KL between two models, from logits of any size.

What varies: which model comes first, the temperature, the unit, and the one figure that stands for all positions.
The checks that look at a property ask the answer twice and compare it with itself. So an answer in the wrong unit can
still show that huge logits do not break it.
All logits are multiples of a power of two, so float32 holds them exactly, also after the checks have shifted them.
Source: Kullback and Leibler 1951, doi:10.1214/aoms/1177729694.
"""

from __future__ import annotations

import math
import statistics

import numpy as np

from ..beside import Bars, yours
from ..checking import close, number, side
from ..e05_bit_packing.asking import ask, short
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .kl_answers import REFERENCE, SECOND, WRONG

NAME, POSITIONS, WORDS = "kl", 5, 6
TEMPERATURES = (0.6, 0.7, 0.8, 1.2, 1.5, 1.8)
FIGURES = {"mean": ("np.mean", statistics.fmean, "np.median"),
           "median": ("np.median", statistics.median, "np.max"), "largest": ("np.max", max, "np.mean")}
WHY_FINITE = "two softmaxes without tokens of probability 0 have a finite KL, however large the logits are"
ADVICE_FINITE = "which of your steps takes a power of something large, or the logarithm of something that became 0?"


def spec(draw: Draw) -> dict:
    """Rules and logits of one variant."""
    order = ("floats", "rounded") if draw.choice("floats_first", (True, False)) else ("rounded", "floats")
    figure, bits = draw.choice("figure", tuple(FIGURES)), draw.choice("bits", (True, False))
    drawn = {"first": order[0], "second": order[1], "temperature": draw.choice("temperature", TEMPERATURES),
             "unit": "bits" if bits else "nats", "unit_base": "2" if bits else "math.e",
             "other_base": "math.e" if bits else "2", "figure": figure, "numpy": FIGURES[figure][0],
             "other_numpy": FIGURES[figure][2]}
    for name in ("tested", "shown"):
        drawn[name] = [[draw.integer(f"{name}.{i}.{j}", -200, 200) / 64 for j in range(WORDS)]
                       for i in range(POSITIONS)]
        drawn[name + "_rounded"] = [[value + draw.integer(f"{name}.{i}.{j}.off", -60, 60) / 64
                                     for j, value in enumerate(row)] for i, row in enumerate(drawn[name])]
    each, single = right(drawn, drawn["shown"], drawn["shown_rounded"])
    texts = {name: ",\n    ".join(str(row) for row in drawn[name]) for name in ("shown", "shown_rounded")}
    return drawn | {"code": texts["shown"], "code_rounded": texts["shown_rounded"],
                    "example": f"[{', '.join(f'{value:.4f}' for value in each)}] and {single:.4f}"}


def _log_shares(scores: list[float], temperature: float) -> list[float]:
    top = max(scores)
    total = math.log(math.fsum(math.exp((score - top) / temperature) for score in scores))
    return [(score - top) / temperature - total for score in scores]


def right(spec: Spec, floats: list, rounded: list) -> tuple[list[float], float]:
    """KL of every position, and their figure, by the rules of the exercise: number by number."""
    first, second = (floats, rounded) if spec["first"] == "floats" else (rounded, floats)
    each = []
    for row, other in zip(first, second, strict=True):
        log_p, log_q = (_log_shares(scores, spec["temperature"]) for scores in (row, other))
        nats = math.fsum(math.exp(a) * (a - b) for a, b in zip(log_p, log_q, strict=True) if a > -math.inf)
        each.append(nats / math.log(2) if spec["unit"] == "bits" else nats)
    return each, FIGURES[spec["figure"]][1](each)


def _ask(answers: Answers, floats: list, rounded: list, shown: str, why: str = WHY_FINITE,
         advice: str = ADVICE_FINITE) -> tuple[list[float], float]:
    """What the answer gives for two lists of logits: a finite number for every position, and one for all."""
    call = f"{NAME}({shown})"
    got = ask(answers, call, NAME, *(np.array(scores, np.float32) for scores in (floats, rounded)))
    each = got[0] if isinstance(got, list) and len(got) == 2 else None
    each = each.tolist() if isinstance(each, np.ndarray) else each
    if not isinstance(each, list) or len(each) != len(floats):
        raise Miss(f"{call} returned {short(got)}",
                   f"a KL for each of {len(floats)} positions, and one number for all, are expected",
                   "end the function with `return each, one`, where each has one entry per position")
    for place, value in enumerate((*each, got[1])):
        where = f" at position {place}" if place < len(each) else " for all positions"
        if isinstance(value, float) and not math.isfinite(value):
            raise Miss(f"{call} returned {value}{where}", why, advice)
        number(value, call + where)
    return each, got[1]


def equal(spec: Spec, answers: Answers) -> None:
    """A model and itself, also with all logits of a position moved."""
    floats, rounded = spec["tested"], spec["tested_rounded"]
    moved = [[value + n - 2 for value in row] for n, row in enumerate(floats)]
    for other, words in ((floats, "with itself"), (moved, "with itself, a constant added to the logits of a position")):
        each, _ = _ask(answers, floats, other, "a model and itself")
        if any(abs(value) > 1e-5 for value in each):
            raise Miss(f"a model compared {words} got {short([float(f'{v:.3g}') for v in each])}",
                       "the same probabilities have a KL of 0, and a constant changes no probability",
                       "print the probabilities of one position: do they sum to 1, and over which axis?")
    if any(value < 1e-6 for value in _ask(answers, floats, rounded, "two models")[0]):
        raise Miss("two different models got a KL of 0, or less", "KL is 0 where two models agree, and above elsewhere",
                   "is anything subtracted from itself?")


def direction(spec: Spec, answers: Answers) -> None:
    """Two tokens: both possible for one model, only one of them for the other."""
    open_, closed = [[0.0, 0.0]], [[0.0, -20.0]]
    forward = _ask(answers, open_, closed, "[[0, 0]], [[0, -20]]")[0][0]
    back = _ask(answers, closed, open_, "[[0, -20]], [[0, 0]]")[0][0]
    larger, smaller = (forward, back) if spec["first"] == "floats" else (back, forward)
    if not larger > smaller:
        raise Miss(f"the float model held two tokens possible, the rounded one only one: {forward:.3g}; the other way "
                   f"round: {back:.3g}",
                   f"the expectation is over what {_model(spec['first'])} says; it is large where that holds possible "
                   "what the other excludes", "whose probabilities stand in front of the bracket?")


def _model(name: str) -> str:
    return {"floats": "the float model", "rounded": "the rounded model"}[name]


def every(spec: Spec, answers: Answers) -> None:
    """The KL of each position."""
    floats, rounded = spec["tested"], spec["tested_rounded"]
    got, want = (_ask(answers, floats, rounded, "drawn logits")[0], right(spec, floats, rounded)[0])
    off = [i for i in range(POSITIONS) if not close(got[i], want[i], 1e-4)]
    if off:
        raise Miss(f"{len(off)} of {POSITIONS} positions are not right; at position {off[0]} the KL was "
                   f"{got[off[0]]:.5g}: {side(got[off[0]], want[off[0]])}",
                   f"it is a sum over the vocabulary, at temperature {spec['temperature']}, in {spec['unit']}",
                   "work out one position of the example by hand, with three lines of NumPy")


def huge(spec: Spec, answers: Answers) -> None:
    """Logits in the thousands, on either side of 0: the same probabilities."""
    floats, rounded = spec["tested"], spec["tested_rounded"]
    plain = _ask(answers, floats, rounded, "drawn logits")[0]
    for shift in (4096, -4096):
        moved = [[[value + sign * shift for value in row] for row in scores]
                 for scores, sign in ((floats, 1), (rounded, -1))]
        shown = f"{shift:+d} on the float model's logits and {-shift:+d} on the other's"
        got = _ask(answers, *moved, shown, "a constant on all logits of a position changes no probability, but the "
                   "power of a large number is infinite, and that of a very small one is 0",
                   "which constant could you subtract from the logits of a position before you take powers?")[0]
        if any(not close(a, b, 1e-6) or abs(b) < 1e-6 for a, b in zip(got, plain, strict=True)):
            raise Miss(f"with {shown}, position 0 went from {plain[0]:.5g} to {got[0]:.5g}",
                       "a constant on all logits of a position changes no probability",
                       "print the probabilities before and after")


def apart(spec: Spec, answers: Answers) -> None:
    """A token whose probability is no float any more, but whose logarithm is an ordinary number."""
    found = []
    for gap in (2048, 4096, 6144):
        pair = [[0.0, 0.0]], [[0.0, -float(gap)]]
        found.append(max(_ask(answers, *(pair if way else pair[::-1]), f"logits {gap} apart")[0][0] for way in (0, 1)))
    steps = found[1] - found[0], found[2] - found[1]
    if not (steps[0] > 100 and close(steps[1], steps[0], 1e-6)):
        raise Miss("with two logits 2048, 4096 and 6144 apart in one model and equal in the other, the larger KL of "
                   f"the two directions was {', '.join(f'{value:.5g}' for value in found)}",
                   "the logarithm of a probability falls as fast as the logit, without end, also where the "
                   "probability itself is no number above 0 any more",
                   "log(softmax(x)) can be written without taking the logarithm of a probability")


def excluded(spec: Spec, answers: Answers) -> None:
    """Tokens that both models exclude change nothing."""
    floats, rounded = spec["tested"], spec["tested_rounded"]
    plain = _ask(answers, floats, rounded, "drawn logits")[0]
    more = [[[*row[:2], -math.inf, *row[2:]] for row in scores] for scores in (floats, rounded)]
    got = _ask(answers, *more, "one token with logit -inf in both models",
               "a token that both models exclude is no possibility, and adds 0 to the sum",
               "0 times anything infinite is not a number: leave out what has probability 0")[0]
    if any(not close(a, b, 1e-6) or abs(b) < 1e-6 for a, b in zip(got, plain, strict=True)):
        raise Miss(f"one more token, with logit -inf in both models, changed position 0 from {plain[0]:.5g} to "
                   f"{got[0]:.5g}", "a token that both models exclude adds nothing to the sum",
                   "print the term that this token adds")


def tiny(spec: Spec, answers: Answers) -> None:
    """Twice so small a change has four times the KL."""
    floats, found = spec["tested"], []
    for change in (2**-14, 2**-13):
        rounded = [[value + (j == n % WORDS) * change for j, value in enumerate(row)] for n, row in enumerate(floats)]
        found.append(_ask(answers, floats, rounded, f"one logit changed by {change:.2g}")[0])
    for n, (one, two) in enumerate(zip(*found, strict=True)):
        if not (one > 0 and abs(two / one - 4) < 0.05):
            raise Miss(f"one logit of position {n} changed by 2^-14 and by 2^-13; the KL was {one:.3g} and {two:.3g}",
                       "near 0 KL grows with the square of the change, so the second should be four times the first",
                       "the logits are float32, with seven digits; in which type do you compute?")


def one_figure(spec: Spec, answers: Answers) -> None:
    """The figure for all positions is that of the answer's own list."""
    each, got = _ask(answers, spec["tested"], spec["tested_rounded"], "drawn logits")
    if not close(got, FIGURES[spec["figure"]][1](each), 1e-6):
        raise Miss(f"for {POSITIONS} positions the second result was {got:.5g}",
                   f"that is not the {spec['figure']} of the list returned with it", "compute it from your own list")


def show(spec: Spec, answers: Answers) -> Bars:
    """The KL of each position of the example."""
    got = yours(lambda: _ask(answers, spec["shown"], spec["shown_rounded"], "the example"))
    each, single = right(spec, spec["shown"], spec["shown_rounded"])
    rows = [(f"position {i}", got and got[0][i], value) for i, value in enumerate(each)]
    return Bars("The example: KL of each position, and of all", spec["unit"],
                [*rows, (f"the {spec['figure']}", got and got[1], single)])


EXERCISE = Exercise(
    id="07.3", title="KL from logits", kind="core", difficulty=3, importance=5, minutes=15,
    objective="You can compute a KL from logits so that neither huge nor tiny numbers break it.",
    spec=spec, show=show, reference=REFERENCE, second=SECOND, wrong=WRONG,
    prose="""
Two models have read the same text. Write `kl(floats, rounded)`: how far apart are they?

| what | |
|---|---|
| `floats`, `rounded` | logits of the float model and of the rounded one: float32 arrays (positions, vocabulary) |
| probabilities | the softmax of the logits divided by <<temperature>> (the temperature) |
| KL of a position | the sum over the vocabulary of `p * (log p - log q)`, in <<unit>> |
| p and q | p is what `<<first>>` says, q what `<<second>>` says |
| result | `(each, one)`: a list or an array with the KL of every position, and the <<figure>> of them |

- Logits may be large, such as 5,000 or -5,000, and far apart. The result must still be right.
- A logit may be `-inf`, in both models for the same token: it is excluded, and adds nothing.
- The two models may be so much alike that only float64 can tell them apart.

**Example.** The logits in the cell below give <<example>>.
""",
    hints=("Write log_softmax as a function of its own, with the temperature in it, and use it twice.",
           "The logarithm of a softmax is the logits minus one number per position: no logarithm of a probability is "
           "needed. Subtract the largest logit first.",
           "`np.where(p > 0, a, 0)` is 0 where p is, whatever a is there."),
    given="""
# The example. Change what you like: the checks use other logits.
floats = np.array([
    <<code>>], np.float32)
rounded = np.array([
    <<code_rounded>>], np.float32)
""",
    head='''
def kl(floats, rounded):
    """(KL of every position, one figure for all of them) from logits of shape (positions, vocabulary)."""
''',
    explanation="Which model comes first is a choice that has to be named: with p from the float model, KL is what a "
                "text drawn from the float model would cost the rounded one more. A mean hides that most positions "
                "hardly move and a few move a lot, which is why llama.cpp prints quantiles and the largest value too. "
                "The tiny change is below the rounding errors of a sum in float32; they would be this instrument's "
                "floor.",
    checks=(Check("equal models have a KL of 0", 1, equal), Check("which model comes first", 1, direction),
            Check("every position", 2, every), Check("huge logits", 1, huge),
            Check("logits far apart", 1, apart), Check("tokens that both exclude", 1, excluded),
            Check("a tiny change", 1, tiny), Check("the figure for all positions", 1, one_figure)),
)
