"""The parts of a transformer, backwards: one function per part of ``minquant/model/layers.py``.

How it works
    Let L be the loss, one number. For an array x, write dx for the gradient dL/dx: same shape, how fast L grows as
    each entry of x grows. A part computes y from x; its backward function is given dy and returns dx (and the
    gradients of its weights) by the chain rule. Each docstring gives the forward formula, then the gradient. Nothing
    here knows of the whole model; ``backward.py`` calls these functions in reverse order.

    B texts of T tokens; N = B * T rows where position plays no part; d, f: widths; H query heads of width h share G
    key/value heads, R = H/G each. The dtype is that of the input: float32 to train, float64 to check the formulas
    against finite differences.

Sources
    Backpropagation: Rumelhart, Hinton and Williams 1986, doi:10.1038/323533a0. The forward parts: see ``layers.py``.

What we leave out
    Attention in blocks with recomputed probabilities (FlashAttention): the (B, H, T, T) probabilities are kept.
"""

from __future__ import annotations

import numpy as np

from ..model import layers


def linear_backward(dy: np.ndarray, x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """y = x W^T   ->   dx = dy W,  dW = dy^T x.

    dy (N, out), x (N, in), weight (out, in) -> dx (N, in), dweight (out, in).
    """
    dx = dy @ weight  # (N, out) @ (out, in) -> (N, in)
    dweight = dy.T @ x  # (out, N) @ (N, in) -> (out, in)
    return dx, dweight


def embedding_backward(dx: np.ndarray, tokens: np.ndarray, vocab: int) -> np.ndarray:
    """x_i = E[token_i]   ->   dE[t] = sum of dx_i over all positions i that hold token t.

    dx (N, d), tokens (N,) -> dE (vocab, d). Rows of tokens that do not occur are 0.
    """
    order = np.argsort(tokens, kind="stable")  # (N,) equal tokens side by side
    held, first = np.unique(tokens[order], return_index=True)  # (K,) tokens that occur, and where each starts
    dembedding = np.zeros((vocab, dx.shape[1]), dx.dtype)  # (vocab, d)
    dembedding[held] = np.add.reduceat(dx[order], first, axis=0)  # (K, d)
    return dembedding


def rms_norm_backward(dy: np.ndarray, x: np.ndarray, gain: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """y = g n,  n = x r,  r = 1 / sqrt(mean(x^2) + eps)   ->   dg = sum_rows dy n,
    dx = r (dn - n mean(dn n)),  dn = dy g.

    The second term of dx: growing along its own direction does not change a row, for r shrinks as it grows.
    dy and x (N, d), gain (d,) -> dx (N, d), dgain (d,).
    """
    r = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + np.float32(eps))  # (N, 1)
    n = x * r  # (N, d)
    dgain = np.sum(dy * n, axis=0)  # (d,)
    dn = dy * gain  # (N, d)
    dx = r * (dn - n * np.mean(dn * n, axis=-1, keepdims=True))  # (N, d)
    return dx, dgain


def swiglu_backward(dy: np.ndarray, gate: np.ndarray, up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """y = silu(gate) up,  silu(a) = a s,  s = sigmoid(a)   ->
    dgate = dy up s (1 + gate (1 - s)),  dup = dy silu(gate).

    dy, gate, up (N, f) -> dgate, dup (N, f).
    """
    s = np.float32(0.5) * np.tanh(np.float32(0.5) * gate) + np.float32(0.5)  # (N, f)
    dgate = dy * up * s * (1 + gate * (1 - s))  # (N, f)
    dup = dy * gate * s  # (N, f)
    return dgate, dup


def rope_backward(dy: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    """y = each pair turned by its angle   ->   dx = each pair of dy turned back (rotations are orthogonal).

    dy (..., T, h), cos and sin (T, h/2) -> dx (..., T, h).
    """
    return layers.rope(dy, cos, -sin)  # (..., T, h)


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Causal grouped-query attention of whole texts, and the probabilities that the backward pass needs.

    P = softmax(q k^T / sqrt(h)),  y = P v; query head i reads key/value head i // R. The same numbers as
    ``layers.attention`` gives for each text. q (B, H, T, h), k and v (B, G, T, h) -> y (B, H, T, h), P (B, G, R*T, T).
    """
    (B, H, T, h), G = q.shape, k.shape[1]
    rows = q.reshape(B, G, H // G * T, h)  # (B, G, R*T, h): the queries that share a key head
    scores = rows @ k.swapaxes(2, 3) * h**-0.5  # (B, G, R*T, h) @ (B, G, h, T) -> (B, G, R*T, T)
    future = np.arange(T) > np.arange(T)[:, None]  # (T, T): key position > query position
    np.copyto(scores.reshape(B, H, T, T), -np.inf, where=future)  # (B, H, T, T), in place
    p = layers.softmax(scores)  # (B, G, R*T, T)
    return (p @ v).reshape(B, H, T, h), p


def attention_backward(dy: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray,
                       p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """S = q k^T / sqrt(h),  P = softmax(S),  y = P v   ->   dv = P^T dy,  dP = dy v^T,  dS = P (dP - sum_keys dP P),
    dq = dS k / sqrt(h),  dk = dS^T q / sqrt(h).

    The sums over the R query heads that share a key head happen inside the products, whose rows are R*T. Future keys
    need no mask here: their P is 0, so their dS is 0. dy and q (B, H, T, h), k and v (B, G, T, h), p (B, G, R*T, T)
    -> dq (B, H, T, h), dk and dv (B, G, T, h).
    """
    (B, H, T, h), G = q.shape, k.shape[1]
    rows, drows = q.reshape(B, G, H // G * T, h), dy.reshape(B, G, H // G * T, h)  # (B, G, R*T, h) each
    dv = p.swapaxes(2, 3) @ drows  # (B, G, T, R*T) @ (B, G, R*T, h) -> (B, G, T, h)
    dp = drows @ v.swapaxes(2, 3)  # (B, G, R*T, h) @ (B, G, h, T) -> (B, G, R*T, T)
    ds = p * (dp - np.sum(dp * p, axis=-1, keepdims=True)) * h**-0.5  # (B, G, R*T, T)
    dq = (ds @ k).reshape(B, H, T, h)  # (B, G, R*T, T) @ (B, G, T, h) -> (B, H, T, h)
    dk = ds.swapaxes(2, 3) @ rows  # (B, G, T, R*T) @ (B, G, R*T, h) -> (B, G, T, h)
    return dq, dk, dv


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
    """L = mean over rows of -log softmax(z)[target]   ->   dz = (softmax(z) - one_hot(target)) / N.

    logits (N, vocab), targets (N,) -> L in nats, dlogits (N, vocab).
    """
    rows = np.arange(len(targets))  # (N,)
    shifted = logits - logits.max(axis=-1, keepdims=True)  # (N, vocab)
    e = np.exp(shifted)  # (N, vocab)
    total = e.sum(axis=-1, keepdims=True)  # (N, 1)
    loss = np.mean(np.log(total[:, 0]) - shifted[rows, targets], dtype=np.float64)
    dlogits = e / total  # (N, vocab)
    dlogits[rows, targets] -= 1
    dlogits /= len(targets)
    return float(loss), dlogits


def divergence(logits: np.ndarray, teacher: np.ndarray) -> tuple[float, np.ndarray]:
    """L = mean over rows of KL(p || q),  p = softmax(teacher),  q = softmax(z)   ->   dz = (q - p) / N.

    Distillation with the teacher's whole distribution in the place of one right token (Hinton et al. 2015, arXiv
    1503.02531, section 2, at temperature 1). logits and teacher (N, vocab) -> L in nats, dlogits (N, vocab).
    """
    log_q, log_p = _log_softmax(logits), _log_softmax(teacher)  # (N, vocab)
    p = np.exp(log_p)  # (N, vocab)
    loss = np.sum(p * (log_p - log_q), dtype=np.float64) / len(p)
    return float(loss), (np.exp(log_q) - p) / len(p)


def _log_softmax(z: np.ndarray) -> np.ndarray:
    """log softmax of rows: (N, vocab) -> (N, vocab)."""
    shifted = z - z.max(axis=-1, keepdims=True)  # (N, vocab)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))  # (N, vocab)
