"""The harness itself: a notebook that still says what it said passes, one that says something else fails."""

from __future__ import annotations

import nbformat
import pytest

from tests.lessons import runner
from tests.lessons.test_guard import sound


@pytest.fixture
def lesson(tmp_path):
    path = tmp_path / "source" / "07_small" / "lesson.ipynb"
    path.parent.mkdir(parents=True)
    return path


def test_a_notebook_that_says_the_same_passes(lesson, tmp_path):
    nbformat.write(sound(), lesson)
    run = runner.nbval(lesson, tmp_path)
    assert (run.cells, run.failed, run.left_behind) == (5, 0, ()), run.report


def test_a_changed_output_and_a_file_left_behind_are_seen(lesson, tmp_path):
    book = sound()
    book.cells[-1].outputs[0]["text"] = "43\n"
    book.cells[-2].source = "open('left.txt', 'w').close()\nprint(42)"
    nbformat.write(book, lesson)
    run = runner.nbval(lesson, tmp_path)
    assert (run.cells, run.failed, run.left_behind) == (5, 1, ("left.txt",)), run.report
    assert "43" in run.report
