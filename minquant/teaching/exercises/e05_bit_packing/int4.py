"""05.2, core: four-bit codes into bytes and back.

What varies: which code of a pair takes the low nibble, whether a pair are neighbours or half a block apart, how a
negative code is written, and the size of a block; never as a function of the package has it. Every check sees one of
these at a time, so an answer that is right but for the nibble order loses the nibble order and nothing else.
Layouts people meet: GGUF Q4_0 (half a block apart, offset binary), two's complement pairs as PyTorch packs them.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars, yours
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .asking import ask_whole, short
from .int4_answers import REFERENCE, SECOND, STARTER, WRONG, fields


# low nibble first, halves of a block in a byte, offset binary: all that no function of minquant.packing writes
RULES = ((True, True, False), (False, False, False), (False, False, True), (False, True, False), (False, True, True))


def spec(draw: Draw) -> dict:
    """The layout of one variant, and the bytes of the worked example."""
    drawn = dict(zip(("low_first", "halves", "offset"), draw.choice("rules", RULES), strict=True))
    drawn["block"] = draw.choice("block", (8, 16, 24, 32, 48))
    block, half = drawn["block"], drawn["block"] // 2
    first, second = ("low", "high") if drawn["low_first"] else ("high", "low")
    codes = [draw.integer(f"example{i}", -8, 7) for i in range(block)]
    return drawn | {
        "half": half, "first_nibble": first, "second_nibble": second,
        "pair": f"j and j + {half}" if drawn["halves"] else "2j and 2j + 1",
        "sign_words": "the code plus 8 (offset binary)" if drawn["offset"] else
                      "the lowest four bits of the code in two's complement: -1 is 1111, -8 is 1000",
        "example": f"block[0] = {codes[0]}, block[1] = {codes[1]}, block[{half}] = {codes[half]}",
        "example_byte": f"0x{pack(drawn, codes)[0]:02x}"}


def nibble(spec: Spec, code: int) -> int:
    """The four bits of a code."""
    return code + 8 if spec["offset"] else code & 15


def address(spec: Spec, i: int) -> tuple[int, int]:
    """(byte, shift) of code i."""
    block, j = divmod(i, spec["block"])
    half = spec["block"] // 2
    byte, second = (j % half, j // half) if spec["halves"] else (j // 2, j % 2)
    return block * half + byte, 4 if bool(second) == spec["low_first"] else 0


def pack(spec: Spec, codes: list[int]) -> list[int]:
    """Bytes by the rules of the exercise."""
    whole = list(codes) + [0] * (-len(codes) % spec["block"])
    data = [0] * (len(whole) // 2)
    for i, code in enumerate(whole):
        byte, shift = address(spec, i)
        data[byte] |= nibble(spec, code) << shift
    return data


def _packed(answers: Answers, shown: str, codes: list[int], length: int | None = None) -> np.ndarray:
    """What pack returns, as flat bytes."""
    got = ask_whole(answers, f"pack({shown})", "pack", np.array(codes, np.int8)).reshape(-1)
    if got.size and not (got.min() >= 0 and got.max() <= 255):
        raise Miss(f"pack({shown}) returned {short(got)}", "a byte is a number from 0 to 255",
                   "make the nibbles before you join them: what is negative has ones in all its upper bits")
    if length is not None and len(got) != length:
        raise Miss(f"pack({shown}) returned {len(got)} bytes",
                   "two codes share a byte, and the last block is whole as well",
                   "count: how many blocks are begun, and how many bytes is a block?")
    return got


def _unpacked(answers: Answers, shown: str, data: list[int], count: int) -> np.ndarray:
    return ask_whole(answers, f"unpack({shown}, {count})", "unpack", np.array(data, np.uint8), count).reshape(-1)


def _codes(count: int) -> str:
    return f"{count} code{'s' * (count != 1)}"


def pack_places(spec: Spec, answers: Answers) -> None:
    """Change one code and see which nibble changes."""
    block, half = spec["block"], spec["block"] // 2
    before = _packed(answers, f"{2 * block} ones", [1] * 2 * block, block)
    for i in (0, 1, half - 1, half, block - 1, block, 2 * block - 2):
        codes = [1] * 2 * block
        codes[i] = 6
        after = _packed(answers, f"{2 * block} ones, but code {i} is 6", codes, block)
        changed = {j: int(a ^ b) for j, (a, b) in enumerate(zip(before, after, strict=True)) if a != b}
        byte, shift = address(spec, i)
        if list(changed) != [byte] or changed[byte] & ~(15 << shift):
            raise Miss(f"changing code {i} of {2 * block} changed byte(s) {short(list(changed))}, "
                       f"bits {', '.join(format(x, '08b') for x in list(changed.values())[:3]) or 'none'}",
                       f"codes {spec['pair']} of a block share its byte j: the first in the {spec['first_nibble']} "
                       f"nibble, the second in the {spec['second_nibble']} one",
                       f"for which j is code {i % block} of a block in byte j, and is it the first or the second?")


def pack_signs(spec: Spec, answers: Answers) -> None:
    """A block of one code only: every nibble must be that code's."""
    for code in range(-8, 8):
        got = _packed(answers, f"{spec['block']} times {code}", [code] * spec["block"], spec["half"])
        if (got != nibble(spec, code) * 17).any():
            raise Miss(f"packing {spec['block']} times the code {code} gave {got[0]:08b}, {got[1]:08b}, ...",
                       f"each nibble holds {spec['sign_words']}",
                       "write the four bits of -8, -1, 0 and 7 on paper by that rule, and print yours")


def fill_up(spec: Spec, answers: Answers) -> None:
    """A last block that is not full is as if zeros followed."""
    block = spec["block"]
    for count in (1, block - 1, block + 3):
        codes = [(3 * i) % 7 + 1 for i in range(count)]
        got = _packed(answers, _codes(count), codes, -(-count // block) * spec["half"])
        padded = _packed(answers, f"the same and {-count % block} zeros", codes + [0] * (-count % block), len(got))
        if (got != padded).any() or not (got != got[0]).any():
            raise Miss(f"pack of {_codes(count)} and pack of the same followed by zeros differ",
                       "the last block is filled up with the code 0, so that its bytes mean nothing but zeros",
                       "which four bits does the code 0 have in this layout?")


def unpack_places(spec: Spec, answers: Answers) -> None:
    """Change one nibble and see which code changes."""
    block = spec["block"]
    before = _unpacked(answers, f"{block} bytes 0x99", [0x99] * block, 2 * block)
    for i in (0, 1, spec["half"], block - 1, block + 1, 2 * block - 2):
        byte, shift = address(spec, i)
        data = [0x99] * block
        data[byte] ^= 6 << shift
        after = _unpacked(answers, f"{block} bytes 0x99, but byte {byte} is 0x{data[byte]:02x}", data, 2 * block)
        changed = [j for j, (a, b) in enumerate(zip(before, after, strict=False)) if a != b]
        if changed != [i]:
            raise Miss(f"changing the {'high' if shift else 'low'} nibble of byte {byte} changed code(s) "
                       f"{short(changed)} of what unpack returned",
                       f"byte j of a block holds its codes {spec['pair']}, the first of them in the "
                       f"{spec['first_nibble']} nibble",
                       "unpack walks the steps of pack backwards: split each byte, then put both halves where they go")


def unpack_signs(spec: Spec, answers: Answers) -> None:
    """A block of equal bytes: every code must be that nibble's."""
    for code in range(-8, 8):
        byte = nibble(spec, code) * 17
        shown = f"{spec['half']} bytes 0x{byte:02x}"
        got = _unpacked(answers, shown, [byte] * spec["half"], spec["block"])
        if len(got) != spec["block"] or (got != code).any():
            raise Miss(f"unpack({shown}, {spec['block']}) returned {short(got, 4)}",
                       f"a nibble holds {spec['sign_words']}; unpack gives the code back, from -8 to 7",
                       "mind the type: uint8 has no negative numbers, and a shift or a mask never makes one")


def there_and_back(spec: Spec, answers: Answers) -> None:
    """Any codes, any number of them."""
    block = spec["block"]
    rng = np.random.default_rng(5)
    for count in (1, block - 1, block, 2 * block + 5):
        codes = [-8, 7, *rng.integers(-8, 8, count)][:count]
        data = _packed(answers, _codes(count), codes)
        got = _unpacked(answers, "pack(codes)", [int(b) for b in data], count)
        if list(got) != list(codes):
            raise Miss(f"unpack(pack(codes), {count}) returned {_codes(len(got))}, {short(got, 6)}, "
                       f"for the codes {short([int(c) for c in codes], 6)}",
                       "what was packed must come back, all of it, and no filling after it",
                       "find the first code that differs: is its place wrong, its sign, or the length?")


def show(spec: Spec, answers: Answers) -> Bars:
    """The first bytes of a block of rising codes."""
    codes = [i % 16 - 8 for i in range(spec["block"])]
    want = pack(spec, codes)
    got = yours(lambda: _packed(answers, "an example", codes, len(want)))
    return Bars("Bytes of a block with the codes -8, -7, -6, ...", "as a number",
                [(f"byte {j}", None if got is None else int(got[j]), want[j]) for j in range(4)])


EXERCISE = Exercise(
    id="05.2", title="Four bits, both ways", kind="core", difficulty=3, importance=5, minutes=18,
    objective="You can pack signed four-bit codes into bytes by any rule of order and sign, and get them back.",
    spec=spec, show=show, answer_fields=fields, wrong=WRONG,
    prose="""
Codes are whole numbers from -8 to 7. They are stored in blocks of <<block>> codes, that is <<half>> bytes:

| what | |
|---|---|
| byte j of a block | holds the block's codes <<pair>> |
| the first of the two | lies in the <<first_nibble>> nibble, the second in the <<second_nibble>> nibble |
| a nibble holds | <<sign_words>> |
| a last block that is not full | is filled up with the code 0 |

The low nibble of a byte is worth 0 to 15, the high one 16 times as much.

Write two functions:

- `pack(codes)`: the bytes of all blocks, numbers from 0 to 255, for any number of codes (an int8 array).
- `unpack(data, count)`: the first `count` codes, for bytes that `pack` made (a uint8 array).

**Example.** With <<example>>, byte 0 is <<example_byte>>.
""",
    hints=("Split the task: codes to nibbles (signs), nibbles to pairs (places), pairs to bytes. Then walk back.",
           "`reshape` puts pairs beside each other: what shape do the nibbles of all blocks need, so that the first of "
           "each pair is `[:, 0]`?",
           "int8 cannot hold 8 to 15 shifted up by four. Leave int8 before you shift."),
    head="# pack and unpack: both go into this cell",
    starter=STARTER, reference=REFERENCE, second=SECOND,
    explanation="Order and sign are two independent choices, and both must be known: no check of ranges finds a wrong "
                "one, because every nibble is a legal code.",
    checks=(Check("pack: which code goes where", 1, pack_places), Check("pack: how a code is written", 1, pack_signs),
            Check("pack: a last block that is not full", 1, fill_up),
            Check("unpack: which nibble is which code", 1, unpack_places),
            Check("unpack: negative codes", 1, unpack_signs), Check("there and back", 1, there_and_back)),
)
