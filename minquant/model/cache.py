"""The key/value cache: what a model remembers of the tokens it has read.

How it works
    A token's keys and values never change once computed (attention is causal), so they are kept and the next token
    computes only its own. They are kept in a ``CacheFormat``: as codes and scales, each group of which is written
    *once*, when all that shares its scale is there, and never again. Rounding a whole cache anew with each token would
    round what has been rounded, and an old token would drift a little at every step.

What is held, and what is only workspace
    ``LayerCache.key_codes`` and ``value_codes`` hold the codes, in the order they were written; tokens that wait for
    their group are in ``new_keys`` and ``new_values``, on bf16's grid. ``nbytes`` counts these. The float32 arrays
    ``keys`` and ``values`` are what the codes stand for, unpacked once so that NumPy need not do it for every token: a
    kernel would not have them (``minquant.Decoder`` has not), and they are not counted. Without a format they are the
    cache itself, and are.

What a token reads
    Everything up to itself as it is held *at that moment*: its own key passes the format like any other. Where groups
    wait in bf16, tokens that are read in one pass see different moments. ``store`` hands them out in pieces, one
    for each time that a group is written: so reading a text at once and token by token give the same numbers.

What we leave out
    Eviction: a full cache is an error.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..scaling import QTensor, fake_quantize
from ..scaling.offset import OffsetTensor
from . import layers
from .cache_format import GROUP, RECENT, CacheFormat, encode
from .config import Config

Angles = tuple[np.ndarray, np.ndarray]
Piece = tuple[slice, np.ndarray, np.ndarray]  # queries of the pass, and the keys and values (G, S, h) they read
RECENT_BYTES = 2


class LayerCache:
    """Keys and values of one layer.

    Attributes:
        form: the CacheFormat.
        keys, values: float32 (G, capacity, h), what the codes stand for; keys after RoPE.
        new_keys, new_values: float32 of the same shape, on bf16's grid: tokens that wait for their group, keys as the
            format keeps them; None where none wait. Rows of tokens that are in codes are not read any more.
        key_codes, value_codes: QTensor or OffsetTensor, one for each time something was written.
        length, settled: tokens stored, and how many oldest ones of them are in codes.
    """

    def __init__(self, form: CacheFormat, keys: np.ndarray, values: np.ndarray, angles: Angles | None,
                 hold: bool = True) -> None:
        """An empty cache over two arrays (G, capacity, h). ``angles``: RoPE's, of all positions, where keys are kept
        before it. Without ``hold`` codes
        are given up once they are unpacked: for a single pass, after which nobody asks for them."""
        self.form, self.keys, self.values, self.angles, self.hold = form, keys, values, angles, hold
        self.new_keys, self.new_values = ((np.zeros_like(keys), np.zeros_like(values)) if form.in_groups
                                          else (None, None))
        self.key_codes: list[QTensor | OffsetTensor] = []
        self.value_codes: list[QTensor | OffsetTensor] = []
        self.length = self.settled = 0

    @classmethod
    def of_one_pass(cls, config: Config, form: CacheFormat, count: int) -> LayerCache:
        """A cache for the tokens of one pass from position 0."""
        keys, values = np.empty((2, config.kv_heads, count, config.head_dim), np.float32)
        return cls(form, keys, values, _angles(config, form, count), hold=False)

    @property
    def nbytes(self) -> int:
        """Bytes held for the tokens so far; room for tokens to come is not counted."""
        if self.form.keys is None:
            return self.keys[:, :self.length].nbytes + self.values[:, :self.length].nbytes
        waiting = 2 * self.keys[:, self.settled:self.length].size * RECENT_BYTES
        return sum(codes.nbytes for codes in self.key_codes + self.value_codes) + waiting

    def store(self, k: np.ndarray, v: np.ndarray, prefill: bool = False) -> list[Piece]:
        """Append T tokens' keys and values, (G, T, h) each, and say what these tokens read.

        Args:
            k: before RoPE where the format keeps them so, else after.
            v: as it is.
            prefill: the tokens read their own keys and values as given, and older ones as they are held.

        Returns:
            Pieces (slice of the T queries, keys, values), in order: the last query of a piece reads all S of its
            keys (G, S, h), after RoPE.
        """
        start, end = self.length, self.length + k.shape[1]
        self.length = end
        own = (self._turned(k, start), v) if prefill else None
        if self.form.in_groups:
            self.new_keys[:, start:end], self.new_values[:, start:end] = (fake_quantize(x, RECENT) for x in (k, v))
            old, stop = self.settled, self.form.settled(end)
            k, v = self.new_keys[:, old:stop], self.new_values[:, old:stop]
        if k.shape[1]:
            self._write(k, v)
        return list(self._read(start, end, own))

    def _write(self, k: np.ndarray, v: np.ndarray) -> None:
        """Round the next keys and values, (G, n, h) each. This is the only place that does, and n tokens come once."""
        first, self.settled = self.settled, self.settled + k.shape[1]
        new = slice(first, self.settled)
        if self.form.keys is not None:
            codes, value_codes = self.form.encode_keys(k), encode(v, self.form.values)
            k, v = self.form.decode_keys(codes), value_codes.dequantize()  # (G, n, h) each
            if self.hold:
                self.key_codes.append(codes), self.value_codes.append(value_codes)
        self.keys[:, new], self.values[:, new] = self._turned(k, first), v

    def _read(self, start: int, end: int, own: tuple[np.ndarray, np.ndarray] | None) -> Iterator[Piece]:
        """What the tokens start .. end - 1 read, piece by piece."""
        while start < end:
            old, stop = self.form.settled(start + 1), end
            if self.form.in_groups:
                stop = min(end, old + self.form.window + GROUP - 1)  # the next token's own completes a group
            k, v = self._seen(old, stop)
            if own is not None:
                first = self.length - own[0].shape[1]
                k, v = (np.concatenate((held[:, :first], given[:, :stop - first]), axis=1)
                        for held, given in zip((k, v), own))
            yield slice(start - end, stop - end or None), k, v
            start = stop

    def _seen(self, old: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Keys and values of tokens 0 .. stop - 1 at the moment when ``old`` of them are in codes."""
        if not self.form.in_groups:
            return self.keys[:, :stop], self.values[:, :stop]
        recent = self._turned(self.new_keys[:, old:stop], old)
        return (np.concatenate((self.keys[:, :old], recent), axis=1),
                np.concatenate((self.values[:, :old], self.new_values[:, old:stop]), axis=1))

    def _turned(self, k: np.ndarray, first: int) -> np.ndarray:
        """Keys of tokens from ``first`` on, after RoPE."""
        if not self.form.before_rope:
            return k
        cos, sin = (part[first:first + k.shape[1]] for part in self.angles)
        return layers.rope(k, cos, sin)


def _angles(config: Config, form: CacheFormat, count: int) -> Angles | None:
    if not form.before_rope:
        return None
    return layers.rope_angles(np.arange(count), config.head_dim, config.rope_theta, config.rope_scaling)


class KVCache:
    """Keys and values of every layer for up to ``capacity`` tokens.

    Attributes:
        form: the CacheFormat.
        keys, values: float32 arrays (layers, kv_heads, capacity, head_dim): what the codes stand for. Tokens that wait
            for their group are not in them.
        layers: a LayerCache per layer, over these arrays.
        capacity: most tokens it can hold.
        length: number of tokens stored in every layer.
    """

    def __init__(self, config: Config, capacity: int | None = None, kv: str | None = None) -> None:
        """Make an empty cache.

        Args:
            config: the model's shape.
            capacity: most tokens it can hold; the model's context by default.
            kv: name of the format (``cache_format.py``); None keeps float32.

        Raises ValueError where the capacity is below 1 or above the model's context, or the format is unknown.
        """
        capacity = config.context if capacity is None else capacity
        if not 1 <= capacity <= config.context:
            raise ValueError(f"a cache of {capacity} tokens: this model's context allows 1 to {config.context}")
        shape = (config.layers, config.kv_heads, capacity, config.head_dim)
        self.form = CacheFormat.parse(kv)
        self.keys, self.values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        angles = _angles(config, self.form, capacity)
        self.layers = [LayerCache(self.form, *parts, angles) for parts in zip(self.keys, self.values)]
        self.capacity, self.length = capacity, 0

    @property
    def nbytes(self) -> int:
        """Bytes held in all layers for the tokens so far: codes, scales, and what waits in bf16."""
        return sum(layer.nbytes for layer in self.layers)

    def store(self, layer: int, k: np.ndarray, v: np.ndarray, prefill: bool = False) -> list[Piece]:
        """Store the next T tokens' keys and values of a layer, each (kv_heads, T, head_dim); see ``LayerCache.store``.

        Raises ValueError where the cache is full, and where a pass was broken off in the middle of the layers.
        """
        end = self.length + k.shape[1]
        if end > self.capacity:
            raise ValueError(f"the cache is full: it holds {self.length} of {self.capacity} tokens, and {k.shape[1]} "
                             "more do not fit")
        if self.layers[layer].length != self.length:
            raise ValueError(f"layer {layer} of the cache holds {self.layers[layer].length} tokens and the cache "
                             f"{self.length}: a pass was broken off; start a new cache")
        return self.layers[layer].store(k, v, prefill)

    def advance(self, count: int) -> None:
        """Count the tokens just stored in every layer."""
        self.length += count
