"""The parts of a token that are not matrices, one function each, for timing: ``benchmark/outside.py`` puts a name on
every microsecond with them.

Each does what ``step.decode_step`` does of one kind in a whole token, for all layers, on whatever the scratch arrays hold.
"""

from __future__ import annotations

from numba import prange

from ._cache import jit, parallel_jit
from .attention import attend
from .inputs import take
from .matvec import prepare_for
from .step import add, rms_norm, rotate, swiglu


@jit
def norms(w, cache, s, position, eps):
    """RMSNorm: two a layer, one before the head."""
    hidden = take(s.input, s.hidden.size)
    for layer in range(cache.keys.shape[0]):
        rms_norm(hidden.values, s.hidden, w.attention_norm[layer], eps)
        rms_norm(hidden.values, s.hidden, w.ffn_norm[layer], eps)
    rms_norm(hidden.values, s.hidden, w.final_norm, eps)


@jit
def inputs_prepared(w, cache, s, position, eps):
    """Activations rounded to 8 bits, or what else the kernels read beside their values: before each matrix."""
    heads, size = s.qkv.shape[0] - 2 * cache.keys.shape[1], s.qkv.shape[1]
    hidden, attended, inner = (take(s.input, s.hidden.size), take(s.input, heads * size),
                               take(s.input, s.gate_up.shape[1]))
    for _ in range(cache.keys.shape[0]):
        prepare_for(w.qkv, hidden)
        prepare_for(w.output, attended)
        prepare_for(w.gate_up, hidden)
        prepare_for(w.down, inner)
    prepare_for(w.head, hidden)


@jit
def rotations(w, cache, s, position, eps):
    """Rotary embedding of queries and keys."""
    rows = s.qkv[:s.qkv.shape[0] - cache.keys.shape[1]]
    for _ in range(cache.keys.shape[0]):
        rotate(rows, w.cos[position], w.sin[position])


@jit
def attentions(w, cache, s, position, eps):
    """Attention over the cache, the token's own keys and values rounded into it, and a launch."""
    kv_heads, size = cache.keys.shape[1], s.qkv.shape[1]
    heads = s.qkv.shape[0] - 2 * kv_heads
    k, v = s.qkv[heads:heads + kv_heads], s.qkv[heads + kv_heads:]
    out = take(s.input, heads * size).values.reshape((heads, size))
    for layer in range(cache.keys.shape[0]):
        attend(out, s.qkv[:heads], cache, layer, position + 1, s.attention, k, v)


@jit
def swiglus(w, cache, s, position, eps):
    """The activation function of the feed-forward layers."""
    inner = take(s.input, s.gate_up.shape[1])
    for _ in range(cache.keys.shape[0]):
        swiglu(inner.values, s.gate_up[0], s.gate_up[1])


@jit
def additions(w, cache, s, position, eps):
    """The two sums of a layer that go around its halves."""
    for _ in range(2 * cache.keys.shape[0]):
        add(s.hidden, s.projected)


@parallel_jit
def _launch(room):
    for thread in prange(room.shape[0]):
        room[thread, 0] += 1


@jit
def launches(w, cache, s, position, eps):
    """As many parallel loops as a token has matrices, and nothing in them. Belongs to the matrices' own time."""
    for _ in range(4 * cache.keys.shape[0] + 1):
        _launch(s.room)


PARTS = {"norms": norms, "inputs": inputs_prepared, "rotations": rotations, "attention": attentions, "swiglu": swiglus,
         "additions": additions, "launches": launches}
