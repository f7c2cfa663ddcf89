"""The set-up files say one thing: environment.yml as pyproject.toml, the Makefile what to do where Python is unfit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def split(requirement: str) -> tuple[str, frozenset[str]]:
    """A requirement as (name, set of range parts); conda's `=0.11.*` is pip's `==0.11.*`."""
    name, ranges = re.fullmatch(r"([A-Za-z0-9_.-]+)\s*(.*)", requirement).groups()
    parts = (re.sub(r"^=(?!=)", "==", part.strip()) for part in ranges.split(","))
    return name.lower().replace("_", "-"), frozenset(part for part in parts if part)


def conda_requirements(text: str) -> dict[str, frozenset[str]]:
    """What an environment.yml lists, conda's and pip's together, without its own `pip` and the editable install."""
    lines = re.findall(r"^ +- ([^\n#]+)$", text.split("dependencies:\n", 1)[1], re.MULTILINE)
    return dict(split(line.strip()) for line in lines if line not in ("pip", "pip:", "--editable ."))


def project_requirements() -> dict[str, frozenset[str]]:
    extras = PROJECT["optional-dependencies"]
    listed = [*PROJECT["dependencies"], *extras["lessons"], *extras["test"], "python" + PROJECT["requires-python"]]
    return dict(split(requirement) for requirement in listed)


def test_conda_environment_lists_what_pyproject_lists():
    text = (ROOT / "environment.yml").read_text()
    assert conda_requirements(text) == project_requirements()
    assert "--editable ." in text, "minquant itself would be missing"


@pytest.mark.parametrize("planted", ["  - numpy>=2.0\n", "  - nbval=0.10.*\n", "      - gguf>=0.1\n", "  - scipy\n"])
def test_a_difference_would_be_seen(planted):
    text = (ROOT / "environment.yml").read_text()
    name = re.match(r"[a-z]+", planted.strip(" -")).group()
    changed = re.sub(rf"^ +- {name}[^\n]*\n|\Z", planted, text, count=1, flags=re.MULTILINE)
    assert changed != text
    assert conda_requirements(changed) != project_requirements()


def test_version_is_said_once():
    import minquant

    assert minquant.__version__ == PROJECT["version"]


def make_lab(folder: Path, interpreter: str) -> subprocess.CompletedProcess[str]:
    """`make lab` in a folder with nothing but the Makefile and a python3 that behaves as the given shell lines say."""
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "pyproject.toml").touch()
    fake = folder / "python3"
    fake.write_text(f"#!/bin/sh\n{interpreter}\n")
    fake.chmod(0o755)
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "PYTHON")}
    env["PATH"] = f"{folder}{os.pathsep}{env['PATH']}"
    return subprocess.run(["make", "lab"], cwd=folder, env=env, capture_output=True, text=True, timeout=60)


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="no make here")


@needs_make
def test_an_old_python_is_named(tmp_path):
    done = make_lab(tmp_path, '[ "$1" = -V ] && echo "Python 3.9.18" && exit 0\nexit 1')
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr and "Python 3.9.18" in done.stderr
    assert "make lab PYTHON=" in done.stderr


@needs_make
def test_a_python_without_venv_says_which_package_to_install(tmp_path):
    done = make_lab(tmp_path, '[ "$1" = -c ] && exit 0\nmkdir -p .venv/bin && touch .venv/bin/python && exit 1')
    assert done.returncode != 0
    assert "python3-venv" in done.stderr
    assert not (tmp_path / ".venv").exists(), "a half-made environment would be taken for a whole one"
