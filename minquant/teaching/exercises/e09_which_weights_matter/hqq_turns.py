"""09.5, stretch: the turns of HQQ, with a zero point that is no whole number.

What varies: bits, the exponent p, beta and its growth, the number of turns, and whether errors are counted in steps of
the grid or as they are. The answer hands back the measure after every turn, so that the turn at which it goes astray
can be seen.
Source: Badri and Shaji, "Half-Quadratic Quantization of Large Machine Learning Models", Mobius Labs 2023
(mobiusml.github.io/hqq_blog), and their code, hqq/core/optimize.py, optimize_weights_proximal_legacy.
"""

from __future__ import annotations

import numpy as np

from ..beside import Curves, yours
from ..e05_bit_packing.asking import ask
from ..e08_repairing_rounding.arrays import Rows, drawn_rows, literal, numbers, parts
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .hqq_turns_answers import REFERENCE, SECOND, WRONG

NAME, LENGTH, CLEAR = "hqq_turns", 8, 1e-6  # CLEAR: how far, in steps, every quotient stays from a half-way case


def spec(draw: Draw) -> dict:
    """The rules of one variant, and the matrices of the checks."""
    in_steps, bits = draw.choice("in_steps", (True, False)), draw.choice("bits", (2, 3))
    # Errors as they are are small beside steps, and smaller with more bits: a larger beta leaves something of them.
    beta = draw.choice("beta", (4, 6, 8, 10)) * (1 if in_steps else bits)
    drawn = {"bits": bits, "top": 2**bits - 1, "in_steps": in_steps, "beta": beta,
             "p": draw.choice("p", (0.6, 0.7, 0.8, 0.9)), "kappa": draw.choice("kappa", (1.1, 1.2, 1.3, 1.5)),
             "turns": draw.integer("turns", 4, 8), "unit": "scale" if in_steps else "1",
             "other_unit": "1" if in_steps else "scale", "divided": " / scale" * in_steps,
             "back": " * scale" * in_steps,
             "unit_words": "x / scale, a number of steps" if in_steps else "x itself, in units of the weights",
             "result_words": "scale * shrink(x / scale)" if in_steps else "shrink(x)"}
    drawn |= {name: _rows(drawn, draw, name, rows) for name, rows in {"first": 4, "second": 6, "shown": 2}.items()}
    zero, measure, _ = turned(drawn, drawn["shown"])
    return drawn | {"W_text": literal(drawn["shown"], 13),
                    "example": f"zero points of {zero[0]:.4f} and {zero[1]:.4f}. The measures of its first row begin "
                               f"at {measure[0, 0]:.4f}, and the smallest of them is {measure[:, 0].min():.4f}"}


def _rows(spec: Spec, draw: Draw, name: str, rows: int) -> Rows:
    """Rows with an outlier each. The first row is best off after one of the middle turns, the second after the last."""
    for attempt in range(100):
        tried = [_row(draw, f"{name}{attempt}.{n}") for n in range(50)]
        _, measure, apart = turned(spec, tried)
        best, gained = measure.argmin(axis=0), measure.min(axis=0) < 0.99 * measure[0]
        sound = apart > CLEAR
        middle, last = (np.flatnonzero(sound & gained & when)
                        for when in (best < spec["turns"], best == spec["turns"]))
        if len(middle) and len(last):
            picked = [int(middle[0]), int(last[0])]
            others = [n for n in np.flatnonzero(sound).tolist() if n not in picked]
            return [tried[n] for n in picked + others[:rows - 2]]
    raise RuntimeError("five thousand rows hold too few that gain by the turns; draw other numbers")


def _row(draw: Draw, name: str) -> list[float]:
    """Small numbers, and one outlier."""
    row = drawn_rows(draw, name, 1, LENGTH, -1, 1)[0]
    row[draw.integer(f"{name}.where", 0, LENGTH - 1)] = round(draw.between(f"{name}.far", 1.5, 2.5), 2)
    return row


def turned(spec: Spec, W: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(zero, measure, distance from half-way cases), by the rules of the exercise; zero and distance one per row."""
    W = np.array(W, float)
    scale = np.ptp(W, axis=1, keepdims=True) / spec["top"]
    scale[scale == 0] = 1
    unit, beta = scale if spec["in_steps"] else 1.0, spec["beta"]
    zeros, measure, apart = [-W.min(axis=1, keepdims=True) / scale], [], []
    for _ in range(spec["turns"] + 1):
        place = W / scale + zeros[-1]
        codes = np.rint(place).clip(0, spec["top"])
        x = W - scale * (codes - zeros[-1])
        measure.append((np.abs(x) ** spec["p"]).sum(axis=1))
        apart.append(np.abs(place % 1 - 0.5).min(axis=1))
        E = unit * _shrunk(x / unit, beta, spec["p"])
        zeros.append((codes - (W - E) / scale).mean(axis=1, keepdims=True))
        beta *= spec["kappa"]
    best = np.argmin(measure, axis=0)
    return np.array(zeros)[best, np.arange(len(W)), 0], np.array(measure), np.min(apart, axis=0)


def _shrunk(x: np.ndarray, beta: float, p: float) -> np.ndarray:
    """What of the errors x is written off."""
    size = np.abs(x)
    return np.sign(x) * np.maximum(size - np.where(size > 0, size, 1) ** (p - 1) / beta, 0)


def measured(spec: Spec, W: Rows, zero: np.ndarray) -> np.ndarray:
    """The measure of rows whose grids have these zero points, (rows,)."""
    W = np.array(W, float)
    scale = np.ptp(W, axis=1) / spec["top"]
    scale[scale == 0] = 1
    codes = np.rint(W / scale[:, None] + zero[:, None]).clip(0, spec["top"])
    return (np.abs(W - scale[:, None] * (codes - zero[:, None])) ** spec["p"]).sum(axis=1)


def _ask(spec: Spec, answers: Answers, shown: str, W: Rows) -> tuple[np.ndarray, np.ndarray]:
    call = f"{NAME}({shown})"
    zero, measure = parts(ask(answers, call, NAME, np.array(W)), call, ("zero", "measure"))
    return (numbers(zero, (len(W),), call, "zero points"),
            numbers(measure, (spec["turns"] + 1, len(W)), call, "measures"))


def nearest(spec: Spec, answers: Answers) -> None:
    """Before the first turn."""
    _compare(spec, answers, slice(0, 1), "before the first turn",
             "the grid goes from the smallest to the largest number of a row; the measure is the sum of |x|^p",
             "round one row by hand, and write down x for each weight")


def first(spec: Spec, answers: Answers) -> None:
    """The first turn."""
    _compare(spec, answers, slice(1, 2), "after one turn",
             "the codes stay while the zero point goes to the mean of code - (w - E) / scale; then W is rounded anew",
             "print x beside E, the part of it that is written off: most of a large x, nothing of a small one")


def later(spec: Spec, answers: Answers) -> None:
    """All other turns."""
    _compare(spec, answers, slice(2, None), "in a later turn",
             f"every turn starts from the last one's grid, with a beta that is {spec['kappa']} times as large",
             "which of W, codes, zero point, E and beta change from turn to turn in your loop?")


def _compare(spec: Spec, answers: Answers, turns: slice, when: str, why: str, advice: str) -> None:
    for name in ("first", "second"):
        got, want = _ask(spec, answers, f"{len(spec[name])} rows", spec[name])[1], turned(spec, spec[name])[1]
        off = np.argwhere(~np.isclose(got[turns], want[turns], rtol=1e-6))
        if len(off):
            row = int(off[0, 1])
            raise Miss(f"{when}, the measure of row {row} is {got[turns][tuple(off[0])]:.5g}, which is not right", why,
                       advice)


def best(spec: Spec, answers: Answers) -> None:
    """The zero point of each row is the best it had."""
    for name in ("first", "second"):
        zero, measure = _ask(spec, answers, f"{len(spec[name])} rows", spec[name])
        own = measured(spec, spec[name], zero)
        off = np.flatnonzero(~np.isclose(own, measure.min(axis=0), rtol=1e-6))
        if len(off):
            r = int(off[0])
            raise Miss(f"row {r} rounded with the zero point returned has a measure of {own[r]:.5g}, and the smallest "
                       f"of those returned is {measure[:, r].min():.5g}", "of all turns, each row keeps the best one, "
                       "and rows differ in which that is", "keep a zero point and a measure for each row; when does a "
                       "turn replace them, and is it the zero point that was measured?")


def on_grid(spec: Spec, answers: Answers) -> None:
    """Rows that lie on their grid, and a row of equal numbers."""
    top = spec["top"]
    grid = [[0.25 * (i % (top + 1)) - 0.5 for i in range(LENGTH)], [0.75] * LENGTH]
    zero, measure = _ask(spec, answers, "a row that lies on its grid, and a row of equal numbers", grid)
    if measure.max() > 1e-6 or measured(spec, grid, zero).max() > 1e-6:
        raise Miss(f"rows that lie on their grid have a measure of {measure.max():.4g}",
                   "nothing is rounded there; the scale of a row of equal numbers is 1",
                   "what is 0 to the power of p - 1, and what shall shrink(0) be?")


def show(spec: Spec, answers: Answers) -> Curves:
    """The measure of the first row of the example over the turns."""
    want = turned(spec, spec["shown"])[1][:, 0].tolist()
    mine = yours(lambda: _ask(spec, answers, "the example", spec["shown"])[1][:, 0].tolist())
    return Curves("The example: the measure of its first row", "turn", "sum of |x|^p",
                  list(range(spec["turns"] + 1)), [("Spec", want), *([("Yours", mine)] if mine else [])])


EXERCISE = Exercise(
    id="09.5", title="A grid that moves", kind="stretch", difficulty=4, importance=3, minutes=30,
    objective="You can write the half-quadratic turns of HQQ.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE, second=SECOND,
    prose="""
HQQ looks at no inputs. It moves the grid of each group until most weights are close to it, and lets a few be far. Each
row of W is a group here, and its zero point need not be a whole number.

| what | |
|---|---|
| scale | (largest - smallest number of the row) / <<top>>; 1 for a row of equal numbers; it stays as it is |
| zero point | at first: minus the smallest number over the scale, not rounded |
| codes | w / scale + zero, rounded (ties to even), clipped to 0 .. <<top>> |
| x | w - scale * (code - zero): the error |
| measure | the sum of \\|x\\|^<<p>> over the row |
| shrink(x) | sign(x) * max(\\|x\\| - \\|x\\|^(<<p>> - 1) / beta, 0), and 0 for x = 0 |
| E | <<result_words>>: it counts <<unit_words>> |
| a turn | the zero point becomes the mean over the row of code - (w - E) / scale |
| turns | <<turns>>, each with the codes and errors of the zero point before it |
| beta | <<beta>> in the first turn, <<kappa>> times as large in each that follows |

Write `hqq_turns(W)`, which returns `(zero, measure)`. `measure` has <<turns>> + 1 rows: the measures of all rows of W
before the first turn, after the first, and so on. `zero` has one number per row of W: of all zero points it had, the
one with the smallest measure.

**Example.** The matrix in the cell below gets <<example>>.
""",
    hints=("Round, measure, move: that is one pass of the loop. The first pass measures before anything has moved, the "
           "last has no use for its move.",
           "`keepdims=True` keeps scale and zero point as columns, so that they fit W.",
           "`np.where(better, zero, kept)` replaces the zero points of some rows."),
    given="""
# The example. Change what you like: the checks use other matrices.
W = np.array(<<W_text>>)
""",
    head='''
def hqq_turns(W):
    """(zero, measure): the best zero point of each row, and its measure before and after every turn."""
''',
    explanation="What is written off to E no longer pulls at the zero point: that is how an outlier loses its vote. "
                "Nothing promises that a turn lowers the measure, since rounding anew can undo what the mean has "
                "gained; that is why the best turn is kept, not the last.",
    checks=(Check("before the first turn", 1, nearest), Check("the first turn", 2, first),
            Check("all turns", 1, later), Check("the best zero point of each row", 1, best),
            Check("rows that lie on their grid", 1, on_grid)),
)
