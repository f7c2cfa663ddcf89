"""Exercises 13: gradients through rounding, and a matrix that needs no multiplication.

    through.py       13.1 warm-up   straight-through, with clipped weights treated apart
    step.py          13.2 core      the gradient of a learned step
    ternary.py       13.3 core      multiply by packed ternary weights, by adding and subtracting
    diagnose.py      13.4 diagnose  two backward passes that were written wrongly
"""

from ..source import ExerciseSet
from . import diagnose, step, ternary, through

SET = ExerciseSet(
    number="13", folder="13_training_that_knows_rounding", title="Exercises 13: training that knows about rounding",
    intro="""
These belong to [lesson 13](lesson.ipynb). You write what stands in for the gradient of rounding, for the weights and
for the step of their grid, multiply by ternary weights without multiplying, and find two wrong backward passes.

Everywhere here a weight w has the code `c = clip(rint(w / step), low, high)`, the model uses `u = step * c`, and `du`
is the gradient of the loss by u. A weight is *clipped* when `w / step` lies below low or above high. Arrays come as NumPy
arrays.
""",
    exercises=(through.EXERCISE, step.EXERCISE, ternary.EXERCISE, diagnose.EXERCISE))
