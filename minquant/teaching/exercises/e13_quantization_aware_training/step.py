"""13.3, core: the gradient of a grid's step (LSQ), for a grid with a zero point.

What varies: the number of codes, the zero point, and what the gradient is divided by.
The traps: beyond the grid the slope is the code itself (less its zero point), not the rounding error; the sum runs over
the group of each step; the divisor of the paper is a root.
Source: Esser et al. 2020 (arXiv 1902.08153), sections 2.1 and 2.2; the zero point that stays where it is, is ours.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars, yours
from ..e05_bit_packing.asking import ask
from ..e08_repairing_rounding.arrays import literal, numbers
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw
from .arrays import check_same, quotients, same

NAME = "step_gradient"
DIVISORS = {"np.sqrt(n * {top})": "the root of (n times the largest code, {top})", "np.sqrt(n)": "the root of n",
            "n": "n"}


def spec(draw: Draw) -> dict:
    """The grid of one variant, and its example."""
    top = draw.choice("top", (3, 5, 7))
    zero = draw.integer("zero", 1, top - 1)
    divisor = draw.choice("divisor", tuple(DIVISORS))
    drawn = {"top": top, "zero": zero, "low": -zero, "high": top - zero, "divisor": divisor.format(top=top),
             "divisor_words": DIVISORS[divisor].format(top=top)}
    w = [[round(draw.between(f"w{b}.{i}", -zero - 0.8, top - zero + 0.8) * s, 2) for i in range(4)]
         for b, s in enumerate((0.5, 0.25))]
    du = [[round(draw.between(f"du{b}.{i}", -1, 1), 1) for i in range(4)] for b in range(2)]
    example = {"du": du, "w": w, "s": [0.5, 0.25]}
    got = right(drawn, *(np.array(example[name]) for name in ("du", "w", "s")))
    return drawn | {"example": example, "w_text": literal(w, 13), "du_text": literal(du, 14),
                    "answer": ", ".join(f"{g:.5g}" for g in got)}


def slopes(spec: Spec, w: np.ndarray, s: np.ndarray) -> np.ndarray:
    """How fast each u grows with its step, rint taken for the identity where it stands alone."""
    q = w / s[:, None]
    codes = np.clip(np.rint(q) + spec["zero"], 0, spec["top"]) - spec["zero"]
    return np.where((q >= spec["low"]) & (q <= spec["high"]), codes - q, codes)


def right(spec: Spec, du: np.ndarray, w: np.ndarray, s: np.ndarray) -> np.ndarray:
    """The gradient of each step."""
    n, top = w.shape[1], spec["top"]
    divisor = {f"np.sqrt(n * {top})": np.sqrt(n * top), "np.sqrt(n)": np.sqrt(n), "n": n}[spec["divisor"]]
    return (du * slopes(spec, w, s)).sum(axis=1) / divisor


def problem(spec: Spec, blocks: int, length: int, low: float, high: float, seed: int) -> tuple[np.ndarray, ...]:
    """du, w, s with quotients from low to high."""
    rng = np.random.default_rng(seed)
    s = rng.uniform(0.05, 0.4, blocks)
    return rng.standard_normal((blocks, length)), quotients(rng, (blocks, length), low, high) * s[:, None], s


def _ask(answers: Answers, problem: tuple[np.ndarray, ...], where: str) -> np.ndarray:
    call = f"{NAME}({where})"
    return numbers(ask(answers, call, NAME, *problem), problem[2].shape, call, "gradients")


def _ratios(spec: Spec, answers: Answers, given: tuple[np.ndarray, ...], where: str) -> tuple[np.ndarray, np.ndarray]:
    """Gradients with the divisor taken out as far as it is common to all: got and wanted, each over its own length."""
    got, want = _ask(answers, given, where), right(spec, *given)
    length = np.linalg.norm(got)
    return got / length if length else got, want / np.linalg.norm(want)


def inside(spec: Spec, answers: Answers) -> None:
    """All weights inside: a common factor is no matter here."""
    given = problem(spec, 9, 16, spec["low"], spec["high"], 1)
    got, want = _ratios(spec, answers, given, "all weights inside the grid")
    if not same(got, want):
        raise Miss("with all weights inside the grid, the gradients of nine steps are not in the right proportion",
                   "u = s * rint(w / s): with rint as the identity, the product rule gives two terms, and the second "
                   "comes from the s below the fraction line",
                   "write u = s * f(w / s) and differentiate by s; then put rint for f and 1 for f'")


def beyond(spec: Spec, answers: Answers) -> None:
    """All weights on one side of the grid, a point for each side."""
    earned, told = 0, None
    for side, low, high, end in (("below", spec["low"] - 2, spec["low"], spec["low"]),
                                 ("above", spec["high"], spec["high"] + 2, spec["high"])):
        given = problem(spec, 5, 8, low, high, 3)
        got, want = _ratios(spec, answers, given, f"all weights {side} the grid")
        if same(got, want):
            earned += 1
        else:
            told = told or Miss(f"with all weights {side} the grid, the gradients of five steps are not in the right "
                                "proportion or have the wrong sign", f"such a weight comes back as u = {end} * s, "
                                "wherever it lies: how fast does that grow with s?",
                                "the weight itself no longer appears in u; neither does its rounding error")
    if told:
        raise Miss(told.what, told.why, told.advice, earned)


def divided(spec: Spec, answers: Answers) -> None:
    """Blocks of several lengths, weights everywhere."""
    for length in (4, 32):
        given = problem(spec, 4, length, spec["low"] - 1, spec["high"] + 1, length)
        check_same(_ask(answers, given, f"4 blocks of {length}"), right(spec, *given),
                   f"the gradients of 4 blocks of {length}", f"each is divided by {spec['divisor_words']}",
                   "if the checks above are right, only the divisor is left: call it with blocks of two lengths")


def downhill(spec: Spec, answers: Answers) -> None:
    """A grid that is too wide, and one that is too narrow, move a little against the gradient, twelve times."""
    w = np.random.default_rng(5).uniform(spec["low"], spec["high"], (1, 64)) * 0.1
    for first, words in ((0.2, "wide"), (0.04, "narrow")):
        s = np.array([first])
        errors = []
        for _ in range(12):
            off = s * np.clip(np.rint(w / s), spec["low"], spec["high"]) - w
            errors.append(float((off**2).sum()))
            s = s * (1 - 0.03 * np.sign(_ask(answers, (2 * off, w, s), "rounding errors")))
        if not errors[-1] < 0.8 * errors[0]:
            raise Miss(f"a grid that began twice as {words} as its weights need, moved against your gradient, did not "
                       "come closer to them in twelve steps", "the loss here is the squared error of the weights",
                       "print w, u and du for one weight beyond the grid: which way should s go?")


def show(spec: Spec, answers: Answers) -> Bars:
    """The example's gradients, by magnitude."""
    given = tuple(np.array(spec["example"][name]) for name in ("du", "w", "s"))
    mine, want = yours(lambda: _ask(answers, given, "the example")), right(spec, *given)
    return Bars("The example: magnitude of each step's gradient", "", [
        (f"s[{b}]", None if mine is None else abs(float(mine[b])), abs(float(want[b]))) for b in range(2)])


REFERENCE = '''
n, q = w.shape[1], w / s[:, None]
codes = np.clip(np.rint(q) + <<zero>>, 0, <<top>>) - <<zero>>
inside = (q >= <<low>>) & (q <= <<high>>)
slope = codes - q * inside
return (du * slope).sum(axis=1) / (<<divisor>>)
'''

EXERCISE = Exercise(
    id="13.3", title="A step that learns", kind="core", difficulty=4, importance=4, minutes=15,
    objective="You can derive and write the gradient of a grid's step.",
    spec=spec, show=show, reference=REFERENCE,
    prose="""
A block of n weights shares a step s. Its grid has a zero point:

| what | |
|---|---|
| code q | rint(w / s) + <<zero>>, cut off at 0 and <<top>> |
| the weight in use | u = s * (q - <<zero>>) |
| inside | w / s lies from <<low>> to <<high>>; du/ds by the product rule, where the derivative of rint counts as 1 |
| beyond | u is <<low>> * s or <<high>> * s, and du/ds follows from that |
| gradient of s | the sum of (gradient of u) * du/ds over its block, divided by <<divisor_words>> |

Write `step_gradient(du, w, s)`, which returns one gradient for each step. `du` and `w` are arrays (blocks, n): the
gradient of the loss by each u, and the float weights. `s` has one step per block. The zero point is not trained.

**Example.** For the arrays in the cell below, the gradients are <<answer>>.
""",
    hints=("u = s * r(w / s). The product rule: du/ds = r(w / s) + s * r'(w / s) * (-w / s^2). Now r = rint, r' = 1.",
           "Beyond the grid, u does not depend on w at all."),
    given="""
# The example: two blocks of four. Change what you like: the checks use other arrays.
du = np.array(<<du_text>>)
w = np.array(<<w_text>>)
s = np.array([0.5, 0.25])
""",
    head='''
def step_gradient(du, w, s):
    """The gradient of the loss by each step: (blocks,)."""
''',
    second='''
found = []
for gradients, weights, step in zip(du, w, s):
    n, total = len(weights), 0.0
    for d, x in zip(gradients, weights / step):
        if x < <<low>>:
            total += d * <<low>>
        elif x > <<high>>:
            total += d * <<high>>
        else:
            total += d * (round(x) - x)
    found.append(total / (<<divisor>>))
return found
''',
    explanation="Inside, a step hears of its rounding errors: it grows or shrinks as most of them would like. "
                "Beyond, each cut weight pulls with the whole length of the grid. That is how the grid finds its end, "
                "without a search over clippings.",
    checks=(Check("inside the grid", 2, inside), Check("beyond the grid", 2, beyond), Check("the divisor", 1, divided),
            Check("the step learns", 1, downhill)),
    wrong=(
        Wrong("the rounding error everywhere", 4, REFERENCE.replace("q * inside", "q")),
        Wrong("the sign turned", 6, REFERENCE.replace("(du * slope)", "-(du * slope)")),
        Wrong("no divisor", 1, REFERENCE.replace(" / (<<divisor>>)", "")),
        Wrong("the error in weights, not in steps", 5, REFERENCE.replace("slope = codes - q * inside",
                                                                     "slope = (codes - q * inside) * s[:, None]")),
        Wrong("nothing from beyond", 4, REFERENCE.replace("codes - q * inside", "(codes - q) * inside")),
        Wrong("one sum for all blocks", 5, REFERENCE.replace(".sum(axis=1)", ".sum() * np.ones(len(s))")),
    ),
)
