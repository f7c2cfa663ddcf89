"""The right bytes read by a wrong rule: what each of the classic mistakes makes of a real matrix.

Every mistake gives codes that are legal, in an array of the right shape, without an error: only the values tell. The
matrix is that of ``bit_flips.LastMatrix``, packed by the package in the layout where the mistake belongs, and read back
by a few lines that do one thing wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..evaluation import heldout_tokens, perplexity
from ..model import Transformer
from ..packing import awq, gguf, gptq
from ..scaling import quantize
from .bit_flips import BLOCK_BYTES, TYPE, LastMatrix


def misreadings(last: LastMatrix) -> list[dict[str, Any]]:
    """One row per mistake, the control without one first: ``layout``, ``mistake``, ``rms``, ``kl`` (see bit_flips)."""
    scale, codes = gguf.unpack_blocks(last.raw, TYPE)
    unsigned = (codes + np.int8(8)).view(np.uint8)
    cases = (("GGUF Q4_0", "none (control)", lambda: codes),
             ("GGUF Q4_0", "nibbles of a byte swapped", lambda: _body(last.raw, swapped=True)),
             ("GGUF Q4_0", "neighbours instead of halves", lambda: _body(last.raw, neighbours=True)),
             ("GGUF Q4_0", "two's complement, not minus 8", lambda: (unsigned ^ 8).view(np.int8) - np.int8(8)),
             ("GPTQ", "stored zero point, one forgotten", lambda: _gptq(unsigned, version=2)),
             ("GPTQ", "words shifted as signed", lambda: _gptq(unsigned, signed=True)),
             ("AWQ", "columns in plain order", lambda: _awq_in_plain_order(unsigned)))
    return [{"layout": layout, "mistake": mistake, **_cost(last, scale, read)} for layout, mistake, read in cases]


def _cost(last: LastMatrix, scale: np.ndarray, read: Callable[[], np.ndarray]) -> dict[str, float]:
    blocks = read().astype(np.float32).reshape(*scale.shape, gguf.BLOCK) * scale.astype(np.float32)[..., None]
    matrix = blocks.reshape(last.weights.shape)
    return {"rms": last.rms(matrix), "kl": last.kl(matrix)}


def _body(raw: np.ndarray, swapped: bool = False, neighbours: bool = False) -> np.ndarray:
    """Codes of Q4_0 blocks, their nibbles in the wrong order or in the wrong places."""
    body = raw.reshape(-1, BLOCK_BYTES)[:, 2:]
    halves = (body >> 4, body & 15) if swapped else (body & 15, body >> 4)
    nibbles = np.stack(halves, axis=2 if neighbours else 1)
    return nibbles.reshape(raw.shape[0], -1).view(np.int8) - np.int8(8)


def _gptq(unsigned: np.ndarray, version: int = 1, signed: bool = False) -> np.ndarray:
    """Codes minus zero point 8, from words of version 1 that are read as ``version``, or shifted with their sign."""
    zero = np.full((len(unsigned), 1), 8, np.uint8)
    qweight, qzeros = gptq.pack(unsigned, zero, 4)
    codes, zero = gptq.unpack(qweight, qzeros, 4, unsigned.shape, version=version)
    codes = codes.astype(np.int8)
    if signed:
        codes[:, 7::8] = (qweight >> 28).T  # int32 shifts copies of its top bit in, and no mask takes them off
    return codes - zero.astype(np.int8)


def _awq_in_plain_order(unsigned: np.ndarray) -> np.ndarray:
    """Codes minus 8 of AWQ words, nibble i taken for column i."""
    qweight, _ = awq.pack(unsigned, np.full((len(unsigned), 1), 8, np.uint8))
    nibbles = qweight.view(np.uint32)[:, :, None] >> np.arange(0, 32, 4, dtype=np.uint32) & 15
    return nibbles.reshape(len(qweight), -1).T.astype(np.int8) - np.int8(8)


def every_zero_point(model: Transformer, scheme: str = "int4:g32:asym", seeds: int = 3,
                     tokens: int = 256) -> dict[str, list[float]]:
    """Perplexities with every linear layer in GPTQ's first version: read as such, as the second version, and a control.

    "right": one value. "forgotten": the reader takes stored zero points as they are, so that every weight is one step
    too large. "by lot": every weight is one step too large or too small, drawn for each; one value per seed.
    """
    text = heldout_tokens(model)[:tokens]
    names = [name for name in model.weights if name.endswith("_proj.weight")]
    packed = {name: _words(model.weights[name], scheme) for name in names}
    right, forgotten = ({name: gptq.dequantize(*packed[name], 4, version=version) for name in names}
                        for version in (1, 2))

    def measured(matrices: dict[str, np.ndarray]) -> float:
        return perplexity(Transformer(model.config, {**model.weights, **matrices}), text).value

    lots = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        lots.append(measured({name: (right[name] + (forgotten[name] - right[name]) * rng.choice(
            (-1, 1), right[name].shape)).astype(np.float32) for name in names}))
    return {"right": [measured(right)], "forgotten": [measured(forgotten)], "by lot": lots}


def _words(matrix: np.ndarray, scheme: str) -> tuple[np.ndarray, ...]:
    """qweight, qzeros, scales and g_idx of a matrix, in GPTQ's first version."""
    q = quantize(matrix, scheme)
    return (*gptq.pack(q.codes, q.zero_point, 4), q.scale.T, gptq.g_idx(q.shape[1], q.shape[1] // q.scale.shape[1]))
