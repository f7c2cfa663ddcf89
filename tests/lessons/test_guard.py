"""The guard sees what it is there to see: a sound small lesson passes, each planted fault is named."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.lessons import guard

PARTS = ("Question", "Predict", "See", "Build", "Measure", "In the wild", "Check yourself")


def sound():
    """A lesson in which the guard finds nothing."""
    words = "plain words about one small thing " * 20
    book = new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}})
    book.cells = [new_markdown_cell(f"## {part}: why?\n\n{words}\n[next](exercises.ipynb)") for part in PARTS]
    for number in range(1, 6):
        cell = new_code_cell("print(6 * 7)", execution_count=number)
        cell.outputs = [new_output("stream", name="stdout", text="42\n")]
        book.cells.append(cell)
    return book


def judge(book, folder: Path, slug: str = "07_small") -> list[str]:
    """The guard's word on a notebook that lies in a lesson's folder, with exercises beside it."""
    path = folder / slug / "lesson.ipynb"
    path.parent.mkdir()
    nbformat.write(book, path)
    (path.parent / "exercises.ipynb").touch()
    return guard.violations(path)


def test_a_sound_lesson_passes(tmp_path):
    assert judge(sound(), tmp_path) == []


def unexecuted(book):
    book.cells[-1].execution_count = None


def counted_wrong(book):
    book.cells[-1].execution_count = 9


def failed(book):
    book.cells[-1].outputs = [new_output("error", ename="ValueError", evalue="no", traceback=[])]


def warned(book):
    book.cells[-1].outputs = [new_output("stream", name="stderr", text="100%|####|")]


def widget_state(book):
    book.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}


def own_kernel(book):
    book.metadata["kernelspec"]["name"] = "my-venv"


def own_path(book):
    book.cells[-1].outputs[0]["text"] = "saved to /" + "home/ada/minquant/ledger.json"


def windows_path(book):
    book.cells[-1].source = "open(r'C:" + "\\Users\\ada\\x')"


def many_cells(book):
    book.cells += [new_code_cell("1", execution_count=n) for n in range(6, 27)]


def ignored(book):
    for cell in book.cells[-3:]:
        cell.metadata["tags"] = ["nbval-ignore-output"]


def skipped(book):
    book.cells[-1].metadata["tags"] = ["nbval-skip"]


def terse(book):
    for cell in book.cells[1:7]:
        cell.source = cell.source.splitlines()[0]


def wordy(book):
    book.cells[0].source += " word" * 5000


def no_prediction(book):
    del book.cells[1]


def out_of_order(book):
    book.cells[1], book.cells[4] = book.cells[4], book.cells[1]


def no_link(book):
    for cell in book.cells[:7]:
        cell.source = cell.source.replace("exercises.ipynb", "elsewhere.ipynb")


@pytest.mark.parametrize("fault, word", [
    (unexecuted, "execution counts"), (counted_wrong, "execution counts"), (failed, "ends in an error"),
    (warned, "stderr"), (widget_state, "metadata.widgets"), (own_kernel, "python3"), (own_path, "path of one machine"),
    (windows_path, "path of one machine"), (many_cells, "26 code cells"), (ignored, "3 of 5"), (skipped, "skipped"),
    (terse, "words of prose"), (wordy, "words of prose"), (no_prediction, "'predict'"),
    (out_of_order, "not in the order"), (no_link, "does not link"),
])
def test_a_planted_fault_is_named(tmp_path, fault, word):
    book = sound()
    fault(book)
    found = judge(book, tmp_path)
    assert len(found) == 1 and word in found[0], found


def test_a_file_that_is_no_notebook_is_named(tmp_path):
    (tmp_path / "lesson.ipynb").write_text("{")
    assert "cannot be read" in guard.violations(tmp_path / "lesson.ipynb")[0]


def test_missing_exercises_are_named(tmp_path):
    judge(sound(), tmp_path)
    (tmp_path / "07_small" / "exercises.ipynb").unlink()
    assert guard.violations(tmp_path / "07_small" / "lesson.ipynb") == ["no exercises.ipynb beside it"]


def test_the_start_page_needs_no_anatomy_and_no_exercises(tmp_path):
    book = sound()
    book.cells = book.cells[:5] + book.cells[7:]
    assert judge(book, tmp_path, slug="00_start_here") == []
