"""Exercises 12: what a cache weighs, how it grows without rounding anything twice, and whose scales it shares.

    cost.py        12.1 warm-up   bytes of a token in the cache, and where they equal the weights
    append.py      12.2 core      a cache that is appended to and never rounded again
    axes.py        12.3 core      keys by channel, values by token, a float window, honest bytes
    diagnose.py    12.4 diagnose  two caches that were filled wrongly
    attend.py      12.5 stretch   attention whose products are those of whole numbers
    rows.py        rows that come back, and grids
"""

from ..source import ExerciseSet
from . import append, attend, axes, cost, diagnose

SET = ExerciseSet(
    number="12", folder="12_what_a_long_context_costs", title="Exercises 12: the cache of keys and values",
    intro="""
These belong to [lesson 12](lesson.ipynb). You count what a cache costs, write one that grows token by token, share its
scales along the axis that suits, and find out what somebody else's cache does wrong. Half-way cases do not occur in any
of the checks.
""",
    exercises=(cost.EXERCISE, append.EXERCISE, axes.EXERCISE, diagnose.EXERCISE, attend.EXERCISE))
