"""Exercises 08: rounding column after column, with the later ones making good what the earlier ones lost.

    two_weights.py   08.1 warm-up   one weight is rounded, the other answers
    column_loop.py   08.2 core      the loop over the columns, with a factor that is given
    factor.py        08.3 core      from inputs to that factor, in an order of its own
    diagnose.py      08.4 diagnose  two runs that were made wrongly
    lazy_blocks.py   08.5 stretch   the same codes with few, large updates
    museum.py        08.6 stretch   a test that finds twelve broken GPTQs and leaves two right ones alone
    arrays.py        matrices out of a key, and matrices that come back
"""

from ..source import ExerciseSet
from . import column_loop, diagnose, factor, lazy_blocks, museum, two_weights

SET = ExerciseSet(
    number="08", folder="08_can_later_weights_repair", title="Exercises 08: later weights repair earlier rounding",
    intro="""
These belong to [lesson 08](lesson.ipynb). You move one weight to make good what another lost, write the loop of GPTQ
and the factor it runs on, and find out from codes what went wrong in somebody else's GPTQ.

Everywhere here W has one row per output and one column per input, X one row per sample, and H = XᵀX up to a factor. A
change D of the weights changes the outputs by a squared error of trace(D H Dᵀ). Arrays come as NumPy arrays.
""",
    exercises=(two_weights.EXERCISE, column_loop.EXERCISE, factor.EXERCISE, diagnose.EXERCISE, lazy_blocks.EXERCISE,
               museum.EXERCISE))
