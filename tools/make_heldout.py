"""Choose the held-out paragraphs: those that several standard libraries share, divided by their hash.

    python tools/make_heldout.py LIB_DIR [LIB_DIR ...]
    python tools/make_heldout.py --unseen CORPUS_DIR

Each LIB_DIR is the standard library folder of one CPython (its ``lib/python3.x``). Only names are written, to
``data/heldout.json``; no text. The division depends on a paragraph's own hash alone, so adding a library can only
take paragraphs away, never move one between splits. Names stand in the order in which the first library's
files hold them, so that neighbours speak of the same thing.

The second form goes over a finished training text and takes out of the test split every paragraph that shares a run
of ten words with it: docstrings are often copied and wrapped anew.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from corpus import RUN, SEPARATOR, runs  # noqa: E402  (tools/corpus.py)
from minquant.evaluation.corpus import heldout, library_paragraphs, paragraph_name  # noqa: E402

OUT = Path(__file__).resolve().parents[1] / "data" / "heldout.json"
SHARES = (("test", 26), ("validation", 12), ("calibration", 32))  # of 256, by the name's first byte


def choose(roots: list[str]) -> dict:
    """The paragraphs that all libraries hold, divided into splits."""
    libraries = [library_paragraphs(Path(root)) for root in roots]
    shared = set.intersection(*(set(library) for library in libraries))
    splits, low = {}, 0
    for name, width in SHARES:
        splits[name] = [n for n in libraries[0] if n in shared and low <= int(n[:2], 16) < low + width]
        low += width
        print(f"{name}: {len(splits[name])} paragraphs, "
              f"{sum(len(libraries[0][n].encode()) for n in splits[name])} bytes")
    return {"what": "names (SHA-256, 16 hex digits) of docstring paragraphs that CPython 3.11 to 3.14 share; no text",
            "made_by": "tools/make_heldout.py", "libraries": len(libraries), "splits": splits}


def without_seen(chosen: dict, corpus_dir: Path) -> dict:
    """The same choice without test paragraphs that share a run of words with the training text."""
    texts = {paragraph_name(p): p for p in heldout("test").paragraphs}
    own = {name: {run for run, _, _ in runs(text)} for name, text in texts.items()}
    wanted = set().union(*own.values())
    seen: set[int] = set()
    for path in sorted(corpus_dir.glob("*.txt")):
        for document in path.read_text(encoding="utf-8").split(SEPARATOR):
            seen.update(run for run, _, _ in runs(document) if run in wanted)
    kept = [name for name in chosen["splits"]["test"] if name in own and not own[name] & seen]
    print(f"test: {len(kept)} of {len(own)} paragraphs kept, {sum(len(texts[n].encode()) for n in kept)} bytes")
    return {**chosen, "unseen": f"no test paragraph shares {RUN} words in a row with the training text",
            "splits": {**chosen["splits"], "test": kept}}


def main(arguments: list[str]) -> None:
    if arguments[0] == "--unseen":
        chosen = without_seen(json.loads(OUT.read_text()), Path(arguments[1]))
    else:
        chosen = choose(arguments)
    OUT.write_text(json.dumps(chosen, indent=0) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 2 or (sys.argv[1] == "--unseen" and len(sys.argv) != 3):
        sys.exit(__doc__)
    main(sys.argv[1:])
