"""What one machine measured, in a small file without names; and what many of them measured, together.

How it works
    ``export`` takes the claims of the ledger and, where there is one, a ladder (``minquant ladder --json``), and keeps
    figures only: claim, unit, measurement, spread and guess; per level its speed beside bf16 and beside the level above.
    Of the machine it keeps what explains a speed: processor, cores, read bandwidth. No names of people, hosts, folders
    or files, no dates, no verdicts (they are free text). A claim that holds the name of this user or host as a word is
    left out. Nothing is sent anywhere: the file is written when asked for, and handed over by its owner.

    ``read`` takes such files from strangers: bounded, checked part by part, refused by name. ``claims`` and ``steps``
    put them together: one list per claim, one per pair of neighbouring levels.

What we leave out
    Averages of averages. Each machine counts once, with its median; how sure that is, its own spread says.
"""

from __future__ import annotations

import getpass
import json
import math
import platform
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import ledger

VERSION, LARGEST, MOST = 1, 200_000, 500
CLAIM = {"lesson": str, "claim": str, "unit": str, "measurement": float, "spread": list, "prediction": float}
LEVEL = {"weights": str, "shape": str, "threads": float, "speedup_over_bf16": float, "level_above": str,
         "speedup_over_level_above": float}
MACHINE = {"cpu": str, "system": str, "cores": float, "threads": float, "read_gb_per_s": float,
           "read_gb_per_s_p10": float, "read_gb_per_s_p90": float}
NEEDED = {"claims": ("lesson", "claim", "measurement"), "levels": ("weights",)}


def export(machine: dict[str, Any], ladder: dict[str, Any] | None = None) -> dict[str, Any]:
    """What this reader's machine measured: ``{"minquant_class", "machine", "claims", "levels"}``.

    ``machine``: ``benchmark.machine()`` and a row of ``benchmark.read_bandwidth()`` in one dict. ``ladder``: what
    ``minquant ladder --json`` printed. Raises ValueError where there is nothing to export.
    """
    names = _names()
    claims = [_kept(entry, CLAIM) for entry in ledger.claims()
              if not names & set(re.findall(r"\w+", f"{entry['claim']} {entry['unit']}".casefold()))]
    levels = [_kept(row, LEVEL) for row in (ladder or {}).get("rows", ()) if row.get("speedup_over_bf16")]
    if not claims and not levels:
        raise ValueError("there is nothing to export: run a lesson first, or hand over a ladder with --ladder FILE "
                         "(minquant ladder --json > FILE)")
    return {"minquant_class": VERSION, "machine": _kept(machine, MACHINE), "claims": claims, "levels": levels}


def _names() -> set[str]:
    """Names of this user and host, in small letters."""
    found = {platform.node(), platform.node().partition(".")[0], Path.home().name}
    try:
        found.add(getpass.getuser())
    except (OSError, KeyError, ImportError):  # no such name on this system
        pass
    return {name.casefold() for name in found if name}


def _kept(found: dict[str, Any], kinds: dict[str, type]) -> dict[str, Any]:
    """The parts of these names, where they are of these kinds; the others are left out."""
    return {name: value for name, kind in kinds.items() if (value := _checked(found.get(name), kind)) is not None}


def _checked(value: Any, kind: type) -> Any:
    if kind is float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        return float(value) if number else None
    if kind is list:
        both = [_checked(v, float) for v in value] if isinstance(value, (list, tuple)) and len(value) == 2 else []
        return both if both and None not in both else None
    return value[:200] if isinstance(value, str) and value.isprintable() and value else None


def read(path: Path) -> dict[str, Any]:
    """One exported file. Raises ValueError, naming the file, where it is something else; OSError."""
    def refused(why: str) -> ValueError:
        return ValueError(f"{path.name} is not what  minquant class --export  writes: {why}")

    if path.stat().st_size > LARGEST:
        raise refused(f"it has more than {LARGEST:,} bytes")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise refused("it is not JSON") from None
    if not isinstance(found, dict) or found.get("minquant_class") != VERSION or not isinstance(found.get("machine"), dict):
        raise refused("it does not say so")
    checked = {"file": path.stem, "machine": _kept(found["machine"], MACHINE)}
    for part, kinds in (("claims", CLAIM), ("levels", LEVEL)):
        rows = found.get(part)
        if not isinstance(rows, list) or len(rows) > MOST or not all(isinstance(row, dict) for row in rows):
            raise refused(f"its {part} are no list of at most {MOST}")
        checked[part] = [_kept(row, kinds) for row in rows]
        for row in checked[part]:
            if missing := [name for name in NEEDED[part] if name not in row]:
                raise refused(f"one of its {part} lacks {', '.join(missing)}")
    return checked


def claims(machines: Iterable[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, list[float]]]:
    """(lesson, claim, unit) -> {"measured": one per machine, "guessed": those that were written down}."""
    found: dict[tuple[str, str, str], dict[str, list[float]]] = {}
    for machine in machines:
        for row in machine["claims"]:
            place = found.setdefault((row["lesson"], row["claim"], row.get("unit", "")), {"measured": [], "guessed": []})
            place["measured"].append(row["measurement"])
            place["guessed"] += [row["prediction"]] if "prediction" in row else []
    return dict(sorted(found.items()))


def steps(machines: Iterable[dict[str, Any]]) -> dict[tuple[str, str], list[float]]:
    """(level above, level) -> per cent faster, one per machine; in the order in which ladders list them."""
    found: dict[tuple[str, str], list[float]] = {}
    for machine in machines:
        for row in machine["levels"]:
            if "level_above" in row and "speedup_over_level_above" in row:
                found.setdefault((row["level_above"], row["weights"]), []).append(
                    100 * (row["speedup_over_level_above"] - 1))
    return found


def int4_points(machines: Iterable[dict[str, Any]]) -> list[tuple[float, float, float]]:
    """(cores, read bandwidth in GB/s, int4 over bf16) of every machine that says all three; a ladder's figure first."""
    points = []
    for machine in machines:
        cores, bandwidth = (machine["machine"].get(name) for name in ("cores", "read_gb_per_s"))
        ratios = [r["speedup_over_bf16"] for r in machine["levels"] if r["weights"] == "int4:g32" and "speedup_over_bf16" in r]
        ratios += [r["measurement"] for r in machine["claims"] if r["claim"] == "int4 decodes faster than bf16"]
        if cores and bandwidth and ratios:
            points.append((cores, bandwidth, ratios[0]))
    return points


def quantiles(values: list[float]) -> tuple[float, float, float]:
    """10th percentile, median, 90th percentile, between neighbours in proportion."""
    ordered = sorted(values)

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        low = int(place)
        return ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])

    return at(0.1), at(0.5), at(0.9)
