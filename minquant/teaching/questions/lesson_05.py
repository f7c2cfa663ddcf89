"""Quiz of lesson 05: where the bits live."""

from ..quizzes import Choice, Question

QUESTIONS = (
    Question(
        "A program reads a file of 4-bit codes and takes the two nibbles of every byte in the wrong order. "
        "How will you find out?",
        (
            Choice("It stops with an error: the codes are out of range", False,
                   "Every nibble is a legal code, whichever comes first. Nothing is out of range, and the shapes are "
                   "right too."),
            Choice("Only from the values: the model writes nonsense, or a known weight comes out wrong", True,
                   "A layout cannot be checked from inside the file. That is why a reader is tested on bytes whose "
                   "meaning is known: a block worked out by hand, or one written by another program."),
            Choice("It does not matter: the same codes are read, and a sum does not care about order", False,
                   "A sum would not, but each weight is multiplied with its own input first. Swapped neighbours meet "
                   "each other's inputs."),
        ),
    ),
    Question(
        "Codes of 3 bits lie densely in 32-bit words, the lowest bits first. Where is code 10, the eleventh?",
        (
            Choice("In the lowest bits of word 1, because it no longer fits into word 0", False,
                   "That is the other rule, ten whole codes to a word and two bits left over. It takes 3.2 bits per "
                   "code. Dense means that no bit is left over."),
            Choice("Its two lower bits are the top of word 0, its highest bit is the bottom of word 1", True,
                   "Ten codes take 30 bits, so code 10 begins at bit 30. Two of its bits still fit into word 0. After "
                   "32 codes, three words are full and the pattern begins again."),
            Choice("In byte 3 alone, because bits 30 to 32 lie there", False,
                   "Byte 3 ends with bit 31. Bit 32 is the first bit of byte 4, which is also the first of word 1."),
        ),
    ),
    Question(
        "One bit of a Q4_0 block turns over. Which flip do you fear?",
        (
            Choice("Any bit of the scale, since 32 weights depend on it", False,
                   "The lowest bit of its mantissa changes the 32 weights by a thousandth at most, less than any bit "
                   "of a code changes one. It depends on which bit."),
            Choice("The top bit of a code", False,
                   "It moves one weight by eight steps of its grid, and no further: a code cannot become large."),
            Choice("The top exponent bit of the scale", True,
                   "It multiplies the scale of a typical block by 65,536, and all 32 weights with it. Codes are "
                   "bounded by their few bits; a float16 is not."),
        ),
    ),
)
