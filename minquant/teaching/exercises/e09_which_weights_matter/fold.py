"""09.2, core: put scales into a block of attention so that it computes what it did before.

What varies: which query heads share a key/value head, what they agree on, how the norm stores its gain, and whether
matrices lie with one row per output or, as GPT-2's do, with one row per input.
The traps: s and 1/s swapped, one of the three matrices behind the norm forgotten, a gain that is stored minus one
(Gemma), a bias that has to follow its rows, and heads that share rows of v but not a scale.
Source: Lin et al. 2023, "AWQ", arXiv 2306.00978, section 3.2; the authors' code, llm-awq, auto_scale.py, which leaves
v and o alone where heads share. Agreeing on one scale per output of v is what makes it possible all the same.
"""

from __future__ import annotations

import math

import numpy as np

from ..beside import Bars, yours
from ..e05_bit_packing.asking import ask
from ..e08_repairing_rounding.arrays import drawn_rows, literal, numbers
from ..source import Answers, Check, Exercise, Miss, Spec, fill
from ..variant import Draw
from .fold_answers import REFERENCE, SECOND, WRONG

NAME, NAMES = "fold", ("norm", "q", "k", "v", "v_bias", "o")
# What heads agree on: in NumPy, over a list in Python, in words.
AGREE = {"max": ("heads.max(axis=<<axis>>, keepdims=True)", "max", "the largest"),
         "min": ("heads.min(axis=<<axis>>, keepdims=True)", "min", "the smallest"),
         "mean": ("heads.mean(axis=<<axis>>, keepdims=True)", "np.mean", "the mean"),
         "geometric": ("np.exp(np.log(heads).mean(axis=<<axis>>, keepdims=True))",
                       "(lambda s: math.prod(s) ** (1 / len(s)))", "the geometric mean")}
# Query heads, key/value heads, numbers per head.
PROBLEMS = {"alone": (2, 2, 3), "shared": (4, 2, 2), "wide": (6, 2, 2), "shown": (4, 2, 1)}


def spec(draw: Draw) -> dict:
    """The rules of one variant, and the blocks of the checks."""
    neighbours, plus_one, turned = (draw.choice(name, (True, False)) for name in ("near", "gain", "rows"))
    agree = draw.choice("agree", tuple(AGREE))
    other = draw.choice("other", [a for a in AGREE if a != agree])
    near, far = ("kv_heads, -1, dim", "1"), ("-1, kv_heads, dim", "0")
    (shape, axis), (other_shape, other_axis) = (near, far) if neighbours else (far, near)
    norms = 'weights["norm"] / s', '(1 + weights["norm"]) / s - 1'
    drawn = {"neighbours": neighbours, "plus_one": plus_one, "turned": turned, "agree": agree, "shape": shape,
             "other_shape": other_shape, "agreed": fill(AGREE[agree][0], {"axis": axis}),
             "other_agreed": fill(AGREE[other][0], {"axis": axis}), "agree_words": AGREE[agree][2],
             "far_agreed": fill(AGREE[agree][0], {"axis": other_axis}), "python_agree": AGREE[agree][1],
             "head_agreed": fill(AGREE[agree][0], {"axis": f"({axis}, 2)"}),
             "norm": norms[plus_one], "other_norm": norms[not plus_one], "one": "1 + " * plus_one,
             "minus": " - 1" * plus_one, "gain": "1 + norm" if plus_one else "norm",
             "inputs": "-1, 1" if turned else "-1", "outputs": "-1" if turned else "-1, 1", "T": ".T" * turned,
             "layout_words": "input, one column per output" if turned else "output, one column per input",
             "shares": "h // (heads // kv_heads)" if neighbours else "h % kv_heads",
             "share_words": "h divided by the number of heads that share one, rounded down" if neighbours
             else "the remainder of h divided by `kv_heads`"}
    drawn |= {name: _block(draw, name, *sizes) for name, sizes in PROBLEMS.items()}
    weights, scales, kv_heads = drawn["shown"]
    agreed = [agreed_scale(drawn, scales["o"], h, kv_heads, 4) for h in range(4)]
    new = [(w + plus_one) / s - plus_one for w, s in zip(weights["norm"], scales["input"], strict=True)]
    text = ",\n           ".join(f'"{name}": np.array({literal(w, 25) if w.ndim == 2 else w.tolist()})'
                                 for name, w in _turned(drawn, weights).items())
    return drawn | {"weight_text": text, "scale_text": ", ".join(f'"{n}": np.array({s})' for n, s in scales.items()),
                    "example": f"a norm of {', '.join(f'{g:.4g}' for g in new)}, and the inputs of o are multiplied by "
                               f"{', '.join(f'{s:.4g}' for s in agreed)}"}


def _block(draw: Draw, name: str, heads: int, kv_heads: int, dim: int) -> list:
    """Weights of attention by name, scales by name, and the number of key/value heads; scales are never alike."""
    d = heads * dim
    rows = {"q": d, "k": kv_heads * dim, "v": kv_heads * dim, "o": d}
    weights = {n: drawn_rows(draw, f"{name}.{n}", rows[n], d, -1, 1) for n in rows}
    weights |= {"norm": drawn_rows(draw, f"{name}.norm", 1, d, 0.4, 0.9)[0],
                "v_bias": drawn_rows(draw, f"{name}.v_bias", 1, rows["v"], 0.3, 1)[0]}
    steps = {n: draw.order(f"{name}.steps.{n}", range(d)) for n in ("input", "o")}
    scales = {n: [round(0.5 * 4 ** ((i + draw.between(f"{name}.{n}.{j}", 0.2, 0.7)) / d), 2)
                  for j, i in enumerate(order)] for n, order in steps.items()}
    return [{n: weights[n] for n in NAMES}, scales, kv_heads]


def key_head(spec: Spec, head: int, heads: int, kv_heads: int) -> int:
    """The key/value head that a query head reads."""
    return head // (heads // kv_heads) if spec["neighbours"] else head % kv_heads


def agreed_scale(spec: Spec, scales: list[float], column: int, kv_heads: int, heads: int) -> float:
    """What a column of o is multiplied by: one scale for all heads that share its row of v."""
    dim = len(scales) // heads
    mine = key_head(spec, column // dim, heads, kv_heads)
    shared = [scales[h * dim + column % dim] for h in range(heads) if key_head(spec, h, heads, kv_heads) == mine]
    return {"max": max, "min": min, "mean": lambda s: sum(s) / len(s),
            "geometric": lambda s: math.prod(s) ** (1 / len(s))}[spec["agree"]](shared)


def behind_norm(spec: Spec, weights: dict, x: np.ndarray) -> list[np.ndarray]:
    """What q, k and v make of x (tokens, d), the gain of the norm included, without the bias."""
    normed = x / np.sqrt((x**2).mean(axis=1, keepdims=True)) * (weights["norm"] + spec["plus_one"])
    return [normed @ weights[name].T for name in "qkv"]


def attention(spec: Spec, weights: dict, x: np.ndarray, heads: int, kv_heads: int) -> np.ndarray:
    """What the block makes of x (tokens, d): norm, grouped-query attention over all tokens, o."""
    q, k, v = behind_norm(spec, weights, x)
    v, dim, mixed = v + weights["v_bias"], x.shape[1] // heads, []
    for h in range(heads):
        kv = key_head(spec, h, heads, kv_heads)
        kv = slice(kv * dim, (kv + 1) * dim)
        score = np.exp(q[:, h * dim:(h + 1) * dim] @ k[:, kv].T / np.sqrt(dim))
        mixed.append(score / score.sum(axis=1, keepdims=True) @ v[:, kv])
    return np.concatenate(mixed, axis=1) @ weights["o"].T


def _turned(spec: Spec, weights: dict) -> dict:
    """Weights as they are handed to an answer, or an answer's as the checks know them; arrays."""
    arrays = {name: np.array(w) for name, w in weights.items()}
    return {name: w.T if spec["turned"] and name in "qkvo" else w for name, w in arrays.items()}


def _tokens(d: int) -> np.ndarray:
    return np.array([[np.sin(1 + 3 * t + 2 * j) * (1 + j) for j in range(d)] for t in range(5)])


def _ask(spec: Spec, answers: Answers, name: str, only: str = "") -> tuple[dict, dict, dict]:
    """Weights before, weights after, and scales; with ``only``, the scales of the other place are all 1."""
    weights, scales, kv_heads = spec[name]
    given = _turned(spec, weights)
    scales = {n: np.array(s) if only in ("", n) else np.ones(len(s)) for n, s in scales.items()}
    call = f"{NAME}({PROBLEMS[name][0]} heads, {kv_heads} of keys and values)"
    got = ask(answers, call, NAME, given, scales, kv_heads)
    if not isinstance(got, dict) or set(got) != set(NAMES):
        said = f"a dict of {', '.join(map(str, got)) or 'nothing'}" if isinstance(got, dict) else str(got)[:60]
        raise Miss(f"{call} returned {said}", f"a dict with the names {', '.join(NAMES)} is expected",
                   "start from `dict(weights)`, put new arrays in it, and return it")
    after = _turned(spec, {n: numbers(got[n], given[n].shape, call, n) for n in NAMES})
    return _turned(spec, given), after, scales


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return np.allclose(a, b, rtol=1e-6, atol=1e-9)


def multiplied(spec: Spec, answers: Answers) -> None:
    """All that reads the norm is multiplied."""
    before, after, scales = _ask(spec, answers, "shared", "input")
    for name in "qkv":
        if not _same(after[name], before[name] * scales["input"]):
            changed = "is not changed at all" if _same(after[name], before[name]) else "is not the old one times s"
            raise Miss(f"with scales at the norm alone, {name} {changed}",
                       "q, k and v all read what the norm makes, and number j of it is input j of each",
                       "`W * s` multiplies columns, `W * s[:, None]` rows: which belong to the inputs here?")


def answered(spec: Spec, answers: Answers) -> None:
    """The norm makes good what was done to the matrices."""
    for name in ("shared", "alone"):
        before, after, _ = _ask(spec, answers, name, "input")
        x = _tokens(len(before["norm"]))
        pairs = zip("qkv", behind_norm(spec, before, x), behind_norm(spec, after, x), strict=True)
        wrong = [n for n, old, new in pairs if not _same(old, new)]
        if wrong:
            raise Miss(f"with scales at the norm alone, the outputs of {', '.join(wrong)} change",
                       f"each number leaves the norm multiplied by its {spec['gain']}; divided there and multiplied "
                       "in the matrices, it comes out as before",
                       "take one number of the input, and follow it through the norm and into the matrices")


def alone(spec: Spec, answers: Answers) -> None:
    """As many key/value heads as query heads."""
    before, after, scales = _ask(spec, answers, "alone", "o")
    if not _same(after["o"], before["o"] * scales["o"]):
        raise Miss("where no heads share, the weights of o are not the old ones times the scales of their inputs",
                   "scales[\"o\"] has one number for every input of o", "are those the rows of o here, or its columns?")
    _compare(spec, before, after, "alone", "where no heads share and the scales are those of o alone",
             "one output of v, its bias included, is one input of o: divided there, it comes out as before")


def agreed(spec: Spec, answers: Answers) -> None:
    """Inputs of o that are the same output of v have one scale."""
    for name in ("shared", "wide"):
        before, after, scales = _ask(spec, answers, name, "o")
        heads, kv_heads, dim = PROBLEMS[name]
        want = [agreed_scale(spec, scales["o"].tolist(), j, kv_heads, heads) for j in range(heads * dim)]
        wrong = [j for j in range(heads * dim) if not _same(after["o"][:, j], before["o"][:, j] * want[j])]
        if wrong:
            raise Miss(f"with {heads} heads, {kv_heads} of keys and values, and {dim} numbers per head, the inputs "
                       f"{wrong} of o are not multiplied by what they should be",
                       f"heads that share agree on one scale for each of the {dim} numbers that they share",
                       "write down for every input of o which output of v it is; whose scales come together?")


def unchanged(spec: Spec, answers: Answers) -> None:
    """Both places at once."""
    for name in ("shared", "wide"):
        before, after, _ = _ask(spec, answers, name)
        if all(_same(before[n], after[n]) for n in NAMES):
            raise Miss("with scales in both places, nothing changed at all",
                       "weights have to change and the output must not", "put the scales in; then compare outputs")
        _compare(spec, before, after, name, "with scales in both places",
                 "every scale that is multiplied in somewhere has to be divided out before it")


def _compare(spec: Spec, before: dict, after: dict, name: str, where: str, why: str) -> None:
    heads, kv_heads, _ = PROBLEMS[name]
    x = _tokens(len(before["norm"]))
    old, new = (attention(spec, weights, x, heads, kv_heads) for weights in (before, after))
    if not _same(old, new):
        raise Miss(f"{where}, the output of attention changes by up to {abs(new - old).max() / abs(old).max():.1%}",
                   why, "write attention for one token: q and k are no matter there, and v goes straight into o")


def show(spec: Spec, answers: Answers) -> Bars:
    """What the inputs of o are multiplied by in the example."""
    after, (weights, scales, kv_heads) = yours(lambda: _ask(spec, answers, "shown")[1]), spec["shown"]
    rows = []
    for j in range(4):
        old, want = np.array(weights["o"])[:, j], agreed_scale(spec, scales["o"], j, kv_heads, 4)
        mine = None if after is None else float(after["o"][:, j] @ old / (old @ old))
        rows.append((f"input {j} of o", mine, want))
    return Bars("The example: what the inputs of o are multiplied by", "", rows)


EXERCISE = Exercise(
    id="09.2", title="A scale that nobody sees", kind="core", difficulty=4, importance=5, minutes=16,
    objective="You can fold scales into a model so that it computes exactly what it did before.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE, second=SECOND,
    prose="""
AWQ multiplies the weights of each input of a matrix by a scale, and divides that input by the same. No model divides at
run time: the division goes into whatever makes these inputs. Do that in a block of attention, in two places.

| what | |
|---|---|
| the norm | number j of a token leaves it multiplied by <<gain>>[j] (that is how this model stores its gain) |
| q, k, v | read what leaves the norm; all matrices here have one row per <<layout_words>> |
| v_bias | is added to the outputs of v; q and k have no bias |
| heads | outputs of q and inputs of o belong to head 0 first, then to head 1 and so on; so do those of k and v |
| sharing | of `kv_heads` heads of keys and values, query head h reads number <<shares>>: <<share_words>> |
| `scales["input"]` | one number per input of q, k and v: what their weights are multiplied by |
| `scales["o"]` | the same for the inputs of o |
| agreement | inputs of o that are the same output of v take one scale: <<agree_words>> of all theirs |

Write `fold(weights, scales, kv_heads)`, which returns a dict like `weights` with all that changes. `weights` has the
arrays `norm`, `q`, `k`, `v`, `v_bias` and `o`. The block has to compute what it did before. Leave the arrays that you
are given as they are.

**Example.** The block in the cell below (4 heads, 2 of keys and values, one number per head) gets <<example>>.
""",
    hints=("Where a number is made, it is divided; where it is read, it is multiplied. Who makes the inputs of o?",
           "One output of v is one input of o in *every* head that reads it. Reshape `scales[\"o\"]` to three axes, and "
           "they lie along one of these.",
           "`np.broadcast_to(a, shape)` repeats what heads have agreed on."),
    given="""
# The example. Change what you like: the checks use other blocks.
weights = {<<weight_text>>}
scales = {<<scale_text>>}
kv_heads = 2
""",
    head='''
def fold(weights, scales, kv_heads):
    """The weights of a block of attention with the scales in it; it computes what it did before."""
''',
    explanation="Where nothing is shared, AWQ's authors fold v and o as here; where heads share, they leave the pair "
                "alone. Agreeing keeps the place, at a price: the scale that suits one head is forced on its "
                "neighbours. Between norm and q, k, v there is no such trouble, but one s has to serve three matrices.",
    checks=(Check("q, k and v are multiplied", 1, multiplied), Check("the norm makes good for it", 1, answered),
            Check("v and o, where no heads share", 1, alone), Check("heads that share agree", 1, agreed),
            Check("attention computes what it did", 2, unchanged)),
)
