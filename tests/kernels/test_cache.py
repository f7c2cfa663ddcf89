"""A compiled kernel that is kept must never outlive its source."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import minquant
from minquant import kernels

PROGRAM = """
import numpy as np
from small.kernels import cache_state, floats
out = np.zeros(1, np.float32)
floats.bf16_matvec(out, np.full((1, 4), 0x3F80, np.uint16), np.ones(4, np.float32))
print(out[0], cache_state()["compiled"])
"""


@pytest.fixture
def copied(tmp_path):
    """A copy of the kernels under another name, free to be edited."""
    source, target = Path(minquant.__file__).parent, tmp_path / "small"
    target.mkdir()
    (target / "__init__.py").touch()
    shutil.copy(source / "_paths.py", target)
    shutil.copytree(source / "kernels", target / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    return target


def run(folder, **environment):
    """What PROGRAM prints: (result, number of compiled functions in the cache)."""
    env = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"} | environment
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=folder.parent, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result, compiled = done.stdout.split()
    return float(result), int(compiled)


@pytest.mark.needs_jit
@pytest.mark.parametrize("variable", ("MINQUANT_CACHE_DIR", "NUMBA_CACHE_DIR"))
def test_an_edited_helper_in_another_file_is_not_overlooked(copied, tmp_path, variable):
    where = {variable: str(tmp_path / "cache")}
    result, compiled = run(copied, **where)
    assert result == 4 and compiled > 0
    assert any((tmp_path / "cache").rglob("*.nbc")), "the variable was ignored"
    helper = copied / "kernels" / "bits.py"
    old = "return _u32(_u32(code) << _u32(16)).view(_f32)"
    assert old in helper.read_text()
    helper.write_text(helper.read_text().replace(old, f"{old} * _f32(3)"))
    assert run(copied, **where)[0] == 12


@pytest.mark.needs_jit
def test_a_second_process_finds_compiled_code(copied, tmp_path):
    where = {"MINQUANT_CACHE_DIR": str(tmp_path / "cache")}
    first = run(copied, **where)
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*.nbc")}
    assert run(copied, **where) == first
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*.nbc")} == files


@pytest.mark.needs_jit
def test_a_folder_that_cannot_be_made_is_no_reason_to_fail(copied, tmp_path):
    (tmp_path / "file").touch()
    assert run(copied, MINQUANT_CACHE_DIR=str(tmp_path / "file"))[0] == 4


def test_numbas_own_setting_is_left_alone():
    assert "minquant-" not in (numba.config.CACHE_DIR or "")


def test_state_names_folder_and_size():
    state = kernels.cache_state()
    assert set(state) == {"directory", "compiled", "bytes"} and state["compiled"] >= 0 and state["bytes"] >= 0
