"""``minquant exercises``: release, solutions, grade, status, and build for maintainers; ``cli_class`` has the rest.

The work is done in ``files`` and ``grading``; here are its options and what is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .cli_class import add_actions
from .grading import SECONDS
from .source import numbers
from .students import read_students
from .variant import COURSE


def main(argv: list[str] | None = None) -> int:
    """Run one command line and return its exit code: 1 where a notebook could not be graded, else 0.

    Raises ValueError and OSError, with a message for the user, where the request cannot be met.
    """
    options = parser().parse_args(argv)
    return options.run(options)


def parser() -> argparse.ArgumentParser:
    """The options of all actions."""
    top = argparse.ArgumentParser(prog="minquant exercises", description="Exercises: how far you are, and what an "
                                  "instructor needs. Lessons with exercises: " + ", ".join(numbers()))
    actions = top.add_subparsers(metavar="ACTION", required=True)
    for name, run, words in (("release", _write, "write the notebooks that learners fill in"),
                             ("solutions", _write, "write the notebooks with all answers, for instructors")):
        action = actions.add_parser(name, help=words, description=words)
        action.set_defaults(run=run, action=name)
        action.add_argument("lessons", nargs="*", metavar="NN", help="lessons, such as 01 (default: all)")
        action.add_argument("--variant", default=COURSE, metavar="KEY", help="key of the numbers and rules, such as "
                            "spring-2027 (default: %(default)s)")
        action.add_argument("--out", type=Path, metavar="DIR", help=f"folder to write to (default: {name})")
        action.add_argument("--students", type=Path, metavar="FILE", help="names, one a line: a folder for each, with "
                            "numbers of their own")
        action.add_argument("--force", action="store_true", help="replace notebooks that somebody has worked in")
        _json(action)
        if name == "release":
            action.add_argument("--nbgrader", action="store_true", help="write nbgrader's source notebooks instead, "
                                "answers between its marks (default folder: source)")
    _add_grade(actions)
    add_actions(actions)
    action = actions.add_parser("status", help="how far you are", description="How far you are: your points so far.")
    action.set_defaults(run=_status)
    action.add_argument("folder", nargs="?", type=Path, metavar="DIR",
                        help="folder of the lessons (default: the course's)")
    _json(action)
    action = actions.add_parser("build", help="for maintainers: write the notebooks in lessons/ again")
    action.set_defaults(run=_build)
    action.add_argument("--force", action="store_true", help="replace notebooks that somebody has worked in")
    _json(action)
    return top


def _add_grade(actions: argparse._SubParsersAction) -> None:
    action = actions.add_parser("grade", help="grade a folder of notebooks into CSV and JSON",
                                description="Grade notebooks. Their cells run in processes with limits of time, "
                                            "memory, files and network; the first line says which stand here.")
    action.set_defaults(run=_grade)
    action.add_argument("places", nargs="*", type=Path, default=[Path("submitted")], metavar="PATH",
                        help="folders or notebooks (default: submitted)")
    action.add_argument("--variant", metavar="KEY", help="grade under this key (default: each notebook's own)")
    action.add_argument("--per-student", action="store_true", help="grade each under the key and the student's name, as "
                        "release --students hands them out")
    action.add_argument("--out", type=Path, default=Path("."), metavar="DIR",
                        help="folder for grades.csv and grades.json (default: this one)")
    action.add_argument("--seconds", type=float, default=SECONDS, help="limit per exercise (default: %(default)g)")
    _json(action)


def _json(action: argparse.ArgumentParser) -> None:
    action.add_argument("--json", action="store_true", help="print JSON")


def _write(options: argparse.Namespace) -> int:
    from . import files

    names = read_students(options.students) if options.students else ()
    lessons = options.lessons or None
    if options.action == "release":
        paths = files.release(lessons, options.variant, options.out, nbgrader=options.nbgrader, force=options.force,
                              students=names)
    else:
        paths = files.solutions(lessons, options.variant, options.out, force=options.force, students=names)
    return _written(paths, options.json, options.variant)


def _build(options: argparse.Namespace) -> int:
    from . import files

    return _written(files.build(force=options.force), options.json, COURSE)


def _written(paths: list[Path], as_json: bool, variant: str) -> int:
    if as_json:
        print(json.dumps({"variant": variant, "files": [p.as_posix() for p in paths]}, indent=2))
    else:
        for path in paths:
            print(f"wrote {path} (key {variant})")
    return 0


def _grade(options: argparse.Namespace) -> int:
    from . import grading, submissions

    if options.seconds <= 0:
        raise ValueError(f"--seconds {options.seconds:g}: a limit is more than 0")
    list(submissions.find(options.places))  # raises where there is nothing to grade, before a process is started
    print(_fences(options.seconds), file=sys.stderr)
    report = grading.grade(options.places, options.out, variant=options.variant, seconds=options.seconds,
                           per_student=options.per_student, progress=lambda words: print(words, file=sys.stderr))
    rows = report["submissions"]
    if options.json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        print(_graded(rows, options.out))
    return int(any(row["problem"] for row in rows))


def _fences(seconds: float) -> str:
    from .remote import Remote, WorkerEnded

    try:
        with Remote(seconds) as worker:
            return "around each notebook: " + "; ".join(worker.fences())
    except WorkerEnded as end:
        raise ValueError(f"no process can be started to grade in within {seconds:g} s ({end}): "
                         "name more --seconds") from None


def _graded(rows: list[dict], out: Path) -> str:
    width = max(len(row["file"]) for row in rows)
    lines = []
    for row in rows:
        points = f"{row['score']:g} of {row['max']:g}" + (f" + {row['bonus']:g} bonus" if row["bonus"] else "")
        lines.append(f"{row['file']:<{width}}  {row['problem'] or points}")
        lines += [f"{'':<{width}}  note: {note}" for note in row["notes"]]
    keys = sorted({row["variant"] for row in rows if row["variant"]})
    failed = sum(bool(row["problem"]) for row in rows)
    lines.append(f"{len(rows)} notebooks, {failed} of them not graded; keys: {', '.join(keys) or 'none'}; "
                 f"see {out / 'grades.csv'} and {out / 'grades.json'}")
    return "\n".join(lines)


def _status(options: argparse.Namespace) -> int:
    from . import grading

    rows = grading.status(options.folder)
    if options.json:
        print(json.dumps({"exercises": rows}, indent=2, ensure_ascii=False))
        return 0
    for row in rows:
        points = row["problem"] or f"{row['earned']:g} of {row['points']}"
        print(f"{row['exercise']}  {row['title']:<45} {row['kind']:<9} about {row['minutes']:>2} min   {points}")
    return 0
