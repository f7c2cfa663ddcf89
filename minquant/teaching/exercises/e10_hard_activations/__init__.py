"""Exercises 10: rounding both sides of a product, where one channel is louder than all others.

    levels.py         10.1 warm-up   how many codes a loud channel leaves to its neighbours
    outliers.py       10.2 core      LLM.int8(): the loud columns in float, the others in integers
    smooth.py         10.3 core      SmoothQuant: scales of one input, folded into the norm before it
    diagnose.py       10.4 diagnose  two runs of W8A8 that were made wrongly
    turn.py           10.5 stretch   a rotation folded into a model that computes what it did before
"""

from ..source import ExerciseSet
from . import diagnose, levels, outliers, smooth, turn

SET = ExerciseSet(
    number="10", folder="10_why_activations_are_harder", title="Exercises 10: why are activations harder?",
    intro="""
These belong to [lesson 10](lesson.ipynb). You count what a loud channel leaves to its neighbours, take loud columns out
of the integers as LLM.int8() does, fold SmoothQuant's scales into a norm, find out what somebody's W8A8 did wrong, and,
if you like, turn a whole small model so that nobody notices.

Everywhere X has one row per token and one column per channel, and W one row per output and one column per channel unless
a table says otherwise. Arrays come as NumPy arrays. Half-way cases of rounding do not occur.
""",
    exercises=(levels.EXERCISE, outliers.EXERCISE, smooth.EXERCISE, diagnose.EXERCISE, turn.EXERCISE))
