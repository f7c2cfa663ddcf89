"""Choose the held-out paragraphs: those that several standard libraries share, divided by their hash.

    python tools/make_heldout.py LIB_DIR [LIB_DIR ...]

Each LIB_DIR is the standard library folder of one CPython (its ``lib/python3.x``). Only names are written, to
``data/heldout.json``; no text. The division depends on a paragraph's own hash alone, so adding a library can only
take paragraphs away, never move one between splits. Names stand in the order in which the first library's
files hold them, so that neighbours speak of the same thing.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from minquant.evaluation.corpus import library_paragraphs  # noqa: E402

SHARES = (("test", 26), ("validation", 12), ("calibration", 32))  # of 256, by the name's first byte


def main(roots: list[str]) -> None:
    libraries = [library_paragraphs(Path(root)) for root in roots]
    shared = set.intersection(*(set(library) for library in libraries))
    splits, low = {}, 0
    for name, width in SHARES:
        splits[name] = [n for n in libraries[0] if n in shared and low <= int(n[:2], 16) < low + width]
        low += width
        print(f"{name}: {len(splits[name])} paragraphs, {sum(len(libraries[0][n].encode()) for n in splits[name])} bytes")
    out = Path(__file__).resolve().parents[1] / "data" / "heldout.json"
    out.write_text(json.dumps({
        "what": "names (SHA-256, 16 hex digits) of docstring paragraphs that CPython 3.11 to 3.14 share; no text",
        "made_by": "tools/make_heldout.py", "libraries": len(libraries), "splits": splits}, indent=0) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
