"""Quiz of lesson 07: how we know it is still good."""

from ..quizzes import Choice, Question

QUESTIONS = (
    Question(
        "A table says: float 6.23 ± 0.04, 4 bits 6.28 ± 0.04, both on the same text. Are the two told apart?",
        (
            Choice("No: the error bars overlap", False,
                   "The bars say how much each figure would move on another text. Both would move together. What "
                   "counts is the error of the difference, token by token, and the table does not give it."),
            Choice("Yes: 6.28 is larger than 6.23", False,
                   "A difference without an error says nothing. On the next text it might have the other sign."),
            Choice("One cannot know: the error of the paired difference is missing", True,
                   "It is often twenty times smaller than either bar, so the difference may be far from chance. But "
                   "somebody has to compute it, from the losses of both models on each token."),
        ),
    ),
    Question(
        "KL between a rounded model and the float model is 0.01 nats, with an error of 0.0002. What do you know?",
        (
            Choice("The rounded model is worse, beyond doubt", False,
                   "It is different, beyond doubt. KL would be the same if it had become better at guessing this "
                   "text. In practice it is mostly worse, but that is for the loss to say."),
            Choice("The rounded model says something else than the float model, beyond doubt", True,
                   "KL measures change. It is fifty standard errors away from 0, and far above what shuffled neurons "
                   "read. Whether the change does harm is a question for the paired loss."),
            Choice("Nothing, as long as the perplexity is unchanged", False,
                   "Perplexity looks at one token of the 2,048, the one that came, and averages over luck. It needs "
                   "thousands of tokens to see what KL sees in a dozen."),
        ),
    ),
    Question(
        "Model A has perplexity 12 per token, model B has 9. Their tokenizers differ. Which one guesses text better?",
        (
            Choice("B: it is less surprised", False,
                   "Less surprised per token. If its tokens are shorter, each is easier to guess, and it needs more "
                   "of them for the same text."),
            Choice("A: its tokens must be longer", False,
                   "They may be, but nothing here says so, and longer tokens do not make a better model."),
            Choice("That cannot be told: compare bits per byte", True,
                   "Bits per byte is the cost of the whole text over its size, however it was cut. With it, models "
                   "of different tokenizers, and even gzip, can be compared."),
        ),
    ),
)
