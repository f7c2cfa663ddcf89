"""The keys of a GGUF file that say a model's shape, written and read.

How it works
    A key stands under the name of the architecture, "llama" or "qwen3". Numbers with a fraction are float32: what was
    1e-5 comes back as the shortest decimal that is that float32, 1e-5 again.

    Llama 3's scaling of RoPE has no key. The file holds its effect, a tensor ``rope_freqs.weight`` of one divisor for
    each frequency. We recover the four numbers behind it where they are the usual ones (low 1, high 4, an original
    context that is a power of two), and refuse other divisors.

Source
    llama.cpp: ``gguf-py/gguf/constants.py`` (class Keys), ``src/llama-model.cpp`` (load_hparams),
    ``conversion/llama.py`` (generate_extra_tensors, the divisors).

What we leave out
    Everything that ``model.huggingface`` leaves out: biases, experts, sliding windows, other scalings of RoPE.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..model import Config
from ..model.layers import rope_frequencies

ARCHITECTURES = ("llama", "qwen3")
_WHOLE = {"layers": "block_count", "hidden": "embedding_length", "heads": "attention.head_count",
          "kv_heads": "attention.head_count_kv", "ffn": "feed_forward_length", "context": "context_length"}
_KNOWN_SCALING = [(1.0, 4.0, 1 << power) for power in range(4, 21)]  # low, high, original context


def shape_keys(c: Config) -> dict[str, Any]:
    """The metadata of a shape, its architecture first."""
    arch = "qwen3" if c.qk_norm else "llama"
    keys = {key: getattr(c, field) for field, key in _WHOLE.items()} | {
        "vocab_size": c.vocab_size, "attention.key_length": c.head_dim, "attention.value_length": c.head_dim,
        "rope.dimension_count": c.head_dim, "rope.freq_base": float(c.rope_theta),
        "attention.layer_norm_rms_epsilon": float(c.norm_eps)}
    return {"general.architecture": arch} | {f"{arch}.{key}": value for key, value in keys.items()}


def rope_factors(c: Config) -> np.ndarray | None:
    """What each RoPE frequency is divided by: float32 (head_dim / 2,), or None where nothing is scaled."""
    if c.rope_scaling is None:
        return None
    plain, scaled = (rope_frequencies(c.head_dim, c.rope_theta, s) for s in (None, c.rope_scaling))
    return (plain / scaled).astype(np.float32)


def read_shape(metadata: Mapping[str, Any], vocab_size: int, tied: bool, factors: np.ndarray | None) -> Config:
    """The shape that the metadata describe.

    vocab_size, tied   what the tensors say: rows of the embedding, and that there is no output matrix
    factors            ``rope_freqs.weight``, or None

    Raises ValueError naming the key that is missing or not supported.
    """
    arch = metadata.get("general.architecture")
    if arch not in ARCHITECTURES:
        raise ValueError(f"general.architecture = {arch!r} is not supported; this version reads "
                         f"{' and '.join(ARCHITECTURES)}")
    own = {key.removeprefix(f"{arch}."): value for key, value in metadata.items() if key.startswith(f"{arch}.")}
    _refuse_unsupported(arch, own)
    own.setdefault("attention.head_count_kv", own.get("attention.head_count"))
    parts = {field: _number(arch, own, key) for field, key in _WHOLE.items()}
    head_dim = _number(arch, own, "attention.key_length", parts["hidden"] // max(1, parts["heads"]))
    for key in ("attention.value_length", "rope.dimension_count"):
        if _number(arch, own, key, head_dim) != head_dim:
            raise ValueError(f"{arch}.{key} = {own[key]} differs from the size of a head, {head_dim}: not supported")
    theta = _float(arch, own, "rope.freq_base", 10000.0)
    config = Config(vocab_size=vocab_size, head_dim=head_dim, tied=tied, rope_theta=theta, qk_norm=arch == "qwen3",
                    norm_eps=_float(arch, own, "attention.layer_norm_rms_epsilon"), **parts,
                    rope_scaling=None if factors is None else _scaling(head_dim, theta, factors))
    if _number(arch, own, "vocab_size", vocab_size) != vocab_size:
        raise ValueError(f"{arch}.vocab_size = {own['vocab_size']}, and the embedding has {vocab_size} rows")
    return config


def _refuse_unsupported(arch: str, own: Mapping[str, Any]) -> None:
    for key, only in (("expert_count", (0,)), ("rope.scaling.type", ("none",)), ("attention.sliding_window", (0,)),
                      ("rope.scaling.factor", (0.0, 1.0))):
        if key in own and own[key] not in only:
            raise ValueError(f"{arch}.{key} = {own[key]!r} is not supported; only {only[-1]!r} is")


def _number(arch: str, own: Mapping[str, Any], key: str, default: int | None = None) -> int:
    """A whole number. Lists, by which some models give each layer its own, are refused."""
    value = own.get(key, default)
    if value is None:
        raise ValueError(f"the key {arch}.{key} is missing")
    if isinstance(value, (bool, str, list, float)) or np.ndim(value) or not np.issubdtype(np.asarray(value).dtype,
                                                                                         np.integer):
        raise ValueError(f"{arch}.{key} must be one whole number, not {value!r:.60}")
    return int(value)


def _float(arch: str, own: Mapping[str, Any], key: str, default: float | None = None) -> float:
    value = own.get(key, default)
    if not isinstance(value, (float, np.floating)):
        raise ValueError(f"the key {arch}.{key} is missing, or is no number with a fraction: {value!r:.60}")
    return float(str(np.float32(value)))


def _scaling(head_dim: int, theta: float, factors: np.ndarray) -> tuple[float, float, float, int] | None:
    """The numbers of Llama 3's scaling behind the divisors. Raises ValueError for others."""
    factors = np.asarray(factors, np.float32)
    if factors.shape != (head_dim // 2,) or not (np.isfinite(factors).all() and factors.min(initial=1) >= 1):
        raise ValueError(f"rope_freqs.weight must be {head_dim // 2} numbers of at least 1, got shape {factors.shape}")
    if (factors == 1).all():
        return None
    plain, factor = rope_frequencies(head_dim, theta), float(factors.max())
    for low, high, context in _KNOWN_SCALING:
        scaling = (factor, low, high, context)
        if np.allclose(plain / rope_frequencies(head_dim, theta, scaling), factors, rtol=1e-5, atol=0):
            return scaling
    raise ValueError("rope_freqs.weight divides frequencies in a way that is none of Llama 3's scalings: not supported")
