"""07.4, diagnose: a report on eight rounded models, two lines of which were made by other rules.

What varies: the costs, the unit, how windows overlap, which lines are wrong, and how.
The mistakes are those of real reports: blocks the method was tuned on are tested too, the float model was measured on
other blocks, what windows overlap is counted twice, a figure per token beside figures per byte, an error without
pairing. Costs are made up, and the text says so; what a copy was tuned on costs it little more than the float model.
"""

from __future__ import annotations

import math
from statistics import fmean, stdev

from ..beside import Bars, yours
from ..checking import close
from ..findings import TwoFaults
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .diagnose_answers import REFERENCE, SECOND, WRONG

BLOCKS, TUNED, TOLERANCE, APART = 12, 3, 0.01, 0.04
FORMATS = (("int6:g64", 0.006), ("int5:g32", 0.009), ("int5:g128", 0.014), ("fp4_e2m1:g32", 0.028),
           ("int4:g32", 0.023), ("int4:g128", 0.036), ("int3:g32", 0.09), ("int3:g128", 0.13))  # cost, relative
CAUSES = {"leaked": "the blocks that the copy was tuned on are counted too",
          "texts": "the copy's mean is over the blocks that count, the float model's is over all twelve",
          "twice": "a block that two windows read is counted twice",
          "tokens": "the values are per token, not per byte",
          "unpaired": "the error is that of two separate means: the root of the sum of the squares of their own errors"}
LOUD = ("texts", "tokens", "unpaired")  # mostly seen at a glance; one of the two mistakes is one of them
Pair = tuple[float, float]  # difference and error


def spec(draw: Draw) -> dict:
    """The report of one variant. Costs that leave two causes alike are drawn again."""
    for attempt in range(1000):
        drawn = _report(draw, str(attempt))
        if _tells_causes_apart(drawn):
            return drawn
    raise RuntimeError("no report in a thousand tells the causes apart; widen the ranges it is drawn from")


def _report(draw: Draw, attempt: str) -> dict:
    bits, window = draw.choice("bits", (True, False)), draw.integer("window", 3, 5)
    size = 100 * draw.integer("size", 8, 12)
    drawn = {"bits": bits, "window": window, "bytes": size,
             "shared": [b for b in range(window - 1, BLOCKS - 1, window - 1)],
             "tokens": [round(size / draw.between(f"t{attempt}.{b}", 3.3, 4.7)) for b in range(BLOCKS)],
             "floats": [round(size * draw.between(f"f{attempt}.{b}", 0.5, 0.95), 1) for b in range(BLOCKS)]}
    planted = draw.order(f"rows{attempt}", range(1, len(FORMATS) + 1))[:2]
    causes = draw.choice(f"loud{attempt}", LOUD), draw.choice(f"quiet{attempt}", [c for c in CAUSES if c not in LOUD])
    drawn["wrong"] = dict(sorted(zip(planted, causes, strict=True)))
    drawn["lines"] = []
    for row, (name, level) in enumerate(draw.order(f"formats{attempt}", FORMATS), 1):
        start = draw.integer(f"tuned{attempt}.{row}", 0, BLOCKS - TUNED)
        tuned = list(range(start, start + TUNED))
        lost = [level * (draw.between(f"c{attempt}.{row}.{b}", -0.2, 0.3) if b in tuned else
                         draw.between(f"c{attempt}.{row}.{b}", 0.6, 1.4)) for b in range(BLOCKS)]
        line = {"row": row, "format": name, "tuned": tuned,
                "costs": [round(f * (1 + more), 1) for f, more in zip(drawn["floats"], lost, strict=True)]}
        figures = measured(drawn, line, drawn["wrong"].get(row))
        drawn["lines"].append(line | dict(zip(("difference", "error"), (float(f"{x:.4g}") for x in figures),
                                              strict=True)))
    return drawn


def measured(drawn: Spec, line: Spec, cause: str | None = None) -> Pair:
    """Difference and error of one line, right or with one mistake."""
    counted = [b for b in range(BLOCKS) if b not in line["tuned"] or cause == "leaked"]
    if cause == "twice":
        counted += [b for b in counted if b in drawn["shared"]]
    per = drawn["tokens"] if cause == "tokens" else [drawn["bytes"]] * BLOCKS
    floats, copy = ([cost / n / (math.log(2) if drawn["bits"] else 1) for cost, n in zip(costs, per, strict=True)]
                    for costs in (drawn["floats"], line["costs"]))
    values = [copy[b] - floats[b] for b in counted]
    difference, error = fmean(values), stdev(values) / math.sqrt(len(values))
    if cause == "texts":
        difference = fmean(copy[b] for b in counted) - fmean(floats)
    if cause == "unpaired":
        error = math.hypot(*(stdev(each[b] for b in counted) / math.sqrt(len(counted)) for each in (floats, copy)))
    return difference, error


def right(spec: Spec, row: int) -> Pair:
    """Difference and error that a line should have had."""
    return measured(spec, spec["lines"][row - 1])


def _alike(one: Pair, other: Pair, tolerance: float) -> bool:
    return all(close(a, b, tolerance) for a, b in zip(one, other, strict=True))


def _tells_causes_apart(drawn: Spec) -> bool:
    """Whether every cause would give the wrong lines figures of its own, and away from the right ones."""
    for row in drawn["wrong"]:
        figures = [measured(drawn, drawn["lines"][row - 1], cause) for cause in (None, *CAUSES)]
        if any(_alike(a, b, APART) for n, a in enumerate(figures) for b in figures[:n]):
            return False
    return True


_FAULTS = TwoFaults("line", "lines", "make one line by the rules, and compare its two figures with the report")


def rows(spec: Spec, answers: Answers) -> None:
    """The two lines."""
    _FAULTS.check_numbers(spec, answers, "were made by other rules",
                          "a large difference alone is no mistake: fewer bits cost more",
                          "make both figures of every line by the rules and compare with the report")


def causes(spec: Spec, answers: Answers) -> None:
    """What went wrong in them."""
    _FAULTS.check_causes(spec, answers,
                         "each cause changes the difference, the error or both, by amounts of its own",
                         "is it the difference that is off, or only the error? Then make one mistake after the other "
                         "yourself: one of them gives the printed figures")


def corrected(spec: Spec, answers: Answers) -> None:
    """The figures that should stand there."""
    got = _FAULTS.written(answers, "corrected")
    found = 0
    for row in spec["wrong"]:
        pair = got.get(row)
        found += (isinstance(pair, list) and len(pair) == 2 and all(type(x) in (int, float) for x in pair)
                  and _alike(tuple(pair), right(spec, row), TOLERANCE))
    if found < 2:
        raise Miss(f"{found} of the 2 lines in `corrected` have the right difference and the right error",
                   "a line has two figures, (difference, error), and both must follow the rules",
                   "try your code on lines that you trust: it has to give what is printed there", found)


def show(spec: Spec, answers: Answers) -> Bars:
    """The difference of every line as printed, and with the learner's corrections."""
    fixed = yours(lambda: answers.value("corrected"))
    fixed = fixed if isinstance(fixed, dict) else {}
    bars = []
    for line in spec["lines"]:
        mine = fixed.get(line["row"], [line["difference"]])
        mine = mine[0] if isinstance(mine, list) and mine and type(mine[0]) in (int, float) else None
        bars.append((f"{line['row']}: {line['format']}", mine, line["difference"]))
    return Bars("Difference to float: with your corrections, and in the report", spec["unit"], bars, other="Report")


def fields(spec: Spec) -> dict:
    """What only answers may know: the wrong lines a < b, their causes and right figures, and a sound line."""
    (a, cause_a), (b, cause_b) = spec["wrong"].items()
    sound = [line["row"] for line in spec["lines"] if line["row"] not in (a, b)]
    found = {"a": a, "b": b, "cause_a": cause_a, "cause_b": cause_b, "sound": sound[0],
             "all_rows": {r: cause_a for r in sound} | spec["wrong"], "divided": " / math.log(2)" * spec["bits"]}
    other = {True: math.log(2), False: 1 / math.log(2)}[spec["bits"]]  # from the unit of the report to the other one
    count = BLOCKS - TUNED
    for name, row in (("a", a), ("b", b)):
        difference, error = right(spec, row)
        line = spec["lines"][row - 1]
        found |= {f"right_{name}": _text(difference, error),
                  f"printed_{name}": _text(line["difference"], line["error"]),
                  f"unit_{name}": _text(difference * other, error * other),
                  f"n_{name}": _text(difference, error * math.sqrt((count - 1) / count)),
                  f"single_{name}": f"{difference:.5g}"}
    return found


def _text(difference: float, error: float) -> str:
    return f"({difference:.5g}, {error:.5g})"


def drawn_with_text(draw: Draw) -> dict:
    """The spec with its report as Markdown and its data as Python."""
    drawn = spec(draw)
    table = "\n".join(f"| {n['row']} | {n['format']} | {n['tuned'][0]} to {n['tuned'][-1]} | {n['difference']:.4g} | "
                      f"{n['error']:.4g} |" for n in drawn["lines"])
    code = "\n".join(f"    dict(line={n['row']}, tuned={n['tuned']}, difference={n['difference']}, "
                     f"error={n['error']},\n         costs={_in_two_lines(n['costs'], 16)})," for n in drawn["lines"])
    return drawn | {"table": table, "code": code, "unit": "bits per byte" if drawn["bits"] else "nats per byte",
                    "unit_word": "bits (nats over the natural logarithm of 2)" if drawn["bits"] else "nats",
                    "float_code": _in_two_lines(drawn["floats"], 10), "token_code": _in_two_lines(drawn["tokens"], 10),
                    "shared_words": ", ".join(map(str, drawn["shared"])),
                    "cause_table": "\n".join(f"| `\"{cause}\"` | {words} |" for cause, words in CAUSES.items())}


def _in_two_lines(values: list, indent: int) -> str:
    half = BLOCKS // 2
    return f"{str(values[:half])[:-1]},\n{' ' * indent}{str(values[half:])[1:]}"


EXERCISE = Exercise(
    id="07.4", title="Two lines of a report", kind="diagnose", difficulty=3, importance=5, minutes=10,
    objective="You can tell from the losses what is wrong with somebody's evaluation.",
    spec=drawn_with_text, show=show, answer_fields=fields, wrong=WRONG,
    prose="""
A float model and eight rounded copies of it read one text of 12 blocks, 0 to 11, of <<bytes>> bytes each. The cell
below has what every block cost every model, in nats. Each copy was tuned on three of the blocks: its clips and scales
were chosen there. (All figures are made up for this exercise.) The report says how much more than the float model a
copy costs, by these rules:

| what | |
|---|---|
| blocks that count | all but the three that the copy was tuned on; each counts once |
| value of a block | (cost of the copy - cost of the float model) per byte, in <<unit_word>> |
| difference | the mean of the values |
| error | the standard deviation of the values (divided by n - 1) over the root of their number n |

The models read windows of up to <<window>> blocks, and a window begins with the last block of the one before. So the
blocks <<shared_words>> are read twice. (Both times they cost the same here.)

**Two lines of the report were made by other rules**, for two different reasons.

| line | format | tuned on | difference, <<unit>> | error |
|---|---|---|---|---|
<<table>>

Fill in two dicts: `findings` gives each wrong line its cause, `corrected` the `(difference, error)` that should stand
there (each to 1 percent of itself). The causes to choose from:

| cause | meaning |
|---|---|
<<cause_table>>
""",
    hints=("Look down the columns first: which figure does not fit the number of bits, which error not its difference?",
           "Not every mistake is seen from afar. Write the rules down as a function of a line; print both figures "
           "beside those of the report."),
    given="""
# What each block cost, and how many tokens it has. Change what you like: the checks use the table above.
floats = <<float_code>>
tokens = <<token_code>>
lines = [
<<code>>
]
""",
    head="# findings: line -> cause; corrected: line -> (difference, error)",
    starter="findings = {}\ncorrected = {}",
    reference=REFERENCE, second=SECOND,
    explanation="An error bar without pairing, another text and another unit mostly stand out beside the other lines. "
                "A leak does not: it makes a method look better by as much as one hopes for. Nothing in the figures "
                "tells; one has to know which text the method has seen. The same with blocks that count twice.",
    checks=(Check("the two lines", 2, rows), Check("their causes", 2, causes),
            Check("the right figures", 2, corrected)),
)
