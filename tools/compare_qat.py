"""Training with rounding against rounding afterwards: measure, and write data/QAT.md and data/qat.json.

    python tools/compare_qat.py WORK_DIR [--seeds 0 1] [--schemes ...] [--steps N] [--report]

Each run is kept in WORK_DIR while it trains (minquant.training.qat, checkpoint=) and as a model when it is done, so
that a stopped tool goes on where it was. Without --report only training is done, so that two processes can share the
runs; with it all is measured on the test text and written.
"""

import argparse
import json
import os
import platform
import shlex
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import minquant as mq  # noqa: E402
from minquant.evaluation import Reference, calibration_tokens, evaluate, heldout_tokens, training_tokens  # noqa: E402
from minquant.training import qat  # noqa: E402

# Scheme -> peak learning rate: smaller where the grid is finer. Set before the runs and not tuned.
SCHEMES = {"int2:g32:asym": 1e-3, "ternary:g32:absmean": 1e-3, "int3:g32:asym": 3e-4, "int4:g32:asym": 1e-4}
AFTERWARDS = ("rtn", "hqq", "awq", "gptq", "awq+gptq")
BATCH, CONTEXT = 8, 64
TEXT = """# Training with rounding, compared with rounding afterwards

The shipped model, the matrices of its blocks in one scheme; the embedding, which is also the output matrix, stays in
bf16 (and counts: bits are those of the whole model). Made by

    {command}

with Python {python} and NumPy {numpy}; all figures are in qat.json.

*qat*: {steps} steps of {batch} windows of {context} tokens taught by the float model on
{training:,} tokens of the standard library's docstrings, none of them held out ({passes:.2f} times through that text).
Peak learning rates, set beforehand and not tuned:
{rates}.
Seeds draw the windows. *Seconds*: processor time of one run, on one thread; the clock on the wall showed more, for the
machine did other work as well. Methods that read calibration text got {calibration:,} tokens of it, drawn
with the same seeds.
KL to the float model in thousandths of a nat per token on {tokens:,} tokens of held-out text, ± its standard error
over the text; the float model itself has perplexity {float_perplexity:.2f}.

{table}
"""


def main() -> None:
    """Train what is missing; with --report, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, metavar="WORK_DIR")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--schemes", nargs="+", default=list(SCHEMES))
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--methods", nargs="+", default=list(AFTERWARDS), help="what qat is compared with")
    parser.add_argument("--limit-bytes", type=int, help="use only the start of the test text")
    parser.add_argument("--report", action="store_true")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    model = mq.load("tiny")
    tokens = training_tokens(model)
    for scheme in args.schemes:
        for seed in args.seeds:
            train(model, scheme, seed, tokens, args)
    if args.report:
        report(model, tokens, args)


def place(args: argparse.Namespace, scheme: str, seed: int) -> Path:
    """Where a finished run lies."""
    return args.work / f"{scheme.replace(':', '-')}-{args.steps}-{seed}.safetensors"


def train(model: mq.Transformer, scheme: str, seed: int, tokens: np.ndarray, args: argparse.Namespace) -> None:
    """One run, unless it is there. Its CPU seconds are kept from start to start."""
    path = place(args, scheme, seed)
    if path.exists():
        return
    clock = path.with_suffix(".json")
    before = json.loads(clock.read_text())["seconds"] if clock.exists() else 0.0
    begin = time.process_time()

    def timed(steps):
        for step in steps:
            yield step
            if (step + 1) % 50 == 0:  # as often as the checkpoint
                write(clock, json.dumps({"seconds": before + time.process_time() - begin}))

    trained, history = qat(model, scheme, tokens, args.steps, BATCH, CONTEXT, SCHEMES[scheme], seed,
                           checkpoint=path.with_suffix(".npz"), progress=timed)
    write(clock, json.dumps({"seconds": before + time.process_time() - begin, "loss": history.loss.tolist()}))
    trained.save(path)
    print(scheme, seed, f"loss {history.loss[-10:].mean():.4f}", flush=True)


def report(model: mq.Transformer, tokens: np.ndarray, args: argparse.Namespace) -> None:
    """Measure every run and every method beside it, and write both files."""
    reference = Reference(model, heldout_tokens(model, limit_bytes=args.limit_bytes))
    rows = []
    for scheme in args.schemes:
        for method in (*args.methods, "qat"):
            for seed in args.seeds if method not in ("rtn", "hqq") else [None]:
                try:
                    recipe = mq.Recipe(weights=scheme, method=method)
                except ValueError:  # the method does not take the scheme
                    continue
                rows.append(measured(model, reference, recipe, seed, args))
                print(rows[-1]["scheme"], method, seed, rows[-1]["kl"], flush=True)
    words = [word if word != str(args.work) else "WORK_DIR" for word in sys.argv[1:]]
    settings = {"command": "python tools/compare_qat.py " + shlex.join(words),
                "python": platform.python_version(), "numpy": np.__version__, "steps": args.steps, "batch": BATCH,
                "context": CONTEXT, "lr": SCHEMES, "training": len(tokens), "calibration": 8192,
                "passes": args.steps * BATCH * CONTEXT / len(tokens), "tokens": len(reference.tokens),
                "float_perplexity": evaluate(model, reference).perplexity}
    rates = ", ".join(f"{scheme} {SCHEMES[scheme]:g}" for scheme in args.schemes)
    write(ROOT / "data" / "QAT.md", TEXT.format(table=as_markdown(rows), rates=rates, **settings))
    write(ROOT / "data" / "qat.json", json.dumps({**settings, "rows": rows}, indent=1) + "\n")


def measured(model: mq.Transformer, reference: Reference, recipe: mq.Recipe, seed: int | None,
             args: argparse.Namespace) -> dict:
    """The figures of one model."""
    row = {"scheme": recipe.weights, "method": recipe.method, "seed": seed}
    if recipe.method == "qat":
        path = place(args, recipe.weights, seed)
        made = mq.load(path)
        row |= json.loads(path.with_suffix(".json").read_text())
    else:
        made = model.quantize(recipe, None if seed is None else calibration_tokens(model, 8192, seed))
    found = evaluate(made, reference)
    return row | {"bits_per_weight": made.bits_per_weight} | found.figures()


def as_markdown(rows: list[dict]) -> str:
    """The table: one line per run."""
    lines = ["| scheme | bits | method | seed | KL | perplexity | same top token | seconds |", "|" + "---|" * 8]
    for row in rows:
        seconds = f"{row['seconds']:.0f}" if "seconds" in row else ""
        lines.append(f"| {row['scheme']} | {row['bits_per_weight']:.2f} | {row['method']} | "
                     f"{'' if row['seed'] is None else row['seed']} | {1e3 * row['kl']:.1f} ± "
                     f"{1e3 * row['kl_stderr']:.1f} | {row['perplexity']:.2f} | {row['top1_agreement']:.1%} | "
                     f"{seconds} |")
    return "\n".join(lines)


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


if __name__ == "__main__":
    main()
