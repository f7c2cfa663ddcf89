"""13.4, diagnose: eight backward passes through rounding, two of which were written wrongly.

What varies: the weights and the grids, which two passes are wrong, and how.
The mistakes are those that implementations contain: clipped weights that still get their gradient or give the step
nothing, the sign of the step's gradient, the derivative of a staircase taken at its word, a step that is trained on
unrounded weights. The weights are made up; the text says so.
"""

from __future__ import annotations

from ..findings import TwoFaults
from ..source import Answers, Check, Exercise, Spec, Wrong
from ..variant import Draw

CAUSES = {"clip": "clipped weights get the gradient as if they were not clipped",
          "ends": "clipped weights add nothing to the gradient of the step",
          "sign": "weights that are not clipped add (w / step - code) to the gradient of the step",
          "staircase": "the derivative of rint was taken as 0: only clipped weights add to anything",
          "codes": "every weight adds its code to the gradient of the step, clipped or not"}
ENDS = ((-2, 1), (-1, 1), (-4, 3), (-2, 1), (-1, 1), (-4, 3), (-8, 7), (-8, 7))


def spec(draw: Draw) -> dict:
    """The passes of one variant."""
    ends = draw.order("ends", ENDS)
    numbers = draw.order("wrong", range(1, 9))[:2]
    causes = draw.order("causes", CAUSES)[:2]
    wrong = dict(sorted(zip(numbers, causes, strict=True)))
    runs = [_run(draw, number, *ends[number - 1], wrong.get(number)) for number in range(1, 9)]
    return {"runs": runs, "wrong": wrong}


def _run(draw: Draw, number: int, low: int, high: int, cause: str | None) -> dict:
    """Two weights inside the grid and one beyond each end, none of them near a border, and what came of them. Drawn
    again where two causes give the same."""
    for attempt in range(100):
        found = _drawn_run(draw, f"{number}.{attempt}", low, high, cause)
        rules = found["w"], found["du"], found["step"], low, high
        made = [passed(*rules, mistake) for mistake in (None, *CAUSES)]
        if all(a[0] != b[0] or abs(a[1] - b[1]) > 0.05 for n, a in enumerate(made) for b in made[:n]):
            return {"run": number} | found
    raise RuntimeError("no weights in a hundred tell the causes apart; widen the ranges they are drawn from")


def _drawn_run(draw: Draw, number: str, low: int, high: int, cause: str | None) -> dict:
    """One try at the weights of a run."""
    step = draw.choice(f"step{number}", (0.1, 0.2, 0.25, 0.5))
    places = [draw.choice(f"up{number}", (0.7, 0.75, 0.8)), draw.choice(f"down{number}", (-0.35, -0.3, -0.25)),
              high + draw.choice(f"above{number}", (0.6, 0.8, 1.2)),
              low - draw.choice(f"below{number}", (0.6, 0.9, 1.3))]
    order = draw.order(f"order{number}", range(4))
    w = [round(step * places[i], 4) for i in order]
    du = [draw.choice(f"du{number}.{i}", (-2, -1, 1, 2)) * (1 + i / 4) for i in range(4)]
    dw, ds = passed(w, du, step, low, high, cause)
    return {"low": low, "high": high, "step": step, "w": w, "du": du, "dw": dw, "ds": ds}


def passed(w: list, du: list, step: float, low: int, high: int, cause: str | None) -> tuple[list[float], float]:
    """Gradients by the weights and by the step, by the rules or with one mistake."""
    dw, ds = [], 0.0
    for x, g in zip(w, du, strict=True):
        ratio = x / step
        clipped = not low <= ratio <= high
        code = min(max(round(ratio), low), high)
        dw.append(g if cause == "clip" and clipped else 0.0 if clipped or cause == "staircase" else g)
        if clipped:
            slope = 0.0 if cause == "ends" else code
        else:
            slope = {"sign": ratio - code, "staircase": 0.0, "codes": code}.get(cause, code - ratio)
        ds += g * slope
    return dw, round(ds, 4) + 0.0


_FAULTS = TwoFaults("pass", "passes", "work out the first pass of the cell above by hand, and compare")


def runs(spec: Spec, answers: Answers) -> None:
    """The two passes."""
    _FAULTS.check_numbers(spec, answers, "were written wrongly",
                          "a wrong pass has other gradients than the rules give for its weights",
                          "write the rules of 13.1 (share 0) and 13.2 (factor 1) and run them on all eight")


def causes(spec: Spec, answers: Answers) -> None:
    """What is wrong with them."""
    _FAULTS.check_causes(spec, answers, "each cause gives other gradients, and one of them gives those in the cell",
                         "is dw wrong, or ds, or both? Then make one mistake after the other in your own code")


def fields(spec: Spec) -> dict:
    """What only answers may know."""
    (a, cause_a), (b, cause_b) = spec["wrong"].items()
    sound = next(number for number in range(1, 9) if number not in (a, b))
    return {"a": a, "b": b, "cause_a": cause_a, "cause_b": cause_b, "sound": sound,
            "all": {run["run"]: cause_a for run in spec["runs"]}}


def drawn_with_text(draw: Draw) -> dict:
    """The spec with its data as Python and its causes as Markdown."""
    drawn = spec(draw)
    code = "\n".join(f"    dict(run={r['run']}, low={r['low']}, high={r['high']}, step={r['step']}, w={r['w']},\n"
                     f"         du={r['du']}, dw={r['dw']}, ds={r['ds']})," for r in drawn["runs"])
    return drawn | {"code": code, "cause_table": "\n".join(f"| `\"{c}\"` | {words} |" for c, words in CAUSES.items())}


REFERENCE = 'findings = {<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}'

EXERCISE = Exercise(
    id="13.4", title="Two broken backward passes", kind="diagnose", difficulty=3, importance=4, minutes=10,
    objective="You can tell from gradients what somebody's backward pass does wrong.",
    spec=drawn_with_text, answer_fields=fields, reference=REFERENCE,
    prose="""
Eight people wrote the backward pass of a learned step and ran it on four weights each. The rules: a weight that is not
clipped gets du as it is, a clipped one 0; the gradient `ds` of the step is the sum of du times (code - w / step) for
weights that are not clipped, and of du times the code for clipped ones, without any factor. (The weights are made up.)

**Two of the passes follow other rules**, for two different reasons. Fill in the dict `findings`, which gives each wrong
pass its cause. The causes to choose from:

| cause | meaning |
|---|---|
<<cause_table>>
""",
    hints=("Look at dw first: a 0 belongs exactly to the clipped weights.",
           "For ds, write the rules as code and compare all eight."),
    given="""
# The passes. Change what you like: the checks use the figures above.
runs = [
<<code>>
]
""",
    head="# findings: run -> cause",
    starter="findings = {}",
    second='''
findings = {}
for run in runs:
    w, du = np.array(run["w"]), np.array(run["du"])
    ratio = w / run["step"]
    code = np.rint(ratio).clip(run["low"], run["high"])
    inside = (ratio >= run["low"]) & (ratio <= run["high"])
    ds = (du * np.where(inside, code - ratio, code)).sum()
    if abs(ds - run["ds"]) > 1e-3 or not np.allclose(np.where(inside, du, 0), run["dw"]):
        findings[run["run"]] = {<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}[run["run"]]
''',
    explanation="All of them would train: the weights move, the loss falls for a while. That is why a backward pass is "
                "checked against finite differences and not by whether the loss falls.",
    checks=(Check("the two passes", 2, runs), Check("their causes", 2, causes)),
    wrong=(
        Wrong("the causes swapped", 2, 'findings = {<<a>>: "<<cause_b>>", <<b>>: "<<cause_a>>"}'),
        Wrong("one pass of two", 2, 'findings = {<<b>>: "<<cause_b>>"}'),
        Wrong("a sound pass accused", 2, 'findings = {<<sound>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}'),
        Wrong("every pass accused", 4, "findings = <<all>>"),
        Wrong("causes in words of one's own", 2, 'findings = {<<a>>: "something with clipping", <<b>>: "the sign"}'),
        Wrong("a list instead of a dict", 4, "findings = [<<a>>, <<b>>]"),
    ),
)
