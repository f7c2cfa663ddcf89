"""Attention whose operands are rounded: queries, keys and probabilities, row by row.

    int8:token, fp8_e4m3:token, mxfp8     a scheme for all three
    int8:token:smooth                     the same, the mean key taken off the keys before they are rounded

How it works
    Q K^T multiplies rows of Q with rows of K, and P V rows of P with columns of V. A row of queries, of keys, of
    probabilities has a scale of its own, so the products of codes can be added as whole numbers and scaled once. V is
    read as the cache holds it (``Recipe.kv``).

Smoothing
    Keys of different tokens have much in common: a few channels are large with one sign throughout. Softmax does not
    notice what all keys have in common,

        q . (k_s - m) = q . k_s - q . m         the same for all s, so that it cancels

    but a scale does. So the mean key m over the tokens is subtracted first: what is rounded is what tells keys apart.

Whose mean
    A query may only know what came before it. Here the mean is that of the keys up to the query's own, taken anew with
    each of the first 32 tokens and then every 32: whoever reads token by token gets the same numbers. The paper's
    kernels take it over all keys at hand.

Source
    SageAttention: Zhang et al. 2024, arXiv 2410.02367, section 4.2 ("Smooth Matrix K").

What we leave out
    Scales per block of rows; V rounded by channel; the paper's choice per layer; smoothing Q (SageAttention2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..scaling import Scheme
from . import layers
from .cache_format import check_rows

MEAN_EVERY = 32  # tokens after which the mean key is taken anew
SMOOTH = "smooth"


class AttentionFormat(NamedTuple):
    """How attention's operands are rounded: a scheme, and whether the mean key is taken off first."""

    scheme: Scheme
    smooth: bool = False

    @classmethod
    def parse(cls, text: str | Scheme) -> AttentionFormat:
        """The format of a string. Raises as ``Scheme.parse``, and for scales that rows cannot have."""
        words = text.split(":") if isinstance(text, str) else []
        scheme = Scheme.parse(":".join(word for word in words if word != SMOOTH) if words else text)
        check_rows(scheme)
        return cls(scheme, SMOOTH in words)


def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, through: Callable[[np.ndarray], np.ndarray],
           smooth: bool = False) -> np.ndarray:
    """Causal attention of queries (H, T, h), the last T of S positions, on keys and values (G, S, h) -> (H, T, h).

    ``through`` rounds the operands, rows last; ``smooth`` takes the mean key off first.
    """
    q = through(q)  # (H, T, h)
    if not smooth:
        return layers.attention(q, through(k), v, through)
    T, S = q.shape[1], k.shape[1]
    out, t = np.empty_like(q), S - T  # (H, T, h); position of the first query
    while t < S:
        known = known_keys(t + 1)
        stop = t + 1
        while stop < S and known_keys(stop + 1) == known:
            stop += 1
        apart = k[:, :stop] - k[:, :known].mean(axis=1, keepdims=True)  # (G, stop, h)
        rows = slice(t - S, stop - S or None)
        out[:, rows] = layers.attention(q[:, rows], through(apart), v[:, :stop], through)
        t = stop
    return out


def known_keys(seen: int) -> int:
    """Of so many keys, how many oldest ones the mean is taken over."""
    return seen if seen < MEAN_EVERY else seen // MEAN_EVERY * MEAN_EVERY
