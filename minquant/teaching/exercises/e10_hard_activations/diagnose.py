"""10.4, diagnose: eight runs of integers times integers, two of which were made wrongly.

What varies: matrix, inputs and calibration text, the settings, which two runs are wrong, and how.
One mistake is made with the inputs (cut off instead of rounded, wrapped around instead of clipped, a scale that looks at
signs), the other with weights or products (sums of 16 bits, one output's scale for all, s forgotten or the wrong way
round). Matrix and inputs are made up; the text says so.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars
from ..e08_repairing_rounding.arrays import drawn_rows, literal
from ..findings import TwoFaults, error_fields
from ..source import Answers, Check, Exercise, Spec
from ..variant import Draw
from .diagnose_answers import REFERENCE, SECOND, WRONG

OUTPUTS, CHANNELS, TOKENS = 3, 6, 5
TOLERANCE, APART, CLEAR = 0.02, 0.06, 1e-4  # CLEAR: how far, in steps, quotients stay from half-way cases
SETTINGS = tuple((bits, scale, smooth) for bits in (4, 5, 6, 8) for scale in ("static", "token") for smooth in (0, 1))
INPUTS = {"cut": "codes of the inputs were cut off towards zero, not rounded",
          "wrapped": "codes of the inputs beyond m were not clipped: m + 1 became -m, m + 2 became -m + 1, and so on",
          "signed": "scales of the inputs came from the largest x, not from the largest magnitude"}
PRODUCTS = {"short": "sums of products were kept in 16 bits: what left -32768 .. 32767 came in again at the other end",
            "first": "the weight scale of output 0 was used for all outputs",
            "forgotten": "the inputs were divided by s, and the weights rounded as they are",
            "swapped": "the inputs were multiplied by s, and the weights divided"}
CAUSES = INPUTS | PRODUCTS


def spec(draw: Draw) -> dict:
    """The runs of one variant. Problems that leave a case half-way or two causes alike are drawn again."""
    for attempt in range(3000):
        drawn = _problem(draw, str(attempt))
        if _plant(draw, str(attempt), drawn):
            return drawn
    raise RuntimeError("no problem in three thousand tells the causes apart; widen the ranges they are drawn from")


def _problem(draw: Draw, attempt: str) -> dict:
    """W, calibration text C and inputs X: one loud channel, rather negative, and some inputs beyond the calibration."""
    loud = draw.order(f"loud{attempt}", [0.5, 0.7, 0.9, 1.1, 1.4, 5.0])
    C = drawn_rows(draw, f"C{attempt}", TOKENS, CHANNELS, -1, 0.7)
    X = drawn_rows(draw, f"X{attempt}", TOKENS, CHANNELS, -1.35, 1)
    both = {name: [[round(v * a, 2) for v, a in zip(row, loud, strict=True)] for row in rows]
            for name, rows in (("C", C), ("X", X))}
    heavy = draw.order(f"heavy{attempt}", [0.4, 1.0, 2.0])
    W = [[round(a * v, 2) for v in row] for a, row in
         zip(heavy, drawn_rows(draw, f"W{attempt}", OUTPUTS, CHANNELS, -1, 1), strict=True)]
    return both | {"W": W, "runs": [{"run": n, "bits": b, "scale": scale, "smooth": smooth} for n, (b, scale, smooth)
                                    in enumerate(draw.order(f"settings{attempt}", SETTINGS)[:8], 1)]}


def _plant(draw: Draw, attempt: str, drawn: dict) -> bool:
    """Make two of the runs wrong and fill in what all of them report; False where that leaves anything in doubt."""
    first, second = (run["run"] for run in draw.order(f"wrong{attempt}", drawn["runs"])[:2])
    drawn["wrong"] = dict(sorted([(first, draw.choice(f"inputs{attempt}", tuple(INPUTS))),
                                  (second, draw.choice(f"products{attempt}", tuple(PRODUCTS)))]))
    for run in drawn["runs"]:
        cause = drawn["wrong"].get(run["run"])
        found = {c: made(drawn, run, c) for c in ((None, *CAUSES) if cause else (None,))}
        error, largest, _ = found[cause]
        if any(near < CLEAR for *_, near in found.values()):
            return False
        if cause and (error < found[None][0] or any(abs(error / other[0] - 1) < APART
                                                    for c, other in found.items() if c != cause)):
            return False
        run |= {"error": float(f"{error:.3g}"), "sum": largest, "right": found[None][0]}
    return True


def made(drawn: Spec, run: Spec, cause: str | None = None) -> tuple[float, int, float]:
    """(error in percent, largest magnitude of a sum, distance from half-way cases) of a run, right or with one mistake."""
    C, X, W = (np.array(drawn[n]) for n in "CXW")
    m = 2 ** (run["bits"] - 1) - 1
    s = np.sqrt(np.abs(C).max(axis=0) / np.abs(W).max(axis=0)) if run["smooth"] else np.ones(CHANNELS)
    by = 1 / s if cause == "swapped" else s
    c, x, w = C / by, X / by, W * (1 if cause == "forgotten" else by)
    size = (lambda a, axis: a.max(axis=axis, keepdims=True)) if cause == "signed" else (
        lambda a, axis: np.abs(a).max(axis=axis, keepdims=True))
    sx = size(x, 1) / m if run["scale"] == "token" else size(c, None) / m
    sx = np.where(sx > 0, sx, 1)
    p, near = x / sx, float(np.abs(x / sx % 1 - 0.5).min())
    p = np.trunc(p) if cause == "cut" else np.rint(p)
    p = (p + m) % (2 * m + 1) - m if cause == "wrapped" else np.clip(p, -m, m)
    sw = np.abs(w).max(axis=1, keepdims=True) / m
    near = min(near, float(np.abs(w / sw % 1 - 0.5).min()))
    sums = (p @ np.rint(w / sw).T).astype(np.int64)
    if cause == "short":
        sums = (sums + 2**15) % 2**16 - 2**15
    Y = sums * sx * (sw[0] if cause == "first" else sw.T)
    error = 100 * np.square(Y - X @ W.T).sum() / np.square(X @ W.T).sum()
    return float(error), int(np.abs(sums).max()), near


def right(spec: Spec, number: int) -> float:
    """The error in percent that a run should have had."""
    return spec["runs"][number - 1]["right"]


_FAULTS = TwoFaults("run", "runs", "make one run by the rules, and compare what it gives with the table")


def runs(spec: Spec, answers: Answers) -> None:
    """The two runs."""
    _FAULTS.check_numbers(spec, answers, "were made wrongly",
                          "a large error alone is no mistake: fewer bits cost more, and so does a static scale",
                          "make every run by the rules, and compare error and largest sum with the table")


def causes(spec: Spec, answers: Answers) -> None:
    """What went wrong in them."""
    _FAULTS.check_causes(spec, answers, "each cause gives another error, and one gives exactly the row of the table",
                         "is the largest sum right? Then codes are, most likely, and what came after them is not")


def corrected(spec: Spec, answers: Answers) -> None:
    """The errors that right runs would have."""
    _FAULTS.check_errors(spec, answers, right, TOLERANCE,
                         "squared differences of all outputs from X Wᵀ, over the squares of X Wᵀ, in percent")


def show(spec: Spec, answers: Answers) -> Bars:
    """The error of each run as printed, and with the learner's corrections."""
    return _FAULTS.bars(spec, answers, "Squared error of the output")


def fields(spec: Spec) -> dict:
    """What only answers may know."""
    return error_fields(spec, right)


def drawn_with_text(draw: Draw) -> dict:
    """The spec with its table as Markdown and its data as Python."""
    drawn = spec(draw)
    table = "\n".join(f"| {run['run']} | {run['bits']} | {run['scale']} | {'yes' if run['smooth'] else 'no'} | "
                      f"{run['sum']} | {run['error']:g} % |" for run in drawn["runs"])
    code = "\n".join(f"    dict(run={run['run']}, bits={run['bits']}, scale=\"{run['scale']}\", "
                     f"smooth={bool(run['smooth'])}, sum={run['sum']}, error={run['error']:g})," for run in drawn["runs"])
    return drawn | {"table": table, "code": code,
                    "cause_table": "\n".join(f"| `\"{cause}\"` | {words} |" for cause, words in CAUSES.items())} | {
                        f"{n}_text": literal(drawn[n], 13) for n in "CXW"}


EXERCISE = Exercise(
    id="10.4", title="Two broken runs", kind="diagnose", difficulty=4, importance=4, minutes=10,
    objective="You can tell from a few figures what somebody's W8A8 does wrong.",
    spec=drawn_with_text, show=show, answer_fields=fields, wrong=WRONG,
    prose="""
A matrix W reads inputs X. C is what it read on calibration text. The product X Wᵀ was made eight times in integers:

| what | |
|---|---|
| smooth | if yes: s of a channel is the root of (largest magnitude in C over largest magnitude in W); X and C are divided by it, the columns of W multiplied. If no: s is 1 |
| codes | of b bits, from -m to m with m = 2^(b-1) - 1: numbers over their scale, rounded to nearest, clipped to -m .. m |
| scale of inputs | `static`: one, the largest magnitude in C over m; `token`: for each row of X, its largest magnitude over m |
| scale of weights | for each row of W, its largest magnitude over m |
| sum | codes of X times codes of W, added up; the table has the largest magnitude of all sums |
| error | sums times both scales, against X Wᵀ: squared differences over the squares of X Wᵀ, in percent |

(Matrix and inputs are made up for this exercise.)

**Two of the runs were made by other rules**: one made a mistake with the inputs, the other with the weights or the
products.

| run | bits | scale | smooth | sum | error |
|---|---|---|---|---|---|
<<table>>

Fill in two dicts: `findings` gives each wrong run its cause, `corrected` the error in percent that it would have if it
followed the rules (to 2 percent of itself). The causes to choose from:

| cause | meaning |
|---|---|
<<cause_table>>
""",
    hints=("Write one function that makes a run by the rules, and let it give error and largest sum for all eight.",
           "Then give this function one mistake after the other, for the runs that do not fit.",
           "Can a sum of six products of codes leave 16 bits? Only with enough bits per code."),
    given="""
# The matrix, the calibration text, the inputs and the runs. Change what you like: the checks use the table above.
W = np.array(<<W_text>>)
C = np.array(<<C_text>>)
X = np.array(<<X_text>>)
runs = [
<<code>>
]
""",
    head="# findings: run -> cause; corrected: run -> error in percent",
    starter="findings = {}\ncorrected = {}",
    reference=REFERENCE, second=SECOND,
    explanation="None of these mistakes makes a program stop. Some of them show at once when the float model is compared "
                "before and after smoothing; wrapped codes and short sums show only with inputs that are large enough, "
                "which is why tests need an outlier in them.",
    checks=(Check("the two runs", 2, runs), Check("their causes", 2, causes), Check("the right errors", 2, corrected)),
)
