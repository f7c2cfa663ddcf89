"""Quiz of lesson 11: shared exponents, scales that are floats, and code books."""

from ..quizzes import Choice, Question

QUESTIONS = (
    Question(
        "A block of MXFP4 has the largest magnitude 7. fp4 reaches 6, and the floor rule takes the scale 1. What becomes "
        "of the 7?",
        (
            Choice("It becomes 8, the next power of two", False,
                   "Powers of two are the scales. The values of fp4 end at 6."),
            Choice("It becomes 6", True,
                   "It saturates. The specification's rule accepts that; a scale of 2 would keep it as 6 or 8, and make "
                   "every other step of the block twice as wide."),
            Choice("The block gets the scale 7/6", False,
                   "That is no power of two. NVFP4 could come close to it, because its scales are fp8 numbers."),
        ),
    ),
    Question(
        "On this model's weights, 8-bit floats in blocks lost far more than 8-bit integers in blocks of the same size. "
        "Why?",
        (
            Choice("A float spends bits on the exponent, and in a block of 32 there is little range left to cover", True,
                   "The block's scale has taken care of the range already. What counts then is the number of steps, and "
                   "E4M3 has 8 of them in each octave where int8 has up to 64 in the uppermost one."),
            Choice("fp8 has fewer different values than int8", False,
                   "Both have about 250. They lie in other places: fp8's crowd around zero."),
            Choice("The conversion to fp8 truncates", False,
                   "It rounds to nearest, as the int8 conversion does."),
        ),
    ),
    Question(
        "NF4's levels are quantiles of a normal distribution. Which blocks do they fit best?",
        (
            Choice("Blocks of any size, if the weights are normally distributed", False,
                   "Numbers are divided by the largest of their block first. What is left is not a normal distribution, "
                   "and how far from it depends on the size of the block (Yoshida 2023, arXiv 2306.06965)."),
            Choice("Blocks in which every code occurs equally often are always best", False,
                   "Equally full codes waste no code, but squared errors care about the rare large numbers, where "
                   "quantiles are far apart."),
            Choice("Large blocks of bell-shaped numbers, such as the 64 of QLoRA", True,
                   "In this lesson NF4 with blocks of 64 was ahead of int4 with blocks of 32, at fewer bits once its "
                   "scales are quantized too."),
        ),
    ),
)
