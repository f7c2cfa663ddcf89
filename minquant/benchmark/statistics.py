"""Medians and spreads.

A time on a shared machine is the true cost plus whatever else ran: errors go one way and are sometimes huge. A median
does not notice them, a mean does. The spread is given as the 10th and 90th percentile of the repetitions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def summary(name: str, values: Sequence[float]) -> dict[str, float]:
    """``{name: median, name_p10: ..., name_p90: ...}`` of repeated measurements. Raises ValueError where there are none."""
    if len(values) == 0:
        raise ValueError(f"{name}: nothing was measured")
    p10, median, p90 = np.percentile(np.asarray(values, np.float64), (10, 50, 90))
    return {name: float(median), f"{name}_p10": float(p10), f"{name}_p90": float(p90)}
