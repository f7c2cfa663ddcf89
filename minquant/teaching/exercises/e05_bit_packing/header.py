"""05.6, stretch: the header of a file, field by field, and what to do with a file that lies.

What varies: the magic bytes, the byte order, the order of the fields, and how wide each of them is.
The file is made up, with the parts that a GGUF file has: magic, version, counts, a record per tensor, and data that
begin at a multiple of an alignment. The trap is Python's own kindness: a slice beyond the end is no error, only short.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..beside import Bars, yours
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .asking import ask, refusal, short
from .header_answers import REFERENCE, SECOND, WRONG, fields

NAME, SIZES, MOST_AXES = "read_header", (1, 2, 4), 4


def spec(draw: Draw) -> dict:
    """The format of one variant, as data and as words."""
    widths = {field: draw.choice(field, options) for field, options in (
        ("version", (2, 4)), ("count", (2, 4, 8)), ("alignment", (2, 4)), ("name", (1, 2, 4)), ("kind", (1, 2)),
        ("axes", (1, 4)), ("size", (4, 8)), ("offset", (4, 8)))}
    drawn = {"magic": draw.choice("magic", ("BITS", "QTNS", "PACK", "NIBL", "WGHT")),
             "endian": draw.choice("endian", ("little", "big")), "version": draw.integer("version number", 2, 9),
             "head": draw.order("head", ("version", "count", "alignment")),
             "record": draw.order("record", ("name", "kind", "shape", "offset")), "widths": widths}
    words = {"version": f"the version, which must be {drawn['version']}", "count": "the number of tensors",
             "alignment": "the alignment: at least 1"}
    long = {field: f"{width} byte{'s' * (width > 1)}" for field, width in widths.items()}
    parts = {"name": f"the length of the name in bytes ({long['name']}), then the name in UTF-8",
             "kind": f"the kind ({long['kind']}): 0, 1 or 2, for 1, 2 or 4 bytes per element",
             "shape": f"the number of axes ({long['axes']}), 1 to {MOST_AXES}, then each length "
                      f"({widths['size']} bytes)",
             "offset": f"the offset ({widths['offset']} bytes): where its elements begin, from the data's start on"}
    raw, found = build(drawn, EXAMPLE, 16)
    return drawn | {
        "example_hex": "\n".join(f'    "{raw[n:n + 16].hex(" ")}"' for n in range(0, len(raw), 16)),
        "example_found": ", ".join(str(tuple(tensor)) for tensor in found),
        "head_rows": "\n".join(f"| {words[f]} | {widths[f]} |" for f in drawn["head"]),
        "record_rows": "\n".join(f"{n}. {parts[f]}" for n, f in enumerate(drawn["record"], 1)),
        "endian_words": "lowest" if drawn["endian"] == "little" else "highest",
        "fields_in_record": ", ".join(drawn["record"])}


def build(spec: Spec, tensors: list[tuple], step: int = 32, **lies: Any) -> tuple[bytes, list[list]]:
    """A file, and what should be read from it: [name, kind, shape, first byte in the file] per tensor.

    tensors: (name, kind, shape). ``lies``: other values for ``magic``, ``version``, ``count``, ``alignment`` (which is
    ``step``), or ``length`` of the first tensor's name.
    """
    def number(field: str, value: int) -> bytes:
        return value.to_bytes(spec["widths"][field], spec["endian"])

    head = {"version": spec["version"], "count": len(tensors), "alignment": step} | lies
    raw = lies.get("magic", spec["magic"].encode()) + b"".join(number(f, head[f]) for f in spec["head"])
    offset, found = 0, []
    for place, (name, kind, shape) in enumerate(tensors):
        text = name.encode()
        length = len(text) if place else lies.get("length", len(text))
        parts = {"name": number("name", length) + text, "kind": number("kind", kind),
                 "offset": number("offset", offset),
                 "shape": number("axes", len(shape)) + b"".join(number("size", n) for n in shape)}
        raw += b"".join(parts[field] for field in spec["record"])
        found.append([name, kind, list(shape), offset])
        offset += -(-math.prod(shape) * SIZES[kind % 3] // step) * step
    start = -(-len(raw) // step) * step
    end = max(start + at + math.prod(shape) * SIZES[kind % 3] for _, kind, shape, at in found)
    return raw.ljust(end, b"\0"), [[name, kind, shape, start + at] for name, kind, shape, at in found]


EXAMPLE = [("q", 1, (2, 3)), ("up", 0, (5,))]
FILES = (([("norm", 2, (5,))], 32), ([("embed", 0, (7, 3)), ("v", 1, (2, 2, 2)), ("größe", 2, (3, 1))], 8),
         ([("a.longer.name", 1, (4, 6)), ("down", 2, (9,))], 16))


def aligned_file(spec: Spec) -> tuple[bytes, list[list]]:
    """A file whose header ends at a multiple of its alignment, so that nothing stands between it and the data."""
    for length in range(1, 9):
        raw, found = build(spec, [("x" * length, 1, (6,))], 8)
        if len(build(spec, [("x" * length, 1, (6,))], 1)[0]) == len(raw):
            return raw, found
    raise RuntimeError("no name ends the header at a multiple of 8")


def _data(raw: bytes) -> np.ndarray:
    return np.frombuffer(raw, np.uint8)


def _read(answers: Answers, shown: str, raw: bytes, count: int) -> list:
    got = ask(answers, f"{NAME}({shown})", NAME, _data(raw))
    if not isinstance(got, list) or len(got) != count or not all(isinstance(t, list) and len(t) == 4 for t in got):
        raise Miss(f"{NAME}({shown}) returned {short(got)}", "one (name, kind, shape, start) per tensor was expected, "
                   "in a list, in the order of the file", "append a tuple for every record and return the list")
    return got


def _same(got: Any, want: Any) -> bool:
    """Equal, where shapes may also come as arrays."""
    got = got.tolist() if isinstance(got, np.ndarray) else got
    return type(got) is type(want) and got == want


def records(spec: Spec, answers: Answers) -> None:
    """Names, kinds and shapes."""
    for tensors, alignment in FILES:
        raw, want = build(spec, tensors, alignment)
        shown = f"a file with {len(tensors)} tensor(s)"
        for got, right in zip(_read(answers, shown, raw, len(want)), want, strict=True):
            if not all(map(_same, got[:3], right[:3])):
                raise Miss(f"in {shown} the record of {right[0]!r} was read as {short(got[:3])}",
                           f"a record holds {spec['fields_in_record']}, in this order, and numbers begin with their "
                           f"{spec['endian_words']} byte",
                           "print where you are in the file before each field, and compare with the first bytes")


def starts(spec: Spec, answers: Answers) -> None:
    """Where the elements of each tensor begin in the file."""
    for raw, want in (*(build(spec, *file) for file in FILES), aligned_file(spec)):
        for got, right in zip(_read(answers, "a file", raw, len(want)), want, strict=True):
            if not _same(got[3], right[3]):
                raise Miss(f"the elements of {right[0]!r} were said to begin at {short(got[3])}",
                           "the data begin at the first multiple of the alignment that does not lie inside the header, "
                           "and offsets count from there", "where does the header end, and what is the next multiple?")


def _refused(answers: Answers, cases: list[tuple[str, bytes]], why: str, advice: str) -> None:
    """Every case must raise ValueError."""
    for shown, raw in cases:
        raised = refusal(answers, f"{NAME}({shown})", NAME, _data(raw))
        if raised != "ValueError":
            raise Miss(f"{NAME}({shown}) {'raised ' + raised if raised else 'returned something'}", why, advice)


def _sound(spec: Spec, answers: Answers) -> bytes:
    """A sound file, which the answer reads without complaint."""
    raw, want = build(spec, *FILES[1])
    _read(answers, "a sound file", raw, len(want))
    return raw


def cut_in_the_header(spec: Spec, answers: Answers) -> None:
    """The file ends inside its header."""
    _sound(spec, answers)
    raw, found = build(spec, FILES[1][0], 1)  # alignment 1: the header ends where the data begin
    _refused(answers, [(f"a file that ends inside its header, after {n} bytes", raw[:n]) for n in range(found[0][3])],
             "a slice beyond the end of the data is no error in Python, only shorter than you asked for",
             "read through one small function that checks what is left before it takes anything")


def past_the_end(spec: Spec, answers: Answers) -> None:
    """The file ends inside a tensor."""
    _sound(spec, answers)
    cases = []
    for tensors, alignment in FILES:
        raw, _ = build(spec, tensors, alignment)
        cases.append(("a file that ends one byte before its last tensor does", raw[:-1]))
    _refused(answers, cases, "whoever reads that tensor later reads bytes that are not there",
             "where does the last element of a tensor end? Compare it with the length of the file")


def not_this_format(spec: Spec, answers: Answers) -> None:
    """Other magic, other version, unknown kind."""
    _sound(spec, answers)
    tensors, alignment = FILES[0]
    cases = [("a file with another magic", build(spec, tensors, alignment, magic=b"XXXX")[0]),
             ("a file of another version", build(spec, tensors, alignment, version=spec["version"] + 1)[0]),
             ("a file with a tensor of kind 3", build(spec, [("v", 3, (4,))], alignment)[0] + bytes(64))]
    _refused(answers, cases, "what you do not know you cannot read, only misread",
             "check magic, version and kind before you use anything behind them")


def no_such_numbers(spec: Spec, answers: Answers) -> None:
    """Counts and lengths that cannot be meant."""
    _sound(spec, answers)
    tensors, alignment = FILES[2]
    cases = [("a file with alignment 0", build(spec, tensors, alignment, alignment=0)[0]),
             (f"a file with a tensor of {MOST_AXES + 1} axes", build(spec, [("v", 0, (1,) * (MOST_AXES + 1))])[0]),
             ("a file with a tensor of no axes", build(spec, [("v", 0, ())])[0]),
             ("a file whose first name has 250 bytes, it says", build(spec, tensors, alignment, length=250)[0]),
             ("a file that says it has 9,000 tensors more", build(spec, tensors, alignment, count=9002)[0])]
    _refused(answers, cases, "a length that a file names is a claim; believed, it makes you read, or wait for, nothing",
             "each of these has a rule in the text above: check it as soon as the number is read")


def show(spec: Spec, answers: Answers) -> Bars:
    """Where the tensors of a file begin."""
    raw, want = build(spec, *FILES[1])
    got = yours(lambda: _read(answers, "an example", raw, len(want)))
    return Bars("Where the tensors of an example begin", "bytes",
                [(right[0], None if got is None else got[n][3], right[3]) for n, right in enumerate(want)])


EXERCISE = Exercise(
    id="05.6", title="A header that may lie", kind="stretch", difficulty=4, importance=4, minutes=30,
    objective="You can read a binary header from its description, and refuse one that cannot be true.",
    spec=spec, show=show, answer_fields=fields, wrong=WRONG,
    prose="""
A made-up file of tensors begins with the four bytes `<<magic>>`, and then, all as unsigned whole numbers with the
<<endian_words>> byte first (<<endian>>-endian):

| field | bytes |
|---|---|
<<head_rows>>

Then one record per tensor, one right behind the other:

<<record_rows>>

The data start at the first multiple of the alignment (counted from the start of the file) that does not lie inside the
header. A tensor's elements lie there, from its offset on.

Write `read_header(data)`: a list of `(name, kind, shape, start)` for the file in `data` (a uint8 array; `bytes(data)`
makes bytes of it). `shape` is a list, and `start` is counted from the start of the *file*. Raise `ValueError` for a
file with another magic, version or kind, with an alignment of 0 or a number of axes outside 1 to 4, and for a file that
ends before its header or one of its tensors does. The next cell holds a small file to try it on.
""",
    hints=("Write `take(n)` first: it returns the next n bytes and raises ValueError where fewer are left. Everything "
           "else reads through it.", "`int.from_bytes(four_bytes, \"big\")` makes a number of bytes, of any width.",
           "`struct.error` is no ValueError."),
    given="""
# A small file to try your reader on, and what is in it. Change what you like: the checks use their own files.
example = np.frombuffer(bytes.fromhex(
<<example_hex>>
), np.uint8)
in_the_example = [<<example_found>>]
""",
    head='''
def read_header(data):
    """(name, kind, shape, start) of every tensor. Raises ValueError for what is no such file."""
''',
    reference=REFERENCE,
    second=SECOND,
    explanation="Nothing is believed before it is checked, and bytes are taken in one place only. A count of 2^60 "
                "costs nothing here: the first record that is not there ends it.",
    checks=(Check("names, kinds and shapes", 1, records), Check("where each tensor begins", 1, starts),
            Check("a header that is cut off", 1, cut_in_the_header), Check("a tensor that is cut off", 1, past_the_end),
            Check("another format", 1, not_this_format), Check("numbers that cannot be meant", 1, no_such_numbers)),
)
