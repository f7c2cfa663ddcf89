"""Quiz of lesson 08: whether later weights can repair earlier rounding."""

from ..quizzes import Choice, Question

QUESTIONS = (
    Question(
        "After GPTQ the weights of a matrix are farther from the original ones than after rounding to nearest. Is that "
        "a reason not to use it?",
        (
            Choice("Yes: a larger error is a larger error", False,
                   "It is the error of something nobody looks at. What the next layer reads is the output, and there "
                   "the errors of the weights cancel each other."),
            Choice("No: the weights moved so that their errors cancel in the outputs", True,
                   "Each one made good what others had lost. Whether that worked is measured on the outputs, with "
                   "inputs that the method has not seen."),
            Choice("No: errors of weights never matter at 4 bits", False,
                   "They do. Rounded to nearest, the same weights cost more than twice the KL. It depends on how the "
                   "errors go together."),
        ),
    ),
    Question(
        "All inputs of a matrix stand at right angles to each other: H has zeros everywhere but on its diagonal. What "
        "does GPTQ do?",
        (
            Choice("The same as rounding to nearest, code for code", True,
                   "The inverse of H and its factor are diagonal as well, so every share is 0 and nothing is passed "
                   "on. No other weight can move the output in the direction in which it is off."),
            Choice("Best of all: nothing gets in the way of the repair", False,
                   "It is the other way round. A weight can only answer for another one if their inputs go together."),
            Choice("It fails: such an H cannot be factored", False,
                   "It is the easiest one to factor: the roots of the diagonal. Trouble comes from inputs that are "
                   "too much alike, and from fewer tokens than inputs."),
        ),
    ),
    Question(
        "Somebody calibrates a matrix with 4,096 inputs on 1,000 tokens, and its output error on these tokens falls to "
        "a tenth of that of rounding to nearest. What do you know?",
        (
            Choice("GPTQ works very well on this matrix", False,
                   "Perhaps, but this figure would look as good if it had done harm. With fewer tokens than inputs "
                   "there are always changes that do nothing on just these tokens."),
            Choice("The damping was too strong", False,
                   "Stronger damping would have repaired less on these tokens. If anything, it was too weak."),
            Choice("Next to nothing: measure it on tokens that the method has not seen", True,
                   "In the lesson, 256 tokens for 768 inputs gave such a figure, and on fresh text the matrix was "
                   "worse than rounded to nearest. More text, or stronger damping, would help."),
        ),
    ),
)
