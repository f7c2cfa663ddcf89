"""Writing text: read the prompt once, then one token at a time.

How it works
    *Prefill* reads the whole prompt in one pass and stores its keys and values. *Decode* then runs the model on the
    newest token alone; everything older is read from the cache. The prompt attends in float, because its keys and
    values are at hand unrounded while it is read; what is stored is in the cache format, and every later token reads
    it so, its own key and value included.

Sampling
    Temperature 0 takes the likeliest token. Otherwise logits are divided by the temperature, and ``top_p`` keeps the
    smallest set of tokens that together reach that probability (nucleus sampling, Holtzman et al. 2020,
    arXiv 1904.09751, section 3.1).
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import layers
from .tokens import check_tokens

if TYPE_CHECKING:
    from .transformer import Transformer


def generate(model: Transformer, tokens: Any, n: int, temperature: float = 0.0, top_p: float = 1.0,
             seed: int = 0) -> np.ndarray:
    """Continue a text.

    Args:
        model: what writes.
        tokens: the prompt, T token numbers; ``[0]`` starts a new text.
        n: how many tokens to write, always exactly so many.
        temperature: 0 for the likeliest token, 1 for the model's own probabilities.
        top_p: share of the probability to draw from, above 0 and at most 1.
        seed: the same seed writes the same text.

    Returns:
        The n new tokens, int64 (n,).

    Raises:
        ValueError: a prompt that ``logits`` would refuse; T + n - 1 tokens do not fit the context (the last token
            written is never read); a negative n or temperature, or a top_p outside (0, 1].
        TypeError: an n that is no whole number.
    """
    n = operator.index(n)
    tokens = check_tokens(tokens, model.config.vocab_size)  # (T,)
    if n < 0 or not temperature >= 0 or not 0 < top_p <= 1:
        raise ValueError(f"generate: n ({n}) and temperature ({temperature}) must not be negative, "
                         f"top_p ({top_p}) must be above 0 and at most 1")
    if n == 0:
        return np.zeros(0, np.int64)
    length, context = len(tokens), model.config.context
    if length + n - 1 > context:
        raise ValueError(f"{length} tokens of prompt and {n} new ones do not fit a context of {context}; "
                         f"ask for at most {max(0, context - length + 1)} new ones or shorten the prompt")
    rng = np.random.default_rng(seed)
    cache = model.new_cache(length + n - 1)
    logits = model.run(tokens, cache, prefill=True, last_only=True)[0]  # (vocab,)
    written = [sample(logits, temperature, top_p, rng)]
    while len(written) < n:
        logits = model.run(written[-1:], cache)[0]  # (vocab,)
        written.append(sample(logits, temperature, top_p, rng))
    return np.array(written, np.int64)


def sample(logits: np.ndarray, temperature: float, top_p: float, rng: np.random.Generator) -> int:
    """Draw one token from logits (vocab,)."""
    if temperature == 0:
        return int(logits.argmax())
    p = layers.softmax(logits.astype(np.float64) / temperature)  # (vocab,)
    order = np.argsort(-p, kind="stable")  # likeliest first
    cumulative = np.cumsum(p[order])
    last = min(int(np.searchsorted(cumulative, top_p * cumulative[-1])), len(p) - 1)  # of the smallest set, its last
    draw = rng.random() * cumulative[last]
    return int(order[np.searchsorted(cumulative[:last], draw, side="right")])
