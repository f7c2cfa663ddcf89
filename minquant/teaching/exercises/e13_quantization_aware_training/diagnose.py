"""13.4, diagnose: eight small trainings with rounding, two of which were made wrongly.

What varies: inputs, targets, first weights, the settings of each run, which two are wrong, and how.
The mistakes are those of real loops: the true derivative of rounding, a loss taken from the float weights, float
weights that are overwritten with the rounded ones, a step that is never derived again, clipped weights that are not
masked. Runs that bring a quotient near a half-way case or near an end of the grid are drawn again, because there the
last bits of a sum decide.
"""

from __future__ import annotations

import numpy as np

from .. import findings
from ..beside import Bars
from ..e08_repairing_rounding.arrays import drawn_rows, literal
from ..source import Answers, Check, Exercise, Spec
from ..variant import Draw

SAMPLES, WEIGHTS = 6, 6
TOLERANCE, APART, CLEAR = 0.02, 0.06, 1e-6
SETTINGS = tuple((top, times, steps) for top, times in ((1, 1.0), (2, 1.0), (3, 0.7)) for steps in (10, 20, 40))[:8]
RATE = 0.05
CAUSES = {"dead": "the derivative of rint was taken as it is, 0, so the weights got no gradient",
          "float": "loss and gradient were computed with the float weights; they were rounded once, at the end",
          "overwritten": "after every move the float weights were replaced by the rounded ones",
          "stale": "s was computed from the first weights only, and kept to the end",
          "unmasked": "weights beyond the grid got their gradient as well"}


def spec(draw: Draw) -> dict:
    """The runs of one variant."""
    for attempt in range(3000):
        drawn = _problem(draw, str(attempt))
        if _plant(draw, str(attempt), drawn):
            return drawn
    raise RuntimeError("no inputs in three thousand tell the causes apart; widen the ranges they are drawn from")


def _problem(draw: Draw, attempt: str) -> dict:
    """Inputs, targets that no weights reach exactly, and first weights."""
    X = drawn_rows(draw, f"X{attempt}", SAMPLES, WEIGHTS, -1.5, 1.5)
    return {"X": X, "y": drawn_rows(draw, f"y{attempt}", 1, SAMPLES, -2.5, 2.5)[0],
            "first": drawn_rows(draw, f"w{attempt}", 1, WEIGHTS, -1.2, 1.2)[0],
            "runs": [{"run": n, "top": top, "times": times, "moves": moves} for n, (top, times, moves)
                     in enumerate(draw.order(f"settings{attempt}", SETTINGS), 1)]}


def _plant(draw: Draw, attempt: str, drawn: dict) -> bool:
    """Make two of the runs wrong and fill in what all report; False where that leaves anything in doubt."""
    wrong = sorted(run["run"] for run in draw.order(f"wrong{attempt}", drawn["runs"])[:2])
    drawn["wrong"] = dict(zip(wrong, draw.order(f"causes{attempt}", list(CAUSES))[:2]))
    for run in drawn["runs"]:
        cause = drawn["wrong"].get(run["run"])
        found = {c: trained(drawn, run, c) for c in ((None, *CAUSES) if cause else (None,))}
        s, codes, error, _ = found[cause]
        if any(apart < CLEAR or not np.any(c) for _, c, _, apart in found.values()):
            return False
        if cause and any(abs(error / other[2] - 1) < APART for c, other in found.items() if c != cause):
            return False
        run |= {"s": float(f"{s:.4g}"), "codes": codes.astype(int).tolist(), "error": float(f"{error:.3g}"),
                "right": found[None][2]}
    return True


def trained(drawn: Spec, run: Spec, cause: str | None = None) -> tuple[float, np.ndarray, float, float]:
    """(s, codes, error in percent, distance from what the last bits decide) of a run, right or with one mistake."""
    X, y, w, top = np.array(drawn["X"]), np.array(drawn["y"]), np.array(drawn["first"]), run["top"]
    kept, apart = w, 1.0
    for step in range(run["moves"] + 1):
        s = run["times"] * np.abs(kept if cause == "stale" else w).mean()
        q = w / s
        apart = min(apart, abs(q % 1 - 0.5).min(), abs(abs(q) - top).min() if cause != "overwritten" else 1.0)
        codes = np.clip(np.rint(q), -top, top)
        if step == run["moves"]:
            break
        off = X @ (w if cause == "float" else s * codes) - y
        gradient = 2 / len(y) * off @ X * ((abs(q) <= top) | (cause in ("unmasked", "float"))) * (cause != "dead")
        w = (s * codes if cause == "overwritten" else w) - RATE * gradient
    return float(s), codes, error(drawn, s, codes), float(apart)


def error(drawn: Spec, s: float, codes: np.ndarray) -> float:
    """Squared error of the outputs in percent of the squared targets."""
    y = np.array(drawn["y"])
    return 100 * float(((np.array(drawn["X"]) @ (s * codes) - y) ** 2).sum() / (y**2).sum())


def right(spec: Spec, number: int) -> float:
    """The error in percent that a run should have had."""
    return spec["runs"][number - 1]["right"]


_FAULTS = findings.TwoFaults("run", "runs", "train one run by the rules, and compare s and codes with the table")


def runs(spec: Spec, answers: Answers) -> None:
    """The two runs."""
    _FAULTS.check_numbers(spec, answers, "were made wrongly",
                          "a large error alone is no mistake: few codes and few moves cost as much",
                          "train every run by the rules, and compare with the table")


def causes(spec: Spec, answers: Answers) -> None:
    """What went wrong in them."""
    _FAULTS.check_causes(spec, answers, "each cause gives another s or other codes, and one gives exactly the row of "
                         "the table", "make one mistake after the other in your own loop")


def corrected(spec: Spec, answers: Answers) -> None:
    """The errors that right runs would have."""
    _FAULTS.check_errors(spec, answers, right, TOLERANCE,
                         "squared differences of X u and y over the squares of y, in percent, after the last move")


def show(spec: Spec, answers: Answers) -> Bars:
    """The error of each run as printed, and with the learner's corrections."""
    return _FAULTS.bars(spec, answers, "Squared error after training")


def fields(spec: Spec) -> dict:
    """What only answers may know."""
    return findings.error_fields(spec, right)


def drawn_with_text(draw: Draw) -> dict:
    """The spec with its table as Markdown and its data as Python."""
    drawn = spec(draw)
    table = "\n".join(f"| {run['run']} | {run['top']} | {run['times']:g} | {run['moves']} | {run['s']:g} | "
                      f"{run['codes']} | {run['error']:g} % |" for run in drawn["runs"])
    code = "\n".join(f"    dict(run={run['run']}, top={run['top']}, times={run['times']:g}, moves={run['moves']}, "
                     f"s={run['s']:g}, error={run['error']:g},\n         codes={run['codes']}),"
                     for run in drawn["runs"])
    return drawn | {"table": table, "code": code, "X_text": literal(drawn["X"], 13), "y_text": drawn["y"],
                    "first_text": drawn["first"], "rate": RATE,
                    "cause_table": "\n".join(f"| `\"{cause}\"` | {words} |" for cause, words in CAUSES.items())}


REFERENCE = '''
findings = {<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}
'''

SECOND = '''
corrected = {}
for r in runs:
    w = first.copy()
    for step in range(r["moves"] + 1):
        s = r["times"] * np.mean(np.abs(w))
        u = s * np.clip(np.rint(w / s), -r["top"], r["top"])
        g = 2 * X.T @ (X @ u - y) / len(y)
        w = w - <<rate>> * np.where(np.abs(w / s) > r["top"], 0, g)
    if not np.array_equal(np.rint(u / s), r["codes"]) or abs(s / r["s"] - 1) > 1e-3:
        corrected[r["run"]] = float(100 * np.sum((X @ u - y) ** 2) / np.sum(y**2))
findings = dict(zip(sorted(corrected), ["<<cause_a>>", "<<cause_b>>"]))
'''

EXERCISE = Exercise(
    id="13.4", title="Two trainings that go wrong", kind="diagnose", difficulty=4, importance=4, minutes=10,
    objective="You can tell from what a training with rounding ends with, which line of its loop is wrong.",
    spec=drawn_with_text, show=show, answer_fields=fields, reference=REFERENCE, second=SECOND,
    wrong=findings.wrong_answers("run", "runs", REFERENCE, ("it does not learn", "a bad scale")),
    prose="""
Six weights were trained eight times, from the same start on the same samples. X has one row per sample, y its target.
One move:

| what | |
|---|---|
| s | times * mean of the magnitudes of w, derived anew from w before every move; nobody trains it |
| u | s * c, where c is rint(w / s), cut off at -top and top |
| loss | the mean over the samples of (X u - y)^2 |
| gradient | by u, and given to w as it is (straight through) where w / s lies from -top to top; 0 beyond |
| move | w - <<rate>> * gradient |

After the last move s and the codes c are taken from w once more: they are what is printed. (Half-way cases do not
occur. The numbers are made up for this exercise.)

**Two of the runs were made by other rules**, for two different reasons. The error is the sum of (X u - y)^2 over the
sum of y^2.

| run | top | times | moves | s | codes | error |
|---|---|---|---|---|---|---|
<<table>>

Fill in two dicts: `findings` gives each wrong run its cause, `corrected` the error in percent that it would have if it
followed the rules (to 2 percent of itself). The causes to choose from:

| cause | meaning |
|---|---|
<<cause_table>>
""",
    hints=("Write the loop once, by the rules, and run it with the settings of all eight rows.",
           "times * mean(abs(first)) needs no loop: is there a run that still has this s?"),
    given="""
# The samples, the first weights and the runs. Change what you like: the checks use the table above.
X = np.array(<<X_text>>)
y = np.array(<<y_text>>)
first = np.array(<<first_text>>)
runs = [
<<code>>
]
""",
    head="# findings: run -> cause; corrected: run -> error in percent",
    starter="findings = {}\ncorrected = {}",
    explanation="All five mistakes run without an error message. A loop like this wants three assertions: after a step "
                "the float weights have changed and are no codes times s; u is what the forward pass used; s is that "
                "of the weights now.",
    checks=(Check("the two runs", 2, runs), Check("their causes", 2, causes), Check("the right errors", 2, corrected)),
)
