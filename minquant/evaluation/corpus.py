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
import functools
import hashlib
import inspect
import json
import os
import re
import sys
import sysconfig
import tempfile
import textwrap
import tokenize
import warnings
from collections import deque
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
    return hashlib.sha256(paragraph.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def split_paragraphs(text: str) -> list[str]:
    """Cut text at blank lines; each paragraph loses its common indent and trailing spaces."""
    pieces = re.split(r"\n[ \t]*\n", text.expandtabs())
    dedented = ("\n".join(line.rstrip() for line in textwrap.dedent(p.strip("\n")).splitlines()) for p in pieces)
    return [p for p in dedented if len(p) >= MIN_PARAGRAPH]


def docstrings(source: str) -> Iterator[tuple[str, int, int]]:
    """Every docstring of a source as (clean text, first line, last line), lines counted from 1, outer ones first.

    Raises SyntaxError where the source does not parse. Only statements are visited: an expression holds no docstring,
    and most nodes of a syntax tree are expressions.
    """
    statements: deque[ast.AST] = deque([ast.parse(source)])
    while statements:
        node = statements.popleft()
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
                    and isinstance(first.value.value, str)):
                yield inspect.cleandoc(first.value.value), first.lineno, first.end_lineno or first.lineno
        for field in ("body", "handlers", "orelse", "finalbody", "cases"):
            children = getattr(node, field, None)
            statements.extend(children if isinstance(children, list) else ())


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
    try:
        with tokenize.open(path) as handle:
            return handle.read()
    except (OSError, SyntaxError, UnicodeDecodeError):
        return ""


def library_paragraphs(root: Path | None = None) -> dict[str, str]:
    """All docstring paragraphs of a standard library: name -> text, in file order."""
    found: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # a stray backslash in somebody else's file
        for path in standard_library_files(root):
            try:
                pieces = [p for doc, _, _ in docstrings(read_source(path)) for p in split_paragraphs(doc)]
            except (SyntaxError, ValueError):
                continue
            for paragraph in pieces:
                found.setdefault(paragraph_name(paragraph), paragraph)
    return found


def heldout(split: str = "test", root: Path | None = None) -> HeldOut:
    """Held-out paragraphs of this interpreter's standard library, in the order of ``data/heldout.json``.

    ``split`` is ``"test"`` (every published figure), ``"validation"`` (when to
    stop training) or ``"calibration"`` (training text whose names are fixed, so
    that calibrated methods give everyone the same result). ``root`` is the
    folder of another standard library.
    Raises ValueError for an unknown split, and RuntimeError when fewer than 98%
    of the paragraphs are found. The first call parses the library (two or
    three seconds) and keeps the text of all splits in the user's cache folder.
    """
    splits = json.loads(data_path("heldout.json").read_text(encoding="utf-8"))["splits"]
    if split not in splits:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(sorted(splits))}")
    wanted = splits[split]
    texts = _texts(tuple(name for names in splits.values() for name in names), root)
    result = HeldOut(split, tuple(texts[name] for name in wanted if name in texts), len(wanted))
    if result.share_found < REQUIRED_SHARE:
        raise RuntimeError(
            f"only {len(result.paragraphs)} of the {len(wanted)} held-out paragraphs are in this Python's standard "
            f"library ({result.share_found:.1%}, {REQUIRED_SHARE:.0%} needed): figures would not be comparable. "
            "Use CPython 3.11 to 3.14 with its .py files, or evaluate a text of your own.")
    return result


@functools.cache
def _texts(wanted: tuple[str, ...], root: Path | None) -> dict[str, str]:
    """Texts of the wanted paragraphs that the library holds: name -> text.

    They come from the cache file if it holds every wanted paragraph and each text in it bears its own name, so that a
    damaged or altered file is never believed. Where the library lacks some, it is parsed anew in every process.
    """
    library = f"{root or sysconfig.get_paths()['stdlib']} {sys.version}"
    key = hashlib.sha256("\n".join([library, *wanted]).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    path = cache_dir() / f"paragraphs-{key}.json"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept.keys() == set(wanted) and all(paragraph_name(text) == name for name, text in kept.items()):
            return kept
    except (OSError, ValueError, AttributeError, RecursionError):
        pass  # no cache yet, or not ours
    everything = library_paragraphs(root)
    found = {name: everything[name] for name in wanted if name in everything}
    if len(found) == len(wanted):
        _write_json(path, found)
    return found


def _write_json(path: Path, value: object) -> None:
    """Write under a temporary name, then rename. A folder that cannot be written only costs the next call its time."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as handle:
            temporary = Path(handle.name)
            json.dump(value, handle)
        os.replace(temporary, path)
    except OSError:
        if temporary:
            temporary.unlink(missing_ok=True)
