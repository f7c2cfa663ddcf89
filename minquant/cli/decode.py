"""``minquant decode``: tokens per second of packed weights, one row per combination."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from .arguments import Parser, names, whole, wholes
from .output import as_json, progress, progress_done

HEADERS = ("weights", "activations", "kv", "context", "threads", "tok/s (GB/s)", "p10 to p90\ntok/s", "read\nGB/s",
           "share of\nread", "over\nbf16")


def parser() -> Parser:
    """The command line of this verb."""
    p = Parser("decode", "Time the decode step of packed weights, batch 1: tok/s beside GB/s and the share of the read\n"
                         "bandwidth measured in the same run. One row per combination, formats in alternation.")
    p.add_argument("--shape", default="0.1b", metavar="NAME|CHECKPOINT",
                   help="random model of a named shape (0.1b, 0.6b, 0.8b), 'tiny', or the folder of a checkpoint")
    p.add_argument("--weights", type=names, metavar="A,B,C", default=["bf16", "fp8_e4m3:channel", "int8:channel", "int4:g32"],
                   help="packed formats of the weights")
    p.add_argument("--kv", type=names, metavar="A,B", default=["bf16"], help="formats of the cached keys and values")
    p.add_argument("--activations", choices=("float", "int8:g32"), default="float",
                   help="int8:g32: multiply integer weights by 8-bit activations, as whole numbers (default: float)")
    p.add_argument("--context", type=wholes(1), metavar="N,M", default=[128], help="tokens in the cache")
    p.add_argument("--threads", type=wholes(1), metavar="N", help="threads, or a list of counts (default: all)")
    p.add_argument("--repetitions", type=whole(1), metavar="N", help="alternating repetitions of each measurement")
    p.add_json()
    return p


def main(argv: list[str]) -> int:
    """Run ``minquant decode``; returns the exit code."""
    args = parser().parse_args(argv)
    from ..benchmark import machine, measure_decode

    settings = {} if args.repetitions is None else {"repetitions": args.repetitions}
    settings["activations"] = None if args.activations == "float" else args.activations
    try:
        rows = measure_decode(subject(args.shape), args.weights, args.kv, args.context, args.threads, progress=progress,
                              **settings)
    finally:
        progress_done()
    rows = [row | {"shape": args.shape} for row in rows]
    report = {"machine": machine(), "read_gb_per_s": read_bandwidth(rows), "rows": rows}
    print(as_json(report) if args.json else as_text(report))
    return 0


def subject(shape: str) -> Any:
    """What is timed: the name of a random model's shape, or the checkpoint in a folder."""
    from ..model import SHAPES, load

    if shape in SHAPES:
        return shape
    if Path(shape).is_dir():
        return load(shape)
    raise ValueError(f"--shape {shape}: choose one of {', '.join(SHAPES)}, or give the folder of a checkpoint "
                     "(there is no such folder)")


def read_bandwidth(rows: list[dict]) -> float:
    """Median read bandwidth, GB/s, of the rows with the most threads."""
    most = max(row["threads"] for row in rows)
    return median(row["read_gb_per_s"] for row in rows if row["threads"] == most)


def as_text(report: dict[str, Any]) -> str:
    """The table, the machine above it, warnings beneath."""
    from ..benchmark.tables import aligned, figure, percent

    rows = report["rows"]
    cells = [[row["weights"], row["activations"] or "float", row["kv"], str(row["context"]), str(row["threads"]),
              f"{figure(row['tokens_per_s'])} ({figure(row['gb_per_s'])})",
              f"{figure(row['tokens_per_s_p10'])} to {figure(row['tokens_per_s_p90'])}", figure(row["read_gb_per_s"]),
              percent(row["share_of_read"]), row["speedup_over_bf16"] and f"{row['speedup_over_bf16']:.2f}x"]
             for row in rows]
    warnings = [f"{row['weights']}: {row['warning']}" for row in rows if row["warning"]]
    title = f"{report['machine']['cpu'] or 'unknown processor'}; {rows[0]['shape']} model, batch 1, medians of " \
            f"{rows[0]['repetitions']} rounds"
    return "\n\n".join([title, aligned(HEADERS, cells), *dict.fromkeys(warnings)])
