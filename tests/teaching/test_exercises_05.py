"""Exercises 05: the rules against brute-force oracles of their own, and the facts their texts state."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from minquant import packing
from minquant.teaching.exercises import checking, source
from minquant.teaching.exercises.e05_bit_packing import asking, bit_place, diagnose, header, int4, ternary, words

KEYS = [f"key{n}" for n in range(12)]
EVERY_KEY = pytest.mark.parametrize("key", KEYS)


@EVERY_KEY
def test_places_by_laying_out_every_bit(key):
    spec = source.exercise("05.1").drawn(key)
    here, at = {}, 0
    for i in range(2 * spec["block"] + 3):
        if i % spec["block"] == 0:
            at += 8 * spec["scale"]
        order = range(spec["bits"]) if spec["low"] else reversed(range(spec["bits"]))
        for k in order:
            here[i, k] = (at // 8, at % 8 if spec["low"] else 7 - at % 8)
            at += 1
    assert here == {place: bit_place.place(spec, *place) for place in here}
    assert (spec["example_byte"], spec["example_bit"]) == here[spec["example_i"], spec["example_k"]]


@EVERY_KEY
def test_four_bits_by_filling_one_byte_after_the_other(key):
    spec = source.exercise("05.2").drawn(key)
    rng, block = np.random.default_rng(1), spec["block"]
    codes = rng.integers(-8, 8, 2 * block + 3).tolist()
    whole, data = codes + [0] * (-len(codes) % block), []
    for start in range(0, len(whole), block):
        part = whole[start:start + block]
        for j in range(block // 2):
            first, second = (part[j], part[j + block // 2]) if spec["halves"] else (part[2 * j], part[2 * j + 1])
            first, second = (f"{(c + 8 if spec['offset'] else c % 16):04b}" for c in (first, second))
            data.append(int(second + first if spec["low_first"] else first + second, 2))
    assert int4.pack(spec, codes) == data


def test_one_variant_of_four_bits_is_q4_0():
    """Low first, half a block apart, offset binary: the nibbles of ggml's Q4_0."""
    spec = {"low_first": True, "halves": True, "offset": True, "block": 32}
    codes = np.random.default_rng(2).integers(-8, 8, 64).astype(np.int8)
    raw = packing.gguf.pack_blocks(np.ones((1, 2), np.float16), codes[None], "Q4_0")
    assert int4.pack(spec, codes.tolist()) == raw.reshape(2, 18)[:, 2:].reshape(-1).tolist()


@EVERY_KEY
def test_words_by_writing_their_bits_down(key):
    spec = source.exercise("05.3").drawn(key)
    codes = np.random.default_rng(3).integers(0, 1 << spec["bits"], (3, 13))
    text, usable = "", 32 - spec["check"]
    for row in codes:
        digits = [f"{c:0{spec['bits']}b}" for c in row]
        text += "".join(d[::-1] if spec["low"] else d for d in digits)
        text += "0" * (-len(text) % usable if spec["aligned"] else 0)
    text += "0" * (-len(text) % usable)
    pieces = [text[i:i + usable] for i in range(0, len(text), usable)]
    want = [int(p[::-1] if spec["low"] else p, 2) for p in pieces]
    got = np.array(words.pack(spec, codes.tolist()), np.int32).view(np.uint32)
    assert (got >> spec["check"]).tolist() == want
    most = 1 << spec["check"]
    assert [int(w) % most for w in got] == [(w.bit_count() + 1) % most for w in want]


def test_without_check_bits_words_would_be_the_dense_layout():
    codes = np.random.default_rng(4).integers(0, 8, (1, 32))
    spec = {"bits": 3, "low": True, "aligned": False, "check": 0, "usable": 32}
    got = np.array(words.pack(spec, codes.tolist()), np.int32)
    assert got.tobytes() == packing.pack_bits(codes.astype(np.uint8), 3).tobytes()


@EVERY_KEY
def test_words_have_the_signs_that_a_check_wants(key):
    spec = source.exercise("05.3").drawn(key)
    assert all(word >= 0 for word in words.pack(spec, words.codes_of(spec, 1, 24, False)))
    found = words.pack(spec, words.codes_of(spec, 1, 24, True))
    assert len(found) > 2 and all(word < 0 for word in found[:-1])


@EVERY_KEY
def test_no_variant_is_a_function_of_the_package(key):
    """What the package packs already earns nothing here."""
    rules = source.exercise("05.2").drawn(key)
    codes = np.random.default_rng(6).integers(-8, 8, 2 * rules["block"], np.int8)
    ours = bytes(int4.pack(rules, codes.tolist()))
    assert ours != packing.pack_bits(codes, 4).tobytes()
    assert ours != packing.compressed_tensors.pack(codes[None], 4).tobytes()[:len(ours)]
    trits = np.random.default_rng(7).integers(-1, 2, 35, np.int8)
    spec = source.exercise("05.5").drawn(key)
    assert bytes(ternary.pack(spec, trits.tolist())) != packing.ternary.pack(trits).tobytes()


@EVERY_KEY
def test_the_unpackers_make_the_mistakes_their_causes_name(key):
    spec = source.exercise("05.4").drawn(key)
    right = np.array(diagnose.values(spec))
    made = {cause: np.array(diagnose.values(spec, cause)) for cause in diagnose.CAUSES}
    assert set(made["zero"] - right) == {1}
    assert set(made["twos"] - right) == {0, -16}
    assert ((made["twos"] - right == -16) == (right + spec["stored_zero"] > 6)).all()
    signed = np.flatnonzero(made["signed"] - right)
    assert set((made["signed"] - right)[signed]) == {-16} and len(signed) == sum(w >> 31 for w in spec["words"])
    for cause in ("nibbles", "halves", "bytes"):
        assert sorted(made[cause]) == sorted(right) and (made[cause] != right).sum() > 2
    assert set(spec["wrong"]) == {"A", "B"} and len(set(spec["wrong"].values())) == 2


def test_values_of_words_by_hand():
    """0x87654321: the bytes are 21 43 65 87, so the nibbles from the low end are 1 to 8."""
    spec = {"words": [0x87654321] + [0] * 3, "stored_zero": 0, "low_first": True, "halves": False}
    assert diagnose.values(spec)[:8] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert diagnose.values(spec, "zero")[:8] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert diagnose.values(spec, "nibbles")[:4] == [1, 0, 3, 2]
    assert diagnose.values(spec, "bytes")[:4] == [6, 7, 4, 5]
    assert diagnose.values(spec, "signed")[:8] == [0, 1, 2, 3, 4, 5, 6, -9]
    assert diagnose.values(spec | {"halves": True})[:4] == [0, 2, 4, 6]


@EVERY_KEY
def test_ternary_bytes_by_adding_up_digits(key):
    spec = source.exercise("05.5").drawn(key)
    weights = [int(w) for w in spec["weights"].split(", ")]
    seen = set()
    for five in itertools.product((-1, 0, 1), repeat=5):
        number = sum(w * spec["digits"][t + 1] for t, w in zip(five, weights))
        byte = int(np.ceil(number * 256 / 243)) if spec["spread"] else number
        assert ternary.byte_of(spec, list(five)) == byte < 256
        seen.add(byte)
    assert len(seen) == 243 and ternary.SOUND in seen
    assert ternary.pack(spec, [1]) == [ternary.byte_of(spec, [1, 0, 0, 0, 0])]


def test_spread_bytes_give_their_digits_by_multiplying():
    """What the explanation says of TQ1_0: times 3, and the next digit is what moves above the byte."""
    spec = {"first_most": True, "digits": [0, 1, 2], "spread": True}
    for five in itertools.product((-1, 0, 1), repeat=5):
        byte, digits = ternary.byte_of(spec, list(five)), []
        for _ in range(5):
            digits.append(byte * 3 >> 8)
            byte = byte * 3 & 255
        assert digits == [t + 1 for t in five]


@EVERY_KEY
def test_headers_by_walking_over_the_bytes(key):
    spec = source.exercise("05.6").drawn(key)
    raw, found = header.build(spec, [("ab", 1, (2, 3)), ("c", 2, (5,))], 16)
    at = 4

    def number(field):
        nonlocal at
        at += spec["widths"][field]
        return int.from_bytes(raw[at - spec["widths"][field]:at], spec["endian"])

    assert raw[:4].decode() == spec["magic"]
    assert {f: number(f) for f in spec["head"]} == {"version": spec["version"], "count": 2, "alignment": 16}
    read = []
    for _ in range(2):
        record = {}
        for field in spec["record"]:
            if field == "name":
                length = number("name")
                record[field] = raw[at:at + length].decode()
                at += length
            elif field == "shape":
                record[field] = [number("size") for _ in range(number("axes"))]
            else:
                record[field] = number(field)
        read.append(record)
    start = next(n for n in range(at, at + 16) if n % 16 == 0)
    assert [[r["name"], r["kind"], r["shape"], start + r["offset"]] for r in read] == found
    assert len(raw) == found[1][3] + 5 * 4 and found[1][3] % 16 == 0


@EVERY_KEY
def test_a_header_that_ends_at_a_multiple_of_the_alignment_is_found(key):
    spec = source.exercise("05.6").drawn(key)
    raw, ((name, _, _, start),) = header.aligned_file(spec)
    _, ((_, _, _, end_of_header),) = header.build(spec, [(name, 1, (6,))], 1)
    assert start == end_of_header and start % 8 == 0 and len(raw) == start + 12


@pytest.mark.parametrize("returned", [[1.5], True, "abc", [[1], [1, 2]], None, {"a": 1}, 7])
def test_what_is_no_list_of_whole_numbers_is_said(returned):
    with pytest.raises(source.Miss, match=r"pack\(it\) returned"):
        asking.ask_whole(checking.Local({"pack": lambda codes: returned}), "pack(it)", "pack", np.arange(99))


def test_a_long_argument_is_written_short():
    def fails(codes):
        raise KeyError("no")

    with pytest.raises(source.Miss) as miss:
        asking.ask(checking.Local({"pack": fails}), "pack(99 codes)", "pack", np.arange(99))
    assert miss.value.what.startswith("pack(99 codes) raised KeyError")


def test_a_refusal_is_told_from_an_answer_that_is_missing():
    def refuses(data):
        raise ValueError("broken")

    assert asking.refusal(checking.Local({"f": refuses}), "f(x)", "f", np.arange(3)) == "ValueError"
    assert asking.refusal(checking.Local({"f": len}), "f(x)", "f", np.arange(3)) is None
    with pytest.raises(source.Miss, match="there is no `f`"):
        asking.refusal(checking.Local({}), "f(x)", "f", np.arange(3))
