"""Formats of cached keys and values, and the strings they are written as.

    int8:token, int4:g32, fp8_e4m3:token, mxfp8, bf16    any scheme: each key and value of a head in rows of its own
    int4:token:keychannel     keys by channel: a channel of 32 successive tokens shares a scale; values as written
    kivi4, kivi2              KIVI: keys by channel of 32 tokens, values by 32 channels of a token, each group with a
                              minimum and a scale (``scaling/offset.py``); the newest 128 tokens at least in bf16
    ...:prerope               any of these, keys rounded before RoPE and turned when they are read

Why keys by channel
    A few channels of a key are large in *every* token. In a row they take the grid from their neighbours; in a column
    they are alone with their like. Values have no such channels, and a token that attention passes over should not
    spoil the one it looks at: they stay by token.
Why before RoPE
    RoPE turns pairs of channels by angles that grow with the position, so a channel that was steady swings: its range
    over 32 tokens widens. Before RoPE the channel is as the matrix made it. The price: keys are turned at each read.
When a group is written
    A column of 32 tokens can only be rounded when all are there. Until then, and for ``window`` tokens more, keys and
    values are kept in bf16. The oldest 32 leave together, are rounded once from what was kept, and never again:

        tokens seen  159  160 ... 191  192       window 128
        in groups      0   32       32   64      the rest, 128 to 159 tokens, in bf16

Sources
    KIVI: Liu et al. 2024, arXiv 2402.02750, section 3 (why keys by channel) and algorithm 1. There keys leave 128 at a
    time and values one by one; here both leave 32 at a time, as in ``kernels/caches.py``, whose numbers these are.
    Keys before RoPE: KVQuant, Hooper et al. 2024, arXiv 2401.18079, section 3.2.

What we leave out
    Scales fixed by calibration, and outliers kept apart (both KVQuant).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..scaling import Offset, QTensor, Scheme, quantize
from ..scaling.offset import OffsetTensor

GROUP = 32     # tokens of a channel that share a scale
WINDOW = 128   # newest tokens that KIVI keeps in bf16, at least
FLOAT = 4      # bytes of a number in a cache without a format
RECENT = Scheme.parse("bf16")  # how tokens are kept that are in no group yet
Grid = Scheme | Offset
WORDS = ("keychannel", "prerope")
_KIVI = {"kivi2": Offset(2, GROUP), "kivi4": Offset(4, GROUP)}


@dataclass(frozen=True)
class CacheFormat:
    """How keys and values are kept. Make one with ``CacheFormat.parse("kivi2")``.

    keys, values   grids of the rows that are rounded: a head of a token, (..., head_dim); of keys by channel, a channel
                   of successive tokens, (..., tokens). None: float32 as they are
    by_channel     keys share scales over GROUP tokens, channel by channel
    window         newest tokens that stay in bf16, at least
    before_rope    keys are kept before RoPE
    """

    keys: Grid | None = None
    values: Grid | None = None
    by_channel: bool = False
    window: int = 0
    before_rope: bool = False

    @classmethod
    def parse(cls, text: str | Scheme | None) -> CacheFormat:
        """The format of a string. Raises ValueError for one that is unknown, or whose scales tokens would share that
        are not there yet; TypeError for what is no string."""
        return _parse(text if isinstance(text, str) or text is None else str(Scheme.parse(text)))

    @property
    def in_groups(self) -> bool:
        """Whether tokens wait in bf16 until their group is whole."""
        return self.by_channel or self.window > 0

    @property
    def row_group(self) -> int | None:
        """Channels of a head that share a scale, where it is not all of them."""
        grids = (self.values,) if self.by_channel else (self.keys, self.values)
        sizes = [grid.group if isinstance(grid, Offset) else grid.group_size for grid in grids if grid is not None]
        return next((size for size in sizes if size), None)

    def settled(self, count: int) -> int:
        """Of so many tokens seen, how many oldest ones are kept in codes."""
        return max(count - self.window, 0) // GROUP * GROUP if self.in_groups else count

    def nbytes(self, tokens: int, kv_heads: int, head_dim: int) -> int:
        """Bytes that one layer keeps of so many tokens: codes, scales, minima, and what waits in bf16."""
        if self.keys is None:
            return 2 * FLOAT * tokens * kv_heads * head_dim
        old = self.settled(tokens)
        key_shape = (kv_heads, head_dim, old) if self.by_channel else (kv_heads, old, head_dim)
        waiting = 2 * RECENT.nbytes((kv_heads, tokens - old, head_dim))
        return self.keys.nbytes(key_shape) + self.values.nbytes((kv_heads, old, head_dim)) + waiting

    def encode_keys(self, k: np.ndarray) -> QTensor | OffsetTensor:
        """Codes of keys (kv_heads, T, head_dim); by channel they lie as (kv_heads, head_dim, T)."""
        return encode(k.transpose(0, 2, 1) if self.by_channel else k, self.keys)

    def decode_keys(self, codes: QTensor | OffsetTensor) -> np.ndarray:
        """What they stand for: float32 (kv_heads, T, head_dim)."""
        k = codes.dequantize()
        return k.transpose(0, 2, 1) if self.by_channel else k


def encode(x: np.ndarray, grid: Grid) -> QTensor | OffsetTensor:
    """x on a grid, rows last."""
    return grid.quantize(x) if isinstance(grid, Offset) else quantize(x, grid)


def check_rows(scheme: Scheme) -> None:
    """Raise ValueError for scales that rows made one token at a time cannot have."""
    instead = f"write {scheme.format.name}:token for one scale per row"
    if scheme.granularity == "channel":
        raise ValueError(f"one scale per channel would be shared by tokens that are not there yet; {instead}")
    if scheme.granularity == "tensor" or scheme.preset in ("nvfp4", "nf4_dq"):
        raise ValueError("one scale for the whole tensor would be shared by tokens that are not there yet; " + instead)


@lru_cache(maxsize=256)
def _parse(text: str | None) -> CacheFormat:
    if text is None:
        return CacheFormat()
    words = text.split(":")
    named = {word: word in words for word in WORDS}
    rest = ":".join(word for word in words if word not in WORDS)
    if rest in _KIVI:
        if named["keychannel"]:
            raise ValueError(f"{text!r}: the keys of {rest} are kept by channel already; leave out keychannel")
        return CacheFormat(_KIVI[rest], _KIVI[rest], True, WINDOW, named["prerope"])
    try:
        scheme = Scheme.parse(rest)
    except ValueError as error:
        raise ValueError(f"{error}. A cache may also be {' or '.join(_KIVI)}, and have keys by channel "
                         f"(int4:token:keychannel) or before RoPE (int8:token:prerope)") from None
    try:
        check_rows(scheme)
    except ValueError as error:
        raise ValueError(f"{error}, {scheme.format.name}:token:keychannel for keys that share a scale per channel of "
                         f"{GROUP} tokens") from None
    keys = _by_channel(scheme) if named["keychannel"] else scheme
    return CacheFormat(keys, scheme, named["keychannel"], 0, named["prerope"])


def _by_channel(scheme: Scheme) -> Scheme:
    """The same numbers, a scale per group of tokens instead of one per row."""
    if scheme.granularity == "none" or (scheme.group_size or GROUP) != GROUP:
        raise ValueError(f"keychannel: {scheme} has no scale for {GROUP} tokens to share; write it with :token or "
                         f":g{GROUP}")
    return scheme if scheme.group_size else Scheme.parse(str(scheme).replace(":token", f":g{GROUP}"))
