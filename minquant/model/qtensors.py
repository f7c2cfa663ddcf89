"""The quantized weights of a model: a dict of QTensors, or a mapping that leaves their packed bytes in a file.

Such a mapping (``interop.parts``) has two methods beside: ``scheme(name)`` and ``packed(name)``. Who wants to know only
the scheme, or only the bytes, asks here, and nothing is unpacked for it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..scaling import QTensor, Scheme


def scheme_of(qtensors: Mapping[str, QTensor], name: str) -> Scheme | None:
    """The scheme of a weight; None where it is not quantized."""
    if name not in qtensors:
        return None
    scheme = getattr(qtensors, "scheme", None)
    return qtensors[name].scheme if scheme is None else scheme(name)


def packed_parts(qtensors: Mapping[str, QTensor], name: str) -> dict[str, np.ndarray]:
    """What ``QTensor.pack`` gives for a weight, mapped where it lies in a file."""
    packed = getattr(qtensors, "packed", None)
    return qtensors[name].pack() if packed is None else packed(name)
