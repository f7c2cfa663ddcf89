"""Evaluation text that is already on the reader's disk.

How it works
    CPython ships about one megabyte of English prose: the docstrings of its
    standard library. We cut every docstring into *paragraphs* and name each
    paragraph by the SHA-256 of its text. A fixed part of those names is held
    out: no training text ever contained these paragraphs. The repository holds
    the names (``data/heldout.json``) and no text; ``heldout()`` finds the
    paragraphs in the interpreter that is running and checks each one.

Why this way
    Everyone measures perplexity on the same bytes, offline, and nothing has to
    be downloaded or licensed. Docstrings are parsed, never imported.

What differs between readers
    Only paragraphs that several releases of CPython 3.11 to 3.14 and a Linux
    distribution's Python share are held out. If fewer than 98% of them are
    found, ``heldout()`` refuses: figures from other text are not comparable.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import os
import re
import sysconfig
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from .._paths import cache_dir, data_path

LEFT_OUT = ("test", "tests", "idle_test", "tkinter", "turtledemo", "idlelib", "lib2to3", "ensurepip",
            "distutils", "site-packages", "dist-packages", "pydoc_data", "__pycache__", "config-3")
MIN_PARAGRAPH = 60  # characters; shorter ones ("Return True.") recur everywhere
REQUIRED_SHARE = 0.98


@dataclass(frozen=True)
class HeldOut:
    """Held-out text: the paragraphs found, in a fixed order, and how many there should be."""

    split: str
    paragraphs: tuple[str, ...]
    expected: int

    @property
    def text(self) -> str:
        """All paragraphs, separated by blank lines."""
        return "\n\n".join(self.paragraphs)

    @property
    def share_found(self) -> float:
        """Share of the expected paragraphs that this interpreter holds, 0..1."""
        return len(self.paragraphs) / self.expected


def paragraph_name(paragraph: str) -> str:
    """Name of a paragraph: the first 16 hex digits of the SHA-256 of its UTF-8 text."""
    return hashlib.sha256(paragraph.encode("utf-8")).hexdigest()[:16]


def split_paragraphs(text: str) -> list[str]:
    """Cut text at blank lines; each paragraph loses its common indent and trailing spaces."""
    pieces = re.split(r"\n[ \t]*\n", text.expandtabs())
    dedented = ("\n".join(line.rstrip() for line in textwrap.dedent(p.strip("\n")).splitlines()) for p in pieces)
    return [p for p in dedented if len(p) >= MIN_PARAGRAPH]


def docstrings(source: str) -> Iterator[tuple[str, int, int]]:
    """Every docstring of a Python source as (clean text, first line, last line), lines counted from 1.

    Raises SyntaxError where the source does not parse.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
                    and isinstance(first.value.value, str)):
                yield inspect.cleandoc(first.value.value), first.lineno, first.end_lineno or first.lineno


def standard_library_files(root: Path | None = None) -> list[Path]:
    """Python files of the standard library in sorted order, without tests and optional parts."""
    root = Path(root or sysconfig.get_paths()["stdlib"])
    files = []
    for folder, names, leaves in os.walk(root):
        names[:] = sorted(n for n in names if not n.startswith(LEFT_OUT))
        files += [Path(folder) / leaf for leaf in leaves if leaf.endswith(".py")]
    return sorted(files, key=lambda p: p.relative_to(root).as_posix())


def read_source(path: Path) -> str:
    """Source text of a Python file, by the encoding the file declares; "" where it cannot be read."""
    import tokenize

    try:
        with tokenize.open(path) as handle:
            return handle.read()
    except (OSError, SyntaxError, UnicodeDecodeError):
        return ""


def library_paragraphs(root: Path | None = None) -> dict[str, str]:
    """All docstring paragraphs of a standard library: name -> text, in file order."""
    found: dict[str, str] = {}
    for path in standard_library_files(root):
        try:
            pieces = [p for doc, _, _ in docstrings(read_source(path)) for p in split_paragraphs(doc)]
        except (SyntaxError, ValueError):
            continue
        for paragraph in pieces:
            found.setdefault(paragraph_name(paragraph), paragraph)
    return found


def heldout(split: str = "test", root: Path | None = None) -> HeldOut:
    """Held-out paragraphs of this interpreter's standard library.

    ``split`` is ``"test"`` (every published figure), ``"validation"`` (when to
    stop training) or ``"calibration"`` (training text whose names are fixed, so
    that calibrated methods give everyone the same result).
    Raises ValueError for an unknown split, and RuntimeError when fewer than 98%
    of the paragraphs are found. The first call parses the library (some
    seconds) and keeps the text in the user's cache folder.
    """
    names = json.loads(data_path("heldout.json").read_text())["splits"]
    if split not in names:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(sorted(names))}")
    wanted = names[split]
    texts = _cached_texts(wanted, root)
    paragraphs = tuple(texts[n] for n in wanted if n in texts)
    result = HeldOut(split, paragraphs, len(wanted))
    if result.share_found < REQUIRED_SHARE:
        raise RuntimeError(
            f"only {len(paragraphs)} of the {len(wanted)} held-out paragraphs are in this Python's standard library "
            f"({result.share_found:.1%}, {REQUIRED_SHARE:.0%} needed): figures would not be comparable. "
            "Use CPython 3.11 to 3.14 with its .py files, or evaluate a text of your own.")
    return result


def _cached_texts(wanted: list[str], root: Path | None) -> dict[str, str]:
    """Texts of the wanted paragraphs, from the cache file if every entry in it still matches its name."""
    key = hashlib.sha256("".join(wanted).encode() + str(root or sysconfig.get_paths()["stdlib"]).encode()
                         + sysconfig.get_python_version().encode()).hexdigest()[:16]
    path = cache_dir() / f"paragraphs-{key}.json"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(kept, dict) and kept and all(paragraph_name(text) == name for name, text in kept.items()):
            return kept
    except (OSError, ValueError, AttributeError):
        pass
    everything = library_paragraphs(root)
    kept = {name: everything[name] for name in wanted if name in everything}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as handle:
            json.dump(kept, handle)
        os.replace(handle.name, path)
    except OSError:
        pass  # a read-only home only costs the next call some seconds
    return kept
