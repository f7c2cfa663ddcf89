"""The three notebooks of a set: in step with their source, valid, without answers where a learner looks."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nbclient
import nbformat
import pytest

from minquant._paths import lessons_dir
from minquant.teaching import exercises
from minquant.teaching.exercises import files, notebook, source

ROOT = Path(__file__).parents[2]
EVERY_SET = pytest.mark.parametrize("number", source.numbers())
EVERY_KIND = pytest.mark.parametrize("kind", notebook.KINDS)


def cells(book, role=None):
    return [c for c in book["cells"] if c["cell_type"] == "code" and role in (None, c["metadata"]["minquant"]["role"])]


def text(cell):
    return "".join(cell["source"])


@EVERY_SET
def test_the_notebooks_in_lessons_are_in_step_with_their_source(number):
    path = lessons_dir() / source.exercise_set(number).folder / notebook.FILE
    assert path.read_text(encoding="utf-8") == notebook.notebook_text(number), (
        f"{path.name} of lesson {number} is not what its source gives. If you changed the source, or solved the "
        "exercises here, `minquant exercises build --force` writes the notebook again")


@EVERY_SET
@EVERY_KIND
def test_the_notebook_is_valid_and_the_same_every_time(number, kind):
    written = notebook.notebook_text(number, kind, "a key")
    assert written == notebook.notebook_text(number, kind, "a key") != notebook.notebook_text(number, kind, "another")
    book = nbformat.reads(written, as_version=4)
    nbformat.validate(book)
    ids = [cell.id for cell in book.cells]
    assert len(ids) == len(set(ids))


@EVERY_SET
@EVERY_KIND
def test_the_marks_are_those_nbgrader_reads(number, kind):
    book = notebook.build_notebook(number, kind)
    marks = [c["metadata"]["nbgrader"] for c in cells(book) if "nbgrader" in c["metadata"]]
    assert len({m["grade_id"] for m in marks}) == len(marks)
    assert all(m["schema_version"] == 3 and m["task"] is False for m in marks)
    assert all(isinstance(m[flag], bool) for m in marks for flag in ("grade", "locked", "solution"))
    graded = [m for m in marks if m["grade"]]
    assert all(m["locked"] and not m["solution"] and m["points"] > 0 for m in graded)
    assert sum(m["points"] for m in graded) == source.exercise_set(number).points
    assert all("points" not in m for m in marks if not m["grade"])
    for role, want in (("answer", {"solution": True, "grade": False, "locked": False}), ("given", {"locked": True})):
        for cell in cells(book, role):
            if "nbgrader" in cell["metadata"]:
                assert want.items() <= cell["metadata"]["nbgrader"].items()


@EVERY_SET
def test_learners_get_places_to_fill_in_and_no_answers(number):
    book = notebook.build_notebook(number, "release", "spring")
    written = notebook.notebook_text(number, "release", "spring")
    assert "SOLUTION" not in written
    for exercise, cell in zip(source.exercise_set(number).exercises, cells(book, "answer"), strict=True):
        assert f"# FILL ME IN (about {exercise.lines_to_write()} line" in text(cell)
        for answer in (exercise.reference, exercise.second):
            whole = exercise.code(answer, "spring").removeprefix(source.dedent(exercise.head))
            longest = max(whole.splitlines(), key=len).strip()
            assert json.dumps(longest, ensure_ascii=False)[1:-1] not in written
    assert all(c["outputs"] == [] and c["execution_count"] is None for c in cells(book))


@EVERY_SET
def test_nbgraders_source_holds_the_answers_between_its_marks(number):
    book = notebook.build_notebook(number, "source", "spring")
    for exercise, cell in zip(source.exercise_set(number).exercises, cells(book, "answer"), strict=True):
        lines = [line.strip() for line in text(cell).splitlines()]
        begin, end = lines.index("### BEGIN SOLUTION"), lines.index("### END SOLUTION")
        assert lines[begin - 1].startswith("# FILL ME IN")
        inside = "\n".join(lines[begin + 1: end])
        assert inside == "\n".join(line.strip() for line in source.fill(
            source.dedent(exercise.reference),
            {**exercise.drawn("spring"), **exercise.answer_fields(exercise.drawn("spring"))}).splitlines())


@EVERY_SET
def test_every_exercise_says_what_it_is(number):
    prose = "\n".join(text(c) for c in notebook.build_notebook(number)["cells"] if c["cell_type"] == "markdown")
    assert "authors' estimates" in prose and "<<" not in prose
    for e in source.exercise_set(number).exercises:
        assert f"## {e.id} {e.title}" in prose and e.objective in prose
        assert f"difficulty {e.difficulty} of 5, importance {e.importance} of 5, about {e.minutes} minutes" in prose


@EVERY_SET
def test_graded_cells_hold_no_widget_and_no_clock(number):
    for cell in cells(notebook.build_notebook(number), "check"):
        assert text(cell).splitlines()[-1].startswith("check(") and "globals()" in text(cell)
        assert not any(word in text(cell) for word in ("time", "widget", "interact"))


def run(number, kind):
    book = nbformat.reads(notebook.notebook_text(number, kind, "spring"), as_version=4)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    nbclient.NotebookClient(book, timeout=120, kernel_name="python3").execute(env=environment)
    outputs = [o for cell in book.cells if cell.cell_type == "code" for o in cell.outputs]
    assert not [o for o in outputs if o.get("name") == "stderr"], "something was written to stderr"
    checks = [c for c in book.cells if c.cell_type == "code" and "import check" in c.source]
    return book, [float(c.outputs[-1]["data"]["text/plain"]) for c in checks]


@EVERY_SET
def test_the_untouched_release_runs_to_its_end_and_scores_nothing(number):
    book, scores = run(number, "release")
    assert scores == [0.0] * len(source.exercise_set(number).exercises)
    pictures = [o.data["text/html"] for c in book.cells if c.metadata.get("minquant", {}).get("role") == "show"
                for o in c.outputs]
    assert len(pictures) == len(scores) and all("<img alt=" in p and "<table>" in p for p in pictures)


@EVERY_SET
def test_the_solutions_run_to_their_end_and_score_everything(number):
    scores = run(number, "solutions")[1]
    assert scores == [float(e.points) for e in source.exercise_set(number).exercises for _ in ("reference", "second")]


@pytest.mark.parametrize("broken", ["raise NotImplementedError", "return 'x'", "return None", "return float('nan')"])
@pytest.mark.parametrize("id", ["01.1", "01.2", "01.3", "01.5"])
def test_the_cell_that_shows_never_fails(id, broken):
    exercise = source.exercise(id)
    names: dict = {}
    exec(exercise.code(broken), names)
    shown = exercises.show(id, names)
    assert repr(shown) and shown._repr_html_().startswith("<")


def test_yours_stands_beside_spec():
    names = {"matrix_bytes": lambda rows, columns: 1234.0}
    shown = exercises.show("01.1", names)
    spec = source.exercise("01.1").drawn()
    assert "1,234" in repr(shown) and f"{float(spec['example']):,.4g}" in repr(shown)
    assert 'alt="A matrix of' in shown._repr_html_() and "<td>1,234</td>" in shown._repr_html_()
    names["turning_batch"] = lambda *_: 150
    assert "Yours: 150" in exercises.show("01.3", names).picture.svg()


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="no kind of notebook 'draft'"):
        notebook.build_notebook("01", "draft")


def test_release_and_solutions_write_where_they_say(tmp_path):
    released = exercises.release(["1"], "spring", tmp_path / "release")
    solved = exercises.solutions(None, "spring", tmp_path / "solutions")
    marked = exercises.release(["01"], "spring", tmp_path / "source", nbgrader=True)
    for paths, kind, wanted in ((released, "release", ["01"]), (solved, "solutions", source.numbers()),
                                (marked, "source", ["01"])):
        for path, number in zip(paths, wanted, strict=True):
            assert path == tmp_path / kind / source.exercise_set(number).folder / "exercises.ipynb"
            assert path.read_text(encoding="utf-8") == notebook.notebook_text(number, kind, "spring")
    assert sorted(p for p in tmp_path.rglob("*") if p.is_file()) == sorted([*released, *solved, *marked])


def test_somebodys_answers_are_not_written_over(tmp_path):
    (path,) = exercises.release(["01"], out=tmp_path)
    exercises.release(["01"], "another key", tmp_path)  # untouched: may be replaced
    filled = path.read_text(encoding="utf-8").replace("raise NotImplementedError", "return 7", 1)
    path.write_text(filled, encoding="utf-8")
    with pytest.raises(FileExistsError, match="holds answers that are not ours"):
        exercises.release(["01"], out=tmp_path)
    assert path.read_text(encoding="utf-8") == filled
    exercises.release(["01"], out=tmp_path, force=True)
    assert path.read_text(encoding="utf-8") == notebook.notebook_text("01")
    path.write_text("not a notebook", encoding="utf-8")
    with pytest.raises(FileExistsError):
        exercises.release(["01"], out=tmp_path)


def test_running_cells_without_changing_them_is_no_work_to_lose(tmp_path):
    (path,) = exercises.release(["01"], out=tmp_path)
    book = json.loads(path.read_text(encoding="utf-8"))
    for cell in cells(book):
        cell["execution_count"] = 1
    path.write_text(json.dumps(book), encoding="utf-8")
    assert not files.begun(path)
    exercises.release(["01"], out=tmp_path)


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "notes.txt"
    files.write_atomically(path, "old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(path, "new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
