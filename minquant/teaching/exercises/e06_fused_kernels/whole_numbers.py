"""06.5, stretch: inputs rounded too, so that the loop multiplies whole numbers.

What varies: the size of a group, the largest code of an input, and what happens half-way between two codes. It is rung
v3 of the lesson by another rule than the package's.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars, yours
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw
from .helpers import agree, ask_rows, same

RULES = {"away": "away from zero: 2.5 becomes 3, -2.5 becomes -3", "up": "up: 2.5 becomes 3, -2.5 becomes -2",
         "zero": "towards zero: 2.5 becomes 2, -2.5 becomes -2"}


def spec(draw: Draw) -> dict:
    """The rules of one variant."""
    rule = draw.choice("rule", tuple(RULES))
    return {"group": draw.choice("group", (8, 16, 24, 32)), "top": draw.choice("top", (31, 63, 100, 120)), "rule": rule,
            "rule_words": RULES[rule]}


def fields(spec: Spec) -> dict:
    """The rounding of this variant, twice, and NumPy's own."""
    return {"round": {"away": "np.trunc(y + np.copysign(0.5, y))", "up": "np.floor(y + 0.5)",
                      "zero": "np.copysign(np.ceil(abs(y) - 0.5), y)"}[spec["rule"]],
            "second_round": {"away": "np.sign(y) * np.floor(abs(y) + 0.5)", "up": "-np.ceil(-y - 0.5)",
                             "zero": "np.sign(y) * -np.floor(0.5 - abs(y))"}[spec["rule"]]}


def rounded(spec: Spec, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(codes, scale) of the inputs, by the rules: int64 (columns,), float64 (groups,)."""
    largest = abs(x.astype(np.float64)).reshape(-1, spec["group"]).max(axis=1)
    scale = np.where(largest > 0, largest / spec["top"], 1.0)
    y = x / np.repeat(scale, spec["group"])
    whole, rest = np.floor(y), y - np.floor(y)
    up = {"away": (rest > 0.5) | (rest == 0.5) & (y > 0), "up": rest >= 0.5,
          "zero": (rest > 0.5) | (rest == 0.5) & (y < 0)}[spec["rule"]]
    return (whole + up).astype(np.int64), scale


def _inputs(spec: Spec, answers: Answers, x: np.ndarray, shown: str) -> tuple[np.ndarray, np.ndarray]:
    """(codes, scale) of the learner's round_inputs."""
    groups = x.size // spec["group"]
    got = answers.call("round_inputs", x)
    if not isinstance(got, list) or len(got) != 2:
        raise Miss(f"round_inputs of {shown} returned {str(got)[:60]}", "two arrays are expected: codes, then scales",
                   "end the function with `return codes, scale`")
    codes, scale = (np.asarray(part, np.float64).reshape(-1) for part in got)
    if codes.size != x.size or scale.size != groups:
        raise Miss(f"round_inputs of {shown} returned {codes.size} codes and {scale.size} scales",
                   f"every input has a code, and {spec['group']} neighbours share a scale",
                   "which of the two has as many entries as x?")
    return codes, scale


def scales(spec: Spec, answers: Answers) -> None:
    """Largest magnitude of a group over the largest code; a group of zeros."""
    group, top = spec["group"], spec["top"]
    x = np.zeros(4 * group, np.float32)
    x[1], x[group + 2], x[2 * group], x[2 * group + 1] = -2 * top, 0.5 * top, top, -4 * top
    scale = _inputs(spec, answers, x, "four groups")[1]
    for g, want in enumerate((2.0, 0.5, 4.0, 1.0)):
        if not same(scale[g], want):
            words = "of which all inputs are 0" if g == 3 else f"whose largest magnitude is {want * top:g}"
            raise Miss(f"a group {words} got the scale {scale[g]:g}",
                       f"the largest magnitude of a group becomes the code {top} or -{top}; of zeros the scale is 1",
                       "is the largest magnitude taken of the group alone, and of magnitudes?")


def codes(spec: Spec, answers: Answers) -> None:
    """Codes half-way between two and elsewhere, at a scale of 1."""
    group, top = spec["group"], spec["top"]
    x = np.zeros(2 * group, np.float32)
    x[:8] = top, 2.5, -2.5, 3.5, -3.5, 0.5, -0.5, 1.4
    x[group:group + 4] = -top, 6.6, -6.6, -7.2
    got, want = _inputs(spec, answers, x, "two groups")[0], rounded(spec, x)[0]
    for i in range(2 * group):
        if got[i] != want[i]:
            raise Miss(f"at a scale of 1, the input {x[i]:g} got the code {got[i]:g}",
                       f"codes are the nearest whole numbers; half-way cases go {spec['rule_words'].partition(':')[0]}",
                       "`np.rint` sends half-way cases to the even neighbour, and a cast cuts digits off")


def _matrix(spec: Spec, rows: int, groups: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(rows)
    return (rng.integers(-127, 128, (rows, groups * spec["group"])).astype(np.int8),
            rng.uniform(0.01, 0.1, (rows, groups)).astype(np.float32),
            (rng.standard_normal(groups * spec["group"]) * np.repeat(4.0 ** rng.integers(-3, 4, groups), spec["group"])
             ).astype(np.float32))


def product(spec: Spec, w: np.ndarray, scale: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(out, sum of magnitudes) for inputs rounded by the rules."""
    x_codes, x_scale = rounded(spec, x)
    inputs = x_codes * np.repeat(x_scale, spec["group"])
    weights = np.repeat(scale.astype(np.float64), spec["group"], axis=1) * w
    return weights @ inputs, abs(weights) @ abs(inputs)


def whole_sums(spec: Spec, answers: Answers) -> None:
    """The largest codes: their sum leaves 8 and 16 bits."""
    group, top = spec["group"], spec["top"]
    w, x = np.full((1, 2 * group), 127, np.int8), np.full(2 * group, top, np.float32)
    got = ask_rows(answers, "matvec of the largest codes", "matvec", 1, w, np.ones((1, 2), np.float32), x)[0]
    if not same(got, 2 * group * 127 * top):
        raise Miss(f"matvec of {2 * group} weights 127 at scale 1 and inputs {top} returned {got:g}",
                   "products of two 8-bit numbers need up to 15 bits, and the sum of a group more: 8 or 16 wrap around",
                   "convert codes to `np.int32` before you multiply")


def any_matrix(spec: Spec, answers: Answers) -> None:
    """Random numbers, inputs of different sizes."""
    for rows, groups in ((1, 1), (5, 3), (9, 8)):
        args = _matrix(spec, rows, groups)
        got = ask_rows(answers, f"matvec of {rows} rows and {groups} groups", "matvec", rows, *args)
        if not agree(got, *product(spec, *args)):
            raise Miss(f"matvec of {rows} random row(s) and {groups} group(s) returned {got[0]:.6g} first",
                       "the sum of a group is a whole number; then both of its scales, and only then the next group",
                       "check `round_inputs` first; then a single row with two groups, by hand")


def show(spec: Spec, answers: Answers) -> Bars:
    """Five codes at a scale of 1."""
    x = np.zeros(spec["group"], np.float32)
    x[:5] = spec["top"], 2.5, 3.5, 1.4, 6.6
    got, want = yours(lambda: _inputs(spec, answers, x, "an example")[0]), rounded(spec, x)[0]
    return Bars("Codes of some inputs at a scale of 1", "", [
        (f"input {x[i]:g}", None if got is None else float(got[i]), float(want[i])) for i in range(5)])


STARTER = '''
def round_inputs(x):
    """Codes (columns,) and scales (groups,) of the inputs."""
    raise NotImplementedError

def matvec(codes, scale, x):
    """Matrix times the rounded inputs: (rows,) numbers."""
    raise NotImplementedError
'''

INPUTS = '''
def round_inputs(x):
    groups = x.reshape(-1, <<group>>)
    amax = abs(groups).max(axis=1)
    scale = np.where(amax > 0, amax / <<top>>, 1)
    y = groups / scale[:, None]
    return (<<round>>).astype(np.int8).reshape(-1), scale
'''

MATVEC = '''
def matvec(codes, scale, x):
    x_codes, x_scale = round_inputs(x)
    out = np.zeros(len(codes))
    for g in range(len(x_scale)):
        part = slice(g * <<group>>, (g + 1) * <<group>>)
        sums = codes[:, part].astype(np.int32) @ x_codes[part].astype(np.int32)
        out += sums * scale[:, g] * x_scale[g]
    return out
'''

REFERENCE = INPUTS + MATVEC

SECOND = '''
def round_inputs(x):
    codes, scale = np.zeros(x.size, np.int32), np.ones(x.size // <<group>>)
    for g in range(scale.size):
        part = slice(g * <<group>>, (g + 1) * <<group>>)
        if abs(x[part]).max() > 0:
            scale[g] = abs(x[part]).max() / <<top>>
        y = x[part] / scale[g]
        codes[part] = <<second_round>>
    return codes, scale

def matvec(codes, scale, x):
    x_codes, x_scale = round_inputs(x)
    products = codes.astype(np.int32) * x_codes
    sums = products.reshape(len(codes), -1, <<group>>).sum(axis=2)
    return (sums * scale) @ x_scale
'''

WRONG = (
    Wrong("half-way cases to the even neighbour", 1, INPUTS.replace("<<round>>", "np.rint(y)") + MATVEC),
    Wrong("digits cut off", 3, INPUTS.replace("<<round>>", "y") + MATVEC),
    Wrong("one scale for all inputs", 4, INPUTS.replace(
        "abs(groups).max(axis=1)", "np.full(len(groups), abs(x).max())") + MATVEC),
    Wrong("the largest input instead of the largest magnitude", 5, INPUTS.replace(
        "abs(groups).max", "groups.max") + MATVEC),
    Wrong("sums in 8 bits", 3, INPUTS + MATVEC.replace(".astype(np.int32)", "")),
    Wrong("the scale of the inputs forgotten", 2, INPUTS + MATVEC.replace(" * x_scale[g]", "")),
    Wrong("the inputs not rounded", 2, INPUTS + '''
def matvec(codes, scale, x):
    return (codes * np.repeat(scale, <<group>>, axis=1)) @ x
'''),
)

EXERCISE = Exercise(
    id="06.5", title="Whole numbers in the loop", kind="stretch", difficulty=4, importance=3, minutes=30,
    objective="You can round the inputs too, so that a kernel multiplies whole numbers, and say what stays exact.",
    spec=spec, show=show, answer_fields=fields, wrong=WRONG,
    prose="""
Rung v3 of the lesson, by other rules. Weights are int8 codes with one scale for every <<group>> neighbours of a row.
Inputs are rounded in the same groups of <<group>>:

| what | |
|---|---|
| scale of a group of inputs | its largest magnitude / <<top>>; 1 where all its inputs are 0 |
| code of an input | input / scale, rounded to the nearest whole number |
| half-way cases | <<rule_words>> |
| product of a group | the sum of code × code, a whole number, then times both scales |

Write two functions:

- `round_inputs(x)`: codes (columns,) and scales (groups,) of float32 inputs.
- `matvec(codes, scale, x)`: codes (rows, columns) int8, scale (rows, groups) float32, times the rounded inputs.

**Example.** At an input scale of 1, the weight codes 3 and -2 with the inputs 5 and 1 give the whole number 13.
""",
    hints=("`reshape(-1, <<group>>)` puts a group in each row: then `max(axis=1)`.",
           "int8 times int8 stays int8 in NumPy. Which type holds the sum of a whole group?"),
    head="# round_inputs and matvec: both go into this cell",
    starter=STARTER, reference=REFERENCE, second=SECOND,
    explanation="The whole number of a group is exact, in whatever order it is added up: a plain loop, a vector "
                "instruction and a GPU give the same. Only the sum over groups is a float sum.",
    checks=(Check("scales of the inputs", 2, scales), Check("codes of the inputs", 1, codes),
            Check("sums beyond 8 bits", 1, whole_sums), Check("any matrix", 2, any_matrix)),
)
