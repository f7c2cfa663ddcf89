"""Compare formats at equal bits on the shipped model and write the table: data/FORMATS.md.

    python tools/compare_formats.py                                 all of the test text, written
    python tools/compare_formats.py --limit-bytes 4000 --print      a first look, written nowhere

From Python the same comparison, with any schemes, model and text, is ``minquant.evaluation.compare_formats``.
"""

import argparse
import os
import platform
import shlex
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import minquant as mq  # noqa: E402
from minquant.evaluation import Reference, compare_formats, heldout_tokens  # noqa: E402
from minquant.evaluation.formats import as_table  # noqa: E402

TEXT = """# Formats at equal bits

The matrices of the shipped model's blocks, and what they read, rounded to nearest. Compare rows of the same bits, scales
counted. Noise: squared error over squared signal, the median over matrices (inputs: on the first {context} tokens). KL to
the float model in thousandths of a nat per token on {tokens:,} tokens of held-out text, ± its standard error. Made by

    {command}

with Python {python} and NumPy {numpy}.

{table}
"""


def main() -> None:
    """Measure, then print or write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit-bytes", type=int, help="use only the start of the test text")
    parser.add_argument("--print", action="store_true", help="print the table and write nothing")
    args = parser.parse_args()
    model = mq.load("tiny")
    reference = Reference(model, heldout_tokens(model, limit_bytes=args.limit_bytes))
    table = as_table(compare_formats(model, reference, progress=True))
    if args.print:
        print(table)
        return
    text = TEXT.format(context=reference.context, tokens=len(reference.tokens), python=platform.python_version(),
                       command="python " + shlex.join(sys.argv), numpy=np.__version__, table=table)
    path = ROOT / "data" / "FORMATS.md"
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


if __name__ == "__main__":
    main()
