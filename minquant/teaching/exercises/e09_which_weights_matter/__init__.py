"""Exercises 09: the weights that matter, and how to favour them without storing them apart.

    protect.py        09.1 warm-up   keep the columns that meet the largest inputs
    fold.py           09.2 core      scales go into a block of attention, and nobody sees them
    search_alpha.py   09.3 core      which power of the inputs' size makes the best scale
    diagnose.py       09.4 diagnose  two runs of AWQ that were made wrongly
    hqq_turns.py      09.5 stretch   a grid that moves until most weights are close to it
"""

from ..source import ExerciseSet
from . import diagnose, fold, hqq_turns, protect, search_alpha

SET = ExerciseSet(
    number="09", folder="09_which_weights_matter", title="Exercises 09: which weights matter?",
    intro="""
These belong to [lesson 09](lesson.ipynb). You keep the columns that matter, fold scales into a model that computes what
it did before, search for the best of them as AWQ does, find out what somebody's AWQ did wrong, and move a grid as HQQ
does.

Everywhere X has one row per sample, and W one row per output and one column per input unless a table says otherwise.
Arrays come as NumPy arrays.
""",
    exercises=(protect.EXERCISE, fold.EXERCISE, search_alpha.EXERCISE, diagnose.EXERCISE, hqq_turns.EXERCISE))
