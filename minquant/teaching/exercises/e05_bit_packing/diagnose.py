"""05.4, diagnose: two unpackers, each with one mistake, and what they made of the same words.

What varies: the order of the codes in a word, the order inside the buffer, the words, the zero point, and which
mistakes were made. The mistakes are those of real readers of GPTQ, AWQ and GGUF files.
The data are drawn so that every mistake gives another result: the cause can be found, not guessed.
"""

from __future__ import annotations

from ..beside import Bars, yours
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

WORDS, PER_WORD, NAMES = 4, 8, ("A", "B")
COUNT = WORDS * PER_WORD
CAUSES = {"nibbles": "the two nibbles of every byte are taken in the wrong order",
          "halves": "codes are put side by side that belong half a buffer apart, or the other way round",
          "zero": "the stored zero point is used as it is; the one that is missing is not added",
          "signed": "the words are shifted as signed numbers, and the topmost nibble is not masked",
          "bytes": "the four bytes of every word are taken in the wrong order",
          "twos": "codes are taken for two's complement: 8 to 15 became -8 to -1"}


def spec(draw: Draw) -> dict:
    """Words and mistakes of one variant. Data that cannot tell two mistakes apart are drawn again."""
    for attempt in range(1000):
        drawn = _drawn(draw, str(attempt))
        if _tells_causes_apart(drawn):
            return drawn
    raise RuntimeError("no words in a thousand tell the causes apart; widen what they are drawn from")


def _drawn(draw: Draw, attempt: str) -> dict:
    causes = draw.order(f"causes{attempt}", tuple(CAUSES))[:2]
    drawn = {"low_first": draw.choice("low_first", (True, False)), "halves": draw.choice("halves", (True, False)),
             "stored_zero": draw.integer(f"zero{attempt}", 4, 9),
             "words": [draw.integer(f"word{attempt}.{w}", 0, 2**32 - 1) for w in range(WORDS)],
             "wrong": dict(zip(NAMES, causes, strict=True))}
    return drawn


def values(spec: Spec, cause: str | None = None) -> list[int]:
    """What an unpacker makes of the words, right or with one mistake: codes minus the zero point."""
    halves = spec["halves"] != (cause == "halves")
    low_first = spec["low_first"] != (cause == "nibbles")
    nibbles = []  # in the order in which they lie: word by word
    for word in spec["words"]:
        data = word.to_bytes(4, "big" if cause == "bytes" else "little")
        for at, byte in enumerate(data):
            pair = [byte & 15, byte >> 4]
            if cause == "signed" and at == 3 and pair[1] > 7:
                pair[1] -= 16
            nibbles += pair if low_first else pair[::-1]
    codes = [nibbles[i] for i in (order_of_halves() if halves else range(COUNT))]
    if cause == "twos":
        codes = [code - 16 * (code > 7) for code in codes]
    return [code - spec["stored_zero"] - (cause != "zero") for code in codes]


def order_of_halves() -> list[int]:
    """Where code i lies, in nibbles, when the first code of byte j is code j and its second is code j + 16."""
    return [2 * i if i < COUNT // 2 else 2 * (i - COUNT // 2) + 1 for i in range(COUNT)]


def differences(spec: Spec, cause: str) -> dict[int, int]:
    """Position -> right value, wherever a mistake gives another one."""
    right = values(spec)
    return {i: r for i, (r, w) in enumerate(zip(right, values(spec, cause), strict=True)) if r != w}


def _tells_causes_apart(drawn: Spec) -> bool:
    """Whether each mistake gives values of its own, and the planted ones show in several places."""
    made = [tuple(values(drawn, cause)) for cause in (None, *CAUSES)]
    return len(set(made)) == len(made) and all(len(differences(drawn, c)) > 2 for c in CAUSES)


def _dict(answers: Answers, name: str) -> dict:
    got = answers.value(name)
    if not isinstance(got, dict):
        raise Miss(f"`{name}` is {got!r}", "the checks read a dict with the unpackers' names, A and B, on the left",
                   f'write it as {{"A": ..., "B": ...}}, for example {name} = {{"A": ...}}')
    if not got:
        raise Miss(f"`{name}` is empty", "the answer cell has not been filled in yet",
                   "unpack the words by the table first; then compare with what came out")
    return got


def causes(spec: Spec, answers: Answers) -> None:
    """What went wrong in each."""
    got = _dict(answers, "findings")
    right = sum(got.get(name) == cause for name, cause in spec["wrong"].items())
    if right < 2:
        raise Miss(f"{right} of the 2 unpackers stand in `findings` with their cause",
                   "every mistake changes other values, or changes them by another amount",
                   "make each mistake yourself, one at a time; one of them gives exactly the values that came out",
                   right)


def positions(spec: Spec, answers: Answers) -> None:
    """Where the values are wrong."""
    got = _dict(answers, "corrected")
    right = sum(isinstance(got.get(name), dict) and set(got[name]) == set(differences(spec, cause))
                for name, cause in spec["wrong"].items())
    if right < 2:
        raise Miss(f"the positions of {right} of the 2 unpackers are right and complete",
                   "a position counts if the value there is not the one that the words hold; the first position is 0",
                   "unpack the words by the table and list where your values and theirs differ", right)


def repaired(spec: Spec, answers: Answers) -> None:
    """The values that should stand there."""
    got = _dict(answers, "corrected")
    right = sum(isinstance(got.get(name), dict) and bool(got[name])
                and all(differences(spec, cause).get(place) == value for place, value in got[name].items())
                for name, cause in spec["wrong"].items())
    if right < 2:
        raise Miss(f"for {right} of the 2 unpackers all values in `corrected` are right",
                   "a value is the code minus the zero point, both as the table says",
                   "take one wrong position and work it out by hand, from the hexadecimal digits of its word", right)


def show(spec: Spec, answers: Answers) -> Bars:
    """How many values the learner corrects."""
    fixed = yours(lambda: answers.value("corrected"))
    fixed = fixed if isinstance(fixed, dict) else {}
    counts = [(name, len(fixed[name]) if isinstance(fixed.get(name), dict) else None) for name in NAMES]
    return Bars("Values that your list corrects, of all that came out", "values",
                [(f"unpacker {name}", count, COUNT) for name, count in counts], other="All")


def fields(spec: Spec) -> dict:
    """What only answers may know."""
    (_, cause_a), (_, cause_b) = spec["wrong"].items()
    right_a, right_b = differences(spec, cause_a), differences(spec, cause_b)
    pair = "(0, 1)" if spec["low_first"] else "(1, 0)"
    place = (f"2 * (i % {COUNT // 2}) + i // {COUNT // 2}" if spec["halves"] else "i")
    return {"cause_a": cause_a, "cause_b": cause_b, "right_a": right_a, "right_b": right_b, "pair": pair,
            "place": place, "zero": spec["stored_zero"] + 1,
            "claimed_a": dict.fromkeys(right_a, 99), "claimed_b": dict.fromkeys(right_b, 99),
            "one_a": {i + 1: v for i, v in right_a.items()}, "one_b": {i + 1: v for i, v in right_b.items()},
            "first_a": dict(list(right_a.items())[:1]), "first_b": dict(list(right_b.items())[:1])}


def drawn_with_text(draw: Draw) -> dict:
    """The spec with its layout in words and its data as Python."""
    drawn = spec(draw)
    came_out = "\n".join(f'    "{name}": {values(drawn, cause)},' for name, cause in drawn["wrong"].items())
    first, second = ("low", "high") if drawn["low_first"] else ("high", "low")
    pair = f"j and j + {COUNT // 2}" if drawn["halves"] else "2j and 2j + 1"
    table = "\n".join(f"| `\"{cause}\"` | {words} |" for cause, words in CAUSES.items())
    return drawn | {"words_text": ", ".join(f"0x{w:08x}" for w in drawn["words"]), "came_out": came_out,
                    "first_nibble": first, "second_nibble": second, "pair_words": pair, "cause_table": table}


_ANSWER = '''
findings = {"A": "<<cause_a>>", "B": "<<cause_b>>"}
data = b"".join(word.to_bytes(4, "little") for word in words)
nibbles = [byte >> 4 * high & 15 for byte in data for high in <<pair>>]
right = [nibbles[<<place>>] - stored_zero - 1 for i in range(32)]
corrected = {name: {i: r for i, (r, w) in enumerate(zip(right, came_out[name])) if r != w} for name in came_out}
'''

_LITERAL = '''
findings = {"A": "<<cause_a>>", "B": "<<cause_b>>"}
corrected = {"A": <<right_a>>, "B": <<right_b>>}
'''

WRONG = (
    Wrong("the causes swapped", 2, '''
        findings = {"A": "<<cause_b>>", "B": "<<cause_a>>"}
        corrected = {"A": <<right_a>>, "B": <<right_b>>}'''),
    Wrong("one unpacker of two", 3, 'findings = {"B": "<<cause_b>>"}\ncorrected = {"B": <<right_b>>}'),
    Wrong("positions counted from one", 4, _LITERAL.replace("right_", "one_")),
    Wrong("only the first wrong position", 2, _LITERAL.replace("right_", "first_")),
    Wrong("positions right, values not worked out", 2, _LITERAL.replace("right_", "claimed_")),
    Wrong("causes in words of one's own", 2, _LITERAL.replace("<<cause_a>>", "some order").replace(
        "<<cause_b>>", "some sign")),
    Wrong("a list of positions instead of a dict", 4, _LITERAL.replace("<<right_a>>", "list(<<right_a>>)").replace(
        "<<right_b>>", "list(<<right_b>>)")),
    Wrong("the zero point read as it is stored", 4, _ANSWER.replace(" - stored_zero - 1", " - stored_zero")),
)

EXERCISE = Exercise(
    id="05.4", title="Two unpackers that read it wrong", kind="diagnose", difficulty=4, importance=4, minutes=10,
    objective="You can tell from wrong values which rule of a layout their reader broke.",
    spec=drawn_with_text, show=show, answer_fields=fields, wrong=WRONG,
    prose="""
Four 32-bit words hold 32 codes of four bits. **Unpackers A and B read these words, and each makes one mistake**, not
the same. The layout:

| what | |
|---|---|
| the words | lie in memory low byte first: 16 bytes, numbered j = 0 to 15 from the first word's lowest byte on |
| byte j | holds codes <<pair_words>> |
| the first of the two | lies in the <<first_nibble>> nibble, the second in the <<second_nibble>> nibble |
| a code | is a whole number from 0 to 15 |
| the zero point | is stored minus one, as in GPTQ's first format: what is stored is <<stored_zero>> |
| a value | is the code minus the zero point |

The cell below holds the words and the 32 values that came out of each. Fill in two dicts: `findings` gives each
unpacker its cause; `corrected` gives each a dict from every position (counted from 0) whose value is wrong to the value
that should stand there, for example `{"A": {3: -2, 17: 5}, "B": ...}`. The causes to choose from:

| cause | meaning |
|---|---|
<<cause_table>>
""",
    hints=("First unpack the words by the table, all 32 values. Five lines will do.",
           "Then look at the differences: are they all equal? All 16 or 0? Do the same numbers stand in other places?"),
    given="""
# The data. Change what you like: the checks use their own.
words = [<<words_text>>]
stored_zero = <<stored_zero>>
came_out = {
<<came_out>>
}
""",
    head="# findings: unpacker -> cause; corrected: unpacker -> {position: right value}",
    starter="findings = {}\ncorrected = {}",
    reference=_ANSWER,
    second=_LITERAL,
    explanation="Differences speak. All equal: a zero point. 0 or 16: a sign. Right numbers in wrong places: an order; "
                "whether neighbours changed places, or whole bytes, or halves, shows in how far they moved.",
    checks=(Check("the two causes", 2, causes), Check("the wrong positions", 2, positions),
            Check("the right values", 2, repaired)),
)
