"""09.4, diagnose: eight runs of AWQ on three small matrices, two of which were made wrongly.

What varies: matrices and inputs, the settings, which two runs are wrong, and how.
One mistake is made in the search (sizes over the wrong axis, signs that cancel, an alpha by the error of the weights),
the other where scales are put in (the wrong way round, into q alone, into the norm once more). Matrices and inputs are
made up, with as many samples as columns, so that the wrong axis fits; the text says so.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars
from ..e08_repairing_rounding.arrays import drawn_rows, literal
from ..findings import TwoFaults, error_fields
from ..source import Answers, Check, Exercise, Spec
from ..variant import Draw
from .diagnose_answers import REFERENCE, SECOND, WRONG

ROWS, COLUMNS = {"q": 4, "k": 2, "v": 2}, 6
TOLERANCE, APART, CLEAR = 0.02, 0.06, 1e-5  # CLEAR: how far, in steps, quotients stay from half-way cases
SETTINGS = tuple((bits, tried) for bits in (3, 4, 5, 6) for tried in (10, 20))
SEARCH = {"axis": "sizes are means over the six inputs of a sample, not over the samples of an input",
          "signs": "sizes are means of x, and their signs were dropped afterwards",
          "weights": "alpha is the one with the smallest squared error of the weights, the scales divided out again"}
FOLD = {"swapped": "the weights were divided by s, and the inputs multiplied",
        "q": "only q was multiplied by s; k and v were rounded as they are, and read the divided inputs as well",
        "twice": "the inputs were divided by s twice"}
CAUSES = SEARCH | FOLD


def spec(draw: Draw) -> dict:
    """The runs of one variant. Matrices that leave a case half-way or two causes alike are drawn again."""
    for attempt in range(1000):
        drawn = _problem(draw, str(attempt))
        if _plant(draw, str(attempt), drawn):
            return drawn
    raise RuntimeError("no matrices in a thousand tell the causes apart; widen the ranges they are drawn from")


def _problem(draw: Draw, attempt: str) -> dict:
    """q, k, v and inputs of unequal sizes."""
    sizes = [2 ** draw.between(f"size{attempt}.{j}", -2.5, 2.5) for j in range(COLUMNS)]
    X = [[round(s * x, 2) for s, x in zip(sizes, row, strict=True)]
         for row in drawn_rows(draw, f"X{attempt}", COLUMNS, COLUMNS, -1, 1)]
    weights = {n: drawn_rows(draw, f"{n}{attempt}", rows, COLUMNS, -1, 1) for n, rows in ROWS.items()}
    return weights | {"X": X, "runs": [{"run": n, "bits": b, "tried": t} for n, (b, t)
                                       in enumerate(draw.order(f"settings{attempt}", SETTINGS), 1)]}


def _plant(draw: Draw, attempt: str, drawn: dict) -> bool:
    """Make two of the runs wrong and fill in what all of them report; False where that leaves anything in doubt."""
    if np.abs(np.mean(drawn["X"], axis=0)).min() < 1e-3:
        return False  # signs that cancel entirely would leave a size of 0
    first, second = (run["run"] for run in draw.order(f"wrong{attempt}", drawn["runs"])[:2])
    drawn["wrong"] = dict(sorted([(first, draw.choice(f"search{attempt}", tuple(SEARCH))),
                                  (second, draw.choice(f"fold{attempt}", tuple(FOLD)))]))
    for run in drawn["runs"]:
        cause = drawn["wrong"].get(run["run"])
        found = {c: made(drawn, run, c) for c in ((None, *CAUSES) if cause else (None,))}
        alpha, s, error, _ = found[cause]
        if found[None][0] == 0 or any(apart < CLEAR for *_, apart in found.values()):
            return False
        if cause and (error < found[None][2] or any(abs(error / other[2] - 1) < APART
                                                    for c, other in found.items() if c != cause)):
            return False
        run |= {"alpha": alpha, "s": [float(f"{x:.4g}") for x in s], "error": float(f"{error:.3g}"),
                "right": found[None][2]}
    return True


def made(drawn: Spec, run: Spec, cause: str | None = None) -> tuple[float, np.ndarray, float, float]:
    """(alpha, s, error in percent, distance from half-way cases) of a run, right or with one mistake."""
    X, W = np.array(drawn["X"]), np.concatenate([drawn[n] for n in ROWS])
    size = {"axis": np.abs(X).mean(axis=1), "signs": np.abs(X.mean(axis=0))}.get(cause, np.abs(X).mean(axis=0))
    s = scales_of(size, np.arange(run["tried"])[:, None] / run["tried"])  # (tried, columns)
    Q, apart = _rounded(W * s[:, None], run["bits"])  # (tried, rows, columns)
    off = Q / s[:, None] - W
    errors = np.square(off if cause == "weights" else off @ X.T).sum(axis=(1, 2))
    best = int(errors.argmin())
    s = s[best]
    multiplied = {"swapped": 1 / s, "q": np.where(np.arange(len(W))[:, None] < ROWS["q"], s, 1)}.get(cause, s)
    inputs = {"swapped": X * s, "twice": X / s**2}.get(cause, X / s)
    Q, near = _rounded(W * multiplied, run["bits"])
    error = 100 * np.square(inputs @ Q.T - X @ W.T).sum() / np.square(X @ W.T).sum()
    return best / run["tried"], s, float(error), min(apart, near)


def scales_of(size: np.ndarray, alpha: np.ndarray | float) -> np.ndarray:
    """The scales of one alpha (columns,), or of several (n, 1) -> (n, columns)."""
    s = size**alpha
    return s / np.sqrt(s.max(axis=-1, keepdims=True) * s.min(axis=-1, keepdims=True))


def _rounded(W: np.ndarray, bits: int) -> tuple[np.ndarray, float]:
    """W (..., columns) with a grid for each row, and how far its quotients stay from half-way cases."""
    scale = np.abs(W).max(axis=-1, keepdims=True) / (2 ** (bits - 1) - 1)
    return scale * np.rint(W / scale), float(np.abs(W / scale % 1 - 0.5).min())


def right(spec: Spec, number: int) -> float:
    """The error in percent that a run should have had."""
    return spec["runs"][number - 1]["right"]


_FAULTS = TwoFaults("run", "runs", "make one run by the rules, and compare what it gives with the table")


def runs(spec: Spec, answers: Answers) -> None:
    """The two runs."""
    _FAULTS.check_numbers(spec, answers, "were made wrongly",
                          "a large error alone is no mistake: fewer bits cost more",
                          "make alpha, s and the error of every run by the rules, and compare with the table")


def causes(spec: Spec, answers: Answers) -> None:
    """What went wrong in them."""
    _FAULTS.check_causes(
        spec, answers,
        "each cause gives another alpha, other scales or another error; one gives exactly the row of the "
        "table", "are alpha and s right? Then the search was, and what follows it was not")


def corrected(spec: Spec, answers: Answers) -> None:
    """The errors that right runs would have."""
    _FAULTS.check_errors(spec, answers, right, TOLERANCE,
                         "squared differences of all outputs of q, k and v, over their squares, in percent")


def show(spec: Spec, answers: Answers) -> Bars:
    """The error of each run as printed, and with the learner's corrections."""
    return _FAULTS.bars(spec, answers, "Squared error of the output")


def fields(spec: Spec) -> dict:
    """What only answers may know."""
    return error_fields(spec, right)


def drawn_with_text(draw: Draw) -> dict:
    """The spec with its table as Markdown and its data as Python."""
    drawn = spec(draw)
    table = "\n".join(f"| {run['run']} | {run['bits']} | {run['tried']} | {run['alpha']:g} | "
                      f"{', '.join(f'{x:.4g}' for x in run['s'])} | {run['error']:g} % |" for run in drawn["runs"])
    code = "\n".join(f"    dict(run={run['run']}, bits={run['bits']}, tried={run['tried']}, alpha={run['alpha']:g}, "
                     f"error={run['error']:g},\n         s={run['s']})," for run in drawn["runs"])
    return drawn | {"table": table, "code": code, "X_text": literal(drawn["X"], 13),
                    "cause_table": "\n".join(f"| `\"{cause}\"` | {words} |" for cause, words in CAUSES.items())} | {
                        f"{n}_text": literal(drawn[n], 13) for n in ROWS}


EXERCISE = Exercise(
    id="09.4", title="Two broken runs of AWQ", kind="diagnose", difficulty=4, importance=4, minutes=10,
    objective="You can tell from scales and errors what somebody's AWQ does wrong.",
    spec=drawn_with_text, show=show, answer_fields=fields, wrong=WRONG,
    prose="""
The matrices q, k and v read one input X of 6 samples. They went through AWQ eight times, by the rules of
`minquant.methods.search_scales`:

| what | |
|---|---|
| size of an input | the mean of its magnitude over the samples |
| s | size to the power of alpha, divided by the root of (the largest s times the smallest) |
| tried | so many alphas: 0, 1/tried, ... (tried - 1)/tried |
| alpha | the one with the smallest squared error of the outputs of all three matrices together |
| grid | codes of b bits from -m to m with m = 2^(b-1) - 1; a scale for each row: its largest magnitude over m |
| result | all three matrices are multiplied by s and rounded; the inputs are divided by s |
| error | of the result: the squared error of all outputs over their own squares, in percent |

(Half-way cases do not occur. Matrices and inputs are made up for this exercise.)

**Two of the runs were made by other rules**: one made a mistake in its search, the other after it.

| run | bits | tried | alpha | s | error |
|---|---|---|---|---|---|
<<table>>

Fill in two dicts: `findings` gives each wrong run its cause, `corrected` the error in percent that it would have if it
followed the rules (to 2 percent of itself). The causes to choose from:

| cause | meaning |
|---|---|
<<cause_table>>
""",
    hints=("Twenty alphas hold the ten: with the same bits, can they do worse? And where is s not larger for larger "
           "inputs? Both are seen without computing.",
           "You may use `minquant.methods.search_scales([q, k, v], X, scheme, grid=tried)` and "
           "`minquant.scaling.fake_quantize(W, scheme)`; a scheme is called `int4:channel`.",
           "Where alpha and s are right and the error is not, follow one column: what is it multiplied by, and what "
           "is its input divided by?"),
    given="""
# The matrices, the inputs and the runs. Change what you like: the checks use the table above.
q = np.array(<<q_text>>)
k = np.array(<<k_text>>)
v = np.array(<<v_text>>)
X = np.array(<<X_text>>)
runs = [
<<code>>
]
""",
    head="# findings: run -> cause; corrected: run -> error in percent",
    starter="findings = {}\ncorrected = {}",
    reference=REFERENCE, second=SECOND,
    explanation="A scale that is put in wrongly breaks the float model already: the outputs before and after folding "
                "tell it at once, without any rounding, and are the test to write. A mistake in the search breaks "
                "nothing. The model works, only less well than it could, and only the curve of errors shows it.",
    checks=(Check("the two runs", 2, runs), Check("their causes", 2, causes), Check("the right errors", 2, corrected)),
)
