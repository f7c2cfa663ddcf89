"""Exercises 02: number formats, read and written bit by bit.

    layout.py       the float formats that these exercises draw, in exact arithmetic
    read_code.py    02.1 warm-up   one code of a drawn format as a number
    write_code.py   02.2 core      a number as a code: nearest, ties to even, the ends of the range
    short_float.py  02.3 core      a shorter float32 by shifting, as bf16 is made
    diagnose.py     02.4 diagnose  three wrong codes in a table, and what went wrong with each
    design.py       02.5 stretch   the shortest format for a range and an error
    museum.py       02.6 stretch   a test that finds twelve broken encoders and leaves two right ones alone
"""

from ..source import ExerciseSet
from . import design, diagnose, museum, read_code, short_float, write_code

SET = ExerciseSet(
    number="02", folder="02_what_a_few_bits_can_say", title="Exercises 02: what a few bits can say",
    intro="""
These belong to [lesson 02](lesson.ipynb). The formats here are drawn for this notebook: they have the fields of the
formats that you know, but other widths, another bias, other rules at the top. No format of the package is one of them.
""",
    exercises=(read_code.EXERCISE, write_code.EXERCISE, short_float.EXERCISE, diagnose.EXERCISE, design.EXERCISE,
               museum.EXERCISE))
