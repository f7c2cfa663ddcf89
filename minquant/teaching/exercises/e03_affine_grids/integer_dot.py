"""03.3, core: a dot product of stored codes, corrected for what their zero points have done to it.

What varies: which operand has a zero point of its own, by how much the codes of the other are shifted in storage, and
how many weights share a scale.
Source of the idea: Jacob et al. 2018 (arXiv 1712.05877), section 2.3. We leave out the requantized output.
"""

from __future__ import annotations

from ..beside import Bars, yours
from ..checking import close, number
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME = "integer_dot"
LENGTHS = (1, 3)  # groups of the two rows that are tried


def spec(draw: Draw) -> dict:
    """Which operand is shifted by what, and the worked example."""
    role = draw.choice("role", ("x", "w"))
    drawn = {"asymmetric": role, "symmetric": "w" if role == "x" else "x",
             "offset": 2 ** draw.integer("offset", 3, 6), "group": draw.choice("group", (2, 3, 4, 5, 6, 8))}
    x, w, zero, x_scale, scales = case(drawn, 2, 7)
    products, corrections, value = right(drawn, x, w, zero, x_scale, scales)
    return drawn | {"example_call": f"x = {x}, w = {w}, zero = {zero}, x_scale = {x_scale}, scales = {scales}",
                    "example": f"products {products}, corrections {corrections} and value {value:g}"}


def right(spec: Spec, x: list[int], w: list[int], zero: int, x_scale: float,
          scales: list[float]) -> tuple[list[int], list[int], float]:
    """Products, corrections and value, by the rules of the exercise: every term on its own."""
    x_zero, w_zero = (zero, spec["offset"]) if spec["asymmetric"] == "x" else (spec["offset"], zero)
    products, corrections, value = [], [], 0.0
    for g, scale in enumerate(scales):
        part = range(g * spec["group"], (g + 1) * spec["group"])
        products.append(sum(x[i] * w[i] for i in part))
        meant = sum((x[i] - x_zero) * (w[i] - w_zero) for i in part)
        corrections.append(products[-1] - meant)
        value += x_scale * scale * meant
    return products, corrections, value


def case(spec: Spec, groups: int, seed: int, largest: int = 15) -> tuple[list, list, int, float, list]:
    """Arguments of a call: codes from 0 to ``largest``, without any pattern a wrong answer could hide in."""
    state, codes = seed, []
    for _ in range(2 * groups * spec["group"]):
        state = (1103515245 * state + 12345) % 2**31
        codes.append(state >> 8 & 0xFF if largest == 255 else (state >> 8) % (largest + 1))
    x, w = codes[::2], codes[1::2]
    return x, w, 3 + seed % 10, 0.5, [0.25 * (1 + g % 3) for g in range(groups)]


def _ask(spec: Spec, answers: Answers, arguments: tuple) -> tuple[list[int], list[int], float]:
    import numpy as np  # only here: importing the exercises stays light

    x, w, zero, x_scale, scales = arguments
    call = f"{NAME} of {len(x)} codes"
    got = answers.call(NAME, np.array(x, np.uint8), np.array(w, np.uint8), zero, x_scale, np.array(scales))
    if not isinstance(got, list) or len(got) != 3:
        raise Miss(f"{call} returned {str(got)[:80]}", "products, corrections and a value are expected",
                   "end the function with `return products, corrections, value`")
    return (_whole(got[0], len(scales), call + " as products"), _whole(got[1], len(scales), call + " as corrections"),
            number(got[2].item() if hasattr(got[2], "item") and got[2].size == 1 else got[2], call + " as the value"))


def _count(groups: int) -> str:
    return f"{groups} group{'s' * (groups != 1)}"


def _whole(part: object, count: int, call: str) -> list[int]:
    part = part.ravel().tolist() if hasattr(part, "ravel") else part
    if not isinstance(part, list) or len(part) != count:
        raise Miss(f"{call} returned {str(part)[:80]}", f"{_count(count)}: one whole number for each",
                   "sum over the codes of a group, not over the whole row")
    numbers = [number(value, call) for value in part]
    if any(value != int(value) for value in numbers):
        raise Miss(f"{call} returned {numbers}", "sums and products of whole numbers are whole numbers",
                   "multiply by the scales only at the very end")
    return [int(value) for value in numbers]


def _products(spec: Spec, answers: Answers, largest: int, why: str, advice: str) -> None:
    for groups in LENGTHS:
        arguments = case(spec, groups, 11 + groups, largest)
        got, want = _ask(spec, answers, arguments)[0], right(spec, *arguments)[0]
        if got != want:
            raise Miss(f"codes up to {largest}: products {got} for {_count(groups)}", why, advice)


def small(spec: Spec, answers: Answers) -> None:
    """Sums of products of the codes as they are stored."""
    _products(spec, answers, 15, "here the codes are multiplied as they are stored and added up, nothing else",
              "no zero point belongs into this sum: the corrections take care of them afterwards")


def large(spec: Spec, answers: Answers) -> None:
    """Products beyond eight bits."""
    _products(spec, answers, 255, "the product of two codes of 8 bits needs 16 bits, and the sum still more",
              "what type do the codes have when you multiply them? NumPy keeps uint8 and wraps around at 256")


def without_zero(spec: Spec, answers: Answers) -> None:
    """Only the shift of storage is left to correct."""
    x, w, _, *scales = case(spec, 3, 5, 255)
    got, want = _ask(spec, answers, (x, w, 0, *scales))[1], right(spec, x, w, 0, *scales)[1]
    if got != want:
        raise Miss(f"with zero = 0 the corrections are {got}",
                   f"then {spec['symmetric']} alone is shifted, by {spec['offset']}, in every product of the sum",
                   f"multiply out one product with {spec['offset']} taken off {spec['symmetric']}: what is there beside "
                   "x * w?")


def with_zero(spec: Spec, answers: Answers) -> None:
    """Both shifts."""
    for groups in LENGTHS:
        arguments = case(spec, groups, 23 + groups, 255)
        got, want = _ask(spec, answers, arguments)[1], right(spec, *arguments)[1]
        if got != want:
            raise Miss(f"with zero = {arguments[2]} the corrections are {got} for {_count(groups)}",
                       "multiplied out, (x - a) * (w - b) has three terms beside x * w",
                       "sum each of the three over a group; one of them is the same for every code")


def values(spec: Spec, answers: Answers) -> None:
    """The value, as the floats would give it."""
    for groups in LENGTHS:
        arguments = case(spec, groups, 31 + groups, 255)
        got, want = _ask(spec, answers, arguments)[2], right(spec, *arguments)[2]
        if not close(got, want, 1e-6):
            raise Miss(f"the value of {_count(groups)} is {got:g}",
                       "the dot product of the numbers that the codes stand for is another one",
                       "correct the sum of each group, multiply it by that group's scale, then add the groups up")


def zeros(spec: Spec, answers: Answers) -> None:
    """An operand of nothing but zeros, large codes in the other."""
    for operand in ("x", "w"):
        x, w, zero, *scales = case(spec, 3, 41, 255)
        flat = [zero if operand == spec["asymmetric"] else spec["offset"]] * len(x)
        arguments = (flat, w, zero, *scales) if operand == "x" else (x, flat, zero, *scales)
        products, corrections, value = _ask(spec, answers, arguments)
        left = [p - c for p, c in zip(products, corrections, strict=True)]
        if any(left) or value != 0:
            raise Miss(f"where every {operand} stands for 0, products - corrections are {left} and the value {value:g}",
                       "a product with 0 is 0, exactly: that is why 0 has a code of its own",
                       "work one group of two codes out by hand, on paper")


def show(spec: Spec, answers: Answers) -> Bars:
    """The first group of the worked example."""
    arguments = case(spec, 2, 7)
    got, want = yours(lambda: _ask(spec, answers, arguments)), right(spec, *arguments)
    rows = [(name, abs(got[i][0]) if got else None, abs(want[i][0]))
            for i, name in enumerate(("products", "corrections, size"))]
    return Bars("The first group of the example", "", rows)


REFERENCE = '''
x, w = (codes.astype(np.int32).reshape(-1, <<group>>) for codes in (x, w))  # (groups, codes of one group)
products = (x * w).sum(axis=1)
shifts = <<offset>> * <<asymmetric>>.sum(axis=1) + zero * <<symmetric>>.sum(axis=1)
corrections = shifts - <<group>> * zero * <<offset>>
value = x_scale * float((scales * (products - corrections)).sum())
return products, corrections, value
'''
_CROSS = " - <<group>> * zero * <<offset>>"
_VALUE = "float((scales * (products - corrections)).sum())"

WRONG = (
    Wrong("products in eight bits", 3, REFERENCE.replace(
        "(x * w)", "(x.astype(np.uint8) * w.astype(np.uint8)).astype(np.int32)")),
    Wrong("zero points taken off inside the sum", 4, REFERENCE.replace(
        "(x * w)", "((<<asymmetric>> - zero) * (<<symmetric>> - <<offset>>))").replace("shifts" + _CROSS, "0 * products")),
    Wrong("the product of the two shifts forgotten", 3, REFERENCE.replace(_CROSS, "")),
    Wrong("the product of the two shifts taken off once", 3, REFERENCE.replace(_CROSS, " - zero * <<offset>>")),
    Wrong("its sign the wrong way round", 3, REFERENCE.replace(_CROSS, _CROSS.replace("-", "+"))),
    Wrong("the two operands exchanged", 4, REFERENCE.replace("<<asymmetric>>.sum", "<<first>>.sum").replace(
        "<<symmetric>>.sum", "<<asymmetric>>.sum").replace("<<first>>", "<<symmetric>>")),
    Wrong("the shift of storage forgotten", 4, REFERENCE.replace(
        "<<offset>> * <<asymmetric>>.sum(axis=1) + ", "").replace(_CROSS, "")),
    Wrong("corrections added", 2, REFERENCE.replace(_VALUE, _VALUE.replace("products - c", "products + c"))),
    Wrong("the first scale for every group", 1, REFERENCE.replace("(scales * ", "(scales[0] * ")),
)

EXERCISE = Exercise(
    id="03.3", title="Multiply codes, not numbers", kind="core", difficulty=4, importance=5, minutes=14,
    objective="You can compute a dot product from stored codes alone and correct it for their zero points.",
    spec=spec, show=show, wrong=WRONG,
    prose="""
A kernel multiplies codes as they lie in memory and puts things right afterwards. `x` and `w` are arrays of codes, uint8:

| operand | a code stands for |
|---|---|
| `<<asymmetric>>` | scale times (code - `zero`); `zero` comes with the call |
| `<<symmetric>>` | scale times (code - <<offset>>): a code with a sign, stored <<offset>> higher |
| scale of `x` | one for all: `x_scale` |
| scales of `w` | one per group of <<group>> neighbours: `scales`, a float array |

Write `integer_dot(x, w, zero, x_scale, scales)` that returns `(products, corrections, value)`:

- `products`: for each group, the sum of the products of the codes **as they are stored**. Whole numbers.
- `corrections`: for each group, what has to be taken off `products`, so that the sum of (x - its zero point) times
  (w - its zero point) is left. Whole numbers.
- `value`: the dot product of the numbers that the codes stand for.

Lengths are whole numbers of groups. Codes are anything from 0 to 255.

**Example.** <<example_call>> give <<example>>.
""",
    hints=("(x - a)(w - b) = xw - bx - aw + ab. Sum each term over a group: a and b do not change inside it.",
           "`uint8` times `uint8` stays `uint8` in NumPy. Make the arrays int32 first.",
           "`.reshape(-1, <<group>>)` puts every group into a row of its own."),
    head='''
def integer_dot(x, w, zero, x_scale, scales):
    """(products, corrections, value) of a dot product of stored codes."""
''',
    reference=REFERENCE,
    second='''
products, corrections, value = [], [], 0.0
for g, scale in enumerate(scales):
    a, b = (codes[g * <<group>>:(g + 1) * <<group>>].tolist() for codes in (<<asymmetric>>, <<symmetric>>))
    products.append(sum(i * j for i, j in zip(a, b)))
    corrections.append(products[-1] - sum((i - zero) * (j - <<offset>>) for i, j in zip(a, b)))
    value += x_scale * scale * (products[-1] - corrections[-1])
return products, corrections, value
''',
    explanation="The sums over w can be computed once, when the model is stored; a sum over x is new for every token. "
                "That is why weights without a zero point are convenient: the terms with their zero point vanish, "
                "and with them the sum over x. It is a matter of cost, not of correctness.",
    checks=(Check("products of small codes", 1, small), Check("products of large codes", 1, large),
            Check("corrections where zero is 0", 1, without_zero), Check("corrections for both", 1, with_zero),
            Check("the value", 1, values), Check("zeros stay exact", 1, zeros)),
)
