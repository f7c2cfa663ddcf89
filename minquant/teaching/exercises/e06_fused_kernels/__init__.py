"""Exercises 06: kernels that never write what they decode.

    copy_bytes.py    06.1 warm-up   the bytes of "dequantize, then multiply"
    fused8.py        06.2 core      8-bit codes with zero points times a vector
    fused4.py        06.3 core      nibbles times a vector
    diagnose.py      06.4 diagnose  two programs that are slower than their bytes
    whole_numbers.py 06.5 stretch  rounded inputs, whole numbers in the loop
    helpers.py       what comes back from a kernel, and how much memory it may need
"""

from ..source import ExerciseSet
from . import copy_bytes, diagnose, fused4, fused8, whole_numbers

SET = ExerciseSet(
    number="06", folder="06_why_quantized_can_be_slower", title="Exercises 06: fused kernels",
    intro="""
These belong to [lesson 06](lesson.ipynb). You count bytes, write the loops that save them, and find out what slowed
other programs down. What is graded is the result, and that no copy of the matrix was made; speed is not graded,
because it depends on the machine. But it is what the loops are for, so the notebook helps you to measure it: first
make your function right in plain Python, then put `@njit` above it and let `race` compare it with a slower one of your
own. (A float copy made by NumPy is a fair opponent.)
""",
    setup="import math\n\nimport numpy as np\nfrom numba import njit",
    exercises=(copy_bytes.EXERCISE, fused8.EXERCISE, fused4.EXERCISE, diagnose.EXERCISE, whole_numbers.EXERCISE))
