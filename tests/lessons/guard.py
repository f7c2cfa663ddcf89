"""What a lesson's file must look like before anyone runs it.

A notebook that nbval passes can still be a bad one to commit: a cell without an execution count is run but never
compared, a widget block makes GitHub refuse the page, a path from the author's machine tells the reader nothing. The
guard reads the file alone, so it is quick, and it names the cell.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

MOST_CODE_CELLS = 25
MOST_IGNORED = 0.40                # share of code cells whose output is not compared
WORDS = (600, 5000)                # of prose, in a numbered lesson
WORDS_START = (300, 3000)          # the start page takes 15 minutes
ANATOMY = ("question", "predict", "see", "build", "measure", "in the wild", "check yourself")
SKIPPING_TAGS = {"nbval-skip", "raises-exception", "nbval-raises-exception"}
ABSOLUTE_PATH = re.compile(r"(?<![\w.:/<])/(?:root|home|Users|work|tmp|var|usr|opt|private|mnt|workspace)/[\w.-]+"
                           r"|\b[A-Z]:\\\\?(?:Users|Windows)")


def violations(path: Path) -> list[str]:
    """Everything wrong with one lesson.ipynb, in words; an empty list where nothing is."""
    try:
        book = nbformat.read(path, as_version=4)
        nbformat.validate(book)
    except Exception as problem:  # the reader of the report wants the cause, whatever its class
        return [f"cannot be read as a notebook: {str(problem).splitlines()[0]}"]
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    prose = "\n\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    start_page = path.parent.name.startswith("00")
    return [*_execution(code), *_metadata(book), *_paths(path), *_size(code, prose, start_page),
            *([] if start_page else _anatomy(prose)), *([] if start_page else _exercises(path))]


def _execution(code: list) -> list[str]:
    counts = [cell.execution_count for cell in code]
    found = []
    if counts != list(range(1, len(code) + 1)):
        found.append(f"execution counts are {counts}, not 1..{len(code)}: run all cells in a fresh kernel and save")
    for number, cell in enumerate(code, 1):
        if any(output.output_type == "error" for output in cell.outputs):
            found.append(f"code cell {number} ends in an error")
        if any(o.output_type == "stream" and o.name == "stderr" for o in cell.outputs):
            found.append(f"code cell {number} writes to stderr: a warning or a progress bar was left in its output")
    return found


def _metadata(book) -> list[str]:
    found = []
    if "widgets" in book.metadata:
        found.append("metadata.widgets is there: GitHub will not show the notebook; save it without widget state")
    if book.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("the kernel is not named python3: other machines will not find it")
    return found


def _paths(path: Path) -> list[str]:
    hits = sorted({match.group() for match in ABSOLUTE_PATH.finditer(path.read_text(encoding="utf-8"))})
    return [f"names a path of one machine: {hit}" for hit in hits]


def _size(code: list, prose: str, start_page: bool) -> list[str]:
    found = []
    if len(code) > MOST_CODE_CELLS:
        found.append(f"{len(code)} code cells; at most {MOST_CODE_CELLS}")
    tags = [set(cell.metadata.get("tags", [])) for cell in code]
    skipped = sum(bool(t & SKIPPING_TAGS) for t in tags)
    if skipped:
        found.append(f"{skipped} cells are skipped or expected to fail")
    ignored = sum("nbval-ignore-output" in t or "NBVAL_IGNORE_OUTPUT" in cell.source for t, cell in zip(tags, code))
    if code and ignored > MOST_IGNORED * len(code):
        found.append(f"the output of {ignored} of {len(code)} code cells is ignored; at most {MOST_IGNORED:.0%}")
    least, most = WORDS_START if start_page else WORDS
    words = len(re.findall(r"[^\W\d_]{2,}|\b[aAI]\b", re.sub(r"\]\([^)]*\)|<[^>]+>", " ", prose)))
    if not least <= words <= most:
        found.append(f"{words} words of prose; {least} to {most} are wanted")
    return found


def _anatomy(prose: str) -> list[str]:
    headings = [h.strip().lower() for h in re.findall(r"^#{1,3} +(.+)$", prose, re.MULTILINE)]
    places = [next((n for n, h in enumerate(headings) if re.match(rf"(\d+\W+)?{part}\b", h)), None) for part in ANATOMY]
    missing = [part for part, place in zip(ANATOMY, places) if place is None]
    if missing:
        return [f"no heading begins with {', '.join(map(repr, missing))}"]
    return [] if places == sorted(places) else [f"its parts are not in the order {', '.join(ANATOMY)}"]


def _exercises(path: Path) -> list[str]:
    prose = path.read_text(encoding="utf-8")
    found = [] if (path.parent / "exercises.ipynb").exists() else ["no exercises.ipynb beside it"]
    return found + ([] if "exercises.ipynb" in prose else ["it does not link to exercises.ipynb"])
