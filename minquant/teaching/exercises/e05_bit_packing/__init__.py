"""Exercises 05: where the bits lie, written and read by hand.

    bit_place.py   05.1 warm-up   the byte and the bit in which a bit of a code lies
    int4.py        05.2 core      four-bit codes into bytes and back
    words.py       05.3 core      codes of other widths out of 32-bit words
    diagnose.py    05.4 diagnose  two unpackers that read it wrong
    ternary.py     05.5 stretch   five three-valued weights to a byte
    header.py      05.6 stretch   the header of a file that cannot be trusted
    museum.py      05.7 stretch   a test that finds twelve broken packers and leaves two right ones alone
"""

from ..source import ExerciseSet
from . import bit_place, diagnose, header, int4, museum, ternary, words

SET = ExerciseSet(
    number="05", folder="05_where_the_bits_live", title="Exercises 05: where the bits lie",
    intro="""
These belong to [lesson 05](lesson.ipynb). You put codes into bytes and take them out again, by rules that differ from
layout to layout, and read what others have packed. The layouts are made up from the same choices that the real ones
make, so no function of a library gives the answer.
""",
    exercises=(bit_place.EXERCISE, int4.EXERCISE, words.EXERCISE, diagnose.EXERCISE, ternary.EXERCISE,
               header.EXERCISE, museum.EXERCISE))
