"""12.1, warm-up: what a token costs in the cache, and after how many of them the cache weighs as much as the weights.

What varies: bits of keys and of values, the group that shares a scale, the bits of a scale, and how many layers keep
their cache in 16 bits.
"""

from __future__ import annotations

import math

from ..beside import Bars, yours
from ..checking import close, number, side
from ..e05_bit_packing.asking import ask, short
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

NAME = "cache_cost"
SMALL = {"layers": 6, "heads": 8, "kv_heads": 2, "head_dim": 64}
OTHER = {"layers": 9, "heads": 12, "kv_heads": 3, "head_dim": 128}
SHOWN = {"layers": 28, "heads": 16, "kv_heads": 8, "head_dim": 128}


def spec(draw: Draw) -> dict:
    """The format of one variant."""
    keys, values = draw.order("bits", (2, 3, 4, 5, 6, 8))[:2]
    drawn = {"key_bits": keys, "value_bits": values, "group": draw.choice("group", (16, 32, 64)),
             "scale_bits": draw.choice("scale_bits", (8, 16, 32)), "plain": draw.choice("plain", (1, 2, 3, 4))}
    cost, tokens = right(drawn, SHOWN, 300_000_000)
    return drawn | {"example_cost": f"{cost:,.0f}", "example_tokens": f"{tokens:,}"}


def right(spec: Spec, config: dict, weights: int) -> tuple[float, int]:
    """(bytes of a token, tokens until they weigh as much as the weights), by the rules of the exercise."""
    of_a_pair = spec["key_bits"] + spec["value_bits"] + 2 * spec["scale_bits"] / spec["group"]
    bits = spec["plain"] * 32 + (config["layers"] - spec["plain"]) * of_a_pair
    cost = config["kv_heads"] * config["head_dim"] * bits / 8
    return cost, math.ceil(weights / cost)


def _asked(answers: Answers, config: dict, weights: int) -> tuple[float, float]:
    shown = f"{NAME}({config}, {weights})"
    got = ask(answers, shown, NAME, config, weights)
    if not isinstance(got, list) or len(got) != 2:
        raise Miss(f"{shown} returned {short(got)}", "two numbers are expected: bytes of a token, and tokens",
                   "end the function with `return cost, tokens`")
    return number(got[0], shown), number(got[1], shown)


def one_layer_more(spec: Spec, answers: Answers) -> None:
    """The bytes that one more quantized layer adds."""
    for config in (SMALL, OTHER):
        more = config | {"layers": config["layers"] + 1}
        got = _asked(answers, more, 10**8)[0] - _asked(answers, config, 10**8)[0]
        want = right(spec, more, 10**8)[0] - right(spec, config, 10**8)[0]
        if not close(got, want):
            raise Miss(f"one more layer added {got:g} bytes to a token ({config}): {side(got, want)}",
                       "it adds a key and a value for each KV head: their codes, and a scale for each group of both",
                       "how many numbers is that, and how many bits are there for one of them?")


def all_layers(spec: Spec, answers: Answers) -> None:
    """Bytes of a token."""
    for config in (SMALL, OTHER):
        got, want = _asked(answers, config, 10**8)[0], right(spec, config, 10**8)[0]
        if not close(got, want):
            raise Miss(f"for {config} a token took {got:g} bytes: {side(got, want)}",
                       f"{spec['plain']} of the layers keep 16 bits a number and no scales, the others codes",
                       "add the two kinds of layers up apart")


def tokens(spec: Spec, answers: Answers) -> None:
    """The smallest number of tokens, where it does not come out even and where it does."""
    for config in (SMALL, OTHER):
        for weights in (10**8 + 1, 77_777_777, int(1000 * right(spec, config, 1)[0])):
            got, want = _asked(answers, config, weights)[1], right(spec, config, weights)[1]
            if got != want:
                raise Miss(f"for {config} and {weights:,} bytes of weights it came to {got:g} tokens: {side(got, want)}",
                           "it is the smallest whole number of tokens whose cache weighs at least as much as the weights",
                           "try it with weights that weigh exactly as much as some tokens, and with one byte more")


def show(spec: Spec, answers: Answers) -> Bars:
    """Tokens at three sizes of weights."""
    return Bars("28 layers, 8 KV heads of 128: the cache weighs as much as the weights at", "tokens", [
        (f"{w // 10**6} MB of weights", yours(lambda w=w: _asked(answers, SHOWN, w)[1]), right(spec, SHOWN, w)[1])
        for w in (300_000_000, 600_000_000, 1_200_000_000)])


REFERENCE = '''
bits = 32 * <<plain>> + (config["layers"] - <<plain>>) * (<<key_bits>> + <<value_bits>> + 2 * <<scale_bits>> / <<group>>)
cost = config["kv_heads"] * config["head_dim"] * bits / 8
return cost, math.ceil(weights / cost)
'''

EXERCISE = Exercise(
    id="12.1", title="What a token costs in the cache", kind="warm-up", difficulty=2, importance=5, minutes=5,
    objective="You can say how many bytes a token leaves in a cache, and when the cache outweighs the weights.",
    spec=spec, show=show, reference=REFERENCE,
    prose="""
Every token leaves a key and a value of `head_dim` numbers for each KV head of each layer. They are kept so:

| what | |
|---|---|
| the first <<plain>> layers | 16 bits a number, no scales |
| keys of the other layers | <<key_bits>>-bit codes, <<group>> of them share a scale of <<scale_bits>> bits |
| values of the other layers | <<value_bits>>-bit codes, <<group>> of them share a scale of <<scale_bits>> bits |

Write `cache_cost(config, weights)`. `config` is a dict with the keys `layers, heads, kv_heads, head_dim`, `weights` the
bytes of all weights that one token reads. Return two numbers: the bytes of one token in the cache of the whole model,
and the smallest whole number of tokens whose cache weighs at least as much as the weights. Sizes divide by the group.

**Example.** 28 layers with 8 KV heads of 128: <<example_cost>> bytes a token; 300 MB of weights are reached at
<<example_tokens>> tokens.
""",
    hints=("Count the bits of one number of a key and one of a value together, with their shares of scales.",),
    head='''
def cache_cost(config, weights):
    """(bytes of a token in the cache, tokens at which the cache weighs as much as the weights)."""
''',
    second='''
numbers = config["kv_heads"] * config["head_dim"]
cost = 0
for layer in range(config["layers"]):
    if layer < <<plain>>:
        cost += 2 * numbers * 2
    else:
        cost += numbers * (<<key_bits>> + <<value_bits>>) / 8 + 2 * (numbers // <<group>>) * <<scale_bits>> / 8
return cost, int(-(-weights // cost))
''',
    explanation="Grouped-query attention is in this formula as kv_heads: a model with as many KV heads as query heads pays "
                "several times as much for each token.",
    checks=(Check("one more layer", 1, one_layer_more), Check("all layers", 1, all_layers), Check("the crossing", 1, tokens)),
    wrong=(
        Wrong("scales left out", 3, REFERENCE.replace(" + 2 * <<scale_bits>> / <<group>>", "")),
        Wrong("scales of the keys alone", 3, REFERENCE.replace("2 * <<scale_bits>>", "<<scale_bits>>")),
        Wrong("values forgotten", 3, REFERENCE.replace("<<key_bits>> + <<value_bits>> + 2 *", "<<key_bits>> +")),
        Wrong("a cache for every query head", 3, REFERENCE.replace("kv_heads", "heads")),
        Wrong("every layer in codes", 2, REFERENCE.replace("<<plain>>", "0")),
        Wrong("bits for bytes", 3, REFERENCE.replace(" / 8", "")),
        Wrong("tokens rounded down", 1, REFERENCE.replace("math.ceil(weights / cost)", "int(weights // cost)")),
        Wrong("one token more always", 1, REFERENCE.replace("math.ceil(weights / cost)", "int(weights // cost) + 1")),
    ),
)
