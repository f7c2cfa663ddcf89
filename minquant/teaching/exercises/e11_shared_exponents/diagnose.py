"""11.4, diagnose: eight blocks in MXFP4, two of which were made wrongly.

What varies: the blocks, which two are wrong, and how. The mistakes are those of real converters: an exponent rounded up, a
value cut down instead of rounded, a scale of one power of two less for the values than the one that is stored, and an
overflow that ends at zero. Errors alone do not tell them apart: clipping is allowed, and costs as much.
"""

from __future__ import annotations

from .. import findings
from ..beside import Bars
from ..source import Answers, Check, Exercise, Spec
from ..variant import Draw
from . import elements

RUNS, LENGTH, TOLERANCE = 8, 6, 0.01
LEVELS, EMAX = elements.magnitudes(2, 1, 1), 2
CAUSES = {"up": "the exponent is one higher than the rule says, and the values belong to that exponent",
          "cut": "the exponent is right; magnitudes were cut down to the next value below instead of rounded",
          "half": "the stored exponent is right, but the values were made with one that is one less",
          "zero": "the exponent is right; what lies beyond the largest value became 0 instead of that value"}
_FAULTS = findings.TwoFaults("block", "blocks", "divide each block by 2^e and look which values its numbers should have")


def spec(draw: Draw) -> dict:
    """The blocks of one variant."""
    for attempt in range(2000):
        drawn = _blocks(draw, str(attempt))
        if drawn is not None:
            return drawn
    raise RuntimeError("no blocks in two thousand tells the causes apart; widen the ranges they are drawn from")


def _blocks(draw: Draw, attempt: str) -> dict | None:
    wrong = sorted(draw.order(f"wrong{attempt}", range(1, RUNS + 1))[:2])
    causes = draw.order(f"causes{attempt}", list(CAUSES))[:2]
    drawn = {"wrong": dict(zip(wrong, causes)), "runs": []}
    for row in range(1, RUNS + 1):
        # Every block is clipped a little, so that clipping is no sign of a mistake.
        place, power = draw.between(f"place{attempt}.{row}", 6.2, 7.9), 2.0 ** draw.integer(f"power{attempt}.{row}", -3, 2)
        x = [round(draw.between(f"x{attempt}.{row}.{i}", -5.8, 5.8) * power, 3) for i in range(LENGTH)]
        x[draw.integer(f"at{attempt}.{row}", 0, LENGTH - 1)] = round(place * power, 3)
        e, values = converted(x)
        results = {cause: converted(x, cause) for cause in CAUSES}
        if not all(elements.is_clear(LEVELS, v / 2.0 ** (e + shift)) for v in x for shift in (-1, 0, 1)):
            return None
        if len({(e, tuple(values)), *((a, tuple(b)) for a, b in results.values())}) < 1 + len(CAUSES):
            return None
        e, values = results.get(drawn["wrong"].get(row), (e, values))
        drawn["runs"].append({"row": row, "x": x, "e": e, "values": values,
                              "error": float(f"{error(x, e, values):.3g}")})
    return drawn


def converted(x: list[float], cause: str | None = None) -> tuple[int, list[float]]:
    """(e, values) of a block, right or with one mistake."""
    e = elements.exponent_of(max(map(abs, x))) - EMAX + (cause == "up")
    scaled = [v / 2.0 ** (e - (cause == "half")) for v in x]
    if cause == "cut":
        return e, [max(level for level in LEVELS if level <= abs(v)) * (-1 if v < 0 else 1) for v in scaled]
    return e, [0.0 if cause == "zero" and abs(v) > LEVELS[-1] else elements.nearest(LEVELS, v) for v in scaled]


def error(x: list[float], e: int, values: list[float]) -> float:
    """Squared error of value * 2^e in percent of the squared numbers."""
    return 100 * sum((v * 2.0**e - w) ** 2 for v, w in zip(values, x)) / sum(w * w for w in x)


def right(spec: Spec, row: int) -> float:
    """The error in percent that a block should have had."""
    x = spec["runs"][row - 1]["x"]
    return error(x, *converted(x))


def blocks(spec: Spec, answers: Answers) -> None:
    """Which blocks are wrong."""
    _FAULTS.check_numbers(spec, answers, "were made wrongly",
                          "a large error alone is no mistake: the rule clips, and fp4 is coarse",
                          "make e and the values of every block by the rules and compare with the cell")


def causes(spec: Spec, answers: Answers) -> None:
    """What went wrong in them."""
    _FAULTS.check_causes(spec, answers, "each cause gives another exponent or other values, and one of them gives exactly "
                         "those in the cell", "is the exponent right? If it is, are the values too small, twice as "
                         "large, or zero where the block is largest?")


def corrected(spec: Spec, answers: Answers) -> None:
    """The errors that right blocks would have."""
    _FAULTS.check_errors(spec, answers, right, TOLERANCE,
                         "the sum of (value * 2^e - x) squared over the sum of x squared, in percent")


def show(spec: Spec, answers: Answers) -> Bars:
    """The error of each block as printed, and with the learner's corrections."""
    return _FAULTS.bars(spec, answers, "Relative squared error")


def fields(spec: Spec) -> dict:
    """What only answers may know."""
    return findings.error_fields(spec, right)


def drawn_with_text(draw: Draw) -> dict:
    """The spec with its table as Markdown and its data as Python."""
    drawn = spec(draw)
    table = "\n".join(f"| {run['row']} | {run['e']} | {run['error']:g} % |" for run in drawn["runs"])
    code = "\n".join(f"    dict(block={run['row']}, e={run['e']}, x={run['x']},\n         values={run['values']}),"
                     for run in drawn["runs"])
    per_cause = "\n".join(f"| `\"{cause}\"` | {words} |" for cause, words in CAUSES.items())
    return drawn | {"table": table, "code": code, "cause_table": per_cause}


REFERENCE = '''
findings = {<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}
'''

SECOND = '''
levels, corrected = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6]), {}
for b in blocks:
    x = np.array(b["x"])
    e = int(math.frexp(np.abs(x).max())[1]) - 3
    nearest = np.abs(np.abs(x)[:, None] / 2.0**e - levels).argmin(axis=1)
    values = np.sign(x) * levels[nearest]
    if e != b["e"] or (values != b["values"]).any():
        corrected[b["block"]] = float(100 * ((values * 2.0**e - x) ** 2).sum() / (x**2).sum())
findings = dict(zip(sorted(corrected), ["<<cause_a>>", "<<cause_b>>"]))
'''

EXERCISE = Exercise(
    id="11.4", title="Two blocks that were made wrongly", kind="diagnose", difficulty=3, importance=4, minutes=10,
    objective="You can tell from an exponent and its values what a converter did wrong.",
    spec=drawn_with_text, show=show, answer_fields=fields, reference=REFERENCE, second=SECOND,
    wrong=findings.wrong_answers("block", "blocks", REFERENCE, ("a bad exponent", "it clips too much")),
    prose="""
Eight blocks of 6 numbers were converted to MXFP4 by the standard's rule: e is the exponent of the block's largest
magnitude, minus 2 (so that a largest magnitude between 4 and 8 has e = 0). A value is the nearest of 0, 0.5, 1, 1.5, 2,
3, 4 and 6 to `abs(x) / 2^e`, with the sign of x; beyond 6 it is 6. Every one of these blocks is clipped a little by this
rule: that is no mistake. (Half-way cases do not occur. The numbers are made up for this exercise.)

**Two of the blocks were made by other rules**, for two different reasons. The error is that of value times 2^e: the sum
of squared errors over the sum of squared numbers.

| block | e | error |
|---|---|---|
<<table>>

Fill in two dicts: `findings` gives each wrong block its cause, `corrected` the error in percent that it would have if it
followed the rules (to 1 percent of itself). The causes to choose from:

| cause | meaning |
|---|---|
<<cause_table>>
""",
    hints=("Write the rule as a function of a block, and compare all eight with what it gives.",
           "Wrong exponent, or wrong values? That question halves the causes."),
    given="""
# The blocks. Change what you like: the checks use the table above.
blocks = [
<<code>>
]
""",
    head="# findings: block -> cause; corrected: block -> error in percent",
    starter="findings = {}\ncorrected = {}",
    explanation="An exponent that is one too high looks harmless: nothing is clipped, and every step is twice as wide. "
                "Values made with another exponent than the stored one come back at half or twice their size, and a model "
                "of such blocks writes nonsense; that one at least is found soon.",
    checks=(Check("the two blocks", 2, blocks), Check("their causes", 2, causes),
            Check("the right errors", 2, corrected)),
)
