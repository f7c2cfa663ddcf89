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


def with_spread(row: dict[str, Any], key: str, unit: str = "") -> str:
    """A measured figure with its spread: ``"12.3 GB/s (p10 to p90: 11.8 to 12.6)"``."""
    middle, low, high = (f"{row[k]:.3g}" for k in (key, f"{key}_p10", f"{key}_p90"))
    return f"{middle} {unit}".rstrip() + f" (p10 to p90: {low} to {high})"


def decode_line(row: dict[str, Any]) -> str:
    """One row of ``benchmark.measure_decode`` as a line of text, the speed with its bandwidth beside it."""
    return (f"{row['weights']:17s} {row['tokens_per_s']:6.1f} tok/s ({row['gb_per_s']:4.1f} GB/s), "
            f"{row['share_of_read']:4.0%} of the read bandwidth, {row['speedup_over_bf16']:.2f} x bf16")


def machine_lines(machine: dict[str, Any]) -> str:
    """What ``benchmark.machine`` found out, in words; what the system does not tell is "unknown"."""
    def amount(size: int | None, unit: float, name: str) -> str:
        return f"{size / unit:.0f} {name}" if size else "unknown"

    return "\n".join((f"Processor:        {machine['cpu'] or 'unknown'}, {machine['cores'] or '?'} cores",
                      f"Memory:           {amount(machine['memory_bytes'], 1e9, 'GB')}",
                      f"Last-level cache: {amount(machine['last_level_cache_bytes'], 1 << 20, 'MiB')}"))
