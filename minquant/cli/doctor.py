"""``minquant doctor``: what this machine offers, and what to do where something is amiss.

How it works
    Every line is a ``Check``: a name, what was found, and where that is bad, a
    sentence that says what to do. A check that fails to run is a bad line, never
    the end of the report.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from .arguments import Parser
from .output import as_json, progress, progress_done

PACKAGES = ("numpy", "numba", "llvmlite", "jupyterlab", "ipywidgets", "matplotlib", "minquant")
OLDEST_PYTHON = (3, 11)
ENOUGH_MEMORY = 4_000_000_000   # bytes; packing the 0.8b model in bf16 needs 1.6 GB, and the system wants some
MUCH_OLD_CODE = 100_000_000     # bytes of compiled kernels whose sources are gone
ROOM = 2                        # times the weights: what packing and measuring a model wants beside them
BUSY = 0.35                     # running programs per core; above it a timing shares its cores
STEADY = 0.7                    # of the 90th percentile; a 10th percentile below it is an unsteady machine


@dataclass(frozen=True)
class Check:
    """One line of the report: ``found`` in words, ``advice`` (what to do) only where it is bad."""

    name: str
    found: str
    advice: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is nothing to do."""
        return not self.advice


def parser() -> Parser:
    """The command line of this verb."""
    p = Parser("doctor", "Versions, processor, threads, memory, read bandwidth and compiled kernels of this machine;\n"
                         "under a line that is not as it should be, what to do about it.")
    p.add_argument("--no-bandwidth", action="store_true", help="do not measure the read bandwidth (some seconds)")
    p.add_json()
    return p


def main(argv: list[str]) -> int:
    """Run ``minquant doctor``; returns the exit code, which is 0 whatever was found."""
    args = parser().parse_args(argv)
    report: dict[str, Any] = {"versions": {}, "machine": {}, "read_gb_per_s": None, "read_bandwidth": [], "jit_cache": {}}
    checks = [check_python(report), *(check_package(name, report) for name in PACKAGES)]
    try:
        for run in (check_jit_cache, check_machine, check_container, check_load, check_data, check_bandwidth):
            if run is not check_bandwidth or not args.no_bandwidth:
                checks += _run(run, report)
    finally:
        progress_done()
    report["checks"] = [asdict(check) | {"ok": check.ok} for check in checks]
    print(as_json(report) if args.json else as_text(checks))
    return 0


def as_text(checks: list[Check]) -> str:
    """The report: one line a check, advice indented beneath, a summary at the end."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{' ' if check.ok else '!'} {check.name:<{width}}  {check.found}")
        lines += [] if check.ok else [f"  {'':<{width}}  -> {check.advice}"]
    bad = sum(not check.ok for check in checks)
    return "\n".join([*lines, "", f"{bad} of {len(checks)} lines need a look (marked !)" if bad else "all is well"])


def _run(check: Callable[[dict], list[Check]], report: dict) -> list[Check]:
    try:
        return check(report)
    except Exception as error:  # a broken part is a finding of the doctor, not a reason to fall ill
        name = check.__name__.removeprefix("check_")
        return [Check(name, f"could not be found out: {type(error).__name__}: {' '.join(str(error).split())}",
                      "reinstall with  pip install --force-reinstall minquant  and run doctor again")]


def check_python(report: dict) -> Check:
    """The interpreter and its version."""
    version = report["versions"]["python"] = platform.python_version()
    wanted = ".".join(map(str, OLDEST_PYTHON))
    old = version_numbers(version)[:2] < OLDEST_PYTHON
    return Check("python", f"{version} ({platform.system()} {platform.machine()})",
                 f"install Python {wanted} or newer" if old else "")


def check_package(name: str, report: dict) -> Check:
    """One package: installed, and not older than minquant asks for."""
    extra = "" if name in ("numpy", "numba", "llvmlite") else "[lessons]"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        report["versions"][name] = None
        return Check(name, "not installed", f"pip install 'minquant{extra}'")
    report["versions"][name] = version
    floor = oldest_wanted(name)
    old = floor is not None and version_numbers(version) < version_numbers(floor)
    return Check(name, version, f"pip install --upgrade '{name}>={floor}'" if old else "")


def oldest_wanted(name: str) -> str | None:
    """The version of a package that minquant asks for at least, from its own metadata; None where it asks nothing."""
    for line in metadata.requires("minquant") or []:
        if re.match(rf"{re.escape(name)}\b", line, re.IGNORECASE):
            found = re.search(r">=\s*([0-9][0-9.]*)", line)
            return found.group(1) if found else None
    return None


def version_numbers(version: str) -> tuple[int, ...]:
    """``"2.10.1rc1"`` as (2, 10, 1), to compare by."""
    return tuple(int(part) for part in re.match(r"[0-9]+(?:\.[0-9]+)*", version).group().split("."))


def check_jit_cache(report: dict) -> list[Check]:
    """Compiled kernels: where they are, and whether they belong to the sources at hand.

    The folder's name holds a hash of the kernel sources, so what is in it was compiled from exactly these.
    """
    from ..benchmark.tables import size
    from ..kernels import cache_state
    from ..kernels._cache import source_hash

    state = cache_state()
    folder = Path(state["directory"])
    older = [f for f in folder.parent.glob("minquant-*") if f != folder and f.is_dir()]
    wasted = sum(path.stat().st_size for f in older for path in f.rglob("*") if path.is_file())
    matches = folder.name.endswith(source_hash())  # a folder for one process only is named otherwise
    report["jit_cache"] = {**state, "matches_sources": matches, "older_folders": len(older),
                           "older_bytes": wasted}
    found = f"{state['compiled']} compiled for the present kernel sources, {size(state['bytes'])}, in {folder}"
    advice = "the cache folder cannot be written: set MINQUANT_CACHE_DIR to one that can, or every start compiles anew"
    checks = [Check("JIT cache", found if state["compiled"] else
                    f"empty for the present kernel sources (the first measurement compiles them), in {folder}",
                    "" if matches else advice)]
    if older:
        checks.append(Check("JIT cache, older", f"{len(older)} folders of other kernel sources, {size(wasted)}",
                            "they are never read again and only take room: make clean-cache"
                            if wasted > MUCH_OLD_CODE else ""))
    return checks


def check_machine(report: dict) -> list[Check]:
    """Processor, cores, threads, threading layer, cache, memory."""
    from ..benchmark import machine

    found = report["machine"] = machine()
    cores, threads, layer = found["cores"], found["threads"], found["threading_layer"]
    cache, memory = found["last_level_cache_bytes"], found["memory_bytes"]
    return [
        Check("processor", found["cpu"] or "unknown"),
        Check("cores", f"{cores or 'unknown'}; kernels use up to {threads} threads",
              "unset NUMBA_NUM_THREADS to use all cores" if cores and threads < cores else ""),
        Check("threading layer", layer or "none: the JIT is switched off", _layer_advice(layer)),
        Check("last-level cache", f"{cache / 2**20:.0f} MiB" if cache else "unknown",
              "" if cache else "measure at --shape 0.6b or larger: nobody can tell whether a smaller model lies in the cache"),
        Check("memory", f"{memory / 2**30:.1f} GiB" if memory else "unknown", "stay with --shape 0.1b: the larger models need more"
              if memory and memory < ENOUGH_MEMORY else ""),
    ]


def check_container(report: dict) -> list[Check]:
    """What a container allows of the machine, and the largest random model whose bf16 weights fit into it."""
    from ..benchmark import container_limits
    from ..benchmark.tables import figure
    from ..model.random import SHAPES

    found = report["container"] = container_limits()
    cores, limit = found["cores"], found["memory_bytes"]
    room = min((b for b in (limit, report["machine"].get("memory_bytes")) if b), default=None)
    bytes_of = {name: 2 * config.parameters for name, config in SHAPES.items()}
    fits = [name for name in bytes_of if room is None or ROOM * bytes_of[name] <= room]
    report["largest_shape"] = max(fits, key=bytes_of.get, default=None)
    report["shared"] = cores is not None and cores < (report["machine"].get("cores") or 1)
    checks = [Check("largest shape", f"{report['largest_shape'] or 'none'} fits into the memory, in bf16",
                    "" if len(fits) == len(bytes_of) else f"name --shape {report['largest_shape'] or 'tiny'} where a model is timed")]
    if cores is None and limit is None:
        return checks
    words = [f"{figure(cores)} cores' time" if cores else "", f"{limit / 2**30:.1f} GiB" if limit else ""]
    fewer = cores is not None and report["machine"].get("threads", 1) > max(1, round(cores))
    return [Check("container", f"allows {' and '.join(filter(None, words))}", f"export NUMBA_NUM_THREADS={max(1, round(cores))}: "
                  "more threads than cores' time wait for each other" if fewer else ""), *checks]


def _layer_advice(layer: str | None) -> str:
    if layer is None:
        return "unset NUMBA_DISABLE_JIT: interpreted kernels are some hundred times slower"
    if layer == "workqueue":
        return ("this layer takes about 0.1 ms to start a kernel, and a token starts over a hundred: install OpenMP "
                "(Debian: apt install libgomp1; macOS: brew install libomp) or run  pip install tbb")
    return ""


def check_load(report: dict) -> list[Check]:
    """Whether other programs are busy, which no timing survives."""
    if not hasattr(os, "getloadavg"):
        return []
    load, cores = os.getloadavg()[0], report["machine"].get("cores") or 1
    report["machine"]["load"] = load
    report["shared"] = report.get("shared", False) or load > BUSY * cores
    return [Check("load", f"{load:.1f} programs were running on average in the last minute",
                  "close other programs before you time anything" if load > BUSY * cores else "")]


def check_data(report: dict) -> list[Check]:
    """The trained model, and how much of the evaluation text this Python holds."""
    from .. import load
    from ..evaluation import heldout

    model = load("tiny")
    progress("looking for the held-out text in this Python's standard library")
    share = report["heldout_share"] = heldout("test").share_found  # refuses, and says why, where it is too little
    return [Check("tiny model", f"{model.config.parameters / 1e6:.1f} million weights"),
            Check("held-out text", f"{share:.1%} of the paragraphs found")]


def check_bandwidth(report: dict) -> list[Check]:
    """Read bandwidth with one thread and with all: the speed of light of decoding."""
    from ..benchmark import read_bandwidth
    from ..benchmark.tables import figure

    progress("measuring the read bandwidth")
    rows = report["read_bandwidth"] = read_bandwidth()
    one, most = rows[0], rows[-1]
    report["read_gb_per_s"] = most["read_gb_per_s"]
    checks = []
    for row in rows:
        name = f"read, {row['threads']} thread{'s' * (row['threads'] > 1)}"
        found = (f"{figure(row['read_gb_per_s'])} GB/s (p10 to p90: {figure(row['read_gb_per_s_p10'])} to "
                 f"{figure(row['read_gb_per_s_p90'])})" + ", measured on a shared machine" * bool(report.get("shared")))
        unsteady = row["read_gb_per_s_p10"] < STEADY * row["read_gb_per_s_p90"]
        checks.append(Check(name, found, "it moves a lot: something else uses the memory; close it, or repeat "
                            "measurements and trust only ratios taken side by side" if unsteady else ""))
    if most["read_gb_per_s"] < STEADY * one["read_gb_per_s"]:
        checks.append(Check("read, all threads", "slower than one thread", "the cores are busy or fewer than they seem "
                            "(a container's limit): try --threads with a smaller number"))
    return checks
