"""05.5, stretch: weights that are -1, 0 or 1, five of them in one byte.

What varies: which of the five counts most, how a weight becomes a digit, and whether the byte is the number itself or
the number spread over 0..255, as ggml's TQ1_0 stores it (so that digits come out by multiplying by 3).
3^5 = 243 of 256 bytes are used; what the other 13 mean is for the reader to refuse.
"""

from __future__ import annotations

from itertools import permutations, product

import numpy as np

from ..beside import Bars, yours
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .asking import ask_whole, refusal, short
from .ternary_answers import REFERENCE, SECOND, STARTER, WRONG, fields


DIGITS = [list(order) for order in permutations(range(3))][1:]  # not 0, 1, 2: that is what the package has


def spec(draw: Draw) -> dict:
    """The layout of one variant, and its worked example."""
    drawn = {"first_most": draw.choice("first_most", (True, False)), "digits": draw.choice("digits", DIGITS),
             "spread": draw.choice("spread", (True, False))}
    five = [draw.integer(f"trit{i}", -1, 1) for i in range(4)] + [1]
    weights = (81, 27, 9, 3, 1) if drawn["first_most"] else (1, 3, 9, 27, 81)
    return drawn | {"weights": ", ".join(map(str, weights)), "example": str(five),
                    "example_number": sum(digit(drawn, t) * w for t, w in zip(five, weights, strict=True)),
                    "example_byte": byte_of(drawn, five),
                    "digit_words": "{} for -1, {} for 0, {} for 1".format(*drawn["digits"]),
                    "store_words": "number x 256 / 243, rounded up" if drawn["spread"] else "the number itself"}


def digit(spec: Spec, trit: int) -> int:
    """0, 1 or 2."""
    return spec["digits"][trit + 1]


def byte_of(spec: Spec, five: list[int]) -> int:
    """The byte of five weights."""
    number = 0
    for trit in five if spec["first_most"] else five[::-1]:
        number = 3 * number + digit(spec, trit)
    return -(-number * 256 // 243) if spec["spread"] else number


def pack(spec: Spec, trits: list[int]) -> list[int]:
    """Bytes by the rules of the exercise."""
    whole = [*trits, *[0] * (-len(trits) % 5)]
    return [byte_of(spec, whole[i:i + 5]) for i in range(0, len(whole), 5)]


ALL = [list(five) for five in product((-1, 0, 1), repeat=5)]
SOUND = 50  # a byte that five weights have in either notation: 47 x 256 / 243 is 49.5, rounded up


def _packed(answers: Answers, shown: str, trits: list[int]) -> np.ndarray:
    return ask_whole(answers, f"pack({shown})", "pack", np.array(trits, np.int8)).reshape(-1)


def _unpacked(answers: Answers, shown: str, data: list[int], count: int) -> np.ndarray:
    return ask_whole(answers, f"unpack({shown}, {count})", "unpack", np.array(data, np.uint8), count).reshape(-1)


def five_to_a_byte(spec: Spec, answers: Answers) -> None:
    """All 243 bytes."""
    for five in ALL:
        got = _packed(answers, str(five), five)
        if list(got) != [byte_of(spec, five)]:
            raise Miss(f"pack({five}) returned {short(got)}",
                       f"the five digits count {spec['weights']} times, in this order, and a digit is "
                       f"{spec['digit_words']}; the byte is {spec['store_words']}",
                       "pack five equal weights, then five of which one differs: first the digits, then their order")


def last_byte(spec: Spec, answers: Answers) -> None:
    """A number of weights that five does not divide."""
    for count in (1, 4, 7, 13):
        trits = [(-1) ** i for i in range(count)]
        got = _packed(answers, f"{count} weights", trits)
        if list(got) != list(_packed(answers, "the same and zeros", trits + [0] * (-count % 5))):
            raise Miss(f"pack of {count} weight(s), and of the same followed by zeros, differ",
                       "the last byte is filled up with weights of 0", "which digit stands for the weight 0?")
        if len(got) != -(-count // 5):
            raise Miss(f"pack of {count} weight(s) returned {len(got)} bytes", "a byte that is begun is a byte",
                       "round up when you count bytes")


def out_of_a_byte(spec: Spec, answers: Answers) -> None:
    """All 243 bytes in one go."""
    data = [byte_of(spec, five) for five in ALL]
    got = _unpacked(answers, "all 243 bytes", data, 5 * len(ALL))
    want = np.array(ALL).reshape(-1)
    if got.size != want.size or (got != want).any():
        first = int(np.argmin(got[:want.size] == want[:got.size])) if got.size else 0
        raise Miss(f"unpack(byte {data[first // 5]}) gave {short(got[first // 5 * 5: first // 5 * 5 + 5])}",
                   f"the number in it is a sum of digits times {spec['weights']}; the byte is {spec['store_words']}",
                   "get the number back from the byte first, then divide and take remainders")


def count_of_weights(spec: Spec, answers: Answers) -> None:
    """There and back, any number of weights."""
    rng = np.random.default_rng(55)
    for count in (1, 4, 5, 23):
        trits = rng.integers(-1, 2, count).tolist()
        got = _unpacked(answers, "pack(trits)", [int(b) & 255 for b in _packed(answers, f"{count} weights", trits)],
                        count)
        if list(got) != trits:
            raise Miss(f"unpack(pack(trits), {count}) returned {short(got)} for the trits {short(trits)}",
                       "what was packed must come back, and nothing else", "is it the length, or the weights?")


def refusals(spec: Spec, answers: Answers) -> None:
    """Bytes that no five weights have, and a count that is too large."""
    if raised := refusal(answers, "unpack(a good byte, 5)", "unpack", np.array([SOUND], np.uint8), 5):
        raise Miss(f"unpack of one byte that pack makes raised {raised}", "this byte is sound",
                   "refuse only what no weights are stored as")
    earned = 0
    unused = sorted(set(range(256)) - {byte_of(spec, five) for five in ALL})
    problems = []
    kinds = [refusal(answers, "unpack(a bad byte, 5)", "unpack", np.array([SOUND, byte], np.uint8), 5)
             for byte in unused]
    if set(kinds) == {"ValueError"}:
        earned += 1
    else:
        problems.append(f"{sum(k != 'ValueError' for k in kinds)} of the {len(unused)} unused bytes were not refused")
    if refusal(answers, "unpack(one byte, 6)", "unpack", np.array([SOUND], np.uint8), 6) == "ValueError":
        earned += 1
    else:
        problems.append("6 weights out of one byte were not refused")
    if problems:
        raise Miss("; ".join(problems), "a reader that makes up weights for bytes that hold none hides a broken file",
                   "raise ValueError before you return anything", earned)


def show(spec: Spec, answers: Answers) -> Bars:
    """The bytes of a few fives."""
    fives = ([0] * 5, [1] * 5, [-1] * 5, [1, 0, 0, 0, 0], [0, 0, 0, 0, 1])
    rows = []
    for five in fives:
        got = yours(lambda five=five: _packed(answers, "an example", five))
        rows.append((" ".join(map(str, five)), None if got is None or not got.size else int(got[0]),
                     byte_of(spec, five)))
    return Bars("The byte of five weights", "as a number", rows)


EXERCISE = Exercise(
    id="05.5", title="Five weights in a byte", kind="stretch", difficulty=4, importance=3, minutes=30,
    objective="You can pack what is no whole number of bits, and refuse bytes that hold nothing.",
    spec=spec, show=show, answer_fields=fields, wrong=WRONG,
    prose="""
A model whose weights are -1, 0 or 1 needs log2(3) = 1.585 bits for each. Two bits waste a quarter of the codes. Five
such weights have 3^5 = 243 combinations, which fit into the 256 of a byte: 1.6 bits per weight.

| what | |
|---|---|
| the digit of a weight | <<digit_words>> |
| the number of five weights | their digits times <<weights>>, in the order of the weights, added up |
| the byte | <<store_words>> |
| a last five that is not full | is filled up with weights of 0 |

Write two functions:

- `pack(trits)`: the bytes, for any number of weights (an int8 array).
- `unpack(data, count)`: the first `count` weights of these bytes (a uint8 array). It raises `ValueError` where a byte
  is none that five weights are stored as, and where the bytes hold fewer than `count` weights.

**Example.** The weights <<example>> make the number <<example_number>> and the byte <<example_byte>>.
""",
    hints=("A number in base 3: dividing by a place and taking the remainder by 3 gives that place's digit.",
           "Which bytes does `pack` never make? A byte is sound if packing what was read from it gives it back."),
    head="# pack and unpack: both go into this cell",
    starter=STARTER, reference=REFERENCE, second=SECOND,
    explanation="The spread form is ggml's TQ1_0: the byte is the number as a fraction of 256, so multiplying by 3 "
                "moves the next digit above the byte's top, which vector units do faster than a division.",
    checks=(Check("pack: five to a byte", 2, five_to_a_byte), Check("pack: the last byte", 1, last_byte),
            Check("unpack: all 243 bytes", 2, out_of_a_byte), Check("there and back", 1, count_of_weights),
            Check("what holds no weights is refused", 2, refusals)),
)
