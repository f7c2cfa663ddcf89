"""10.5, stretch: a rotation folded into a small model, so that its stream is turned and its logits stay.

What varies: how the matrix is doubled, on which side of it the signs stand, how norms store their gain, whether matrices
lie with one row per output, and whether the model divides its own rotation by the root of the size.
The traps: Q and its transpose, a gain that is not folded before the turn, what writes to the stream, the rotation that the
model makes as it runs, a size without a matrix.
Source: Ashkboos et al. 2024, "QuaRot", arXiv 2404.00456, sections 3 and 4. Other sizes than powers of two exist
(``minquant.methods.hadamard``); here they are refused.
"""

from __future__ import annotations

import re

import numpy as np

from ..beside import Bars, yours
from ..checking import written
from ..e05_bit_packing.asking import ask
from ..e08_repairing_rounding.arrays import drawn_rows, literal, numbers
from ..source import Answers, Check, Exercise, Miss, Spec
from ..variant import Draw
from .turn_answers import REFERENCE, SECOND, WRONG

NAME, NAMES, VOCABULARY = "turn", ("embed", "gain", "up", "down", "final", "head"), 5
SIZES = {"first": (4, 8), "second": (8, 4), "shown": (2, 4)}
DOUBLED = {"plain": ("[[H, H], [H, -H]]", "[[1, 1], [1, -1]]"), "minus": ("[[H, H], [-H, H]]", "[[1, 1], [-1, 1]]"),
           "left": ("[[-H, H], [H, H]]", "[[-1, 1], [1, 1]]")}


def spec(draw: Draw) -> dict:
    """The rules of one variant, and the models of the checks and of the worked example."""
    doubled = draw.choice("doubled", tuple(DOUBLED))
    front, plus_one, turned, root = (draw.choice(n, (True, False)) for n in ("front", "gain", "rows", "root"))
    drawn = {"doubled": doubled, "front": front, "plus_one": plus_one, "turned": turned, "root": root,
             "block": DOUBLED[doubled][0], "kernel": DOUBLED[doubled][1],
             "signed": "signs[:, None] * H" if front else "H * signs",
             "python_signed": "np.diag(signs) @ H" if front else "H @ np.diag(signs)",
             "sign_words": "row i of H is multiplied by `signs[i]`" if front else "column j of H is multiplied by `signs[j]`",
             "one": "1 + " * plus_one, "neutral": "zeros" if plus_one else "ones",
             "gain_words": "1 + gain" if plus_one else "gain", "T": ".T" * turned,
             "online": "1" if root else "math.sqrt(f)",
             "online_words": "H, divided by the root of the size" if root else "H, with all its numbers 1 or -1, not divided",
             "online_code": "hadamard(h.shape[1]) / np.sqrt(h.shape[1])" if root else "hadamard(h.shape[1])",
             "layout_words": "input, one column per output" if turned else "output, one column per input"}
    drawn |= {name: [_weights(draw, name, d, f), _signs(drawn, draw, name, d)] for name, (d, f) in SIZES.items()}
    weights, signs = drawn["shown"]
    indent = ",\n           "
    text = indent.join(f'"{n}": np.array({literal(_laid(drawn, n, weights[n]), 24 + len(n))})' if np.ndim(weights[n]) == 2
                       else f'"{n}": np.array({weights[n]})' for n in NAMES)
    Q = turning(drawn, 2, signs)
    first = (np.array(weights["embed"]) @ Q)[0]
    return drawn | {"weight_text": text, "signs_text": str(signs),
                    "example": f"{first[0]:.4f}, {first[1]:.4f}"}


def _weights(draw: Draw, name: str, d: int, f: int) -> dict:
    """Weights with one row per output."""
    rows = {"embed": (VOCABULARY, d), "up": (f, d), "down": (d, f), "head": (VOCABULARY, d)}
    weights = {n: drawn_rows(draw, f"{name}.{n}", *shape, -1, 1) for n, shape in rows.items()}
    return weights | {n: drawn_rows(draw, f"{name}.{n}", 1, d, 0.3, 0.9)[0] for n in ("gain", "final")}


def _signs(spec: Spec, draw: Draw, name: str, d: int) -> list[int]:
    """Half of them -1; where d allows it, such that Q is not its own transpose, which would let Q for it pass."""
    for turn in range(100):
        signs = draw.order(f"{name}.signs{turn}", [1, -1] * (d // 2))
        Q = turning(spec, d, signs)
        if d == 2 or not np.allclose(Q, Q.T):
            return signs
    raise RuntimeError("a hundred orders of signs give a symmetric Q; draw signs of another kind")


def matrix(spec: Spec, n: int) -> np.ndarray:
    """H of size n, all its numbers 1 or -1: by doubling."""
    H = np.ones((1, 1))
    while len(H) < n:
        H = np.block({"plain": [[H, H], [H, -H]], "minus": [[H, H], [-H, H]], "left": [[-H, H], [H, H]]}[spec["doubled"]])
    return H


def turning(spec: Spec, n: int, signs: list[int]) -> np.ndarray:
    """Q: H with signs, over the root of its size."""
    by = np.diag(signs)
    return (by @ matrix(spec, n) if spec["front"] else matrix(spec, n) @ by) / np.sqrt(n)


def logits(spec: Spec, weights: dict, online: bool) -> np.ndarray:
    """What the model makes of every token; ``online``: it rotates the inputs of down as it runs."""
    def norm(x, gain):
        return x / np.sqrt((x**2).mean(axis=1, keepdims=True)) * (gain + spec["plus_one"])

    x = weights["embed"]
    h = np.tanh(norm(x, weights["gain"]) @ weights["up"].T)
    if online:
        f = h.shape[1]
        h = h @ matrix(spec, f) / (np.sqrt(f) if spec["root"] else 1)
    return norm(x + h @ weights["down"].T, weights["final"]) @ weights["head"].T


def _laid(spec: Spec, name: str, w) -> np.ndarray:
    """A weight as the exercise lays it out; the same function takes it back."""
    w = np.array(w, float)
    return w.T if spec["turned"] and name in ("up", "down", "head") else w


def _ask(spec: Spec, answers: Answers, name: str) -> tuple[dict, dict, np.ndarray]:
    """Weights before and after, with one row per output, and Q."""
    weights, signs = spec[name]
    given = {n: _laid(spec, n, weights[n]) for n in NAMES}
    call = f"{NAME}(a model of {SIZES[name][0]} channels)"
    got = ask(answers, call, NAME, given, np.array(signs))
    if not isinstance(got, dict) or set(got) != set(NAMES):
        raise Miss(f"{call} returned {str(got)[:60]}", f"a dict with {', '.join(NAMES)} is expected",
                   "start from `dict(weights)`, put new arrays in it, and return it")
    after = {n: _laid(spec, n, numbers(got[n], given[n].shape, call, n)) for n in NAMES}
    return {n: np.array(weights[n]) for n in NAMES}, after, turning(spec, SIZES[name][0], signs)


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return np.allclose(a, b, rtol=1e-6, atol=1e-9)


def embedding(spec: Spec, answers: Answers) -> None:
    """The stream begins turned."""
    for name in ("first", "second"):
        before, after, Q = _ask(spec, answers, name)
        if not _same(after["embed"], before["embed"] @ Q):
            lengths = _same((after["embed"]**2).sum(axis=1), (before["embed"]**2).sum(axis=1))
            raise Miss("the embedding is not the old one times Q" + ("" if lengths else "; even its lengths changed"),
                       f"H is doubled as the table says, and {spec['sign_words']}; then divided by the root of its size",
                       "make Q for 2 channels by hand, and compare with yours")


def gains(spec: Spec, answers: Answers) -> None:
    """Gains are neutral, and in the matrices."""
    for name in ("first", "second"):
        before, after, Q = _ask(spec, answers, name)
        for gain, reader in (("gain", "up"), ("final", "head")):
            if not _same(after[gain] + spec["plus_one"], np.ones(len(Q))):
                raise Miss(f"`{gain}` still stretches channels", "a stretch of single channels does not survive a turn",
                           f"what does `{gain}` have to hold, so that the norm multiplies by 1?")
            if not _same(after[reader], before[reader] * (before[gain] + spec["plus_one"]) @ Q):
                raise Miss(f"`{reader}` is not the old one with the gain in it, turned",
                           f"it reads a turned stream, so that ({reader} gain) Q is needed",
                           "first the gain, channel by channel, then the turn")


def same_logits(spec: Spec, answers: Answers) -> None:
    """The model computes what it did; a point for each of two."""
    right, told = 0, None
    for name in ("first", "second"):
        try:
            before, after, _ = _ask(spec, answers, name)
            if _same(after["embed"], before["embed"]):
                raise Miss("the stream is not turned at all", "the logits stay, but the weights have to change",
                           "begin with the embedding")
            a, b = logits(spec, before, False), logits(spec, after, True)
            if not _same(a, b):
                raise Miss(f"the logits change by up to {np.abs(a - b).max() / np.abs(a).max():.1%}",
                           "what reads the stream turns it back, what writes to it turns its output, and down's inputs come "
                           "rotated", "leave the tanh part out (down all 0): do the logits stay then?")
            right += 1
        except Miss as miss:
            told = told or miss
    if told:
        raise Miss(told.what, told.why, told.advice, right)


def refused(spec: Spec, answers: Answers) -> None:
    """Sizes without a matrix; a point for the stream, a point for the inputs of down."""
    right, told = 0, None
    for what, d, f in (("channels", 6, 4), ("inputs of down", 4, 12)):
        weights = {n: np.full(shape, 0.5) for n, shape in
                   (("embed", (VOCABULARY, d)), ("gain", d), ("up", (f, d)), ("down", (d, f)), ("final", d),
                    ("head", (VOCABULARY, d)))}
        given, bad = {n: _laid(spec, n, w) for n, w in weights.items()}, d if what == "channels" else f
        if not _refuses(answers, given, np.ones(d), bad):
            told = told or Miss(f"a model with {bad} {what} did not end in a ValueError with the words "
                                f"'no matrix of size {bad}'",
                                "doubling gives sizes that are powers of two and no others",
                                "a shape error of NumPy's is a ValueError too, and tells a reader nothing: look at the size first")
        else:
            right += 1
    if told:
        raise Miss(told.what, told.why, told.advice, right)


def _refuses(answers: Answers, weights: dict, signs: np.ndarray, bad: int) -> bool:
    """Does the call raise ValueError with the size in its words? Raises Miss where there is no answer at all."""
    try:
        answers.call(NAME, weights, signs)
    except Miss as miss:
        if raised := re.search(r" raised (\w+): (.*)", miss.what, re.S):
            return raised[1] == "ValueError" and re.search(rf"no matrix of size {bad}\b", raised[2]) is not None
        raise Miss(miss.what.replace(written(NAME, (weights, signs)), f"{NAME}(a model)"), miss.why, miss.advice) from None
    return False


def show(spec: Spec, answers: Answers) -> Bars:
    """How long the first tokens of the example are, before and after: a turn keeps lengths."""
    after, embed = yours(lambda: _ask(spec, answers, "shown")[1]), np.array(spec["shown"][0]["embed"])
    return Bars("The example: length of each token's embedding", "", [
        (f"token {t}", None if after is None else float(np.linalg.norm(after["embed"][t])), float(np.linalg.norm(row)))
        for t, row in enumerate(embed)])


EXERCISE = Exercise(
    id="10.5", title="Turn everything, change nothing", kind="stretch", difficulty=5, importance=3, minutes=30,
    objective="You can fold a rotation into a model so that its logits stay.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE, second=SECOND,
    prose="""
The cell below has a small model, `logits(weights, online)`, with one block. Turn its whole stream by Q:

| what | |
|---|---|
| H | of size 1 it is 1; it is doubled by <<block>> as often as needed |
| Q | <<sign_words>>; then all is divided by the root of the size |
| stream | a row x of the stream becomes x Q |
| norms | multiply by <<gain_words>>; after the turn they must multiply by 1 |
| up, down, head | have one row per <<layout_words>> |
| inputs of down | with `online=True` the model multiplies them by <<online_words>>, of their own size; no signs |
| sizes | where there is no H by this doubling, for the stream or for the inputs of down: a ValueError with the words `no matrix of size 6` (or whatever it is) |

Write `turn(weights, signs)`, which returns a dict like `weights`. `logits(turned, online=True)` has to give what
`logits(weights, online=False)` gave. Leave the arrays that you are given as they are.

**Example.** The embedding of token 0 in the cell below becomes <<example>>.
""",
    hints=("A row x of the stream meets a matrix W (one row per output) as x Wᵀ. Put x Q in place of x: what must W become?",
           "What down writes is added to a turned stream: its outputs must be turned too.",
           "`n & (n - 1)` is 0 for powers of two, and only for them."),
    given="""
def hadamard(n):
    \"\"\"H for the model below, of a size that is a power of two.\"\"\"
    return np.ones((1, 1)) if n == 1 else np.kron(<<kernel>>, hadamard(n // 2))


def logits(weights, online):
    \"\"\"(tokens of the vocabulary, logits): every token on its own.\"\"\"
    def norm(x, gain):
        return x / np.sqrt((x**2).mean(axis=1, keepdims=True)) * (<<one>>gain)

    W = {name: weights[name]<<T>> for name in ("up", "down", "head")}
    x = weights["embed"]
    h = np.tanh(norm(x, weights["gain"]) @ W["up"].T)
    if online:
        h = h @ (<<online_code>>)
    return norm(x + h @ W["down"].T, weights["final"]) @ W["head"].T


# The example. Change what you like: the checks use other models.
weights = {<<weight_text>>}
signs = np.array(<<signs_text>>)
""",
    head='''
def turn(weights, signs):
    """The weights of a model that computes the same with its stream turned."""
''',
    explanation="A real model has more readers and writers (q, k, v, o, gate) and many blocks, and nothing else is new. The "
                "one place that no weight can turn lies behind the non-linear function: there the model itself rotates.",
    checks=(Check("the embedding is turned", 1, embedding), Check("gains are folded first", 1, gains),
            Check("the logits stay", 2, same_logits), Check("sizes are refused by name", 2, refused)),
)
