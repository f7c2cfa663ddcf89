"""``minquant qat``: train a model with its rounding, and write it as a file."""

from __future__ import annotations

from pathlib import Path

from .arguments import Parser, number, whole
from .output import as_json, bar
from .quantize import check_output


def parser() -> Parser:
    """The command line of this verb."""
    p = Parser("qat", "Quantization-aware training: the float model teaches its rounded self on docstrings of this\n"
                      "Python's standard library. The file is one that eval and generate read:\n"
                      "minquant qat --weights int2:g32:asym --steps 150 --output two.safetensors\n"
                      "minquant eval two.safetensors --reference tiny\n"
                      "Interrupted, the same command goes on where it was: FILE.training keeps the state until then.")
    p.add_argument("checkpoint", nargs="?", default="tiny", metavar="CHECKPOINT",
                   help="folder of a checkpoint in Hugging Face layout, or the shipped model")
    p.add_argument("--weights", required=True, metavar="SCHEME",
                   help="matrices of the blocks: integers (int2:g32:asym) or ternary (ternary:g32:absmean)")
    p.add_argument("--output", type=Path, required=True, metavar="FILE", help="the file to write")
    p.add_argument("--steps", type=whole(1), default=150, metavar="N", help="steps of training")
    p.add_argument("--batch", type=whole(1), default=8, metavar="N", help="windows of text in a step")
    p.add_argument("--context", type=whole(1), default=64, metavar="N", help="tokens in a window")
    p.add_argument("--lr", type=number(0, 1), default=1e-3, metavar="R", help="peak learning rate")
    p.add_argument("--seed", type=whole(0), default=0, metavar="S", help="draws the windows")
    p.add_argument("--no-teacher", action="store_true", help="learn the next token of the text, not the float model's")
    p.add_argument("--text-tokens", type=whole(2), metavar="N", help="use only the first N tokens of the training text")
    p.add_json()
    return p


def main(argv: list[str]) -> int:
    """Run ``minquant qat``; returns the exit code."""
    args = parser().parse_args(argv)
    from .. import load
    from ..evaluation import training_tokens
    from ..training import qat
    from ..training.rounding import check_scheme

    check_scheme(args.weights)
    check_output(args.output)
    model = load(args.checkpoint)
    state = args.output.with_name(args.output.name + ".training")
    trained, history = qat(model, args.weights, training_tokens(model, args.text_tokens), args.steps, args.batch,
                           args.context, args.lr, args.seed, not args.no_teacher, checkpoint=state, progress=bar())
    trained.save(args.output)
    state.unlink()
    report = {"checkpoint": args.checkpoint, "weights": args.weights, "steps": args.steps, "seed": args.seed,
              "first_loss": history.loss[0], "last_loss": history.loss[-10:].mean(), "file": str(args.output),
              "file_bytes": args.output.stat().st_size, "bits_per_weight": trained.bits_per_weight}
    print(as_json(report) if args.json else as_text(report))
    return 0


def as_text(report: dict) -> str:
    """The report for people."""
    line = ("{steps} steps: loss {first_loss:.3f} in the first, {last_loss:.3f} over the last ten, nats per token\n"
            "{file}: {file_bytes:,} bytes, {bits_per_weight:.3f} bits per weight")
    return line.format(**report)
