"""01.5, stretch: guess tokens with a small model, check them all in one pass of the large one.

What varies: whether reading and arithmetic overlap, a fixed cost per round, how many tokens may be guessed.
Source of the idea: Leviathan, Kalman and Matias 2023, "Fast inference from transformers via speculative decoding",
where the expected number of tokens per round is derived. We leave out the cache, and guesses that hang together.
"""

from __future__ import annotations

from ..beside import Curves, yours
from ..checking import close, number, side, written
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME = "best_draft"
# accept, read_ms, token_ms, draft_ms
CASES = ((0.97, 90.0, 0.5, 0.25), (0.5, 1.0, 0.1, 0.5), (0.8, 20.0, 1.5, 2.0), (0.6, 33.0, 2.5, 1.25),
         (0.9, 12.0, 4.5, 0.75), (0.7, 26.0, 0.5, 4.0))


def spec(draw: Draw) -> dict:
    """Rules of one variant."""
    overlap = draw.choice("overlap", (True, False))
    time, other = "max(read_ms, (k + 1) * token_ms)", "read_ms + (k + 1) * token_ms"
    return {"overlap": overlap, "overhead": draw.integer("overhead", 5, 23) / 4,
            "longest": draw.integer("longest", 5, 10), "time": time if overlap else other,
            "other_time": other if overlap else time,
            "rule": "run at the same time: the longer one counts" if overlap else
                    "follow each other: their times add up"}


def speed(spec: Spec, k: int, accept: float, read_ms: float, token_ms: float, draft_ms: float) -> float:
    """Tokens per second with k guesses a round, by the rules of the exercise."""
    tokens = sum(accept**i for i in range(k + 1))
    work = (k + 1) * token_ms
    check_ms = max(read_ms, work) if spec["overlap"] else read_ms + work
    return 1e3 * tokens / (k * draft_ms + check_ms + spec["overhead"])


def best(spec: Spec, case: tuple) -> tuple[int, float]:
    """The smallest best k, and its tokens per second."""
    k = max(range(spec["longest"] + 1), key=lambda k: (round(speed(spec, k, *case), 9), -k))
    return k, speed(spec, k, *case)


def _ask(answers: Answers, case: tuple) -> tuple[float, float]:
    got = answers.call(NAME, *case)
    if not isinstance(got, list) or len(got) != 2:
        raise Miss(f"{written(NAME, case)} returned {got!r}", "two numbers are expected: k, and tokens per second",
                   "end the function with `return k, tokens_per_s`")
    return number(got[0], written(NAME, case) + "[0]"), number(got[1], written(NAME, case) + "[1]")


def without(spec: Spec, answers: Answers) -> None:
    """Guesses that are never accepted."""
    case = (0.0, 21.0, 2.0, 3.0)
    got, want = _ask(answers, case), best(spec, case)
    if got[0] != 0 or not close(got[1], want[1], 1e-6):
        raise Miss(f"{written(NAME, case)} returned {got[0]:g} guesses and {got[1]:.2f} tok/s",
                   "no guess is ever accepted here, so a round is worth one token and guessing only costs",
                   "work out k = 0 by hand: one token per round, one token checked, and what every round costs")


def certain(spec: Spec, answers: Answers) -> None:
    """Guesses that are always accepted and cost next to nothing."""
    case = (1.0, 21.0, 0.25, 0.01)
    got = _ask(answers, case)
    if got[0] != spec["longest"]:
        raise Miss(f"{written(NAME, case)} returned {got[0]:g} guesses",
                   "every guess is accepted here and guessing is almost free", "how many guesses does a round allow?")
    if not close(got[1], best(spec, case)[1], 1e-6):
        raise Miss(f"{written(NAME, case)} returned {got[1]:.2f} tok/s: {side(got[1], best(spec, case)[1])}",
                   "a round in which all guesses are accepted yields them and one token more",
                   "a formula that divides by 1 - accept needs a case of its own here")


def rate(spec: Spec, answers: Answers) -> None:
    """Tokens per second."""
    for case in CASES:
        got, want = _ask(answers, case)[1], best(spec, case)[1]
        if not close(got, want, 1e-6):
            raise Miss(f"{written(NAME, case)} returned {got:.2f} tok/s: {side(got, want)}",
                       "tokens expected from a round, over the time of guessing, checking and the fixed cost",
                       "print tokens and milliseconds of a round apart, for k = 1")


def guesses(spec: Spec, answers: Answers) -> None:
    """The k that is best."""
    for case in CASES:
        got, want = _ask(answers, case)[0], best(spec, case)[0]
        if got != want:
            raise Miss(f"{written(NAME, case)} returned {got:g} guesses", "another number of guesses is faster",
                       f"print the speed for every k from 0 to {spec['longest']}")


def show(spec: Spec, answers: Answers) -> Curves:
    """The learner's tokens per second over the share of accepted guesses."""
    shares = [i / 20 for i in range(20)]
    got = yours(lambda: [_ask(answers, (a, 18.0, 1.25, 2.5))[1] for a in shares])
    want = [best(spec, (a, 18.0, 1.25, 2.5))[1] for a in shares]
    return Curves("Reading 18 ms, 1.25 ms of arithmetic a token, 2.5 ms a guess", "share of guesses accepted", "tok/s",
                  shares, [("Spec", want), *([("Yours", got)] if got else [])])


REFERENCE = '''
best = (0, 0.0)
for k in range(<<longest>> + 1):
    tokens = sum(accept**i for i in range(k + 1))
    ms = k * draft_ms + <<time>> + <<overhead>>
    if 1000 * tokens / ms > best[1] * (1 + 1e-12):
        best = (k, 1000 * tokens / ms)
return best
'''

WRONG = (
    Wrong("the token of the large model forgotten", 4, REFERENCE.replace("range(k + 1))", "range(1, k + 1))")),
    Wrong("expected guesses k x accept", 2, REFERENCE.replace(
        "sum(accept**i for i in range(k + 1))", "1 + k * accept")),
    Wrong("guessing costs nothing", 3, REFERENCE.replace("k * draft_ms + ", "")),
    Wrong("reading and arithmetic combined the other way", 4, REFERENCE.replace("<<time>>", "<<other_time>>")),
    Wrong("fixed cost forgotten", 4, REFERENCE.replace(" + <<overhead>>", "")),
    Wrong("one guess too many allowed", 3, REFERENCE.replace("<<longest>> + 1", "<<longest>> + 2")),
    Wrong("always the longest round", 3, REFERENCE.replace("range(<<longest>> + 1)", "[<<longest>>]")),
)

EXERCISE = Exercise(
    id="01.5", title="How far to guess ahead", kind="stretch", difficulty=4, importance=3, minutes=30,
    objective="You can work out when a batch of guessed tokens makes a single sequence faster.",
    spec=spec, show=show, wrong=WRONG,
    prose="""
Tokens that are checked together share one reading of the weights. Speculative decoding uses that for a single sequence:
a small model guesses k tokens one after the other, then the large model checks all of them in one pass and adds one
token of its own. Guesses count up to the first that is rejected; the large model's own token counts always.

Write `best_draft(accept, read_ms, token_ms, draft_ms)`: the k from 0 to <<longest>> that gives the most tokens per
second, and those tokens per second, as `(k, tokens_per_s)`. If two k are equally fast, the smaller one.

- Each guess is accepted with probability `accept`, whatever the others are; a rejected one ends the round.
- A guess costs `draft_ms`. A pass over the large model reads for `read_ms` and computes `token_ms` for each of its
  k + 1 tokens; the two <<rule>>.
- Every round costs <<overhead>> ms more.
- With k = 0 nothing is guessed: a round is one pass for one token.
""",
    hints=("The first guess yields a token with probability a, the second with a², ... What is the sum for k guesses, "
           "and which token is not in it yet?", "Try every k. There are few."),
    head='''
def best_draft(accept, read_ms, token_ms, draft_ms):
    """(k, tokens per second) of the fastest number k of guesses per round."""
''',
    reference=REFERENCE,
    second='''
def tokens_per_s(k):
    tokens = k + 1 if accept == 1 else (1 - accept ** (k + 1)) / (1 - accept)
    return 1000 * tokens / (<<time>> + k * draft_ms + <<overhead>>)

fastest = max(tokens_per_s(k) for k in range(<<longest>> + 1))
k = next(k for k in range(<<longest>> + 1) if tokens_per_s(k) >= fastest * (1 - 1e-12))
return k, tokens_per_s(k)
''',
    explanation="The gain is the gap of exercise 01.3: as long as a pass waits for memory, checking k + 1 tokens costs "
                "about as much as checking one.",
    checks=(Check("guesses that are never accepted", 1, without), Check("guesses that always are", 1, certain),
            Check("tokens per second", 1, rate), Check("the best number of guesses", 1, guesses)),
)
