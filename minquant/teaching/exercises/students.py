"""A key per student: the same exercise, other numbers for each.

A student's key is the term's key, a slash and the student's name: ``spring-2027/anna``. Whoever copies a neighbour's
notebook hands in the answers to the neighbour's numbers, and grading under one's own key shows it.
"""

from __future__ import annotations

from pathlib import Path

from .variant import checked_key


def student_key(key: str, student: str) -> str:
    """The key of one student's notebooks. Raises ValueError where term and name together are no key."""
    return checked_key(f"{checked_key(key)}/{student}")


def read_students(path: Path) -> list[str]:
    """Names, one a line, blank lines and # comments left out. Each is the name of a folder of its own.

    Raises ValueError, with the line, for a name that cannot be one or comes twice; OSError where there is no file.
    """
    found: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        name = line.split("#")[0].strip()
        if not name:
            continue
        if name.startswith(".") or any(c in name for c in '/\\:*?"<>|') or not name.isprintable():
            raise ValueError(f"{path.name}, line {number}: {name!r} cannot be the name of a folder; use letters, digits, "
                             "- and _")
        if name.casefold() in map(str.casefold, found):
            raise ValueError(f"{path.name}, line {number}: {name!r} is there twice")
        found.append(name)
    if not found:
        raise ValueError(f"{path.name} names no student; it holds one name a line")
    return found
