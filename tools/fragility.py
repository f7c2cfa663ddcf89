"""The fragility experiment and the KV cache against position, on the shipped model: data/FRAGILITY.md, fragility.json.

    python tools/fragility.py                  all of the test text, five widths, 60 prompts
    python tools/fragility.py --limit-bytes 8000 --prompts 8 --print    a first look, written nowhere
    python tools/fragility.py --keep FOLDER    keeps each measurement there, and goes on where it stopped; a folder is
                                               for one set of flags

A tool and not a verb: it runs for half an hour, and what it writes is shipped, with the command that made it. The first
half is also ``minquant fragility``.
"""

import argparse
import hashlib
import json
import platform
import shlex
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import minquant as mq  # noqa: E402
from compare_methods import write  # noqa: E402
from minquant.evaluation import (ByPosition, GreedyRuns, Reference, by_position, cache_bytes, cut_prompts,  # noqa: E402
                                 fragility, heldout_tokens, paired_difference, write_greedily)
from minquant.evaluation.comparison import SURE  # noqa: E402
from minquant.evaluation.fragility import measured_kl  # noqa: E402
from minquant.evaluation.fragility_text import as_markdown, statement, why  # noqa: E402
from minquant.model import CacheFormat  # noqa: E402

CACHES = ("int8:token", "fp8_e4m3:token", "mxfp8", "int4:token", "int4:token:prerope", "int4:token:keychannel", "kivi4",
          "int2:g32:asym", "int2:g32:asym:keychannel", "kivi2", "kivi2:prerope")
PROMPT, LENGTH = 16, 192  # tokens given, tokens written
SMOOTHED = ("int8:token", "fp8_e4m3:token", "mxfp8", "int4:token", "int4:g32:asym")
CONTROLS = ("int8:g32", "int4:g32", "int3:g32")
TEXT = """# Fragility, measured

The shipped model; each of its four parts quantized *alone* to the same number of bits: the weights of its blocks, the
inputs of its linear layers, cached keys and values, attention's queries, keys and probabilities. Made by

    {command}

with Python {python} and NumPy {numpy}; all figures are in fragility.json, and `minquant fragility` makes this part.

KL to the float model in thousandths of a nat per token, on {tokens:,} tokens of held-out text (windows of {context},
none overlapping), ± its standard error. The last columns: by how much the second of two neighbours in the text books'
order costs more than the first, paired token by token; *holds* and *reversed* take more than {sure:g} standard errors.

- *Row*: one symmetric scale per output channel of a matrix, per token, per head of a token. A head's row has
  {head_dim} numbers; a token's row has {hidden} or {ffn}, and they share one scale all the same.
- *Group*: one per 32 numbers of a row, in float16: equally fine for all.
- *Practised*: what the literature gives each part at these bits of a code. Weights: GPTQ, asymmetric groups of 32;
  activations: asymmetric groups; cache: KIVI, whose newest 128 tokens are in bf16; attention: asymmetric groups, keys
  smoothed. No longer like with like: KIVI leaves a quarter or more of each window unrounded.

{table}

{statement}

What is rounded, and how much the model minds it (relative squared error; KL per unit of it, in nats):

{why}

## Smoothed keys

Attention in these formats, the mean key left in and taken off. *Difference*: paired, thousandths of a nat.

{smooth}

## The cache against position

*Reading*: KL (thousandths of a nat) in the first and in the last quarter of the window, ± its standard error over
{windows} windows. *Growth*: the factor between them, over the factor of the control, weights in {control}, whose
error has no past; 1 says that nothing compounds. (None is given where tokens wait in bf16, which the first
quarter does most.) *Writing*: {prompts} prompts of {prompt} tokens from all over the text, each continued greedily by
{length} tokens: the share still what float writes at the end; and of runs still identical, how many per hundred
tokens leave, in the first and in the second half, with 95% intervals. (A small model soon repeats itself, and who
repeats the same line agrees for ever: the late rates are low for that reason too.) *Bytes*: of the cache per token, all layers,
everything counted, when {context} tokens are in it.

{positions}

{compounds}
"""


def main() -> None:
    """Measure, then print or write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bits", default="8,6,5,4,3", help="widths of the first half")
    parser.add_argument("--limit-bytes", type=int, help="use only the start of the test text")
    parser.add_argument("--prompts", type=int, default=60, help="prompts of the second half")
    parser.add_argument("--print", action="store_true", help="print the tables and write nothing")
    parser.add_argument("--keep", type=Path, help="folder in which measurements are kept")
    args = parser.parse_args()
    model = mq.load("tiny")
    tokens = heldout_tokens(model, limit_bytes=args.limit_bytes)
    context = model.config.context
    reference = Reference(model, tokens, stride=context)

    def kept_kl(recipe: mq.Recipe) -> np.ndarray:
        return kept(args.keep, f"kl {recipe}", lambda: measured_kl(model, reference, recipe))

    found = fragility(model, reference, [int(b) for b in args.bits.split(",")], measure=kept_kl, progress=True)
    smooth = {scheme: [kept_kl(mq.Recipe(attention=scheme + end)) for end in ("", ":smooth")] for scheme in SMOOTHED}
    points = points_of(model, tokens, args.prompts, args.keep)
    rows = {name: figures(point, points[f"weights {CONTROLS[1]}"]) for name, point in points.items()}
    settings = {"command": command(), "tokens": len(tokens), "context": context, "windows": len(tokens) // context,
                "control": CONTROLS[1], "prompts": args.prompts, "prompt": PROMPT, "length": LENGTH, "sure": SURE,
                "head_dim": model.config.head_dim, "hidden": model.config.hidden, "ffn": model.config.ffn,
                "python": platform.python_version(), "numpy": np.__version__}
    text = TEXT.format(table=as_markdown(found), statement=statement(found), why=why(found), smooth=smoothing(smooth),
                       positions=positions(rows), compounds=compounds(rows), **settings)
    if args.print:
        print(text)
        return
    write(ROOT / "data" / "FRAGILITY.md", text)
    everything = {**settings, "fragility": [cell.figures() for cell in found.cells.values()], "positions": rows}
    write(ROOT / "data" / "fragility.json", json.dumps(everything, indent=1) + "\n")


def points_of(model: mq.Transformer, tokens: np.ndarray, count: int, keep: Path | None) -> dict[str, ByPosition]:
    """Controls and caches against position, one at a time, so that each is kept."""
    context = model.config.context
    prompts = cut_prompts(tokens, count, PROMPT)
    written = kept(keep, "written", lambda: write_greedily(model, prompts, LENGTH, progress=True))
    recipes = {f"weights {scheme}": mq.Recipe(weights=scheme) for scheme in CONTROLS}
    recipes |= {f"kv {scheme}": mq.Recipe(kv=scheme) for scheme in CACHES}

    def measure(name: str) -> np.ndarray:
        found = by_position(model, {name: recipes[name]}, tokens, prompts, written)[name]
        return np.r_[found.kl.ravel(), found.runs.identical]

    points = {}
    for name, recipe in recipes.items():
        flat = kept(keep, f"position {recipe}", lambda: measure(name))  # one array: what a folder can keep
        points[name] = ByPosition(flat[:-count].reshape(-1, context), GreedyRuns(flat[-count:].astype(int), LENGTH),
                                  cache_bytes(model.config, recipe.kv or "bf16", context) / context)
    return points


def command() -> str:
    """The command line, without where measurements were kept."""
    words = sys.argv[1:]
    if "--keep" in words:
        del words[words.index("--keep"):words.index("--keep") + 2]
    return shlex.join(["python", "tools/fragility.py", *words])


def kept(folder: Path | None, name: str, measure) -> np.ndarray:
    """A measurement, taken from the folder where it is there."""
    if folder is None:
        return measure()
    path = folder / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.npy"
    if not path.exists():
        found = measure()
        folder.mkdir(parents=True, exist_ok=True)
        np.save(path.with_suffix(".part.npy"), found)
        path.with_suffix(".part.npy").replace(path)
    return np.load(path)


def figures(point: ByPosition, control: ByPosition) -> dict:
    """Everything of one recipe, ready for JSON."""
    context, length = point.kl.shape[1], point.runs.length
    early, late, half = (0, context // 4), (context - context // 4, context), length // 2
    quarters = [point.kl_between(a, a + context // 8) for a in range(0, context, context // 8)]
    return {"bytes_per_token": point.bytes_per_token, "kl_early": point.kl_between(*early),
            "kl_late": point.kl_between(*late),
            "growth_over_control": None if point is control else point.growth(control, early, late),
            "kl_by_eighth": quarters, "identical": [point.runs.share(length), *point.runs.interval(length)],
            "shares": [point.runs.share(n) for n in range(0, length + 1, 16)],
            "leaving_early": point.leaving(0, half), "leaving_late": point.leaving(half, length)}


def positions(rows: dict[str, dict]) -> str:
    """The rows as a table."""
    head = ("", "bytes", "KL, first quarter", "KL, last quarter", "growth", "identical at the end",
            "leave early, %", "leave late, %")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, row in rows.items():
        kl = [f"{1e3 * row[key][0]:.3g} ± {1e3 * row[key][1]:.1g}" for key in ("kl_early", "kl_late")]
        share, low, high = row["identical"]
        rates = ["-" if np.isnan(row[key][0]) else "{:.2f} ({:.2f} to {:.2f})".format(*(100 * x for x in row[key]))
                 for key in ("leaving_early", "leaving_late")]
        growth = "{:.2f} ± {:.2f}".format(*row["growth_over_control"]) if _comparable(name, row) else "-"
        cells = [name, f"{row['bytes_per_token']:g}", *kl, growth, f"{share:.0%} ({low:.0%} to {high:.0%})", *rates]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _comparable(name: str, row: dict) -> bool:
    """Whether a growth says something: not for the control itself, nor where early tokens are read in bf16."""
    part, scheme = name.split(" ")
    return row["growth_over_control"] is not None and not (part == "kv" and CacheFormat.parse(scheme).in_groups)


def compounds(rows: dict[str, dict]) -> str:
    """What the figures say of compounding, in words."""
    found = {name: row["growth_over_control"] for name, row in rows.items()
             if name.startswith("kv") and _comparable(name, row)}
    grows = [name for name, (factor, error) in found.items() if factor - 1 > SURE * error]
    low, high = min(factor for factor, _ in found.values()), max(factor for factor, _ in found.values())
    reading = (f"Reading: over the control, the KL of caches without a window grows {low:.2f} to {high:.2f} times from "
               f"the first quarter to the last, by more than {SURE:g} standard errors in {len(grows)} of {len(found)}"
               + (f" ({', '.join(grows)})." if grows else ": the error does not compound measurably."))
    later = [name for name, row in rows.items() if row["leaving_late"][1] > row["leaving_early"][2]]
    return reading + (" Writing: runs that are still identical leave at a higher rate in the second half than in the "
                      f"first, beyond both intervals, in {len(later)} of {len(rows)} rows"
                      + (f" ({', '.join(later)})." if later else "."))


def smoothing(kl: dict[str, list[np.ndarray]]) -> str:
    """A table: scheme, KL without and with smoothing, their difference."""
    lines = ["| attention | KL | smoothed | difference |", "|---|---|---|---|"]
    for scheme, (plain, smooth) in kl.items():
        gap = paired_difference(smooth, plain)
        lines.append(f"| {scheme} | {1e3 * plain.mean():.3g} | {1e3 * smooth.mean():.3g} | {1e3 * gap.value:+.2g} ± "
                     f"{1e3 * gap.stderr:.1g} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
