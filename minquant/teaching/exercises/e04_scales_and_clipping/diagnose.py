"""04.4, diagnose: eight quantized copies of one small matrix, two of which were made wrongly.

What varies: the matrix, the formats, how scales are stored, which two copies are wrong, and how.
The mistakes are those that quantizers really contain: scales shared along the wrong axis, scales in another order than
the rows, codes from a scale that is not the stored one, a clip measured on the wrong numbers, a clip applied twice.
The matrix is square, so that a wrong axis does not show in the number of scales. It is made up; the text says so.
"""

from __future__ import annotations

import math

from ..beside import Bars
from ..findings import TwoFaults, error_fields
from ..source import Answers, Check, Exercise, Spec
from ..variant import Draw
from .diagnose_answers import REFERENCE, SECOND, WRONG

SIDE, TOLERANCE, APART, CLEAR = 6, 0.01, 0.03, 1e-4  # CLEAR: how far, in steps, quotients stay from half-way cases
FORMATS = ((4, 6, 1.0), (4, 6, 0.8), (4, 3, 1.0), (4, 3, 0.8), (3, 6, 0.7), (3, 3, 0.7), (5, 6, 0.9), (5, 2, 0.9))
CAUSES = {"axis": "the weights that share a scale are neighbours down a column instead of along a row",
          "order": "the scales are the right ones, stored in the opposite order: the last one first",
          "stored": "the codes were made with the scale as it was before it was rounded for storage",
          "absolute": "the share at which to clip was taken of the largest weight of the matrix, not of the group",
          "twice": "the share at which to clip was applied twice"}
LOUD = ("axis", "order")  # the error mostly shows these at once; one of the two has one of them
ROUNDING = {"up": ("ceil", "up"), "near": ("rint", "to the nearest")}


def spec(draw: Draw) -> dict:
    """The copies of one variant. Matrices that leave a case half-way or two causes alike are drawn again."""
    for attempt in range(1000):
        drawn = _copies(draw, str(attempt))
        if _is_clear(drawn) and _tells_causes_apart(drawn):
            return drawn
    raise RuntimeError("no matrix in a thousand tells the causes apart; widen the ranges it is drawn from")


def _copies(draw: Draw, attempt: str) -> dict:
    reach = [draw.between(f"reach{attempt}.{i}", 2.0, 7.5) for i in range(SIDE)]
    drawn = {"units": draw.choice("units", (2, 3, 4, 5)), "rounding": draw.choice("rounding", tuple(ROUNDING)),
             "matrix": [[round(reach[i] * draw.between(f"w{attempt}.{i}.{j}", -1, 1), 2) for j in range(SIDE)]
                        for i in range(SIDE)]}
    planted = draw.order(f"rows{attempt}", range(1, len(FORMATS) + 1))[:2]
    causes = draw.choice(f"loud{attempt}", LOUD), draw.choice(f"quiet{attempt}", [c for c in CAUSES if c not in LOUD])
    drawn["wrong"] = dict(sorted(zip(planted, causes, strict=True)))
    formats = draw.order(f"formats{attempt}", FORMATS)
    drawn["runs"] = [{"row": n, "bits": b, "group": g, "clip": c} for n, (b, g, c) in enumerate(formats, 1)]
    for run in drawn["runs"]:
        run["scales"], run["codes"] = quantized(drawn, run, drawn["wrong"].get(run["row"]))
        run["error"] = float(f"{error(drawn, run, run['scales'], run['codes']):.3g}")
    return drawn


def unit(drawn: Spec) -> float:
    """What a stored scale of 1 stands for: exact in binary, so that weights of two decimals rarely lie half-way."""
    return drawn["units"] / 64


def blocks(rows: list[list[float]], group: int) -> list[list[float]]:
    """The runs of ``group`` neighbours along the rows, row by row."""
    return [row[i:i + group] for row in rows for i in range(0, len(row), group)]


def turned(rows: list[list[float]]) -> list[list[float]]:
    """Rows as columns."""
    return [list(column) for column in zip(*rows, strict=True)]


def ends(drawn: Spec, run: Spec, cause: str | None = None) -> list[tuple[list[float], float, int]]:
    """Of every block: its weights, the scale before it is rounded, and in units as it is stored."""
    matrix = turned(drawn["matrix"]) if cause == "axis" else drawn["matrix"]
    largest = max(abs(w) for row in matrix for w in row)
    found = []
    for block in blocks(matrix, run["group"]):
        own = max(abs(w) for w in block)
        end = min(own, run["clip"] * largest) if cause == "absolute" else own * run["clip"] ** (1 + (cause == "twice"))
        exact = end / (2 ** (run["bits"] - 1) - 1)
        units = exact / unit(drawn)
        found.append((block, exact, max(math.ceil(units) if drawn["rounding"] == "up" else round(units), 1)))
    return found


def quantized(drawn: Spec, run: Spec, cause: str | None = None) -> tuple[list[int], list[list[int]]]:
    """Scales in units, as they are stored, and codes as rows of the matrix, right or with one mistake."""
    top, found = 2 ** (run["bits"] - 1) - 1, ends(drawn, run, cause)
    flat = [min(max(round(w / (exact if cause == "stored" else n * unit(drawn))), -top), top)
            for block, exact, n in found for w in block]
    codes, scales = blocks([flat], SIDE), [n for *_, n in found]
    return scales[::-1] if cause == "order" else scales, turned(codes) if cause == "axis" else codes


def error(drawn: Spec, run: Spec, scales: list[int], codes: list[list[int]]) -> float:
    """Relative squared error in percent of scale times code, every scale used where the rules want it."""
    pairs = [(w, scale * unit(drawn) * code) for block, part, scale in zip(
        blocks(drawn["matrix"], run["group"]), blocks(codes, run["group"]), scales, strict=True)
        for w, code in zip(block, part, strict=True)]
    return 100 * sum((w - back) ** 2 for w, back in pairs) / sum(w * w for w, _ in pairs)


def right(spec: Spec, row: int) -> float:
    """The error in percent that a copy should have had."""
    run = spec["runs"][row - 1]
    return error(spec, run, *quantized(spec, run))


def _is_clear(drawn: Spec) -> bool:
    """Whether no quotient is so near the place where its rounding changes that float32 could change it."""
    for run in drawn["runs"]:
        for cause in (None, *CAUSES) if run["row"] in drawn["wrong"] else (None,):
            for block, exact, n in ends(drawn, run, cause):
                used = exact if cause == "stored" else n * unit(drawn)
                turns = [w / used - 0.5 for w in block] + [exact / unit(drawn) - 0.5 * (drawn["rounding"] == "near")]
                if any(abs(t - round(t)) < CLEAR for t in turns):
                    return False
    return True


def _tells_causes_apart(drawn: Spec) -> bool:
    """Whether each wrong copy fits its cause alone, and its error is clearly another than the right one."""
    for row, cause in drawn["wrong"].items():
        run = drawn["runs"][row - 1]
        if any(quantized(drawn, run, other) == quantized(drawn, run, cause)
               for other in (None, *CAUSES) if other != cause) or abs(run["error"] / right(drawn, row) - 1) < APART:
            return False
    return True


_FAULTS = TwoFaults("copy", "copies",
                    "make one copy by the rules, and compare its scales and codes with those in the cell above")


def copies(spec: Spec, answers: Answers) -> None:
    """The two copies."""
    _FAULTS.check_numbers(spec, answers, "were made wrongly",
                          "a large error alone is no mistake: few bits, and many weights on one scale, cost as much",
                          "make the scales and codes of every copy by the rules and compare with the cell")


def causes(spec: Spec, answers: Answers) -> None:
    """What went wrong in them."""
    _FAULTS.check_causes(
        spec, answers,
        "each cause gives other scales or other codes, and one of them gives exactly those in the cell",
        "are the scales right? If they are, look at their order and at the codes; if not, whose largest "
        "weight belongs to them?")


def corrected(spec: Spec, answers: Answers) -> None:
    """The errors that right copies would have."""
    _FAULTS.check_errors(
        spec, answers, right, TOLERANCE,
        "the sum of squared errors over the sum of squared weights, in percent, all 36 weights counted")


def show(spec: Spec, answers: Answers) -> Bars:
    """The error of each copy as printed, and with the learner's corrections."""
    return _FAULTS.bars(spec, answers, "Relative squared error")


def fields(spec: Spec) -> dict:
    """What only answers may know."""
    return error_fields(spec, right) | {"round": ROUNDING[spec["rounding"]][0]}


def drawn_with_text(draw: Draw) -> dict:
    """The spec with its table as Markdown and its data as Python."""
    drawn = spec(draw)
    table = "\n".join(f"| {run['row']} | {run['bits']} | {run['group']} | {run['clip']:.0%} | {run['error']:g} % |"
                      for run in drawn["runs"])
    code = "\n".join(f"    dict(copy={run['row']}, bits={run['bits']}, group={run['group']}, clip={run['clip']},\n"
                     f"         scales={run['scales']},\n         codes={_in_two_lines(run['codes'])}),"
                     for run in drawn["runs"])
    weights = ",\n              ".join(str(row) for row in drawn["matrix"])
    per_cause = "\n".join(f"| `\"{cause}\"` | {words} |" for cause, words in CAUSES.items())
    return drawn | {"table": table, "code": code, "weights": weights, "cause_table": per_cause,
                    "rounding_words": ROUNDING[drawn["rounding"]][1], "unit": f"{drawn['units']} / 64"}


def _in_two_lines(codes: list[list[int]]) -> str:
    half = SIDE // 2
    return f"{str(codes[:half])[:-1]},\n                {str(codes[half:])[1:]}"


EXERCISE = Exercise(
    id="04.4", title="Two copies that were made wrongly", kind="diagnose", difficulty=3, importance=4, minutes=10,
    objective="You can tell from scales and codes who shared a scale, and where a quantizer clipped.",
    spec=drawn_with_text, show=show, answer_fields=fields, wrong=WRONG,
    prose="""
One matrix of 6 rows and 6 columns was quantized eight times. The rules: `group` neighbours **along a row** share a
scale (6 is a whole row), and groups follow each other row by row. Codes of b bits go from -q to q, with
q = 2^(b-1) - 1. The grid of a group ends at the share `clip` of the largest magnitude **in the group**; that end over
q is the scale. It is stored as a whole number n of at least 1, so that the **stored** scale is n times <<unit>>, with n
rounded <<rounding_words>>. A code is the weight over the stored scale, rounded to the nearest whole number and clipped
to -q .. q. (Half-way cases do not occur. The matrix is made up for this exercise.)

**Two of the copies were made by other rules**, for two different reasons. The error is that of scale times code, every
scale used where the rules want it: the sum of squared errors over the sum of squared weights.

| copy | bits | group | clip | error |
|---|---|---|---|---|
<<table>>

Fill in two dicts: `findings` gives each wrong copy its cause, `corrected` the error in percent that it would have if it
followed the rules (to 1 percent of itself). The causes to choose from:

| cause | meaning |
|---|---|
<<cause_table>>
""",
    hints=("Which errors are larger than bits, group and clip can explain? Some mistakes hardly show there.",
           "`W.reshape(-1, group)` has one row for each scale: write the rules down as a function of a copy.",
           "If only the codes differ, the scales were right and were not used. If the scales differ, sort both lists."),
    given="""
# The matrix and its copies. Change what you like: the checks use the table above.
W = np.array([<<weights>>])
copies = [
<<code>>
]
""",
    head="# findings: copy -> cause; corrected: copy -> error in percent",
    starter="findings = {}\ncorrected = {}",
    reference=REFERENCE, second=SECOND,
    explanation="Scales in the wrong place mostly ruin a copy, and the error shows it. The others look like bad luck, "
                "or like a grid of fewer bits; a clip of the wrong numbers can even make the error smaller. Only a "
                "second quantizer, written from the rules, tells. Test with matrices that are not square: there a "
                "wrong axis does not fit.",
    checks=(Check("the two copies", 2, copies), Check("their causes", 2, causes),
            Check("the right errors", 2, corrected)),
)
