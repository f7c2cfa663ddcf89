"""Quantized checkpoints of others, and ours written for them, read back: GPTQ, AWQ, compressed-tensors.

How it works
    ``quantization_config`` in ``config.json`` says how the linear layers are packed; ``packing`` unpacks them, and the
    weights are what the codes stand for. Everything else is as in a float checkpoint. What the config says is checked
    against the tensors: a word count or a group that does not fit is an error that names the tensor.

Source
    As ``checkpoints.py``. A GPTQ file without "checkpoint_format" is version 1.

What we leave out
    compressed-tensors other than pack-quantized with one group of settings; AWQ other than "gemm"; activations that a
    file wants quantized.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..model import Config, Transformer, linear_names, tensor_shapes
from ..model.library_tokenizer import read_tokenizer
from ..model.loading import open_shards
from ..model.shards import Shards, Stored
from ..packing import awq, compressed_tensors, gptq


def read_checkpoint(folder: Path, raw: Mapping[str, Any], lazy: bool = False) -> Transformer:
    """The model in a folder whose ``config.json`` (``raw``) has a quantization_config.

    Raises ValueError, naming the key or tensor, for what is not supported or does not fit.
    """
    about = raw["quantization_config"]
    if not isinstance(about, dict):
        raise ValueError(f"config.json: quantization_config = {about!r:.60} is no object")
    decode = _decoder(about)
    config = Config.from_huggingface({key: value for key, value in raw.items() if key != "quantization_config"})
    source = _Packed(config, open_shards(folder), decode)
    weights = Stored(source, tensor_shapes(config))
    return Transformer(config, weights if lazy else dict(weights), read_tokenizer(folder / "tokenizer.json", config))


def _decoder(about: Mapping[str, Any]):
    """Which tensors stand for a matrix, and the function that makes it of them."""
    method, bits = about.get("quant_method"), about.get("bits")
    if method == "gptq":
        version = {"gptq": 1, "gptq_v2": 2}.get(about.get("checkpoint_format", "gptq"))
        if version is None or type(bits) is not int:
            raise ValueError(f"quantization_config: checkpoint_format {about.get('checkpoint_format')!r}, bits {bits!r} "
                             "is not supported; only gptq and gptq_v2 are")
        return ("qweight", "qzeros", "scales", "g_idx"), (
            lambda shape, w, z, s, g: gptq.dequantize(w, z, s, g, bits, version=version))
    if method == "awq":
        if (about.get("version", "gemm").lower(), bits) != ("gemm", 4):
            raise ValueError(f"quantization_config: AWQ version {about.get('version')!r} with {bits!r} bits is not "
                             "supported; only 'gemm' with 4 is")
        return ("qweight", "qzeros", "scales"), lambda shape, w, z, s: awq.dequantize(w, z, s)
    if method == "compressed-tensors":
        return _compressed(about)
    raise ValueError(f"quantization_config: quant_method {method!r} is not supported; only gptq, awq and "
                     "compressed-tensors are")


def _compressed(about: Mapping[str, Any]):
    groups = list((about.get("config_groups") or {}).values())
    settings = groups[0].get("weights") or {} if len(groups) == 1 else {}
    bits = settings.get("num_bits")
    if (about.get("format") != "pack-quantized" or settings.get("type") != "int" or type(bits) is not int
            or groups[0].get("input_activations") is not None or settings.get("actorder")):
        raise ValueError(f"quantization_config: format {about.get('format')!r} with {len(groups)} groups of settings is "
                         "not supported; only pack-quantized integer weights, in one group, are")
    parts = ("weight_packed", "weight_scale", "weight_shape")
    if not settings.get("symmetric", True):
        return (*parts, "weight_zero_point"), lambda shape, w, s, n, z: _affine(shape, w, s, n, bits, z)
    return parts, lambda shape, w, s, n: _affine(shape, w, s, n, bits)


def _affine(shape: tuple[int, int], packed: np.ndarray, scale: np.ndarray, stored: np.ndarray, bits: int,
            zeros: np.ndarray | None = None) -> np.ndarray:
    """scale * (code - zero point) of a pack-quantized matrix, float32 (out, in)."""
    out, n = shape
    if tuple(stored.tolist()) != shape or scale.ndim != 2 or scale.shape[0] != out or n % max(1, scale.shape[1]):
        raise ValueError(f"weight_shape {stored.tolist()} and weight_scale {scale.shape} do not fit {shape}")
    values = compressed_tensors.unpack(packed, bits, shape).astype(np.float32).reshape(out, scale.shape[1], -1)
    if zeros is not None:
        signed = compressed_tensors.unpack(np.ascontiguousarray(zeros.T), bits, (scale.shape[1], out))
        values -= signed.T[:, :, None].astype(np.float32)
    values *= _float(scale)[:, :, None]
    return values.reshape(out, n)


def _float(x: np.ndarray) -> np.ndarray:
    """Stored scales as float32; uint16 are codes of bf16."""
    return (x.astype(np.uint32) << 16).view(np.float32) if x.dtype == np.uint16 else x.astype(np.float32)


class _Packed(Mapping):
    """The tensors of a model: float ones as they are, packed ones decoded when asked for."""

    def __init__(self, config: Config, shards: Shards, decode) -> None:
        self._shards, self._shapes = shards, tensor_shapes(config)
        self._parts, self._decode = decode
        self._linear = set(linear_names(config))
        expected = {part for name in self._shapes for part in self._names(name)}
        for name in sorted(expected - set(shards)):
            raise ValueError(f"{shards.title}: tensor {name} is missing")
        for name in sorted(set(shards) - expected):
            if not name.endswith((".bias", "rotary_emb.inv_freq")):
                raise ValueError(f"{shards.file_of(name)}: tensor {name} has no place in this model")
            if name.endswith(".bias") and np.any(shards[name]):  # AutoGPTQ writes biases of zeros
                raise ValueError(f"{shards.file_of(name)}: {name} is not zero, and biases are not supported")

    def _names(self, name: str) -> list[str]:
        base = name.removesuffix("weight")
        return [base + part for part in self._parts] if name in self._linear else [name]

    def __getitem__(self, name: str) -> np.ndarray:
        parts = self._names(name)
        if name not in self._linear:
            x = self._shards[name]
        else:
            try:
                x = self._decode(self._shapes[name], *(np.asarray(self._shards.stored(part)) for part in parts))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{self._shards.file_of(parts[0])}: {name}: {error}") from None
        if x.shape != self._shapes[name] or not np.isfinite(x).all():
            raise ValueError(f"{self._shards.file_of(parts[0])}: {name} is of shape {x.shape}, or not finite; "
                             f"config.json asks for {self._shapes[name]}")
        return x

    def rows(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Some rows of a weight, float32."""
        return self[name][start:stop] if name in self._linear else self._shards.rows(name, start, stop)

    def __contains__(self, name: object) -> bool:
        return name in self._shapes  # Mapping's own would read the tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)
