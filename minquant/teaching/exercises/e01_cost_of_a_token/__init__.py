"""Exercises 01: what one token costs, and the batch from which the arithmetic costs more than the reading.

    matrix_bytes.py   01.1 warm-up   bytes of one matrix, scales counted
    token_bytes.py    01.2 core      bytes read per token, from a config
    turning_batch.py  01.3 core      the batch at which decode turns compute-bound
    diagnose.py       01.4 diagnose  two wrong figures in a table of measurements
    speculation.py    01.5 stretch   how many tokens to guess ahead
"""

from ..source import ExerciseSet
from . import diagnose, matrix_bytes, speculation, token_bytes, turning_batch

SET = ExerciseSet(
    number="01", folder="01_why_a_token_costs_the_model", title="Exercises 01: what a token costs",
    intro="""
These belong to [lesson 01](lesson.ipynb). You add up bytes, divide by a bandwidth, and find where that stops being the
whole story. Nothing here is timed: your own machine's figures stay in the lesson.
""",
    setup="import math",
    exercises=(matrix_bytes.EXERCISE, token_bytes.EXERCISE, turning_batch.EXERCISE, diagnose.EXERCISE,
               speculation.EXERCISE))
