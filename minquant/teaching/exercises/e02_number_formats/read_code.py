"""02.1, warm-up: one code of a float format as a number.

What varies: the widths of exponent and mantissa, and the bias, which is never the usual one.
The traps: a subnormal has no leading 1, and its exponent is that of the smallest normal number.
"""

from __future__ import annotations

from ..beside import Bars, yours
from ..checking import ask_number, close, side
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw
from . import layout

NAME = "value"
WIDTHS = ((2, 4), (3, 3), (4, 2), (3, 4), (2, 5), (5, 3), (3, 5), (4, 4))


def spec(draw: Draw) -> dict:
    """The format of one variant, and its worked example."""
    E, M = draw.choice("widths", WIDTHS)
    drawn = {"E": E, "M": M, "bias": layout.standard_bias(E) + draw.choice("shift", (-1, 1, 2, 3))}
    drawn |= layout.names(drawn)
    code = (1 << E + M) | draw.integer("exponent", 2, (1 << E) - 1) << M | draw.integer("mantissa", 1, (1 << M) - 1)
    return drawn | {"example": code, "example_bits": f"{code:0{1 + E + M}b}",
                    "example_value": f"{-layout.number(drawn, code - drawn['sign_bit']):g}"}


def _code(spec: Spec, code: int) -> str:
    bits = f"{code:0{spec['bits']}b}"
    return f"{NAME}(0b{bits})"


def normals(spec: Spec, answers: Answers) -> None:
    """Every positive code with an exponent field above 0."""
    for code in range(spec["steps"], spec["sign_bit"]):
        got, want = ask_number(answers, NAME, code), layout.number(spec, code)
        if not close(got, want, 1e-12):
            raise Miss(f"{_code(spec, code)} returned {got:g}: {side(got, want)}",
                       "with an exponent field above 0 there is a leading 1, and the bias of the table is subtracted",
                       "print both fields of this code and work the formula out on paper")


def subnormals(spec: Spec, answers: Answers) -> None:
    """Exponent field 0: no leading 1, the exponent of the smallest normal number."""
    for code in range(spec["steps"]):
        got, want = ask_number(answers, NAME, code), layout.number(spec, code)
        if not abs(got - want) <= 1e-12 * layout.number(spec, spec["steps"]):
            raise Miss(f"{_code(spec, code)} returned {got:g}: {side(got, want)}",
                       "with an exponent field of 0 the values go down to 0 in even steps, and the step is the one "
                       "between the smallest normal numbers",
                       "what must the code after the last subnormal give? Your values should lead up to it evenly")


def signs(spec: Spec, answers: Answers) -> None:
    """The top bit turns a value into its negative and does nothing else."""
    for code in (1, spec["steps"] - 1, spec["steps"] + 1, spec["sign_bit"] - 1, spec["sign_bit"] // 2 + 1):
        plus, minus = ask_number(answers, NAME, code), ask_number(answers, NAME, code + spec["sign_bit"])
        if plus == 0 or minus != -plus:
            raise Miss(f"{_code(spec, code)} returned {plus:g}, and with the sign bit set {minus:g}",
                       "the sign bit turns a value, which is not 0 here, into its negative and changes nothing else",
                       "keep the sign bit out of both fields, and use it once, at the end")


def show(spec: Spec, answers: Answers) -> Bars:
    """The size of some codes, without signs."""
    picks = (1, spec["steps"] - 1, spec["steps"], spec["steps"] + 1, 2 * spec["steps"], 2 * spec["steps"] + 1)
    return Bars("Values of some codes", "", [
        (f"{code:0{spec['bits']}b}", yours(lambda c=code: ask_number(answers, NAME, c)), layout.number(spec, code))
        for code in picks])


REFERENCE = '''
e, m = code >> <<M>> & <<exponent_mask>>, code & <<mantissa_mask>>
size = (1 + m / <<steps>>) * 2.0 ** (e - <<bias>>) if e else m / <<steps>> * 2.0 ** (1 - <<bias>>)
return -size if code >> <<top>> else size
'''

EXERCISE = Exercise(
    id="02.1", title="Read a code", kind="warm-up", difficulty=1, importance=5, minutes=5,
    objective="You can say which number a code of any float format stands for.",
    spec=spec, show=show,
    prose="""
A float format of <<bits>> bits, from the top bit down:

| field | bits |
|---|---|
| sign | 1 |
| exponent | <<E>> |
| mantissa | <<M>> |

The bias is <<bias>>. Every code is a number: there is no infinity and no NaN. An exponent field of 0 means a subnormal
number.

Write `value(code)`: the number that a code (a whole number from 0 on) stands for.

**Example.** The code <<example>>, in bits `<<example_bits>>`, is <<example_value>>.
""",
    hints=("Shift a field down to the right end, then mask away what stands above it.",
           "Normal: (1 + M/steps) x 2^(E - bias). Subnormal: (0 + M/steps) x 2^(1 - bias)."),
    head='''
def value(code):
    """The number that a code of the format above stands for."""
''',
    reference=REFERENCE,
    second='''
sign, rest = divmod(code, <<sign_bit>>)
e, m = divmod(rest, <<steps>>)
return (-1) ** sign * math.ldexp(m + <<steps>> * (e > 0), max(e, 1) - <<bias>> - <<M>>)
''',
    explanation="Subnormals use the exponent of the smallest normal number, 1 - bias, so that the grid goes on evenly "
                "to 0. The second answer counts in steps: the code's mantissa, with the leading 1 put before it, is a "
                "whole number of steps of 2^(E - bias - M).",
    checks=(Check("normal numbers", 1, normals), Check("subnormal numbers and zero", 1, subnormals),
            Check("the sign bit", 1, signs)),
    wrong=(
        Wrong("the usual bias", 2, REFERENCE.replace("<<bias>>", "<<standard>>")),
        Wrong("a leading 1 in subnormals too", 1, REFERENCE.replace("else m / <<steps>>", "else (1 + m / <<steps>>)")),
        Wrong("subnormals with exponent 0 - bias", 1, REFERENCE.replace("(1 - <<bias>>)", "(0 - <<bias>>)")),
        Wrong("no leading 1 at all", 1, REFERENCE.replace("(1 + m / <<steps>>)", "(m / <<steps>>)")),
        Wrong("the mantissa counted to 1 instead of to the next power", 2, REFERENCE.replace(
            "m / <<steps>>", "m / <<mantissa_mask>>")),
        Wrong("the sign forgotten", 1, REFERENCE.replace("-size if code >> <<top>> else size", "size")),
        Wrong("the sign read as two's complement", 1, """
            if code >> <<top>>:
                return -value(2 * <<sign_bit>> - code)""" + REFERENCE.replace("\n", "\n" + 12 * " ")),
        Wrong("the fields in the other order", 2, REFERENCE.replace(
            "code >> <<M>> & <<exponent_mask>>, code & <<mantissa_mask>>",
            "code & <<exponent_mask>>, code >> <<E>> & <<mantissa_mask>>")),
    ),
)
