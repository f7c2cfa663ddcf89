"""Exercises 11: blocks that share an exponent, scales that have a scale, levels that are quantiles.

    exponent.py    11.1 warm-up   the exponent that a block shares
    mx_block.py    11.2 core      a block in an MX format with a rule of its own
    two_scales.py  11.3 core      a scale for each block, and a scale for the scales
    diagnose.py    11.4 diagnose  two blocks that were made wrongly
    quantiles.py   11.5 stretch   a code book from quantiles
    elements.py    the values of small floats, and rounding to the nearest
"""

from ..source import ExerciseSet
from . import diagnose, exponent, mx_block, quantiles, two_scales

SET = ExerciseSet(
    number="11", folder="11_what_if_floats_share_an_exponent", title="Exercises 11: shared exponents",
    intro="""
These belong to [lesson 11](lesson.ipynb). You find the exponent of a block, round blocks to formats that no chip has,
and see from codes what went wrong in somebody else's converter. Half-way cases do not occur in any of the checks.
""",
    exercises=(exponent.EXERCISE, mx_block.EXERCISE, two_scales.EXERCISE, diagnose.EXERCISE, quantiles.EXERCISE))
