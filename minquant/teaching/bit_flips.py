"""One bit of a packed matrix turned over, and what it costs the model.

How it works
    The matrix is the down projection of the last block, whose output goes straight to the final norm and the output
    matrix. So everything before it is computed once, and a damaged matrix costs two matrix products and no forward
    pass: ``LastMatrix`` does that. ``flips`` turns over one bit of a Q4_0 block, the same bit of another block (and
    another code) for every seed, decodes, and measures the weights and the model.

What is measured
    ``rms``: root mean square of the change of all weights of the matrix, in units of the RMS of the weights.
    ``kl``: KL divergence of the model's next-token distribution, in nats per token, to the model with the *undamaged*
    Q4_0 matrix; no flip gives exactly 0.

What we leave out
    How likely a flip is. Error-correcting memory and checksums exist because it is not never.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..evaluation import heldout_tokens
from ..evaluation.divergence import kl_rows
from ..model import Transformer, layers
from ..packing import gguf
from .one_weight import followed

TYPE, BLOCK_BYTES, SCALE_BITS = "Q4_0", 18, 16
BITS = (*(("code", k) for k in range(4)), *(("scale", k) for k in range(SCALE_BITS)))


class LastMatrix:
    """A model whose last down projection can be exchanged.

    Attributes: ``name``, ``weights`` float32 (out, in), ``raw`` its Q4_0 bytes uint8 (out, bytes), ``value`` what they
    stand for.
    """

    def __init__(self, model: Transformer, tokens: int = 256) -> None:
        """``tokens``: how many tokens of held-out text are read, at most the model's context."""
        self._model, self.name = model, followed(model).tensor
        self.weights = model.weights[self.name]
        self.raw = gguf.quantize(self.weights, TYPE)
        self.value = gguf.dequantize(self.raw, TYPE)
        config, text = model.config, heldout_tokens(model)[:tokens]
        silent = Transformer(config, {**model.weights, self.name: np.zeros_like(self.weights)})
        angles = layers.rope_angles(np.arange(len(text)), config.head_dim, config.rope_theta, config.rope_scaling)
        seen: dict[str, np.ndarray] = {}
        self._stream = silent.embed(text)  # (T, out): in the end, all that this matrix's output is added to
        for layer in range(config.layers):
            self._stream = silent.block(layer, self._stream, angles, tap=seen.__setitem__)
        self._inner = seen[self.name]      # (T, in): what the matrix is multiplied with
        self._reference = self._logits(self.value)

    def _logits(self, matrix: np.ndarray) -> np.ndarray:
        return self._model.head(self._stream + self._inner @ matrix.T)  # (T, vocab)

    def kl(self, matrix: np.ndarray) -> float:
        """Nats per token between the model with this matrix and the one with the undamaged Q4_0 matrix.

        inf where the damage leaves the model nothing to say (NaN in its scores).
        """
        with np.errstate(all="ignore"):
            kl = float(kl_rows(self._logits(matrix), self._reference).mean())
        return kl if np.isfinite(kl) else np.inf

    def rms(self, matrix: np.ndarray) -> float:
        """Root mean square change of the weights, in units of the weights' own."""
        return rms(matrix.astype(np.float64) - self.value) / rms(self.value)


def rms(x: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def flip(raw: np.ndarray, kind: str, bit: int, seed: int) -> np.ndarray:
    """A copy of Q4_0 bytes in which one bit is turned over: that of a "code" (0..3) or of a "scale" (0..15).

    The seed picks the block, and the element in it. Raises ValueError for a bit that a block does not have.
    """
    if (kind, bit) not in BITS:
        raise ValueError(f"a Q4_0 block has codes of bits 0 to 3 and a scale of bits 0 to 15, not {kind} bit {bit}")
    rng = np.random.default_rng(seed)
    blocks = raw.reshape(-1, BLOCK_BYTES).copy()
    block, element = rng.integers(len(blocks)), rng.integers(gguf.BLOCK)
    if kind == "scale":
        byte = bit // 8
    else:
        byte, bit = 2 + element % 16, bit + 4 * (element // 16)
    blocks[block, byte] ^= np.uint8(1 << bit % 8)
    return blocks.reshape(raw.shape)


def flips(last: LastMatrix, seeds: int = 8) -> list[dict[str, Any]]:
    """One row per bit of BITS: ``kind``, ``bit``, ``rms`` and ``kl`` (medians), and their ``_low`` and ``_high``."""
    rows = []
    for kind, bit in BITS:
        damaged = [gguf.dequantize(flip(last.raw, kind, bit, seed), TYPE) for seed in range(seeds)]
        row = {"kind": kind, "bit": bit}
        for name, found in (("rms", [last.rms(m) for m in damaged]), ("kl", [last.kl(m) for m in damaged])):
            row |= {name: float(np.median(found)), f"{name}_low": min(found), f"{name}_high": max(found)}
        rows.append(row)
    return rows
