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


def cache_gains(rows: list[dict[str, Any]]) -> str:
    """Rows of ``benchmark.measure_decode`` with one format of weights and a bf16 cache among others: what each other cache
    gains at the longest context, by its bytes and by the clock. A line each.

    Raises ValueError where no other cache was measured beside a bf16 cache.
    """
    longest = max(row["context"] for row in rows)
    base = next((row for row in rows if row["context"] == longest and row["kv"] == "bf16"), None)
    others = [row for row in rows if row["context"] == longest and row["kv"] != "bf16"]
    if base is None or not others:
        raise ValueError("a cache is compared with a bf16 cache at the same context: measure both, kv=('bf16', 'int8:token')")
    lines = []
    for row in others:
        promised, low, high = base["bytes_per_token"] / row["bytes_per_token"], *(
            row[f"speedup_over_bf16_cache_{end}"] for end in ("p10", "p90"))
        said = ("it is faster" if low > 1 else "it is SLOWER" if high < 1 else "no difference that this measurement can tell")
        lines.append(f"{row['kv']:11s} at {longest:,} tokens: bytes promise {promised:.2f} times the speed of a bf16 cache, "
                     f"the clock says {with_spread(row, 'speedup_over_bf16_cache')}: {said}.")
    return "\n".join(lines)


def growth(name: str, factor: float, error: float) -> str:
    """A factor by which something grows over a text, beside its control, as a sentence; two standard errors decide."""
    if not error == error:
        return f"{name}: {factor:.2f} times; one window says nothing about how sure that is."
    said = ("it grows with the position" if factor - 2 * error > 1 else
            "it falls with the position" if factor + 2 * error < 1 else "no growth that this text can tell")
    return f"{name}: {factor:.2f} ± {error:.2f} times what the control does: {said}."


def machine_lines(machine: dict[str, Any]) -> str:
    """What ``benchmark.machine`` found out, in words; what the system does not tell is "unknown"."""
    def amount(size: int | None, unit: float, name: str) -> str:
        return f"{size / unit:.0f} {name}" if size else "unknown"

    return "\n".join((f"Processor:        {machine['cpu'] or 'unknown'}, {machine['cores'] or '?'} cores",
                      f"Memory:           {amount(machine['memory_bytes'], 1e9, 'GB')}",
                      f"Last-level cache: {amount(machine['last_level_cache_bytes'], 1 << 20, 'MiB')}"))
