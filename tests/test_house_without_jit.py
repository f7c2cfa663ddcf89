"""The kernels once more, as plain Python: with the JIT off, coverage can see every line of them.

Numba compiles a kernel to machine code that no coverage tool looks into. With NUMBA_DISABLE_JIT=1 the same functions
run interpreted, some hundred times slower, and on the sizes the tests use that is still quick. A test for which it is
not, or which is about the compiler, carries the mark `needs_jit`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ("tests/kernels", "tests/test_decoder.py::test_head_in_another_format")  # every kernel; a whole small token
LEAST_COVERED = 90  # per cent of the kernels' lines
COMPILER_ONLY = ("simd.py", "simd_parts.py", "simd_tiles.py", "eight_rows.py", "eight_products.py", "attention_simd.py",
                 "attention_kivi.py", "vectors.py", "vector_bytes.py", "simd_rounding.py")  # their lines write machine instructions
SECONDS = 600


def test_kernels_without_jit(tmp_path, note):
    report = tmp_path / "coverage.json"
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1", "COVERAGE_FILE": str(tmp_path / "coverage")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "--cov=minquant.kernels",
               "--cov-report=term-missing", f"--cov-report=json:{report}", *TESTS]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    files = [(Path(name).name, file["summary"]) for name, file in json.loads(report.read_text())["files"].items()]
    plain = [summary for name, summary in files if name not in COMPILER_ONLY]
    covered = 100 * sum(s["covered_lines"] for s in plain) / sum(s["num_statements"] for s in plain)
    ran = done.stdout.strip().splitlines()[-1]
    note(f"kernels without the JIT: {covered:.0f}% of their lines covered; {ran}")
    assert covered >= LEAST_COVERED, done.stdout
