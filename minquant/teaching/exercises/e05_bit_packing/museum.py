"""05.7, stretch: a test for packers, and a museum of broken ones to run it on.

What varies: bits of a code, from which end a code and a byte fill, and how a negative code is stored.
Each program packs and reads back. Some bugs spoil what is read back; the others are made the same way in both
directions and show in the bytes alone, as in a file that somebody else has to read. Both right programs follow every
rule; they differ in what they leave in bits that belong to no code.
"""

from __future__ import annotations

import numpy as np

from ..museum import Museum, Room, array
from ..source import Exercise, Miss, Spec
from ..variant import Draw
from .museum_answers import REFERENCE, SECOND, STARTER, WRONG

MOST = 2_000


def spec(draw: Draw) -> dict:
    """The layout of one variant."""
    bits, offset = draw.choice("bits", (3, 5, 6, 7)), draw.choice("offset", (True, False))
    low_first, low_byte = draw.choice("low_first", (True, False)), draw.choice("low_byte", (True, False))
    half = 2 ** (bits - 1)
    add, cut = f"codes + {half}", f"codes & {2 * half - 1}"
    drawn = {"bits": bits, "offset": offset, "low_first": low_first, "low_byte": low_byte,
             "half": half, "most": half - 1, "stored": add if offset else cut, "other_stored": cut if offset else add,
             "places": f"np.arange({bits})" if low_first else f"np.arange({bits})[::-1]",
             "other_places": f"np.arange({bits})[::-1]" if low_first else f"np.arange({bits})",
             "end": "little" if low_byte else "big", "other_end": "big" if low_byte else "little",
             "stored_words": f"{half} is added, so that no stored number is negative" if offset else
             f"the lowest {bits} bits of its two's complement: {-1 % (2 * half)} for -1",
             "code_words": "lowest" if low_first else "highest", "byte_words": "lowest" if low_byte else "highest"}
    packed = zeros_left(drawn, np.array([1, -1]))[0]
    return drawn | {"example": f"the bytes {packed.tolist()}"}


def _stream(spec: Spec, codes: np.ndarray, offset: bool | None = None, backwards: bool = False) -> np.ndarray:
    """The bits of the codes, end to end."""
    offset = spec["offset"] if offset is None else offset
    stored = codes + spec["half"] if offset else codes & (2 * spec["half"] - 1)
    places = np.arange(spec["bits"])
    return (stored[:, None] >> (places if spec["low_first"] != backwards else places[::-1]) & 1).ravel()


def _numbers(spec: Spec, bits: np.ndarray, offset: bool | None = None, backwards: bool = False) -> np.ndarray:
    """Codes from their bits; bits that make no whole code are left."""
    width = spec["bits"]
    rows = bits[:len(bits) // width * width].reshape(-1, width).astype(np.int64)
    places = np.arange(width)
    stored = (rows << (places if spec["low_first"] != backwards else places[::-1])).sum(axis=1)
    if spec["offset"] if offset is None else offset:
        return stored - spec["half"]
    return stored - 2 * spec["half"] * (stored >= spec["half"])


def _bytes(spec: Spec, bits: np.ndarray, left: int = 0, other_end: bool = False) -> np.ndarray:
    bits = np.append(bits, [left] * (-len(bits) % 8)).astype(np.uint8)
    return np.packbits(bits, bitorder="little" if spec["low_byte"] != other_end else "big")


def _bits(spec: Spec, packed: np.ndarray) -> np.ndarray:
    return np.unpackbits(packed, bitorder="little" if spec["low_byte"] else "big")


def zeros_left(spec: Spec, codes: np.ndarray) -> tuple:
    """A right program: bits of no code are 0."""
    packed = _bytes(spec, _stream(spec, codes))
    return packed, _numbers(spec, _bits(spec, packed))[:len(codes)]


def ones_left(spec: Spec, codes: np.ndarray) -> tuple:
    """Another: they are 1."""
    packed = _bytes(spec, _stream(spec, codes), left=1)
    return packed, _numbers(spec, _bits(spec, packed))[:len(codes)]


def _both_ways(make):
    """A mistake that packing and reading share, so that the codes come back."""
    return lambda spec, codes: (make(spec, codes), codes)


def _pairs_swapped(spec: Spec, codes: np.ndarray) -> np.ndarray:
    packed = zeros_left(spec, codes)[0]
    whole = len(packed) // 2 * 2
    return np.concatenate([packed[:whole].reshape(-1, 2)[:, ::-1].ravel(), packed[whole:]])


def _a_byte_each(spec: Spec, codes: np.ndarray) -> np.ndarray:
    """As many codes in a byte as fit; none crosses into the next."""
    width, fit = spec["bits"], 8 // spec["bits"]
    rows = np.append(_stream(spec, codes), [0] * (-len(codes) % fit * width)).reshape(-1, fit * width)
    return _bytes(spec, np.pad(rows, ((0, 0), (0, 8 - fit * width))).ravel())


def _unsigned(spec: Spec, codes: np.ndarray) -> tuple:
    packed = zeros_left(spec, codes)[0]
    return packed, codes + spec["half"] if spec["offset"] else codes % (2 * spec["half"])


def _lowest_lost(spec: Spec, codes: np.ndarray) -> tuple:
    return zeros_left(spec, np.maximum(codes, 1 - spec["half"]))


def _crossing(spec: Spec, count: int) -> np.ndarray:
    """For each bit of the codes: whether it lies in a later byte than its code's first bit."""
    place = np.arange(count * spec["bits"])
    return place // 8 > place // spec["bits"] * spec["bits"] // 8


def _second_part_lost(spec: Spec, codes: np.ndarray) -> tuple:
    packed = _bytes(spec, np.where(_crossing(spec, len(codes)), 0, _stream(spec, codes)))
    return packed, _numbers(spec, _bits(spec, packed))[:len(codes)]


def _read_from_the_first_byte(spec: Spec, codes: np.ndarray) -> tuple:
    """The packing is right; a second part is read from the byte that held the first."""
    packed = zeros_left(spec, codes)[0]
    place = np.arange(len(codes) * spec["bits"])
    place = place - 8 * _crossing(spec, len(codes))
    return packed, _numbers(spec, _bits(spec, packed)[place])


def _eights_only(spec: Spec, codes: np.ndarray) -> tuple:
    whole = len(codes) // 8 * 8
    bits = _stream(spec, codes)
    bits[whole * spec["bits"]:] = 0
    packed = _bytes(spec, bits)
    return packed, _numbers(spec, _bits(spec, packed))[:len(codes)]


def _a_byte_too_many(spec: Spec, codes: np.ndarray) -> np.ndarray:
    packed = zeros_left(spec, codes)[0]
    return packed if len(codes) * spec["bits"] % 8 else np.append(packed, np.uint8(0))


def _padding_comes_back(spec: Spec, codes: np.ndarray) -> tuple:
    packed = zeros_left(spec, codes)[0]
    return packed, _numbers(spec, _bits(spec, packed))


ROOMS = (
    Room("the order of bits and bytes", {
        "bytes filled from the other end": _both_ways(lambda s, c: _bytes(s, _stream(s, c), other_end=True)),
        "codes with their bits turned round": _both_ways(lambda s, c: _bytes(s, _stream(s, c, backwards=True))),
        "bytes swapped in pairs": _both_ways(_pairs_swapped)},
        "a packer that reads its own bytes proves nothing about the order: the bytes must be those of the rules",
        "make the bits of the codes yourself, by the table, and compare them with those in the bytes"),
    Room("signs", {
        "read as if there were no sign": _unsigned, "the lowest code is lost": _lowest_lost,
        "negative codes stored the other way": _both_ways(
            lambda s, c: _bytes(s, _stream(s, c, offset=not s["offset"])))},
        "negative codes are stored in one of two usual ways; both have room for a lowest code without a positive twin",
        "try every code there is, and hold the bytes as well as what comes back against the rules"),
    Room("from one byte into the next", {
        "the second part is lost": _second_part_lost,
        "the second part is read from the first byte": _read_from_the_first_byte,
        "no code crosses": _both_ways(_a_byte_each)},
        "codes lie end to end; most of them begin in one byte and end in the next",
        "count the bytes, and compare what comes back with what went in"),
    Room("lengths", {
        "codes behind the last eight are forgotten": _eights_only, "a byte too many": _both_ways(_a_byte_too_many),
        "what fills the last byte comes back": _padding_comes_back},
        "there are no more bytes than the codes need, and no more codes than went in",
        "try every length from 1 up to twenty or so: each of these mistakes shows at some of them only"),
)


def read(spec: Spec, one: object) -> tuple[np.ndarray]:
    """An input as the learner wrote it: codes."""
    codes = array(one, 1, MOST)
    if codes is None or (codes % 1).any() or codes.min() < -spec["half"] or codes.max() > spec["most"]:
        raise Miss("an entry of inputs() is no input of these programs",
                   f"each is an array with 1 to {MOST:,} whole numbers from {-spec['half']} to {spec['most']}",
                   "write for example  return [np.array([1, -1])]")
    return (codes.astype(np.int64),)


MUSEUM = Museum((zeros_left, ones_left), ROOMS, read)

EXERCISE = Exercise(
    id="05.7", title="A museum of broken packers", kind="stretch", difficulty=4, importance=4, minutes=30,
    objective="You can write a test that finds the usual mistakes of a packer, also those that a round trip hides.",
    spec=spec, show=MUSEUM.show, wrong=WRONG,
    prose="""
This time you write the *test*. Twelve packers are broken, each in one way; two are right. You never see them, only what
they give. Each takes an array of codes, packs it, reads its own bytes again, and returns `(packed, back)`:

| | |
|---|---|
| codes | <<bits>> bits each, from -<<half>> to <<most>> |
| stored | <<stored_words>> |
| bits | lie end to end, without gaps; each code begins with its <<code_words>> bit |
| bytes | fill from their <<byte_words>> bit; there are just as many as the codes need |
| bits left over in the last byte | may be anything |
| `back` | the codes, read from the bytes |

Write two functions. `inputs()` returns a list of at most 50 arrays, with 1 to 2,000 codes each.
`accepts(codes, packed, back)` says, as True or False, whether such an output may be right; `packed` is an array of
uint8. A bug is caught if one of its outputs is refused. Refuse a right packer once, and nothing counts: an alarm that
always rings is not one.

**Example.** For the codes [1, -1] one of the right packers gives <<example>>.
""",
    hints=("Comparing `back` with `codes` is half of the test. Which mistakes does it never find?",
           '`np.unpackbits(packed, bitorder="<<end>>")` gives the bits of all bytes in the order in which they fill.',
           "The bits of a stored number: `stored[:, None] >> places & 1`, with the places in the order of the table."),
    head="# inputs: what to try;  accepts: whether an output may be right",
    starter=STARTER, reference=REFERENCE, second=SECOND,
    explanation="Six of the twelve bring every code back unharmed: a round trip tests a packer against itself. Only a "
                "second description of the layout, written another way, finds them. That is why the packers of this "
                "package are tested against bytes that other programs wrote.",
    checks=MUSEUM.checks(),
)
