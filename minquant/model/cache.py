"""The key/value cache: what a model remembers of the tokens it has read.

How it works
    A token's keys and values never change once computed (attention is causal), so they are kept and the next token
    computes only its own. Keys are kept after RoPE. What is stored here has passed the cache format exactly once:
    the array holds the float32 values that the stored codes stand for, which is what attention will read.

What we leave out
    The packed bytes; ``minquant.Decoder`` keeps those. Eviction: a full cache is an error.
"""

from __future__ import annotations

from typing import Callable

import numpy as np

from .config import Config


class KVCache:
    """Keys and values of every layer for up to ``capacity`` tokens.

    Attributes:
        keys, values: float32 arrays (layers, kv_heads, capacity, head_dim).
        capacity: most tokens it can hold.
        length: number of tokens stored in every layer.
    """

    def __init__(self, config: Config, capacity: int | None = None,
                 through: Callable[[np.ndarray], np.ndarray] = lambda x: x) -> None:
        """Make an empty cache.

        Args:
            config: the model's shape.
            capacity: most tokens it can hold; the model's context by default.
            through: what keys and values pass before they are stored, (kv_heads, T, head_dim) to the same shape.

        Raises ValueError where the capacity is below 1 or above the model's context.
        """
        capacity = config.context if capacity is None else capacity
        if not 1 <= capacity <= config.context:
            raise ValueError(f"a cache of {capacity} tokens: this model's context allows 1 to {config.context}")
        shape = (config.layers, config.kv_heads, capacity, config.head_dim)
        self.keys, self.values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.capacity, self.length, self._through = capacity, 0, through

    def store(self, layer: int, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Store the next T tokens' keys and values of a layer, each (kv_heads, T, head_dim).

        Returns all keys and all values of the layer so far, (kv_heads, S, head_dim) each, as views. Raises ValueError
        where the cache is full.
        """
        start, end = self.length, self.length + k.shape[1]
        if end > self.capacity:
            raise ValueError(f"the cache is full: it holds {start} of {self.capacity} tokens, and {k.shape[1]} more "
                             "do not fit")
        self.keys[layer, :, start:end] = self._through(k)
        self.values[layer, :, start:end] = self._through(v)
        return self.keys[layer, :, :end], self.values[layer, :, :end]  # (kv_heads, S, head_dim) each

    def advance(self, count: int) -> None:
        """Count the tokens just stored in every layer."""
        self.length += count
