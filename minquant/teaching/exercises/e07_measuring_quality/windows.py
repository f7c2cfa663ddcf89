"""07.2, core: a text longer than the model's context, scored in windows that overlap.

What varies: context, stride, which tokens at the beginning are scored, and where the last window lies.
The rules are those of real programs: a last window that is short (Hugging Face's guide to perplexity) or moved back
until it is full (lm-evaluation-harness), and tokens that are scored from too little or left out (llama.cpp).
The model is a table: ``nll[i][k]`` is the cost of token i from the k tokens before it. The answer hands back its
windows, so the checks can tell a wrong window from a wrong mean.
"""

from __future__ import annotations

import math

from ..beside import Curves, yours
from ..checking import close, number, side
from ..e05_bit_packing.asking import ask, short
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .windows_answers import REFERENCE, SECOND, WRONG

NAME = "strided_perplexity"
SIZES = ((5, 2), (5, 3), (6, 2), (6, 4), (7, 2), (7, 3), (7, 4), (7, 5), (8, 3), (8, 5))  # context, stride
LEADS = ("all", "one", "full")
Windows = list[list[int]]


def spec(draw: Draw) -> dict:
    """The rules of one variant, and what its model charges."""
    context, stride = draw.choice("sizes", SIZES)
    rule, moved = draw.choice("lead", LEADS), draw.choice("moved", (True, False))
    lead = {"all": 0, "one": 1, "full": context - stride}[rule]
    drawn = {"context": context, "stride": stride, "lead": lead, "other_lead": 1 if lead == 0 else 0,
             "moved": moved, "lead_words": _lead_words(rule, context - stride),
             "last_words": f"is moved back until it holds {context} tokens" if moved else
                           "begins where it would, and is shorter",
             "table": _table(draw, "table", whole(context, stride) + 1),
             "shown": _table(draw, "shown", context + stride + 1)}
    windows, perplexity = right(drawn, drawn["shown"])
    rows = "\n".join(f"    {row}," for row in drawn["shown"])
    return drawn | {"count": len(drawn["shown"]), "code": rows, "picture": _picture(windows, len(drawn["shown"])),
                    "example": f"`{list(map(tuple, windows))}` and the perplexity {perplexity:.4g}"}


def _lead_words(rule: str, least: int) -> str:
    return {"all": "the first token is scored too, from nothing: every token counts",
            "one": "the first token is only read, because nothing stands before it; all others count",
            "full": f"the first {least} tokens are only read, so that all others are scored from {least} or more"}[rule]


def _table(draw: Draw, name: str, count: int) -> list[list[float]]:
    """Costs that fall, by and large, with what a token is scored from."""
    return [[round(draw.between(f"{name}.{i}", 2, 5) * (0.4 + 0.6 / (1 + k)) + draw.between(f"{name}.{i}.{k}", 0, 0.5),
                   2) for k in range(i + 1)] for i in range(count)]


def _picture(windows: Windows, count: int) -> str:
    """The windows as text: s where a token is scored, r where it is only read."""
    lines = ["token     " + " ".join(f"{i:2d}" for i in range(count))]
    for n, (begin, first, end) in enumerate(windows):
        marks = ["r" if begin <= i < first else "s" if first <= i < end else " " for i in range(count)]
        lines.append((f"window {n}  " + " ".join(f"{mark:>2s}" for mark in marks)).rstrip())
    return "\n".join(lines)


def whole(context: int, stride: int) -> int:
    """Tokens of a text whose last window, the fifth, is full."""
    return context + 4 * stride


def right(spec: Spec, nll: list[list[float]]) -> tuple[Windows, float]:
    """Windows as [begin, first scored, end] and the perplexity, by the rules of the exercise."""
    windows, done = [], spec["lead"]
    while not windows or windows[-1][2] < len(nll):
        end = min(spec["context"] + len(windows) * spec["stride"], len(nll))
        begin = max(0, end - spec["context"]) if spec["moved"] else len(windows) * spec["stride"]
        windows.append([begin, done, end])
        done = end
    return windows, perplexity_of(windows, nll)


def perplexity_of(windows: Windows, nll: list[list[float]]) -> float:
    """Perplexity of the tokens that these windows score, each from what its window holds before it."""
    costs = [nll[i][i - begin] for begin, first, end in windows for i in range(first, end)]
    return math.exp(sum(costs) / len(costs))


def _texts(spec: Spec) -> tuple[list[list[float]], list[list[float]]]:
    """A text that ends with a full window, and one of a token more."""
    return spec["table"][:-1], spec["table"]


def _ask(answers: Answers, nll: list[list[float]]) -> tuple[Windows, float]:
    call, count = f"{NAME}(a table of {len(nll)} tokens)", len(nll)
    got = ask(answers, call, NAME, nll)
    if not isinstance(got, list) or len(got) != 2 or not isinstance(got[0], list) or not got[0]:
        raise Miss(f"{call} returned {short(got)}", "a list of one window or more, and a perplexity, are expected",
                   "end the function with `return windows, perplexity`")
    for window in got[0]:
        if not _is_window(window, count):
            raise Miss(f"{call} returned the window {short(window)}",
                       "a window is (begin, first, end): it reads tokens begin to end - 1 and scores first to end - 1, "
                       "so begin <= first <= end <= number of tokens",
                       "print the three of every window; which of them runs past the text, or past another?")
    return got[0], number(got[1], call + "[1]")


def _is_window(window: object, count: int) -> bool:
    return (isinstance(window, list) and len(window) == 3 and all(type(place) is int for place in window)
            and 0 <= window[0] <= window[1] <= window[2] <= count and window[0] < window[2])


def once(spec: Spec, answers: Answers) -> None:
    """From the first scored token to the end of the text, each token is scored once."""
    for nll in _texts(spec):
        windows, _ = _ask(answers, nll)
        scored = [i for _, first, end in windows for i in range(first, end)]
        for i in range(windows[0][1], len(nll)):
            if scored.count(i) != 1:
                raise Miss(f"of {len(nll)} tokens, token {i} was scored {scored.count(i)} times",
                           "windows overlap in what they read; what they score lies end to end",
                           "where should a window begin to score, if the one before has scored up to its own end?")


def beginning(spec: Spec, answers: Answers) -> None:
    """The first token that is scored."""
    for nll in _texts(spec):
        first = _ask(answers, nll)[0][0][1]
        if first != spec["lead"]:
            raise Miss(f"the first window scores from token {first} on", spec["lead_words"],
                       "write down for the first tokens how many stand before each")


def places(spec: Spec, answers: Answers) -> None:
    """What the first windows read, away from the end of the text."""
    context, stride = spec["context"], spec["stride"]
    windows, _ = _ask(answers, spec["table"])
    for n, (begin, _, end) in enumerate(windows[:3]):
        if (begin, end) != (n * stride, n * stride + context):
            raise Miss(f"window {n} (the first is 0) reads from token {begin} up to, not including, {end}",
                       f"a window reads {context} tokens, and the next one begins {stride} later",
                       "the stride is how far windows move, not how far they overlap")


def last(spec: Spec, answers: Answers) -> None:
    """The last window, and no more after it."""
    for nll, words in zip(_texts(spec), ("ends where a window ends", "has one token left after a window"), strict=True):
        got, want = _ask(answers, nll)[0], right(spec, nll)[0]
        if len(got) != len(want) or (got[-1][0], got[-1][2]) != (want[-1][0], want[-1][2]):
            raise Miss(f"a text of {len(nll)} tokens {words}; you read {len(got)} windows, the last one from token "
                       f"{got[-1][0]} up to, not including, {got[-1][2]}",
                       "the first window that reaches the end of the text is the last one; where the text ends before "
                       f"the window is full, the window {spec['last_words']}",
                       "does every window of yours score something, and is everything scored?")


def brief(spec: Spec, answers: Answers) -> None:
    """A text that fits into one window with room to spare."""
    nll = spec["table"][:spec["context"] - 1]
    windows, _ = _ask(answers, nll)
    if [(begin, end) for begin, _, end in windows] != [(0, len(nll))]:
        raise Miss(f"a text of {len(nll)} tokens was read in {short([tuple(w) for w in windows])}",
                   f"it fits into one window of up to {spec['context']} tokens", "read all of it at once, from token 0")


def average(spec: Spec, answers: Answers) -> None:
    """The perplexity is that of the answer's own windows."""
    for nll in _texts(spec):
        windows, got = _ask(answers, nll)
        want = perplexity_of(windows, nll) if any(end > first for _, first, end in windows) else math.inf
        if not close(got, want, 1e-6):
            raise Miss(f"of {len(nll)} tokens, scored in the windows that you returned, the perplexity was {got:.5g}: "
                       f"{side(got, want)}",
                       "it is exp of the mean cost, in which every scored token has equal weight; token i of a window "
                       "is scored from the tokens between the beginning of the window and itself",
                       "add up costs and count tokens over all windows; divide once, at the end")


def figure(spec: Spec, answers: Answers) -> None:
    """Windows and mean together."""
    for nll in _texts(spec):
        got, want = _ask(answers, nll)[1], right(spec, nll)[1]
        if not close(got, want, 1e-6):
            raise Miss(f"of {len(nll)} tokens the perplexity was {got:.5g}: {side(got, want)}",
                       "each token is scored in one window, and from what that window holds before it",
                       "the other checks say whether it is the windows or the mean; begin with the windows")


def show(spec: Spec, answers: Answers) -> Curves:
    """How many tokens each token of the example was scored from."""
    def depth(windows: Windows) -> list[int]:
        found = {i: i - begin for begin, first, end in windows for i in range(first, end)}
        return [found.get(i, 0) for i in range(len(spec["shown"]))]

    mine = yours(lambda: _ask(answers, spec["shown"]))
    return Curves("The example: what each token is scored from (0: nothing, or not scored)", "token",
                  "tokens before it", list(range(len(spec["shown"]))),
                  [("Spec", depth(right(spec, spec["shown"])[0])), *([("Yours", depth(mine[0]))] if mine else [])])


def fields(spec: Spec) -> dict:
    """What only answers may know: how Python writes where a window begins, by the rules and by others."""
    context, stride, moved = spec["context"], spec["stride"], spec["moved"]
    back = f"max(0, end - {context})"
    begin, other = (back, f"{stride} * number")[::1 if moved else -1]
    return {"begin": begin, "other_begin": other, "overlap": context - stride,
            "begin_overlap": back if moved else f"{context - stride} * number",
            "begin_apart": back if moved else f"{context} * number"}


EXERCISE = Exercise(
    id="07.2", title="A long text in short windows", kind="core", difficulty=3, importance=5, minutes=15,
    objective="You can say which tokens a strided perplexity scores, in which window and from how many tokens.",
    spec=spec, show=show, answer_fields=fields, reference=REFERENCE, second=SECOND, wrong=WRONG,
    prose="""
A model reads at most <<context>> tokens at once, and a text is longer. It is read in windows:

| what | |
|---|---|
| windows | each reads <<context>> tokens; the next begins <<stride>> later |
| scored | what no window before has scored; everything else in a window is only read |
| beginning | <<lead_words>> |
| end | the first window that reaches the end of the text is the last one |
| a last window that the text does not fill | <<last_words>> |
| a text of fewer than <<context>> tokens | is one window |
| perplexity | exp of the mean cost of all scored tokens, in nats |

There is no model here, but a table of what it would say: `nll[i][k]` is the cost of token `i` if the window holds `k`
tokens before it. So `nll[i]` has `i + 1` entries, and `len(nll)` is the number of tokens. At least one is scored.

Write `strided_perplexity(nll)`, which returns `(windows, perplexity)`: a list with `(begin, first, end)` of each
window, which reads tokens `begin` to `end - 1` and scores `first` to `end - 1`; and the perplexity.

**Example.** The table in the cell below, of <<count>> tokens, gives the windows <<example>>
(r: only read, s: scored):

```
<<picture>>
```
""",
    hints=("Keep in mind how far you have scored. A window scores from there to its own end.",
           "Where does window number n end, if the text goes on? And if it does not?",
           "Token i of a window that begins at `begin` costs `nll[i][i - begin]`."),
    given="""
# The example's table. Change what you like: the checks use others.
example = [
<<code>>
]
""",
    head='''
def strided_perplexity(nll):
    """(windows as (begin, first, end), perplexity) of a text in overlapping windows; nll[i][k] as in the text."""
''',
    explanation="The same table gives another perplexity for every context, every stride and each of these rules for "
                "the two ends. None of them is wrong, but figures made by two of them cannot be compared. Hugging "
                "Face's guide lets the last window be short; lm-evaluation-harness moves it back; llama.cpp by "
                "default scores the second half of windows that do not overlap, and leaves the first half out. A mean "
                "of the windows' means, which many programs take, gives one token in a short last window the weight "
                "of a whole window.",
    checks=(Check("every token once", 1, once), Check("the first scored token", 1, beginning),
            Check("where windows lie", 1, places), Check("the last window is the last", 1, last),
            Check("a text shorter than a window", 1, brief), Check("a mean over tokens", 1, average),
            Check("the perplexity", 2, figure)),
)
