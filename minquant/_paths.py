"""Where the package finds its data and keeps its caches."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _shipped(name: str) -> Path:
    """A top-level folder of the project: beside the package in a checkout, inside it in a wheel."""
    inside = _PACKAGE / f"_{name}"
    return inside if inside.is_dir() else _PACKAGE.parent / name


def data_dir() -> Path:
    """Folder with the tiny transformer, its tokenizer and the names of the held-out paragraphs."""
    return _shipped("data")


def data_path(name: str) -> Path:
    """A file of the data folder. Raises FileNotFoundError, naming it, where it is missing."""
    path = data_dir() / name
    if not path.exists():
        raise FileNotFoundError(f"{name} is missing from {data_dir()}: reinstall minquant, or take it from the repository")
    return path


def lessons_dir() -> Path:
    """Folder with the lessons."""
    return _shipped("lessons")


def cache_dir() -> Path:
    """Folder for what can be made again: ``$MINQUANT_CACHE_DIR``, else ``~/.cache/minquant``."""
    return Path(os.environ.get("MINQUANT_CACHE_DIR") or Path.home() / ".cache" / "minquant")
