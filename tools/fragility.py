"""The fragility experiment and the KV cache against position, on the shipped model: data/FRAGILITY.md, fragility.json.

    python tools/fragility.py               as it is stored
    python tools/fragility.py --quick       a first look, written nowhere
    python tools/fragility.py --keep FOLDER    keeps each measurement there, and goes on where it stopped

A tool and not a verb: it runs for a quarter of an hour, and what it writes is shipped. The first half is also
``minquant fragility``.
"""

import argparse
import json
import platform
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import minquant as mq  # noqa: E402
from compare_methods import write  # noqa: E402
from minquant.evaluation import Reference, by_position, cut_prompts, fragility, heldout_tokens, write_greedily  # noqa: E402
from minquant.evaluation.by_position import ByPosition, cache_bytes  # noqa: E402
from minquant.evaluation.comparison import SURE  # noqa: E402
from minquant.evaluation.fragility import BUDGET, measured_kl  # noqa: E402
from minquant.evaluation.fragility_text import as_markdown, statement  # noqa: E402

CACHES = ("int8:token", "fp8_e4m3:token", "mxfp8", "int4:token", "int4:g32:asym", "int4:token:keychannel",
          "int4:token:prerope", "kivi4", "int2:g32:asym", "kivi2", "kivi2:prerope")
CONTROLS = ("int8:g32", "int4:g32", "int3:g32")
TEXT = """# Fragility, measured

The shipped model; each of its four parts quantized *alone* to the same number of bits: the weights of its blocks, the
inputs of its linear layers, cached keys and values, attention's queries, keys and probabilities. Made by

    python tools/fragility.py

with Python {python} and NumPy {numpy}; all figures are in fragility.json, and `minquant fragility` makes the first table.

KL to the float model in thousandths of a nat per token, on {tokens:,} tokens of held-out text (windows of {context},
none overlapping), ± its standard error. *Row*: one symmetric scale per output channel, per token, per head of a token.
*Group*: one per 32 neighbours. *Practised*: what the literature gives each part at these bits of a code (GPTQ;
asymmetric groups; KIVI, whose newest 128 tokens are in bf16; asymmetric groups with smoothed keys).

{table}

*Holds*, *reversed*: more than {sure:g} standard errors of the paired difference, token by token (in thousandths of a nat).

{statement}

# The cache against position

Reading: KL (thousandths of a nat) in the first and the last quarter of the window, ± its standard error over {windows}
windows, and the factor by which it grows, over that of the control, weights in {control} (whose error is the same at
every position): a factor of 1 says that nothing compounds beyond what the text does. Writing: {prompts} prompts of
{prompt} tokens from all over the text, continued greedily by {length} tokens; the share still identical to float at the
end, and the share of those still identical that leave, per hundred tokens, early ({half}) and late, with 95% intervals.
Bytes: of the cache per token, all layers, at {context} tokens, everything counted; bf16 takes {bf16:g}.

{positions}
"""


def main() -> None:
    """Measure, then print or write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="little text; print, write nothing")
    parser.add_argument("--keep", type=Path, help="folder in which measurements are kept")
    args = parser.parse_args()
    model = mq.load("tiny")
    tokens = heldout_tokens(model, limit_bytes=8000 if args.quick else None)
    context = model.config.context
    reference = Reference(model, tokens, stride=context)

    def kept_kl(recipe: mq.Recipe) -> np.ndarray:
        return kept(args.keep, f"kl {recipe}", lambda: measured_kl(model, reference, recipe))

    found = fragility(model, reference, measure=kept_kl, progress=True)
    count, length = (8, 64) if args.quick else (100, 192)
    prompts = cut_prompts(tokens, count, 16)
    written = kept(args.keep, "written", lambda: write_greedily(model, prompts, length, progress=True))
    recipes = {f"weights {scheme}": mq.Recipe(weights=scheme) for scheme in CONTROLS}
    recipes |= {f"kv {scheme}": mq.Recipe(kv=scheme) for scheme in CACHES}
    points = by_position(model, recipes, tokens, prompts, written, progress=True)
    settings = {"tokens": len(tokens), "context": context, "windows": len(tokens) // context, "control": CONTROLS[1],
                "prompts": count, "prompt": 16, "length": length, "half": f"the first {length // 2} tokens",
                "bf16": cache_bytes(model.config, "bf16", context) / context, "sure": SURE, "budget": BUDGET,
                "python": platform.python_version(), "numpy": np.__version__}
    rows = {name: figures(point, points[f"weights {CONTROLS[1]}"], context, length) for name, point in points.items()}
    text = TEXT.format(table=as_markdown(found), statement=statement(found), positions=positions(rows), **settings)
    if args.quick:
        print(text)
        return
    write(ROOT / "data" / "FRAGILITY.md", text)
    everything = {**settings, "fragility": [cell.figures() for cell in found.cells.values()], "positions": rows}
    write(ROOT / "data" / "fragility.json", json.dumps(everything, indent=1) + "\n")


def kept(folder: Path | None, name: str, measure) -> np.ndarray:
    """A measurement, taken from the folder where it is there."""
    if folder is None:
        return measure()
    import hashlib
    path = folder / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.npy"
    if not path.exists():
        found = measure()
        folder.mkdir(parents=True, exist_ok=True)
        np.save(path.with_suffix(".part.npy"), found)
        path.with_suffix(".part.npy").replace(path)
    return np.load(path)


def figures(point: ByPosition, control: ByPosition, context: int, length: int) -> dict:
    """Everything of one recipe, ready for JSON."""
    early, late, half = (0, context // 4), (context - context // 4, context), length // 2
    quarters = [point.kl_between(a, a + context // 8) for a in range(0, context, context // 8)]
    return {"bytes_per_token": point.bytes_per_token, "kl_early": point.kl_between(*early),
            "kl_late": point.kl_between(*late), "growth_over_control": point.growth(control, early, late),
            "kl_by_eighth": quarters, "identical": [point.runs.share(length), *point.runs.interval(length)],
            "shares": [point.runs.share(n) for n in range(0, length + 1, 16)],
            "leaving_early": point.leaving(0, half), "leaving_late": point.leaving(half, length)}


def positions(rows: dict[str, dict]) -> str:
    """The rows as a table."""
    head = ("", "bytes per token", "KL, first quarter", "KL, last quarter", "growth over control", "identical at the end",
            "leaving early, %", "leaving late, %")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, row in rows.items():
        kl = [f"{1e3 * row[key][0]:.3g} ± {1e3 * row[key][1]:.1g}" for key in ("kl_early", "kl_late")]
        share, low, high = row["identical"]
        rates = ["-" if np.isnan(row[key][0]) else "{:.2f} ({:.2f} to {:.2f})".format(*(100 * x for x in row[key]))
                 for key in ("leaving_early", "leaving_late")]
        growth = "{:.2f} ± {:.2f}".format(*row["growth_over_control"])
        cells = [name, f"{row['bytes_per_token']:g}", *kl, growth, f"{share:.0%} ({low:.0%} to {high:.0%})", *rates]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
