"""``minquant trace``: one weight's biography, from the checkpoint's bytes to a logit and to a nibble in a GGUF file."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .arguments import Parser
from .output import as_json, progress, progress_done
from .quantize import check_output


def parser() -> Parser:
    """The command line of this verb."""
    p = Parser("trace", "Follows the one weight of the course through the package: its bytes in the checkpoint, float, scale,\n"
                        "code, nibble, the word that the kernel reads, the product, its share of a logit, and the nibble in\n"
                        "a GGUF file that is written and read back. Every stop says in which line of which file it happens.")
    p.add_argument("checkpoint", nargs="?", default="tiny", metavar="CHECKPOINT",
                   help="folder of a float checkpoint in Hugging Face layout, or the shipped model")
    p.add_argument("--out", type=Path, metavar="FILE", help="keep the GGUF file (Q4_0) under this name; without it the file "
                                                            "is temporary")
    p.add_json()
    return p


def main(argv: list[str]) -> int:
    """Run ``minquant trace``; returns the exit code."""
    args = parser().parse_args(argv)
    if args.out:
        check_output(args.out)
    from ..teaching import biography

    with tempfile.TemporaryDirectory() as folder:
        try:
            found = biography.follow(args.checkpoint, args.out or Path(folder) / "trace.gguf", progress)
        finally:
            progress_done()
    print(as_json(report(found)) if args.json else biography.as_text(found))
    return 0


def report(found: Any) -> dict[str, Any]:
    """The object ``--json`` prints."""
    return {"weight": str(found.weight), "stops": [asdict(stop) for stop in found.stops], "figures": found.figures}
