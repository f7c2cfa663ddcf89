"""For how many tokens does a quantized model write exactly what the float model writes?

How it works
    Both continue the same prompt, always with the likeliest token. One flip, and from there on they read different
    texts: small errors do not average out here, they end the run. So the share of prompts whose two texts are still
    the same after n tokens falls with n, and tells 6 bits from 8 where perplexity does not.

One pass instead of a run
    The quantized model need not write. Let it *read* what the reference wrote: if its likeliest token is the one that
    follows at every place, it would have written the same; the first place where it is not is where its own text
    leaves. Reading n tokens at once costs a fraction of writing them one by one, and a run that has left is not read
    to its end. The prompt attends in float and everything after it through the cache format, as in ``generate``.

How sure
    Prompts from different places of a text are independent trials, so the share has a binomial interval.

What we leave out
    How different the texts are afterwards; whether one of them is better. A greedy text of a small model soon repeats
    itself, and two models that repeat the same line agree for ever: look at a few texts before you trust large n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.tokens import check_tokens
from .statistics import binomial_interval
from .windows import progress_bar, whole

if TYPE_CHECKING:
    from ..model import Transformer

FIRST_PIECE = 8  # tokens read before asking whether the run has left already; then twice as many, and so on


@dataclass(frozen=True, eq=False)
class GreedyRuns:
    """How long two models write the same.

    Attributes:
        identical: int64 (P,), tokens of each run before the first difference; ``length`` where there was none.
        length: tokens that were compared in each run.
    """

    identical: np.ndarray
    length: int

    def hits(self, n: int) -> int:
        """Runs whose first n tokens are the same, n from 0 to ``length``; ValueError beyond."""
        if not 0 <= n <= self.length:
            raise ValueError(f"runs of {self.length} tokens were compared: nothing is known of {n}")
        return int((self.identical >= n).sum())

    def share(self, n: int) -> float:
        """Share of runs whose first n tokens are the same, 0..1."""
        return self.hits(n) / len(self.identical)

    def interval(self, n: int, confidence: float = 0.95) -> tuple[float, float]:
        """Wilson's interval of ``share(n)``."""
        return binomial_interval(self.hits(n), len(self.identical), confidence)


def cut_prompts(tokens: Any, count: int, length: int = 32) -> np.ndarray:
    """Prompts from all over a text: ``count`` pieces of ``length`` tokens, evenly spaced, none overlapping.

    Returns int64 (count, length). Raises ValueError where the text is too short for them or a number is below 1.
    """
    count, length = whole("count", count), whole("length", length)
    tokens = np.asarray(tokens)  # (N,)
    if tokens.ndim != 1 or len(tokens) < count * length:
        raise ValueError(f"{count} prompts of {length} tokens need a text of {count * length}, not {tokens.shape}")
    starts = np.arange(count) * (len(tokens) // count)  # (count,)
    return tokens[starts[:, None] + np.arange(length)].astype(np.int64)


def write_greedily(model: Transformer, prompts: Any, n: int, progress: Any = None) -> np.ndarray:
    """What a model writes after each prompt, always the likeliest token: (P, T) -> int64 (P, n).

    Raises as ``generate``: prompt and text must fit the model's context.
    """
    n = whole("n", n)
    prompts = [np.asarray(prompt) for prompt in prompts]
    return np.array([model.generate(prompt, n) for prompt in progress_bar(progress, "write")(prompts)], np.int64)


def greedy_agreement(model: Transformer, prompts: Any, written: Any, progress: Any = None) -> GreedyRuns:
    """Would the model write, after each prompt, what another model wrote?

    Args:
        model: the quantized model.
        prompts: (P, T) token numbers, P of at least 1.
        written: (P, n), what the other model wrote after them (``write_greedily``).
        progress: True for a progress bar, or a function that wraps an iterable.

    Returns:
        GreedyRuns with ``length`` n.

    Raises:
        ValueError: not as many texts as prompts, no tokens, a text beyond the context, tokens outside the vocabulary.
    """
    if len(prompts) != len(written) or not len(prompts):
        raise ValueError(f"{len(prompts)} prompts and {len(written)} continuations: each prompt needs its own")
    pairs = list(zip(prompts, written))
    identical = [identical_tokens(model, *pair) for pair in progress_bar(progress, "compare")(pairs)]
    return GreedyRuns(np.array(identical, np.int64), len(written[0]))


def identical_tokens(model: Transformer, prompt: Any, written: Any) -> int:
    """Tokens of ``written`` (n,) that the model would write itself after ``prompt`` (T,), up to the first it would not.

    Raises as ``greedy_agreement``.
    """
    prompt, written = (check_tokens(t, model.config.vocab_size) for t in (prompt, written))  # (T,), (n,)
    cache = model.new_cache(len(prompt) + len(written) - 1)
    own = model.run(prompt, cache, prefill=True, last_only=True).argmax(axis=1)  # (1,): what it writes first
    done, piece = 0, FIRST_PIECE
    while True:
        differs = own != written[done:done + len(own)]  # (len(own),)
        if differs.any():
            return done + int(differs.argmax())
        done += len(own)
        if done == len(written):
            return done
        own = model.run(written[done - 1:min(done - 1 + piece, len(written) - 1)], cache).argmax(axis=1)  # (<= piece,)
        piece *= 2
