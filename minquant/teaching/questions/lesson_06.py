"""Quiz of lesson 06: why a quantized model can be slower."""

from ..quizzes import Choice, Question

QUESTIONS = (
    Question(
        "A program keeps its weights in int8. Before every product it turns the matrix into float32, and then calls a "
        "tuned float32 routine. How many bytes does a weight move, and what follows?",
        (
            Choice("1 byte instead of 2: about twice as fast as bf16", False,
                   "That is what the file says. But the copy is written to memory and read back, and these eight bytes "
                   "count like any others."),
            Choice("9 bytes: several times slower than bf16, however well the routine is tuned", True,
                   "1 read, 4 written, 4 read again. The routine waits for memory, so tuning its arithmetic changes "
                   "nothing. Only a kernel that never writes the copy does."),
            Choice("9 bytes, but a second core halves the time", False,
                   "The cores share one way to memory. Where that way is full already, a second core has nothing to "
                   "carry on."),
        ),
    ),
    Question(
        "With your fused int4 kernel a model writes tokens 2.8 times as fast as in bf16, but it reads a prompt of a "
        "thousand tokens no faster. Is the kernel broken?",
        (
            Choice("Yes: a prompt reads the same weights, so it should gain as much", False,
                   "It reads the same weights, but only once for many tokens. What grows with the tokens is "
                   "arithmetic."),
            Choice("No: a prompt is limited by arithmetic, and int4 weights save none of it", True,
                   "Every weight is used hundreds of times once it is read. The multiplications stay the same, and "
                   "decoding comes on top. Only arithmetic in fewer bits would help."),
            Choice("No: the cache of keys and values is still in bf16", False,
                   "While a prompt is read, the cache is written more than it is read. Its format is not what keeps "
                   "the cores busy."),
        ),
    ),
    Question(
        "Your compiled int4 loop is slower than your int8 loop, although it reads half the bytes. What do you check "
        "first?",
        (
            Choice("Whether the loop waits for memory at all: GB/s beside the read bandwidth", True,
                   "A loop that moves bytes at a small part of the bandwidth is busy with arithmetic: masks, shifts, "
                   "conversions. Fewer bytes cannot help it. Then ask whether the compiler handles many codes at "
                   "once."),
            Choice("Whether the scales are float32 instead of float16", False,
                   "In groups of 32 that is half a bit a weight. It matters for a loop near the roof, and explains no "
                   "loop that is far below it."),
            Choice("Whether more threads help", False,
                   "They may, and both loops would gain. The question why one thread spends more time on fewer bytes "
                   "remains."),
        ),
    ),
)
