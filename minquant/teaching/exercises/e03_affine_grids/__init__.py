"""Exercises 03: from real numbers to integers and back.

    scale_and_zero.py   03.1 warm-up   scale and zero point of a range
    there_and_back.py   03.2 core      codes of a list of numbers, by a convention drawn from the key
    integer_dot.py      03.3 core      a dot product of stored codes, corrected afterwards
    broken_codes.py     03.4 diagnose  two rows of a table that a broken quantizer wrote
    enough_bits.py      03.5 stretch   the fewest bits that reach a signal-to-noise ratio
    museum.py           03.6 stretch   a test that finds ten broken quantizers and leaves two right ones alone
"""

from ..source import ExerciseSet
from . import broken_codes, enough_bits, integer_dot, museum, scale_and_zero, there_and_back

SET = ExerciseSet(
    number="03", folder="03_how_a_number_becomes_an_integer", title="Exercises 03: from real numbers to integers",
    intro="""
These belong to [lesson 03](lesson.ipynb). You choose a scale and a zero point, turn numbers into codes and back, multiply
codes without turning them back, and find out what a broken quantizer did.

Everywhere here a code stands for the number `scale * (code - zero_point)`.
""",
    exercises=(scale_and_zero.EXERCISE, there_and_back.EXERCISE, integer_dot.EXERCISE, broken_codes.EXERCISE,
               enough_bits.EXERCISE, museum.EXERCISE))
