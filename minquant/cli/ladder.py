"""``minquant ladder``: the measured size, speed and quality of every precision level."""

from __future__ import annotations

import sys
from pathlib import Path

from .arguments import Parser, names, whole
from .output import as_json, check_picture, progress, progress_done

QUICK = {"repetitions": 2, "limit_bytes": 4000}


def parser() -> Parser:
    """The command line of this verb."""
    p = Parser("ladder", "What each precision level costs in quality and buys in bytes and speed, measured now.\n"
                         "Speed comes from a large random model, quality from the trained tiny one.")
    p.add_argument("--shape", default="0.1b", help="random model that is timed: 0.1b, 0.6b or 0.8b")
    p.add_argument("--levels", type=names, metavar="A,B,C", help="weight schemes, finest first (default: bf16, fp8 and "
                   "int8 per channel, int4, int3 and int2 in groups of 32)")
    p.add_argument("--threads", type=whole(1), metavar="N", help="threads to decode with (default: all)")
    p.add_argument("--repetitions", type=whole(1), metavar="N", help="alternating repetitions of each measurement")
    p.add_argument("--limit-bytes", type=whole(1), metavar="N",
                   help="held-out text the quality is measured on (default: 16000; a large number takes all of it)")
    p.add_argument("--quick", action="store_true",
                   help=f"{QUICK['repetitions']} repetitions, {QUICK['limit_bytes']} bytes of text: a first look")
    p.add_argument("--picture", type=Path, metavar="FILE", help="also draw it (.png or .svg; needs matplotlib)")
    kind = p.add_mutually_exclusive_group()
    kind.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    kind.add_argument("--markdown", action="store_true", help="print the table as Markdown, for a README")
    return p


def main(argv: list[str]) -> int:
    """Run ``minquant ladder``; returns the exit code."""
    args = parser().parse_args(argv)
    if args.picture:
        check_picture(args.picture)
    from ..benchmark import ladder

    settings = {"repetitions": args.repetitions, "limit_bytes": args.limit_bytes}
    if args.quick:
        settings = {key: QUICK[key] if value is None else value for key, value in settings.items()}
    if args.levels:
        settings["levels"] = args.levels
    given = {key: value for key, value in settings.items() if value is not None}
    try:
        result = ladder(args.shape, threads=args.threads, progress=progress, **given)
    finally:
        progress_done()
    if args.picture:
        from ..teaching.ladder_figure import save

        save(result, args.picture)
        print(f"picture written to {args.picture}", file=sys.stderr)
    print(as_json(result.to_dict()) if args.json else result.markdown() if args.markdown else result.table())
    return 0
