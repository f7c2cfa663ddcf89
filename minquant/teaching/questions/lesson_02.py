"""Quiz of lesson 02: what a few bits can say."""

from ..quizzes import Choice, Question

QUESTIONS = (
    Question(
        "E4M3 and E5M2 are both 8 bits wide. All your numbers lie between 0.1 and 100. Which one rounds them better?",
        (
            Choice("E5M2, because its largest value is far larger", False,
                   "A larger range helps only numbers that need it. All of these fit into E4M3 as well, and there E5M2 "
                   "has only half as many values per power of two."),
            Choice("They are equal: 8 bits are 8 bits", False,
                   "Equal bits, but spent differently. Between 1 and 2 E4M3 has eight values and E5M2 has four."),
            Choice("E4M3, with about half the error", True,
                   "Inside the range only the mantissa bits count. One more halves the step between neighbours, which "
                   "is worth 6 dB."),
        ),
    ),
    Question(
        "A program turns float32 numbers into bf16 by keeping the upper 16 bits. What is wrong with that?",
        (
            Choice("Every result is closer to zero than it should be, or as close, so long sums come out too small", True,
                   "Cutting off always rounds towards zero. Single errors are at most one step, but they all point the "
                   "same way and do not cancel. Adding half a step first, minus one, plus the last kept bit, makes it "
                   "round to nearest even."),
            Choice("Large numbers become infinite", False,
                   "Cutting off never makes a number larger. bf16 has the exponent field of float32, so every finite "
                   "float32 stays finite that way."),
            Choice("Nothing: bf16 is the upper half of a float32", False,
                   "It is, for numbers that bf16 holds exactly. For all others some code must be chosen, and the "
                   "nearest one is often one further up."),
        ),
    ),
    Question(
        "Weights are divided by one scale so that the largest one lands on 448, then stored in E4M3. Somebody takes a "
        "scale twice as large, so that the largest weight lands on 224. What happens to the relative error?",
        (
            Choice("It doubles, because only half of the range is used", False,
                   "That is so for integers, whose values are evenly spaced. Here the numbers become half as large, and "
                   "so do the steps they meet. The upper half of the range holds only 6% of E4M3's values."),
            Choice("Hardly anything, except for the very small weights", True,
                   "Halving all numbers lowers their exponents by one and leaves the mantissas alone, so they are "
                   "rounded as before. Only weights near the lower end of the range fall among the subnormals or "
                   "become zero."),
            Choice("It halves, because there are more values near zero", False,
                   "There are more values near zero, but the numbers have shrunk in the same measure. Relative to "
                   "them, the steps are what they were."),
        ),
    ),
)
