"""INSTRUCTORS.md and the container recipe say what is so."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from minquant.teaching.exercises import grading, policy, source, worker

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "INSTRUCTORS.md").read_text(encoding="utf-8")
RECIPE = (ROOT / "minquant/teaching/exercises/Containerfile").read_text(encoding="utf-8")


def refresher():
    spec = importlib.util.spec_from_file_location("refresh_instructors", ROOT / "tools" / "refresh_instructors.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_exercises_is_that_of_their_sources():
    tool = refresher()
    assert tool.refreshed(PAGE) == PAGE, "run: python tools/refresh_instructors.py"
    for number in source.numbers():
        (row,) = re.findall(rf"^\| \[{number}\]\(.+$", PAGE, re.MULTILINE)
        assert row.endswith(f"| {source.exercise_set(number).points} | " + row.rsplit("| ", 1)[1])
        assert all(e.title.rstrip("?") in row for e in source.exercise_set(number).exercises)
    with pytest.raises(ValueError, match="once and in this order"):
        tool.refreshed(PAGE.replace(tool.END, ""))


def test_every_lesson_has_a_question_to_discuss():
    asked = re.findall(r"^\| (\d\d) \| .+[?.] \|$", PAGE, re.MULTILINE)
    assert asked == [f"{n:02d}" for n in range(15)]


def test_weights_and_limits_are_those_of_the_code():
    weights = policy.read_policy().weights
    assert ", ".join(f"{part} {weight:.0f}%" for part, weight in weights.items()).capitalize() in PAGE
    assert f"{grading.SECONDS:.0f} seconds per exercise and {worker.MEMORY >> 30} GB" in PAGE


def test_readme_leads_to_it():
    assert "(INSTRUCTORS.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_container_runs_as_a_user_who_may_little():
    lines = [line for line in RECIPE.splitlines() if line and not line.startswith("#")]
    words = [line.split()[0] for line in lines]
    assert words[0] == "FROM" and ":" in lines[0] and not lines[0].endswith(":latest")
    assert words.index("USER") < words.index("ENTRYPOINT") and f"USER {re.search(r'--uid [1-9][0-9]+ ([a-z]+)', RECIPE)[1]}" in lines
    assert "RUN" not in words[words.index("USER"):]
    assert not any(line.split()[:2] == ["COPY", "."] for line in lines), "a class's submissions would be in the image"
    for flag in ("--network none", "--read-only", "--memory", "--pids-limit", "--cap-drop ALL", ":ro"):
        assert flag in RECIPE
