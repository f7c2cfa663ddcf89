"""Quiz of lesson 09: which weights matter."""

from ..quizzes import Choice, Question

QUESTIONS = (
    Question(
        "A column meets inputs ten times as large as all others. Why not multiply it by 1,000 before rounding?",
        (
            Choice("Because the model would no longer compute the same", False,
                   "In float it would: the input is divided by 1,000 at the same time. That holds for any factor; "
                   "the trouble begins with rounding."),
            Choice("Because it would become the largest weight of every group, and its neighbours pay", True,
                   "All weights of a group share a scale. When one is far larger than the rest, the steps grow with "
                   "it and the rest is rounded to 0 or nearly. The best factor lies where the sum of both errors is "
                   "smallest."),
            Choice("Because its own error would grow", False,
                   "Its own error goes on shrinking, or stays where it is: what is off by half a step is divided by "
                   "the factor. It is the neighbours' error that grows."),
        ),
    ),
    Question(
        "AWQ's search returns alpha = 0 for a matrix. What does that say?",
        (
            Choice("The search failed; it should be run with more text", False,
                   "It compared twenty candidates and the first was the best. More text may change that a little, "
                   "but 0 is a result like any other."),
            Choice("No input of the matrix is large", False,
                   "Inputs may be large, as long as they are about equally large in all columns. Scaling can only "
                   "favour some columns over others of the same group."),
            Choice("No scaling along its inputs beat plain rounding here", True,
                   "At alpha = 0 all scales are 1. Where columns are alike there is nothing to protect, and the "
                   "matrix is rounded as it is. That is why AWQ's scales never make the judged error worse."),
        ),
    ),
    Question(
        "A new model, and not a line of text for it. Its activations have outliers; you do not know where. "
        "What can HQQ do?",
        (
            Choice("Fit each group's grid to its weights, but not protect the columns that matter", True,
                   "Which columns matter is decided by the inputs, and HQQ sees none. It lowers the error of the "
                   "weights a little, everywhere alike."),
            Choice("Find the outliers, because their weights are large", False,
                   "They need not be. In the planted model of this lesson their weights are even the smallest. The "
                   "size of a weight says little about the size of its input."),
            Choice("Nothing: without text no method is better than round to nearest", False,
                   "It is better, by some percent: where the grid of a group lies is a choice, and min and max are "
                   "not the best one."),
        ),
    ),
)
