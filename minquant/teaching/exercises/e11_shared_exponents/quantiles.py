"""11.5, stretch: a code book from quantiles of the normal distribution, and its codes.

What varies: how many levels lie above and below zero, and how far out the last quantile is taken. NF4 has 8 above, 7
below, and takes the last at 0.9677083.
Source of the idea: Dettmers et al. 2023, arXiv 2305.14314, section 3; bitsandbytes, functional.py, create_normal_map.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

from ..beside import Bars, yours
from ..checking import close
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw
from . import elements

NAME, PARTS, LENGTH = "quantile_codes", ("levels", "scale", "codes"), 10


def spec(draw: Draw) -> dict:
    """The code book and the blocks of one variant."""
    above = draw.choice("above", (3, 4, 5, 6))
    drawn = {"above": above, "below": above - draw.choice("fewer", (1, 2)),
             "ends": draw.choice("ends", (0.95, 0.96, 0.97, 0.98, 0.985))}
    drawn |= {name: _block(drawn, draw, name) for name in ("first", "second", "shown")}
    return drawn | {"book": [round(level, 4) for level in levels_of(drawn)],
                    "example": f"{codes_of(drawn, drawn['shown'])[:5]}, ..."}


def _block(spec: Spec, draw: Draw, name: str) -> list[float]:
    levels = levels_of(spec)
    for turn in range(1000):
        x = [round(sum(draw.between(f"{name}{turn}.{i}.{j}", -1, 1) for j in range(3)), 3) for i in range(LENGTH)]
        scale = max(map(abs, x))
        middles = [(a + b) / 2 for a, b in zip(levels, levels[1:])]
        if all(abs(v / scale - m) > 1e-3 for v in x for m in middles) and min(x) < 0 < max(x):
            return x
    raise RuntimeError("none of a thousand blocks is clear of half-way cases; draw other numbers")


def levels_of(spec: Spec) -> list[float]:
    """The levels, by the rules of the exercise, in order."""
    def side_of(count: int) -> list[float]:
        step = (spec["ends"] - 0.5) / count
        return [NormalDist().inv_cdf(spec["ends"] - i * step) for i in range(count)]

    above, below = side_of(spec["above"]), side_of(spec["below"])
    return sorted(v / above[0] for v in [*above, 0.0, *(-v for v in below)])


def codes_of(spec: Spec, x: Sequence[float]) -> list[int]:
    """The code of each number: the place of the nearest level to x / scale."""
    levels, scale = levels_of(spec), max(map(abs, x)) or 1.0
    return [min(range(len(levels)), key=lambda i: abs(levels[i] - v / scale)) for v in x]


def book(spec: Spec, answers: Answers) -> None:
    """The levels."""
    got = elements.ask_parts(answers, NAME, "a block", spec["first"], PARTS)[0]
    elements.check_list(got, levels_of(spec), "a block", "levels",
                        f"{spec['above']} levels lie above zero and {spec['below']} below; the largest is 1",
                        "the probabilities go from the end down to 1/2 in even steps, and 1/2 itself is not one of them")


def symmetric(spec: Spec, answers: Answers) -> None:
    """Zero is a level, the largest is 1, and all are in order."""
    got = elements.ask_parts(answers, NAME, "a block", spec["second"], PARTS)[0]
    if not isinstance(got, list) or 0 not in got or sorted(got) != got or not close(max(got), 1.0, 1e-6):
        raise Miss(f"the levels were {str(got)[:90]}", "they go upwards, hold 0 itself, and end at 1",
                   "divide by the largest, add a 0 and sort")


def scaled(spec: Spec, answers: Answers) -> None:
    """The scale of a block, zeros included."""
    for shown, x in (("a block", spec["first"]), ("a block", spec["second"]), ("zeros", [0.0] * 4)):
        got, want = elements.ask_parts(answers, NAME, shown, x, PARTS)[1], max(map(abs, x)) or 1.0
        if not isinstance(got, (int, float)) or not close(got, want, 1e-6):
            raise Miss(f"for {shown}, the scale was {str(got)[:40]}",
                       "the scale is the largest magnitude of the block; zeros have the scale 1",
                       "which number is mapped to 1 or -1?")


def coded(spec: Spec, answers: Answers) -> None:
    """The codes, a point for each block."""
    right, told = 0, None
    for name in ("first", "second"):
        try:
            got = elements.ask_parts(answers, NAME, "a block", spec[name], PARTS)[2]
            elements.check_list(got, codes_of(spec, spec[name]), "a block", "codes",
                                "a code is the place of the nearest level, counted from 0 at the lowest",
                                "print x / scale beside the levels you chose")
            right += 1
        except Miss as miss:
            told = told or miss
    if told:
        raise Miss(told.what, told.why, told.advice, right)


def show(spec: Spec, answers: Answers) -> Bars:
    """The levels above zero."""
    mine = yours(lambda: elements.ask_parts(answers, NAME, "the example", spec["shown"], PARTS)[0])
    want = levels_of(spec)
    return Bars("Levels", "", [(f"level {i}", mine[i] if mine and len(mine) == len(want) else None, want[i])
                               for i in range(len(want))])


REFERENCE = '''
quantile = NormalDist().inv_cdf
above = [quantile(p) for p in np.linspace(<<ends>>, 0.5, <<above>> + 1)[:-1]]
below = [-quantile(p) for p in np.linspace(<<ends>>, 0.5, <<below>> + 1)[:-1]]
levels = np.array(sorted([*above, 0.0, *below])) / max(above)
scale = float(np.abs(x).max()) or 1.0
codes = np.abs(np.array(x)[:, None] / scale - levels).argmin(axis=1)
return levels, scale, codes
'''

WRONG = (
    Wrong("as many below as above", 4, REFERENCE.replace("<<below>> + 1", "<<above>> + 1")),
    Wrong("one half among the probabilities", 4, REFERENCE.replace("<<above>> + 1)[:-1]", "<<above>>)")
          .replace("<<below>> + 1)[:-1]", "<<below>>)")),
    Wrong("not divided by the largest", 5, REFERENCE.replace(" / max(above)", "")),
    Wrong("zero left out", 5, REFERENCE.replace("*above, 0.0, *below", "*above, *below")),
    Wrong("values instead of codes", 2, REFERENCE.replace("levels, scale, codes", "levels, scale, levels[codes]")),
    Wrong("numbers not divided by the scale", 2, REFERENCE.replace("[:, None] / scale", "[:, None]")),
    Wrong("no case for zeros", 1, REFERENCE.replace(" or 1.0", "")),
)

EXERCISE = Exercise(
    id="11.5", title="Levels from quantiles", kind="stretch", difficulty=4, importance=3, minutes=30,
    objective="You can make a code book in the manner of NF4, and write codes in it.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE,
    prose="""
A code book in the manner of NF4. `NormalDist().inv_cdf(p)`, from Python's `statistics`, is the number below which a share
p of a normal distribution lies.

| what | |
|---|---|
| above zero | <<above>> quantiles: p goes from <<ends>> down to 1/2 in <<above>> even steps; the last, 1/2 itself, is left out |
| below zero | <<below>> quantiles, made in the same way with <<below>> steps, with a minus |
| zero | is a level |
| levels | all of these, divided by the largest, from the lowest up |
| scale of a block | its largest magnitude; 1 for zeros |
| code | the place of the level nearest to x / scale, from 0 |

Write `quantile_codes(x)`, which returns `(levels, scale, codes)`. `x` is a list of floats; `np` is NumPy; arrays may be
returned in place of lists.

**Example.** The levels are <<book>>, and the codes of the block in the cell below <<example>>
""",
    hints=("`np.linspace(a, b, n + 1)[:-1]` has n numbers from a towards b, without b.",
           "Divide by the largest level only once all are there."),
    given="""
from statistics import NormalDist

# The example's block. Change what you like: the checks use other blocks.
example = <<shown>>
""",
    head='''
def quantile_codes(x):
    """(levels, scale, codes) of the list x."""
''',
    second='''
def levels_on_one_side(count):
    step = (<<ends>> - 0.5) / count
    return [NormalDist().inv_cdf(<<ends>> - i * step) for i in range(count)]

above = levels_on_one_side(<<above>>)
levels = [-v / above[0] for v in levels_on_one_side(<<below>>)] + [0.0] + [v / above[0] for v in reversed(above)]
scale = max(abs(v) for v in x) or 1.0
return levels, scale, [min(range(len(levels)), key=lambda i: abs(levels[i] - v / scale)) for v in x]
''',
    explanation="Quantiles fill all codes equally if the numbers are normal. They are not, once they are divided by the "
                "largest of their block; Yoshida (arXiv 2306.06965) works out what would be better.",
    checks=(Check("the levels", 2, book), Check("zero, one and the order", 1, symmetric), Check("the scale", 1, scaled),
            Check("the codes", 2, coded)),
)
