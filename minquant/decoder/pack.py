"""From the named float32 weights of a model to the packed matrices that the kernels read.

The model is walked tensor by tensor: ask for one, quantize it a few thousand rows at a time, write the codes to their
place, drop it. A model whose weights are made on demand (``random_model``) is packed without ever being in memory as
floats. Where the model has been quantized already with the same scheme (GPTQ, say), its codes are taken as they are.

Matrices that share their input are stacked: the rows of q, k and v make one matrix, those of gate and up another.
A scale per tensor then becomes a scale per row (the same number again and again), so that a stack may hold several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..kernels import packed
from ..kernels.step import Weights
from ..model import Transformer
from ..model.config import EMBEDDING, FINAL_NORM, tensor_shapes
from ..model.layers import rope_angles
from ..scaling import QTensor, Scheme, quantize

SCHEMES = ("bf16", "fp8_e4m3:channel", "fp8_e4m3:tensor", "int8:channel", "int8:tensor", "int8:g32", "int8:g64",
           "int8:g128", "q8_0", "int4:g32", "int4:g64", "int4:g128", "q4_0")
ROWS_AT_ONCE = 4096
_STACKS = {"qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), "output": ("self_attn.o_proj",),
           "gate_up": ("mlp.gate_proj", "mlp.up_proj"), "down": ("mlp.down_proj",)}


def packed_type(scheme: str | Scheme) -> type:
    """The packed type (``kernels.packed``) that holds a scheme. Raises ValueError where there is no kernel for it."""
    scheme = Scheme.parse(scheme)
    name, group = scheme.format.name, scheme.group_size
    by_row = scheme.granularity in ("tensor", "channel", "token")
    found = None
    if scheme.symmetric and name == "bf16":
        found = packed.BFloat16
    elif scheme.symmetric and by_row:
        found = {"fp8_e4m3": packed.E4M3, "int8": packed.Int8Rows}.get(name)
    elif scheme.symmetric and group:
        found = {"int8": packed.INT8_GROUPS, "int4": packed.INT4_GROUPS}.get(name, {}).get(group)
    if found is None:
        raise ValueError(f"there is no kernel for {str(scheme)!r}. The decoder has {', '.join(SCHEMES)}. "
                         "(Model.quantize measures the quality of any scheme, without a kernel.)")
    return found


def pack_model(model: Transformer, weights: str | Scheme, head: str | Scheme, context: int,
               progress: Callable[[str], None] | None = None) -> Weights:
    """Pack every matrix of a model: ``weights`` for the blocks, ``head`` for the output matrix.

    The embedding is the output matrix itself where the two are tied, else it stays in float32 (only one row of it is
    read per token). Norm gains stay in float32. ``context``: for how many positions to tabulate the RoPE angles.
    Raises ValueError for a scheme without a kernel, a group size that does not divide, NaN or infinity in a weight.
    """
    config, source = model.config, model.weights
    stacks = {}
    for name, parts in _STACKS.items():
        names = [[f"model.layers.{layer}.{part}.weight" for part in parts] for layer in range(config.layers)]
        if progress:
            progress(f"packing {weights}: {', '.join(part.split('.')[1] for part in parts)} of {config.layers} layers")
        stacks[name] = _pack_stack(model, names, Scheme.parse(weights))
    if progress:
        progress(f"packing {head}: the output matrix")
    output = _pack_stack(model, [[config.head_name]], Scheme.parse(head))
    embedding = output if config.tied else packed.Float32(_copy(source[EMBEDDING][None]))
    norms = {kind: _copy(np.stack([source[f"model.layers.{layer}.{kind}_layernorm.weight"]
                                   for layer in range(config.layers)])) for kind in ("input", "post_attention")}
    cos, sin = rope_angles(np.arange(context), config.head_dim, config.rope_theta)
    return Weights(embedding, **stacks, head=output, attention_norm=norms["input"], ffn_norm=norms["post_attention"],
                   final_norm=_copy(source[FINAL_NORM]), cos=_copy(cos), sin=_copy(sin))


def _pack_stack(model: Transformer, names: list[list[str]], scheme: Scheme) -> packed.Packed:
    """One packed matrix: ``names[layer]`` are the tensors whose rows are stacked in that layer."""
    kind, shapes = packed_type(scheme), tensor_shapes(model.config)
    rows, columns = sum(shapes[name][0] for name in names[0]), shapes[names[0][0]][1]
    arrays = _allocate(kind, len(names), rows, columns, scheme)
    for layer, parts in enumerate(names):
        row = 0
        for name in parts:
            for q in _quantized_rows(model, name, scheme):
                for array, part in zip(arrays, _as_stored(kind, q, scheme)):
                    array[layer, row:row + len(part)] = part
                row += q.shape[0]
    return kind(*arrays)


def _quantized_rows(model: Transformer, name: str, scheme: Scheme) -> Iterator[QTensor]:
    """A quantized tensor, some thousand rows at a time; whole where one scale spans it.

    A tensor the model holds quantized with this scheme is taken as it is; one quantized with another scheme is quantized
    again, from the values it stands for.
    """
    ready = model.qtensors.get(name)
    if ready is not None and ready.scheme == scheme:
        yield ready
        return
    tensor = model.weights[name]
    step = len(tensor) if scheme.granularity == "tensor" else ROWS_AT_ONCE
    for start in range(0, len(tensor), step):
        try:
            yield quantize(tensor[start:start + step], scheme)
        except ValueError as error:
            raise ValueError(f"{name}, rows from {start}: {error}") from None


def _allocate(kind: type, layers: int, rows: int, columns: int, scheme: Scheme) -> list[np.ndarray]:
    """Empty arrays for the codes and scales of a packed matrix."""
    if kind is packed.BFloat16:
        return [packed.aligned((layers, rows, columns), np.uint16)]
    stored_columns = columns // 2 if kind in packed.INT4_GROUPS.values() else columns
    codes = packed.aligned((layers, rows, stored_columns), np.int8)
    if not scheme.group_size:
        return [codes, packed.aligned((layers, rows), np.float32)]
    return [codes, packed.aligned((layers, rows, columns // scheme.group_size), np.int16)]


def _as_stored(kind: type, q: QTensor, scheme: Scheme) -> list[np.ndarray]:
    """Codes and scales of some rows, in the types the kernels read."""
    if kind is packed.BFloat16:
        return [q.codes]
    if not scheme.group_size:
        return [q.codes.view(np.int8), np.broadcast_to(q.scale.reshape(-1), q.shape[:1])]
    codes = packed.pack_nibbles(q.codes, scheme.group_size) if kind in packed.INT4_GROUPS.values() else q.codes
    return [codes, q.scale.view(np.int16)]


def _copy(x: np.ndarray) -> np.ndarray:
    out = packed.aligned(x.shape, np.float32)
    out[...] = x
    return out
