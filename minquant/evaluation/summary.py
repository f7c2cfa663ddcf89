"""All quality figures of a model in one pass over a text."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from .corpus import heldout
from .divergence import Reference, check_same_vocabulary, compare, kl_quantiles, kl_rows
from .flips import Flips
from .likelihood import Perplexity, perplexity, scored_bytes, token_nll
from .statistics import paired_difference, standard_error
from .windows import check_text

if TYPE_CHECKING:
    from ..model import Transformer


COMPARED = ("kl", "kl_stderr", "kl_median", "kl_p90", "kl_p99", "kl_max", "top1_agreement", "top1_agreement_stderr",
            "right_to_wrong", "wrong_to_right", "nll_difference", "nll_difference_stderr")  # figures of two models


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model is worth on a text. Figures that need a reference are None without one.

    Attributes:
        perplexity, perplexity_stderr: exp(mean nll) of the scored tokens, and its standard error.
        bits_per_byte: nll per byte of text, in bits; None where the model has no tokenizer.
        kl, kl_stderr: mean KL(reference || model) per position, in nats, and its standard error.
        kl_median, kl_p90, kl_p99, kl_max: below which value half, 90%, 99% and all of the positions stay.
        top1_agreement, top1_agreement_stderr: share of positions where both models find the same token likeliest,
            0..1, and its standard error.
        right_to_wrong, wrong_to_right: share of scored tokens that the reference alone, and that the model alone,
            finds likeliest. Accuracy sees no more than the difference of the two.
        nll_difference, nll_difference_stderr: mean of (model's nll - reference's nll), token by token, in nats, and
            its standard error. This is the sensitive comparison: what is hard for both cancels.
        bits_per_weight: storage per weight over the whole model.
        scored_tokens, context, stride: what was measured, and how.
        nll: float64 (N - 1,), the model's nll of each scored token.
        kl_per_token: float64 (N,), or None.
        flips: the likeliest tokens of both models (``flips.py``), or None.
    """

    perplexity: float
    perplexity_stderr: float
    bits_per_byte: float | None
    kl: float | None
    kl_stderr: float | None
    kl_median: float | None
    kl_p90: float | None
    kl_p99: float | None
    kl_max: float | None
    top1_agreement: float | None
    top1_agreement_stderr: float | None
    right_to_wrong: float | None
    wrong_to_right: float | None
    nll_difference: float | None
    nll_difference_stderr: float | None
    bits_per_weight: float
    scored_tokens: int
    context: int
    stride: int
    nll: np.ndarray
    kl_per_token: np.ndarray | None
    flips: Flips | None

    def figures(self) -> dict[str, float | int | None]:
        """Everything but the arrays, under the attributes' names: ready for JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("nll", "kl_per_token", "flips")}


def heldout_tokens(model: Transformer, split: str = "test", limit_bytes: int | None = None) -> np.ndarray:
    """The shipped held-out text in a model's tokens, token 0 before it.

    Args:
        model: a model with a tokenizer.
        split: ``"test"``, ``"validation"`` or ``"calibration"`` (see ``corpus.heldout``).
        limit_bytes: take the longest run of whole tokens from the start that holds no more bytes; None takes all.

    Returns:
        int64 (N,). The same tokens on every machine that holds the same paragraphs.

    Raises:
        ValueError: no tokenizer, an unknown split, a limit that leaves no token.
        RuntimeError: this Python's standard library lacks more than 2% of the paragraphs.
    """
    if model.tokenizer is None:
        raise ValueError("this model has no tokenizer to turn the held-out text into tokens: put its tokenizer.json into "
                         "its folder, or give tokens of your own")
    tokens = model.tokenizer.encode(heldout(split).text)  # (N - 1,)
    if limit_bytes is not None:
        ends = np.cumsum([len(piece) for piece in model.tokenizer.token_bytes(tokens)])  # (N - 1,)
        tokens = tokens[:np.searchsorted(ends, limit_bytes, side="right")]
        if not len(tokens):
            raise ValueError(f"limit_bytes={limit_bytes} leaves nothing of the text: its first token has "
                             f"{ends[0]} bytes")
    return np.concatenate(([0], tokens)).astype(np.int64)


def evaluate(model: Transformer, reference: Transformer | Reference | None = None, tokens: Any = None,
             context: int | None = None, stride: int | None = None, progress: Any = None) -> Evaluation:
    """Measure a model, and how far it is from a reference, in one pass.

    Args:
        model: the model to measure, float or quantized.
        reference: the float model it is compared with; a ``Reference`` where several models are compared with the
            same one (its logits are then computed once); None leaves the comparison out.
        tokens: (N,), N of at least 2; by default the Reference's own, else the shipped held-out test text.
        context, stride, progress: as for ``perplexity``; a Reference brings its own context and stride.

    Returns:
        Evaluation.

    Raises ValueError or TypeError for what ``perplexity`` and ``kl_divergence`` refuse, and for tokens, a context or
    a stride that are not the Reference's.
    """
    if reference is None:
        tokens = heldout_tokens(model) if tokens is None else tokens
        tokens, context, stride = check_text(model, tokens, context, stride, least=2)
        scored = perplexity(model, tokens, context, stride, progress)
        return _evaluation(model, tokens, context, stride, scored.nll)
    if isinstance(reference, Reference):
        _check_agrees(reference, tokens, context, stride)
    else:
        tokens = heldout_tokens(model) if tokens is None else tokens
        reference = Reference(reference, tokens, context, stride, memory=0)
    tokens, context, stride = check_text(model, reference.tokens, reference.context, reference.stride, least=2)
    check_same_vocabulary(model, reference)
    nll, reference_nll = np.empty(len(tokens) - 1), np.empty(len(tokens) - 1)  # (N - 1,) each
    kl = np.empty(len(tokens))  # (N,)
    own_top, other_top = (np.empty(len(tokens), np.int64) for _ in range(2))  # (N,) each
    for window, own, other in compare(model, reference, progress):
        positions = slice(window.first, window.end)
        targets = tokens[window.first + 1:window.end + 1]  # one less than positions in the last window
        nll[positions] = token_nll(own[:len(targets)], targets)
        reference_nll[positions] = token_nll(other[:len(targets)], targets)
        kl[positions] = kl_rows(own, other)
        own_top[positions], other_top[positions] = own.argmax(axis=1), other.argmax(axis=1)
    return _evaluation(model, tokens, context, stride, nll, reference_nll, kl, Flips(tokens, own_top, other_top))


def _evaluation(model: Transformer, tokens: np.ndarray, context: int, stride: int, nll: np.ndarray,
                reference_nll: np.ndarray | None = None, kl: np.ndarray | None = None,
                flips: Flips | None = None) -> Evaluation:
    """The figures, from what was measured token by token."""
    scored = Perplexity.from_nll(nll)
    bits = None if model.tokenizer is None else float(nll.sum() / math.log(2) / scored_bytes(model, tokens))
    compared = dict.fromkeys(COMPARED)
    if flips is not None:
        difference = paired_difference(nll, reference_nll)
        compared = {
            "kl": float(kl.mean()), "kl_stderr": standard_error(kl), **kl_quantiles(kl),
            "top1_agreement": 1 - flips.rate, "top1_agreement_stderr": flips.stderr,
            "right_to_wrong": flips.right_to_wrong, "wrong_to_right": flips.wrong_to_right,
            "nll_difference": difference.value, "nll_difference_stderr": difference.stderr}
    return Evaluation(
        perplexity=scored.value, perplexity_stderr=scored.stderr, bits_per_byte=bits,
        bits_per_weight=model.bits_per_weight, scored_tokens=len(nll), context=context, stride=stride,
        nll=nll, kl_per_token=kl, flips=flips, **compared)


def _check_agrees(reference: Reference, tokens: Any, context: int | None, stride: int | None) -> None:
    """Raise ValueError where evaluate is asked for another text or other windows than the Reference was made for."""
    if tokens is not None and not np.array_equal(tokens, reference.tokens):
        raise ValueError("these tokens are not those of the Reference: make a Reference for this text, or leave "
                         "tokens out")
    for name, asked in (("context", context), ("stride", stride)):
        if asked is not None and asked != getattr(reference, name):
            raise ValueError(f"{name} {asked} is not the Reference's {getattr(reference, name)}: make a Reference "
                             f"with {name}={asked}, or leave it out")
