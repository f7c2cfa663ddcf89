"""The strings that schemes are written as, and the presets.

    int8:channel          one scale per row
    int4:g32:asym         one scale and one zero point per 32 neighbours along the last axis
    int4:channel:mse      the scale searched for the smallest error instead of taken from the largest value
    int8:tensor:p99.9     the range ends where 99.9% of the magnitudes do; what lies beyond is clipped
    int8:tensor:kl        the range chosen so that the histogram changes least (entropy)
    fp8_e4m3:tensor       one scale for everything
    ternary:tensor:absmean    -1, 0 and 1 times the mean magnitude (BitNet b1.58)
    bf16, fp16            a plain cast: no scale

The first part is a format, the second the granularity: ``tensor``, ``channel``, ``token`` or ``gN``. ``channel`` and
``token`` are the same arithmetic, one scale per row along the last axis: a row of a weight matrix is an output
channel, a row of activations is a token. Then options, in any order: ``asym``; ``full``; a calibrator.

Presets name a published layout, its block size and its kind of scale included:

    mxfp8, mxfp8_e5m2, mxfp6_e2m3, mxfp6_e3m2, mxfp4, mxint8    32 elements share a power of two (E8M0)
    mxfp4:even            the same with another rule for the power: floor (default), ceil, even, rceil, mse, l2
    nvfp4                 16 elements of fp4 share an fp8 scale, the tensor a float32 one
    nf4, nf4_dq           64 elements of the NF4 code book share a float32 scale; _dq keeps that scale in 8 bits
    q8_0, q5_0, q4_0, q4_1    the block formats of ggml (llama.cpp), byte for byte
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from .. import formats
from .scheme import CALIBRATORS, Scheme, percent


def _preset(name: str, format: str, group: int, **parts) -> tuple[str, Scheme]:
    return name, Scheme(format, "group", group, preset=name, **parts)


PRESETS = dict((
    _preset("mxfp8", "fp8_e4m3", 32, calibrator="floor"), _preset("mxfp8_e5m2", "fp8_e5m2", 32, calibrator="floor"),
    _preset("mxfp6_e2m3", "fp6_e2m3", 32, calibrator="floor"),
    _preset("mxfp6_e3m2", "fp6_e3m2", 32, calibrator="floor"),
    _preset("mxfp4", "fp4_e2m1", 32, calibrator="floor"), _preset("mxint8", "fixed8", 32, calibrator="floor"),
    _preset("nvfp4", "fp4_e2m1", 16), _preset("nf4", "nf4", 64), _preset("nf4_dq", "nf4", 64),
    _preset("q8_0", "int8", 32), _preset("q5_0", "int5", 32, full_range=True),
    _preset("q4_0", "int4", 32, full_range=True), _preset("q4_1", "int4", 32, symmetric=False)))
_FORMATS = [name for name in formats.names() if name != "e8m0"]  # E8M0 is for scales: Scheme refuses it
_CHOICES = (f"a scheme is a preset ({', '.join(PRESETS)}), bf16 or fp16, or FORMAT:GRANULARITY with format "
            f"{', '.join(n for n in _FORMATS if formats.get(n).bits < 16)}, granularity tensor, channel, token "
            "or gN, and then any of asym, full, and a calibrator (mse, l2, kl, p99.9, absmean); for example "
            "int8:channel or int4:g32:asym")


@lru_cache(maxsize=1024)
def parse(text: str) -> Scheme:
    """The scheme a string describes. Raises ValueError for an unknown or incomplete one, listing what exists."""
    if text in PRESETS:
        return PRESETS[text]
    name, *options = text.split(":")
    if name in PRESETS and PRESETS[name].is_mx and len(options) == 1:
        return replace(PRESETS[name], calibrator=options[0])
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
    if option in CALIBRATORS or percent(option):
        return {"calibrator": option}
    return {"asym": {"symmetric": False}, "full": {"full_range": True}, "entropy": {"calibrator": "kl"}}.get(option, {})
