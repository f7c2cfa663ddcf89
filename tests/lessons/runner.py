"""Run a notebook under nbval as a reader would: in a folder of its own, with a ledger of its own, in this environment.

Each lesson runs in a pytest of its own, so that one fresh environment belongs to one lesson and a failure prints that
lesson's cells and nothing else. MPLBACKEND is taken away: with it set, plots leave other outputs than in JupyterLab.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

CELL_SECONDS = 300
LESSON_SECONDS = 600
COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # IPython paints its tracebacks, also where nobody sees the colours
NOT_HANDED_ON = ("MPLBACKEND", "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", "NUMBA_DISABLE_JIT")


@dataclass(frozen=True)
class Run:
    """One notebook's run: cells compared, cells that failed, seconds, what pytest printed, files it left behind."""

    cells: int
    failed: int
    seconds: float
    report: str
    left_behind: tuple[str, ...]


def environment(home: Path) -> dict[str, str]:
    """This process's environment with Jupyter's folders and the ledger moved under `home`."""
    env = {name: value for name, value in os.environ.items() if name not in NOT_HANDED_ON}
    env |= {"MINQUANT_LEDGER": str(home / "ledger.json"), "IPYTHONDIR": str(home / "ipython"),
            "JUPYTER_CONFIG_DIR": str(home / "jupyter"), "JUPYTER_DATA_DIR": str(home / "jupyter-data"),
            "JUPYTER_RUNTIME_DIR": str(home / "jupyter-run")}
    return env


def nbval(notebook: Path, folder: Path) -> Run:
    """Compare every cell's fresh output with the committed one, in a copy of the notebook's folder under `folder`."""
    copy = folder / "lessons" / notebook.parent.name
    shutil.copytree(notebook.parent, copy, ignore=shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__"))
    before = set(copy.rglob("*"))
    results = folder / "results.xml"
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(folder), "-p", "no:cacheprovider",
               "--nbval", "--nbval-current-env", f"--nbval-cell-timeout={CELL_SECONDS}", "--tb=short",
               f"--junitxml={results}", str(copy / notebook.name)]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=LESSON_SECONDS)
    seconds = time.perf_counter() - start
    report = COLOUR.sub("", done.stdout + done.stderr)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"nbval did not run {notebook.parent.name}:\n{report}")
    suite = ElementTree.parse(results).getroot().find("testsuite")
    failed = int(suite.get("failures")) + int(suite.get("errors"))
    left = tuple(sorted(str(p.relative_to(copy)) for p in set(copy.rglob("*")) - before))
    return Run(int(suite.get("tests")), failed, seconds, report, left)
