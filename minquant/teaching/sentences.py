"""Sentences made from measurements, where a lesson would otherwise have to guess what its reader's machine does."""

from __future__ import annotations

from typing import Any


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
