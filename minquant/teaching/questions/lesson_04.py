"""Quiz of lesson 04: who shares a scale, and where the grid ends."""

from ..quizzes import Choice, Question

QUESTIONS = (
    Question(
        "A checkpoint has 4-bit codes, groups of 64, a 16-bit scale and a 4-bit zero point per group. "
        "How many bits per weight is that?",
        (
            Choice("4, because the scales are shared", False,
                   "Shared is not free: every 64 weights add 20 bits that have to be stored and read."),
            Choice("4.3125", True,
                   "4 + (16 + 4) / 64. For a model of 7 billion weights, the 0.3125 bits are 270 megabytes."),
            Choice("24", False,
                   "That is 4 + 16 + 4, as if every weight had a scale and a zero point of its own. 64 of them share."),
        ),
    ),
    Question(
        "Groups of 32 have less error than whole rows. If all columns of the matrix are shuffled first, the groups are "
        "made of strangers. Yet in this lesson the error stayed nearly the same. Why?",
        (
            Choice("The largest of 32 numbers is smaller than the largest of 256, whoever they are", True,
                   "The largest sets the scale. Few numbers rarely hold a very large one, and that needs no likeness "
                   "between neighbours. Where neighbours are alike, shuffling does cost: the control showed it."),
            Choice("Rounding does not depend on the order of the weights", False,
                   "That is true of one scale per row. With groups, the order decides who shares a scale with whom."),
            Choice("The shuffled matrix has smaller weights", False,
                   "It has the same weights in other places. Not one of them changed."),
        ),
    ),
    Question(
        "You clip int4 weights at the best place. With one scale for the matrix the squared error falls several-fold, "
        "with groups of 32 by about a tenth. What explains the difference?",
        (
            Choice("In small groups the search has too few numbers to find the best place", False,
                   "It tries the same 80 places and keeps the best for each group. With few numbers that is easier, not "
                   "harder."),
            Choice("Groups have float16 scales, which are too coarse for clipping", False,
                   "A float16 is accurate to a twentieth of a percent. The search moves in steps of one percent."),
            Choice("A small group rarely has a weight far beyond all others", True,
                   "Clipping pays where a few numbers stretch the grid for many. In a group of 32 the largest is only "
                   "two or three times the typical weight, so there is little to cut off."),
        ),
    ),
)
