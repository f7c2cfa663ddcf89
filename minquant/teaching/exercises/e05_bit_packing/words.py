"""05.3, core: codes of 3, 5, 6 or 7 bits out of 32-bit words.

What varies: bits of a code, check bits that belong to no code, from which end a word fills, and whether a row begins a
new word or runs on. No function of the package reads words with check bits in them.
The traps are those of GPTQ's 3-bit checkpoints: a code may lie in two words, and words come as *signed* int32, so a
shift to the right fills up with copies of the top bit.
"""

from __future__ import annotations

import numpy as np

from ..beside import Bars, yours
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw
from .asking import ask_whole

NAME = "unpack_words"


def spec(draw: Draw) -> dict:
    """The layout of one variant, and the words of the worked example."""
    low, aligned = draw.choice("low", (True, False)), draw.choice("aligned", (True, False))
    check = draw.choice("check", (1, 3))  # 31 and 29 bits remain: both primes, so that codes straddle
    drawn = {"bits": draw.choice("bits", (3, 5, 6, 7)), "low": low, "aligned": aligned, "check": check,
             "usable": 32 - check, "fills": "lowest" if low else "highest",
             "check_words": "the lowest bit" if check == 1 else f"the {check} lowest bits",
             "check_rule": "is a check bit" if check == 1 else "are check bits",
             "row_words": "begins a new word; bits left over at its end are zero" if aligned else
                          "begins with the very next bit; only behind the last row bits may be left over"}
    top = (1 << drawn["bits"]) - 1
    codes = [[top, 1, 0, 2], [1, top, 0, 0]]
    words = pack(drawn, codes)
    return drawn | {"example_codes": str(codes), "example_words": ", ".join(str(w) for w in words),
                    "example_hex": ", ".join(f"0x{w & 0xFFFFFFFF:08x}" for w in words), "top": top}


def pack(spec: Spec, codes: list[list[int]]) -> list[int]:
    """Signed 32-bit words by the rules of the exercise, one bit after the other."""
    stream, usable = [], spec["usable"]
    for row in codes:
        for code in row:
            bits = [code >> k & 1 for k in range(spec["bits"])]
            stream += bits if spec["low"] else bits[::-1]
        if spec["aligned"]:
            stream += [0] * (-len(stream) % usable)
    stream += [0] * (-len(stream) % usable)
    words = []
    for start in range(0, len(stream), usable):
        bits = stream[start:start + usable]
        word = sum(bit << k for k, bit in enumerate(bits if spec["low"] else bits[::-1])) << spec["check"]
        word += (sum(bits) + 1) % (1 << spec["check"])  # as if it checked something; no answer needs it
        words.append(word - (1 << 32) * (word >> 31))
    return words


def codes_of(spec: Spec, rows: int, columns: int, negative: bool) -> list[list[int]]:
    """Random codes whose words all have the top bit set, but perhaps the last, or none of them (``negative`` or not).

    Where codes lie in two words, at least one of them has something to say in the second.
    """
    rng = np.random.default_rng(rows * 100 + columns)
    for _ in range(100_000):
        codes = rng.integers(0, 1 << spec["bits"], (rows, columns)).tolist()
        words = pack(spec, codes)
        signs = [word < 0 for word in (words[:-1] if negative else words)]
        if set(signs) == {negative} and codes[0][0] and any(_second_parts(spec, codes) or [1]):
            return codes
    raise RuntimeError(f"no codes for {rows} x {columns} words were found")


def _second_parts(spec: Spec, codes: list[list[int]]) -> list[int]:
    """What the codes that lie in two words have in the second."""
    bits, usable, at, parts = spec["bits"], spec["usable"], 0, []
    for row in codes:
        at += -at % usable if spec["aligned"] else 0
        for code in row:
            later = (at % usable + bits) - usable  # bits in the next word
            at += bits
            if 0 < later < bits:
                parts.append(code >> bits - later if spec["low"] else code & (1 << later) - 1)
    return parts


def _compare(spec: Spec, answers: Answers, codes: list[list[int]], why: str, advice: str, shape: bool = False) -> None:
    rows, columns = len(codes), len(codes[0])
    words = pack(spec, codes)
    shown = f"{NAME}(words, {rows}, {columns})"
    got = ask_whole(answers, shown, NAME, np.array(words, np.int32), rows, columns)
    if shape and got.shape != (rows, columns):
        raise Miss(f"{shown} has the shape {got.shape}", "a matrix of rows and columns was asked for",
                   "does `reshape` help?")
    flat, want = got.reshape(-1), np.array(codes).reshape(-1)
    if flat.size != want.size:
        raise Miss(f"{shown} returned {flat.size} codes", why, advice)
    if (flat != want).any():
        first = int(np.flatnonzero(flat != want)[0])
        raise Miss(f"{shown} with {len(words)} word(s), the first 0x{words[0] & 0xFFFFFFFF:08x}: code {first} is "
                   f"{flat[first]}, in binary {int(flat[first]) & 0xFFFFFFFF:b}", why, advice)


def first_word(spec: Spec, answers: Answers) -> None:
    """As many codes as one word holds whole."""
    _compare(spec, answers, codes_of(spec, 1, spec["usable"] // spec["bits"], False),
             f"every code lies inside one word here; beside the check bits, words fill from the {spec['fills']} one on",
             "write the 32 bits of the word, cross out the check bits, and mark the first code")


def over_the_edge(spec: Spec, answers: Answers) -> None:
    """A longer row, of whose codes some lie in two words."""
    _compare(spec, answers, codes_of(spec, 1, 24, False),
             f"24 codes of {spec['bits']} bits do not fit into one word, and no bit is left unused between two",
             "which code is the first that lies in two words, and how many of its bits are in each?")


def top_bits(spec: Spec, answers: Answers) -> None:
    """The same with words that are negative as int32."""
    _compare(spec, answers, codes_of(spec, 1, 24, True),
             "these words have their top bit set: as int32 they are negative, and a shift to the right brings in ones",
             "make the words unsigned before you shift them: `.view(np.uint32)` keeps all bits")


def several_rows(spec: Spec, answers: Answers) -> None:
    """Rows that do not fill their words."""
    _compare(spec, answers, codes_of(spec, 3, 2 * spec["usable"] // spec["bits"] + 2, False),
             f"every row {spec['row_words']}",
             "after the last code of the first row, at which bit of which word does the second row begin?")


def everything(spec: Spec, answers: Answers) -> None:
    """Any sizes, and the shape."""
    rng = np.random.default_rng(53)
    for rows, columns in ((1, 1), (2, 7), (3, 40), (5, 33), (4, 32)):
        codes = rng.integers(0, 1 << spec["bits"], (rows, columns))
        codes[:, ::3] |= 1 << spec["bits"] - 1
        _compare(spec, answers, codes.tolist(), "all rules at once", "see the checks above; then compare sizes",
                 shape=True)


def show(spec: Spec, answers: Answers) -> Bars:
    """Rising codes, yours beside what was packed."""
    codes = [i % (1 << spec["bits"]) for i in range(1, 41)]
    words = np.array(pack(spec, [codes]), np.int32)
    got = yours(lambda: ask_whole(answers, "an example", NAME, words, 1, len(codes)).reshape(-1))
    whole = spec["usable"] // spec["bits"]  # codes that lie in the first word alone
    picks = (0, 1, whole - 1, whole, 20, 39)
    return Bars(f"Some of the codes 1, 2, 3, ... (modulo {1 << spec['bits']})", "as a number",
                [(f"code {i}", float(got[i]) if got is not None and i < got.size else None, codes[i]) for i in picks])


def fields(spec: Spec) -> dict:
    """Pieces of code for the layout of this variant, and for the layouts it is not."""
    bits, low, usable = spec["bits"], spec["low"], spec["usable"]
    up, down = f"np.arange({usable})", f"np.arange({usable - 1}, -1, -1)"
    weights = (f"1 << np.arange({bits})", f"1 << np.arange({bits})[::-1]")
    cut = ("stream.reshape(rows, -1)[:, :columns * <<bits>>]", "stream.reshape(-1)[:rows * columns * <<bits>>]")
    cut = [c.replace("<<bits>>", str(bits)) for c in cut]
    start = (f"row * -(-columns * {bits} // {usable}) * {usable} + column * {bits}",
             f"(row * columns + column) * {bits}")
    if not spec["aligned"]:
        cut, start = cut[::-1], start[::-1]
    return {"order": up if low else down, "other_order": down if low else up,
            "weights": weights[0] if low else weights[1], "other_weights": weights[1] if low else weights[0],
            "cut": cut[0], "start": start[0], "other_start": start[1],
            "mask": (1 << bits) - 1, "per_word": usable // bits,
            "pair": f"second << {usable} | first" if low else f"first << {usable} | second",
            "back": f"at % {usable}" if low else f"{2 * usable - bits} - at % {usable}",
            "back_in_word": f"place * {bits}" if low else f"{usable - bits} - place * {bits}"}


REFERENCE = '''
words = np.asarray(words).view(np.uint32) >> <<check>>
stream = words[:, None] >> <<order>> & 1  # (words, <<usable>>): the bits in the order in which they are filled
bits = <<cut>>
codes = bits.reshape(rows, columns, <<bits>>)
return codes @ (<<weights>>)
'''

SECOND = '''
words = [int(word) % 2**32 >> <<check>> for word in words] + [0]
codes = []
for row in range(rows):
    for column in range(columns):
        at = <<start>>
        first, second = words[at // <<usable>>], words[at // <<usable>> + 1]
        codes.append((<<pair>>) >> <<back>> & <<mask>>)
return np.array(codes).reshape(rows, columns)
'''

WRONG = (
    Wrong("words shifted as signed numbers", 3, SECOND.replace("int(word) % 2**32", "int(word)")),
    Wrong("check bits taken for bits of codes", 6, REFERENCE.replace(" >> <<check>>", "")),
    Wrong("words filled from the other end", 6, REFERENCE.replace("<<order>>", "<<other_order>>")),
    Wrong("bits of a code in the other order", 6, REFERENCE.replace("<<weights>>", "<<other_weights>>")),
    Wrong("no code may lie in two words", 5, '''
        words = [int(word) % 2**32 >> <<check>> for word in words] + [0] * (rows * columns)
        codes = []
        for number in range(rows * columns):
            word, place = divmod(number, <<per_word>>)
            codes.append(words[word] >> <<back_in_word>> & <<mask>>)
        return np.array(codes).reshape(rows, columns)'''),
    Wrong("the part in the next word forgotten", 5, SECOND.replace(", words[at // <<usable>> + 1]", ", 0")),
    Wrong("rows aligned the other way", 3, SECOND.replace("<<start>>", "<<other_start>>").replace(
        "+ [0]", "+ [0] * (1 + rows)")),
    Wrong("the bytes of each word the other way round", 6, REFERENCE.replace(
        "view(np.uint32)", "view(np.uint32).byteswap()")),
    Wrong("a flat list", 2, SECOND.replace("np.array(codes).reshape(rows, columns)", "codes")),
)

EXERCISE = Exercise(
    id="05.3", title="Codes that lie in two words", kind="core", difficulty=4, importance=4, minutes=15,
    objective="You can read codes of any width from 32-bit words, also where one lies in two of them.",
    spec=spec, show=show, answer_fields=fields, wrong=WRONG,
    prose="""
A matrix of codes from 0 to <<top>> comes as 32-bit words:

| what | |
|---|---|
| <<check_words>> of every word | <<check_rule>>, no part of any code; ignore what is in there |
| the other <<usable>> bits of a word | fill from the <<fills>> one on; the <<fills>> bit of a code comes first |
| one code | <<bits>> bits, right behind the code before it, in two words where it must be |
| a row of codes | <<row_words>> |
| the words | an int32 array, as PyTorch keeps them: a word whose top bit is set is a negative number |

Write `unpack_words(words, rows, columns)`: the codes, as an array of that shape.

**Example.** The rows <<example_codes>> are stored as the words <<example_hex>>, which come as the int32 numbers
<<example_words>>.
""",
    hints=("Two ways lead there: take all bits apart and put them together again in groups, or compute for every code "
           "the word in which it begins and the bit at which it does.",
           "For the second way, take the check bits off, then make one number out of a word and its successor.",
           "In which of the two ways does the sign of a word matter?"),
    head='''
def unpack_words(words, rows, columns):
    """The codes in these words: (rows, columns)."""
''',
    reference=REFERENCE,
    second=SECOND,
    explanation="The first answer never shifts a code at all: it lists bits and weighs them, so it does not care where "
                "words end. The second shows why unsigned matters: `first` is shifted right below `second`, and copies "
                "of a sign bit would land on it.",
    checks=(Check("codes of the first word", 1, first_word), Check("codes that lie in two words", 1, over_the_edge),
            Check("words whose top bit is set", 1, top_bits), Check("several rows", 1, several_rows),
            Check("any sizes, all rules", 2, everything)),
)
