"""Exercises 04: what scales cost, where a grid should end, and who should have shared one.

    bits.py         04.1 warm-up   bits per weight with scales of scales
    clip_search.py  04.2 core      the end of a grid with the smallest error
    entropy.py      04.3 core      the end of a grid that keeps a histogram's shape
    diagnose.py     04.4 diagnose  two copies of a matrix that were made wrongly
    two_levels.py   04.5 stretch   blocks whose scales share a scale
    museum.py       04.6 stretch   a test that finds twelve broken searches and leaves two right ones alone
"""

from ..source import ExerciseSet
from . import bits, clip_search, diagnose, entropy, museum, two_levels

SET = ExerciseSet(
    number="04", folder="04_who_shares_a_scale", title="Exercises 04: scales and clipping",
    intro="""
These belong to [lesson 04](lesson.ipynb). You count what scales cost, write two calibrators yourself, and find out from
scales and codes who shared with whom.
""",
    exercises=(bits.EXERCISE, clip_search.EXERCISE, entropy.EXERCISE, diagnose.EXERCISE, two_levels.EXERCISE,
               museum.EXERCISE))
