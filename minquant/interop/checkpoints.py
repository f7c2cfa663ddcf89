"""Quantized checkpoints as folders for vLLM, transformers and their kin: GPTQ, AWQ, compressed-tensors.

How it works
    A folder in Hugging Face's layout in which ``NAME.weight`` of every linear layer is replaced by the tensors of a
    packing, and ``config.json`` says by which, in ``quantization_config``:

        gptq                  qweight, qzeros, scales, g_idx              ``packing.gptq``; 2, 3, 4 or 8 bits
        awq                   qweight, qzeros, scales                     ``packing.awq``; 4 bits
        compressed-tensors    weight_packed, weight_scale, weight_shape,  ``packing.compressed_tensors``
                              and weight_zero_point where asymmetric

    The codes are those of the model, whatever method chose them. Embedding, norms and output matrix stay in float: as
    they lie in the file they come from, or bf16 where that is exact, else float32. Reading is the same backwards and
    gives the dequantized weights.

    Which version of GPTQ: symmetric files are version 1, which everybody reads. Asymmetric ones may hold a zero point of
    0, which version 1 cannot say without wrapping; they are version 2 ("gptq_v2").

Source
    AutoGPTQ 0.7.1, ``quantization/config.py`` (BaseQuantizeConfig); GPTQModel 7.7.0, ``quantization/config.py``;
    AutoAWQ 0.2.9, ``models/_config.py`` (AwqConfig); compressed-tensors 0.20.0, ``quantization/quant_config.py`` and
    ``compressors/pack_quantized/base.py`` (zero points are packed down the outputs).

What we leave out
    Models in which linear layers have different schemes, quantized output matrices, schemes per channel for GPTQ and AWQ
    (their scales are float16, ours per channel float32), files spread over several.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..model import Transformer, linear_names, tensor_shapes
from ..model.config import refuse_rotated
from ..model.loading import write_text
from ..model.safetensors import write_streamed
from ..model.qtensors import scheme_of
from ..model.saving import as_stored
from ..packing import awq, compressed_tensors, gptq
from ..scaling import QTensor, Scheme

FORMATS = ("gptq", "awq", "compressed-tensors")
_KINDS = {np.dtype(np.int32): "I32", np.dtype(np.int64): "I64", np.dtype(np.float16): "F16",
          np.dtype(np.float32): "F32", np.dtype(np.uint16): "BF16"}
_UNITS = {"gptq": (32, 32), "awq": (8, 1), "compressed-tensors": (1, 1)}  # outputs and inputs must be multiples of


def write_checkpoint(model: Transformer, folder: str | os.PathLike, format: str,
                     progress: Callable[[str], None] | None = None) -> None:
    """Write a quantized model as a folder that other programs load.

    Args:
        model: every matrix of its blocks quantized with one integer scheme in groups ("int4:g128", "int4:g32:asym", or
            "int8:channel" for compressed-tensors), its output matrix in float.
        folder: made where it is missing; each file is written under a temporary name and renamed.
        format: one of ``FORMATS``.
        progress: called with a line of text for every tensor.

    Raises ValueError, before anything is written, for a model that the format cannot hold.
    """
    scheme, kept = check_checkpoint(model, format), {}
    folder, say = Path(folder), progress or (lambda line: None)
    kinds = {name: kind for weight in tensor_shapes(model.config) for name, kind in _kinds(model, weight, format, kept)}
    folder.mkdir(parents=True, exist_ok=True)
    write_streamed(folder / "model.safetensors", kinds, (x for _, x in _tensors(model, format, say)), {"format": "pt"})
    if model.tokenizer is not None:
        write_text(folder / "tokenizer.json", model.tokenizer.to_json())
    about = quantization_config(scheme, format)
    if format == "gptq":
        write_text(folder / "quantize_config.json", json.dumps(about, indent=2) + "\n")  # where AutoGPTQ looks
    config = model.config.to_huggingface() | {"dtype": "float16", "torch_dtype": "float16", "quantization_config": about}
    write_text(folder / "config.json", json.dumps(config, indent=2) + "\n")


def check_checkpoint(model: Transformer, format: str) -> Scheme:
    """The scheme of a model's linear layers. Raises ValueError for a model that the format cannot hold."""
    if format not in FORMATS:
        raise ValueError(f"unknown format {format!r}: choose one of {', '.join(FORMATS)}")
    refuse_rotated(model.config, f"a {format} checkpoint cannot hold", "Keep it in a file of ours (minquant quantize "
                   "--format minquant, model.save), or write the model before rotation")
    return _one_scheme(model, format)


def quantization_config(scheme: Scheme, format: str) -> dict[str, Any]:
    """What ``config.json`` says about the quantization."""
    bits, group, symmetric = scheme.bits, scheme.group_size, scheme.symmetric
    if format == "gptq":
        return {"quant_method": "gptq", "bits": bits, "group_size": group, "sym": symmetric, "desc_act": False,
                "static_groups": False, "true_sequential": False, "damp_percent": 0.01, "lm_head": False,
                "checkpoint_format": "gptq" if symmetric else "gptq_v2"}
    if format == "awq":
        return {"quant_method": "awq", "bits": bits, "group_size": group, "zero_point": True, "version": "gemm",
                "modules_to_not_convert": None}
    weights = {"num_bits": bits, "type": "int", "symmetric": symmetric, "strategy": "group" if group else "channel",
               "group_size": group, "block_structure": None, "dynamic": False, "actorder": None, "observer": "minmax",
               "observer_kwargs": {}}
    groups = {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": None,
                          "output_activations": None}}
    return {"quant_method": "compressed-tensors", "format": "pack-quantized", "quantization_status": "compressed",
            "config_groups": groups, "ignore": ["lm_head"], "kv_cache_scheme": None, "global_compression_ratio": None}


def _one_scheme(model: Transformer, format: str) -> Scheme:
    """The scheme of all linear layers. Raises ValueError where there is none that the format can hold."""
    names, shapes = linear_names(model.config), tensor_shapes(model.config)
    missing = [name for name in names if name not in model.qtensors]
    if missing:
        raise ValueError(f"{missing[0]} is in float: a {format} checkpoint wants every linear layer quantized")
    if model.config.head_name in model.qtensors:
        raise ValueError(f"{model.config.head_name} is quantized: leave the head of the recipe in float for {format}")
    schemes = {str(scheme_of(model.qtensors, name)) for name in names}
    if len(schemes) > 1:
        raise ValueError(f"the linear layers have different schemes ({', '.join(sorted(schemes))}); {format} "
                         "checkpoints are written with one")
    scheme = Scheme.parse(schemes.pop())
    _check_scheme(scheme, format)
    for name in names:
        out, n = shapes[name]
        if out % _UNITS[format][0] or n % _UNITS[format][1]:
            raise ValueError(f"{name}: {format} wants outputs and inputs in multiples of {_UNITS[format]}, not {out} and "
                             f"{n}")
    return scheme


def _check_scheme(scheme: Scheme, format: str) -> None:
    bits = {"gptq": (2, 3, 4, 8), "awq": (4,), "compressed-tensors": (2, 3, 4, 5, 6, 7, 8)}[format]
    shared = ("group", "channel") if format == "compressed-tensors" else ("group",)
    if not scheme.is_integer or scheme.preset or scheme.bits not in bits or scheme.granularity not in shared:
        raise ValueError(f"{format} has no place for {str(scheme)!r}: it holds integers of {', '.join(map(str, bits))} "
                         f"bits with a scale per {' or '.join(shared)}, such as int4:g128")


def _kinds(model: Transformer, name: str, format: str, kept: dict) -> Iterator[tuple[str, tuple[str, tuple[int, ...]]]]:
    """(name, (dtype, shape)) of the tensors that stand for a weight; matrices of one shape are packed once (``kept``)."""
    shape, base = tensor_shapes(model.config)[name], name.removesuffix("weight")
    if name not in model.qtensors:
        x = as_stored(model.weights, name)
        yield name, (_KINDS[x.dtype], x.shape)
    else:
        if shape not in kept:
            parts = packed_tensors(model.qtensors[name], format)
            kept[shape] = {part: (_KINDS[x.dtype], x.shape) for part, x in parts.items()}
        yield from ((base + part, kind) for part, kind in kept[shape].items())


def _tensors(model: Transformer, format: str, say: Callable[[str], None]) -> Iterator[tuple[str, np.ndarray]]:
    """Every tensor of the file, made when its turn comes."""
    for name in tensor_shapes(model.config):
        say(f"writing {name}")
        if name in model.qtensors:
            base = name.removesuffix("weight")
            yield from ((base + part, x) for part, x in packed_tensors(model.qtensors[name], format).items())
        else:
            yield name, as_stored(model.weights, name)


def packed_tensors(q: QTensor, format: str) -> dict[str, np.ndarray]:
    """The tensors that stand for one matrix (out, in), by the end of their names."""
    bits, half = q.scheme.bits, 1 << q.scheme.bits - 1
    if q.scheme.symmetric:
        codes, zeros = q.codes.view(np.uint8) + np.uint8(half), np.full(q.scale.shape, half, np.uint8)  # wraps, on purpose
        codes &= np.uint8(2 * half - 1)
    else:
        codes, zeros = q.codes, q.zero_point
    if format == "compressed-tensors":
        signed = [(x - np.uint8(half)).view(np.int8) for x in (codes, zeros)]
        found = {"weight_packed": compressed_tensors.pack(signed[0], bits), "weight_scale": q.scale,
                 "weight_shape": np.array(q.shape, np.int64)}
        if not q.scheme.symmetric:
            found["weight_zero_point"] = np.ascontiguousarray(
                compressed_tensors.pack(np.ascontiguousarray(signed[1].T), bits).T)
        return found
    scales = np.ascontiguousarray(q.scale.T)  # (groups, out)
    if format == "awq":
        qweight, qzeros = awq.pack(codes, zeros)
        return {"qweight": qweight, "qzeros": qzeros, "scales": scales}
    qweight, qzeros = gptq.pack(codes, zeros, bits, version=1 if q.scheme.symmetric else 2)
    return {"qweight": qweight, "qzeros": qzeros, "scales": scales,
            "g_idx": gptq.g_idx(q.shape[1], q.shape[1] // q.scale.shape[1])}

