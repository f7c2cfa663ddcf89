"""11.2, core: a block in an MX format, with a rule of its own for the exponent.

What varies: the element format (never one of the standard's), and from where on the exponent is one higher. The standard's
rule accepts clipping however far it goes; here it is accepted up to a limit inside the top octave.
Source of the idea: OCP Microscaling Formats (MX) Specification 1.0, section 6.3; torchao's ScaleCalculationMode.
"""

from __future__ import annotations

from ..beside import Bars, yours
from ..checking import number, side
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw
from . import elements

NAME, LENGTH, PARTS = "mx_block", 12, ("e", "values")
FORMATS = ((2, 1, 0), (2, 2, 2), (3, 1, 4), (3, 2, 2), (2, 2, 0), (3, 1, 2))


def spec(draw: Draw) -> dict:
    """The format, the rule and the blocks of one variant."""
    levels = elements.magnitudes(*draw.choice("format", FORMATS))
    emax = elements.exponent_of(levels[-1])
    top = 2.0 ** (emax + 1)
    drawn = {"levels": levels, "emax": emax, "largest": levels[-1],
             "limit": levels[-1] + draw.choice("limit", (0.25, 0.375, 0.5, 0.625, 0.75)) * (top - levels[-1])}
    # Where in the octave the largest number lies: below the format's end, between it and the limit, above the limit.
    inside = draw.between("inside", 0.55, 0.95) * levels[-1]
    places = {"first": max(inside, 1.02 * top / 2), "second": 1.05 * top / 2,
              "clipped": levels[-1] + 0.6 * (drawn["limit"] - levels[-1]),
              "above": drawn["limit"] + 0.5 * (top - drawn["limit"]), "shown": max(0.9 * levels[-1], 1.01 * top / 2)}
    drawn |= {name: _block(drawn, draw, name, place) for name, place in places.items()}
    e, values = rounded(drawn, drawn["shown"])
    return drawn | {"example": f"e = {e} and the values {values[:4]}, ..."}


def _block(spec: Spec, draw: Draw, name: str, place: float) -> list[float]:
    """Numbers whose largest one lies at ``place`` in the octave, none of them half-way."""
    for turn in range(1000):
        power = 2.0 ** draw.integer(f"{name}{turn}.power", -6, 3)
        x = [draw.between(f"{name}{turn}.{i}", -0.95, 0.95) * place * power for i in range(LENGTH)]
        at = draw.integer(f"{name}{turn}.at", 0, LENGTH - 1)
        x[at] = draw.choice(f"{name}{turn}.sign", (-1, 1)) * place * power
        x = [float(f"{v:.7g}") for v in x]
        e = exponent(spec, x)
        values = [elements.nearest(spec["levels"], v / 2.0**e) for v in x]
        if e and min(values) < 0 and all(elements.is_clear(spec["levels"], v / 2.0**e) for v in x):
            return x
    raise RuntimeError("none of a thousand blocks is clear of half-way cases; draw other numbers")


def exponent(spec: Spec, x: list[float]) -> int:
    """e of a block, by the rules of the exercise."""
    largest = max(map(abs, x))
    if not largest:
        return 0
    e = elements.exponent_of(largest) - spec["emax"]
    return e + (largest / 2.0**e > spec["limit"])


def rounded(spec: Spec, x: list[float]) -> tuple[int, list[float]]:
    """(e, values of the elements), number by number."""
    e = exponent(spec, x)
    return e, [elements.nearest(spec["levels"], v / 2.0**e) for v in x]


def _check_exponents(spec: Spec, answers: Answers, cases: dict[str, str], why: str, advice: str) -> None:
    for name, shown in cases.items():
        e = number(elements.ask_parts(answers, NAME, shown, spec[name], PARTS)[0], f"{NAME}({shown})[0]")
        if e != exponent(spec, spec[name]):
            raise Miss(f"for {shown}, e was {e:g}: {side(e, exponent(spec, spec[name]))}", why, advice)


def standard(spec: Spec, answers: Answers) -> None:
    """Exponents where the standard's rule holds."""
    _check_exponents(spec, answers, {"first": "a block", "second": "a block", "clipped": "a block that is clipped"},
                     "brought to the scale, the largest number has the exponent of the format's largest value",
                     "divide the largest magnitude by 2^e: between which two powers of two must it lie?")


def beyond(spec: Spec, answers: Answers) -> None:
    """One more above the limit."""
    _check_exponents(spec, answers, {"above": "a block whose largest number is above the limit"},
                     f"at the standard's scale its largest number is above {spec['limit']:g}, so that e is one higher",
                     "the limit is meant at the scale: compare the largest magnitude over 2^e with it")


def values(spec: Spec, answers: Answers) -> None:
    """The nearest values, signs included; a point for the blocks without and with a raised exponent."""
    right, told = 0, None
    for names in (("first", "second"), ("above",)):
        try:
            for name in names:
                got = elements.ask_parts(answers, NAME, "a block", spec[name], PARTS)[1]
                elements.check_list(got, rounded(spec, spec[name])[1], "a block", "values",
                                    "a value is the nearest of the format's, with the number's sign",
                                    "print the numbers over 2^e beside the values you chose")
            right += 1
        except Miss as miss:
            told = told or miss
    if told:
        raise Miss(told.what, told.why, told.advice, right)


def clipped(spec: Spec, answers: Answers) -> None:
    """A block whose largest number is cut off."""
    got = elements.ask_parts(answers, NAME, "a block that is clipped", spec["clipped"], PARTS)[1]
    elements.check_list(got, rounded(spec, spec["clipped"])[1], "a block that is clipped", "values",
                        f"what lies beyond {spec['largest']:g} at the scale becomes {spec['largest']:g}",
                        "what does your search for the nearest do with a number beyond the last value?")


def zeros(spec: Spec, answers: Answers) -> None:
    """A block of zeros."""
    e, got = elements.ask_parts(answers, NAME, "zeros", [0.0] * 5, PARTS)
    if e != 0 or not isinstance(got, list) or len(got) != 5 or any(got):
        raise Miss(f"for five zeros, e was {e!r} and the values {str(got)[:60]}",
                   "a block of zeros has e = 0 and five values of 0", "what is the exponent of 0 in your code?")


def show(spec: Spec, answers: Answers) -> Bars:
    """The example's values."""
    mine = yours(lambda: elements.ask_parts(answers, NAME, "the example", spec["shown"], PARTS)[1])
    want = rounded(spec, spec["shown"])[1]
    return Bars("Values of the example", "", [(f"{v:.3g}", mine[i] if mine else None, want[i])
                                              for i, v in enumerate(spec["shown"][:6])])


REFERENCE = '''
x, levels = np.array(x), np.array(<<levels>>)
largest = np.abs(x).max()
e = math.frexp(largest)[1] - 1 - <<emax>> if largest else 0
if largest / 2.0**e > <<limit>>:
    e += 1
scaled = np.abs(x) / 2.0**e
nearest = np.abs(scaled[:, None] - levels).argmin(axis=1)
return e, np.sign(x) * levels[nearest]
'''

WRONG = (
    Wrong("the limit forgotten", 2, REFERENCE.replace("> <<limit>>", "> math.inf")),
    Wrong("never clipped", 2, REFERENCE.replace("> <<limit>>", "> <<largest>>")),
    Wrong("one more always", 3, REFERENCE.replace("if largest / 2.0**e > <<limit>>", "if largest")),
    Wrong("signs lost", 3, REFERENCE.replace("np.sign(x) * ", "")),
    Wrong("values times the scale", 3, REFERENCE.replace("levels[nearest]", "levels[nearest] * 2.0**e")),
    Wrong("cut down instead of the nearest", 3, REFERENCE.replace(
        "np.abs(scaled[:, None] - levels).argmin(axis=1)", "(scaled[:, None] >= levels).sum(axis=1) - 1")),
    Wrong("no case for zeros", 1, REFERENCE.replace(" if largest else 0", "")),
    Wrong("too large becomes zero", 1, REFERENCE.replace(
        "levels[nearest]", "np.where(scaled > <<largest>>, 0, levels[nearest])")),
)

EXERCISE = Exercise(
    id="11.2", title="A block with a rule of its own", kind="core", difficulty=3, importance=5, minutes=16,
    objective="You can convert a block of numbers to an MX format, whatever its elements and its rule.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE,
    prose="""
A format in the manner of MX, with elements and a rule that no chip has:

| what | |
|---|---|
| magnitudes of an element | <<levels>>; each also with a minus |
| e, first | the exponent of the block's largest magnitude, minus <<emax>> (exponent 3 for 8, 9.5, 15.9) |
| e, then | one more where the largest magnitude over 2^e is above <<limit>> |
| value | the magnitude nearest to `abs(x) / 2^e`, with the sign of x; beyond <<largest>>, it is <<largest>> |
| a block of zeros | has e = 0 and values 0 |

Write `mx_block(x)`, which returns `(e, values)`: a whole number, and a list or an array with the values of the elements,
**not** multiplied by 2^e. `x` is a list of floats; `np` is NumPy.

**Example.** The block in the cell below has <<example>>
""",
    hints=("`math.frexp(x)[1] - 1` is the exponent of x.",
           "`np.abs(a[:, None] - levels).argmin(axis=1)` finds, for each number in a, the place of the nearest level."),
    given="""
# The example's block. Change what you like: the checks use other blocks.
example = <<shown>>
""",
    head='''
def mx_block(x):
    """(e, values): the shared exponent of the list x, and its elements."""
''',
    second='''
levels, largest, e = <<levels>>, max(abs(v) for v in x), 0
if largest > 0:
    while largest / 2.0**e >= 2.0 ** (<<emax>> + 1):
        e += 1
    while largest / 2.0**e < 2.0**<<emax>>:
        e -= 1
    e += largest / 2.0**e > <<limit>>
values = []
for v in x:
    best = min(levels, key=lambda level: abs(level - abs(v) / 2.0**e))
    values.append(math.copysign(best, v) if best else 0.0)
return int(e), values
''',
    explanation="Where the limit lies decides who pays: a low one makes all steps of the block twice as wide to keep one "
                "number whole, a high one cuts that number off. The standard puts it at the end of the octave.",
    checks=(Check("exponents by the standard's rule", 1, standard), Check("exponents above the limit", 1, beyond),
            Check("the nearest values", 2, values), Check("a number that is clipped", 1, clipped),
            Check("zeros", 1, zeros)),
)
