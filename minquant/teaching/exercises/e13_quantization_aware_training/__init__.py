"""Exercises 13: what stands in for the gradient of rounding, and weights that are only signs.

    slope.py           13.1 warm-up   the gradient of a loss behind a rounding
    straight.py        13.2 core      a layer with rounded weights, backwards
    step.py            13.3 core      the gradient of a grid's step
    diagnose.py        13.4 diagnose  two training loops that do not learn what they should
    ternary_kernel.py  13.5 stretch   a matrix of -1, 0 and 1 times a vector, by adding
"""

from ..source import ExerciseSet
from . import diagnose, slope, step, straight, ternary_kernel

SET = ExerciseSet(
    number="13", folder="13_what_if_training_knows", title="Exercises 13: training that knows about rounding",
    intro="""
These belong to [lesson 13](lesson.ipynb). You take gradients through a rounding that has none, let a grid learn its own
step, find out why somebody's training does not learn, and multiply with weights that are only signs.

`rint` rounds to the nearest whole number (`np.rint`, `round`). Half-way cases do not occur in any of the checks. Arrays
come as NumPy arrays.
""",
    setup="import math\n\nimport numpy as np\nfrom numba import njit",
    exercises=(slope.EXERCISE, straight.EXERCISE, step.EXERCISE, diagnose.EXERCISE, ternary_kernel.EXERCISE))
