"""Who shares a scale, and how is it chosen?

    >>> import numpy as np
    >>> from minquant.scaling import quantize
    >>> q = quantize(np.array([[0.0, 0.6, -1.0, 3.5]]), "int4:channel")
    >>> q.codes, q.scale
    (array([[ 0,  1, -2,  7]], dtype=int8), array([[0.5]], dtype=float32))
    >>> q.dequantize()
    array([[ 0. ,  0.5, -1. ,  3.5]], dtype=float32)

    scheme.py      format, who shares a scale, how it is chosen; names.py: the string that says it all, "int4:g32:asym"
    grids.py       from a range to a scale and a zero point, and from there to codes
    calibrators.py where the range ends: percentile, search, entropy
    shared_exponent.py    MX: a block shares a power of two
    nvfp4.py, nf4.py      scales that have scales
    quantizer.py   quantize and fake_quantize: a whole tensor, fast
    fixed.py       one scale chosen beforehand, for activations
    offset.py      groups that start at their smallest value (KIVI's caches)
    qtensor.py     codes + scales + zero points, and their true size
"""

from . import calibrators
from .fixed import FixedGrid
from .offset import Offset
from .qtensor import QTensor
from .quantizer import fake_quantize, quantize
from .scheme import Scheme

__all__ = ["FixedGrid", "Offset", "QTensor", "Scheme", "calibrators", "fake_quantize", "quantize"]
