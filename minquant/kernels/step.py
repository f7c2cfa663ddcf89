"""One token through the whole model, inside compiled code.

    hidden = embedding[token]                                          (hidden,)
    for every layer:
        a = rms_norm(hidden); q, k, v = qkv @ a                        one matrix: the rows of q, k and v stacked
        q, k = normalised heads of q, k                                Qwen3 only
        q, k = rotate(q, k)
        hidden += output @ attend(q, cache with k, v appended)
        a = rms_norm(hidden); gate, up = gate_up @ a                   one matrix again
        hidden += down @ (silu(gate) * up)
    logits = head @ rms_norm(hidden)                                   (vocabulary,)

Stacking q, k, v and gate, up leaves five parallel launches per layer instead of eight; a launch costs some 5 us, and a
token of a small model only milliseconds. This function is not parallel itself: it calls parallel kernels one after
the other, which costs no more than one big parallel function, and each kernel stays short enough to read.

Formulas: RMSNorm (Zhang & Sennrich 2019, eq. 4), rotary embedding (Su et al. 2021, section 3.4.2, in the "rotate half"
order of the Llama checkpoints), SwiGLU (Shazeer 2020, eq. 6), grouped-query attention (Ainslie et al. 2023).

What we leave out: several tokens at once (``prefill.py``), sampling (``sampling.py``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._cache import jit
from .attention import Room, attend
from .bits import exp_into
from .inputs import FloatInput, Int8Input, take
from .matvec import multiply
from .packed import Packed
from .rows import decode_row

_f32 = np.float32


class Weights(NamedTuple):
    """What a token reads. Packed matrices have a leading axis of layers (1 for embedding and head)."""

    embedding: Packed             # (1, vocabulary, hidden); the same object as head where the model is tied
    qkv: Packed                   # (layers, (heads + 2 KV heads) * head size, hidden)
    output: Packed                # (layers, hidden, heads * head size)
    gate_up: Packed               # (layers, 2 ffn, hidden)
    down: Packed                  # (layers, hidden, ffn)
    head: Packed                  # (1, vocabulary, hidden)
    attention_norm: np.ndarray    # (layers, hidden) float32
    ffn_norm: np.ndarray          # (layers, hidden) float32
    final_norm: np.ndarray        # (hidden,) float32
    cos: np.ndarray               # (context, head size / 2) float32
    sin: np.ndarray               # (context, head size / 2) float32
    q_norm: np.ndarray = np.zeros((0, 0), np.float32)  # (layers, head size); empty where heads are not normalised
    k_norm: np.ndarray = np.zeros((0, 0), np.float32)


class Scratch(NamedTuple):
    """Working space, allocated once. All float32; an input for the matrices; room for attention."""

    hidden: np.ndarray            # (hidden,)
    input: FloatInput | Int8Input  # of the longest row of any matrix
    qkv: np.ndarray               # (heads + 2 KV heads, head size)
    gate_up: np.ndarray           # (2, ffn)
    projected: np.ndarray         # (hidden,)
    attention: Room               # of the cache
    room: np.ndarray              # (threads, twice the longest row of any matrix, and a cache line)


@jit
def rms_norm(out, x, gain, eps):
    """``out = x / sqrt(mean(x^2) + eps) * gain``; all (hidden,) float32. The mean is taken in float64."""
    total = np.float64(0)
    for i in range(x.size):
        total += np.float64(x[i]) * np.float64(x[i])
    factor = _f32(1.0 / np.sqrt(total / x.size + eps))
    for i in range(x.size):
        out[i] = x[i] * factor * gain[i]


@jit
def normalise_heads(q, k, q_norm, k_norm, layer, eps):
    """In place, every head of q and k (heads, head size) float32, if there are gains (layers, head size)."""
    if q_norm.shape[1]:
        for head in range(q.shape[0]):
            rms_norm(q[head], q[head], q_norm[layer], eps)
        for head in range(k.shape[0]):
            rms_norm(k[head], k[head], k_norm[layer], eps)


@jit
def rotate(x, cos, sin):
    """Rotary embedding in place: in every head (d, d + size/2) is a plane, turned by the angle of this position.

    x (heads, head size) float32; cos, sin (head size / 2,) float32 of this position.
    """
    half = cos.size
    for head in range(x.shape[0]):
        for d in range(half):
            a, b = x[head, d], x[head, d + half]
            x[head, d] = a * cos[d] - b * sin[d]
            x[head, d + half] = b * cos[d] + a * sin[d]


@jit
def swiglu(out, gate, up):
    """``out = gate * sigmoid(gate) * up``; all (ffn,) float32."""
    for i in range(gate.size):
        out[i] = min(-gate[i], _f32(80))
    exp_into(out, out)
    for i in range(gate.size):
        out[i] = gate[i] / (_f32(1) + out[i]) * up[i]


@jit
def add(x, y):
    """``x += y``, both (n,)."""
    for i in range(x.size):
        x[i] += y[i]


@jit
def decode_step(logits, token, position, weights, cache, scratch, eps):
    """Logits (vocabulary,) float32 of the token at ``position``; its key and value are written to the cache."""
    w, s = weights, scratch
    kv_heads, size = cache.keys.shape[1], s.qkv.shape[1]
    heads = s.qkv.shape[0] - 2 * kv_heads
    q, k, v = s.qkv[:heads], s.qkv[heads:heads + kv_heads], s.qkv[heads + kv_heads:]
    hidden, attended = take(s.input, s.hidden.size), take(s.input, heads * size)
    inner = take(s.input, s.gate_up.shape[1])
    decode_row(s.hidden, w.embedding, 0, token)
    for layer in range(cache.keys.shape[0]):
        rms_norm(hidden.values, s.hidden, w.attention_norm[layer], eps)
        multiply(s.qkv.reshape(s.qkv.size), w.qkv, layer, hidden, s.room)
        normalise_heads(q, k, w.q_norm, w.k_norm, layer, eps)
        rotate(q, w.cos[position], w.sin[position])
        rotate(k, w.cos[position], w.sin[position])
        attend(attended.values.reshape((heads, size)), q, cache, layer, position + 1, s.attention, k, v)
        multiply(s.projected, w.output, layer, attended, s.room)
        add(s.hidden, s.projected)
        rms_norm(hidden.values, s.hidden, w.ffn_norm[layer], eps)
        multiply(s.gate_up.reshape(s.gate_up.size), w.gate_up, layer, hidden, s.room)
        swiglu(inner.values, s.gate_up[0], s.gate_up[1])
        multiply(s.projected, w.down, layer, inner, s.room)
        add(s.hidden, s.projected)
    rms_norm(hidden.values, s.hidden, w.final_norm, eps)
    multiply(logits, w.head, 0, hidden, s.room)
