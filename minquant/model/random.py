"""Models of any size with random weights: what speed is measured on.

How it works
    How fast a model runs depends on its shape and not on what it has learned, so a large model for timing needs no
    download. Each weight tensor is made from (seed, name) when it is asked for, and is not kept: a 0.8b model can be
    packed tensor by tensor without ever being in memory as float32. Values follow a normal distribution whose width
    keeps activations of ordinary size through all layers: 1/sqrt(in) for a matrix, less by sqrt(2 * layers) for the
    two that write to the residual stream (GPT-2's rule: Radford et al. 2019, section 2.3).

Why a table
    16 random bits choose one of 65,536 quantiles of the normal distribution, each already rounded to bf16. That is
    several times faster than drawing normal numbers one by one, bf16 storage is lossless, and the raw bits of a NumPy
    bit generator never change between versions (the streams of its distributions may).

What we leave out
    Outlier channels and anything else that training puts into weights: quality is measured on a trained model.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from ..formats import get as get_format
from .config import Config, tensor_shapes
from .transformer import Transformer

SHAPES: dict[str, Config] = {
    "tiny": Config(vocab_size=2048, hidden=256, layers=4, heads=8, kv_heads=2, head_dim=32, ffn=768, context=512),
    "0.1b": Config(vocab_size=32768, hidden=768, layers=12, heads=12, kv_heads=4, head_dim=64, ffn=2048, context=32768),
    "0.6b": Config(vocab_size=151936, hidden=1024, layers=28, heads=16, kv_heads=8, head_dim=128, ffn=3072,
                   context=32768, rope_theta=1e6),
    "0.8b": Config(vocab_size=151936, hidden=1280, layers=26, heads=20, kv_heads=4, head_dim=64, ffn=5120,
                   context=32768, rope_theta=1e6),
}
GAIN_WIDTH = 0.125  # standard deviation of norm gains around 1
CHUNK = 1 << 18  # weights made at once; small enough to stay in the cache


def random_model(shape: str | Config, seed: int = 0) -> Transformer:
    """A model with random weights, made when asked for.

    Args:
        shape: a name in ``SHAPES`` ("tiny", "0.1b", "0.6b", "0.8b") or a Config.
        seed: the same seed gives the same weights, on every machine.

    Returns:
        A Transformer without a tokenizer, whose ``weights`` make a tensor each time it is read. All values are
        exact in bf16. ``logits`` works, and makes every weight anew.

    Raises ValueError for an unknown shape.
    """
    if isinstance(shape, str):
        if shape not in SHAPES:
            raise ValueError(f"unknown shape {shape!r}: choose one of {', '.join(SHAPES)}, or give a Config")
        shape = SHAPES[shape]
    if not isinstance(shape, Config):
        raise TypeError(f"random_model takes the name of a shape or a Config, not {type(shape).__name__}")
    return Transformer(shape, RandomWeights(shape, seed))


class RandomWeights(Mapping):
    """Name to float32 array, made on each access from (seed, name) and not kept."""

    def __init__(self, config: Config, seed: int = 0) -> None:
        self.config, self.seed, self.shapes = config, seed, tensor_shapes(config)

    def __getitem__(self, name: str) -> np.ndarray:
        shape = self.shapes[name]
        if len(shape) == 1:
            table = _normal_table(1.0, GAIN_WIDTH)
        else:
            writes = name.endswith(("o_proj.weight", "down_proj.weight"))
            table = _normal_table(0.0, 1 / math.sqrt(shape[1] * (2 * self.config.layers if writes else 1)))
        return _draw(table, shape, np.random.SFC64([self.seed, zlib.crc32(name.encode())]))

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def __contains__(self, name: object) -> bool:
        return name in self.shapes


def _draw(table: np.ndarray, shape: tuple[int, ...], bits: np.random.BitGenerator) -> np.ndarray:
    """An array of entries of a table (65536,), each chosen by 16 bits of the generator's raw stream."""
    flat = np.empty(math.prod(shape), np.float32)
    for start in range(0, len(flat), CHUNK):
        part = flat[start:start + CHUNK]
        raw = bits.random_raw(-(-len(part) // 4)).astype("<u8", copy=False)  # 64 bits each
        np.take(table, raw.view("<u2")[:len(part)], out=part, mode="clip")
    return flat.reshape(shape)


@lru_cache(maxsize=16)
def _normal_table(mean: float, std: float) -> np.ndarray:
    """bf16-rounded values of the quantiles (i + 1/2) / 65536 of a normal distribution: float32 (65536,)."""
    return get_format("bf16").round((mean + std * _quantiles()).astype(np.float32))


@lru_cache(maxsize=1)
def _quantiles() -> np.ndarray:
    """The standard normal distribution's quantiles (i + 1/2) / 65536: float64 (65536,)."""
    upper = np.array([NormalDist().inv_cdf((i + 0.5) / 65536) for i in range(32768, 65536)])
    return np.concatenate((-upper[::-1], upper))
