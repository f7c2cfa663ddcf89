"""Every lesson in the repository: well formed, and every cell still says what the committed notebook says."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.lessons import guard, runner

LESSONS = Path(__file__).resolve().parents[2] / "lessons"
NOTEBOOKS = sorted(LESSONS.glob("*/lesson.ipynb"))
by_slug = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=[path.parent.name for path in NOTEBOOKS])


def test_the_first_lessons_are_there_and_folders_are_numbered():
    slugs = [path.parent.name for path in NOTEBOOKS]
    assert {"00_start_here", "01_why_a_token_costs_the_model"} <= set(slugs)
    numbers = [slug[:2] for slug in slugs]
    assert len(set(numbers)) == len(numbers) and set(numbers) <= {f"{number:02d}" for number in range(15)}
    assert sorted(LESSONS.glob("**/lesson.ipynb")) == NOTEBOOKS, "a lesson lies in lessons/NN_slug/"


@by_slug
def test_guard(notebook):
    assert guard.violations(notebook) == []


@by_slug
def test_every_cell_says_what_it_said(notebook, tmp_path, note):
    run = runner.nbval(notebook, tmp_path)
    assert run.failed == 0, run.report
    assert run.left_behind == (), "a lesson leaves no files beside itself"
    note(f"lesson {notebook.parent.name}: {run.cells} cells compared in {run.seconds:.0f} s")


def test_the_start_page_runs_without_nbval(tmp_path, monkeypatch):
    """nbval is in maintenance: the plain client must do as well."""
    for name, value in runner.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MPLBACKEND", raising=False)
    book = nbformat.read(NOTEBOOKS[0], as_version=4)
    NotebookClient(book, timeout=runner.CELL_SECONDS, kernel_name="python3",
                   resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert all(cell.execution_count for cell in book.cells if cell.cell_type == "code")
