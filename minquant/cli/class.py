"""``minquant class``: one machine's measurements into a small file; many of them into one picture and one table."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from .arguments import Parser
from .output import as_json, check_picture, progress, progress_done


def parser() -> Parser:
    """The command line of this verb."""
    p = Parser("class", "What a class measured. With --export, writes what this machine measured into one small file without\n"
                        "names of people or machines; nothing is sent. With files of many machines, puts them together.")
    p.add_argument("files", nargs="*", type=Path, metavar="FILE", help="files written by --export")
    p.add_argument("--export", type=Path, metavar="FILE", help="write this machine's claims, from the ledger, to FILE")
    p.add_argument("--ladder", type=Path, metavar="FILE", help="with --export: add what  minquant ladder --json  printed")
    p.add_argument("--picture", type=Path, metavar="FILE", help="draw all machines (.png or .svg; needs matplotlib)")
    p.add_json()
    return p


def main(argv: list[str]) -> int:
    """Run ``minquant class``; returns the exit code."""
    args = parser().parse_args(argv)
    if bool(args.files) == bool(args.export):
        raise ValueError("name files to put together, or --export FILE to write your own: one of the two")
    if args.picture:
        check_picture(args.picture)
    return _export(args) if args.export else _together(args)


def _export(args) -> int:
    from ..benchmark import machine, read_bandwidth
    from ..teaching import class_results
    from ..teaching.exercises.files import write_atomically

    try:
        progress("measuring the read bandwidth")
        ladder = json.loads(args.ladder.read_text(encoding="utf-8")) if args.ladder else None
        if ladder is not None and not (isinstance(ladder, dict) and isinstance(ladder.get("rows"), list)):
            raise ValueError(f"{args.ladder.name} is not what  minquant ladder --json  prints")
        found = class_results.export(machine() | read_bandwidth()[-1], ladder)
    finally:
        progress_done()
    write_atomically(args.export, json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    print(as_json(found) if args.json else
          f"wrote {args.export}: {len(found['claims'])} claims, {len(found['levels'])} levels. Look into it before you hand it "
          "over; nothing was sent.")
    return 0


def _together(args) -> int:
    from ..teaching import class_results

    machines = [class_results.read(path) for path in sorted(args.files)]
    if args.picture:
        from ..teaching.class_figure import save

        save(machines, args.picture)
        print(f"picture written to {args.picture}", file=sys.stderr)
    found = summary(machines)
    print(as_json(found) if args.json else as_text(found))
    return 0


def summary(machines: list[dict[str, Any]]) -> dict[str, Any]:
    """Number of machines; per step and per claim how many measured it, their median, 10th and 90th percentile."""
    from ..teaching import class_results as results

    def figures(values: list[float]) -> dict[str, float]:
        return {"n": len(values)} | dict(zip(("p10", "median", "p90"), results.quantiles(values), strict=True))

    return {"machines": len(machines),
            "steps": [{"from": a, "to": b, **figures(v)} for (a, b), v in results.steps(machines).items()],
            "claims": [{"lesson": lesson, "claim": claim, "unit": unit, **figures(v["measured"]), "guesses": len(v["guessed"]),
                        "median_guess": results.quantiles(v["guessed"])[1] if v["guessed"] else None}
                       for (lesson, claim, unit), v in results.claims(machines).items()]}


def as_text(found: dict[str, Any]) -> str:
    """The summary as two tables."""
    from ..benchmark.tables import aligned, figure

    lines = [f"{found['machines']} machine{'s' * (found['machines'] != 1)}"]
    if found["steps"]:
        rows = [[f"{s['from']} to {s['to']}", f"{s['median']:+.0f}%", f"{s['p10']:+.0f} to {s['p90']:+.0f}%", str(s["n"])]
                for s in found["steps"]]
        lines += ["", aligned(["step", "faster, median", "p10 to p90", "n"], rows)]
    if found["claims"]:
        rows = [[f"{c['lesson']} {c['claim']}", f"{figure(c['median'])} {c['unit']}".strip(),
                 f"{figure(c['p10'])} to {figure(c['p90'])}", str(c["n"]), figure(c["median_guess"])] for c in found["claims"]]
        lines += ["", aligned(["claim", "median", "p10 to p90", "n", "median guess"], rows)]
    return "\n".join(lines)
