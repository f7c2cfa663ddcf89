"""``minquant exercises`` hands everything on to ``minquant.teaching.exercises``."""

from __future__ import annotations

import json

import pytest

from minquant.teaching import exercises


@pytest.mark.parametrize("words, code", [(["status", "--json"], 0), (["release", "01", "--variant", "spring"], 0), ([], 1)])
def test_words_and_exit_code_pass_through(command, monkeypatch, words, code):
    seen = []
    monkeypatch.setattr(exercises, "main", lambda argv: seen.append(argv) or code, raising=False)
    assert command("exercises", *words) == (code, "", "") and seen == [words]


def test_status_is_the_real_one(command):
    done = command("exercises", "status", "--json")
    assert done.code == 0 and done.err == ""
    assert any(row["exercise"].startswith("01.") for row in json.loads(done.out)["exercises"])


def test_notebooks_that_are_not_there_are_refused_in_one_line(refused, tmp_path):
    assert "nowhere" in refused("exercises", "grade", tmp_path / "nowhere")


def test_an_unknown_action_is_refused(command):
    done = command("exercises", "gradde")
    assert (done.code, done.out) == (2, "") and "'gradde'" in done.err and "Traceback" not in done.err
