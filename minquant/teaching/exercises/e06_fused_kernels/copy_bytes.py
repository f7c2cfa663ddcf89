"""06.1, warm-up: the bytes that "dequantize, then multiply" moves.

What varies: the format of the weights and of the copy, and whether the cache reads before it writes. The trap is to
count the copy once where it moves twice or three times, or to read the codes again for every product.
"""

from __future__ import annotations

from ..beside import Bars, yours
from ..checking import ask_number, close, side, written
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME = "moved"
COPIES = {"float32": 4, "bfloat16": 2, "float64": 8}


def spec(draw: Draw) -> dict:
    """The formats of one variant, and the worked example."""
    copy, reads = draw.choice("copy", tuple(COPIES)), draw.choice("allocate", (True, False))
    drawn = {"bits": draw.choice("bits", (3, 4, 5, 6, 8)), "group": draw.choice("group", (16, 32, 64, 128)),
             "scale_bits": draw.choice("scale_bits", (8, 16, 32)), "copy": copy, "copy_bytes": COPIES[copy],
             "writes": 2 if reads else 1, "other_writes": 1 if reads else 2,
             "write_words": "the cache reads a line before it writes to it: every byte written moves twice"
             if reads else "every byte written moves once (this cache does not read a line before it writes to it)",
             "products": draw.integer("products", 3, 9), "weights": draw.integer("weights", 5, 40) * 1024}
    return drawn | {"example": f"{bytes_of(drawn, drawn['weights'], drawn['products']):.12g}"}


def bytes_of(spec: Spec, weights: int, products: int) -> float:
    """By the rules of the exercise."""
    once = spec["bits"] / 8 + spec["scale_bits"] / 8 / spec["group"] + spec["writes"] * spec["copy_bytes"]
    return weights * (once + products * spec["copy_bytes"])


def first_product(spec: Spec, answers: Answers) -> None:
    """The copy is made, and used once."""
    got, want = ask_number(answers, NAME, 12800, 1), bytes_of(spec, 12800, 1)
    if not close(got, want):
        raise Miss(f"{written(NAME, (12800, 1))} returned {got:g}, which is {side(got, want)}",
                   "codes and scales are read once, the copy is written once and read once",
                   "write down four parts for a single weight: code, its share of a scale, copy written, copy read")


def further_products(spec: Spec, answers: Answers) -> None:
    """What one more product adds."""
    more = ask_number(answers, NAME, 12800, 6) - ask_number(answers, NAME, 12800, 5)
    want = 12800 * spec["copy_bytes"]
    if not close(more, want):
        raise Miss(f"from 5 products to 6, `moved` grew by {more:g} bytes, which is {side(more, want)}",
                   "once the copy is there, a product reads the copy and nothing else",
                   "which of your four parts have to move again for another vector?")


def proportional(spec: Spec, answers: Answers) -> None:
    """Twice the weights."""
    one, three = ask_number(answers, NAME, 6400, 2), ask_number(answers, NAME, 19200, 2)
    if not (one > 0 and close(three, 3 * one)):
        raise Miss(f"three times the weights gave {three / one if one else 0:.4g} times the bytes",
                   "every part is a number of bytes per weight, the scales too: each group has its own",
                   "how many scales do three times as many weights have?")


def show(spec: Spec, answers: Answers) -> Bars:
    """Bytes per weight over products."""
    return Bars("Bytes per weight and product", "bytes", [
        (f"{p} product{'s' * (p > 1)}", yours(lambda p=p: ask_number(answers, NAME, 12800, p) / 12800 / p),
         bytes_of(spec, 12800, p) / 12800 / p) for p in (1, 2, 8, 64)])


REFERENCE = '''
once = <<bits>> / 8 + <<scale_bits>> / 8 / <<group>> + <<writes>> * <<copy_bytes>>
return weights * (once + products * <<copy_bytes>>)
'''

EXERCISE = Exercise(
    id="06.1", title="The bytes of a copy", kind="warm-up", difficulty=1, importance=5, minutes=5,
    objective="You can say what a program moves that turns its weights into floats first, and when that pays.",
    spec=spec, show=show,
    prose="""
A program decodes a quantized matrix into a copy, once, and then multiplies the copy with several vectors, one after
the other. The matrix and the copy are far larger than the cache.

| what | |
|---|---|
| a code | <<bits>> bits |
| a scale | <<scale_bits>> bits, shared by <<group>> weights |
| the copy | <<copy>>: <<copy_bytes>> bytes a weight |
| writing | <<write_words>> |
| a product | reads the whole copy, and nothing else that counts |

Write `moved(weights, products)`: the bytes that move to or from memory, from the codes to the last product. A fraction
of a byte is fine; all groups are full.

**Example.** With <<weights>> weights and <<products>> products, <<example>> bytes move.
""",
    hints=("What happens once, and what happens for every product? Add the two kinds apart.",
           "Everything is a number of bytes for one weight; multiply by the weights last."),
    head='''
def moved(weights, products):
    """Bytes that move: decode once into a copy, then multiply it so many times."""
''',
    reference=REFERENCE,
    second='''
read = weights * <<bits>> / 8 + weights / <<group>> * <<scale_bits>> / 8
return read + weights * <<copy_bytes>> * (<<writes>> + products)
''',
    explanation="For one product the copy is the most expensive way there is. It pays where it is used many times "
                "while it lies in the cache: that is how a prompt is read, piece by piece (`kernels/tiles.py`).",
    checks=(Check("decode, and one product", 1, first_product), Check("one more product", 1, further_products),
            Check("more weights", 1, proportional)),
    wrong=(
        Wrong("scales left out", 1, REFERENCE.replace(" + <<scale_bits>> / 8 / <<group>>", "")),
        Wrong("writing counted the other way", 1, REFERENCE.replace("<<writes>>", "<<other_writes>>")),
        Wrong("the copy is read but never written", 1, REFERENCE.replace(" + <<writes>> * <<copy_bytes>>", "")),
        Wrong("the copy read once for all products", 1, REFERENCE.replace("products * ", "")),
        Wrong("codes read for every product", 1, """
            once = <<bits>> / 8 + <<scale_bits>> / 8 / <<group>>
            return weights * (<<writes>> * <<copy_bytes>> + products * (once + <<copy_bytes>>))"""),
        Wrong("bits returned as bytes", 2, REFERENCE.replace("return weights", "return 8 * weights")),
        Wrong("one scale for the whole matrix", 2, """
            once = <<bits>> / 8 + <<writes>> * <<copy_bytes>>
            return weights * (once + products * <<copy_bytes>>) + <<scale_bits>> / 8"""),
        Wrong("the example's number for everything", 3, "return <<example>>"),
    ),
)
