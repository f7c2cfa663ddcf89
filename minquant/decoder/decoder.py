"""Decoder: a model packed for speed, its cache, and where in the text it stands.

How it works
    The weights are packed once (``pack.py``). A token then goes through ``kernels.step.decode_step``, one compiled
    function from the embedding row to the logits, which works in arrays allocated here: after the first token nothing
    is allocated but the logits handed out. Keys and values are cached in the format of ``kv``, and read as they are. A
    prompt is read matrix times matrix (``kernels.prefill``), a text written by a compiled loop that samples too
    (``kernels.sampling``).

Numbers
    Logits equal those of ``model.quantize(Recipe(weights=W, head=H, activations=A, kv=K))`` but for the order of
    float32 sums. The result does not depend on the number of threads: every row of a matrix is summed by one
    thread in one order.

What we leave out
    Several texts at once.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from ..kernels import caches, compile_progress, packed
from ..kernels.append import append_many
from ..kernels.attention import make_room
from ..kernels.inputs import make_input
from ..kernels.prefill import prefill
from ..kernels.step import Scratch, Weights, decode_step
from ..model import Transformer
from ..model.transformer import check_tokens
from .kv import check_kv, make_cache
from .pack import pack_model, packed_type
from .threads import default_threads, thread_count

CONTEXT = 512  # positions the cache has room for, unless told otherwise


class Decoder:
    """Packed weights and a cache; decodes one token at a time.

    Attributes: ``config``; ``weights``, ``head``, ``kv`` (format names as given); ``context`` (positions the cache
    holds); ``threads``; ``position`` (tokens in the cache).
    """

    def __init__(self, model: Transformer, weights: str = "int4:g32", head: str | None = None, kv: str = "bf16",
                 context: int = CONTEXT, threads: int | None = None, activations: str | None = None,
                 progress: Callable[[str], None] | None = None) -> None:
        """Pack a model.

        Args:
            model: what to decode. A model that is quantized already with the same scheme keeps its codes.
            weights: scheme of the matrices of the blocks, one of ``minquant.decoder.SCHEMES``.
            head: scheme of the output matrix; None: the same as ``weights``. (In a ``Recipe`` None means float.) Where
                the embedding is tied to it, embedding rows are read from it too.
            kv: format of cached keys and values, one of ``minquant.decoder.KV``.
            context: how many tokens the cache has room for. May be shorter or longer than the model's own.
            threads: None for one on each core this process may use (``threads.py``).
            activations: None to keep them in float; "int8:g32" to round the input of every matrix to 8 bits, which
                lets integer weights be multiplied as whole numbers. Faster, and a little less accurate.
            progress: called with a line of text now and then while packing, and while kernels are compiled, which then
                happens here; without it the first token compiles them.

        Raises ValueError for a format without a kernel, more threads than there are, a weight that is not finite;
        TypeError for a model that is no Transformer.
        """
        if not isinstance(model, Transformer):
            raise TypeError(f"Decoder takes a Transformer, such as minquant.load('tiny'), not {model!r}")
        head = weights if head is None else head
        packed_type(weights, activations), packed_type(head, activations)
        _check_recipe(model, activations, kv)
        check_kv(kv)
        self.config, self.weights, self.head, self.kv, self.activations = model.config, weights, head, kv, activations
        self.context, threads = _count("context", context), _check_threads(threads)
        self._weights = pack_model(model, weights, head, self.context, activations, progress)
        self._allocate()
        self.threads = threads
        self.position = 0
        if progress:
            with compile_progress(progress, f" for {weights}"):
                self.step(0)
            self.reset()

    def _allocate(self) -> None:
        c = self.config
        self._cache = make_cache(self.kv, c, self.context)
        sizes = {"hidden": (c.hidden,), "qkv": (c.heads + 2 * c.kv_heads, c.head_dim), "gate_up": (2, c.ffn),
                 "projected": (c.hidden,), "room": (0, 0)}
        arrays = {name: packed.aligned(shape, np.float32) for name, shape in sizes.items()}
        attention = make_room(c.heads, self.context, self._cache)
        self._scratch = Scratch(input=make_input(self._longest_row(), self.activations), attention=attention, **arrays)

    def _longest_row(self) -> int:
        return max(self.config.hidden, self.config.ffn, self.config.heads * self.config.head_dim)

    @property
    def threads(self) -> int:
        """Threads a step runs on. May be changed at any time; ValueError for more than there are."""
        return self._scratch.room.shape[0]

    @threads.setter
    def threads(self, threads: int | None) -> None:
        # With room at the end that keeps each thread on cache lines of its own.
        shape = _check_threads(threads), 2 * self._longest_row() + 16
        self._scratch = self._scratch._replace(room=packed.aligned(shape, np.float32))

    def step(self, token: int, out: np.ndarray | None = None) -> np.ndarray:
        """Read one token; the scores of the next: logits (vocab_size,) float32.

        ``out``: an array to write them into, so that nothing is allocated. Raises ValueError for a token outside the
        vocabulary and for a full cache, TypeError for a token that is not a whole number.
        """
        token = _check_token(token, self.config.vocab_size)
        if self.position >= self.context:
            raise ValueError(f"the cache is full: it holds {self.context} tokens. Make room with "
                             f"Decoder(..., context={2 * self.context}), or start over with reset()")
        out = self._logits(out)
        with thread_count(self.threads):
            decode_step(out, token, self.position, *self._step_arguments())
        self.position += 1
        return out

    def _step_arguments(self) -> tuple:
        """What ``decode_step`` takes behind token and position."""
        return self._weights, self._cache, self._scratch, self.config.norm_eps

    def _logits(self, out: np.ndarray | None) -> np.ndarray:
        """Where logits go: ``out``, if it is fit for them."""
        if out is None:
            return np.empty(self.config.vocab_size, np.float32)
        if out.shape != (self.config.vocab_size,) or out.dtype != np.float32 or not out.flags.c_contiguous:
            raise ValueError(f"out must be a contiguous float32 array of shape ({self.config.vocab_size},), "
                             f"not {out.dtype} of shape {out.shape}")
        return out

    def prefill(self, tokens: Any, out: np.ndarray | None = None) -> np.ndarray:
        """Read many tokens at once; the scores after the last: logits (vocab_size,) float32.

        Much faster than a step per token: every weight is read once for all of them, a matrix product. The prompt
        attends to its own keys and values in float, as in ``model.generate``; the cache gets them in its format.
        Only an empty cache is filled so: tokens that follow others are read one by one.

        Raises as ``step`` does, before anything is read; an interrupted prompt leaves ``position`` as it was.
        """
        tokens = check_tokens(tokens, self.config.vocab_size)
        if self.position + len(tokens) > self.context:
            raise ValueError(f"{len(tokens)} tokens do not fit a cache of {self.context} that holds {self.position}. "
                             f"Make room with Decoder(..., context={self.position + len(tokens)})")
        if self.position:
            for token in tokens:
                out = self.step(token, out)
            return out
        out = self._logits(out)
        with thread_count(self.threads):
            prefill(out, tokens, self._weights, self._cache, self._scratch, self.config)
        self.position = len(tokens)
        return out

    def generate(self, tokens: Any, n: int, temperature: float = 0.0, top_p: float = 1.0, top_k: int | None = None,
                 seed: int = 0, stop: int | None = None) -> np.ndarray:
        """The n tokens that follow a prompt, from an empty cache: see ``minquant.decoder.generating.generate``."""
        from .generating import generate
        return generate(self, tokens, n, temperature, top_p, top_k, seed, stop)

    def reset(self) -> None:
        """Forget everything read so far."""
        self.position = 0

    def rewind(self, position: int) -> None:
        """Forget all tokens but the first ``position``. Raises ValueError where there are not so many.

        In a cache of two parts ("kivi2") the newest tokens are kept in bfloat16, and only so many: a rewind that would
        bring older ones back among the newest raises ValueError.
        """
        if not 0 <= position <= self.position:
            raise ValueError(f"cannot rewind to position {position}: {self.position} tokens have been read")
        if self.kv == "kivi2" and caches.tokens_in_groups(position) < self.position - caches.RING and position:
            raise ValueError(f"cannot rewind from {self.position} to {position}: the newest {caches.RING} tokens are all that "
                             "a kivi2 cache keeps in bfloat16, older ones are in 2 bits. Start over with reset()")
        self.position = position

    def fill_cache(self, tokens: int, seed: int = 0) -> None:
        """Stand at position ``tokens``, with a cache of random keys and values: for timing, which they do not change.

        Reading a real prompt of that length would take as long as ``tokens`` steps.
        """
        if not 0 <= tokens <= self.context:
            raise ValueError(f"cannot fill {tokens} tokens into a cache of {self.context}")
        c, rng = self.config, np.random.default_rng(seed)
        for first in range(0, tokens, CONTEXT):
            count = min(CONTEXT, tokens - first)
            k, v = rng.standard_normal((2, count, c.kv_heads, c.head_dim), np.float32)
            append_many(self._cache, 0, first, k, v)
        for array in self._cache:
            array[1:] = array[0]  # every layer the same
        self.position = tokens

    @property
    def nbytes(self) -> int:
        """Bytes of the packed weights, scales and norm gains counted, the cache not."""
        matrices = {id(m): packed.nbytes(m) for m in self._weights[:6]}  # embedding and head may be one object
        return sum(matrices.values()) + sum(norm.nbytes for norm in self._norms())

    def bytes_per_token(self, position: int | None = None) -> int:
        """Bytes a token reads when ``position`` tokens (default: as many as now) are in the cache.

        All weights, one row of the embedding, and the cached keys and values with their scales.
        """
        position = self.position if position is None else position
        c, w = self.config, self._weights
        row = packed.nbytes(w.embedding) // c.vocab_size
        cache = caches.bytes_read(self._cache, position)
        return sum(packed.nbytes(m) for m in w[1:6]) + sum(norm.nbytes for norm in self._norms()) + row + cache

    @property
    def cache_nbytes(self) -> int:
        """Bytes of the cache, with room for all ``context`` tokens."""
        return caches.nbytes(self._cache)

    @property
    def packed_weights(self) -> Weights:
        """What the kernels read. Not to be changed."""
        return self._weights

    @property
    def scratch(self) -> Scratch:
        """The kernels' working space. Only to be timed with: a step overwrites it."""
        return self._scratch

    def _norms(self) -> tuple[np.ndarray, ...]:
        w = self._weights
        return w.attention_norm, w.ffn_norm, w.final_norm, w.q_norm, w.k_norm

    def __repr__(self) -> str:
        inputs = f", activations={self.activations!r}" if self.activations else ""
        return (f"Decoder(weights={self.weights!r}, head={self.head!r}, kv={self.kv!r}{inputs}: "
                f"{self.nbytes / 1e6:.1f} MB, position {self.position} of {self.context}, {self.threads} threads)")


def _check_threads(threads: int | None) -> int:
    most = numba.config.NUMBA_NUM_THREADS
    threads = default_threads() if threads is None else _count("threads", threads)
    if threads > most:
        raise ValueError(f"{threads} threads asked for, but there are {most} (set by the number of cores, or by "
                         "NUMBA_NUM_THREADS before Python starts)")
    return threads


def _count(name: str, value: Any, least: int = 1) -> int:
    """A whole number of at least ``least``. Raises TypeError or ValueError naming it."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {value!r}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, not {number}")
    return number


def _check_token(token: Any, vocab_size: int) -> int:
    try:
        number = operator.index(token)
    except TypeError:
        raise TypeError(f"a token is one whole number, not {token!r}; for a whole text see generate") from None
    if not 0 <= number < vocab_size:
        raise ValueError(f"token {number} is outside the vocabulary: this model knows 0 to {vocab_size - 1}")
    return number


def _check_recipe(model: Transformer, activations: str | None, kv: str) -> None:
    """Refuse a model whose recipe asks for more than the kernels do: dropping a part would change its logits."""
    recipe = model.recipe
    if model.config.online_hadamard:
        raise ValueError("the model is rotated, and the decoder has no kernel for the Hadamard matrix before its down "
                         "projections. Give it the model before rotation")
    parts = {"activations": (None, activations), "attention": (None,), "kv": (None, kv), "skip": ((),)}
    for part, allowed in parts.items():
        if getattr(recipe, part) not in allowed:
            raise ValueError(f"the model's recipe has {part}={getattr(recipe, part)!r}, and the decoder has no kernel "
                             "for that, or was not asked for it. Give it the float model, or name the same in Decoder(...)")
