"""Quiz of lesson 13: training that knows about rounding."""

from ..quizzes import Choice, Question

QUESTIONS = (
    Question(
        "Why does training need a stand-in for the derivative of rounding?",
        (
            Choice("Because the true one is infinite nearly everywhere", False,
                   "It is infinite only at the borders between two codes. Between them the staircase is flat."),
            Choice("Because the true one is 0 nearly everywhere, so no weight would ever move", True,
                   "A small change of a weight does not change its code, so it does not change the loss. The chain rule "
                   "multiplies by that 0, and nothing is left of the gradient."),
            Choice("Because it cannot be computed on a CPU", False,
                   "It can, and it is 0. That is the trouble."),
        ),
    ),
    Question(
        "A weight lies two steps beyond the end of its grid. What does the learned step's rule give?",
        (
            Choice("The weight gets no gradient, and the step is moved by the code at the end", True,
                   "A clipped weight is used as step times the last code, whatever its value. So moving it changes "
                   "nothing, and moving the step changes it by that code."),
            Choice("Neither gets any", False,
                   "The weight gets none. But the value in use is step times the last code, and that moves with the "
                   "step."),
            Choice("The weight gets the gradient as it is, the step gets none", False,
                   "This is the other way round. Moving a clipped weight a little leaves its code where it is, at the "
                   "end."),
        ),
    ),
    Question(
        "Somebody trains at 2 bits on the text that the result is measured on, and beats GPTQ by far. What do you ask?",
        (
            Choice("How many bits GPTQ had", False,
                   "A fair question, but there is a worse trouble first: what was measured was seen in training."),
            Choice("Nothing: training on more text is the whole idea", False,
                   "Text, yes. But not the test text: training can learn that by heart, far better than GPTQ can."),
            Choice("What is left of it on text that the training has not seen", True,
                   "Training moves millions of weights, so it can learn a text by heart. Lesson 07's question, was the "
                   "text used to tune the method, is all the more important here."),
        ),
    ),
)
