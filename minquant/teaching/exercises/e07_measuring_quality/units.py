"""07.1, warm-up: perplexity per token, and what the same text costs per byte, character or word.

What varies: the base of the logarithms, the unit of the cost, what it is divided by, and how many tokens are a prompt.
The base is never that of the unit, so something has to be converted. The traps: a power of the wrong base, a mean of
probabilities where a mean of logarithms belongs, bytes that are not characters, and tokens that are read, not scored.
"""

from __future__ import annotations

import math

from ..beside import Bars, yours
from ..checking import close, number, side, written
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME = "perplexity_and_cost"
BASES = {"2": 2.0, "10": 10.0, "math.e": math.e}  # as Python writes them -> what they are
BASE_WORDS = {"2": "to base 2", "10": "to base 10", "math.e": "natural (to base e)"}
UNITS = {"2": "bits", "math.e": "nats"}
PAIRS = (("10", "2"), ("10", "math.e"), ("2", "math.e"), ("math.e", "2"))  # base of the logarithms, base of the unit
# What the cost is divided by: how to count it, a count that goes wrong on some texts, and words for the table.
COUNTS = {"byte": ("len(text.encode())", "len(text)", "bytes of `text` in UTF-8"),
          "character": ("len(text)", "len(text.encode())", "characters of `text`, white space counted"),
          "word": ("len(text.split())", "len(text.split(' '))", "words of `text`: what white space separates")}
PLAIN, ODD = "the cat sat on the mat", "Größe: 7 µm,\n\n  naïve  Maße"
SHOWN = "Über das Maß"
SIXTH, TOKENS = 1 / 6, 9


def spec(draw: Draw) -> dict:
    """Base, unit and counting of one variant, and its worked example."""
    base, unit_base = draw.choice("bases", PAIRS)
    per, skip = draw.choice("per", tuple(COUNTS)), draw.integer("skip", 1, 4)
    count, other, words = COUNTS[per]
    drawn = {"base": base, "unit_base": unit_base, "base_words": BASE_WORDS[base], "unit": UNITS[unit_base], "per": per,
             "skip": skip, "prompt": "token is" if skip == 1 else f"{skip} tokens are", "count": count,
             "other_count": other, "count_words": words, "shown_text": SHOWN,
             "shown": [_log(base, round(draw.between(f"p{i}", 0.03, 0.9), 2)) for i in range(skip + 4)]}
    perplexity, cost = right(drawn, drawn["shown"], SHOWN)
    return drawn | {"example": f"perplexity {perplexity:.4g}, and {cost:.4g} {drawn['unit']} per {per}"}


def _log(base: str, share: float) -> float:
    return round(math.log(share) / math.log(BASES[base]), 4)


def right(spec: Spec, log_probs: list[float], text: str) -> tuple[float, float]:
    """Perplexity per scored token, and cost of the text in the unit, by the rules of the exercise."""
    scored = log_probs[spec["skip"]:]
    nats = -sum(scored) * math.log(BASES[spec["base"]])
    count = {"byte": len(text.encode()), "character": len(text), "word": len(text.split())}[spec["per"]]
    return math.exp(nats / len(scored)), nats / math.log(BASES[spec["unit_base"]]) / count


def _ask(answers: Answers, log_probs: list[float], text: str) -> tuple[float, float]:
    call, got = written(NAME, (log_probs, text)), answers.call(NAME, log_probs, text)
    if not isinstance(got, list) or len(got) != 2:
        raise Miss(f"{call} returned {str(got)[:60]}", "two numbers are expected: a perplexity and a cost",
                   "end the function with `return perplexity, cost`")
    return number(got[0], call + "[0]"), number(got[1], call + "[1]")


def _scored(spec: Spec) -> list[float]:
    """Logarithms of unequal tokens, to the base of the variant."""
    return [_log(spec["base"], share) for share in (0.5, 0.02, 0.9, 0.11, 0.3, 0.7, 0.04)]


def equal(spec: Spec, answers: Answers) -> None:
    """Tokens that all had the same probability, prompt and all."""
    log_probs = [math.log(SIXTH) / math.log(BASES[spec["base"]])] * (spec["skip"] + TOKENS)
    got, want = _ask(answers, log_probs, PLAIN)[0], right(spec, log_probs, PLAIN)[0]
    if not close(got, want, 1e-6):
        raise Miss(f"where every token had the probability 1/6, the perplexity was {got:.4g}: {side(got, want)}",
                   "whoever always hesitates between k equally likely tokens has perplexity k",
                   "the mean cost is a logarithm; of which base must the power be that undoes it?")


def unequal(spec: Spec, answers: Answers) -> None:
    """Unequal tokens, after a prompt that is just as likely on average."""
    scored = _scored(spec)
    log_probs = [sum(scored) / len(scored)] * spec["skip"] + scored
    got, want = _ask(answers, log_probs, PLAIN)[0], right(spec, log_probs, PLAIN)[0]
    if not close(got, want, 1e-6):
        raise Miss(f"for tokens of unequal probability the perplexity was {got:.4g}: {side(got, want)}",
                   "it is the power of the mean cost, and the cost of a token is a logarithm",
                   "average the logarithms of the scored tokens first; the power comes last")


def prompt(spec: Spec, answers: Answers) -> None:
    """What the prompt cost is nobody's business; the first token after it counts."""
    scored, skip = _scored(spec), spec["skip"]
    got = [_ask(answers, [_log(spec["base"], share)] * skip + scored, PLAIN) for share in (0.9, 0.05)]
    if any(not close(a, b) for a, b in zip(*got, strict=True)):
        raise Miss(f"another prompt before the same text changed the figures: {got[0][0]:.4g} became {got[1][0]:.4g}, "
                   f"{got[0][1]:.4g} became {got[1][1]:.4g}",
                   f"the first {spec['prompt']} read and not scored", "leave the prompt out of sum and number")
    changed = _ask(answers, [_log(spec["base"], 0.9)] * skip + [2 * scored[0], *scored[1:]], PLAIN)
    if any(close(a, b) for a, b in zip(got[0], changed, strict=True)):
        raise Miss("another probability of the first token after the prompt changed nothing",
                   "that token is scored", "print the tokens that you add up")


def _cost(spec: Spec, answers: Answers, text: str, why: str, advice: str) -> None:
    """The cost of a text after a prompt that was certain, so that it costs nothing wherever it is counted."""
    log_probs = [0.0] * spec["skip"] + _scored(spec)
    got, want = _ask(answers, log_probs, text)[1], right(spec, log_probs, text)[1]
    if got < 0:
        raise Miss(f"the text {text!r} cost less than nothing", "a probability below 1 has a logarithm below 0, and "
                   "the cost is minus that", "put the minus where you add up")
    if not close(got, want, 1e-6):
        raise Miss(f"the text {text!r} cost {got:.4g} {spec['unit']} per {spec['per']}: {side(got, want)}", why, advice)


def cost(spec: Spec, answers: Answers) -> None:
    """The cost of a text of plain letters."""
    _cost(spec, answers, PLAIN, f"the cost of all scored tokens together, in {spec['unit']}, is divided by the number "
          f"of {spec['per']}s", f"how many {spec['unit']} does a token of probability one half cost, and what does its "
          "logarithm in `log_probs` say?")


def odd(spec: Spec, answers: Answers) -> None:
    """The cost of a text with umlauts and white space in a row."""
    _cost(spec, answers, ODD, "this text has letters of two bytes, and white space in a row",
          f"count the {spec['per']}s of this text by hand, then make your code count the same")


def show(spec: Spec, answers: Answers) -> Bars:
    """The worked example, beside the learner's own figures."""
    want = right(spec, spec["shown"], SHOWN)
    got = yours(lambda: _ask(answers, spec["shown"], SHOWN)) or (None, None)
    return Bars(f"The example: perplexity, and {spec['unit']} per {spec['per']}", "",
                [("perplexity", got[0], want[0]), (f"per {spec['per']}", got[1], want[1])])


REFERENCE = '''
scored = log_probs[<<skip>>:]
cost = -sum(scored)  # a logarithm to base <<base>>
return <<base>> ** (cost / len(scored)), cost * math.log(<<base>>, <<unit_base>>) / <<count>>
'''
_UNIT = "cost * math.log(<<base>>, <<unit_base>>)"

EXERCISE = Exercise(
    id="07.1", title="The cost of a text", kind="warm-up", difficulty=1, importance=5, minutes=5,
    objective="You can turn log-probabilities into a perplexity, and into a figure that compares tokenizers.",
    spec=spec, show=show,
    prose="""
A program has read a text and written down, for each token, the logarithm of the probability that it had given it.

| what | |
|---|---|
| `log_probs` | one logarithm per token, <<base_words>> |
| prompt | the first <<prompt>> read and not scored; all others are scored |
| `text` | what the scored tokens stand for |
| perplexity | per scored token |
| cost | of all scored tokens together, in <<unit>>, divided by the number of <<count_words>> |

Write `perplexity_and_cost(log_probs, text)`, which returns both: `(perplexity, cost)`. At least one token is scored,
and the text is never empty.

**Example.** The logarithms `<<shown>>` for the text `"<<shown_text>>"` give <<example>>.
""",
    hints=("A token's cost is minus its logarithm. Add up first; everything else is one division or one power.",
           "A logarithm to base a, times `math.log(a, b)`, is the logarithm to base b."),
    head='''
def perplexity_and_cost(log_probs, text):
    """(perplexity per scored token, cost of the text in the unit of the table)."""
''',
    reference=REFERENCE,
    second='''
probability = 1.0
for value in log_probs[<<skip>>:]:
    probability *= <<base>> ** value
return probability ** (-1 / (len(log_probs) - <<skip>>)), -math.log(probability) / math.log(<<unit_base>>) / <<count>>
''',
    explanation="PyTorch's `log_softmax` gives natural logarithms, files of n-gram models in ARPA format hold "
                "logarithms to base 10, and papers on compression count in bits: a table that does not name its unit "
                "cannot be compared. The second answer multiplies probabilities; with a few hundred tokens the "
                "product would be 0, which is why everybody adds logarithms.",
    checks=(Check("equally likely tokens: as many choices", 1, equal),
            Check("perplexity of unequal tokens", 1, unequal), Check("the prompt is not scored", 1, prompt),
            Check("the cost of a plain text", 1, cost),
            Check("the cost of a text with odd letters and spaces", 1, odd)),
    wrong=(
        Wrong("the power of another base", 2, REFERENCE.replace("return <<base>>", "return <<unit_base>>")),
        Wrong("minus forgotten", 4, REFERENCE.replace("-sum", "sum")),
        Wrong("the prompt scored too", 1, REFERENCE.replace("log_probs[<<skip>>:]", "log_probs")),
        Wrong("the prompt counted, but not added", 2, REFERENCE.replace("len(scored)", "len(log_probs)")),
        Wrong("one over the mean probability", 1, REFERENCE.replace(
            "<<base>> ** (cost / len(scored))", "len(scored) / sum(<<base>> ** value for value in scored)")),
        Wrong("unit not converted", 2, REFERENCE.replace(_UNIT, "cost")),
        Wrong("unit converted the wrong way", 2, REFERENCE.replace("log(<<base>>, <<unit_base>>)",
                                                                  "log(<<unit_base>>, <<base>>)")),
        Wrong("bytes and characters mixed up, or empty words counted", 1, REFERENCE.replace("<<count>>",
                                                                                           "<<other_count>>")),
        Wrong("cost per token", 2, REFERENCE.replace("/ <<count>>", "/ len(scored)")),
        Wrong("the mean cost divided once more", 2, REFERENCE.replace("/ <<count>>", "/ len(scored) / <<count>>")),
    ),
)
