"""What git tracks: the layout that was agreed, no machine's paths, no lock files, nothing large."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOP_LEVEL = {"README.md", "INSTRUCTORS.md", "CONTRIBUTING.md", "LICENSE", "environment.yml", "pyproject.toml", "Makefile",
             ".ci", ".gitignore", "minquant", "lessons", "data", "tools", "tests"}
LOCK_FILES = {"uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile.lock", "package-lock.json", "conda-lock.yml",
              "yarn.lock"}
MOST_DATA_BYTES = 8_000_000
MOST_OTHER_BYTES = 2_000_000  # any other file
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:root|home|Users|work|mnt|workspace|builds)/[\w.-]+|\b[A-Z]:\\\\?Users\b")
REGISTRY = re.compile(r"index[-_]url|files\.python" + "hosted|python" + r"hosted\.org|conda\.anaconda", re.IGNORECASE)


def tracked() -> list[str]:
    """Paths that git tracks here; skips where this is no checkout (an unpacked source archive)."""
    try:
        done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if done.returncode != 0 or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    return [path for path in done.stdout.split("\0") if path and (ROOT / path).is_file()]


def texts() -> list[tuple[str, str]]:
    """(path, text) of every tracked text file."""
    found = []
    for path in tracked():
        content = (ROOT / path).read_bytes()
        if b"\0" not in content[:8192]:
            found.append((path, content.decode("utf-8")))
    return found


def test_top_level_is_as_agreed():
    assert {PurePosixPath(path).parts[0] for path in tracked()} <= TOP_LEVEL


def test_no_lock_files():
    assert [path for path in tracked() if PurePosixPath(path).name in LOCK_FILES or path.endswith(".lock")] == []


def test_no_machine_paths_and_no_registry_addresses():
    seen = [f"{path}: {match.group()}" for path, text in texts() for pattern in (MACHINE_PATH, REGISTRY)
            for match in pattern.finditer(text)]
    assert seen == []


@pytest.mark.parametrize("pattern, planted, seen", [
    (MACHINE_PATH, "File \"/" + "home/ada/minquant/x.py\"", True),
    (MACHINE_PATH, "at /" + "root/.cache/minquant", True),
    (MACHINE_PATH, "C:\\" + "Users\\ada", True),
    (MACHINE_PATH, "https://example.org/" + "home/page, src/" + "work/x and ~/.cache/minquant", False),
    (REGISTRY, "pip install --index" + "-url x", True),
    (REGISTRY, "pip install minquant", False),
])
def test_such_an_address_would_be_seen(pattern, planted, seen):
    assert bool(pattern.search(planted)) is seen


def test_files_are_small():
    sizes = {path: (ROOT / path).stat().st_size for path in tracked()}
    assert sum(size for path, size in sizes.items() if path.startswith("data/")) <= MOST_DATA_BYTES
    assert {p: s for p, s in sizes.items() if not p.startswith("data/") and s > MOST_OTHER_BYTES} == {}


def test_no_file_is_fetched_text_or_a_cache():
    junk = re.compile(r"(__pycache__|\.ipynb_checkpoints|\.pyc$|\.nbc$|\.nbi$|\.log$|(^|/)(ledger\.json|gradebook\.db)$)")
    assert [path for path in tracked() if junk.search(path)] == []
