"""``minquant decode``: tokens per second of packed weights, one row per combination, and beside llama.cpp's."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from typing import Any

from .arguments import Parser, names, whole, wholes
from .output import as_json, check_picture, progress, progress_done

HEADERS = ("weights", "activations", "kv", "context", "threads", "tok/s (GB/s)", "p10 to p90\ntok/s", "read\nGB/s",
           "share of\nread", "over\nbf16", "ms outside\nmatrices")
VERSUS_HEADERS = ("weights", "blocks", "context", "threads", "ours\ntok/s", "llama.cpp\ntok/s", "ours over\ntheirs",
                  "p10 to p90")
WEIGHTS = ["bf16", "fp8_e4m3:channel", "int8:channel", "int4:g32"]
SHARED = ["bf16", "q8_0", "q4_0"]  # blocks that llama.cpp has too


def parser() -> Parser:
    """The command line of this verb."""
    p = Parser("decode", "Time the decode step of packed weights, batch 1: tok/s beside GB/s and the share of the read\n"
                         "bandwidth measured in the same run. One row per combination, formats in alternation.")
    p.add_argument("--shape", default="0.1b", metavar="NAME|CHECKPOINT",
                   help="random model of a named shape (0.1b, 0.6b, 0.8b), 'tiny', or a checkpoint: a folder or a GGUF file")
    p.add_argument("--weights", type=names, metavar="A,B,C",
                   help=f"packed formats of the weights (default: {','.join(WEIGHTS)}; with --versus "
                        f"{','.join(SHARED)})")
    p.add_argument("--kv", type=names, metavar="A,B", default=["bf16"], help="formats of the cached keys and values")
    p.add_argument("--activations", choices=("float", "int8:g32"),
                   help="int8:g32: multiply integer weights by 8-bit activations, as whole numbers (default: float; "
                        "with --versus int8:g32, which is what llama.cpp does)")
    p.add_argument("--context", type=wholes(1), metavar="N,M", default=[128], help="tokens in the cache")
    p.add_argument("--threads", type=wholes(1), metavar="N", help="threads, or a list of counts (default: all)")
    p.add_argument("--repetitions", type=whole(1), metavar="N", help="alternating repetitions of each measurement")
    p.add_argument("--parts", action="store_true",
                   help="also time what is not a matrix, part by part: norms, rotation, attention, ...")
    p.add_argument("--picture", type=Path, metavar="FILE", help="also draw it (.png or .svg; needs matplotlib)")
    p.add_argument("--versus", type=Path, metavar="PROGRAM",
                   help="an installed llama-bench of llama.cpp, to be timed in alternation with our decoder on a GGUF "
                        "file of the same random model")
    p.add_argument("--gguf-dir", type=Path, metavar="FOLDER",
                   help="where --versus keeps its GGUF files, up to 2 bytes a weight (default: in minquant's cache)")
    p.add_json()
    return p


def main(argv: list[str]) -> int:
    """Run ``minquant decode``; returns the exit code."""
    args = parser().parse_args(argv)
    if args.picture:
        check_picture(args.picture)
    weights = args.weights or (SHARED if args.versus else WEIGHTS)
    settings = {} if args.repetitions is None else {"repetitions": args.repetitions}
    rounded = args.activations == "int8:g32" or (args.activations is None and args.versus is not None)
    from ..benchmark import machine, measure_decode, measure_parts, versus

    model = subject(args.shape)
    try:
        # The comparison comes first: what it cannot be run with is refused before anything is measured.
        compared = [] if args.versus is None else versus(
            args.versus, _random_shape(model), weights, args.context, args.threads, folder=args.gguf_dir,
            progress=progress, **settings)
        alike = {"activations": "int8:g32" if rounded else None, "progress": progress, **settings}
        rows = measure_decode(model, weights, args.kv, args.context, args.threads, **alike)
        parts = measure_parts(model, weights, args.kv, args.context, args.threads, **alike) if args.parts else []
    finally:
        progress_done()
    rows = [row | {"shape": args.shape} for row in rows]
    report = {"machine": machine(), "read_gb_per_s": read_bandwidth(rows), "rows": rows}
    report |= {"versus": compared} if args.versus else {}
    report |= {"parts": parts} if args.parts else {}
    if args.picture:
        from ..teaching.decode_figure import save

        save(rows, args.picture)
        print(f"picture written to {args.picture}", file=sys.stderr)
    print(as_json(report) if args.json else as_text(report))
    return 0


def subject(shape: str) -> Any:
    """What is timed: the name of a random model's shape, or the checkpoint in a folder."""
    from ..interop import load
    from ..model import SHAPES

    if shape in SHAPES:
        return shape
    if Path(shape).exists():
        return load(shape, lazy=True)
    raise ValueError(f"--shape {shape}: choose one of {', '.join(SHAPES)}, or give the folder of a checkpoint "
                     "or a GGUF file (there is no such folder)")


def _random_shape(model: Any) -> str:
    """The shape of a random model, as ``--versus`` needs: a checkpoint is not written as GGUF."""
    if isinstance(model, str):
        return model
    raise ValueError("--versus compares random models, which take as long as trained ones: give --shape 0.1b, 0.6b or "
                     "0.8b instead of a folder")


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
              percent(row["share_of_read"]), row["speedup_over_bf16"] and f"{row['speedup_over_bf16']:.2f}x",
              figure(row["outside_ms"], 2)]
             for row in rows]
    warnings = [f"{row['weights']}: {row['warning']}" for row in rows if row["warning"]]
    title = f"{report['machine']['cpu'] or 'unknown processor'}; {rows[0]['shape']} model, batch 1, medians of " \
            f"{rows[0]['repetitions']} rounds"
    beside = [_versus_text(report["versus"])] if report.get("versus") else []
    beside += [_parts_text(report["parts"])] if report.get("parts") else []
    return "\n\n".join([title, aligned(HEADERS, cells), *dict.fromkeys(warnings), *beside])


def _parts_text(rows: list[dict]) -> str:
    """The table of parts, and why its rows do not add up to what stands above."""
    from ..benchmark.tables import aligned, figure

    keys = ("weights", "kv", "context", "threads")
    cells = [[*(str(row[key]) for key in keys), *(figure(ms, 3) for ms in row["parts_ms"].values())] for row in rows]
    title = ("Parts of a token that are not matrices, milliseconds, each repeated by itself: it finds its data in the "
             "cache,\nwhere a token finds keys and values in memory. Launches belong to the matrices.")
    return f"{title}\n\n{aligned((*keys, *rows[0]['parts_ms']), cells)}"


def _versus_text(rows: list[dict]) -> str:
    """The table beside llama.cpp, and what was alike."""
    from ..benchmark.tables import aligned, figure

    cells = [[row["weights"], row["blocks"], str(row["context"]), str(row["threads"]), figure(row["tokens_per_s"]),
              figure(row["their_tokens_per_s"]), f"{row['ratio']:.2f}x",
              f"{row['ratio_p10']:.2f} to {row['ratio_p90']:.2f}"]
             for row in rows]
    title = (f"Beside llama.cpp (build {rows[0]['build']}): {rows[0]['tokens']} tokens each from the given context on, "
             f"in alternation, {rows[0]['repetitions']} rounds.\nThe same random weights in the same blocks; 16-bit "
             "caches; both round activations to 8 bits where weights are integers.")
    return f"{title}\n\n{aligned(VERSUS_HEADERS, cells)}"
