"""Exercises: one source per exercise, and everything else made from it.

    e01_cost_of_a_token/  the exercises of lesson 01; one file each holds all there is to it
    source.py             what an exercise is made of
    variant.py            numbers drawn from a key: another class, another exercise
    checking.py           properties, points, and failures in three lines
    findings.py           what the diagnose exercises share: two faults to name
    museum.py             exercises in which learners write tests, scored by the planted bugs they catch
    values.py             what a check may trust
    beside.py             "Yours" beside "Spec", and a picture
    notebook.py           release, nbgrader source and solutions, from the same source
    files.py              writing them
    worker.py, remote.py  answers in a process of their own: its inside, and the judge's end of it
    fence.py              what an answer may touch meanwhile: nothing that decides a grade
    submissions.py        a notebook somebody handed in
    grading.py            folder of notebooks -> CSV and JSON
    students.py           a key per student;  viva.py: three questions on the numbers of one key
    policy.py             weights and rubric (course.toml);  gradebook.py: points and marks -> one mark
    canvas.py             marks into an exported gradebook;  demo_class.py: all of it, with four made-up students
    cli.py, cli_class.py  the command

How to add a set: a package ``eNN_...`` with one file per exercise and a ``SET``, a line in ``source._SETS``, then
``minquant exercises build``. The tests in tests/teaching/test_exercises_answers.py take every set as it comes.

In a notebook only ``check`` and ``show`` are needed. An instructor needs ``release``, ``solutions``, ``grade``,
``status`` or the command ``minquant exercises`` (INSTRUCTORS.md says when). Importing this package loads neither NumPy nor Jupyter.

The answers are in the package, for everyone to read: that is what a reference implementation is. Credit comes from
variants (``release(variant="spring-2027")``): an answer carries the numbers and rules of its own key, so last year's
notebook and the lines in this package fail under another. What a key cannot prevent is a learner who draws the answer
for that very key on a machine of their own; a talk about it (``viva``) can.
"""

from importlib import import_module as _import_module

from .checking import check

_LATER = {"show": "beside", "release": "files", "solutions": "files", "build": "files", "grade": "grading",
          "status": "grading", "main": "cli", "exercise": "source", "exercise_set": "source", "numbers": "source"}

__all__ = ["check", *_LATER]


def __getattr__(name: str):
    """A name of ``_LATER``, imported when first used. No submodule may bear such a name: it would take its place."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_import_module(f"{__name__}.{_LATER[name]}"), name)


def __dir__():
    return sorted(set(globals()) | set(__all__))
