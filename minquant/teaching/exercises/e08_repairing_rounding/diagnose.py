"""08.4, diagnose: eight runs of GPTQ on one small matrix, two of which were made wrongly.

What varies: the matrix and its H, the settings, which two runs are wrong, and how.
The mistakes are those that implementations really contain: the Cholesky factor of H where that of its inverse is meant,
columns that were sorted and never put back, an error that is not divided, an inverse from which rounded columns are
never taken out, grids from weights before they changed, a damping that is forgotten. The matrix is made up; the text
says so.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars
from ..findings import TwoFaults, error_fields
from ..source import Answers, Check, Exercise, Spec
from ..variant import Draw
from .arrays import drawn_rows, literal
from .diagnose_answers import REFERENCE, SECOND, WRONG

ROWS, COLUMNS, SAMPLES = 3, 6, 8
TOLERANCE, APART, CLEAR = 0.02, 0.06, 1e-4  # CLEAR: how far, in steps, quotients stay from half-way cases
SETTINGS = ((4, 6, False, 0.01), (4, 6, True, 0.01), (3, 6, False, 0.1), (3, 6, True, 0.1), (4, 3, False, 0.01),
            (3, 3, False, 0.1), (4, 6, True, 0.2), (4, 2, False, 0.2))
CAUSES = {"factor": "the triangle is the Cholesky factor of H, not of its inverse",
          "order": "the columns were sorted, and the codes left in that order",
          "divisor": "err is the error itself, not divided by the diagonal element of U",
          "inverse": "every update uses the row of the whole inverse, from which no rounded column was taken out",
          "grid": "the grids of all groups were chosen from W before anything was rounded",
          "damping": "nothing was added to the diagonal of H"}


def spec(draw: Draw) -> dict:
    """The runs of one variant. Matrices that leave a case half-way or two causes alike are drawn again."""
    for attempt in range(1000):
        drawn = _problem(draw, str(attempt))
        if _plant(draw, str(attempt), drawn):
            return drawn
    raise RuntimeError("no matrix in a thousand tells the causes apart; widen the ranges it is drawn from")


def _problem(draw: Draw, attempt: str) -> dict:
    """W, and H of a few inputs that go together."""
    common = [draw.between(f"common{attempt}.{n}", -1.5, 1.5) for n in range(SAMPLES)]
    sizes = [2 ** draw.between(f"size{attempt}.{j}", -0.7, 0.7) for j in range(COLUMNS)]
    own = drawn_rows(draw, f"X{attempt}", SAMPLES, COLUMNS, -1, 1)
    X = [[round(10 * s * (c + o)) for s, o in zip(sizes, row, strict=True)] for c, row in zip(common, own, strict=True)]
    H = [[sum(row[i] * row[j] for row in X) / 100 for j in range(COLUMNS)] for i in range(COLUMNS)]
    settings = draw.order(f"settings{attempt}", SETTINGS)
    return {"W": drawn_rows(draw, f"W{attempt}", ROWS, COLUMNS, -1, 1), "H": H,
            "runs": [{"run": n, "bits": b, "group": g, "sorted": s, "damp": d}
                     for n, (b, g, s, d) in enumerate(settings, 1)]}


def possible(run: Spec) -> list[str]:
    """The mistakes that can be made in a run with these settings."""
    return [c for c in CAUSES if (c != "order" or run["sorted"]) and (c != "grid" or run["group"] < COLUMNS)]


def _plant(draw: Draw, attempt: str, drawn: dict) -> bool:
    """Make two of the runs wrong and fill in all codes and errors; False where that leaves anything in doubt."""
    runs = draw.order(f"wrong{attempt}", drawn["runs"])[:2]
    first = draw.choice(f"first{attempt}", possible(runs[0]))
    second = draw.choice(f"second{attempt}", [c for c in possible(runs[1]) if c != first])
    drawn["wrong"] = dict(sorted([(runs[0]["run"], first), (runs[1]["run"], second)]))
    for run in drawn["runs"]:
        cause = drawn["wrong"].get(run["run"])
        found = {c: made(drawn, run, c) for c in ((None, *possible(run)) if cause else (None,))}
        if any(apart < CLEAR for *_, apart in found.values()):
            return False
        codes, scales, _ = found[cause]
        errors = {c: error(drawn, *pair[:2]) for c, pair in found.items()}
        same = [c for c in found if c != cause and (found[c][0] == codes).all()]
        if same or cause and abs(errors[cause] / errors[None] - 1) < APART or not _storage_is_no_matter(drawn, run):
            return False
        run |= {"codes": codes.tolist(), "error": float(f"{errors[cause]:.3g}"), "right": errors[None]}
    return True


def _storage_is_no_matter(drawn: Spec, run: Spec) -> bool:
    """Whether scales that are not rounded for storage give the same codes, and nearly the same error."""
    stored, exact = made(drawn, run), made(drawn, run, exact=True)
    ratio = error(drawn, *exact[:2]) / error(drawn, *stored[:2])
    return (stored[0] == exact[0]).all() and abs(ratio - 1) < TOLERANCE / 2


def made(drawn: Spec, run: Spec, cause: str | None = None, exact: bool = False) -> tuple[np.ndarray, np.ndarray, float]:
    """(codes, scales, distance from half-way cases) of a run, right or with one mistake; arrays (rows, columns).

    Scales of groups are rounded to float16, as in the package, unless they are to be ``exact``.
    """
    W, H, top = np.array(drawn["W"]), np.array(drawn["H"]), 2 ** (run["bits"] - 1) - 1
    order = np.argsort(-np.diag(H), kind="stable") if run["sorted"] else np.arange(COLUMNS)
    damp = 0 if cause == "damping" else run["damp"] * np.diag(H).mean()
    U = _factor((H + damp * np.eye(COLUMNS))[np.ix_(order, order)], cause)
    before, W = W[:, order], W[:, order]
    codes, scales, apart = np.zeros(W.shape, int), np.zeros(W.shape), 1.0
    for i in range(COLUMNS):
        if i % run["group"] == 0:
            group = slice(i, i + run["group"])
            end = abs((before if cause == "grid" else W)[:, group]).max(axis=1, keepdims=True)
            scales[:, group] = end / top if exact or run["group"] == COLUMNS else (end / top).astype(np.float16)
        quotient = W[:, i] / scales[:, i]
        apart = min(apart, abs(quotient % 1 - 0.5).min())
        codes[:, i] = np.rint(quotient).clip(-top, top)
        err = (W[:, i] - scales[:, i] * codes[:, i]) / (1 if cause == "divisor" else U[i, i])
        W[:, i + 1:] -= np.outer(err, U[i, i + 1:])
    back = slice(None) if cause == "order" else np.argsort(order)
    return codes[:, back], scales[:, back], apart


def _factor(H: np.ndarray, cause: str | None) -> np.ndarray:
    """The upper triangle whose rows the updates use."""
    if cause == "inverse":
        inverse = np.linalg.inv(H)
        return np.triu(inverse) / np.sqrt(np.diag(inverse))[:, None]
    return np.linalg.cholesky(H if cause == "factor" else np.linalg.inv(H)).T


def error(drawn: Spec, codes: np.ndarray, scales: np.ndarray) -> float:
    """The squared error of the output, in percent of the squared output; H without damping."""
    W, H = np.array(drawn["W"]), np.array(drawn["H"])
    D = W - scales * codes
    return 100 * float(((D @ H) * D).sum() / ((W @ H) * W).sum())


def right(spec: Spec, number: int) -> float:
    """The error in percent that a run should have had."""
    return spec["runs"][number - 1]["right"]


_FAULTS = TwoFaults("run", "runs", "make one run by the rules, and compare its codes with those in the cell above")


def runs(spec: Spec, answers: Answers) -> None:
    """The two runs."""
    _FAULTS.check_numbers(spec, answers, "were made wrongly",
                          "a large error alone is no mistake: fewer bits, and much damping, cost as much",
                          "make the codes of every run by the rules and compare with the cell")


def causes(spec: Spec, answers: Answers) -> None:
    """What went wrong in them."""
    _FAULTS.check_causes(
        spec, answers,
        "each cause gives other codes, and one of them gives exactly those in the cell",
        "make one mistake after the other in your own loop; leave out what the settings make impossible")


def corrected(spec: Spec, answers: Answers) -> None:
    """The errors that right runs would have."""
    _FAULTS.check_errors(spec, answers, right, TOLERANCE,
                         "trace(D H Dᵀ) over trace(W H Wᵀ), in percent; H as it is in the cell, without damping")


def show(spec: Spec, answers: Answers) -> Bars:
    """The error of each run as printed, and with the learner's corrections."""
    return _FAULTS.bars(spec, answers, "Squared error of the output")


def fields(spec: Spec) -> dict:
    """What only answers may know."""
    return error_fields(spec, right)


def drawn_with_text(draw: Draw) -> dict:
    """The spec with its table as Markdown and its data as Python."""
    drawn = spec(draw)
    table = "\n".join(f"| {run['run']} | {run['bits']} | {run['group']} | {'yes' if run['sorted'] else 'no'} | "
                      f"{run['damp']:.0%} | {run['error']:g} % |" for run in drawn["runs"])
    code = "\n".join(f"    dict(run={run['run']}, bits={run['bits']}, group={run['group']}, sorted={run['sorted']}, "
                     f"damp={run['damp']},\n         codes={run['codes']})," for run in drawn["runs"])
    per_cause = "\n".join(f"| `\"{cause}\"` | {words} |" for cause, words in CAUSES.items())
    return drawn | {"table": table, "code": code, "W_text": literal(drawn["W"], 13), "H_text": literal(drawn["H"], 13),
                    "cause_table": per_cause}


EXERCISE = Exercise(
    id="08.4", title="Two broken runs of GPTQ", kind="diagnose", difficulty=4, importance=4, minutes=10,
    objective="You can tell from codes what somebody's GPTQ does wrong.",
    spec=drawn_with_text, show=show, answer_fields=fields, wrong=WRONG,
    prose="""
One matrix of 3 rows and 6 columns went through GPTQ eight times. The rules are those of `minquant.methods.gptq`: codes
of b bits from -q to q with q = 2^(b-1) - 1. `group` neighbours along a row share a scale (6 is the whole row): their
largest magnitude **when the first of them is reached**, over q (kept as float16 for groups; the codes here would be
the same without). `damp` times the mean of the diagonal of H is added to that diagonal. Where `sorted` says yes,
columns go in the order of falling H_ii, and the codes are put back in the order of W afterwards; elsewhere they go from
left to right. (Half-way cases do not occur. Matrix and H are made up for this exercise.)

**Two of the runs were made by other rules**, for two different reasons. The error is that of the output: trace(D H Dᵀ)
for D = W - scale * code, over trace(W H Wᵀ), with H as it is, not damped.

| run | bits | group | sorted | damp | error |
|---|---|---|---|---|---|
<<table>>

Fill in two dicts: `findings` gives each wrong run its cause, `corrected` the error in percent that it would have if it
followed the rules (to 2 percent of itself). The causes to choose from:

| cause | meaning |
|---|---|
<<cause_table>>
""",
    hints=("You have the loop of 08.2 and the factor of 08.3. You may also call "
           "`minquant.methods.gptq_from_hessian(W, H, scheme, damp=..., act_order=...)`; its schemes are called "
           "`int4:channel` and `int4:g3`.",
           "Once you know the two runs: for a wrong factor most codes change, for a small slip in the settings only a "
           "few.",
           "A mistake that concerns groups, or sorting, can only be in a run that has them."),
    given="""
# The matrix, H = X^T X and the runs. Change what you like: the checks use the table above.
W = np.array(<<W_text>>)
H = np.array(<<H_text>>)
runs = [
<<code>>
]
""",
    head="# findings: run -> cause; corrected: run -> error in percent",
    starter="findings = {}\ncorrected = {}",
    reference=REFERENCE, second=SECOND,
    explanation="None of these mistakes raises an error or gives codes out of range, and some runs stay better than "
                "rounding to nearest: that is why a test against the nearest codes does not find them. What finds them "
                "is the identity of 08.2: err² summed up has to be the error of the output.",
    checks=(Check("the two runs", 2, runs), Check("their causes", 2, causes), Check("the right errors", 2, corrected)),
)
