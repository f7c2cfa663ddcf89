"""Quiz of lesson 10: activations, outlier channels, and what is circular about a rescue."""

from ..quizzes import Choice, Question

QUESTIONS = (
    Question(
        "A loud *row* of weights simply gets a scale of its own. Why does a loud *channel* of the inputs not?",
        (
            Choice("Because activations are made at run time, and nobody knows their scale beforehand", False,
                   "A scale per token is not known beforehand either, and is used all the time. A scale per channel could "
                   "even be calibrated."),
            Choice("Because the sum of a product runs over the channels, and their scales would stand inside it", True,
                   "A scale that is the same for all terms leaves the sum and is multiplied once. One per channel has to "
                   "be multiplied with every product, and the products are no integers any more."),
            Choice("Because there are more channels than tokens", False,
                   "How many there are does not matter. Which axis is summed does."),
        ),
    ),
    Question(
        "Outliers are planted by multiplying norm gains by 64 and dividing the columns that read them. SmoothQuant repairs "
        "this model perfectly. What does that show?",
        (
            Choice("That SmoothQuant will repair any large model", False,
                   "It shows nothing about models whose outliers were made otherwise. There the weights of loud channels "
                   "are ordinary and have to take something up."),
            Choice("That the model had no outliers after all", False,
                   "It had: naive rounding destroyed it. They are real for everything that rounds the inputs."),
            Choice("Little: the planting is the same folding, and SmoothQuant takes it out again", True,
                   "Its scales come out exactly 64 times as large in those channels, for any alpha. A rescue that works by "
                   "other means, as LLM.int8() does, is evidence on this model."),
        ),
    ),
    Question(
        "In the tiny model nearly all the damage of 8-bit inputs comes from what the down matrices read. Why does "
        "SmoothQuant, as published, not help there?",
        (
            Choice("Those inputs come out of SwiGLU and not out of a norm, so it folds nothing in there", True,
                   "Folding into the rows of up is possible and helps a little. But the large numbers come now and then, in "
                   "many channels; a scale per channel is made for a few that are always loud. A rotation at run time "
                   "helps."),
            Choice("The down matrix is too small to take up the scales", False,
                   "It is as large as the others. Nothing is handed to it in the first place."),
            Choice("Its weights are outliers themselves", False,
                   "Rounding the weights alone does little damage here. It is the inputs that have the long tail."),
        ),
    ),
)
