"""What does one code mean?

A number format gives each of ``2**bits`` codes one real value, and nothing more: no scale, no layout in memory.

    >>> from minquant import formats
    >>> e4m3 = formats.get("fp8_e4m3")
    >>> e4m3.max, e4m3.encode([0.1, 1000.0]), e4m3.decode(e4m3.encode([0.1, 1000.0]))
    (448.0, array([ 29, 126], dtype=uint8), array([1.015625e-01, 4.480000e+02], dtype=float32))

    base.py      what every format can do, and the registry
    floats.py    bf16, fp16, fp8, fp6, fp4: sign, exponent, mantissa, by bit operations
    integers.py  int8 to int2, ternary, fixed point
    exponents.py E8M0: powers of two
    codebooks.py NF4: a list of levels
"""

from . import codebooks, exponents, floats, integers
from .base import Format, get, names, register
from .codebooks import CodeBook
from .exponents import ExponentFormat
from .floats import FloatFormat
from .integers import FixedPointFormat, IntFormat, TernaryFormat

__all__ = ["CodeBook", "ExponentFormat", "FixedPointFormat", "FloatFormat", "Format", "IntFormat", "TernaryFormat",
           "codebooks", "exponents", "floats", "get", "integers", "names", "register"]
