"""Round to nearest (RTN): every weight goes to the nearest point of its grid, on its own.

The baseline of every paper. It looks at no data and takes a second for a model; at 8 bits nothing more is needed.
What it leaves out is all the others do: that some weights matter more than others, and that an error made in one
weight can be made good in another.
"""

from __future__ import annotations

import numpy as np

from ..scaling import QTensor, Scheme, quantize


def rtn(W: np.ndarray, scheme: str | Scheme) -> QTensor:
    """Round a weight matrix to nearest.

    W        (out, in) real numbers; a scale per channel is one per row, groups run along ``in``
    scheme   such as "int4:g128"; see scaling.Scheme

    Raises ValueError if W is not a matrix, and as scaling.quantize does.
    """
    if np.ndim(W) != 2:
        raise ValueError(f"a weight matrix has two axes, (out, in), got shape {np.shape(W)}")
    return quantize(W, scheme)
