"""Quiz of lesson 03: real numbers to integers and back."""

from ..quizzes import Choice, Question

QUESTIONS = (
    Question(
        "A grid of 8-bit codes has been laid from the smallest to the largest of some weights. You may add one bit to "
        "every code. What happens to a typical error?",
        (
            Choice("It becomes half as large", True,
                   "One bit more means twice as many steps over the same range, so each step is half as long, and so "
                   "is the error, which is spread evenly over one step. In decibels that is 6.02, whatever the numbers "
                   "look like."),
            Choice("It becomes an eighth smaller, because 9 bits are 9/8 of 8 bits", False,
                   "Bits do not add up, they multiply: each one doubles the number of codes."),
            Choice("That depends on whether the numbers are Gaussian", False,
                   "How large the error is depends on it, through the largest number over the typical one. How much "
                   "one bit changes it does not, as long as the steps are small beside the numbers."),
        ),
    ),
    Question(
        "The numbers of a tensor lie between 2.0 and 3.5. An asymmetric 4-bit grid is laid over exactly that range, "
        "and the zero point, which would be -20, is clipped to the codes 0 to 15. What comes back?",
        (
            Choice("The numbers, in steps of 0.1, since the range is 1.5 and has 15 steps", False,
                   "They would, if the zero point could be -20. It must be one of the codes, so the grid really runs "
                   "from 0 to 1.5."),
            Choice("1.5 for every number", True,
                   "With the zero point 0 the grid ends at 15 steps of 0.1. All numbers lie above that and are clipped "
                   "to the highest code. Widening the range to hold 0 first gives coarser steps, 3.5/15, but numbers "
                   "come back within half a step."),
            Choice("NaN, because the zero point is out of range", False,
                   "Nothing crashes and nothing is NaN. That is what makes such a mistake hard to find."),
        ),
    ),
    Question(
        "A kernel multiplies 8-bit codes of activations, which have a zero point, with codes of weights, which have "
        "none. What has to be taken off the sum of products afterwards?",
        (
            Choice("The activations' zero point times the sum of the activation codes", False,
                   "Multiply out (x - z) w: what is left over beside x w is z times w, so the sum of the weight codes "
                   "is needed, not that of the activation codes."),
            Choice("Nothing: scales take care of it", False,
                   "Scales multiply the result. A zero point shifts every product by z times a weight code, and no "
                   "factor can undo a shift."),
            Choice("The activations' zero point times the sum of the weight codes of the row", True,
                   "That sum does not depend on the token, so it is worked out once, when the model is stored. With a "
                   "zero point in the weights as well there would be a term with the sum of the activation codes, "
                   "new for every token."),
        ),
    ),
)
