"""Quiz of lesson 01: why one token costs the whole model."""

from ..quizzes import Choice, Question

QUESTIONS = (
    Question(
        "A model of 7 billion weights is stored at 4.5 bits per weight. The memory delivers 60 GB/s. "
        "What is its speed of light when it writes one text?",
        (
            Choice("About 4 tokens per second", False,
                   "That is 60 GB/s divided by 14 GB, the size of the same model in bf16. At 4.5 bits per weight fewer "
                   "bytes are read."),
            Choice("About 15 tokens per second", True,
                   "7 billion weights times 4.5 bits are 3.9 GB, and 60 GB/s divided by 3.9 GB is about 15 tokens per "
                   "second. A real program comes out below that, never above."),
            Choice("About 60 tokens per second", False,
                   "Every token needs all the weights, 3.9 GB here. At 60 GB/s one token takes about 65 milliseconds."),
        ),
    ),
    Question(
        "Eight people chat with the same model, and the server runs their eight next tokens in one batch. "
        "How many times are the weights read from memory?",
        (
            Choice("Eight times, once for each person", False,
                   "The weights are the same for everybody. A weight that has arrived in the processor can be used for "
                   "all eight tokens before it is dropped."),
            Choice("Never, they stay in the cache of the processor", False,
                   "A processor's cache holds some megabytes; the weights are hundreds or thousands of times larger."),
            Choice("Once", True,
                   "One read serves all eight, so eight tokens cost hardly more time than one, until the arithmetic "
                   "takes longer than the reading. Each person's KV cache is still their own and is read separately."),
        ),
    ),
    Question(
        "On some machine int4 weights decode more slowly than int8 weights, although they are half the bytes. "
        "What does that tell you?",
        (
            Choice("The kernel now waits for arithmetic, not for memory", True,
                   "Two weights share a byte, and taking them apart costs instructions. Once unpacking takes longer "
                   "than reading, a further cut in bytes buys nothing. A better kernel can move that limit; fewer "
                   "bits cannot."),
            Choice("The measurement must be wrong: fewer bytes are always faster", False,
                   "Fewer bytes are faster only while the processor waits for the memory. The measurement may be "
                   "right."),
            Choice("4 bits are too few to describe a weight", False,
                   "That would be a matter of quality. Speed does not depend on what the bits mean, only on how many "
                   "there are and how much work it takes to use them."),
        ),
    ),
)
