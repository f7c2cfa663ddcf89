"""Quiz of lesson 14: orders of fragility, budgets, and what a card has to say."""

from ..quizzes import Choice, Question

QUESTIONS = (
    Question(
        "Somebody says: attention is the most fragile part of a model. What do you ask first?",
        (
            Choice("How many layers the model has", False,
                   "It may matter, but the sentence has no meaning yet: nothing is said about what was compared."),
            Choice("At which bits, with whose scales, and by which figure", True,
                   "At the same bits and the same groups, KL put activations last here. At the formats that are practised, "
                   "or by KL per unit of error, the order was another. A ranking belongs to a definition."),
            Choice("Which paper it is from", False,
                   "A paper says it for its model and its formats. Yours may differ, and measuring takes a minute."),
        ),
    ),
    Question(
        "A recipe keeps the budget of bytes and misses that of KL a little. Which change is the first to try, where "
        "bytes are tight?",
        (
            Choice("Another method, such as GPTQ, at the same formats", True,
                   "It costs calibration time once and not a single byte. Only then is it worth moving bits from one "
                   "matrix to another."),
            Choice("8 bits for everything", False, "That doubles the bytes. The budget would be missed by far."),
            Choice("A cache of fewer bits", False,
                   "That saves bytes per token and adds to the KL. It is the other direction."),
        ),
    ),
    Question(
        "A model card says: 4.5 bits per weight, KL 0.01. What is missing most?",
        (
            Choice("The perplexity", False, "Nice to have; KL sees a rounding long before perplexity does."),
            Choice("The text it was measured on, how much of it, and an error", True,
                   "KL differs from text to text. Without the text nobody can repeat the figure, and without an error "
                   "nobody can tell 0.01 from 0.012."),
            Choice("The speed on the author's machine", False,
                   "Useful beside that machine's bandwidth, but yours is another machine: bytes per token travel better."),
        ),
    ),
)
