"""04.5, stretch: a super-block whose groups have scales of a few bits, and one scale for those scales.

What varies: bits of codes and of group scales, the size of a group, and whether group scales are rounded to the nearest
or up. Layouts like this: Q4_K and Q6_K of llama.cpp, double quantization of QLoRA. We leave out their minimums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..beside import Bars, yours
from ..checking import close, number, side
from ..e05_bit_packing.asking import ask, short
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME, GROUPS = "super_block", 6


def spec(draw: Draw) -> dict:
    """The layout and the blocks of one variant."""
    bits, level_bits, up = (draw.choice("bits", (3, 4)), draw.choice("level_bits", (4, 5, 6)),
                            draw.choice("up", (True, False)))
    drawn = {"bits": bits, "level_bits": level_bits, "top": 2 ** (bits - 1) - 1, "levels": 2**level_bits - 1,
             "group": draw.choice("group", (4, 6, 8)), "up": up, "round": "np.ceil" if up else "np.rint",
             "other_round": "np.rint" if up else "np.ceil", "one_round": "math.ceil" if up else "round",
             "round_words": "rounded up" if up else "rounded to the nearest whole number"}
    blocks = {name: _block(drawn, draw, name) for name in ("first", "second", "shown")}
    d, scales, codes = packed(drawn, blocks["shown"])
    return drawn | blocks | {"example": f"d = {d:.5g}, the group scales {scales} and the codes {codes[:4]}, ..."}


def _block(spec: Spec, draw: Draw, name: str) -> list[float]:
    """Numbers whose groups differ in size. Nothing is near a tie, and every mistake changes something."""
    for turn in range(2000):
        sizes = [2.0 ** draw.between(f"{name}.{turn}.size{g}", -1.6, 1.6) for g in range(GROUPS)]
        x = [round(size * draw.between(f"{name}.{turn}.{g}.{i}", -1.5, 1.5), 3)
             for g, size in enumerate(sizes) for i in range(spec["group"])]
        if _clear(spec, x):
            return x
    raise RuntimeError("no block in two thousand shows every mistake; widen the ranges they are drawn from")


def _clear(spec: Spec, x: list[float]) -> bool:
    """Whether both ways to round group scales, and exact scales, give other codes, and nothing lies near a tie."""
    d, scales, codes = packed(spec, x)
    wanted = _wanted(spec, x)
    other = packed({**spec, "up": not spec["up"]}, x)
    exact = [max(-spec["top"], min(spec["top"], round(v / wanted[i // spec["group"]]))) for i, v in enumerate(x)]
    steps = [v / (d * scales[i // spec["group"]]) for i, v in enumerate(x) if scales[i // spec["group"]]]
    below = [w / d for w in wanted if w < max(wanted)]
    clear = all(abs(s % 1 - 0.5) > 1e-3 for s in (*steps, *below)) and all(0.001 < b % 1 < 0.999 for b in below)
    return clear and min(scales) > 0 and min(other[1]) > 0 and codes not in (exact, other[2]) and scales != other[1]


def _wanted(spec: Spec, x: Sequence[float]) -> list[float]:
    """The scale that each group wants."""
    return [max(map(abs, x[i:i + spec["group"]])) / spec["top"] for i in range(0, len(x), spec["group"])]


def packed(spec: Spec, x: Sequence[float]) -> tuple[float, list[int], list[int]]:
    """(d, group scales, codes), by the rules of the exercise, number by number."""
    wanted = _wanted(spec, x)
    d = max(wanted) / spec["levels"]
    if not d:
        return 0.0, [0] * len(wanted), [0] * len(x)
    scales = [min(math.ceil(w / d - 1e-9) if spec["up"] else round(w / d), spec["levels"]) for w in wanted]
    steps = [d * scales[i // spec["group"]] for i in range(len(x))]
    return d, scales, [min(max(round(v / step), -spec["top"]), spec["top"]) if step else 0 for v, step in zip(x, steps)]


def faint(spec: Spec) -> list[float]:
    """One group of ones, and groups of zeros."""
    return [1.0] * spec["group"] + [0.0] * (2 * spec["group"])


def _ask(spec: Spec, answers: Answers, shown: str, x: list[float]) -> tuple[float, list[float], list[float]]:
    call = f"{NAME}({shown})"
    got = ask(answers, call, NAME, x)
    if not isinstance(got, list) or len(got) != 3:
        raise Miss(f"{call} returned {short(got)}", "three things are expected: d, the group scales, the codes",
                   "end the function with `return d, scales, codes`")
    scales, codes = (part.ravel().tolist() if hasattr(part, "ravel") else part for part in got[1:])
    for part, name, length in ((scales, "group scales", len(x) // spec["group"]), (codes, "codes", len(x))):
        if not isinstance(part, list) or len(part) != length or not all(isinstance(v, (int, float)) for v in part):
            raise Miss(f"{call} returned the {name} {short(part)}", f"{length} whole numbers are expected",
                       "return a plain list, or an array with one axis")
    return number(got[0], call + "[0]"), scales, codes


def second_level(spec: Spec, answers: Answers) -> None:
    """d, the scale of the scales."""
    for name in ("first", "second"):
        got, want = _ask(spec, answers, "a block", spec[name])[0], packed(spec, spec[name])[0]
        if not close(got, want, 1e-6):
            raise Miss(f"for a block of {GROUPS} groups, d was {got:.5g}: {side(got, want)}",
                       f"the largest scale that a group wants has to become the group scale {spec['levels']}",
                       "list the scale that every group wants: its largest magnitude over the highest code")


def group_scales(spec: Spec, answers: Answers) -> None:
    """The scales of the groups."""
    for name in ("first", "second"):
        got, want = _ask(spec, answers, "a block", spec[name])[1], packed(spec, spec[name])[1]
        if got != want:
            raise Miss(f"for a block of {GROUPS} groups, {sum(a == b for a, b in zip(got, want))} group scales were "
                       "right", f"a group scale is the scale the group wants over d, {spec['round_words']}",
                       "print the quotients before they are rounded")


def coded(spec: Spec, answers: Answers) -> None:
    """The codes."""
    for name in ("first", "second"):
        got, want = _ask(spec, answers, "a block", spec[name])[2], packed(spec, spec[name])[2]
        if got != want:
            raise Miss(f"for a block of {len(want)} numbers, {sum(a == b for a, b in zip(got, want))} codes were right",
                       "a reader knows d and the group scales and nothing else: it multiplies a code by both",
                       "divide by what the reader will multiply with, round, and clip")


def zeros(spec: Spec, answers: Answers) -> None:
    """Groups of zeros, and a block of zeros."""
    for shown, x in (("a block with groups of zeros", faint(spec)), ("zeros", [0.0] * (2 * spec["group"]))):
        got, want = _ask(spec, answers, shown, x), packed(spec, x)
        if not close(got[0], want[0], 1e-6) or tuple(got[1:]) != want[1:]:
            raise Miss(f"for {shown}, d was {got[0]:.4g}, the group scales {short(got[1], 3)} and the codes "
                       f"{short(got[2], 3)}", "a group of zeros gets the group scale 0, and all its codes are 0; a "
                       "block of zeros has d = 0 as well", "look at the places where you divide")


def show(spec: Spec, answers: Answers) -> Bars:
    """The group scales of the example."""
    mine = yours(lambda: _ask(spec, answers, "the example", spec["shown"])[1])
    want = packed(spec, spec["shown"])[1]
    return Bars("Group scales of the example", "", [(f"group {g}", mine[g] if mine else None, want[g])
                                                    for g in range(GROUPS)])


REFERENCE = '''
groups = np.array(x).reshape(-1, <<group>>)
wanted = np.abs(groups).max(axis=1) / <<top>>
d = wanted.max() / <<levels>>
scales = <<round>>(wanted / (d or 1.0) - 1e-9).clip(0, <<levels>>)
steps = np.where(scales > 0, scales * d, math.inf)  # a number over infinity has the code 0
codes = np.rint(groups / steps[:, None]).clip(-<<top>>, <<top>>)
return d, scales.astype(int), codes.astype(int).ravel()
'''

WRONG = (
    Wrong("codes computed with the scales wanted", 1, REFERENCE.replace("scales * d, math.inf", "wanted, math.inf")),
    Wrong("rounded the other way", 2, REFERENCE.replace("<<round>>", "<<other_round>>")),
    Wrong("one level too many", 4, REFERENCE.replace("/ <<levels>>", "/ (<<levels>> + 1)").replace(
        "(0, <<levels>>)", "(0, <<levels>> + 1)")),
    Wrong("d from the mean of the scales", 4, REFERENCE.replace("wanted.max()", "wanted.mean()")),
    Wrong("no case for zeros", 1, REFERENCE.replace("(d or 1.0)", "d")),
    Wrong("a group scale of at least 1", 1, REFERENCE.replace("clip(0, <<levels>>)", "clip(1, <<levels>>)")),
    Wrong("decoded values instead of codes", 2, REFERENCE.replace("codes.astype(int)", "(codes * d)")),
)

EXERCISE = Exercise(
    id="04.5", title="A scale for the scales", kind="stretch", difficulty=4, importance=3, minutes=30,
    objective="You can quantize a super-block whose group scales are stored in a few bits.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE,
    prose="""
Small groups need many scales, and float16 scales are dear. So give a group's scale <<level_bits>> bits, and the whole
super-block one float, `d`, that says how much one step of a group scale is worth:

| what | |
|---|---|
| a group | <<group>> neighbours of x; the length of x is a multiple of that |
| the scale a group wants | its largest magnitude over <<top>> |
| d | the largest scale wanted, over <<levels>> |
| group scale | the scale wanted over d, <<round_words>>: from 0 to <<levels>> |
| code | the number over `d * group scale`, rounded (ties to even), clipped to -<<top>> .. <<top>> |
| group scale 0 | all codes of the group are 0 |
| a block of zeros | has d = 0, group scales 0 and codes 0 |

Write `super_block(x)`, which returns `(d, scales, codes)`: a float, a list with one whole number per group, and a list
with one code per number. `x` is a list of floats; `np` is NumPy.

**Watch out**: d is itself rounded, by 1e-16 or so, and the largest quotient may come out just above <<levels>>. Every
other quotient stays a thousandth away from whole numbers and halves.

**Example.** The block in the cell below has <<example>>
""",
    hints=("Four steps, each from the one before: scales wanted, d, group scales, codes.",
           "The codes come last, from what a reader will multiply with.",
           "`np.array(x).reshape(-1, <<group>>)` has one group per row."),
    given="""
# The example's block. Change what you like: the checks use other blocks.
example = <<shown>>
""",
    head='''
def super_block(x):
    """(d, scales, codes) of a super-block: a number is d * group scale * code."""
''',
    second='''
groups = [x[i:i + <<group>>] for i in range(0, len(x), <<group>>)]
wanted = [max(map(abs, group)) / <<top>> for group in groups]
d, scales, codes = max(wanted) / <<levels>>, [], []
for group, want in zip(groups, wanted):
    scales.append(min(<<one_round>>(want / d - 1e-9), <<levels>>) if want else 0)
    step = d * scales[-1]
    codes += [max(-<<top>>, min(<<top>>, round(v / step))) if step else 0 for v in group]
return d, scales, codes
''',
    explanation="Rounding a group scale down makes its grid too short, and the largest number is clipped; rounding up "
                "wastes a little of the grid. Both are in use. With 6 bits for a scale neither costs much.",
    checks=(Check("the scale of the scales", 1, second_level), Check("the group scales", 1, group_scales),
            Check("the codes", 1, coded), Check("zeros", 1, zeros)),
)
