"""``minquant quantize``: a checkpoint and a recipe become a file."""

from __future__ import annotations

from pathlib import Path

from .arguments import Parser, calibration, quantized, recipe_words
from .output import as_json, bar


def parser() -> Parser:
    """The command line of this verb."""
    p = Parser("quantize", "Quantize a model by a recipe and write it as one file, codes and scales packed. eval and\n"
                           "generate read it where they take a CHECKPOINT, and so does minquant.load:\n"
                           "minquant quantize --weights int4:g32:asym --method gptq --output four.safetensors\n"
                           "minquant eval four.safetensors --reference tiny")
    p.add_argument("checkpoint", nargs="?", default="tiny", metavar="CHECKPOINT",
                   help="folder of a checkpoint in Hugging Face layout, or the shipped model")
    p.add_argument("--output", type=Path, required=True, metavar="FILE", help="the file to write")
    p.add_recipe()
    p.add_json()
    return p


def main(argv: list[str]) -> int:
    """Run ``minquant quantize``; returns the exit code."""
    args = parser().parse_args(argv)
    from .. import Recipe, load

    recipe = Recipe(**recipe_words(args))
    check_output(args.output)
    seen = calibration(args, recipe)
    model = quantized(load(args.checkpoint), recipe, seen, bar())
    model.save(args.output)
    report = {"checkpoint": args.checkpoint, "recipe": recipe_words(args), "calibration": seen,
              "file": str(args.output), "file_bytes": args.output.stat().st_size, "weight_bytes": model.nbytes,
              "bits_per_weight": model.bits_per_weight}
    print(as_json(report) if args.json else as_text(report))
    return 0


def as_text(report: dict) -> str:
    """The report for people."""
    line = "{file}: {file_bytes:,} bytes, {weight_bytes:,} of them weights at {bits_per_weight:.3f} bits"
    return line.format(**report)


def check_output(path: Path) -> None:
    """Refuse before minutes of work what could not be written after them."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file to write")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.absolute().parent} to write the file into")
