"""11.3, core: a scale for each block, stored as a small float, and one scale for all of these scales.

What varies: the elements, the format of the block scales, and the length of a block. The scheme is NVFP4's, with formats
that are not.
Source of the idea: NVIDIA, Introducing NVFP4 (2025); see scaling/nvfp4.py.
"""

from __future__ import annotations

from ..beside import Bars, yours
from ..checking import close, number, side
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw
from . import elements

NAME, BLOCKS, PARTS = "two_scales", 5, ("G", "scales", "values")
ELEMENTS, SCALES = ((2, 1, 0), (2, 2, 2), (2, 2, 0), (3, 1, 4)), ((3, 2, 3), (3, 2, 4), (4, 1, 7), (3, 1, 2))


def spec(draw: Draw) -> dict:
    """The formats and the lists of one variant."""
    levels = elements.magnitudes(*draw.choice("elements", ELEMENTS))
    scales = elements.magnitudes(*draw.choice("scales", SCALES))[1:]
    drawn = {"levels": levels, "scale_levels": scales, "largest": levels[-1], "largest_scale": scales[-1],
             "block": draw.choice("block", (3, 4, 5, 6))}
    drawn |= {name: _list(drawn, draw, name) for name in ("first", "second", "shown")}
    G, found, values = converted(drawn, drawn["shown"])
    return drawn | {"example": f"G = {G:.5g}, the scales {found} and the values {values[:3]}, ..."}


def _list(spec: Spec, draw: Draw, name: str) -> list[float]:
    """Blocks of different size, nothing half-way, and block scales that differ from what they would be unrounded."""
    for turn in range(3000):
        sizes = [2.0 ** draw.between(f"{name}{turn}.size{b}", -3.5, 0.5) for b in range(BLOCKS)]
        x = [float(f"{size * draw.between(f'{name}{turn}.{b}.{i}', -1, 1):.6g}")
             for b, size in enumerate(sizes) for i in range(spec["block"])]
        if _clear(spec, x):
            return x
    raise RuntimeError("none of three thousand lists is clear of half-way cases; draw other numbers")


def _clear(spec: Spec, x: list[float]) -> bool:
    G, scales, values = converted(spec, x)
    n, exact = spec["block"], []
    for b, scale in enumerate(scales):
        block = x[b * n:(b + 1) * n]
        wanted = G * max(map(abs, block)) / spec["largest"]
        if not wanted or not elements.is_clear(spec["scale_levels"], wanted) or not all(
                elements.is_clear(spec["levels"], v / (scale / G)) for v in block):
            return False
        exact += [elements.nearest(spec["levels"], v / (wanted / G)) for v in block]
    return exact != values and len(set(scales)) >= 3


def converted(spec: Spec, x: list[float]) -> tuple[float, list[float], list[float]]:
    """(G, block scales, values), by the rules of the exercise, number by number."""
    n, amax = spec["block"], max(map(abs, x))
    G = spec["largest_scale"] * spec["largest"] / amax if amax else 1.0
    scales, values = [], []
    for first in range(0, len(x), n):
        block = x[first:first + n]
        scales.append(elements.nearest(spec["scale_levels"], G * max(map(abs, block)) / spec["largest"]))
        values += [elements.nearest(spec["levels"], v / (scales[-1] / G)) for v in block]
    return G, scales, values


def stretch(spec: Spec, answers: Answers) -> None:
    """G, the scale of all scales."""
    for name in ("first", "second"):
        got = number(elements.ask_parts(answers, NAME, "a list", spec[name], PARTS)[0], f"{NAME}(a list)[0]")
        want = converted(spec, spec[name])[0]
        if not close(got, want, 1e-6):
            raise Miss(f"for a list of {BLOCKS} blocks, G was {got:.5g}: {side(got, want)}",
                       "with G the block that holds the largest number of all needs exactly the largest scale",
                       "what has to stand for the largest number: the largest scale times the largest element, over G")


def block_scales(spec: Spec, answers: Answers) -> None:
    """The stored scales, a point for each list."""
    _compare(spec, answers, 1, "scales", "a block wants the scale G * (its largest magnitude) / "
             f"{spec['largest']:g}, and stores the nearest of the list", "print what the blocks want before it is rounded")


def coded(spec: Spec, answers: Answers) -> None:
    """The values, a point for each list."""
    _compare(spec, answers, 2, "values", "a reader knows G and the stored scale: it multiplies a value by scale / G",
             "divide by what the reader will multiply with, and take the nearest")


def _compare(spec: Spec, answers: Answers, part: int, what: str, why: str, advice: str) -> None:
    right, told = 0, None
    for name in ("first", "second"):
        try:
            got = elements.ask_parts(answers, NAME, "a list", spec[name], PARTS)[part]
            elements.check_list(got, converted(spec, spec[name])[part], "a list", what, why, advice)
            right += 1
        except Miss as miss:
            told = told or miss
    if told:
        raise Miss(told.what, told.why, told.advice, right)


def zeros(spec: Spec, answers: Answers) -> None:
    """A block of zeros among others, and nothing but zeros."""
    n = spec["block"]
    for shown, x in (("a list with a block of zeros", spec["first"][:n] + [0.0] * n), ("zeros", [0.0] * n)):
        G, scales, values = elements.ask_parts(answers, NAME, shown, x, PARTS)
        want = converted(spec, x)
        if not close(number(G, f"{NAME}({shown})[0]"), want[0], 1e-6):
            raise Miss(f"for {shown}, G was {G:.4g}", "a list of zeros has G = 1",
                       "look at the places where you divide")
        elements.check_list(scales, want[1], shown, "scales", "a block of zeros stores the smallest scale",
                            "which scale is the nearest to 0?")
        elements.check_list(values, want[2], shown, "values", "a zero stays zero", "look at the places where you divide")


def show(spec: Spec, answers: Answers) -> Bars:
    """The scales of the example."""
    mine = yours(lambda: elements.ask_parts(answers, NAME, "the example", spec["shown"], PARTS)[1])
    want = converted(spec, spec["shown"])[1]
    return Bars("Block scales of the example", "", [(f"block {b + 1}", mine[b] if mine else None, want[b])
                                                    for b in range(BLOCKS)])


REFERENCE = '''
levels, stored = np.array(<<levels>>), np.array(<<scale_levels>>)
blocks = np.array(x).reshape(-1, <<block>>)
amax = np.abs(blocks).max(axis=1)
G = <<largest_scale>> * <<largest>> / amax.max() if amax.max() else 1.0
wanted = G * amax / <<largest>>
scales = stored[np.abs(wanted[:, None] - stored).argmin(axis=1)]
scaled = blocks / (scales / G)[:, None]
nearest = np.abs(np.abs(scaled)[:, :, None] - levels).argmin(axis=2)
return G, scales, (np.sign(blocks) * levels[nearest]).ravel()
'''

WRONG = (
    Wrong("values from the scales wanted", 2, REFERENCE.replace("(scales / G)", "(np.maximum(wanted, 1e-9) / G)")),
    Wrong("scales not rounded", 5, REFERENCE.replace(
        "stored[np.abs(wanted[:, None] - stored).argmin(axis=1)]", "np.maximum(wanted, 1e-9)")),
    Wrong("the largest element forgotten in G", 6, REFERENCE.replace("<<largest_scale>> * <<largest>> /",
                                                                    "<<largest_scale>> /")),
    Wrong("1 / G returned", 2, REFERENCE.replace("return G,", "return 1 / G,").replace("else 1.0", "else 2.0")),
    Wrong("no case for zeros", 1, REFERENCE.replace(" if amax.max() else 1.0", "")),
    Wrong("one scale for the whole list", 5, REFERENCE.replace(
        "amax = np.abs(blocks).max(axis=1)", "amax = np.full(len(blocks), np.abs(blocks).max())")),
    Wrong("signs lost", 3, REFERENCE.replace("np.sign(blocks) * ", "")),
)

EXERCISE = Exercise(
    id="11.3", title="A scale for the scales", kind="core", difficulty=3, importance=4, minutes=14,
    objective="You can convert numbers to a format with a small float for each block and one scale above them.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE,
    prose="""
A format in the manner of NVFP4:

| what | |
|---|---|
| a block | <<block>> neighbours; the length of x is a multiple of that |
| magnitudes of an element | <<levels>> |
| scales that can be stored | <<scale_levels>> |
| G | <<largest_scale>> * <<largest>> over the largest magnitude of all of x; 1 where x is all zeros |
| scale of a block | the storable one nearest to G * (largest magnitude of the block) / <<largest>> |
| value | the magnitude nearest to `abs(x) / (scale / G)`, with the sign of x; beyond <<largest>>, it is <<largest>> |

Write `two_scales(x)`, which returns `(G, scales, values)`: a float, a list with one stored scale per block, and a list
with one value per number. `x` is a list of floats; `np` is NumPy; arrays may be returned in place of lists.

**Example.** The list in the cell below has <<example>>
""",
    hints=("Four steps, each from the one before: largest magnitudes, G, scales, values.",
           "Values come last, from the *stored* scale."),
    given="""
# The example's numbers. Change what you like: the checks use other lists.
example = <<shown>>
""",
    head='''
def two_scales(x):
    """(G, scales, values): a number of x is about value * scale / G."""
''',
    second='''
levels, stored, n = <<levels>>, <<scale_levels>>, <<block>>
amax = max(abs(v) for v in x)
G = <<largest_scale>> * <<largest>> / amax if amax else 1.0
scales, values = [], []
for i in range(0, len(x), n):
    wanted = G * max(abs(v) for v in x[i:i + n]) / <<largest>>
    scales.append(min(stored, key=lambda s: abs(s - wanted)))
    for v in x[i:i + n]:
        best = min(levels, key=lambda level: abs(level - abs(v) * G / scales[-1]))
        values.append(-best if v < 0 else best)
return G, scales, values
''',
    explanation="The float at the top costs nothing, because everybody shares it. It lets the block scales live in a format "
                "with a narrow range, whose bits go into precision instead.",
    checks=(Check("G", 1, stretch), Check("the block scales", 2, block_scales), Check("the values", 2, coded),
            Check("zeros", 1, zeros)),
)
