"""The three notebooks of an exercise set, all made from its source.

    release    what a learner gets: starters to fill in, checks locked
    source     what nbgrader's generate_assignment takes: the answers between BEGIN SOLUTION and END SOLUTION
    solutions  the instructor's: reference answer, a second one, why; it runs and ends on full marks

How it works
    A notebook is a dict (nbformat 4.5), built here without nbformat, so that the same source and key give the same
    bytes everywhere. Cell ids follow from the exercise. Each code cell has a role under ``metadata.minquant``:
    "setup", "given", "answer", "show" or "check"; grading runs the first three and brings its own checks.

nbgrader
    Its metadata (schema version 3) marks answer cells as ``solution`` and check cells as ``grade``, ``locked``, with
    points. The last line of a check cell is a call that gives a float: nbgrader takes it as partial credit. Optional
    exercises are locked but not graded there, because nbgrader knows no bonus.

What we leave out
    Outputs. A learner's notebook starts empty; lessons are committed as they ran, exercises as they are filled in.
"""

from __future__ import annotations

import json
from typing import Any

from .source import Exercise, ExerciseSet, dedent, exercise_set, fill
from .variant import COURSE, checked_key

KINDS = ("release", "source", "solutions")
FILE = "exercises.ipynb"
Cell = dict[str, Any]

_HOW = """
**How it works.** Fill in the cells marked `FILL ME IN`, run them, then run the two cells below: one shows *Yours*
beside *Spec* (not graded), one checks. A check gives points for every property that holds; where one does not, it says
what happened, why, and what to try next. Nothing is sent anywhere.

{table}

The minutes are the authors' estimates, not measurements; difficulty and importance go from 1 to 5. Optional exercises
earn a bonus.

Numbers and rules of this notebook belong to the key `{key}`. Under another key they are others, so an answer copied
from another class is wrong here. The package you are using holds answers to all of this, as a reference implementation
has to; what you learn comes from writing your own.
"""

_EXPLAIN = """
## Explain

Choose one claim of the ledger at the end of [lesson NN](lesson.ipynb), and write a few sentences in the cell below.
No program reads them. Whoever marks them gives 0 to 2 points for each of these:

| what | 2 points where |
|---|---|
| the claim | it says what was compared with what, what you predicted, and what came out |
| the figure with its spread | it is your own measurement, with its unit, its spread, and what was held equal |
| the cause | it names the mechanism, and something that would have shown it to be wrong |
"""
EXPLAIN_HERE = "Write here."
EXPLAIN_POINTS = 6


def build_notebook(number: str, kind: str = "release", key: str = COURSE) -> dict[str, Any]:
    """One notebook of a set as a dict. Raises ValueError for an unknown lesson, kind or key."""
    if kind not in KINDS:
        raise ValueError(f"there is no kind of notebook {kind!r}; there are {', '.join(KINDS)}")
    exercises, key = exercise_set(number), checked_key(key)
    cells = [_text(f"e{exercises.number}-intro", _intro(exercises, kind, key)), _setup(exercises)]
    for exercise in exercises.exercises:
        cells += _cells(exercise, kind, key)
    cells += _explain(exercises)
    return {"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "minquant": {"exercises": exercises.number, "kind": kind, "variant": key}}}


def notebook_text(number: str, kind: str = "release", key: str = COURSE) -> str:
    """The notebook as the text of its file."""
    return json.dumps(build_notebook(number, kind, key), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _intro(exercises: ExerciseSet, kind: str, key: str) -> str:
    rows = ["| | exercise | difficulty | importance | minutes | points |", "|---|---|---|---|---|---|"]
    rows += [f"| {e.id} | {e.title} ({e.kind}) | {e.difficulty} | {e.importance} | {e.minutes} | "
             f"{e.points}{' bonus' if e.optional else ''} |" for e in exercises.exercises]
    title = f"# {exercises.title}" + (" (solutions: for instructors)" if kind == "solutions" else "")
    return "\n\n".join([title, dedent(exercises.intro), dedent(_HOW).format(table="\n".join(rows), key=key)])


def _cells(exercise: Exercise, kind: str, key: str) -> list[Cell]:
    cells = [_text(f"{exercise.slug}-text", _prose(exercise, key))]
    if exercise.given:
        given = fill(dedent(exercise.given), exercise.drawn(key))
        cells.append(_code(f"{exercise.slug}-given", "given", exercise, given, locked=True))
    cells.append(_code(f"{exercise.slug}-answer", "answer", exercise, _answer(exercise, kind, key)))
    cells.append(_code(f"{exercise.slug}-show", "show", exercise, _call("show", exercise, key)))
    cells.append(_code(f"{exercise.slug}-check", "check", exercise, check_source(exercise, key), locked=True))
    if kind == "solutions":
        cells += _solution_cells(exercise, key)
    return cells


def _prose(exercise: Exercise, key: str) -> str:
    facts = (f"*{exercise.kind}, difficulty {exercise.difficulty} of 5, importance {exercise.importance} of 5, about "
             f"{exercise.minutes} minutes, {exercise.points} points{' (bonus)' if exercise.optional else ''}*")
    hints = [f"<details><summary>Hint {n}</summary>\n\n{hint}\n\n</details>"
             for n, hint in enumerate(exercise.hints, 1)]
    parts = [f"## {exercise.id} {exercise.title}", facts, exercise.objective, dedent(exercise.prose), *hints]
    return fill("\n\n".join(parts), exercise.drawn(key))


def _answer(exercise: Exercise, kind: str, key: str) -> str:
    lines = exercise.lines_to_write()
    mark = f"# FILL ME IN (about {lines} line{'s' * (lines != 1)})\n"
    if kind == "release":
        return exercise.code(mark + dedent(exercise.starter), key)
    if kind == "source":
        return exercise.code(f"{mark}### BEGIN SOLUTION\n{dedent(exercise.reference)}\n### END SOLUTION", key)
    return exercise.code(exercise.reference, key)


def check_source(exercise: Exercise, key: str) -> str:
    """Text of the check cell; its last value is the points, a float."""
    return _call("check", exercise, key)


def _explain(exercises: ExerciseSet) -> list[Cell]:
    """The question a person marks, and the cell for its answer. It is the same under every key."""
    question = _text(f"e{exercises.number}-explain", f"{dedent(_EXPLAIN)}".replace("NN", exercises.number))
    answer = _text(f"e{exercises.number}-explanation", EXPLAIN_HERE)
    answer["metadata"] = {"minquant": {"role": "explanation"}, "nbgrader": {
        **_nbgrader(answer["id"], solution=True, points=EXPLAIN_POINTS)}}
    return [question, answer]


def _call(function: str, exercise: Exercise, key: str) -> str:
    return (f"from minquant.teaching.exercises import {function}\n\n"
            f"{function}({json.dumps(exercise.id)}, globals(), key={json.dumps(key, ensure_ascii=False)})")


def _solution_cells(exercise: Exercise, key: str) -> list[Cell]:
    names = "\n".join(f"- {wrong.name}: loses {wrong.loses:g} of {exercise.points}" for wrong in exercise.wrong)
    text = "\n\n".join([f"**Why.** {exercise.explanation}", "**Mistakes the checks are tested with**", names,
                        "**Another right answer**"])
    return [_text(f"{exercise.slug}-why", fill(text, exercise.drawn(key))),
            _code(f"{exercise.slug}-second", "answer", exercise, exercise.code(exercise.second, key), graded=False),
            _code(f"{exercise.slug}-second-check", "show", exercise, check_source(exercise, key), graded=False)]


def _setup(exercises: ExerciseSet) -> Cell:
    cell = _cell("code", f"e{exercises.number}-setup", exercises.setup)
    cell["metadata"] = {"minquant": {"role": "setup"}, "nbgrader": _nbgrader(cell["id"], locked=True)}
    return cell


def _text(id: str, source: str) -> Cell:
    return _cell("markdown", id, source)


def _code(id: str, role: str, exercise: Exercise, source: str, locked: bool = False, graded: bool = True) -> Cell:
    cell = _cell("code", id, source)
    cell["metadata"]["minquant"] = {"exercise": exercise.id, "role": role}
    if not graded or role == "show":
        return cell
    points = exercise.points if role == "check" and not exercise.optional else None
    cell["metadata"]["nbgrader"] = _nbgrader(id, locked=locked, solution=role == "answer", points=points)
    if locked and role == "check":
        cell["metadata"] |= {"deletable": False, "editable": False}
    return cell


def _nbgrader(grade_id: str, *, locked: bool = False, solution: bool = False,
              points: int | None = None) -> dict[str, Any]:
    marks = {"schema_version": 3, "grade_id": grade_id, "locked": locked, "solution": solution, "task": False,
             "grade": points is not None}
    return marks if points is None else marks | {"points": points}


def _cell(cell_type: str, id: str, source: str) -> Cell:
    cell: Cell = {"cell_type": cell_type, "id": id, "metadata": {}, "source": source.splitlines(keepends=True)}
    return cell | {"execution_count": None, "outputs": []} if cell_type == "code" else cell
