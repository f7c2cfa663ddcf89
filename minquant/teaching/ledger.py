"""The claim ledger: what a lesson claims, what you predicted, what was measured.

How it works
    Every lesson writes its claim, the reader's prediction, the measurement with
    its spread and a verdict into one small JSON file of the reader's own,
    ``~/.local/share/minquant/ledger.json``. It is kept apart from the cache, so
    that clearing the cache does not forget what you predicted. Running a lesson
    again replaces its own entries and leaves the others alone.

Files break
    The file is written under a temporary name and renamed, so an interrupted
    run leaves the old one whole. A file that cannot be read is put aside under
    the name ``ledger.json.broken``, a message says so, and a new one is begun.

What we leave out
    History: the ledger keeps the latest measurement of each claim, not all.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from html import escape
from pathlib import Path
from typing import Any

from IPython.display import display

from .._paths import cache_dir

_VERSION = 1
_COLUMNS = ("lesson", "claim", "prediction", "measurement", "spread", "unit", "verdict")
Spread = tuple[float, float] | None


def path() -> Path:
    """Where the ledger lies.

    ``$MINQUANT_LEDGER``, else ``$MINQUANT_CACHE_DIR/ledger.json``, else in the user's data folder. A run with a
    cache folder of its own (a test) thus keeps its ledger there too.
    """
    if named := os.environ.get("MINQUANT_LEDGER"):
        return Path(named)
    folder = cache_dir() if os.environ.get("MINQUANT_CACHE_DIR") else Path.home() / ".local" / "share" / "minquant"
    return folder / "ledger.json"


def claim(lesson: str, claim: str, *, measurement: float, verdict: str, prediction: float | None = None,
          spread: Spread = None, unit: str = "") -> None:
    """Write one claim of a lesson, replacing the entry of the same lesson and claim.

    ``measurement`` is a number in ``unit``; ``spread`` its (low, high), usually
    the 10th and 90th percentile; ``prediction`` the reader's number or None;
    ``verdict`` a sentence made from the measurement. Raises ValueError for an
    empty text or a number that is not finite.
    """
    for name, words in (("lesson", lesson), ("claim", claim), ("verdict", verdict)):
        if not isinstance(words, str) or not words.strip():
            raise ValueError(f"{name} must be a text that says something, got {words!r}")
    entry = {"lesson": lesson, "claim": claim, "unit": unit, "verdict": verdict,
             "prediction": None if prediction is None else finite(prediction, "prediction"),
             "measurement": finite(measurement, "measurement"),
             "spread": None if spread is None else [finite(v, "spread") for v in spread]}
    kept = read()
    others = [e for e in kept["claims"] if (e["lesson"], e["claim"]) != (lesson, claim)]
    kept["claims"] = sorted([*others, entry], key=lambda e: e["lesson"])
    write(kept)


def claims(lesson: str | None = None) -> list[dict[str, Any]]:
    """The entries of the ledger, of one lesson or of all, in the order of the lessons."""
    return [e for e in read()["claims"] if lesson in (None, e["lesson"])]


def show(lesson: str | None = None) -> None:
    """Show the ledger (of one lesson, or whole) as a table."""
    entries = claims(lesson)
    if not entries:
        print("The claim ledger is empty: run a lesson first.")
        return
    rows = [[_cell(entry, column) for column in _COLUMNS] for entry in entries]
    head = "".join(f'<th style="text-align:left">{c}</th>' for c in _COLUMNS)
    body = "".join("<tr>" + "".join(f'<td style="text-align:left;white-space:normal">{escape(c)}</td>' for c in row)
                   + "</tr>" for row in rows)
    plain = "\n".join(" | ".join(row) for row in [list(_COLUMNS), *rows])
    display({"text/html": f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>", "text/plain": plain},
            raw=True)


def finite(value: Any, name: str) -> float:
    """``value`` as a float. Raises ValueError, naming it, where it is no finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return number


def read() -> dict[str, Any]:
    """The whole ledger: ``{"version", "predictions": {name: ...}, "claims": [...]}``, empty where there is none yet."""
    fresh = {"version": _VERSION, "predictions": {}, "claims": []}
    try:
        kept = json.loads(path().read_text(encoding="utf-8"))
        _check(kept)
    except FileNotFoundError:
        return fresh
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        aside = path().with_name(path().name + ".broken")
        try:
            os.replace(path(), aside)
            where = f"It was put aside as {aside.name}; "
        except OSError:
            where = ""
        print(f"The claim ledger could not be read ({problem}). {where}a new, empty one is begun.")
        return fresh
    return kept


def write(kept: dict[str, Any]) -> None:
    """Write the whole ledger: to a temporary file in the same folder, then renamed."""
    target = path()
    target.parent.mkdir(parents=True, exist_ok=True)
    handle = tempfile.NamedTemporaryFile("w", dir=target.parent, prefix=".ledger-", delete=False, encoding="utf-8")
    try:
        with handle:
            json.dump(kept, handle, indent=1, allow_nan=False)
        os.replace(handle.name, target)
    except BaseException:
        Path(handle.name).unlink(missing_ok=True)
        raise


def _check(kept: Any) -> None:
    """Raise where the file does not hold what ``read`` promises."""
    if kept["version"] != _VERSION:
        raise ValueError(f"version {kept['version']!r} instead of {_VERSION}")
    for record in kept["predictions"].values():
        finite(record["value"], "prediction")
    for entry in kept["claims"]:
        finite(entry["measurement"], "measurement")
        if missing := [c for c in _COLUMNS if c not in entry]:
            raise ValueError(f"a claim without {', '.join(missing)}")


def _cell(entry: dict[str, Any], column: str) -> str:
    """One table cell as text."""
    value = entry[column]
    if value is None:
        return "none" if column == "prediction" else ""
    if column == "spread":
        return f"{value[0]:.3g} to {value[1]:.3g}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
