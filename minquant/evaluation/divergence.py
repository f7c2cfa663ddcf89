"""How far is a quantized model from the float model it came from?

How it works
    Perplexity asks how well a model guesses a text, and a quantized model may be wrong elsewhere and right here.
    *KL divergence* compares the whole distribution over the next token, position by position:

        KL(reference || model) = sum over tokens of p_reference * log(p_reference / p_model)      in nats

    It is 0 where the two agree and larger the more probability the model takes from where the reference put it. No
    text has to be right, and no luck averages out. *Top-1 agreement* is the share of positions where both would write
    the same token; ``flips.py`` says where they would not.

    The mean hides how uneven KL is: most tokens hardly move, a few move a lot. ``kl_quantiles`` says how far.

Memory
    All logits of a reference would be 28,000 tokens x 2,048 numbers x 4 bytes = 230 MB for the shipped text. So
    everything goes window by window, and ``Reference`` keeps computed logits only up to a limit.

Source
    Kullback and Leibler 1951, doi:10.1214/aoms/1177729694. KL of quantized language models as a measure: llama.cpp,
    tools/perplexity (``--kl-divergence``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .windows import check_text, chunks, cut_windows, log_softmax, progress_bar, scored_logits

if TYPE_CHECKING:
    from ..model import Transformer


class Reference:
    """A reference model on a text, its logits kept for the next comparison.

    Make one, and give it to ``evaluate`` for each recipe: the reference is then run once and not once per recipe.

    Attributes:
        model: the reference.
        tokens: int64 (N,), the text.
        context, stride: how it is read.
        windows: the windows that score its N positions.
        memory: most bytes of logits that are kept. Windows beyond it are computed anew each time.
    """

    def __init__(self, model: Transformer, tokens: Any, context: int | None = None, stride: int | None = None,
                 memory: int = 256 << 20) -> None:
        """Nothing is computed yet. Raises ValueError or TypeError for what ``perplexity`` would refuse."""
        self.model = model
        self.tokens, self.context, self.stride = check_text(model, tokens, context, stride)
        self.windows = cut_windows(len(self.tokens), self.context, self.stride)
        self.memory = memory
        self._kept: dict[int, np.ndarray] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of the logits kept so far."""
        return sum(logits.nbytes for logits in self._kept.values())

    def logits(self, number: int) -> np.ndarray:
        """Logits of the scored positions of window ``number``: (positions, vocab) float32. Not to be written to."""
        if number in self._kept:
            return self._kept[number]
        logits = scored_logits(self.model, self.tokens, self.windows[number])  # (positions, vocab)
        if self.nbytes + logits.nbytes <= self.memory:
            self._kept[number] = logits = logits.copy()  # a view would keep the whole window alive
        return logits


def kl_divergence(model: Transformer, reference: Transformer, tokens: Any, context: int | None = None,
                  stride: int | None = None, progress: Any = None) -> np.ndarray:
    """KL(reference || model) of the next-token distributions after each token of a text.

    Args:
        model, reference: two models with the same vocabulary.
        tokens: (N,) whole numbers, N of at least 1.
        context, stride, progress: as for ``perplexity``.

    Returns:
        float64 (N,), nats; entry i compares the distributions after token i. Exactly 0 where the logits are the
        same, and never below 0 but for rounding (about -1e-16).

    Raises ValueError where the vocabularies differ or the text is refused (see ``perplexity``).
    """
    compared = Reference(reference, tokens, context, stride, memory=0)
    check_same_vocabulary(model, compared)
    kl = np.empty(len(compared.tokens))  # (N,)
    for window, own, other in compare(model, compared, progress):
        kl[window.first:window.end] = kl_rows(own, other)
    return kl


def top1_agreement(model: Transformer, reference: Transformer, tokens: Any, context: int | None = None,
                   stride: int | None = None, progress: Any = None) -> float:
    """Share of the N positions of a text where both models find the same next token likeliest, 0..1.

    Arguments and errors as for ``kl_divergence``. Of equally likely tokens the one with the lowest number counts.
    """
    compared = Reference(reference, tokens, context, stride, memory=0)
    check_same_vocabulary(model, compared)
    same = sum(int((own.argmax(axis=1) == other.argmax(axis=1)).sum())
               for _, own, other in compare(model, compared, progress))
    return same / len(compared.tokens)


def compare(model: Transformer, reference: Reference, progress: Any = None):
    """Yield (window, logits of the model, logits of the reference), both (positions, vocab), window by window."""
    for number, window in enumerate(progress_bar(progress, "compare")(reference.windows)):
        yield window, scored_logits(model, reference.tokens, window), reference.logits(number)


def kl_rows(logits: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """KL(softmax(reference) || softmax(logits)) row by row: two (n, vocab) -> (n,) float64 nats."""
    kl = np.empty(len(logits))  # (n,)
    for part in chunks(*logits.shape):
        log_p, log_q = log_softmax(reference[part]), log_softmax(logits[part])  # (rows, vocab) each
        kl[part] = (np.exp(log_p) * (log_p - log_q)).sum(axis=1)  # (rows,)
    return kl


def kl_quantiles(kl: Any) -> dict[str, float]:
    """How KL is spread over the tokens of a text: below which value half, 90%, 99% and all of them stay.

    Args:
        kl: (N,) nats, as ``kl_divergence`` returns them; N of at least 1.

    Returns:
        ``kl_median``, ``kl_p90``, ``kl_p99`` and ``kl_max``, in nats; between two tokens by straight lines.

    Raises ValueError for an empty array.
    """
    kl = np.asarray(kl, np.float64)  # (N,)
    if not kl.size:
        raise ValueError("kl_quantiles: no token, no quantile")
    names = ("kl_median", "kl_p90", "kl_p99", "kl_max")
    return dict(zip(names, map(float, np.quantile(kl, (0.5, 0.9, 0.99, 1.0)))))


def check_same_vocabulary(model: Transformer, reference: Reference) -> None:
    """Raise ValueError where the two models cannot be compared."""
    own, other = model.config, reference.model.config
    if own.vocab_size != other.vocab_size:
        raise ValueError(f"the model knows {own.vocab_size} tokens and the reference {other.vocab_size}: "
                         "distributions over different vocabularies cannot be compared")
    if own.context < reference.context:
        raise ValueError(f"the reference is read {reference.context} tokens at once, this model reads {own.context} at "
                         f"most; give context={own.context}")
