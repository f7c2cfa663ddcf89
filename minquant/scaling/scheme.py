"""A scheme: which format, who shares a scale, and how the scale is chosen.

Everything that follows from these parts is computed here, in one place: the type of codes and scales, the range of
codes, the shape of the scales of a tensor, which elements share one, and the bytes all of it takes when packed.
A scheme is written as a short string, such as "int4:g32:asym" or "mxfp4": see ``names.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from .. import formats
from ..formats import Format, IntFormat, TernaryFormat

GRANULARITIES = ("tensor", "channel", "token", "group", "none")
SEARCHES = ("mse", "l2")
CALIBRATORS = ("minmax", *SEARCHES, "kl", "absmean")  # and percentiles: "p99.9"
EXPONENT_RULES = ("floor", "ceil", "even", "rceil")  # how MX presets choose their power of two
NF4_BLOCKS_PER_SCALE = 256  # float32 scales that share a second-level scale in nf4_dq


@dataclass(frozen=True)
class Scheme:
    """Format + granularity + symmetry + calibrator. Make one with ``Scheme.parse("int4:g32:asym")``.

    format        a Format, or its name
    granularity   "tensor", "channel", "token", "group"; "none" for a plain cast (bf16, fp16)
    group_size    elements that share a scale, along the last axis; None unless granularity is "group"
    symmetric     True: ``real = scale * code``; False (integers only): ``real = scale * (code - zero_point)``
    full_range    symmetric integers: also use the code ``-2**(b-1)``, which has no positive partner
    calibrator    "minmax"; "mse" (search, error to the power 2.4); "l2" (search, squared error); "kl" (entropy,
                  integers only); "p99.9" (percentile of the magnitudes); "absmean" (ternary only); for MX presets a
                  rule for the exponent, "floor", "ceil", "even" or "rceil", or one of the two searches
    preset        name of a scheme with rules of its own ("q8_0", "mxfp4"), else ""

    Raises ValueError where the parts do not fit together.
    """

    format: Format
    granularity: str = "tensor"
    group_size: int | None = None
    symmetric: bool = True
    full_range: bool = False
    calibrator: str = "minmax"
    preset: str = ""

    def __post_init__(self):
        if isinstance(self.format, str):
            object.__setattr__(self, "format", formats.get(self.format))
        _check_parts(self)

    @classmethod
    def parse(cls, text: str | Scheme) -> Scheme:
        """The scheme a string describes; a Scheme is handed back as it is.

        Raises ValueError for an unknown or incomplete string, listing what exists; TypeError for other types.
        """
        if isinstance(text, cls):
            return text
        if not isinstance(text, str):
            raise TypeError(f"a scheme is a string such as 'int4:g32', or a Scheme, not {type(text).__name__}")
        from .names import parse  # the presets there are schemes themselves

        return parse(text)

    def __str__(self) -> str:
        """The canonical string; ``Scheme.parse(str(scheme)) == scheme``."""
        if self.preset:
            usual = "floor" if self.is_mx else "minmax"
            return self.preset + f":{self.calibrator}" * (self.calibrator != usual)
        parts = [self.format.name]
        if self.granularity != "none":
            parts.append(f"g{self.group_size}" if self.granularity == "group" else self.granularity)
        parts += ["asym"] * (not self.symmetric) + ["full"] * self.full_range
        return ":".join(parts + [self.calibrator] * (self.calibrator != "minmax"))

    # --- what follows from the parts ---

    @property
    def bits(self) -> int:
        """Bits of one code; scales are counted by nbytes and QTensor.bits_per_weight."""
        return self.format.bits

    @property
    def is_integer(self) -> bool:
        """Whether codes are integers on an even grid, rather than codes of a float format."""
        return isinstance(self.format, IntFormat)

    @property
    def is_mx(self) -> bool:
        """Whether blocks share a power of two, as the MX formats do."""
        return self.preset.startswith("mx")

    @property
    def is_ggml(self) -> bool:
        """Whether blocks are those of a GGUF file."""
        return self.preset[:1] == "q"

    @property
    def scale_dtype(self) -> np.dtype | None:
        """Type of the scales in memory: float32, or float16 for groups, whose many scales must be small. MX, NVFP4 and
        NF4 presets: float32, stored in ``scale_bits``. None where there is no scale."""
        if self.granularity == "none":
            return None
        half = self.granularity == "group" and (not self.preset or self.is_ggml)
        return np.dtype(np.float16 if half else np.float32)

    @property
    def scale_bits(self) -> int:
        """Bits of one stored scale: those of its type; 8 where it is E8M0 (MX) or E4M3 (nvfp4); 0 where it follows from
        the parts beside it (nf4_dq)."""
        if self.is_mx or self.preset == "nvfp4":
            return 8
        if self.preset == "nf4_dq":
            return 0
        return 0 if self.scale_dtype is None else 8 * self.scale_dtype.itemsize

    @property
    def has_zero_point(self) -> bool:
        """Whether an integer zero point stands beside each scale (q4_1 has a float16 minimum instead)."""
        return not self.symmetric and not self.is_ggml

    @property
    def code_dtype(self) -> np.dtype:
        """Type of one code, not packed: int8, uint8 where asymmetric, the format's own for floats."""
        return self.format.code_dtype if self.symmetric else np.dtype(np.uint8)

    @property
    def code_range(self) -> tuple[int, int]:
        """Smallest and largest code of an integer scheme.

        Symmetric: ``-qmax .. qmax`` with ``qmax = 2**(b-1) - 1`` (restricted range, 127 for int8), one more below
        with full_range. Asymmetric: ``0 .. 2**b - 1``.
        """
        if not self.symmetric:
            return 0, (1 << self.bits) - 1
        qmax = (1 << self.bits - 1) - 1
        return -qmax - self.full_range, qmax

    def scale_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the scales of a tensor of this shape.

        Tensor: ``()``; channel and token: ``(rows..., 1)``; group: ``(rows..., groups)``.

        Raises ValueError if the tensor has no axis, or the group size does not divide the last one.
        """
        if not shape:
            raise ValueError("cannot quantize a single number: give an array of at least one axis")
        if self.granularity in ("tensor", "none"):
            return ()
        if self.granularity != "group":
            return (*shape[:-1], 1)
        if shape[-1] % self.group_size:
            raise ValueError(f"group size {self.group_size} does not divide the last axis of length {shape[-1]} (shape "
                             f"{shape}): choose a divisor of {shape[-1]}, or one scale per row ('channel')")
        return (*shape[:-1], shape[-1] // self.group_size)

    def block_length(self, shape: tuple[int, ...]) -> int:
        """How many elements of a tensor of this shape share one scale. Raises as scale_shape does."""
        count = prod(self.scale_shape(shape))
        return prod(shape) // count if count else 0

    def nbytes(self, shape: tuple[int, ...]) -> int:
        """Bytes of a packed tensor of this shape, everything counted. Raises as scale_shape does."""
        return sum(self.packed_sizes(shape).values())

    def packed_sizes(self, shape: tuple[int, ...]) -> dict[str, int]:
        """Bytes of each part that ``QTensor.pack`` gives: codes and zero points dense, scales as stored, and what a
        preset keeps beside them; one part where they are blocks of ggml. Raises as scale_shape does."""
        count, scales = prod(shape), prod(self.scale_shape(shape))
        ternary = isinstance(self.format, TernaryFormat)
        sizes = {"codes": -(-count // 5) if ternary else -(-count * self.bits // 8)}
        if self.scale_bits:
            sizes["scale"] = scales * self.scale_bits // 8
        if self.has_zero_point:
            sizes["zero_point"] = -(-scales * self.bits // 8)
        sizes |= {name: dtype.itemsize * prod(part) for name, (dtype, part) in self.extra_parts(shape).items()}
        return {"blocks": sum(sizes.values())} if self.is_ggml else sizes

    def extra_parts(self, shape: tuple[int, ...]) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
        """Type and shape of what a preset keeps beside codes, scales and zero points, by name; empty for most."""
        single, scales = np.dtype(np.float32), self.scale_shape(shape)
        if self.preset == "nvfp4":
            return {"global_scale": (single, ())}
        if self.preset == "q4_1":
            return {"minimum": (np.dtype(np.float16), scales)}
        if self.preset == "nf4_dq":
            count = prod(scales)
            return {"scale_codes": (np.dtype(np.uint8), (count,)),
                    "scale_scale": (single, (-(-count // NF4_BLOCKS_PER_SCALE),)), "scale_offset": (single, ())}
        return {}

    def blocks(self, x: np.ndarray) -> np.ndarray:
        """A contiguous x seen as ``(scales, elements that share one)``, no copy. Raises as scale_shape does."""
        return x.reshape(prod(self.scale_shape(x.shape)), self.block_length(x.shape))


def _check_parts(s: Scheme) -> None:
    """Raise ValueError where the parts of a scheme do not fit together."""
    if s.format.name == "e8m0":
        raise ValueError("e8m0 has no sign and no zero: it is a format for scales, not for tensors")
    if s.granularity not in GRANULARITIES:
        raise ValueError(f"unknown granularity {s.granularity!r}: choose one of {', '.join(GRANULARITIES)}")
    _check_calibrator(s)
    if (s.granularity == "group") != (s.group_size is not None):
        raise ValueError(f"granularity {s.granularity!r} and group size {s.group_size} do not fit: "
                         "a group size belongs to granularity 'group', and to no other")
    if s.group_size is not None and s.group_size < 1:
        raise ValueError(f"group size {s.group_size}: a group has at least one element")
    if not s.is_integer and not (s.symmetric and not s.full_range):
        raise ValueError(f"'asym' and 'full' are for integers: {s.format.name} has its own sign and its own range")
    if isinstance(s.format, TernaryFormat) and (s.full_range or not s.symmetric):
        raise ValueError("'asym' and 'full' are not for ternary: its three codes are -1, 0 and 1")
    if s.full_range and not s.symmetric:
        raise ValueError("'full' is for symmetric schemes: an asymmetric one uses all its codes already")
    if s.granularity == "none" and (s.bits != 16 or s.calibrator != "minmax"):
        raise ValueError(f"{s.format.name} needs a scale (only bf16 and fp16 are plain casts): "
                         f"say who shares it, such as '{s.format.name}:channel' or '{s.format.name}:g32'")
    if s.granularity != "none" and s.bits == 16:
        raise ValueError(f"{s.format.name} is a plain cast and has no scale: write just {s.format.name!r}")


def _check_calibrator(s: Scheme) -> None:
    """Raise ValueError for a calibrator that is unknown, or that does not suit the format."""
    name = s.calibrator
    allowed = (*EXPONENT_RULES, *SEARCHES) if s.is_mx else CALIBRATORS
    if name not in allowed and (s.is_mx or percent(name) is None):
        raise ValueError(f"unknown calibrator {name!r}: choose one of {', '.join(allowed)}"
                         + ("" if s.is_mx else ", or a percentile such as p99.9"))
    if name == "kl" and not s.is_integer:
        raise ValueError(f"'kl' counts the levels of an even grid, which {s.format.name} has not: use mse, l2 or a "
                         "percentile")
    if name == "absmean" and not isinstance(s.format, TernaryFormat):
        raise ValueError(f"'absmean' is for ternary: the mean magnitude is no range for {s.format.name}")


def percent(calibrator: str) -> float | None:
    """The percentage of a percentile calibrator: 99.9 for "p99.9"; None for any other string."""
    digits = calibrator[1:]
    if calibrator[:1] != "p" or not digits.isascii() or not digits.replace(".", "", 1).isdigit():
        return None
    return float(digits) if 0 < float(digits) <= 100 else None
