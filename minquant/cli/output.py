"""How the verbs print: JSON for programs, progress on stderr; and where pictures can be written."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path


def as_json(value) -> str:
    """Text of one JSON object. NumPy scalars and arrays become numbers and lists; NaN and infinity become null."""
    return json.dumps(_plain(value), indent=2, allow_nan=False, ensure_ascii=False)


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if hasattr(value, "tolist"):  # a NumPy scalar or array
        return _plain(value.tolist())
    return str(value)


def bar() -> bool | None:
    """For functions that take ``progress``: a bar where somebody watches stderr, silence where nobody does."""
    return True if sys.stderr.isatty() else None


def progress(message: str) -> None:
    """One line of progress on stderr; overwritten by the next where stderr is a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{message}", end="", file=sys.stderr, flush=True)
    else:
        print(message, file=sys.stderr, flush=True)


def progress_done() -> None:
    """Clear the progress line of a terminal."""
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)

def check_picture(path: Path) -> None:
    """Refuse before minutes of measuring what could not be written after them."""
    if path.suffix.lower() not in (".png", ".svg"):
        raise ValueError(f"cannot draw {path.name}: name the picture .png or .svg")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.absolute().parent} to write the picture into")
    import importlib.util

    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError("the picture needs matplotlib: run  pip install 'minquant[lessons]'")
