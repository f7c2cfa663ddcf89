"""03.4, diagnose: a table of codes, two rows of which a broken quantizer wrote.

What varies: bits, the ranges and the numbers, which two rows are wrong, and how.
The mistakes are those that quantizers really contain: a cast before the clip, rounding down, the number of codes taken
for the number of steps, a range that was not widened to hold 0, a zero point that was not rounded. The rows are made
up, and the exercise says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..beside import Bars, yours
from ..findings import TwoFaults
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

ROWS, NUMBERS, CLEAR = 8, 6, 0.04  # CLEAR: how far, in steps, every quotient stays away from a half-way case
ONE_SIDED = (2, 5, 7)  # rows whose range does not hold 0
CAUSES = {"cast": "the codes were cast to the bits of the table before they were clipped, and wrapped around",
          "floor": "numbers were rounded down instead of to the nearest code",
          "steps": "the range was divided by the number of codes instead of the number of steps",
          "range": "the range was not widened to hold 0",
          "zero": "the place of 0 was not rounded to a code before it was added"}


def spec(draw: Draw) -> dict:
    """The table of one variant. Some draws leave two causes with the same codes: then the next one is drawn."""
    for attempt in range(1000):
        drawn = _table(draw, str(attempt))
        if _tells_causes_apart(drawn):
            return drawn
    raise RuntimeError("no table in a thousand tells the causes apart; widen the ranges they are drawn from")


def _table(draw: Draw, attempt: str) -> dict:
    drawn: dict = {"bits": draw.choice("bits", (4, 5, 6))}
    planted = sorted(draw.order(f"rows{attempt}", range(1, ROWS + 1))[:2])
    drawn["wrong"] = dict(zip(planted, draw.order(f"causes{attempt}", tuple(CAUSES)), strict=False))
    drawn["runs"] = [_run(draw, f"{attempt}.{row}", row, drawn["bits"]) for row in range(1, ROWS + 1)]
    for run in drawn["runs"]:
        run["codes"] = codes(drawn, run, drawn["wrong"].get(run["row"]))
    return drawn


def _run(draw: Draw, name: str, row: int, bits: int) -> dict:
    """A range, and numbers of which one lies above it; what is near a half-way case is drawn again."""
    def widened(ends: tuple[float, float]) -> tuple[float, float]:
        return min(ends[0], 0.0), max(ends[1], 0.0)

    def step(ends: tuple[float, float]) -> float:
        low, high = widened(ends)
        return (high - low) / (2**bits - 1)

    def ends(turn: str) -> tuple[float, float]:
        width = draw.between(f"width{turn}", 2.0, 9.0)
        low = draw.between(f"low{turn}", *((0.15, 0.5) if row in ONE_SIDED else (-0.8, -0.2))) * width
        return round(low, 1), round(low + width, 1)

    low, high = span = _first(ends, name, lambda e: widened(e)[0] / step(e))
    x = [_first(lambda turn: round(low + draw.between(f"place{turn}", 0.05, 0.95) * (high - low), 2), f"{name}.{i}",
                lambda v: v / step(span)) for i in range(NUMBERS)]
    beyond = draw.integer(f"where{name}", 0, NUMBERS - 1)
    x[beyond] = round(high + draw.between(f"beyond{name}", 0.1, 0.5) * (high - low), 2)
    return {"row": row, "low": low, "high": high, "x": x}


def _first(make: Callable[[str], Any], name: str, in_steps: Callable[[Any], float]) -> Any:
    """The first of many draws that does not lie near a half-way case, so that float32 gives the same codes."""
    drawn = (make(f"{name}.{turn}") for turn in range(100))
    return next(value for value in drawn if abs(in_steps(value) % 1 - 0.5) >= CLEAR)


def quotients(drawn: Spec, run: Spec, cause: str | None = None) -> tuple[list[float], float]:
    """The numbers in steps, and the place of 0 in steps above the lowest code, right or with one mistake."""
    low, high = (run["low"], run["high"]) if cause == "range" else (min(run["low"], 0.0), max(run["high"], 0.0))
    scale = (high - low) / (2 ** drawn["bits"] - (cause != "steps"))
    return [v / scale for v in run["x"]], -low / scale


def codes(drawn: Spec, run: Spec, cause: str | None = None) -> list[int]:
    """Codes of a row, right or with one mistake."""
    top = 2 ** drawn["bits"] - 1
    steps, zero = quotients(drawn, run, cause)
    if cause == "zero":
        return [min(max(round(s + zero), 0), top) for s in steps]
    zero = min(max(round(zero), 0), top)
    made = [(math.floor(s) if cause == "floor" else round(s)) + zero for s in steps]
    return [c % (top + 1) for c in made] if cause == "cast" else [min(max(c, 0), top) for c in made]


def _tells_causes_apart(drawn: Spec) -> bool:
    """Whether the codes of every wrong row fit its cause alone."""
    for row, cause in drawn["wrong"].items():
        run = drawn["runs"][row - 1]
        if any(codes(drawn, run, other) == run["codes"] for other in (None, *CAUSES) if other != cause):
            return False
    return True


_FAULTS = TwoFaults("row", "rows", "the table says how codes are made: make those of every row, and compare")


def rows(spec: Spec, answers: Answers) -> None:
    """The two rows."""
    _FAULTS.check_numbers(spec, answers, "are wrong in the table",
                          "a row is wrong where one of its codes is not the one that the rules give",
                          "make the codes of every row by the rules and print them beside the table's")


def causes(spec: Spec, answers: Answers) -> None:
    """What went wrong in them."""
    _FAULTS.check_causes(spec, answers,
                         "each cause gives the row other codes, and one of them gives exactly those in the table",
                         "make the row's codes once per cause, and see which gives the printed ones")


def corrected(spec: Spec, answers: Answers) -> None:
    """The codes that should stand there."""
    got = _FAULTS.written(answers, "corrected")
    right = 0
    for row in spec["wrong"]:
        mine = got.get(row)
        mine = mine.tolist() if hasattr(mine, "tolist") else mine
        right += mine == codes(spec, spec["runs"][row - 1])
    if right < 2:
        raise Miss(f"{right} of the 2 lists in `corrected` hold the codes that the rules give",
                   f"a list has {NUMBERS} whole numbers, one per number of the row, in its order",
                   "try your code on rows that you trust: it has to give their printed codes", right)


def show(spec: Spec, answers: Answers) -> Bars:
    """The sum of the codes of each row as printed, and with the learner's corrections."""
    fixed = yours(lambda: answers.value("corrected"))
    fixed = fixed if isinstance(fixed, dict) else {}
    bars = []
    for run in spec["runs"]:
        mine = fixed.get(run["row"], run["codes"])
        usable = isinstance(mine, list) and all(isinstance(c, (int, float)) for c in mine)
        bars.append((f"row {run['row']}", float(sum(mine)) if usable else None, float(sum(run["codes"]))))
    return Bars("Sum of the codes of a row: with your corrections, and in the table", "", bars, other="Table")


def fields(spec: Spec) -> dict:
    """What only answers may know: the wrong rows a < b, their causes and right codes, and a sound row."""
    (a, cause_a), (b, cause_b) = spec["wrong"].items()
    sound = [run["row"] for run in spec["runs"] if run["row"] not in (a, b)]
    return {"a": a, "b": b, "cause_a": cause_a, "cause_b": cause_b, "sound": sound[0],
            "right_a": codes(spec, spec["runs"][a - 1]), "right_b": codes(spec, spec["runs"][b - 1]),
            "printed_a": spec["runs"][a - 1]["codes"], "printed_b": spec["runs"][b - 1]["codes"],
            "sorted_a": sorted(codes(spec, spec["runs"][a - 1])), "all_rows": {r: cause_a for r in sound} | spec["wrong"]}


def drawn_with_text(draw: Draw) -> dict:
    """The spec with its table as Markdown and as Python."""
    drawn = spec(draw)
    table = "\n".join(f"| {run['row']} | {run['low']} to {run['high']} | {', '.join(map(str, run['x']))} | "
                      f"{', '.join(map(str, run['codes']))} |" for run in drawn["runs"])
    code = "\n".join(f"    dict(row={run['row']}, low={run['low']}, high={run['high']}, x={run['x']}, "
                     f"codes={run['codes']})," for run in drawn["runs"])
    per_cause = "\n".join(f"| `\"{cause}\"` | {words} |" for cause, words in CAUSES.items())
    return drawn | {"table": table, "code": code, "cause_table": per_cause, "top": 2 ** drawn["bits"] - 1}


_ANSWER = '''
findings = {<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}
'''

WRONG = (
    Wrong("the causes swapped", 2, _ANSWER.replace('<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"',
                                                   '<<a>>: "<<cause_b>>", <<b>>: "<<cause_a>>"')),
    Wrong("the printed codes kept", 2, _ANSWER.replace("right_", "printed_")),
    Wrong("codes of one row out of order", 1, _ANSWER.replace("<<right_a>>", "<<sorted_a>>")),
    Wrong("one row of two", 3, 'findings = {<<b>>: "<<cause_b>>"}\ncorrected = {<<b>>: <<right_b>>}'),
    Wrong("a sound row accused", 3, '''
        findings = {<<sound>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
        corrected = {<<sound>>: <<right_a>>, <<b>>: <<right_b>>}'''),
    Wrong("every row accused", 4, "findings = <<all_rows>>\ncorrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}"),
    Wrong("rows found, causes in words of one's own", 2, '''
        findings = {<<a>>: "something with rounding", <<b>>: "something with the range"}
        corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}'''),
    Wrong("a list instead of a dict", 4, '''
        findings = [<<a>>, <<b>>]
        corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}'''),
)

EXERCISE = Exercise(
    id="03.4", title="Two rows of wrong codes", kind="diagnose", difficulty=3, importance=4, minutes=10,
    objective="You can tell from codes alone what a quantizer did wrong.",
    spec=drawn_with_text, show=show, answer_fields=fields, wrong=WRONG,
    prose="""
A quantizer wrote this table. The rules it should have followed: <<bits>>-bit codes from 0 to <<top>>; each row has a
range of its own, widened to hold 0; the scale is the range over <<top>>; the zero point is the code nearest to
`-low / scale`; a number x has the code nearest to `x / scale`, plus the zero point, clipped to 0 .. <<top>>. Numbers
outside the range are no mistake: they are clipped.

**Two rows hold codes that these rules do not give**, for two different reasons. (The table is made up for this
exercise; half-way cases do not occur.)

| row | range | numbers | codes |
|---|---|---|---|
<<table>>

Fill in two dicts: `findings` gives each wrong row its cause, `corrected` the list of codes that should stand there. The
causes to choose from:

| cause | meaning |
|---|---|
<<cause_table>>
""",
    hints=("A number above the range should have the highest code. Look at those first: it is quick.",
           "For the rest, write the rules down as a function of one row, and compare.",
           "Then change one line of that function at a time, once per cause."),
    given="""
# The table as data, for your own code. Change what you like: the checks use the table above.
runs = [
<<code>>
]
""",
    head="# findings: row -> cause; corrected: row -> list of codes",
    starter="findings = {}\ncorrected = {}",
    reference=_ANSWER,
    second='''
corrected = {}
for run in runs:
    low, high = min(run["low"], 0.0), max(run["high"], 0.0)
    scale = (high - low) / <<top>>
    zero = round(-low / scale)
    codes = [min(max(round(v / scale) + zero, 0), <<top>>) for v in run["x"]]
    if codes != run["codes"]:
        corrected[run["row"]] = codes
findings = dict(zip(sorted(corrected), ["<<cause_a>>", "<<cause_b>>"]))
''',
    explanation="A wrap shows at once: the largest number of a row has one of the smallest codes. The others look "
                "harmless, which is why a quantizer is tested against a second one, written differently. Rounding down "
                "is the worst of them in a long sum: its error has the same sign everywhere.",
    checks=(Check("the two rows", 2, rows), Check("their causes", 2, causes), Check("the right codes", 2, corrected)),
)
