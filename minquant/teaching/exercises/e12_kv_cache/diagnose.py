"""12.4, diagnose: eight caches of keys, two of which were filled wrongly.

What varies: the keys, bits, which two are wrong, and how. The mistakes are those of real caches: rounded again with each
token, scales along the wrong axis, a group's scale taken before the group is whole, scales of another group.
"""

from __future__ import annotations

from .. import findings
from ..beside import Bars
from ..source import Answers, Check, Exercise, Spec
from ..variant import Draw
from . import rows

RUNS, TOKENS, CHANNELS, GROUP, TOLERANCE, APART = 8, 6, 3, 3, 0.01, 0.03
CAUSES = {"again": "with every token that came, all tokens so far were read back and rounded once more, each channel with "
                   "a new scale for all of them",
          "axis": "every token had a scale over its three channels, in place of every channel over three tokens",
          "first": "the scale of a channel came from the first token of its group alone; larger numbers were cut off at "
                   "the largest code",
          "other": "the second group was rounded with the scales of the first, and cut off at the largest code"}
_FAULTS = findings.TwoFaults("cache", "caches", "write the rule as a function of x, and compare what it gives with `back`")


def spec(draw: Draw) -> dict:
    """The caches of one variant."""
    drawn = {"wrong": {}, "runs": []}
    numbers = draw.order("wrong", range(1, RUNS + 1))[:2]
    for number, cause in sorted(zip(numbers, draw.order("causes", list(CAUSES))[:2])):
        drawn["wrong"][number] = cause
    for number in range(1, RUNS + 1):
        drawn["runs"].append(_run(draw, number, drawn["wrong"].get(number)))
    return drawn


def _run(draw: Draw, number: int, cause: str | None) -> dict:
    """One cache. Keys that leave a case half-way, or two causes alike, are drawn again."""
    for turn in range(3000):
        top = 2 ** (draw.choice(f"bits{number}.{turn}", (3, 4)) - 1) - 1
        x = rows.drawn(draw, f"x{number}.{turn}", TOKENS, CHANNELS, 5.0)
        try:
            backs = [kept(x, top, c) for c in (None, *CAUSES)]
        except ArithmeticError:
            continue
        if any(_apart(a, b) < APART for i, a in enumerate(backs) for b in backs[:i]):
            continue
        back = [[round(v, 4) for v in row] for row in kept(x, top, cause)]
        return {"row": number, "top": top, "x": x, "back": back, "error": float(f"{error(x, back):.3g}")}
    raise RuntimeError("no keys in three thousand tell the causes apart; widen the ranges they are drawn from")


def _apart(a: rows.Rows, b: rows.Rows) -> float:
    return max(abs(v - w) for one, other in zip(a, b) for v, w in zip(one, other))


def kept(x: rows.Rows, top: int, cause: str | None = None) -> rows.Rows:
    """The keys as they are read back, right or with one mistake."""
    if cause == "again":
        held: rows.Rows = []
        for token in x:
            held = rows.columns([_back(c, top) for c in rows.columns([*held, token])])
        return held
    if cause == "axis":
        return [_back(token, top) for token in x]
    out: rows.Rows = []
    for first in range(0, TOKENS, GROUP):
        source = x[:GROUP] if cause == "other" else x[first:first + (1 if cause == "first" else GROUP)]
        scales = [rows.symmetric(c, top)[0] for c in rows.columns(source)]
        out += [[s * max(-top, min(top, rows.whole(v / s))) for v, s in zip(token, scales)] for token in x[first:first + GROUP]]
    return out


def _back(x: list[float], top: int) -> list[float]:
    scale, codes = rows.symmetric(x, top)
    return [scale * code for code in codes]


def error(x: rows.Rows, back: rows.Rows) -> float:
    """Squared error in percent of the squared numbers."""
    pairs = [(v, w) for one, other in zip(x, back) for v, w in zip(one, other)]
    return 100 * sum((v - w) ** 2 for v, w in pairs) / sum(v * v for v, _ in pairs)


def right(spec: Spec, number: int) -> float:
    """The error in percent that a cache should have had."""
    run = spec["runs"][number - 1]
    return error(run["x"], kept(run["x"], run["top"]))


def caches(spec: Spec, answers: Answers) -> None:
    """Which caches are wrong."""
    _FAULTS.check_numbers(spec, answers, "were filled wrongly",
                          "a large error alone is no mistake: three bits cost more than four",
                          "make `back` of every cache by the rules and compare with the cell")


def causes(spec: Spec, answers: Answers) -> None:
    """What went wrong in them."""
    _FAULTS.check_causes(spec, answers, "each cause gives other numbers, and one of them gives exactly those in `back`",
                         "how many different magnitudes does a column of `back` have, and are they multiples of one number?")


def corrected(spec: Spec, answers: Answers) -> None:
    """The errors that right caches would have."""
    _FAULTS.check_errors(spec, answers, right, TOLERANCE,
                         "the sum of (back - x) squared over the sum of x squared, in percent")


def show(spec: Spec, answers: Answers) -> Bars:
    """The error of each cache as printed, and with the learner's corrections."""
    return _FAULTS.bars(spec, answers, "Relative squared error")


def fields(spec: Spec) -> dict:
    """What only answers may know."""
    return findings.error_fields(spec, right)


def drawn_with_text(draw: Draw) -> dict:
    """The spec with its table as Markdown and its data as Python."""
    drawn = spec(draw)
    table = "\n".join(f"| {run['row']} | {run['top']} | {run['error']:g} % |" for run in drawn["runs"])
    code = "\n".join(f"    dict(cache={run['row']}, top={run['top']},\n         x={rows.literal(run['x'], 11)},\n"
                     f"         back={rows.literal(run['back'], 14)})," for run in drawn["runs"])
    per_cause = "\n".join(f"| `\"{cause}\"` | {words} |" for cause, words in CAUSES.items())
    return drawn | {"table": table, "code": code, "cause_table": per_cause}


REFERENCE = '''
findings = {<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}
'''

SECOND = '''
corrected = {}
for c in caches:
    x = np.array(c["x"]).reshape(2, 3, 3)
    scale = np.abs(x).max(axis=1, keepdims=True) / c["top"]
    back = (scale * np.rint(x / scale)).reshape(6, 3)
    if not np.allclose(back, c["back"], atol=1e-3):
        corrected[c["cache"]] = float(100 * ((back - c["x"]) ** 2).sum() / (x**2).sum())
findings = dict(zip(sorted(corrected), ["<<cause_a>>", "<<cause_b>>"]))
'''

EXERCISE = Exercise(
    id="12.4", title="Two caches that were filled wrongly", kind="diagnose", difficulty=3, importance=4, minutes=10,
    objective="You can tell from what a cache gives back what it does wrong.",
    spec=drawn_with_text, show=show, answer_fields=fields, reference=REFERENCE, second=SECOND,
    wrong=findings.wrong_answers("cache", "caches", REFERENCE, ("bad scales", "the errors add up")),
    prose="""
Eight caches hold the keys of 6 tokens with 3 channels each, without a float window. They should follow these rules: tokens
0 to 2 are one group, tokens 3 to 5 the other; in a group each channel has a scale, its largest magnitude over `top`; a
code is the nearest whole number to x / scale; `back` is scale times code. (Half-way cases do not occur. The numbers are
made up for this exercise, and `back` is printed to four digits.)

**Two of the caches were filled by other rules**, for two different reasons. The error is the sum of squared differences
of `back` and `x` over the sum of squares of `x`.

| cache | top | error |
|---|---|---|
<<table>>

Fill in two dicts: `findings` gives each wrong cache its cause, `corrected` the error in percent that it would have if it
followed the rules (to 1 percent of itself). The causes to choose from:

| cause | meaning |
|---|---|
<<cause_table>>
""",
    hints=("Write the rule as a function of x and top, and compare all eight with what it gives.",
           "In a right cache every column of a group holds multiples of one number, and one of them is `top` times it."),
    given="""
# The caches. Change what you like: the checks use the table above.
caches = [
<<code>>
]
""",
    head="# findings: cache -> cause; corrected: cache -> error in percent",
    starter="findings = {}\ncorrected = {}",
    explanation="A cache that rounds again looks right after every single step; what is wrong is the number of steps. "
                "That is why a cache is tested with a text, and its old groups with a comparison bit for bit.",
    checks=(Check("the two caches", 2, caches), Check("their causes", 2, causes),
            Check("the right errors", 2, corrected)),
)
