"""01.3, core: the batch from which a decode pass waits for arithmetic and no longer for memory.

What varies: the unit of the bandwidth (GB or GiB), what the arithmetic rate counts (operations or multiply-adds), and
the work of unpacking a weight, done once per pass whatever the batch.
Two ends matter as much as the formula: with enough cache per sequence no batch is large enough, and with costly
unpacking batch 1 is already there. Model of the machine: roofline (Williams, Waterman and Patterson 2009).
"""

from __future__ import annotations

import math
from fractions import Fraction

from ..beside import Curves, yours
from ..checking import side, written
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME = "turning_batch"
# weights, bits per weight, cache bytes per sequence, bandwidth, rate
PLAIN = ((600_000_000, 8.5, 0, 37.0, 9137.0), (1_100_000_000, 16.0, 0, 61.0, 7013.0),
         (90_000_000, 8.25, 0, 23.0, 8017.0))
CACHED = ((600_000_000, 8.5, 1_000_000, 37.0, 9137.0), (1_100_000_000, 16.0, 3_000_000, 61.0, 7013.0))
NEVER = (100_000_000, 8.5, 900_000_000, 41.0, 997.0)
SHOWN = (400_000_000, 4.5, 2_000_000, 50.0, 6000.0)  # the picture's, and no check's
AT_ONCE = (300_000_000, 2.5, 100_000, 67.0, 751.0)  # unpacking > reading > multiply-adds


def spec(draw: Draw) -> dict:
    """Units and work of one variant."""
    unit, pair = draw.choice("unit", ("GB", "GiB")), draw.choice("pair", (1, 2))
    return {"unit": unit, "unit_bytes": "1e9" if unit == "GB" else "2**30",
            "other_unit_bytes": "2**30" if unit == "GB" else "1e9",
            "pair": pair, "other_pair": 3 - pair, "unpack": draw.integer("unpack", 20, 39) / 4,
            "pair_word": "two operations" if pair == 2 else "one operation"}


def turning_point(spec: Spec, weights: int, bits: float, cache: int, bandwidth: float, rate: float) -> int | None:
    """The batch, in exact fractions, by the rules of the exercise."""
    unit = 10**9 if spec["unit"] == "GB" else 2**30
    per_byte, per_operation = 1 / (Fraction(bandwidth) * unit), 1 / (Fraction(rate) * 10**9)
    ahead = weights * Fraction(bits) / 8 * per_byte - Fraction(spec["unpack"]) * weights * per_operation
    gain = spec["pair"] * weights * per_operation - cache * per_byte
    if ahead <= gain:
        return 1
    return math.ceil(ahead / gain) if gain > 0 else None


def _ask(answers: Answers, case: tuple) -> float | None:
    got = answers.call(NAME, *case)
    if got is None or (isinstance(got, (int, float)) and not isinstance(got, bool) and math.isfinite(got)):
        return got
    raise Miss(f"{written(NAME, case)} returned {got!r}", "a batch is a whole number; None says that there is none",
               "does every path end in a `return` with one of the two?")


def _batch(answers: Answers, case: tuple) -> float:
    got = _ask(answers, case)
    if got is None:
        raise Miss(f"{written(NAME, case)} returned None", "here some batch keeps the arithmetic busy long enough",
                   "how much longer does each further sequence compute than it reads? Only if that is not above 0 "
                   "can there be no such batch")
    return got


def near(spec: Spec, answers: Answers) -> None:
    """Weights alone, to within one."""
    _near(spec, answers, PLAIN, "reading takes the bytes over the bandwidth, once per pass; arithmetic takes the "
                                "unpacking, once per pass, and a multiply-add per weight and sequence",
          "write both times for batch 1 and compare their units with the table")


def cached(spec: Spec, answers: Answers) -> None:
    """With a cache that every sequence brings along, to within one."""
    _near(spec, answers, CACHED, "each sequence of the batch brings its own cache, so a larger batch also reads more",
          "move everything that grows with the batch to one side")


def _near(spec: Spec, answers: Answers, cases: tuple, why: str, advice: str) -> None:
    for case in cases:
        got, want = _batch(answers, case), turning_point(spec, *case)
        if abs(got - want) > 1:
            raise Miss(f"{written(NAME, case)} returned {got:g}: {side(got, want)}", why, advice)


def smallest(spec: Spec, answers: Answers) -> None:
    """The smallest whole batch, not one beside it."""
    for case in PLAIN:
        got, want = _batch(answers, case), turning_point(spec, *case)
        if got != want:
            raise Miss(f"{written(NAME, case)} returned {got:g}",
                       "that is not the smallest whole batch at which arithmetic takes at least as long as reading",
                       "put your result, and the whole numbers beside it, into both times")


def never(spec: Spec, answers: Answers) -> None:
    """A cache so large that no batch is enough."""
    got = _ask(answers, NEVER)
    if got is not None:
        raise Miss(f"{written(NAME, NEVER)} returned {got:g}",
                   "here each further sequence takes longer to read than to compute, so a larger batch never helps",
                   "return None where what a sequence adds to the arithmetic is less than what it adds to the reading")
    _batch(answers, PLAIN[0])


def at_once(spec: Spec, answers: Answers) -> None:
    """Unpacking alone outlasts reading."""
    got = _ask(answers, AT_ONCE)
    if got != 1:
        raise Miss(f"{written(NAME, AT_ONCE)} returned {got}",
                   "on so slow a processor unpacking alone takes longer than reading, and no batch is below 1",
                   "look at batch 1 before you solve for anything")


def times(spec: Spec, case: tuple, batch: float) -> tuple[float, float]:
    """Seconds that reading and arithmetic take at a batch."""
    weights, bits, cache, bandwidth, rate = case
    unit = 1e9 if spec["unit"] == "GB" else 2**30
    return ((weights * bits / 8 + batch * cache) / (bandwidth * unit),
            weights * (spec["unpack"] + spec["pair"] * batch) / (rate * 1e9))


def show(spec: Spec, answers: Answers) -> Curves:
    """Both times over the batch, with a mark where the learner's answer says they meet."""
    step = turning_point(spec, *SHOWN) // 10 + 1
    batches = [step * i for i in range(25)]
    read, compute = zip(*(times(spec, SHOWN, b) for b in batches), strict=True)
    return Curves("One pass over 0.4 B weights of 4.5 bits, 2 MB of cache per sequence", "batch", "milliseconds",
                  batches, [("reading", [1e3 * t for t in read]), ("arithmetic", [1e3 * t for t in compute])],
                  yours=yours(lambda: _ask(answers, SHOWN)))


REFERENCE = '''
byte, operation = 1 / (bandwidth * <<unit_bytes>>), 1 / (rate * 1e9)  # seconds
lead = weights * bits_per_weight / 8 * byte - <<unpack>> * weights * operation  # of reading, at batch 0
gain = <<pair>> * weights * operation - cache_bytes * byte  # of arithmetic, per sequence
if lead <= gain:
    return 1
return math.ceil(lead / gain) if gain > 0 else None
'''

WRONG = (
    Wrong("GB and GiB mixed up", 3, REFERENCE.replace("<<unit_bytes>>", "<<other_unit_bytes>>")),
    Wrong("a multiply-add counted the other way", 3, REFERENCE.replace("<<pair>>", "<<other_pair>>")),
    Wrong("unpacking forgotten", 4, REFERENCE.replace("<<unpack>>", "0")),
    Wrong("unpacking paid by every sequence", 3, REFERENCE.replace("- <<unpack>> * weights * operation", "").replace(
        "<<pair>> *", "(<<pair>> + <<unpack>>) *")),
    Wrong("bits taken for bytes", 4, REFERENCE.replace("/ 8", "")),
    Wrong("the caches of the batch ignored", 2, REFERENCE.replace("- cache_bytes * byte", "")),
    Wrong("one cache for the whole batch", 2, REFERENCE.replace("- cache_bytes * byte", "").replace(
        "bits_per_weight / 8 * byte", "bits_per_weight / 8 * byte + cache_bytes * byte")),
    Wrong("rounded down", 1, REFERENCE.replace("math.ceil(lead / gain)", "int(lead / gain)")),
    Wrong("a negative batch where there is none", 1, REFERENCE.replace("if gain > 0 else None", "")),
    Wrong("batch below 1", 1, REFERENCE.replace("return 1", "return math.ceil(lead / gain)")),
)

EXERCISE = Exercise(
    id="01.3", title="The batch that turns decode compute-bound", kind="core", difficulty=3, importance=4, minutes=12,
    objective="You can say from three figures of a machine up to which batch extra sequences are nearly free.",
    spec=spec, show=show,
    prose="""
Several sequences decoded together share one reading of the weights, but each has its own arithmetic and its own cache.
Write `turning_batch(weights, bits_per_weight, cache_bytes, bandwidth, rate)`: the **smallest whole batch, at least 1,
at which the arithmetic of a pass takes at least as long as its reading**, or `None` where no batch does.

| argument | meaning |
|---|---|
| weights | how many weights are read in a pass |
| bits_per_weight | stored bits, scales counted |
| cache_bytes | bytes of KV cache that *each* sequence reads in a pass |
| bandwidth | <<unit>> per second (1 <<unit>> = <<unit_bytes>> bytes) |
| rate | 1e9 operations per second; a multiply-add counts as <<pair_word>> |

- Reading: all weights once per pass, and the cache of every sequence.
- Arithmetic: one multiply-add per weight and sequence, and on average <<unpack>> operations per weight to unpack it,
  once per pass whatever the batch. The arithmetic of attention is left out.
- Reading and arithmetic run at the same time; the longer one sets the pace.
""",
    hints=("Both times are straight lines over the batch: a part that is there at batch 0, and a part per sequence.",
           "Solve for the crossing. Then look at three cases: it lies below 1, above 1, or nowhere."),
    head='''
def turning_batch(weights, bits_per_weight, cache_bytes, bandwidth, rate):
    """Smallest batch at which arithmetic takes at least as long as reading; None where there is none."""
''',
    reference=REFERENCE,
    second='''
def computes(batch):
    reading = (weights * bits_per_weight / 8 + batch * cache_bytes) / (bandwidth * <<unit_bytes>>)
    return weights * (<<unpack>> + <<pair>> * batch) / (rate * 1e9) >= reading

low, high = 0, 1
while not computes(high):
    low, high = high, 2 * high
    if high > 10**12:
        return None
while high - low > 1:
    middle = (low + high) // 2
    low, high = (low, middle) if computes(middle) else (middle, high)
return high
''',
    explanation="Without cache and unpacking the crossing is bits / 8 x rate / (operations per multiply-add x "
                "bandwidth): fewer bits per weight turn decode compute-bound at a *smaller* batch. Long contexts push "
                "it away again.",
    checks=(Check("weights alone, to within one", 1, near), Check("the smallest whole batch", 1, smallest),
            Check("each sequence brings its cache", 1, cached), Check("a cache for which no batch is enough", 1, never),
            Check("batch 1 already computes longer than it reads", 1, at_once)),
    wrong=WRONG,
)
