"""A quantized tensor: codes, scales, zero points, and what they cost.

    real = scale * code                      symmetric integers, and float formats (code -> its value)
    real = scale * (code - zero_point)       asymmetric integers
    real = scale * code / global_scale       nvfp4
    real = scale * code + minimum            q4_1

Codes are kept one per byte (or per two bytes), which is easy to look at and to compute with; ``pack`` puts them where
they would lie in memory or in a file, and ``nbytes`` counts that size: an int4 tensor is counted with half a byte
per code, plus all scales and zero points. "int4 is half a byte" is never exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np

from .. import formats, packing
from . import nf4
from .scheme import Scheme


@dataclass(frozen=True, eq=False)
class QTensor:
    """What ``quantize`` returns. Arrays are not copied; do not write to them.

    codes        same shape as the tensor: int8 (symmetric), uint8 (asymmetric), uint8/uint16 (float formats)
    scale        tensor: shape (); channel, token: (rows..., 1), both float32; group: (rows..., groups), float16;
                 MX, nvfp4 and nf4 presets: float32, the values of the stored numbers; None for bf16 and fp16
    zero_point   uint8, shape of scale; None unless asymmetric
    scheme       Scheme
    extra        what some presets keep beside: nvfp4 "global_scale" float32 (); q4_1 "minimum" float16, shape of
                 scale; nf4_dq the three parts of ``nf4.compress``, from which its scale comes

    Raises ValueError if the parts do not fit together (shapes and types; the codes themselves are not searched).
    """

    codes: np.ndarray
    scale: np.ndarray | None
    zero_point: np.ndarray | None
    scheme: Scheme
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        scheme = self.scheme
        _check("codes", self.codes, scheme.code_dtype, self.codes.shape)
        shape = scheme.scale_shape(self.codes.shape)
        _check("scale", self.scale, scheme.scale_dtype, shape)
        _check("zero_point", self.zero_point, np.dtype(np.uint8) if scheme.has_zero_point else None, shape)
        parts = scheme.extra_parts(self.codes.shape)
        if set(self.extra) != set(parts):
            raise ValueError(f"QTensor: beside codes and scale, {scheme} keeps {', '.join(parts) or 'nothing'}; got "
                             f"{', '.join(self.extra) or 'nothing'}")
        for name, (dtype, part_shape) in parts.items():
            _check(name, self.extra[name], dtype, part_shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return self.codes.shape

    def dequantize(self) -> np.ndarray:
        """The float32 values the codes stand for, same shape."""
        codes = self.codes
        values = codes.astype(np.float32) if self.scheme.is_integer else self.scheme.format.decode(codes)
        if self.scale is not None:
            values = np.ascontiguousarray(values)  # codes may be a transposed view; blocks() must not copy
            blocks = self.scheme.blocks(values)
            if self.zero_point is not None:
                blocks -= self.zero_point.reshape(-1, 1).astype(np.float32)
            blocks *= self.scale.reshape(-1, 1).astype(np.float32)
            if "global_scale" in self.extra:
                blocks /= self.extra["global_scale"]
            if "minimum" in self.extra:
                blocks += self.extra["minimum"].reshape(-1, 1).astype(np.float32)
        return values

    @property
    def nbytes(self) -> int:
        """Bytes when packed: codes and zero points densely at the scheme's bits, scales as they are stored."""
        return self.scheme.nbytes(self.shape)

    @property
    def bits_per_weight(self) -> float:
        """Bits per element, scales and zero points counted: 4.125 for int4:g128. (Of an empty tensor: its codes'.)"""
        return 8 * self.nbytes / self.codes.size if self.codes.size else float(self.scheme.bits)

    def pack(self) -> dict[str, np.ndarray]:
        """The packed bytes, uint8, in named parts; together ``nbytes`` bytes.

        "codes" and "zero_point" are dense, least significant bit first, negative codes in two's complement (ternary:
        five codes a byte); "scale" is little-endian, or one byte each in E8M0 (MX) or E4M3 (nvfp4). What ``extra``
        holds comes under its own names. Presets of ggml have one part, "blocks", ``(rows..., bytes)``: the bytes of a
        GGUF file.
        """
        scheme = self.scheme
        if scheme.is_ggml:
            return {"blocks": _ggml_blocks(self)}
        parts = {"codes": _packed_codes(self.codes, scheme)}
        if scheme.is_mx or scheme.preset == "nvfp4":
            parts["scale"] = _scale_codes(self.scale, "e8m0" if scheme.is_mx else "fp8_e4m3").reshape(-1)
        elif self.scale is not None and scheme.preset != "nf4_dq":  # there it follows from the extra parts
            parts["scale"] = _bytes(self.scale)
        if self.zero_point is not None:
            parts["zero_point"] = packing.pack_bits(self.zero_point, scheme.bits)
        return parts | {name: _bytes(part) for name, part in self.extra.items()}

    @classmethod
    def unpack(cls, parts: Mapping[str, np.ndarray], scheme: str | Scheme, shape: tuple[int, ...]) -> QTensor:
        """The tensor that ``pack`` took apart: codes, scales and zero points come back bit for bit.

        parts    uint8 arrays, as ``pack`` names them
        scheme   Scheme, or its string
        shape    of the tensor

        Raises ValueError where the parts are not those of this scheme and shape, or hold bytes that are no codes.
        """
        scheme, shape = Scheme.parse(scheme), tuple(shape)
        sizes, given = scheme.packed_sizes(shape), {name: part.size for name, part in parts.items()}
        if given != sizes:
            raise ValueError(f"a packed {scheme} tensor of shape {shape} has parts of {sizes} bytes, not {given}")
        if scheme.is_ggml:
            return _from_ggml_blocks(parts["blocks"], scheme, shape)
        groups = scheme.scale_shape(shape)
        extra = {name: _array(parts[name], *kind) for name, kind in scheme.extra_parts(shape).items()}
        scale = nf4.expand(extra).reshape(groups) if scheme.preset == "nf4_dq" else None
        if scheme.scale_bits == 8:
            scale = formats.get("e8m0" if scheme.is_mx else "fp8_e4m3").decode(parts["scale"]).reshape(groups)
        elif scheme.scale_bits:
            scale = _array(parts["scale"], scheme.scale_dtype, groups)
        zero_point = None
        if scheme.has_zero_point:
            zero_point = packing.unpack_bits(parts["zero_point"], scheme.bits, prod(groups)).reshape(groups)
        return cls(_unpacked_codes(parts["codes"], scheme, prod(shape)).reshape(shape), scale, zero_point, scheme, extra)

    def __repr__(self) -> str:
        return f"QTensor({self.scheme}, shape {self.shape}, {self.bits_per_weight:.4g} bits per weight)"


def _packed_codes(codes: np.ndarray, scheme: Scheme) -> np.ndarray:
    """Codes of a scheme as bytes: uint8, 1-D."""
    if scheme.format.name == "ternary":
        return packing.ternary.pack(codes)
    return _bytes(codes) if scheme.bits == 16 else packing.pack_bits(codes, scheme.bits)


def _unpacked_codes(part: np.ndarray, scheme: Scheme, count: int) -> np.ndarray:
    """``_packed_codes`` backwards: (count,) in the scheme's type of codes."""
    if scheme.format.name == "ternary":
        return packing.ternary.unpack(part, count)
    if scheme.bits == 16:
        return _array(part, scheme.code_dtype, (count,))
    codes = packing.unpack_bits(part, scheme.bits, count)
    return packing.sign_extend(codes, scheme.bits) if scheme.code_dtype == np.int8 else codes


def _scale_codes(scale: np.ndarray, name: str) -> np.ndarray:
    """Scales as codes of a format. Raises ValueError for a scale that is no value of it."""
    codes = formats.get(name).encode(scale)
    if (formats.get(name).decode(codes) != scale).any():
        raise ValueError(f"QTensor: a scale is no value of {name}, so it is not stored exactly")
    return codes


def _ggml_blocks(q: QTensor) -> np.ndarray:
    """The bytes of a GGUF file: uint8 (rows..., bytes)."""
    return packing.gguf.pack_blocks(q.scale, *q.extra.values(), q.codes, q.scheme.preset.upper())


def _from_ggml_blocks(blocks: np.ndarray, scheme: Scheme, shape: tuple[int, ...]) -> QTensor:
    """``_ggml_blocks`` backwards."""
    rows = blocks.reshape(*shape[:-1], scheme.nbytes(shape[-1:]))
    scale, *beside, codes = packing.gguf.unpack_blocks(rows, scheme.preset.upper())
    return QTensor(codes, scale, None, scheme, dict(zip(scheme.extra_parts(shape), beside)))


def _bytes(x: np.ndarray) -> np.ndarray:
    """Little-endian bytes of an array: uint8, 1-D."""
    return np.ascontiguousarray(x).astype(x.dtype.newbyteorder("<"), copy=False).reshape(-1).view(np.uint8)


def _array(part: np.ndarray, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """``_bytes`` backwards: a new array."""
    return np.frombuffer(part.tobytes(), dtype.newbyteorder("<")).astype(dtype).reshape(shape)


def _check(name: str, part: np.ndarray | None, dtype: np.dtype | None, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless part has this type and shape (dtype None: unless part is None)."""
    if dtype is None:
        if part is not None:
            raise ValueError(f"QTensor: this scheme has no {name}, got one of shape {part.shape}")
    elif part is None:
        raise ValueError(f"QTensor: {name} is missing")
    elif part.dtype != dtype or part.shape != shape:
        raise ValueError(f"QTensor: {name} must be {dtype} of shape {shape}, got {part.dtype} of shape {part.shape}")
