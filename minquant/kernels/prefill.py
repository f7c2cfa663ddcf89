"""A whole prompt through the model, matrix times matrix.

The same formulas as ``step.py``, for many tokens at once. What is different is the order of work: layer by layer,
and within a layer one *chunk* of tokens after the other, so that every weight is read once per chunk, not per token.

    hidden (T, hidden)         of the whole prompt, carried from layer to layer
    keys, values               of the whole prompt and of *one* layer, in float32: the prompt attends to them unrounded
                               (as ``Transformer.generate`` does), while the cache gets them in its own format
    everything else            for one chunk

With 8-bit activations the inputs of every matrix are rounded exactly as in a step, and multiplied as the floats they
stand for. The last token alone is multiplied by the output matrix.

Causal attention: QUERIES tokens at a time see all keys up to the last of them; what comes after a token gets weight
zero.
Scores and the weighted sum of values are products of two matrices again (``tiles.tile_product``), for which the values
are kept transposed.

What we leave out: tokens before the prompt (they would be read from the cache), several prompts at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from ._cache import jit, parallel_jit
from .append import write
from .bits import exp_into
from .inputs import Int8Input, quantize_into, take
from .matvec import multiply
from .packed import CHUNK, aligned
from .rows import decode_row
from .step import add, normalise_heads, rms_norm, rotate, swiglu
from .tiles import EIGHT, matmul, padded, stride, tile_product

_f32 = np.float32
TOKENS = 192    # of a chunk, at most
QUERIES = 24    # of a block of attention; a multiple of 3


class Prompt(NamedTuple):
    """Working space for a prompt of T tokens, chunks of C; all float32 but ``codes``, flat where no shape is given."""

    hidden: np.ndarray    # (T, hidden)
    keys: np.ndarray      # (KV heads, T of them rows): of one layer
    values: np.ndarray    # (KV heads, head size rows of T): of one layer, transposed
    x: np.ndarray         # C rows: what a matrix is multiplied by
    out: np.ndarray       # C rows: what comes out
    tile: np.ndarray      # (threads, 8 rows): decoded weights
    sums: np.ndarray      # (threads, ...): products before they are handed out
    scores: np.ndarray    # (threads, QUERIES rows)
    codes: np.ndarray     # (threads, longest row) int8; none of them: activations are left in float
    scale: np.ndarray     # (threads, 2, chunks of 32)


def make_prompt(tokens: int, hidden: int, heads: int, kv_heads: int, size: int, ffn: int, threads: int,
                rounded: bool) -> Prompt:
    """Room for a prompt of so many tokens."""
    chunk = padded(chunk_length(tokens), 3) + 3
    longest, widest = max(hidden, ffn, heads * size), max((heads + 2 * kv_heads) * size, 2 * ffn, hidden)
    shapes = {"hidden": (tokens, hidden), "keys": (kv_heads, padded(tokens, 4) * stride(size)),
              "values": (kv_heads, padded(size, 4) * stride(tokens)), "x": (chunk * stride(longest),),
              "out": (chunk * widest + CHUNK,), "tile": (threads, EIGHT * stride(longest)),
              "sums": (threads, max(EIGHT * chunk, QUERIES * padded(size, 4)) + 16),
              "scores": (threads, QUERIES * stride(tokens) + 16), "scale": (threads, 2, -(-longest // CHUNK))}
    arrays = {name: aligned(shape, _f32) for name, shape in shapes.items()}
    for array in arrays.values():
        array[...] = 0  # numbers that are computed but not used must not be NaN
    return Prompt(**arrays, codes=aligned((threads, longest if rounded else 0), np.int8))


def chunk_length(tokens: int) -> int:
    """Tokens of a chunk: the prompt is cut into equal ones of at most TOKENS."""
    return -(-tokens // -(-tokens // TOKENS))


@jit
def round_input(x, codes, scale):
    """x (columns,) float32 rounded to the 8-bit numbers that ``inputs.quantize_into`` gives, in place."""
    chunks = (x.size + CHUNK - 1) // CHUNK
    quantize_into(codes[:x.size], scale[0, :chunks], scale[1, :chunks], x)
    for c in range(x.size):
        x[c] = _f32(codes[c]) * scale[0, c // CHUNK]


@jit
def finish_input(x, columns, p, thread):
    """Make an input row of x (at least columns, a multiple of 8,) ready for ``matmul``: rounded, zeros behind it."""
    if p.codes.shape[1]:
        round_input(x[:columns], p.codes[thread], p.scale[thread])
    for c in range(columns, padded(columns, 8)):
        x[c] = _f32(0)


@parallel_jit
def embed(p, embedding, tokens):
    """p.hidden = the embedding rows of tokens (T,) int64."""
    for t in prange(tokens.size):
        decode_row(p.hidden[t], embedding, 0, tokens[t])


@parallel_jit
def normalise(p, start, count, gain, eps):
    """p.x = the normalised hidden rows of the chunk of ``count`` tokens from ``start``."""
    threads, columns = p.tile.shape[0], gain.size
    distance = stride(columns)
    for thread in prange(threads):
        for t in range(thread, count, threads):
            x = p.x[t * distance:(t + 1) * distance]
            rms_norm(x[:columns], p.hidden[start + t], gain, eps)
            finish_input(x, columns, p, thread)


@parallel_jit
def add_output(p, start, count):
    """Add the chunk's outputs to the hidden rows."""
    width = p.hidden.shape[1]
    for t in prange(count):
        add(p.hidden[start + t], p.out[t * width:(t + 1) * width])


@parallel_jit
def gate(p, count, ffn):
    """p.x = silu(gate) * up of the chunk's outputs."""
    threads, distance = p.tile.shape[0], stride(ffn)
    for thread in prange(threads):
        for t in range(thread, count, threads):
            x, first = p.x[t * distance:(t + 1) * distance], 2 * t * ffn
            swiglu(x[:ffn], p.out[first:first + ffn], p.out[first + ffn:first + 2 * ffn])
            finish_input(x, ffn, p, thread)


@parallel_jit
def remember(cache, layer, start, count, kv, heads):
    """Write keys and values of a chunk to the cache, in its format; kv (tokens, heads + 2 KV heads, head size)."""
    kv_heads, size = cache.keys.shape[1], kv.shape[2]
    flat = kv.reshape(kv.size)
    for head in prange(kv_heads):
        for t in range(count):  # in order: some formats wait for a group of tokens
            k = (t * kv.shape[1] + heads + head) * size
            write(cache, layer * kv_heads + head, start + t, flat, flat, k, k + kv_heads * size, size)


@jit
def _keep(keys, values, position, tokens, k, v):
    """k and v (KV heads, head size) of one token in float, where ``attend`` finds them."""
    size, row = k.shape[1], stride(tokens)
    for head in range(k.shape[0]):
        for d in range(size):
            keys[head, position * stride(size) + d] = k[head, d]
            values[head, d * row + position] = v[head, d]


@parallel_jit
def turn(p, start, count, qkv, heads, cos, sin, q_norm, k_norm, layer, eps):
    """Norms (Qwen3) and rotary embedding of q and k of a chunk, in place; k and v also to p.keys and p.values, in float."""
    last = heads + p.keys.shape[0]
    for t in prange(count):
        position = start + t
        normalise_heads(qkv[t, :heads], qkv[t, heads:last], q_norm, k_norm, layer, eps)
        rotate(qkv[t, :last], cos[position], sin[position])
        _keep(p.keys, p.values, position, p.hidden.shape[0], qkv[t, heads:last], qkv[t, last:])


@jit
def causal_softmax(scores, seen, width, scale):
    """In place: the first ``seen`` of scores become weights that sum to one; from there to ``width`` zeros."""
    largest = scores[0]
    for t in range(seen):
        largest = max(largest, scores[t])
    for t in range(seen):
        scores[t] = (scores[t] - largest) * scale
    exp_into(scores[:seen], scores[:seen])
    total = np.float64(0)
    for t in range(seen):
        total += scores[t]
    share = _f32(1.0 / total)
    for t in range(seen):
        scores[t] *= share
    for t in range(seen, width):
        scores[t] = _f32(0)


@jit
def attend_block(p, thread, head, start, first, count, heads, size):
    """p.x of one head and the queries ``first`` .. first + count - 1 of the chunk that begins at ``start``."""
    kv_heads, out_row = p.keys.shape[0], (heads + 2 * p.keys.shape[0]) * size
    kv_head, seen, most = head // (heads // kv_heads), start + first + count, padded(count, 3)
    width, row, distance = padded(size, 8), stride(size), stride(p.hidden.shape[0])
    scores, sums, scale = p.scores[thread], p.sums[thread], _f32(1.0 / np.sqrt(np.float64(size)))
    tile_product(scores, distance, p.keys[kv_head], 0, row, padded(seen, 4), p.out, first * out_row + head * size,
                 out_row, most, width)
    for t in range(count):
        causal_softmax(scores[t * distance:(t + 1) * distance], start + first + t + 1, padded(seen, 8), scale)
    places = padded(size, 4)
    tile_product(sums, places, p.values[kv_head], 0, distance, places, scores, 0, distance, most, padded(seen, 8))
    x_row = stride(heads * size)
    for t in range(count):
        for d in range(size):
            p.x[(first + t) * x_row + head * size + d] = sums[t * places + d]


@parallel_jit
def attend(p, start, count, heads, size):
    """p.x = attention of a chunk over everything up to it. Threads share heads and blocks of queries."""
    threads, blocks = p.tile.shape[0], (count + QUERIES - 1) // QUERIES
    columns = heads * size
    distance = stride(columns)
    for thread in prange(threads):
        for piece in range(thread, heads * blocks, threads):
            first = piece // heads * QUERIES
            attend_block(p, thread, piece % heads, start, first, min(QUERIES, count - first), heads, size)
    for thread in prange(threads):
        for t in range(thread, count, threads):
            finish_input(p.x[t * distance:(t + 1) * distance], columns, p, thread)


@jit
def prefill_layer(weights, cache, p, layer, chunk, heads, size, ffn, eps):
    """One layer for the whole prompt: p.hidden (T, hidden) in place; keys and values go to the cache."""
    w, kv_heads = weights, p.keys.shape[0]
    total, width = p.hidden.shape
    rows = (heads + 2 * kv_heads) * size
    for start in range(0, total, chunk):
        count = min(chunk, total - start)
        normalise(p, start, count, w.attention_norm[layer], eps)
        matmul(p.out, rows, w.qkv, layer, p.x, width, count, p.tile, p.sums)
        qkv = p.out[:count * rows].reshape((count, heads + 2 * kv_heads, size))
        turn(p, start, count, qkv, heads, w.cos, w.sin, w.q_norm, w.k_norm, layer, eps)
        remember(cache, layer, start, count, qkv, heads)
        attend(p, start, count, heads, size)
        matmul(p.out, width, w.output, layer, p.x, heads * size, count, p.tile, p.sums)
        add_output(p, start, count)
        normalise(p, start, count, w.ffn_norm[layer], eps)
        matmul(p.out, 2 * ffn, w.gate_up, layer, p.x, width, count, p.tile, p.sums)
        gate(p, count, ffn)
        matmul(p.out, width, w.down, layer, p.x, ffn, count, p.tile, p.sums)
        add_output(p, start, count)


@jit
def last_logits(logits, weights, p, scratch, eps):
    """Logits (vocabulary,) float32 of the last token of the prompt."""
    hidden = take(scratch.input, scratch.hidden.size)
    rms_norm(hidden.values, p.hidden[-1], weights.final_norm, eps)
    multiply(logits, weights.head, 0, hidden, scratch.room)


def prefill(logits, tokens, weights, cache, scratch, config):
    """Logits (vocabulary,) float32 after tokens (T,) int64, which are stored in the cache from position 0.

    ``config`` says the shape: hidden, heads, kv_heads, head_dim, ffn, layers, norm_eps. This function is not compiled:
    between two layers Python can be interrupted, and then nothing has happened that a caller sees.
    """
    c, threads = config, scratch.room.shape[0]
    p = make_prompt(len(tokens), c.hidden, c.heads, c.kv_heads, c.head_dim, c.ffn, threads,
                    isinstance(scratch.input, Int8Input))
    embed(p, weights.embedding, tokens)
    for layer in range(c.layers):
        prefill_layer(weights, cache, p, layer, chunk_length(len(tokens)), c.heads, c.head_dim, c.ffn, c.norm_eps)
    last_logits(logits, weights, p, scratch, c.norm_eps)
