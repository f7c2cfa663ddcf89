"""Where would the quantized model write another token, and is that better or worse?

How it works
    After every token of a text both models have a likeliest next token. Where the two differ, the position is
    *flipped*. A flip need not be a mistake: the text itself says what came next, so each position falls into one of
    four boxes, and two of them are what accuracy cannot see, because they cancel in it:

                                 model right         model wrong
        reference right          both right          right_to_wrong
        reference wrong          wrong_to_right      both wrong (flipped or not)

        accuracy - reference accuracy = wrong_to_right - right_to_wrong

Source
    Flips from right to wrong and back, as a measure of compressed models: Dutta et al. 2024, "Accuracy is not all you
    need" (arXiv 2407.09141). Their unit is the answer to a question, ours the next token.

What we leave out
    Flips of sampled text: at temperature 0 a flip is one token; sampled runs differ by their draws (``greedy.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .divergence import Reference, check_same_vocabulary, compare
from .statistics import standard_error

if TYPE_CHECKING:
    from ..model import Transformer


@dataclass(frozen=True, eq=False)
class Flips:
    """The likeliest next tokens of two models on one text.

    Attributes:
        tokens: int64 (N,), the text.
        own, reference: int64 (N,), the likeliest token after token i, by the model and by the reference. Of equally
            likely ones the one with the lowest number.
    """

    tokens: np.ndarray
    own: np.ndarray
    reference: np.ndarray

    @property
    def flipped(self) -> np.ndarray:
        """bool (N,): do the two differ after token i? Entry N - 1 is about what would follow the text."""
        return self.own != self.reference

    @property
    def rate(self) -> float:
        """Share of the N positions that are flipped, 0..1."""
        return float(self.flipped.mean())

    @property
    def stderr(self) -> float:
        """Standard error of ``rate``, from blocks of tokens; NaN for one position."""
        return standard_error(self.flipped)

    @property
    def accuracy(self) -> float:
        """Share of tokens 1..N-1 that the model finds likeliest; NaN for a text of one token."""
        return _share(self._right(self.own))

    @property
    def reference_accuracy(self) -> float:
        """The same of the reference."""
        return _share(self._right(self.reference))

    @property
    def right_to_wrong(self) -> float:
        """Share of tokens 1..N-1 that the reference finds likeliest and the model does not."""
        return _share(self._right(self.reference) & ~self._right(self.own))

    @property
    def wrong_to_right(self) -> float:
        """Share of tokens 1..N-1 that the model finds likeliest and the reference does not."""
        return _share(self._right(self.own) & ~self._right(self.reference))

    def _right(self, likeliest: np.ndarray) -> np.ndarray:
        return likeliest[:-1] == self.tokens[1:]  # (N - 1,)


def top1_flips(model: Transformer, reference: Transformer | Reference, tokens: Any = None, context: int | None = None,
               stride: int | None = None, progress: Any = None) -> Flips:
    """Compare the likeliest next tokens of two models, position by position.

    Args:
        model: the model to look at.
        reference: the model it came from, or a ``Reference``, which brings text and windows of its own.
        tokens: (N,), N of at least 1; not with a Reference.
        context, stride, progress: as for ``perplexity``.

    Raises as ``kl_divergence``, and TypeError where the text is missing or comes twice.
    """
    if isinstance(reference, Reference) != (tokens is None):
        raise TypeError("top1_flips: give tokens with a reference model, and none with a Reference, which has its own")
    compared = reference if tokens is None else Reference(reference, tokens, context, stride, memory=0)
    check_same_vocabulary(model, compared)
    own, other = (np.empty(len(compared.tokens), np.int64) for _ in range(2))  # (N,) each
    for window, logits, reference_logits in compare(model, compared, progress):
        own[window.first:window.end] = logits.argmax(axis=1)
        other[window.first:window.end] = reference_logits.argmax(axis=1)
    return Flips(compared.tokens, own, other)


def _share(hits: np.ndarray) -> float:
    return float(hits.mean()) if hits.size else float("nan")
