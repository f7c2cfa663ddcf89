"""How are the codes chosen?

A method is a function of a weight matrix W (out, in), perhaps of inputs X (samples, in) seen on the way, and of a
scheme. It knows no model: each file can be read with its paper beside it.

    rtn.py    round to nearest: the baseline
    awq.py    multiply the columns that meet large inputs before rounding, divide the inputs
    hqq.py    move the grid of each group until most weights are close to it; needs no inputs
    obq.py    the weight that costs least first, the others answer; for small matrices
    gptq.py   the same in a fixed order, which makes it fast; hessian.py and column_grid.py are what both stand on

Three are about activations, which are rounded anew with every token:

    smoothquant.py   divide the channels that are too large, multiply their weights
    llm_int8.py      keep the columns with outliers in float
    hadamard.py      matrices that spread an outlier over all coordinates

The functions are imported eagerly, on purpose: ``methods.rtn`` is the function, its file has the same name, and an
attribute found lazily would hand out the module.
"""

from .awq import AwqResult, ScaleSearch, awq, clip_weights, search_scales
from .column_grid import check_scheme
from .gptq import gptq, gptq_from_hessian
from .hadamard import hadamard, has_hadamard, random_hadamard
from .hessian import Hessian, hessian
from .hqq import hqq
from .llm_int8 import Decomposition, decompose, int32_matmul, llm_int8_matmul
from .obq import obq
from .rtn import rtn
from .smoothquant import AlphaSearch, search_alpha, smooth_scales

__all__ = ["AlphaSearch", "AwqResult", "Decomposition", "Hessian", "ScaleSearch", "awq", "check_scheme", "clip_weights",
           "decompose", "gptq", "gptq_from_hessian", "hadamard", "has_hadamard", "hessian", "hqq", "int32_matmul",
           "llm_int8_matmul", "obq", "random_hadamard", "rtn", "search_alpha", "search_scales", "smooth_scales"]
