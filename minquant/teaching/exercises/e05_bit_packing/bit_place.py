"""05.1, warm-up: in which byte, and where in it, does a given bit of a given code lie?

What varies: bits of a code, codes in a block, bytes of the scale in front of each block, and from which end bytes fill.
The trap: a scale stands in front of *every* block, and a code of 3, 5, 6 or 7 bits rarely begins where a byte begins.
"""

from __future__ import annotations

from ..beside import Bars, yours
from ..checking import written
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME = "place"


def spec(draw: Draw) -> dict:
    """The layout of one variant, and the bit of the worked example."""
    low, bits, block = draw.choice("low", (True, False)), draw.choice("bits", (3, 5, 6, 7)), draw.choice(
        "block", (16, 24, 32, 48, 64))
    drawn = {"low": low, "bits": bits, "block": block, "scale": draw.choice("scale", (2, 3, 4)),
             "fills": "lowest" if low else "highest", "first_bit": "lowest" if low else "highest",
             "example_i": draw.integer("example_i", 2, 7), "example_k": draw.integer("example_k", 0, 2)}
    byte, bit = place(drawn, drawn["example_i"], drawn["example_k"])
    return drawn | {"example_byte": byte, "example_bit": bit}


def place(spec: Spec, i: int, k: int) -> tuple[int, int]:
    """(byte, bit) by the rules of the exercise."""
    block, j = divmod(i, spec["block"])
    at = j * spec["bits"] + (k if spec["low"] else spec["bits"] - 1 - k)
    byte = block * block_bytes(spec) + spec["scale"] + at // 8
    return byte, at % 8 if spec["low"] else 7 - at % 8


def block_bytes(spec: Spec) -> int:
    """Bytes of one block, scale and codes."""
    return spec["scale"] + spec["block"] * spec["bits"] // 8


def fields(spec: Spec) -> dict:
    """Pieces of the answers: the formula in the order of this variant, and in the other one."""
    last = spec["bits"] - 1
    low, high = ("k", "at % 8"), (f"{last} - k", "7 - at % 8")
    (k, bit), (other_k, other_bit) = (low, high) if spec["low"] else (high, low)
    return {"k": k, "bit": bit, "other_k": other_k, "other_bit": other_bit, "block_bytes": block_bytes(spec),
            "code_bytes": block_bytes(spec) - spec["scale"], "per_byte": 8 // spec["bits"]}


def _ask(answers: Answers, i: int, k: int) -> tuple[int, int]:
    got = answers.call(NAME, i, k)
    if isinstance(got, list) and len(got) == 2 and all(type(part) is int for part in got):
        return got[0], got[1]
    raise Miss(f"{written(NAME, (i, k))} returned {got!r}", "two whole numbers are expected: byte, then bit",
               "end the function with `return byte, bit`")


def first_code(spec: Spec, answers: Answers) -> None:
    """All bits of code 0."""
    for k in range(spec["bits"]):
        byte, bit = _ask(answers, 0, k)
        if (byte, bit) != place(spec, 0, k):
            raise Miss(f"{written(NAME, (0, k))} returned byte {byte}, bit {bit}",
                       f"code 0 is the first thing behind the scale, and bytes fill from their {spec['fills']} bit on",
                       "draw the scale and the byte behind it; write bit numbers 7 to 0 over it, then k under it")


def inside_a_block(spec: Spec, answers: Answers) -> None:
    """Codes of the first block, counted from where code 0 was put."""
    origin = _ask(answers, 0, 0)[0] - place(spec, 0, 0)[0]
    for i in range(spec["block"]):
        for k in range(spec["bits"]):
            byte, bit = _ask(answers, i, k)
            if (byte - origin, bit) != place(spec, i, k):
                raise Miss(f"{written(NAME, (i, k))} returned byte {byte}, bit {bit}",
                           f"{i} codes of {spec['bits']} bits lie between this code and the start of its block, and "
                           "no bit between them is left unused",
                           "count bits from the start of the codes; divide by 8 only at the end")


def later_blocks(spec: Spec, answers: Answers) -> None:
    """The same code of the next blocks."""
    for i, further in ((0, 1), (5, 1), (spec["block"] - 1, 3)):
        near, far = _ask(answers, i, 1), _ask(answers, i + further * spec["block"], 1)
        if far[0] - near[0] != further * block_bytes(spec) or far[1] != near[1]:
            raise Miss(f"from code {i} to code {i + further * spec['block']} your address moved by "
                       f"{far[0] - near[0]} bytes and {far[1] - near[1]} bits",
                       f"that is {further} block(s) further on, and every block has a scale of its own in front",
                       "how many bytes does one whole block take?")


def show(spec: Spec, answers: Answers) -> Bars:
    """Addresses counted in bits from the start of the data."""
    rows = []
    for i in (0, 1, 2, spec["block"] - 1, spec["block"]):
        byte, bit = place(spec, i, 0)
        mine = yours(lambda i=i: _ask(answers, i, 0))
        rows.append((f"code {i}", mine and 8 * mine[0] + mine[1], 8 * byte + bit))
    return Bars("Where bit 0 of a code lies: 8 x byte + bit", "bits", rows)


REFERENCE = '''
block, j = divmod(i, <<block>>)
at = j * <<bits>> + <<k>>  # bits from the start of the block's codes
return block * <<block_bytes>> + <<scale>> + at // 8, <<bit>>
'''

EXERCISE = Exercise(
    id="05.1", title="The address of a bit", kind="warm-up", difficulty=1, importance=4, minutes=5,
    objective="You can say in which byte, and where in it, any bit of any packed code lies.",
    spec=spec, show=show, answer_fields=fields,
    prose="""
A row of a matrix is stored in blocks, one right after the other:

| what | |
|---|---|
| one block | a scale of <<scale>> bytes, then <<block>> codes |
| one code | <<bits>> bits, right behind the code before it; no bit is left unused |
| a byte fills | from its <<fills>> bit; the <<first_bit>> bit of a code comes first |

Bits of a byte and of a code are numbered as usual: 0 is the lowest, worth 1; bit 7 of a byte is worth 128.

Write `place(i, k)`: the byte and the bit in that byte where bit `k` of code `i` lies, as `(byte, bit)`. Bytes are
counted from 0, the first byte of the first scale; codes are counted from 0 over the whole row.

**Example.** Bit <<example_k>> of code <<example_i>> lies in byte <<example_byte>>, bit <<example_bit>>.
""",
    hints=("Split `i` first: which block, and which code in it? `divmod` gives both.",
           "Inside a block, number all bits in the order in which they fill the bytes. The address is that number, "
           "divided by 8, with a remainder."),
    head='''
def place(i, k):
    """(byte, bit) of bit k of code i."""
''',
    reference=REFERENCE,
    second='''
at = 8 * <<scale>> * (i // <<block>> + 1) + i * <<bits>> + <<k>>
return at // 8, <<bit>>
''',
    explanation="The second answer counts everything in bits: one scale for each block that has begun, and all codes "
                "before this one. It works because a block's codes fill whole bytes.",
    checks=(Check("all bits of the first code", 1, first_code), Check("codes inside a block", 1, inside_a_block),
            Check("a scale in front of every block", 1, later_blocks)),
    wrong=(
        Wrong("scales left out", 2, REFERENCE.replace("<<block_bytes>> + <<scale>>", "<<code_bytes>>")),
        Wrong("one scale for all blocks", 1, REFERENCE.replace("<<block_bytes>>", "<<code_bytes>>")),
        Wrong("bytes filled from the other end", 2, REFERENCE.replace("<<bit>>", "<<other_bit>>")),
        Wrong("bits of a code in the other order", 2, REFERENCE.replace("<<k>>", "<<other_k>>")),
        Wrong("no code may straddle two bytes", 1, REFERENCE.replace(
            "j * <<bits>>", "j // <<per_byte>> * 8 + j % <<per_byte>> * <<bits>>")),
        Wrong("bits taken for bytes", 2, REFERENCE.replace("at // 8", "at")),
        Wrong("the block forgotten", 1, REFERENCE.replace("block * <<block_bytes>> + ", "")),
        Wrong("the example's address for everything", 3, "return <<example_byte>>, <<example_bit>>"),
    ),
)
