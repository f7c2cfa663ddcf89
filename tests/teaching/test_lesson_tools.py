"""Maintainers' tools for lessons: text and back without loss, outputs of unchanged cells kept, a clean form."""

import sys
from pathlib import Path

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import execute_lessons  # noqa: E402
import lesson_text  # noqa: E402

TEXT = "%% markdown\n# Title\n\nwords\n\n%% code nbval-ignore-output\nx = 1\nprint(x)\n\n%% code\n2 + 2\n"


def test_text_becomes_a_notebook_and_text_again():
    notebook = lesson_text.from_text(TEXT)
    nbformat.validate(notebook)
    assert [c.cell_type for c in notebook.cells] == ["markdown", "code", "code"]
    assert notebook.cells[1].metadata.tags == ["nbval-ignore-output"]
    assert lesson_text.as_text(notebook) == TEXT


def test_unchanged_cells_keep_their_outputs():
    old = lesson_text.from_text(TEXT)
    old.cells[1].outputs = [nbformat.v4.new_output("stream", text="1\n")]
    old.cells[2].outputs = [nbformat.v4.new_output("stream", text="4\n")]
    new = lesson_text.from_text(TEXT.replace("2 + 2", "2 + 3"), old)
    assert new.cells[1].outputs[0].text == "1\n" and new.cells[2].outputs == []


def test_text_without_a_first_cell_is_refused():
    with pytest.raises(ValueError, match="must begin"):
        lesson_text.from_text("words first\n%% code\n1")


def test_the_committed_form_has_no_traces_of_the_run():
    notebook = lesson_text.from_text(TEXT)
    notebook.metadata["widgets"] = {"state": 1}
    notebook.cells[1].metadata["execution"] = {"iopub.status.busy": "now"}
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", name=n, text=t)
                                 for n, t in (("stdout", "a"), ("stdout", "b"), ("stderr", "c"), ("stdout", "d"))]
    clean = execute_lessons.committed_form(notebook)
    assert "widgets" not in clean.metadata and "execution" not in clean.cells[1].metadata
    assert clean.cells[1].metadata.tags == ["nbval-ignore-output"]
    assert [o.text for o in clean.cells[1].outputs] == ["ab", "c", "d"]


def test_a_lesson_the_guard_refuses_leaves_the_old_file(tmp_path):
    path = tmp_path / "03_x" / "lesson.ipynb"
    path.parent.mkdir()
    path.write_text("old")
    assert execute_lessons.replace(path, lesson_text.from_text(TEXT))
    assert path.read_text() == "old" and [p.name for p in path.parent.iterdir()] == ["lesson.ipynb"]
