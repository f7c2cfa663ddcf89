"""04.1, warm-up: bits per weight where the scales of groups share a scale themselves.

What varies: bits of a code, of a group's scale and minimum, and of what a super-block of groups stores once.
The trap: each number is shared by others, so each has its own divisor. Layouts like this: the K-quants of llama.cpp,
double quantization in QLoRA.
"""

from __future__ import annotations

from ..beside import Bars, yours
from ..checking import ask_number, close, side
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME, MANY = "bits_per_weight", 10**6


def spec(draw: Draw) -> dict:
    """The layout of one variant, and the block of the worked example."""
    drawn = {"bits": draw.choice("bits", (2, 3, 4, 5, 6)), "scale_bits": draw.choice("scale_bits", (4, 5, 6, 7, 8)),
             "min_bits": draw.choice("min_bits", (3, 4, 5, 6)),
             "super_bits": draw.choice("super_bits", (16, 24, 32, 48)),
             "group": draw.choice("group", (12, 16, 24, 32, 48)), "groups": draw.choice("groups", (4, 6, 8, 10))}
    return drawn | {"example": f"{bits_of(drawn, drawn['group'], drawn['groups']):.5g}"}


def bits_of(spec: Spec, group: int, groups: int) -> float:
    """Bits per weight, by the rules of the exercise."""
    return spec["bits"] + (spec["scale_bits"] + spec["min_bits"] + spec["super_bits"] / groups) / group


def codes(spec: Spec, answers: Answers) -> None:
    """So many share everything that only the codes are left."""
    got = ask_number(answers, NAME, MANY, MANY)
    if abs(got - spec["bits"]) > 0.01:
        raise Miss(f"{NAME}({MANY}, {MANY}) returned {got:g}: {side(got, spec['bits'])}",
                   "a million weights share each scale here, so next to nothing is left of it for one weight",
                   "what does a weight need that it shares with nobody?")


def group_scales(spec: Spec, answers: Answers) -> None:
    """The scale and the minimum of a group, in a super-block so large that its own numbers do not count."""
    for group in (8, 40):
        got, want = ask_number(answers, NAME, group, MANY), bits_of(spec, group, MANY)
        if not close(got, want, 1e-4):
            raise Miss(f"{NAME}({group}, {MANY}) returned {got:.6g}: {side(got, want)}",
                       f"every {group} weights store a scale and a minimum between them; a million groups share the "
                       "rest", "write down the bits of one whole group, then divide by the weights in it")


def second_level(spec: Spec, answers: Answers) -> None:
    """What a super-block stores once."""
    for group, groups in ((16, 1), (24, 5), (100, 3)):
        got, want = ask_number(answers, NAME, group, groups), bits_of(spec, group, groups)
        if not close(got, want, 1e-9):
            raise Miss(f"{NAME}({group}, {groups}) returned {got:.6g}: {side(got, want)}",
                       f"a super-block has {groups} group(s) of {group} weights, and {spec['super_bits']} bits that "
                       "all of those weights share", "how many weights are there in a whole super-block?")


def show(spec: Spec, answers: Answers) -> Bars:
    """The worked example and its neighbours, beside the learner's own figures."""
    return Bars(f"{spec['groups']} groups in a super-block", "bits", [
        (f"groups of {g}", yours(lambda g=g: ask_number(answers, NAME, g, spec["groups"])),
         bits_of(spec, g, spec["groups"])) for g in (spec["group"], 2 * spec["group"], 4 * spec["group"])])


EXERCISE = Exercise(
    id="04.1", title="Scales of scales", kind="warm-up", difficulty=1, importance=5, minutes=5,
    objective="You can say how many bits a weight takes where scales are shared on two levels.",
    spec=spec, show=show,
    prose="""
A format stores its weights in super-blocks. What they hold:

| what | how often | bits |
|---|---|---|
| a code | for every weight | <<bits>> |
| a scale | for every group | <<scale_bits>> |
| a minimum | for every group | <<min_bits>> |
| second-level scales | once in a super-block | <<super_bits>> |

Write `bits_per_weight(group, groups)`: the bits that one weight takes, with `group` weights in a group and `groups`
groups in a super-block. Everything is counted, nothing is padded.

**Example.** <<groups>> groups of <<group>> weights take <<example>> bits per weight.
""",
    hints=("Ask of every line of the table: how many weights share it?",
           "Or the other way: count the bits of one whole super-block and divide by the weights in it."),
    head='''
def bits_per_weight(group, groups):
    """Bits per weight in super-blocks of `groups` groups of `group` weights."""
''',
    reference='''
of_a_group = <<scale_bits>> + <<min_bits>> + <<super_bits>> / groups
return <<bits>> + of_a_group / group
''',
    second='''
weights = group * groups
whole = weights * <<bits>> + groups * (<<scale_bits>> + <<min_bits>>) + <<super_bits>>
return whole / weights
''',
    explanation="Two levels are the way to small groups: the second level costs next to nothing, because so many "
                "weights share it, and it lets the first level be stored with few bits.",
    checks=(Check("the codes alone", 1, codes), Check("scale and minimum of a group", 1, group_scales),
            Check("the second level", 1, second_level)),
    wrong=(
        Wrong("second level left out", 1, "return <<bits>> + (<<scale_bits>> + <<min_bits>>) / group"),
        Wrong("second level stored in every group", 2, """
            return <<bits>> + (<<scale_bits>> + <<min_bits>> + <<super_bits>>) / group"""),
        Wrong("second level shared by groups, not by weights", 1, """
            return <<bits>> + (<<scale_bits>> + <<min_bits>>) / group + <<super_bits>> / groups"""),
        Wrong("minimum left out", 2, "return <<bits>> + (<<scale_bits>> + <<super_bits>> / groups) / group"),
        Wrong("bytes instead of bits", 3, """
            return (<<bits>> + (<<scale_bits>> + <<min_bits>> + <<super_bits>> / groups) / group) / 8"""),
        Wrong("rounded up to whole bits", 3, """
            return math.ceil(<<bits>> + (<<scale_bits>> + <<min_bits>> + <<super_bits>> / groups) / group)"""),
        Wrong("every weight has its own scale", 3, "return <<bits>> + <<scale_bits>> + <<min_bits>>"),
        Wrong("the example's number for everything", 3, "return <<example>>"),
    ),
)
