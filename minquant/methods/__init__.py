"""How are the codes chosen?

A method is a function of a weight matrix W (out, in), perhaps of inputs X (samples, in) seen on the way, and of a
scheme. It knows no model: each file can be read with its paper beside it.

    rtn.py    round to nearest: the baseline

The functions are imported eagerly, on purpose: ``methods.rtn`` is the function, its file has the same name, and an
attribute found lazily would hand out the module.
"""

from .rtn import rtn

__all__ = ["rtn"]
