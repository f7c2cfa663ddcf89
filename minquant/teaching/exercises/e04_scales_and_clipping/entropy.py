"""04.3, core: the entropy calibrator on a histogram that is given.

What varies: how many levels the grid has, which bins share a level, which ends are tried, and the unit of the
divergence. Neither merge rule is the one of ``minquant.scaling.calibrators``. The answer hands back every divergence it
found, so that the checks can tell a wrong divergence from a wrong choice.
Source: Migacz, 8-bit Inference with TensorRT, GTC 2017.
"""

from __future__ import annotations

import math

from ..beside import Curves, yours
from ..checking import close, number, side
from ..e05_bit_packing.asking import ask, short
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .entropy_answers import REFERENCE, SECOND, WRONG

NAME, BINS = "best_end", 47


def spec(draw: Draw) -> dict:
    """Rules and histograms of one variant."""
    levels, packed, bits = (draw.choice("levels", (4, 5, 6)), draw.choice("packed", (True, False)),
                            draw.choice("unit", (True, False)))
    drawn = {"levels": levels, "packed": packed, "bits": bits, "first": levels * draw.integer("first", 2, 3),
             "unit": "bits (logarithm to base 2)" if bits else "nats (natural logarithm)",
             "log": "np.log2" if bits else "np.log", "other_log": "np.log" if bits else "np.log2",
             "math_log": "math.log2" if bits else "math.log"}
    drawn |= _rule(levels, packed) | {"other_" + k: v for k, v in _rule(levels, not packed).items()}
    drawn |= {name: _histogram(drawn, draw, name) for name in ("tailed", "holes", "shown")}
    kept, found = best(drawn, drawn["shown"])
    return drawn | {"example": f"{kept} bins, with a divergence of {min(found):.4f}"}


def _rule(levels: int, packed: bool) -> dict:
    """Which bins share a level, in code and in words."""
    if packed:
        return {"level": f"np.minimum(np.arange(kept) // (kept // {levels}), {levels - 1})",
                "bin_level": f"min(j // (kept // {levels}), {levels - 1})",
                "level_words": f"`kept // {levels}` neighbouring bins to each level, in order; the last level also "
                               "takes what is left over"}
    return {"level": f"-(-np.arange(1, kept + 1) * {levels} // kept) - 1",
            "bin_level": f"-(-(j + 1) * {levels} // kept) - 1",
            "level_words": f"bin j belongs to level `ceil((j + 1) * {levels} / kept) - 1`, j counted from 0"}


def _histogram(spec: Spec, draw: Draw, name: str) -> list[int]:
    """Counts that fall off, with a tail, and for "holes" with empty bins in the body; the best end lies inside."""
    for turn in range(1000):
        body = draw.integer(f"{name}{turn}.body", 20, 26)
        counts = [round(900 * math.exp(-3.2 * (i / body) ** 2) * draw.between(f"{name}{turn}.{i}", 0.55, 1.45)) + 1
                  for i in range(body)]
        counts += [draw.integer(f"{name}{turn}.{i}", 1, 12) for i in range(body, BINS)]
        for hole in draw.order(f"{name}{turn}.holes", range(1, spec["first"] - 1))[:5] if name == "holes" else ():
            counts[hole] = 0
        if spec["first"] < best(spec, counts)[0] < BINS:
            return counts
    raise RuntimeError("no histogram in a thousand has its best end inside; widen the ranges they are drawn from")


def level(spec: Spec, j: int, kept: int) -> int:
    """The level that bin j belongs to."""
    levels = spec["levels"]
    return min(j // (kept // levels), levels - 1) if spec["packed"] else -(-(j + 1) * levels // kept) - 1


def divergence(spec: Spec, counts: list[int], kept: int) -> float:
    """KL(P || Q) of the first ``kept`` bins by the rules of the exercise, bin by bin; inf where Q is 0."""
    p, q = [*counts[:kept - 1], sum(counts[kept - 1:])], [0.0] * kept
    for k in range(spec["levels"]):
        bins = [j for j in range(kept) if level(spec, j, kept) == k and counts[j]]
        for j in bins:
            q[j] = sum(counts[i] for i in bins) / len(bins)
    if any(a and not b for a, b in zip(p, q)):
        return math.inf
    total = sum(a / sum(p) * math.log(a / sum(p) * sum(q) / b) for a, b in zip(p, q) if a)
    return total / math.log(2) if spec["bits"] else total


def best(spec: Spec, counts: list[int]) -> tuple[int, list[float]]:
    """(bins kept at the best end, the divergence of every end tried)."""
    found = [divergence(spec, counts, kept) for kept in range(spec["first"], len(counts) + 1)]
    return spec["first"] + found.index(min(found)), found


def gap(spec: Spec) -> list[int]:
    """A histogram whose last bin lies far from the others: ends in between have an empty last bin."""
    body = spec["first"] + spec["levels"] + 1
    return [97 - 3 * i + 5 * (i % 3) for i in range(body)] + [0] * 9 + [4]


def _ask(spec: Spec, answers: Answers, shown: str, counts: list[int]) -> tuple[float, list[float]]:
    call = f"{NAME}({shown})"
    got = ask(answers, call, NAME, counts)
    if not isinstance(got, list) or len(got) != 2:
        raise Miss(f"{call} returned {short(got)}", "a number of bins and a list of divergences are expected",
                   "end the function with `return kept, divergences`")
    found = got[1].tolist() if hasattr(got[1], "tolist") else got[1]
    ends = len(counts) + 1 - spec["first"]
    if not isinstance(found, list) or len(found) != ends or not all(isinstance(d, (int, float)) for d in found):
        raise Miss(f"{call} returned the divergences {short(found)}",
                   f"one number for each of the {ends} ends from {spec['first']} to {len(counts)} is expected",
                   "is an end at which all bins are kept among yours, and are those that are passed over?")
    return number(got[0], call + "[0]"), found


def flat(spec: Spec, answers: Answers) -> None:
    """Bins that are all alike lose nothing when all are kept."""
    counts = [7] * (3 * spec["first"])
    got = _ask(spec, answers, "equal counts", counts)
    if got[0] != len(counts) or not abs(got[1][-1]) < 1e-9:
        raise Miss(f"for {len(counts)} bins of 7 each it kept {got[0]:g}; its divergence for all of them is "
                   f"{got[1][-1]:.4g}", "kept whole, every level spreads its counts over equal bins: P and Q are equal",
                   "print P and Q for the last end; the sum of P log(P / Q) should be 0")


def unclipped(spec: Spec, answers: Answers) -> None:
    """The divergence where all bins are kept."""
    got, want = _ask(spec, answers, "a histogram", spec["tailed"])[1][-1], best(spec, spec["tailed"])[1][-1]
    if not close(got, want, 1e-6):
        raise Miss(f"for a histogram of {BINS} bins, all kept, the divergence was {got:.5g}: {side(got, want)}",
                   "nothing is clipped here; P differs from Q only because the bins of a level share its counts",
                   "print the level of every bin, and P and Q after both are divided by their sums")


def tailed(spec: Spec, answers: Answers) -> None:
    """The divergences of all ends."""
    _compare(spec, answers, "a histogram with a tail", spec["tailed"],
             "P has the sum of all clipped counts in its last bin; Q never saw them; both are made to sum to 1")


def holes(spec: Spec, answers: Answers) -> None:
    """Empty bins get nothing of what their level spreads."""
    _compare(spec, answers, "a histogram with empty bins", spec["holes"],
             "a level spreads its counts over those of its bins that are not empty; an empty bin stays empty in Q")


def passed_over(spec: Spec, answers: Answers) -> None:
    """Ends with an empty last bin while something is clipped."""
    _compare(spec, answers, "a histogram with a gap", gap(spec),
             "an end inside the gap has clipped counts in its last bin of P and nothing in Q: its divergence is "
             "infinite")


def _compare(spec: Spec, answers: Answers, shown: str, counts: list[int], why: str) -> None:
    got, want = _ask(spec, answers, shown, counts)[1], best(spec, counts)[1]
    off = [n for n in range(len(want)) if got[n] != want[n] and not (math.isfinite(want[n])
                                                                     and close(got[n], want[n], 1e-6))]
    if off:
        raise Miss(f"for {shown}, {len(off)} of {len(want)} divergences are not right; the first with "
                   f"{spec['first'] + off[0]} bins kept: {got[off[0]]:.5g}", why,
                   "print P and Q of that end; where P is above 0, Q has to be too")


def chosen(spec: Spec, answers: Answers) -> None:
    """The end belongs to the smallest of the answer's own divergences."""
    for counts in (spec["tailed"], spec["holes"], gap(spec)):
        kept, found = _ask(spec, answers, "a histogram", counts)
        if kept != spec["first"] + found.index(min(found)):
            raise Miss(f"it kept {kept:g} bins, but another end has the smallest of the divergences returned with it",
                       f"the first end tried keeps {spec['first']} bins, the next one bin more",
                       "at which place in your list is the smallest, and how many bins does that end keep?")


def show(spec: Spec, answers: Answers) -> Curves:
    """The divergence over the end for the example, the learner's beside ours."""
    counts = spec["shown"]
    mine = yours(lambda: _ask(spec, answers, "the example", counts))
    drawable = [("Yours", mine[1])] if mine and all(map(math.isfinite, mine[1])) else []
    return Curves("The example: divergence over the number of bins kept", "bins kept",
                  "bits" if spec["bits"] else "nats", list(range(spec["first"], BINS + 1)),
                  [("Spec", best(spec, counts)[1]), *drawable], yours=mine[0] if mine else None)


EXERCISE = Exercise(
    id="04.3", title="An entropy calibrator", kind="core", difficulty=4, importance=3, minutes=15,
    objective="You can write the entropy calibrator, and say what it looks at and what it does not.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE, second=SECOND,
    prose="""
A histogram of magnitudes is put on a grid of <<levels>> levels. Try ends, and keep the one that loses the least:

| what | |
|---|---|
| ends tried | `kept` = <<first>>, <<first>> + 1, ... up to all bins |
| P | the first `kept` counts; the sum of all counts beyond is added to the last of them |
| levels | <<level_words>> |
| Q | the first `kept` counts *without* that sum, spread (see below) |
| divergence | the sum of `P log(P / Q)` over the bins with P above 0, in <<unit>> |
| passed over | an end at which some bin has P above 0 and Q = 0: its divergence is infinite, `math.inf` |
| best | the smallest divergence; of equals, the smallest `kept` |

Q is spread so: each level divides its counts evenly among those of its bins that are not empty, and empty bins stay 0.
Before the divergence is taken, P and Q are divided by their own sums.

Write `best_end(counts)`, which returns `(kept, divergences)`: the best end, and a list with the divergence of every end
in the order tried. `counts` is a list of whole numbers; `np` is NumPy.

**Example.** The histogram in the cell below keeps <<example>>.
""",
    hints=("Write the divergence of *one* end first; `np.bincount(level, counts)` adds up the counts of each level.",
           "`np.bincount(level, filled)` with `filled = counts > 0` counts the bins that share them.",
           "Take the first bins before you change the last one, and change a copy."),
    given="""
# The example's histogram. Change what you like: the checks use others.
example = <<shown>>
""",
    head='''
def best_end(counts):
    """(kept, divergences): the end of the histogram that loses the least, and what each end loses."""
''',
    explanation="Look at what the divergence never sees: how far beyond the end the clipped numbers lay. Their mass "
                "moves to the last bin, whether they were just beyond or a hundred times larger.",
    checks=(Check("equal counts lose nothing", 1, flat), Check("all bins kept", 1, unclipped),
            Check("a tail that is clipped", 1, tailed), Check("empty bins", 1, holes),
            Check("ends that are passed over", 1, passed_over), Check("the smallest is chosen", 1, chosen)),
)
