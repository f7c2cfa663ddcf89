"""Mixed precision on the shipped model against uniform precision and chance: data/MIXED.md and data/mixed.json.

    python tools/mixed_precision.py            as it is stored
    python tools/mixed_precision.py --quick    a first look, written nowhere

A tool and not a verb: it runs for a quarter of an hour, and what it writes is shipped. From Python: ``sensitivity`` and
``spend`` of ``minquant.evaluation``.
"""

import argparse
import json
import platform
import sys
from collections import Counter
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import minquant as mq  # noqa: E402
from compare_methods import write  # noqa: E402
from minquant.evaluation import Reference, calibration_tokens, evaluate, heldout_tokens, paired_difference  # noqa: E402
from minquant.evaluation.mixed import Sensitivity, sensitivity, shuffled, spend  # noqa: E402

BITS = (2, 3, 4, 5, 6)
SCHEMES = tuple(f"int{bits}:g32:asym" for bits in BITS)
UNIFORM = ("int3:g32:asym", "int4:g32:asym")  # whose bytes are the budgets
TEXT = """# Mixed precision, measured

The shipped model; each matrix of its blocks gets one of the schemes
{schemes};
the embedding stays in bf16. The KL of each matrix
alone was measured on {seen:,} tokens of calibration text, rounded to nearest; `spend` chose the schemes for the bytes
that uniform precision takes; `shuffled`, the control, deals the same schemes anew among matrices of the same size, and
so spends the same bytes. Judged on {tokens:,} tokens of held-out text. Made by

    python tools/mixed_precision.py

with Python {python} and NumPy {numpy}; all figures are in mixed.json.

KL to the float model in thousandths of a nat per token. *Predicted*: the sum of the KLs of the single matrices, which
the greedy choice takes for the whole. *Difference*: KL minus that of uniform precision with the same method and budget,
token by token, ± its standard error over the text.

{table}

Bits that `spend` gives to each kind of matrix (first block to last):

{bits}
"""


def main() -> None:
    """Measure, then print or write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="little text; print, write nothing")
    quick = parser.parse_args().quick
    model = mq.load("tiny")
    seen = calibration_tokens(model, 512 if quick else 4096)
    found = sensitivity(model, SCHEMES, Reference(model, seen, stride=model.config.context), progress=True)
    reference = Reference(model, heldout_tokens(model, limit_bytes=4000 if quick else None))
    rows = [row for budget in UNIFORM for row in compare(model, found, reference, budget)]
    settings = {"schemes": ", ".join(SCHEMES), "seen": len(seen), "tokens": len(reference.tokens),
                "python": platform.python_version(), "numpy": np.__version__}
    text = TEXT.format(table=as_markdown(rows), bits=bits_of(found), **settings)
    if quick:
        print(text)
        return
    alone = {name: [choice.kl for choice in choices] for name, choices in found.choices.items()}
    write(ROOT / "data" / "MIXED.md", text)
    write(ROOT / "data" / "mixed.json", json.dumps({**settings, "kl_alone": alone, "rows": rows}, indent=1) + "\n")


def compare(model: mq.Transformer, found: Sensitivity, reference: Reference, uniform: str) -> list[dict]:
    """Uniform, mixed and shuffled precision with the same bytes, by two methods."""
    budget = found.nbytes(mq.Recipe(weights=uniform))
    rows = []
    for method in ("rtn", "gptq"):
        base = mq.Recipe(weights=uniform, method=method)
        mixed = spend(found, budget, method)
        plans = {"uniform": base, "mixed": mixed}
        if method == "rtn":
            plans |= {f"mixed, shuffled ({seed})": shuffled(found, mixed, seed) for seed in range(3)}
        kl: dict[str, np.ndarray] = {}
        for name, recipe in plans.items():
            calibration = calibration_tokens(model) if method == "gptq" else None
            kl[name] = evaluate(model.quantize(recipe, calibration), reference).kl_per_token
            gap = paired_difference(kl[name], kl["uniform"])
            rows.append({"budget": uniform, "method": method, "precision": name, "bytes": found.nbytes(recipe),
                         "predicted": found.predicted(recipe), "kl": float(kl[name].mean()), "difference": gap.value,
                         "stderr": gap.stderr, "schemes": [recipe.scheme_of(n) for n in found.choices]})
    return rows


def as_markdown(rows: list[dict]) -> str:
    """The rows as a table."""
    head = ("bytes of", "method", "precision", "bytes", "predicted", "KL", "difference")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows:
        gap = "" if row["precision"] == "uniform" else f"{1e3 * row['difference']:+.2f} ± {1e3 * row['stderr']:.2f}"
        predicted = f"{1e3 * row['predicted']:.1f}" if row["method"] == "rtn" else ""
        lines.append(f"| {row['budget']} | {row['method']} | {row['precision']} | {row['bytes']:,} | {predicted} | "
                     f"{1e3 * row['kl']:.2f} | {gap} |")
    return "\n".join(lines)


def bits_of(found: Sensitivity) -> str:
    """Which matrices get how many bits, as a table."""
    kinds = ("q", "k", "v", "o", "gate", "up", "down")
    lines = [f"| bytes of | {' | '.join(kinds)} | matrices by bits |", "|---" * (len(kinds) + 2) + "|"]
    for uniform in UNIFORM:
        recipe = spend(found, found.nbytes(mq.Recipe(weights=uniform)))
        bits = {name: dict(zip(SCHEMES, BITS))[recipe.scheme_of(name)] for name in found.choices}
        cells = [" ".join(str(b) for name, b in bits.items() if f".{kind}_proj." in name) for kind in kinds]
        total = ", ".join(f"{count} x {b}" for b, count in sorted(Counter(bits.values()).items()))
        lines.append(f"| {uniform} | {' | '.join(cells)} | {total} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
