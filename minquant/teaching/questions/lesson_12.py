"""Quiz of lesson 12: what a cache weighs, when it is written, and whose scales it shares."""

from ..quizzes import Choice, Question

QUESTIONS = (
    Question(
        "A model has 4-bit weights. Its cache in bf16 weighs as much as they do at 3,000 tokens. At 12,000 tokens, what does "
        "a cache in 8 bits save, of all bytes that one token reads?",
        (
            Choice("About 40 percent", True,
                   "Weights count 1, the cache 4: together 5. In 8 bits the cache counts about 2, so that 3 of 5 are left."),
            Choice("About half", False,
                   "Half of the cache, and the weights are read as before."),
            Choice("Nothing: decoding waits for the weights", False,
                   "That is true at short contexts. Here the cache is four times as heavy as the weights."),
        ),
    ),
    Question(
        "Why does a cache whose keys share a scale by channel keep its newest tokens in a wider format for a while?",
        (
            Choice("New tokens are more important than old ones", False,
                   "They often get much attention, and a window does help. But without it a group would have to be written "
                   "before its tokens are there: that is the reason that holds for every text."),
            Choice("A scale over 32 tokens can only be chosen when the 32 tokens are there", True,
                   "Written earlier, the group would have to be rounded again as soon as a larger number comes. A group is "
                   "written once, when it is whole."),
            Choice("Channels of keys have a minimum that is not known", False,
                   "A value by token has a minimum as well, and its token is there at once."),
        ),
    ),
    Question(
        "A text is read, and KL at its end is as large as at its beginning, although all keys were rounded to 4 bits. Then "
        "the same model writes by itself, and after some words its text is another one than that of the float model. How do "
        "the two go together?",
        (
            Choice("While it writes, errors add up in the cache", False,
                   "They would while it reads, too. What it reads and what it wrote is cached by the same rules."),
            Choice("One token that turns out otherwise changes all that follows, however small the error is", True,
                   "A text that has left does not come back. Rounded weights, whose errors cannot add up in any cache, do "
                   "the same, which is why they are the control."),
            Choice("KL does not see errors of keys", False,
                   "It does: KL rose as soon as keys were rounded. It only did not rise further with the position."),
        ),
    ),
)
