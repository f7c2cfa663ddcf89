"""``minquant quantize``: a checkpoint and a recipe become a file, layer by layer."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from .arguments import Parser, calibration, recipe_words
from .output import as_json, progress, progress_done

FOLDERS = ("gptq", "awq", "compressed-tensors")
BLOCKS = ("F32", "F16", "BF16", "Q8_0", "Q5_0", "Q4_0", "Q4_1", "Q4_K", "Q6_K")


def parser() -> Parser:
    """The command line of this verb."""
    p = Parser("quantize", "Quantize a model by a recipe and write it, codes and scales packed: as a file of ours that eval,\n"
                           "generate and minquant.load read, as GGUF for llama.cpp, or as a folder for vLLM.\n"
                           "minquant quantize --weights int4:g32:asym --method gptq --out four.safetensors\n"
                           "minquant quantize CHECKPOINT --weights q4_0 --head q4_0 --out four.gguf\n"
                           "minquant quantize CHECKPOINT --blocks Q4_K --out k.gguf\n"
                           "minquant quantize CHECKPOINT --weights int4:g128 --format gptq --out FOLDER\n"
                           "Finished layers lie in OUT.parts until all is done: an interrupted run goes on from there.")
    p.add_argument("checkpoint", nargs="?", default="tiny", metavar="CHECKPOINT",
                   help="folder of a checkpoint in Hugging Face layout, a GGUF file, or the shipped model")
    p.add_argument("--out", "--output", dest="output", type=Path, required=True, metavar="FILE",
                   help="the file, or the folder, to write")
    p.add_argument("--format", choices=("minquant", "gguf", *FOLDERS),
                   help="what is written (default: gguf for a name that ends so, else minquant)")
    p.add_argument("--blocks", choices=BLOCKS,
                   help="GGUF without a recipe: round every matrix to these blocks")
    p.add_recipe()
    p.add_json()
    return p


def main(argv: list[str]) -> int:
    """Run ``minquant quantize``; returns the exit code."""
    args = parser().parse_args(argv)
    from .. import Recipe, load

    words, format = recipe_words(args), args.format or ("gguf" if args.output.suffix == ".gguf" else "minquant")
    recipe = Recipe(**words)
    _check(args, words, format)
    seen = calibration(args, recipe)
    model = load(args.checkpoint, lazy=True)
    if format != "minquant" and not args.blocks:
        from ..interop import check_plan

        unsaid = check_plan(model, recipe, format)
        if unsaid:
            print(f"note: a {format} file says nothing of {' and '.join(unsaid)}: whoever runs it decides",
                  file=sys.stderr)
    try:
        if args.blocks:
            from ..interop import write_gguf

            write_gguf(model, args.output, args.blocks, progress=progress)
            weight_bytes = None
        else:
            weight_bytes = _in_parts(args, model, recipe, seen, format)
    finally:
        progress_done()
    report = {"checkpoint": args.checkpoint, "recipe": words, "calibration": seen, "format": format,
              "blocks": args.blocks, "file": str(args.output), "file_bytes": _size(args.output),
              "weight_bytes": weight_bytes,
              "bits_per_weight": weight_bytes and 8 * weight_bytes / model.config.parameters}
    print(as_json(report) if args.json else as_text(report))
    return 0


def as_text(report: dict) -> str:
    """The report for people."""
    if report["weight_bytes"] is None:
        return "{file}: {file_bytes:,} bytes, matrices in {blocks}".format(**report)
    line = "{file}: {file_bytes:,} bytes, {weight_bytes:,} of them weights at {bits_per_weight:.3f} bits"
    return line.format(**report)


def _in_parts(args: argparse.Namespace, model: Any, recipe: Any, seen: dict[str, int] | None, format: str) -> int:
    """Quantize layer by layer, write the file, remove the parts. Returns the bytes of the weights."""
    from ..evaluation import calibration_tokens
    from ..interop import quantize_in_parts, write_checkpoint, write_gguf

    text = None if seen is None else calibration_tokens(model, seen["tokens"], seen["seed"])
    parts = args.output.with_name(args.output.name + ".parts")
    mine = not parts.exists()
    try:
        quantized = quantize_in_parts(model, recipe, parts, _identity(args.checkpoint), text, progress)
        if format == "minquant":
            quantized.save(args.output)
        elif format == "gguf":
            write_gguf(quantized, args.output, progress=progress)
        else:
            write_checkpoint(quantized, args.output, format, progress)
        size = quantized.nbytes
    except ValueError:  # what is wrong with the model would be wrong the next time as well
        if mine:
            shutil.rmtree(parts, ignore_errors=True)
        raise
    if parts.is_dir():  # not there where all was done in memory
        shutil.rmtree(parts)
    return size


def _identity(checkpoint: str) -> list:
    """What a checkpoint is known by: its files, their sizes and times."""
    path = Path(checkpoint)
    files = sorted(path.iterdir()) if path.is_dir() else [path] if path.is_file() else []
    return [str(path.absolute()), *([f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in files if f.is_file())]


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _check(args: argparse.Namespace, words: dict[str, Any], format: str) -> None:
    """Refuse before minutes of work what could not be written after them."""
    path = args.output
    if args.blocks and (format != "gguf" or words.keys() > {"method"}):
        raise ValueError("--blocks rounds every matrix of a GGUF file: give no recipe beside it, and a name ending in .gguf")
    check_output(path, folder=format in FOLDERS)


def check_output(path: Path, folder: bool = False) -> None:
    """Raise ValueError or FileNotFoundError where a file, or a folder, could not be written under this name."""
    if folder and path.is_file():
        raise ValueError(f"{path} is a file: name a folder to write")
    if not folder and path.is_dir():
        raise ValueError(f"{path} is a folder: name a file to write")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.absolute().parent} to write the file into")
