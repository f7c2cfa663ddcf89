"""07.5, stretch: the difference of two models on one text, its error from blocks, and how long a text it takes.

What varies: the length of a block, which end of the text fills no block, the unit, how few blocks are too few, and how
many standard errors are asked for.
Source: batch means, Flegal and Jones 2010 (arXiv 0811.1729), section 2. We leave out choosing the length of a block.
"""

from __future__ import annotations

import math
from statistics import fmean, stdev

from ..beside import Bars, yours
from ..checking import close, number, side
from ..e05_bit_packing.asking import ask, short
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .paired_answers import REFERENCE, SECOND, WRONG

NAME = "compare"
WHOLE_BLOCKS = 11  # in the texts of the checks; more than any variant calls too few


def spec(draw: Draw) -> dict:
    """Rules of one variant, and costs of two models: with a rest, so that the first or last tokens fill no block."""
    bits, front = draw.choice("bits", (True, False)), draw.choice("front", (True, False))
    block, least = draw.integer("block", 5, 9), draw.integer("least", 3, 7)
    drawn = {"block": block, "least": least, "front": front, "end_words": "beginning" if front else "end",
             "z": draw.choice("z", (1.5, 2, 2.5, 3)), "rest": draw.integer("rest", 2, block - 2), "bits": bits,
             "unit": "bits" if bits else "nats", "unit_base": "2" if bits else "math.e",
             "other_base": "math.e" if bits else "2",
             "cut": "[len(lost) - used:]" if front else "[:used]", "other_cut": "[:used]" if front else
             "[len(lost) - used:]", "start": "len(lost) % length" if front else "0"}
    for name in ("tested", "shown"):
        count = (WHOLE_BLOCKS if name == "tested" else least + 1) * block + drawn["rest"]
        floats = _costs(draw, name, count, block)
        drawn[name] = _doubtful(drawn, draw, name, floats), floats
    difference, error, needed = right(drawn, *drawn["shown"])
    return drawn | {"code": _in_lines(drawn["shown"][0]), "float_code": _in_lines(drawn["shown"][1]),
                    "count": len(drawn["shown"][0]),
                    "example": f"a difference of {difference:.4f}, an error of {error:.4f} and {needed} tokens"}


def _costs(draw: Draw, name: str, count: int, block: int) -> list[float]:
    """Costs of a text whose passages are hard or easy, a block and more at a time."""
    passages = [draw.between(f"{name}.{n}.level", 1, 5) for n in range(count // block + 2)]
    return [round(passages[(i + 3) // block] * draw.between(f"{name}.{i}", 0.5, 1.5), 2) for i in range(count)]


def _doubtful(drawn: Spec, draw: Draw, name: str, floats: list[float]) -> list[float]:
    """Costs of the rounded model: higher by no more than a few errors, and in some passages more than in others."""
    for turn in range(1000):
        rounded = [round(cost * (1.05 + 0.1 * draw.between(f"{name}{turn}.{i}.off", -1, 1)
                                 + 0.2 * draw.between(f"{name}{turn}.{(i + 2) // drawn['block']}.passage", -1, 1)), 2)
                   for i, cost in enumerate(floats)]
        difference, error, _ = right(drawn, rounded, floats)
        single = right(drawn | {"block": 1}, rounded, floats)[1]
        if 0.3 < error / difference < 3 and error > 1.5 * single:
            return rounded
    raise RuntimeError("no costs in a thousand leave a doubt; widen the range they are drawn from")


def _in_lines(values: list[float]) -> str:
    return ",\n    ".join(", ".join(map(str, values[i:i + 14])) for i in range(0, len(values), 14))


def right(spec: Spec, rounded: list[float], floats: list[float]) -> tuple[float, float | None, int | None]:
    """Difference, error and tokens needed, by the rules of the exercise."""
    scale = math.log(2) if spec["bits"] else 1.0
    lost, block = [(a - b) / scale for a, b in zip(rounded, floats, strict=True)], spec["block"]
    difference, blocks = fmean(lost), len(lost) // block
    if blocks < spec["least"]:
        return difference, None, None
    start = len(lost) % block if spec["front"] else 0
    error = stdev(fmean(lost[start + n * block:start + (n + 1) * block]) for n in range(blocks)) / math.sqrt(blocks)
    exact = blocks * block * (spec["z"] * error / difference) ** 2 if difference else math.inf
    return difference, error, math.ceil(exact) if difference else None


def _whole(spec: Spec, series: list[float]) -> list[float]:
    """The part of a series that fills blocks."""
    rest = len(series) % spec["block"]
    return series[rest:] if spec["front"] else series[:len(series) - rest]


def _ask(answers: Answers, rounded: list[float], floats: list[float], shown: str) -> list:
    """The three results: a number, and two that may be None."""
    got = ask(answers, shown, NAME, rounded, floats)
    if not isinstance(got, list) or len(got) != 3:
        raise Miss(f"{shown} returned {short(got)}", "a difference, an error and a number of tokens are expected",
                   "end the function with `return difference, error, needed` on every path")
    names = ("difference", "error", "number of tokens")
    return [part if part is None and n else number(part, f"{shown}, the {names[n]},") for n, part in enumerate(got)]


def _sure(answers: Answers, rounded: list[float], floats: list[float], shown: str) -> list:
    """The same where there are enough blocks: an error, not None."""
    got = _ask(answers, rounded, floats, shown)
    if got[1] is None:
        raise Miss(f"{shown} gave the error None", f"{len(floats)} tokens are enough blocks",
                   "count whole blocks; how many are too few?")
    return got


def mean(spec: Spec, answers: Answers) -> None:
    """The difference of a text of whole blocks."""
    pair = [_whole(spec, series) for series in spec["tested"]]
    got, want = _ask(answers, *pair, "a text of whole blocks")[0], right(spec, *pair)[0]
    if got < 0:
        raise Miss("the difference came out below 0", "the tokens of this text cost the rounded model more, on average",
                   "which of the two is subtracted?")
    if not close(got, want, 1e-6):
        raise Miss(f"the difference was {got:.5g}: {side(got, want)}",
                   f"it is what a token costs the rounded model more, on average, in {spec['unit']}",
                   "is it a mean over all tokens, and in which unit are the costs that come in?")


def pairing(spec: Spec, answers: Answers) -> None:
    """A text that is harder for both models alike changes nothing."""
    pair = [_whole(spec, series) for series in spec["tested"]]
    before = _sure(answers, *pair, "a text of whole blocks")
    harder = [[cost + 3 * (i // spec["block"] % 3) for i, cost in enumerate(series)] for series in pair]
    after = _sure(answers, *harder, "the same text with harder passages")
    if not (close(before[0], after[0], 1e-6) and close(before[1], after[1], 1e-6)):
        raise Miss(f"passages were made harder for both models by the same amount; difference and error went from "
                   f"{before[0]:.4g} and {before[1]:.4g} to {after[0]:.4g} and {after[1]:.4g}",
                   "what is hard for both models cancels, where their costs are subtracted token by token",
                   "subtract first; everything else is computed from the differences")


def blocks(spec: Spec, answers: Answers) -> None:
    """Blocks that are all alike leave no doubt, however their tokens vary; blocks that differ do."""
    block, count = spec["block"], WHOLE_BLOCKS * spec["block"]
    floats = [2.0] * count
    alike = [2.5 + 0.25 * (i % block) for i in range(count)]
    differ = [2.5 + 0.25 * (i // block % 4) for i in range(count)]
    got = [_sure(answers, series, floats, "a made-up text")[1] for series in (alike, differ)]
    if not (abs(got[0]) < 1e-9 < got[1]):
        raise Miss(f"where all blocks have the same mean, the error was {got[0]:.4g}; where blocks differ, it was "
                   f"{got[1]:.4g}", "the error comes from how much the means of blocks differ, not single tokens",
                   "put the differences into rows of one block each; what is the mean of each row?")


def size(spec: Spec, answers: Answers) -> None:
    """The error itself."""
    pair = [_whole(spec, series) for series in spec["tested"]]
    got, want = _sure(answers, *pair, "a text of whole blocks")[1], right(spec, *pair)[1]
    if not close(got, want, 1e-6):
        raise Miss(f"for {WHOLE_BLOCKS} whole blocks the error was {got:.5g}: {side(got, want)}",
                   f"it is the standard deviation of the blocks' mean differences, divided by n - 1, over the root of "
                   f"their number, in {spec['unit']}", "print the mean of each block of the example, then their spread")


def rest(spec: Spec, answers: Answers) -> None:
    """Tokens that fill no block: in the difference, not in the error."""
    pair, count = spec["tested"], len(spec["tested"][0])
    error = _sure(answers, *pair, f"a text of {count} tokens")[1]
    trimmed = _sure(answers, *(_whole(spec, series) for series in pair), "its whole blocks alone")[1]
    if not close(error, trimmed, 1e-6):
        raise Miss(f"a text of {count} tokens had an error of {error:.5g}, its whole blocks alone {trimmed:.5g}",
                   f"the tokens at the {spec['end_words']} that fill no block are left out of the error",
                   f"how many of {count} tokens are that, and which?")
    floats, left = [2.0] * count, count % spec["block"]
    places = range(left) if spec["front"] else range(count - left, count)
    only = [2.0 + (i in places) for i in range(count)]
    if close(_ask(answers, only, floats, "a text in which only the rest differs")[0], 0):
        raise Miss("two models that differ in the tokens of no block alone got a difference of 0",
                   "those tokens are left out of the error, and counted in the difference",
                   "take the difference before you cut anything off")


def needed(spec: Spec, answers: Answers) -> None:
    """The tokens needed follow from the answer's own difference and error."""
    difference, error, got = _sure(answers, *spec["tested"], "a text")
    used = len(_whole(spec, spec["tested"][0]))
    exact = used * (spec["z"] * error / difference) ** 2 if difference else math.inf
    if got is None or got != round(got) or not exact * (1 - 1e-9) <= got < exact * (1 + 1e-9) + 1:
        raise Miss(f"with a difference of {difference:.4g} and an error of {error:.4g} it takes {got} tokens, you say",
                   "an error falls with the root of the tokens in whole blocks; it has to fall until "
                   f"{spec['z']} errors are no more than the difference",
                   "how many times longer must the text be if the error is to be halved? Round up last")


def no_answer(spec: Spec, answers: Answers) -> None:
    """Too few blocks, and two models that are the same."""
    for count, enough in ((spec["least"] - 1, False), (spec["least"], True)):
        pair = [_whole(spec, series)[:count * spec["block"]] for series in spec["tested"]]
        got = _ask(answers, *pair, f"a text of {count} blocks")
        if [part is not None for part in got] != [True, enough, enough]:
            raise Miss(f"{count} whole blocks had the error {_said(got[1])}, and it takes {_said(got[2])} tokens",
                       f"fewer than {spec['least']} blocks have no spread to speak of: error and number of tokens are "
                       "None there, and only there", "test the number of whole blocks before you use it")
    floats = spec["tested"][1]
    got = _ask(answers, floats, floats, "a model and itself")
    if got[0] != 0 or got[1] is None or got[2] is not None:
        raise Miss(f"a model and itself have the difference {got[0]:.4g}, and it takes {_said(got[2])} tokens",
                   "where the difference is 0, no text is long enough", "return None for the number of tokens there")


def _said(part: float | None) -> str:
    return "None" if part is None else f"{part:.4g}"


def show(spec: Spec, answers: Answers) -> Bars:
    """Difference and error of the example."""
    got = yours(lambda: _ask(answers, *spec["shown"], "the example")) or (None, None)
    want = right(spec, *spec["shown"])
    return Bars("The example: what rounding costs, and how sure that is", spec["unit"],
                [("difference", got[0], want[0]), ("error", got[1], want[1])])


EXERCISE = Exercise(
    id="07.5", title="How sure is a difference?", kind="stretch", difficulty=4, importance=4, minutes=30,
    objective="You can put the right error on a difference of two models, and say how long a text settles it.",
    spec=spec, show=show, reference=REFERENCE, second=SECOND, wrong=WRONG,
    prose="""
Two models have read the same text. Is the difference of their costs real, and how sure is that? Write
`compare(rounded, floats)`, which returns `(difference, error, needed)`. `rounded` and `floats` are lists of the cost of
each token, in nats and in the order of the text.

| what | |
|---|---|
| lost | cost to the rounded model minus cost to the float model, token by token, in <<unit>> |
| difference | the mean of what is lost, over all tokens |
| blocks | <<block>> neighbouring tokens each; tokens at the <<end_words>> of the text that fill no block are in none |
| error | the standard deviation of the n means of blocks (divided by n - 1) over the root of n |
| needed | the smallest whole number of tokens with which <<z>> errors are no more than the size of the difference |
| too few | with fewer than <<least>> whole blocks, error and needed are `None` |
| no difference | where the difference is exactly 0, needed is `None` |

For `needed`, take it that difference and spread stay as they are, and that the error falls with the root of the number
of tokens. The error belongs to the tokens in whole blocks.

**Example.** The costs in the cell below, of <<count>> tokens, give <<example>>.
""",
    hints=("Subtract token by token before anything else; the float model's costs are not needed after that.",
           "`a.reshape(n, length).mean(axis=1)` are the means of n blocks.",
           "To halve an error takes four times the text. By which factor has the error to change here?"),
    given="""
# The example. Change what you like: the checks use other costs.
rounded = [
    <<code>>]
floats = [
    <<float_code>>]
""",
    head='''
def compare(rounded, floats):
    """(mean difference, its standard error, tokens needed) of two models on the same tokens."""
''',
    explanation="Blocks of <<block>> tokens are for this exercise; the course uses 256. The number of tokens needed is "
                "only as good as the difference that it is computed from: below two errors it is little more than an "
                "order of magnitude.",
    checks=(Check("the mean difference", 1, mean), Check("what is hard for both cancels", 1, pairing),
            Check("blocks, not tokens", 1, blocks), Check("the error", 2, size), Check("tokens in no block", 1, rest),
            Check("the text that is needed", 1, needed), Check("where there is no answer", 1, no_answer)),
)
