"""A lesson as plain text, for editing and for reading diffs.

How it works
    The notebook ``lesson.ipynb`` is the source: it is what readers open and what
    is committed, with its outputs. A notebook is unpleasant to edit outside
    JupyterLab, so this script prints its cells as text and puts edited text
    back. Only sources and tags travel; a cell whose source did not change keeps
    its output, a changed one loses it and waits for ``execute_lessons.py``.

    python tools/lesson_text.py show 01 > lesson01.txt
    python tools/lesson_text.py put 01 < lesson01.txt

The text
    Every cell begins with a line ``%% markdown`` or ``%% code``, tags after it:
    ``%% code nbval-ignore-output``. The cell's source follows. To see a notebook
    change as text:  git config diff.lesson.textconv "python tools/lesson_text.py cat"
    and a line  *.ipynb diff=lesson  in .git/info/attributes.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat

LESSONS = Path(__file__).resolve().parents[1] / "lessons"
_HEAD = re.compile(r"^%% (markdown|code)((?: [\w-]+)*)$", re.MULTILINE)


def lesson_path(number: str) -> Path:
    """The notebook of a lesson given as ``"01"``. Raises SystemExit where there is not exactly one such folder."""
    folders = sorted(LESSONS.glob(f"{number}_*"))
    if len(folders) != 1:
        raise SystemExit(f"no single folder lessons/{number}_*: found {[f.name for f in folders]}")
    return folders[0] / "lesson.ipynb"


def as_text(notebook: nbformat.NotebookNode) -> str:
    """All cells as text; ``from_text`` reads it."""
    parts = []
    for cell in notebook.cells:
        tags = " ".join(cell.metadata.get("tags", []))
        parts.append(f"%% {cell.cell_type} {tags}".rstrip() + f"\n{cell.source}\n")
    return "\n".join(parts)


def from_text(text: str, old: nbformat.NotebookNode | None = None) -> nbformat.NotebookNode:
    """A notebook of the cells in ``text``; outputs and ids of equal cells are taken over from ``old``.

    Raises ValueError for text before the first cell head.
    """
    heads = list(_HEAD.finditer(text))
    if not heads or text[:heads[0].start()].strip():
        raise ValueError("the text must begin with a line '%% markdown' or '%% code'")
    notebook = nbformat.v4.new_notebook(metadata=METADATA)
    kept = {(c.cell_type, c.source): c for c in (old.cells if old else [])}
    ends = [h.start() for h in heads[1:]] + [len(text)]
    for place, (head, end) in enumerate(zip(heads, ends)):
        kind, source = head.group(1), text[head.end():end].strip("\n")
        cell = (nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell)(source)
        if same := kept.get((kind, source)):
            cell = same.copy()
        cell.id = f"{kind}-{place:02d}"
        cell.metadata = nbformat.from_dict({"tags": head.group(2).split()} if head.group(2) else {})
        notebook.cells.append(cell)
    return notebook


METADATA = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
             "language_info": {"name": "python"}}


def main(argv: list[str]) -> int:
    if len(argv) != 2 or argv[0] not in ("show", "put", "cat"):
        print(__doc__, file=sys.stderr)
        return 2
    verb, which = argv
    path = Path(which) if verb == "cat" else lesson_path(which)
    if verb == "put":
        old = nbformat.read(path, 4) if path.exists() else None
        path.write_text(nbformat.writes(from_text(sys.stdin.read(), old)) + "\n", encoding="utf-8")
    else:
        print(as_text(nbformat.read(path, 4)), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
