"""Sentences made from measurements, where a lesson would otherwise have to guess what its reader's machine does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

STEADY = 1.5  # a spread, p90 over p10, beyond which a timing says more about the moment than about the code


def steadiness(rows: Sequence[dict[str, Any]], key: str, name: str) -> str:
    """How far measured rows can be trusted: whether ``key`` moved much from repetition to repetition.

    ``rows`` hold ``key``, ``key_p10`` and ``key_p90`` (rows without a value are passed over); ``name`` is the entry that
    tells them apart. Raises ValueError where nothing was measured.
    """
    spreads = {row[name]: row[f"{key}_p90"] / row[f"{key}_p10"] for row in rows if row[key]}
    if not spreads:
        raise ValueError(f"no row has a value for {key}")
    shaky = {which: spread for which, spread in spreads.items() if spread > STEADY}
    if not shaky:
        return (f"The machine was steady: from p10 to p90 no figure grew by more than a factor of "
                f"{max(spreads.values()):.2f}.")
    listed = ", ".join(f"{which} ({spread:.1f})" for which, spread in shaky.items())
    return (f"The machine was busy with something else: from p10 to p90 these grew by a factor above {STEADY}: {listed}. "
            "Close other programs and run the cell again before you believe a difference.")
