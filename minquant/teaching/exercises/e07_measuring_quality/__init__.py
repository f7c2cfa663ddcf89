"""Exercises 07: what a text costs a model, how far two models are apart, and how sure that is.

    units.py      07.1 warm-up   perplexity, and a cost that compares tokenizers
    windows.py    07.2 core      which tokens are scored in which window
    kl.py         07.3 core      KL from logits of any size
    diagnose.py   07.4 diagnose  two lines of a report that were made wrongly
    paired.py     07.5 stretch   the error of a difference, from blocks
"""

from ..source import ExerciseSet
from . import diagnose, kl, paired, units, windows

SET = ExerciseSet(
    number="07", folder="07_how_we_know_it_is_good", title="Exercises 07: how do we know it is still good?",
    intro="""
These belong to [lesson 07](lesson.ipynb). You compute perplexity in other units, score a long text window by window,
build a KL that survives huge scores, find out what is wrong with somebody's evaluation, and put the right error on a
difference.
""",
    exercises=(units.EXERCISE, windows.EXERCISE, kl.EXERCISE, diagnose.EXERCISE, paired.EXERCISE))
