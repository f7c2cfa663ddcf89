"""Quiz of lesson 13: gradients of rounding, what training moves, and when it pays."""

from ..quizzes import Choice, Question

QUESTIONS = (
    Question(
        "Somebody trains rounded weights with the exact derivative of rounding. What happens to the weights?",
        (
            Choice("Nothing: the derivative is 0 almost everywhere", True,
                   "A small move of a weight leaves its code where it is, so the loss does not change, and no gradient "
                   "comes back. The straight-through estimator pretends a derivative of 1 in this one place."),
            Choice("They are trained correctly, only more slowly", False,
                   "There is nothing to be slow with: 0 times any learning rate is 0."),
            Choice("They jump from code to code", False,
                   "The derivative is infinite at a jump and 0 between two of them, and a weight is never exactly at a "
                   "jump."),
        ),
    ),
    Question(
        "After training with rounding, which weights are stored in the file?",
        (
            Choice("The float weights, which are now good for rounding", False,
                   "They are thrown away. They only remembered how far each weight was from changing its code."),
            Choice("The codes, and the steps that were learned", True,
                   "They take as many bits as after rounding to nearest, and the model runs exactly as fast."),
            Choice("Both, so that training can go on later", False,
                   "A checkpoint of the training keeps both. The model that is used has codes and steps only."),
        ),
    ),
    Question(
        "In the stored runs, training won clearly at 2 bits and not at 4. What is a fair conclusion?",
        (
            Choice("Training never helps at 4 bits", False,
                   "150 steps did not, on this model, against GPTQ. Longer training may: 4-bit checkpoints are "
                   "published that were trained with their rounding."),
            Choice("GPTQ is the better method", False,
                   "At 3 and 4 bits it did as well for a tenth of the work. At 2 bits and below it was far behind."),
            Choice("Where rounding does little harm, a cheap repair finds most of what there is to gain", True,
                   "The less is lost, the less is there to be won back, and GPTQ needs no gradients. Where few codes "
                   "are left, weights have to move together, through all layers, and only training sees that."),
        ),
    ),
)
