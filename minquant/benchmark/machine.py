"""What this machine is, as far as it can be read without asking for anything private.

Linux tells through /proc and /sys, macOS through ``sysctl``, Windows through its registry and kernel32. What cannot be
found out is None. No name of a host or a user is read.

What we leave out: the limits of a container (a process may be allowed less memory and fewer cores than there are);
``minquant/_container.py`` has them.
"""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_PACKAGES = ("numpy", "numba", "llvmlite", "minquant")


def machine() -> dict:
    """This machine: cpu, cores, threads, last_level_cache_bytes, memory_bytes, threading_layer, system, versions.

    ``cores``: logical processors this process may use; ``threads``: what Numba will use at most.
    """
    import numba

    return {"cpu": _cpu(), "cores": _cores(), "threads": numba.config.NUMBA_NUM_THREADS,
            "last_level_cache_bytes": last_level_cache(), "memory_bytes": _memory(), "threading_layer": _threading_layer(),
            "system": f"{platform.system()} {platform.machine()}",
            "versions": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}}}


def last_level_cache() -> int | None:
    """Bytes of the largest cache that processor 0 reads through; None where the system does not say."""
    if sys.platform == "darwin":
        sizes = [_sysctl(f"hw.perflevel0.l{level}cachesize") or _sysctl(f"hw.l{level}cachesize") for level in (3, 2)]
        return next((int(size) for size in sizes if size and size.isdigit() and int(size)), None)
    sizes = [_size(text) for path in _CACHES.glob("index*/size") if (text := _read(path))]
    return max(sizes, default=None)


def available_memory() -> int | None:
    """Bytes that can be allocated without swapping; None where the system does not say."""
    for line in (_read(Path("/proc/meminfo")) or "").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def private_memory() -> int | None:
    """Bytes of memory that belong to this process alone, now; None where the system (any but Linux) does not say.

    Files that are mapped and could be read again are not counted, so the figure is what a program costs.
    """
    lines = (_read(Path("/proc/self/smaps_rollup")) or "").splitlines()
    parts = [int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_")]
    return sum(parts) if parts else None


def _size(text: str) -> int:
    """"32768K" -> 33554432."""
    unit = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:], 1)
    return int(text.rstrip("KMG")) * unit


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _sysctl(name: str) -> str | None:
    try:
        done = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _cpu() -> str | None:
    """Model name of the processor."""
    if sys.platform == "darwin":
        return _sysctl("machdep.cpu.brand_string")
    if sys.platform == "win32":
        return _windows_cpu()
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        if line.lower().startswith(("model name", "hardware")):
            return line.partition(":")[2].strip()
    return platform.processor() or None


def _windows_cpu() -> str | None:
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:
            return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
    except OSError:
        return platform.processor() or None


def _cores() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _memory() -> int | None:
    """Bytes of physical memory."""
    if sys.platform == "win32":
        kilobytes = ctypes.c_ulonglong()
        found = ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))
        return kilobytes.value * 1024 if found else None
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _threading_layer() -> str | None:
    """The library Numba runs threads with, once one parallel kernel has run (this runs one)."""
    import numba
    import numpy as np

    from ..kernels.bandwidth import sum_blocks

    try:
        sum_blocks(np.zeros(1, np.uint64), np.zeros((1, 8), np.uint64))
        return numba.threading_layer()
    except ValueError:  # the JIT is switched off: nothing runs in parallel
        return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
