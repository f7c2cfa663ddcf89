"""The tool behind data/QAT.md: one short run, from training to both files."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "compare_qat.py"


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """The tool as a module that writes its report below ``tmp_path``."""
    spec = importlib.util.spec_from_file_location("compare_qat", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


def test_a_run_is_measured_beside_rounding_to_nearest_and_written(tool, tmp_path, monkeypatch):
    words = ["compare_qat.py", str(tmp_path / "runs"), "--schemes", "int4:g32:asym", "--seeds", "0", "--steps", "1",
             "--methods", "rtn", "--limit-bytes", "600", "--report"]
    monkeypatch.setattr("sys.argv", words)
    tool.main()
    kept = json.loads((tmp_path / "data" / "qat.json").read_text())
    assert [row["method"] for row in kept["rows"]] == ["rtn", "qat"] and kept["float_perplexity"] > 1
    assert "WORK_DIR" in kept["command"] and str(tmp_path) not in kept["command"]
    table = (tmp_path / "data" / "QAT.md").read_text()
    assert f"| qat | 0 | {1e3 * kept['rows'][1]['kl']:.1f} ±" in table
    runs = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*.safetensors")}
    tool.main()  # what is trained is not trained again
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*.safetensors")} == runs != {}
