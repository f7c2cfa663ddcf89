"""The parts of a transformer, each a function of arrays.

How it works
    Every statement carries the shape of what it makes. T tokens are computed, S tokens are seen (S = T without
    a cache), d is the width of the residual stream, H query heads share G key/value heads, h is the width of a
    head, f the width of the feed-forward part. Everything is float32.

Sources
    RMSNorm: Zhang and Sennrich 2019 (arXiv 1910.07467), eq. 4. RoPE: Su et al. 2021 (arXiv 2104.09864), eq. 34, in
    the *rotate-half* pairing of GPT-NeoX and Llama (component i turns with i + h/2, not with i + 1); its scaling in
    Llama 3.1: transformers, ``modeling_rope_utils.py`` (_compute_llama3_parameters). Grouped-query
    attention: Ainslie et al. 2023 (arXiv 2305.13245). SwiGLU: Shazeer 2020 (arXiv 2002.05202).

What we leave out
    Dropout, biases, batches (one text at a time: a weight is used for all T tokens at once as it is).
"""

from __future__ import annotations

from typing import Callable

import numpy as np

QUERY_BLOCK = 128  # queries whose scores are in memory at once: H * 128 * S floats instead of H * T * S


def linear(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """y = x W^T, for x (T, in) and weight (out, in)."""
    return x @ weight.T  # (T, in) @ (in, out) -> (T, out)


def rms_norm(x: np.ndarray, gain: np.ndarray, eps: float) -> np.ndarray:
    """Divide each row of x (..., d) by its root mean square, then multiply by gain (d,)."""
    mean_square = np.mean(x * x, axis=-1, keepdims=True)  # (..., 1)
    return x / np.sqrt(mean_square + np.float32(eps)) * gain  # (..., d)


def silu(x: np.ndarray) -> np.ndarray:
    """x * sigmoid(x), any shape. tanh cannot overflow, exp(-x) could."""
    return x * (np.float32(0.5) * np.tanh(np.float32(0.5) * x) + np.float32(0.5))


def swiglu(gate: np.ndarray, up: np.ndarray) -> np.ndarray:
    """The gated unit between the feed-forward matrices: silu(gate) * up, both (T, f)."""
    return silu(gate) * up  # (T, f)


def softmax(scores: np.ndarray) -> np.ndarray:
    """Softmax over the last axis; the row maximum is taken off first, so that exp never overflows."""
    e = scores - scores.max(axis=-1, keepdims=True)  # (..., S)
    np.exp(e, out=e)
    e /= e.sum(axis=-1, keepdims=True)
    return e


def rope_frequencies(head_dim: int, theta: float, scaling: tuple[float, float, float, int] | None = None) -> np.ndarray:
    """How far each pair turns per token: float64 (h/2,), theta^(-2i/h) for pair i.

    ``scaling`` is Llama 3's (factor, low, high, original context C): a pair whose wavelength is above C / low turns
    ``factor`` times slower, one below C / high as before, and in between the two are mixed, linearly in C / wavelength.
    """
    frequency = theta ** (-np.arange(0, head_dim, 2) / head_dim)  # (h/2,)
    if scaling is None:
        return frequency
    factor, low, high, context = scaling
    share = np.clip((context * frequency / (2 * np.pi) - low) / (high - low), 0, 1)  # of the unscaled frequency
    return frequency * (share + (1 - share) / factor)


def rope_angles(positions: np.ndarray, head_dim: int, theta: float,
                scaling: tuple[float, float, float, int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of the RoPE angles, each (T, h/2), for positions (T,).

    Pair i turns by position * frequency i. The product is taken in float64 and rounded once.
    """
    angle = np.outer(positions, rope_frequencies(head_dim, theta, scaling))  # (T, h/2)
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def rope(x: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    """Turn each pair (x_i, x_{i+h/2}) of x (heads, T, h) by its angle; cos and sin are (T, h/2)."""
    half = x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]  # (heads, T, h/2) each
    return np.concatenate((a * cos - b * sin, b * cos + a * sin), axis=-1)  # (heads, T, h)


def split_heads(x: np.ndarray, heads: int) -> np.ndarray:
    """(T, heads * h) -> (heads, T, h)."""
    return x.reshape(len(x), heads, -1).transpose(1, 0, 2)


def merge_heads(x: np.ndarray) -> np.ndarray:
    """(heads, T, h) -> (T, heads * h)."""
    return x.transpose(1, 0, 2).reshape(x.shape[1], -1)


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray,
              through: Callable[[np.ndarray], np.ndarray] = lambda p: p) -> np.ndarray:
    """Causal grouped-query attention.

    Args:
        q: (H, T, h) queries of the last T of S positions.
        k, v: (G, S, h) keys and values; query head i reads key/value head i // (H/G).
        through: what the probabilities pass before they weigh the values (a fake quantizer, one row per query).

    Returns:
        (H, T, h). Queries are taken QUERY_BLOCK at a time, and each block looks no further than its last query:
        the same numbers as one (H, T, S) product, in less memory and half the work.
    """
    heads, T, h = q.shape
    start = k.shape[1] - T  # position of the first query
    out = np.empty_like(q)  # (H, T, h)
    for first in range(0, T, QUERY_BLOCK):
        last = min(first + QUERY_BLOCK, T)
        seen = start + last
        out[:, first:last] = _attend(q[:, first:last], k[:, :seen], v[:, :seen], through)
    return out


def _attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, through: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Attention of the last T queries q (H, T, h) over all S keys and values (G, S, h), in one product."""
    (heads, T, h), (groups, S, _) = q.shape, k.shape
    rows = q.reshape(groups, heads // groups * T, h)  # (G, H/G * T, h): the queries that share a key head
    scores = rows @ k.transpose(0, 2, 1) * np.float32(h**-0.5)  # (G, H/G * T, h) @ (G, h, S) -> (G, H/G * T, S)
    future = np.arange(S) > np.arange(S - T, S)[:, None]  # (T, S): key position > query position
    np.copyto(scores.reshape(heads, T, S), np.float32(-np.inf), where=future)  # (H, T, S), in place
    p = through(softmax(scores))  # (G, H/G * T, S)
    return (p @ v).reshape(heads, T, h)  # (G, H/G * T, S) @ (G, S, h) -> (H, T, h)
