"""What a container allows this process: part of the cores and of the memory that the machine has.

How it works
    On Linux a container is a control group with limits. Version 2 has them in ``cpu.max`` ("200000 100000" is two
    cores' time) and ``memory.max``; version 1 in ``cpu.cfs_quota_us``, ``cpu.cfs_period_us`` and
    ``memory.limit_in_bytes``. Limits of groups further up hold as well, so the smallest on the way counts. Inside a
    container the way often ends at once: it sees its own group as the root.

Source
    Linux, ``Documentation/admin-guide/cgroup-v2.rst`` and ``cgroup-v1/memory.rst``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
NO_LIMIT = 1 << 60  # version 1 writes a number about as large as an address space where there is none


def container_limits() -> dict[str, float | int | None]:
    """{"cores": cores' worth of time, "memory_bytes": bytes}; None where nothing is limited, or nobody says."""
    cores, memory = [], []
    for folder in _groups():
        quota = _words(folder / "cpu.max") or [*_words(folder / "cpu.cfs_quota_us"), *_words(folder / "cpu.cfs_period_us")]
        if len(quota) == 2 and all(word.isdigit() for word in quota) and int(quota[1]):
            cores.append(int(quota[0]) / int(quota[1]))
        memory += [int(word) for name in ("memory.max", "memory.limit_in_bytes") for word in _words(folder / name)
                   if word.isdigit() and int(word) < NO_LIMIT]
    return {"cores": min(cores, default=None), "memory_bytes": min(memory, default=None)}


def _groups() -> Iterator[Path]:
    """Folders of the groups this process is in, with those above them."""
    for line in _text(OWN).splitlines():
        _, controllers, path = (line.split(":", 2) + ["", ""])[:3]
        for name in controllers.split(",") if controllers else [""]:
            folder = ROOT / name / path.lstrip("/")
            while folder.is_relative_to(ROOT):
                yield folder
                if folder == ROOT / name:
                    break
                folder = folder.parent


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
