"""Double quantization: the float32 scales of NF4 blocks, quantized in their turn to 8 bits.

A block of 64 NF4 codes has one float32 scale, its largest magnitude (absmax): 32 / 64 = 0.5 bits per weight. Scales of
neighbouring blocks resemble each other, so they need not cost that much:

    1. subtract the mean of all scales (kept in float32), so that they lie on both sides of zero;
    2. 256 of them share a float32 scale, the largest magnitude among them;
    3. each becomes a code of the ``dynamic8`` code book: 8 bits.

That leaves 8/64 + 32/(64 * 256) = 0.127 bits per weight. A scale that would come back as zero or below is held at the
smallest normal float32: its block is so far below the others that it becomes zero.

Here the codes of the weights are computed with the scale that comes back, as everywhere in this package; QLoRA and
bitsandbytes quantize the weights first and the scales afterwards.

Source: Dettmers et al., QLoRA, arXiv 2305.14314, section 3, "Double Quantization"; bitsandbytes, functional.py,
quantize_4bit with compress_statistics.
"""

from __future__ import annotations

import numpy as np

from .. import formats
from .scheme import NF4_BLOCKS_PER_SCALE

_BOOK = formats.get("dynamic8")


def compress(absmax: np.ndarray) -> dict[str, np.ndarray]:
    """Scales (float32, any shape, n of them) as ``scale_codes`` uint8 (n,), ``scale_scale`` float32 (ceil(n / 256),)
    and ``scale_offset`` float32 ()."""
    flat = absmax.reshape(-1)
    offset = np.float32(flat.mean(dtype=np.float64)) if flat.size else np.float32(0)
    padded = np.zeros((-(-flat.size // NF4_BLOCKS_PER_SCALE), NF4_BLOCKS_PER_SCALE), np.float32)
    padded.reshape(-1)[: flat.size] = flat - offset
    largest = np.abs(padded).max(axis=1)
    largest[largest == 0] = 1
    codes = _BOOK.encode(padded / largest[:, None]).reshape(-1)[: flat.size]
    return {"scale_codes": codes, "scale_scale": largest, "scale_offset": np.array(offset)}


def expand(parts: dict[str, np.ndarray]) -> np.ndarray:
    """The scales that come back from ``compress``: float32 (n,), all above zero."""
    codes = parts["scale_codes"]
    scale = _BOOK.decode(codes) * np.repeat(parts["scale_scale"], NF4_BLOCKS_PER_SCALE)[: codes.size]
    return np.maximum(scale + parts["scale_offset"], np.finfo(np.float32).smallest_normal)
