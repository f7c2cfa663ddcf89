"""``minquant fragility``: each part of a model quantized alone, at several widths."""

from __future__ import annotations

import argparse
from typing import Any

from .arguments import Parser, names, whole, wholes
from .output import as_json, bar

SHARINGS = ["row", "group", "practised"]


def parser() -> Parser:
    """The command line of this verb."""
    p = Parser("fragility", "Weights, activations, KV cache and attention, each quantized alone: does the order of\n"
                            "the text books hold? On held-out docstrings of this Python's standard library. All of\n"
                            "it takes some ten minutes; --limit-bytes 8000 gives a first look.")
    p.add_argument("checkpoint", nargs="?", default="tiny", metavar="CHECKPOINT",
                   help="folder of a checkpoint in Hugging Face layout, or the shipped model")
    p.add_argument("--bits", type=wholes(2), metavar="A,B", default=[8, 6, 5, 4, 3], help="bits of a code")
    p.add_argument("--sharing", type=names, metavar="A,B", default=SHARINGS,
                   help="who shares a scale: a row, a group of 32, or what is practised for each part (2 and 4 bits)")
    p.add_argument("--limit-bytes", type=whole(1), metavar="N", help="use only the first N bytes of the text")
    p.add_json()
    return p


def main(argv: list[str]) -> int:
    """Run ``minquant fragility``; returns the exit code."""
    args = parser().parse_args(argv)
    report = measure(args)
    print(as_json(report) if args.json else "\n\n".join(report[key] for key in ("table", "why", "statement")))
    return 0


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """The object ``--json`` prints. Raises ValueError or OSError for what cannot be measured."""
    from .. import load
    from ..evaluation import Reference, fragility, heldout_tokens
    from ..evaluation.fragility_text import as_markdown, statement, why

    model = load(args.checkpoint)
    tokens = heldout_tokens(model, limit_bytes=args.limit_bytes)
    reference = Reference(model, tokens, stride=model.config.context)
    found = fragility(model, reference, args.bits, args.sharing, progress=bar())
    return {"checkpoint": args.checkpoint, "tokens": len(tokens), "rows": [c.figures() for c in found.cells.values()],
            "table": as_markdown(found), "why": why(found), "statement": statement(found)}
