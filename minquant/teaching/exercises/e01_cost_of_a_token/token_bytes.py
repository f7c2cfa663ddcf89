"""01.2, core: every byte a model reads to write one token.

What varies: the formats of matrices, head and cache, gated or plain feed-forward blocks, and which layers see only the
newest tokens (a sliding window, as Gemma and Mistral models have it).
The checks take differences: one more vocabulary row shows the head alone, one more token of context the cache alone. So
an answer that is right but for one part loses that part's points and the total's.
"""

from __future__ import annotations

from ..beside import Bars, yours
from ..checking import ask_number, close, side
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw
from .token_bytes_answers import LINES, SECOND, WRONG

NAME = "token_bytes"
SMALL = {"vocab_size": 1000, "hidden": 384, "layers": 5, "heads": 4, "kv_heads": 2, "head_dim": 128, "ffn": 768,
         "tied": True}
SHOWN = {"vocab_size": 32000, "hidden": 768, "layers": 12, "heads": 12, "kv_heads": 4, "head_dim": 64, "ffn": 2304,
         "tied": True}


def spec(draw: Draw) -> dict:
    """Formats and rules of one variant."""
    gated, every = draw.choice("gated", (True, True, False)), draw.choice("every", (2, 3, 4))
    drawn = {"bits": draw.choice("bits", (3, 4, 5, 6)), "group": draw.choice("group", (32, 64, 128)),
             "scale_bits": draw.choice("scale_bits", (8, 16, 32)), "head_bits": draw.choice("head_bits", (5, 6, 7, 8)),
             "head_scale_bits": draw.choice("head_scale_bits", (16, 32)),
             "kv_bits": draw.choice("kv_bits", (3, 4, 5, 8)),
             "kv_scale_bits": draw.choice("kv_scale_bits", (8, 16, 32)),
             "ffn_matrices": 3 if gated else 2, "other_matrices": 2 if gated else 3,
             "ffn_words": "three matrices of hidden x ffn (gate, up, down)" if gated else
                          "two matrices of hidden x ffn (up, down; no gate)",
             "window": draw.choice("window", (192, 256, 320, 384, 512)), "every": every, "twice_every": 2 * every}
    words = "{bits}-bit codes, groups of {group} with a {scale_bits}-bit scale".format(**drawn)
    return drawn | {"weights_words": words, "kv_words": f"one {drawn['kv_scale_bits']}-bit scale per key and per value"}


def parts(spec: Spec, config: dict, context: int) -> dict[str, float]:
    """Bytes of every part that is read, by the rules of the exercise."""
    hidden, layers, head_dim = config["hidden"], config["layers"], config["head_dim"]
    attention = 2 * hidden * head_dim * (config["heads"] + config["kv_heads"])
    weights = layers * (attention + spec["ffn_matrices"] * hidden * config["ffn"])
    head = config["vocab_size"] * (hidden * spec["head_bits"] + spec["head_scale_bits"])
    seen = sum(context if layer % spec["every"] == 0 else min(context, spec["window"]) for layer in range(layers))
    vectors = seen * 2 * config["kv_heads"]  # a key and a value
    return {"blocks": weights * (spec["bits"] + spec["scale_bits"] / spec["group"]) / 8, "head": head / 8,
            "cache": vectors * (head_dim * spec["kv_bits"] + spec["kv_scale_bits"]) / 8}


def total(spec: Spec, config: dict, context: int) -> float:
    """Bytes read for one token."""
    return sum(parts(spec, config, context).values())


def _compare(spec: Spec, answers: Answers, before: tuple[dict, int], after: tuple[dict, int], what: str, why: str,
             advice: str) -> None:
    """Compare how much the answer grows between two cases with how much it should."""
    got = ask_number(answers, NAME, *after) - ask_number(answers, NAME, *before)
    want = total(spec, *after) - total(spec, *before)
    if not close(got, want, 1e-6):
        raise Miss(f"{what} changed {NAME} by {got:,.0f} bytes: {side(got, want)}", why, advice)


def ffn(spec: Spec, answers: Answers) -> None:
    """A wider feed-forward block."""
    _compare(spec, answers, (SMALL, 0), (SMALL | {"ffn": 1024}, 0), "widening ffn from 768 to 1024 (5 layers)",
             "only the feed-forward matrices of each block grow, codes and scales",
             "how many such matrices does a block of this exercise have, and what does one weigh?")


def attention(spec: Spec, answers: Answers) -> None:
    """More query heads, then more KV heads, nothing cached."""
    for field, many, which in (("heads", 8, "the matrices of queries and of the output"),
                               ("kv_heads", 4, "the matrices of keys and values")):
        _compare(spec, answers, (SMALL, 0), (SMALL | {field: many}, 0),
                 f"going from {SMALL[field]} to {many} {field} (context 0, 5 layers)",
                 f"only {which} grow: they have {field} x head_dim rows (or columns), and hidden on the other side",
                 "write down the shapes of q, k, v and o; heads x head_dim need not be hidden")


def head(spec: Spec, answers: Answers) -> None:
    """A larger vocabulary of a tied model."""
    _compare(spec, answers, (SMALL, 0), (SMALL | {"vocab_size": 3000}, 0), "2,000 more words in the vocabulary (tied)",
             "every row of the output matrix is read once per token: its codes and its scale",
             "is the head in your sum once, and in its own format?")


def untied(spec: Spec, answers: Answers) -> None:
    """An embedding table of its own is not read, but for one row."""
    larger = SMALL | {"vocab_size": 3000}
    tied, free = (ask_number(answers, NAME, larger | {"tied": t}, 0) for t in (True, False))
    if not close(free, tied):
        raise Miss(f"{NAME} gave {tied:,.0f} bytes for a tied model and {free:,.0f} for the same model untied",
                   "an untied model stores a table more, but one token looks up one row of it, not counted here",
                   "ask of every matrix whether all of it is read for one token")
    if close(tied, ask_number(answers, NAME, SMALL, 0)):
        raise Miss(f"{NAME} did not change with the vocabulary", "the output matrix has a row per word",
                   "add the head to your sum")


def cache(spec: Spec, answers: Answers) -> None:
    """One more token of context where every layer still sees all of it."""
    few = SMALL | {"layers": 1}
    _compare(spec, answers, (few, 100), (few, 101), "going from 100 to 101 cached tokens (1 layer, 2 KV heads)",
             "one more token is one more key and one more value for each KV head, codes and scale",
             "count the vectors of head_dim numbers that one token leaves in one layer")


def window(spec: Spec, answers: Answers) -> None:
    """Beyond the window only some layers read more."""
    start = spec["window"] + 1000
    for layers in (5, 8):
        model = SMALL | {"layers": layers}
        _compare(spec, answers, (model, start), (model, start + 500),
                 f"going from {start} to {start + 500} cached tokens ({layers} layers)",
                 "layers that see everything read 500 tokens more; the others read as many as before",
                 f"list which of the layers 0 to {layers - 1} see everything, then compare with your count")


def whole(spec: Spec, answers: Answers) -> None:
    """All parts together, tied and untied."""
    for config, context in ((SMALL, 2000), (SHOWN | {"tied": False, "head_dim": 128}, 2300)):
        got, want = ask_number(answers, NAME, config, context), total(spec, config, context)
        if not close(got, want):
            raise Miss(f"{NAME}({config}, {context}) returned {got:,.0f} bytes: {side(got, want)}",
                       "blocks, head and cache together must give all bytes that are read, and no others",
                       "if the other checks pass, look for a part that does not depend on the sizes they change")


def show(spec: Spec, answers: Answers) -> Bars:
    """A model of 0.1 B parameters at three lengths of context."""
    return Bars("12 layers, hidden 768, 12 heads over 4 KV heads of 64, ffn 2304, 32,000 words", "MB per token",
                [(f"context {c:,}", yours(lambda c=c: ask_number(answers, NAME, SHOWN, c) / 1e6),
                  total(spec, SHOWN, c) / 1e6) for c in (0, 2048, 16384)])


EXERCISE = Exercise(
    id="01.2", title="Bytes of one token", kind="core", difficulty=3, importance=5, minutes=18,
    objective="You can add up what a decoder reads for one token, from nothing but its config.",
    spec=spec, show=show, wrong=WRONG,
    prose="""
To write one token at batch 1, a decoder reads every weight of its blocks and its head, and the whole KV cache it may
look at. Write `token_bytes(config, context)`: those bytes, with `context` tokens in the cache.

`config` is a dict with the keys `vocab_size, hidden, layers, heads, kv_heads, head_dim, ffn, tied`. The rules:

| what is read | how it is stored |
|---|---|
| q and o of each block: hidden x (heads·head_dim) | <<weights_words>> |
| k and v of each block: hidden x (kv_heads·head_dim) | the same |
| feed-forward of each block: <<ffn_words>> | the same |
| output head (vocab_size x hidden), once | <<head_bits>>-bit codes, one <<head_scale_bits>>-bit scale per row |
| cache: per layer, token and KV head a key and a value of head_dim numbers | <<kv_bits>>-bit codes, <<kv_words>> |

- Sizes always divide by the group size.
- Layers 0, <<every>>, <<twice_every>>, ... look at all `context` tokens. Every other layer looks only at the
  newest <<window>> of them (a sliding window).
- A tied model uses its embedding as the head. An untied one has a table more, of which one token reads one row.
- Leave out norms, activations, that one embedding row, and the writing of the new key and value.

The cell below your answer shows what one model should give at three contexts.
""",
    hints=("Three sums: weights of the blocks, the head, the cache. Give each a name.",
           "Bits per weight of the blocks: bits of a code plus a share of a scale.",
           "First count how many (layer, token) pairs are read; then the bytes of one pair."),
    head='''
def token_bytes(config, context):
    """Bytes read to write one token with `context` tokens in the cache."""
''',
    reference="\n".join(LINES.values()),
    second=SECOND,
    explanation="The head is a large part of a small model, the cache a large part at long context, and grouped-query "
                "attention (Ainslie et al. 2023) shrinks the cache by heads / kv_heads, the matrices by much less.",
    checks=(Check("the feed-forward matrices", 1, ffn), Check("the attention matrices", 1, attention),
            Check("the head, once", 1, head), Check("an embedding table that is not read", 1, untied),
            Check("one more token in the cache", 1, cache), Check("layers with a window", 1, window),
            Check("everything together", 2, whole)),
)
