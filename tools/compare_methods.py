"""Compare the methods at 4 and 3 bits on the shipped model and write the table: data/METHODS.md and data/methods.json.

    python tools/compare_methods.py                      as it is stored: five seeds, all of the test text
    python tools/compare_methods.py --seeds 2 --limit-bytes 8000 --print      a first look, written nowhere

A tool and not a verb: it runs for half an hour, and what it writes is shipped. From Python the same comparison, with
any scheme, method and text, is ``minquant.evaluation.compare_methods``.
"""

import argparse
import json
import os
import platform
import shlex
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import minquant as mq  # noqa: E402
from minquant.evaluation import Reference, compare_methods, heldout_tokens  # noqa: E402
from minquant.evaluation.calibration import TOKENS  # noqa: E402
from minquant.evaluation.comparison import ALL_METHODS, SURE, MethodRow, as_markdown, pairs  # noqa: E402

CELLS = ((("int4:g32:asym", "int3:g32:asym"), ALL_METHODS), (("q4_1",), ("rtn", "hqq")))  # schemes, methods
TEXT = """# The methods, compared

The shipped model, its blocks quantized to one scheme by each method; the embedding, which is also the output matrix,
stays in bf16 (and counts: bits are those of the whole model). Made by

    {command}

with Python {python} and NumPy {numpy}; the figures, and all pairs of methods, are in methods.json.

KL to the float model in thousandths of a nat per token, on {tokens:,} tokens of held-out text (context {context},
stride {stride}), ± its standard error over the text. Methods that read calibration text (awq, gptq, awq+gptq) were run
on {calibration:,} tokens of it for each of the seeds {seeds}; KL is the mean, and the spread is the standard deviation
from seed to seed. The calibration text holds {available:,} tokens, so the draws overlap. *Difference*: to rtn at the
same scheme, token by token, with its standard error over the text and over the seeds. (The two errors of the figures do
not give it: the same tokens are hard for both methods.) *Significant*: more than {sure:g} times the root of the sum of
the squares of the two errors.

{table}

{verdict}
q4_1 has a float16 zero point where int4:g32:asym has one of 4 bits: only there HQQ can do what its authors meant (see
`minquant/methods/hqq.py`).
"""


def main() -> None:
    """Measure, then print or write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many draws of the calibration text")
    parser.add_argument("--limit-bytes", type=int, help="use only the start of the test text")
    parser.add_argument("--print", action="store_true", help="print the table and write nothing")
    args = parser.parse_args()
    if args.seeds < 2:
        parser.error("at least two seeds: one shows no spread")
    model = mq.load("tiny")
    reference = Reference(model, heldout_tokens(model, limit_bytes=args.limit_bytes))
    rows = [row for schemes, methods in CELLS
            for row in compare_methods(model, schemes, methods, range(args.seeds), reference, progress=True)]
    if args.print:
        print(as_markdown(rows), verdict(rows), sep="\n\n")
        return
    settings = {"command": "python " + shlex.join(sys.argv), "tokens": len(reference.tokens),
                "context": reference.context, "stride": reference.stride, "seeds": list(range(args.seeds)),
                "calibration": TOKENS, "available": len(heldout_tokens(model, "calibration")), "sure": SURE,
                "python": platform.python_version(), "numpy": np.__version__}
    gaps = [{"scheme": a.scheme, "method": b.method, "minus": a.method, **gap.figures()} for a, b, gap in pairs(rows)]
    data = ROOT / "data"
    write(data / "METHODS.md", TEXT.format(table=as_markdown(rows), verdict=verdict(rows), **settings))
    figures = {**settings, "rows": [row.figures() for row in rows], "pairs": gaps}
    write(data / "methods.json", json.dumps(figures, indent=1) + "\n")


def verdict(rows: list[MethodRow]) -> str:
    """Which pairs of methods cannot be told apart, in words."""
    lines = [f"- {a.scheme}: {b.method} - {a.method} = {1e3 * gap.value:+.2f} ± {1e3 * gap.stderr:.2f}"
             for a, b, gap in pairs(rows) if not gap.significant]
    if not lines:
        return "Every method differs significantly from every other on the same scheme.\n"
    return "\n".join(["Not told apart (difference ± both errors together):\n", *lines, "",
                      "All other pairs on the same scheme differ significantly.\n"])


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


if __name__ == "__main__":
    main()
