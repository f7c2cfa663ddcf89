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

SCHEMES = ("bf16", "fp8_e4m3:channel", "fp8_e4m3:tensor", "fp8_e5m2:channel", "mxfp8", "int8:channel", "int8:tensor",
           "int8:g32", "int8:g64", "int8:g128", "q8_0", "int4:g32", "int4:g64", "int4:g128", "q4_0", "int4:g32:asym",
           "int4:g64:asym", "int4:g128:asym", "nf4", "nf4:g32", "mxfp4", "fp4_e2m1:g32", "int3:g32", "int3:g64",
           "int3:g128", "int2:g32", "int2:g64", "int2:g128", "ternary:g32", "ternary:g64", "ternary:g128",
           "ternary:channel", "ternary:tensor")
ACTIVATIONS = (None, "int8:g32")
ROWS_AT_ONCE = 4096
_STACKS = {"qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), "output": ("self_attn.o_proj",),
           "gate_up": ("mlp.gate_proj", "mlp.up_proj"), "down": ("mlp.down_proj",)}


def packed_type(scheme: str | Scheme, activations: str | None = None) -> type:
    """The packed type (``kernels.packed``) that holds a scheme, to be multiplied by such activations.

    Raises ValueError where there is no kernel for it.
    """
    scheme = Scheme.parse(scheme)
    check_activations(activations)
    kind = _kind(scheme)
    if kind is None:
        raise ValueError(f"there is no kernel for {str(scheme)!r}. The decoder has {', '.join(SCHEMES)}. "
                         "(Model.quantize measures the quality of any scheme, without a kernel.)")
    if activations is None:
        return kind
    if kind not in _WHOLE_NUMBERS:
        raise ValueError(f"8-bit activations are multiplied by integer weights, and {str(scheme)!r} holds other "
                         "numbers: leave the activations in float")
    return packed.Int8Groups if kind is packed.Int8Rows else kind


def takes_activations(scheme: str | Scheme) -> bool:
    """Is there a kernel of this scheme for 8-bit activations? Raises ValueError where there is none at all."""
    return packed_type(scheme) in _WHOLE_NUMBERS


def check_activations(activations: str | None) -> None:
    """Raise ValueError for activations without a kernel."""
    if activations not in ACTIVATIONS:
        raise ValueError(f"there is no kernel for activations in {activations!r}: choose None or 'int8:g32'")


_WHOLE_NUMBERS = (packed.Int8Rows, packed.Int8Groups, packed.Int4Groups, packed.Int4Zeros, packed.Int3Groups,
                  packed.Int2Groups)
_BY_ROW = {"fp8_e4m3": packed.E4M3, "fp8_e5m2": packed.E5M2, "int8": packed.Int8Rows, "ternary": packed.Int2Groups}
_BY_GROUP = {"fp8_e4m3": packed.E4M3Groups, "int8": packed.Int8Groups, "int4": packed.Int4Groups,
             "int3": packed.Int3Groups, "int2": packed.Int2Groups, "ternary": packed.Int2Groups, "nf4": packed.Book4,
             "fp4_e2m1": packed.Book4}


def _kind(scheme: Scheme) -> type | None:
    """The packed type of a scheme, with float activations; None where there is none."""
    name, group = scheme.format.name, scheme.group_size
    if scheme.preset in ("nf4_dq", "nvfp4", "q4_1", "q5_0"):  # scales of scales, minima
        return None
    if not scheme.symmetric:
        return packed.Int4Zeros if name == "int4" and group and group % packed.CHUNK == 0 else None
    if name == "bf16":
        return packed.BFloat16
    if group:
        return _BY_GROUP.get(name) if group % packed.CHUNK == 0 else None
    return _BY_ROW.get(name) if scheme.granularity in ("tensor", "channel", "token") else None


def pack_model(model: Transformer, weights: str | Scheme, head: str | Scheme, context: int,
               activations: str | None = None, progress: Callable[[str], None] | None = None) -> Weights:
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
        stacks[name] = _pack_stack(model, names, Scheme.parse(weights), activations)
    if progress:
        progress(f"packing {head}: the output matrix")
    output = _pack_stack(model, [[config.head_name]], Scheme.parse(head), activations)
    embedding = output if config.tied else packed.Float32(_copy(source[EMBEDDING][None]))

    def norms(name: str) -> np.ndarray:
        return _copy(np.stack([source[f"model.layers.{layer}.{name}.weight"] for layer in range(config.layers)]))

    heads = {f"{x}_norm": norms(f"self_attn.{x}_norm") for x in "qk"} if config.qk_norm else {}
    cos, sin = rope_angles(np.arange(context), config.head_dim, config.rope_theta, config.rope_scaling)
    return Weights(embedding, **stacks, head=output, attention_norm=norms("input_layernorm"),
                   ffn_norm=norms("post_attention_layernorm"), **heads,
                   final_norm=_copy(source[FINAL_NORM]), cos=_copy(cos), sin=_copy(sin))


def pack_matrix(q: QTensor, activations: str | None = None) -> packed.Packed:
    """One quantized matrix as the kernels read it, with a layer axis of length 1.

    ``q`` (rows, columns); ``activations`` as in ``Decoder``. Raises ValueError for a scheme without a kernel and for
    rows that its bytes cannot hold.
    """
    kind = packed_type(q.scheme, activations)
    packed.check_columns(kind, q.shape[1])
    stored = _as_stored(kind, q)
    arrays = [_room_for(kind, 1, q.shape[0], part) for part in stored]
    _put(kind, arrays, 0, 0, stored)
    return kind(*arrays, q.scheme.format.values.astype(np.float32)) if kind is packed.Book4 else kind(*arrays)


def _pack_stack(model: Transformer, names: list[list[str]], scheme: Scheme, activations: str | None) -> packed.Packed:
    """One packed matrix: ``names[layer]`` are the tensors whose rows are stacked in that layer."""
    kind, shapes = packed_type(scheme, activations), tensor_shapes(model.config)
    rows, columns = sum(shapes[name][0] for name in names[0]), shapes[names[0][0]][1]
    packed.check_columns(kind, columns)
    arrays = None
    for layer, parts in enumerate(names):
        row = 0
        for name in parts:
            for q in _quantized_rows(model, name, scheme):
                stored = _as_stored(kind, q)
                if arrays is None:
                    arrays = [_room_for(kind, len(names), rows, part) for part in stored]
                _put(kind, arrays, layer, row, stored)
                row += q.shape[0]
    return kind(*arrays, scheme.format.values.astype(np.float32)) if kind is packed.Book4 else kind(*arrays)


def _room_for(kind: type, layers: int, rows: int, part: np.ndarray) -> np.ndarray:
    """An array for the rows of all layers, of which ``part`` is some; zeros where they do not fill a block of eight."""
    if kind not in packed.BITS:
        return packed.aligned((layers, rows, *part.shape[1:]), part.dtype)
    array = packed.aligned((layers, -(-rows // packed.LANES), part.shape[1], packed.LANES), part.dtype)
    array[:, -1] = 0
    return array


def _put(kind: type, arrays: list[np.ndarray], layer: int, row: int, stored: list[np.ndarray]) -> None:
    """Write some rows, as ``_as_stored`` gives them, from ``row`` of a layer on."""
    for array, part in zip(arrays, stored):
        if kind in packed.BITS:
            packed.put_rows(array, layer, row, part)
        else:
            array[layer, row:row + len(part)] = part


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


def _as_stored(kind: type, q: QTensor) -> list[np.ndarray]:
    """Codes, scales and zero points of some rows, in the types the kernels read."""
    rows = q.shape[0]
    if kind is packed.BFloat16:
        return [q.codes]
    if kind in (packed.E4M3, packed.E5M2, packed.Int8Rows):
        return [q.codes.view(np.int8), np.broadcast_to(q.scale.reshape(-1), (rows,))]
    codes = q.codes.view(np.int8)
    if kind in packed.BITS:
        unsigned = q.codes + np.int8(packed.OFFSET[kind]) if kind in packed.OFFSET else q.codes
        codes = packed.pack_bits(unsigned, packed.BITS[kind])
    zero = [] if q.zero_point is None else [q.zero_point]
    return [codes, _stored_scale(q, rows), *zero]


def _stored_scale(q: QTensor, rows: int) -> np.ndarray:
    """Scales (rows, groups): float16 as its bits, powers of two as their exponents, else float32."""
    scale = np.broadcast_to(q.scale.reshape(-1, 1), (rows, 1)) if not q.scheme.group_size else q.scale
    if scale.dtype == np.float16:
        return scale.view(np.int16)
    if q.scheme.preset in ("mxfp8", "mxfp4"):
        return (scale.view(np.uint32) >> 23).astype(np.uint8)
    return scale


def _copy(x: np.ndarray) -> np.ndarray:
    out = packed.aligned(x.shape, np.float32)
    out[...] = x
    return out
