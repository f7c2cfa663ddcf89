"""Run the lessons and write their outputs back: one command before every release, and when the shipped model changes.

    python tools/execute_lessons.py            all lessons
    python tools/execute_lessons.py 00 01      these

How it works
    Every lesson runs in a fresh kernel with an empty claim ledger of its own, so the committed outputs are those of a
    reader's first run. Then the notebook is put into its committed form: no timing metadata, no widget state, the
    pieces of one stream joined. The guard of the test suite (``tests/lessons/guard.py``) reads it before it replaces
    the old file; a lesson that fails leaves the old file as it was. Prose is never touched: a lesson that states a
    measured figure generates the sentence in a code cell.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]
from lesson_text import LESSONS, METADATA, lesson_path  # noqa: E402
from tests.lessons.guard import violations  # noqa: E402

CELL_SECONDS = 600


def execute(path: Path) -> nbformat.NotebookNode:
    """The notebook at ``path`` with the outputs of a fresh run. Raises CellExecutionError where a cell fails."""
    notebook = nbformat.read(path, 4)
    with tempfile.TemporaryDirectory() as folder:
        environment = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"}
        environment["MINQUANT_LEDGER"] = str(Path(folder) / "ledger.json")
        client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", store_widget_state=False,
                                record_timing=False, resources={"metadata": {"path": str(path.parent)}})
        client.execute(env=environment)
    return committed_form(notebook)


def committed_form(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The same notebook without what differs from run to run or from author to author."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
    return notebook


def _joined(outputs: list) -> list:
    """Outputs with neighbouring pieces of one stream put together (they arrive in pieces at random)."""
    joined: list = []
    for output in outputs:
        if output.output_type == "stream" and joined and joined[-1].get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def replace(path: Path, notebook: nbformat.NotebookNode) -> list[str]:
    """Put the notebook in the place of ``path`` if the guard finds nothing; returns what it found."""
    new = path.with_name(".executed.ipynb")
    try:
        new.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
        found = violations(new)
        if not found:
            os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
    return found


def main(argv: list[str]) -> int:
    paths = [lesson_path(number) for number in argv] or sorted(LESSONS.glob("*/lesson.ipynb"))
    failed = 0
    for path in paths:
        started = time.perf_counter()
        found = replace(path, execute(path))
        failed += bool(found)
        print(f"{path.parent.name}: {time.perf_counter() - started:.0f} s, {'; '.join(found) or 'written'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
