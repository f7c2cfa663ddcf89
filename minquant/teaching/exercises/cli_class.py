"""The actions of ``minquant exercises`` for whoever teaches a class: viva, gradebook, policy, demo-class."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from . import policy as policies
from .files import write_atomically
from .source import numbers
from .students import read_students, student_key
from .variant import COURSE


def add_actions(actions: argparse._SubParsersAction) -> None:
    """Add the four to the parser of ``minquant exercises``."""
    viva = actions.add_parser("viva", help="three questions from the numbers of a notebook", description="Print three "
                              "questions on the numbers of one variant, to ask a learner with the notebook open.")
    viva.set_defaults(run=_viva)
    viva.add_argument("lessons", nargs="*", metavar="NN", help="lessons, such as 01 (default: all)")
    viva.add_argument("--variant", default=COURSE, metavar="KEY", help="key of the notebook (default: %(default)s)")
    viva.add_argument("--students", type=Path, metavar="FILE", help="names, one a line: a sheet for each, under a key "
                      "of their own")
    viva.add_argument("--expected", action="store_true", help="the instructor's copy: with what should be answered")
    book = actions.add_parser("gradebook", help="points, marks and weights into one gradebook", description="Weigh the "
                              "points of grades.json and the marks of a person. Without marks.csv, one is written to "
                              "fill in.")
    book.set_defaults(run=_gradebook)
    book.add_argument("grades", nargs="?", type=Path, default=Path("grades.json"), metavar="FILE",
                      help="what grade wrote (default: %(default)s)")
    book.add_argument("--marks", type=Path, default=Path("marks.csv"), metavar="FILE", help="default: %(default)s")
    book.add_argument("--policy", type=Path, metavar="FILE", help="weights and rubric (default: the shipped ones)")
    book.add_argument("--canvas", type=Path, metavar="FILE", help="a gradebook exported from Canvas: written to "
                      "canvas.csv with the marks filled in")
    book.add_argument("--out", type=Path, default=Path("."), metavar="DIR", help="folder to write to (default: this one)")
    book.add_argument("--json", action="store_true", help="print JSON")
    shown = actions.add_parser("policy", help="print the weights and the rubric, to change and hand over with --policy")
    shown.set_defaults(run=_policy)
    demo = actions.add_parser("demo-class", help="four made-up students, from the release to the gradebook",
                              description="Run the whole flow with four made-up submissions.")
    demo.set_defaults(run=_demo)
    demo.add_argument("lesson", nargs="?", default="01", metavar="NN", help="default: %(default)s")
    demo.add_argument("--out", type=Path, default=Path("demo-class"), metavar="DIR", help="default: %(default)s")
    demo.add_argument("--json", action="store_true", help="print JSON")


def _viva(options: argparse.Namespace) -> int:
    from . import viva

    keys = [("", options.variant)]
    if options.students:
        keys = [(name, student_key(options.variant, name)) for name in read_students(options.students)]
    print(viva.sheets(options.lessons or numbers(), keys, options.expected), end="")
    return 0


def _policy(options: argparse.Namespace) -> int:
    print(policies.SHIPPED.read_text(encoding="utf-8"), end="")
    return 0


def _gradebook(options: argparse.Namespace) -> int:
    from . import canvas, gradebook

    policy, report = policies.read_policy(options.policy), gradebook.read_report(options.grades)
    said = []
    if not options.marks.exists():
        write_atomically(options.marks, gradebook.marks_template(report, policy))
        said.append(f"wrote {options.marks}: fill in the marks, then run this again")
    rows = gradebook.gradebook(report, policy, gradebook.read_marks(options.marks, policy))
    said += [f"wrote {path}" for path in gradebook.write(rows, options.out)]
    if options.canvas:
        text, left = canvas.filled(options.canvas, rows)
        write_atomically(options.out / "canvas.csv", text)
        said += [f"wrote {options.out / 'canvas.csv'}", *(f"  left as it was: {words}" for words in left)]
    print(json.dumps({"rows": rows}, indent=2, ensure_ascii=False) if options.json else
          "\n".join([table(rows), *said]))
    return 0


def _demo(options: argparse.Namespace) -> int:
    from .demo_class import demo_class

    start = time.monotonic()
    rows = demo_class(options.out, options.lesson, (lambda words: None) if options.json else print)
    print(json.dumps({"rows": rows}, indent=2, ensure_ascii=False) if options.json else
          f"\n{table(rows)}\n{time.monotonic() - start:.0f} s; look at the files in {options.out}")
    return 0


def table(rows: list[dict[str, Any]]) -> str:
    """The gradebook in words: per cent of each part, the mark, and what has been earned so far where it is open."""
    lines = [("student", "lesson", *policies.PARTS, "mark", "so far")]
    for row in rows:
        shares = ("-" if row[part] is None else f"{100 * row[part]:.0f}" for part in policies.PARTS)
        mark = "open" if row["mark"] is None else f"{row['mark']:.1f}"
        lines.append((row["student"], row["lesson"] or "?", *shares, mark, f"{row['so_far']:.1f}"))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))])
            for line in lines]
    return "\n".join([*text, *(f"{row['file']}: {row['problem']}" for row in rows if row["problem"])])
