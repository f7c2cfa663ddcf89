"""Gather the training text: docstrings of packages, of the standard library, its reference topics and its source.

    python tools/corpus.py OUT_DIR PACKAGES_DIR [LIB_DIR ...]

PACKAGES_DIR holds unpacked Python packages (``pip download --no-deps``, then unzip); their docstrings are most of the
text. Each LIB_DIR is a further CPython's standard library. Written to OUT_DIR: ``docs.txt`` (packages), ``stdlib.txt``,
``topics.txt``, ``source.txt`` and ``report.json``. Documents (one per file) are separated by the character U+001E.

No held-out text gets in (minquant/evaluation/sieve.py says how). Paragraphs of 60 characters or more are kept once.
"""

import json
import multiprocessing
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from minquant.evaluation import corpus  # noqa: E402
from minquant.evaluation.sieve import HeldOutSieve  # noqa: E402

SEPARATOR = "\x1e"
SKIP = ("test", "_vendor", "vendor", "third_party", "_pytest/py", "locale")


def paragraphs_of(path: Path) -> list[str]:
    """Docstring paragraphs of one file, short ones too, in order."""
    try:
        if path.stat().st_size > 1_000_000:
            return []
        pieces = []
        for text, _, _ in corpus.docstrings(corpus.read_source(path)):
            pieces += [p for p in text.expandtabs().split("\n\n") if p.strip()]
        return pieces
    except (SyntaxError, ValueError, RecursionError, OSError):
        return []


def source_of(path: Path) -> str:
    """Source of one file with every docstring cut out."""
    text = corpus.read_source(path)
    try:
        spans = [(first, last) for _, first, last in corpus.docstrings(text)]
    except (SyntaxError, ValueError):
        return ""
    drop = {n for first, last in spans for n in range(first, last + 1)}
    return "\n".join(line for n, line in enumerate(text.splitlines(), 1) if n not in drop)


class Sieve(HeldOutSieve):
    """Lets every paragraph through once, and none that holds held-out text."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def keep(self, paragraphs: list[str]) -> str:
        """The paragraphs that are new and clean, joined. Short ones ("Return True.") may recur."""
        kept = []
        for paragraph in paragraphs:
            name = corpus.paragraph_name(paragraph)
            if name in self.seen or not self.clean(paragraph):
                continue
            if len(paragraph) >= corpus.MIN_PARAGRAPH:
                self.seen.add(name)
            kept.append(paragraph.rstrip())
        return "\n\n".join(kept)

    def clean_lines(self, text: str) -> str:
        """Source text without the lines that stand in a held-out paragraph (comments quote docstrings)."""
        held = self.held_lines(text)
        return "\n".join(line for n, line in enumerate(text.splitlines()) if n not in held)


def main(out: str, packages: str, *libraries: str) -> None:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    sieve = Sieve()
    report = {}

    def write(name: str, documents) -> None:
        documents = [d for d in documents if len(d) >= 200]
        text = SEPARATOR.join(documents)
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
        report[name] = {"documents": len(documents), "bytes": len(text.encode())}
        print(name, report[name], flush=True)

    standard = [f for root in (None, *map(Path, libraries)) for f in corpus.standard_library_files(root)]
    own = [f for f in corpus.standard_library_files(None)]
    import pydoc_data.topics

    with multiprocessing.Pool(2) as pool:
        write("stdlib", map(sieve.keep, pool.map(paragraphs_of, standard, chunksize=20)))
        write("topics", (sieve.keep(t.split("\n\n")) for t in pydoc_data.topics.topics.values()))
        write("source", (sieve.clean_lines(s) for s in pool.map(source_of, own, chunksize=20)))
        files = sorted(f for f in Path(packages).rglob("*.py") if not any(s in part for part in f.parts for s in SKIP))
        write("docs", map(sieve.keep, pool.imap(paragraphs_of, files, chunksize=50)))
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
