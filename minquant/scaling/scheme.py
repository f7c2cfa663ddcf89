"""A scheme: which format, who shares a scale, and how the scale is chosen. Written as a short string.

    int8:channel          one scale per row
    int4:g32:asym         one scale and one zero point per 32 neighbours along the last axis
    int4:channel:mse      the scale searched for the smallest error instead of taken from the largest value
    fp8_e4m3:tensor       one scale for everything
    bf16, fp16            a plain cast: no scale
    q8_0, q4_0            presets: the block formats of ggml (llama.cpp), byte for byte

The first part is a format, the second the granularity: ``tensor``, ``channel``, ``token`` or ``gN``. ``channel`` and
``token`` are the same arithmetic, one scale per row along the last axis: a row of a weight matrix is an output
channel, a row of activations is a token. Then options, in any order: ``asym``; ``full``; ``mse`` or ``l2``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np

from .. import formats
from ..formats import Format, IntFormat

GRANULARITIES = ("tensor", "channel", "token", "group", "none")
CALIBRATORS = ("minmax", "mse", "l2")


@dataclass(frozen=True)
class Scheme:
    """Format + granularity + symmetry + calibrator. Make one with ``Scheme.parse("int4:g32:asym")``.

    format        a Format, or its name
    granularity   "tensor", "channel", "token", "group"; "none" for a plain cast (bf16, fp16)
    group_size    elements that share a scale, along the last axis; None unless granularity is "group"
    symmetric     True: ``real = scale * code``; False (integers only): ``real = scale * (code - zero_point)``
    full_range    symmetric integers: also use the code ``-2**(b-1)``, which has no positive partner
    calibrator    "minmax"; "mse" (search, error to the power 2.4); "l2" (search, squared error)
    preset        name of a scheme with rules of its own ("q8_0", "q4_0"), else ""

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
        return _parse(text)

    def __str__(self) -> str:
        """The canonical string; ``Scheme.parse(str(scheme)) == scheme``."""
        if self.preset:
            return self.preset
        parts = [self.format.name]
        if self.granularity != "none":
            parts.append(f"g{self.group_size}" if self.granularity == "group" else self.granularity)
        parts += ["asym"] * (not self.symmetric) + ["full"] * self.full_range
        return ":".join(parts + [self.calibrator] * (self.calibrator != "minmax"))

    # --- what follows from the parts ---

    @property
    def bits(self) -> int:
        """Bits of one code; scales are counted by QTensor.bits_per_weight."""
        return self.format.bits

    @property
    def is_integer(self) -> bool:
        """Whether codes are integers on an even grid, rather than codes of a float format."""
        return isinstance(self.format, IntFormat)

    @property
    def scale_dtype(self) -> np.dtype | None:
        """float32, or float16 for groups, whose many scales must be small; None where there is no scale."""
        if self.granularity == "none":
            return None
        return np.dtype(np.float16 if self.granularity == "group" else np.float32)

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

    def blocks(self, x: np.ndarray) -> np.ndarray:
        """A contiguous x seen as ``(scales, elements that share one)``, no copy. Raises as scale_shape does."""
        return x.reshape(prod(self.scale_shape(x.shape)), self.block_length(x.shape))


def _check_parts(s: Scheme) -> None:
    """Raise ValueError where the parts of a scheme do not fit together."""
    if s.granularity not in GRANULARITIES:
        raise ValueError(f"unknown granularity {s.granularity!r}: choose one of {', '.join(GRANULARITIES)}")
    if s.calibrator not in CALIBRATORS:
        raise ValueError(f"unknown calibrator {s.calibrator!r}: choose one of {', '.join(CALIBRATORS)}")
    if (s.granularity == "group") != (s.group_size is not None):
        raise ValueError(f"granularity {s.granularity!r} and group size {s.group_size} do not fit: "
                         "a group size belongs to granularity 'group', and to no other")
    if s.group_size is not None and s.group_size < 1:
        raise ValueError(f"group size {s.group_size}: a group has at least one element")
    if not s.is_integer and not (s.symmetric and not s.full_range):
        raise ValueError(f"'asym' and 'full' are for integers: {s.format.name} has its own sign and its own range")
    if s.full_range and not s.symmetric:
        raise ValueError("'full' is for symmetric schemes: an asymmetric one uses all its codes already")
    if s.granularity == "none" and (s.bits != 16 or s.calibrator != "minmax"):
        raise ValueError(f"{s.format.name} needs a scale (only bf16 and fp16 are plain casts): "
                         f"say who shares it, such as '{s.format.name}:channel' or '{s.format.name}:g32'")
    if s.granularity != "none" and s.bits == 16:
        raise ValueError(f"{s.format.name} is a plain cast and has no scale: write just {s.format.name!r}")


@lru_cache(maxsize=1024)
def _parse(text: str) -> Scheme:
    if text in PRESETS:
        return PRESETS[text]
    name, *options = text.split(":")
    if name not in formats.names():
        raise ValueError(f"unknown scheme {text!r}: {_CHOICES}")
    fields: dict = {}
    for option in options:
        values = _option(option)
        if not values:
            raise ValueError(f"unknown option {option!r} in the scheme {text!r}: {_CHOICES}")
        if fields.keys() & values.keys():
            raise ValueError(f"{option!r} in the scheme {text!r} sets what an option before it has set already")
        fields |= values
    return Scheme(formats.get(name), **{"granularity": "none"} | fields)


def _option(option: str) -> dict:
    """The fields that an option of a scheme string sets, none if it is unknown."""
    if option in ("tensor", "channel", "token"):
        return {"granularity": option}
    if option[:1] == "g" and option[1:].isascii() and option[1:].isdigit():
        return {"granularity": "group", "group_size": int(option[1:])}
    if option in ("mse", "l2"):
        return {"calibrator": option}
    return {"asym": {"symmetric": False}, "full": {"full_range": True}}.get(option, {})


PRESETS = {
    "q8_0": Scheme("int8", "group", 32, preset="q8_0"),
    "q4_0": Scheme("int4", "group", 32, full_range=True, preset="q4_0"),
}
_CHOICES = (f"a scheme is a preset ({', '.join(PRESETS)}), bf16 or fp16, or FORMAT:GRANULARITY with format "
            f"{', '.join(n for n in formats.names() if formats.get(n).bits < 16)}, granularity tensor, channel, token "
            "or gN, and then any of asym, full, mse, l2; for example int8:channel or int4:g32:asym")
