"""``minquant eval``: what a recipe costs, measured on the shipped held-out text."""

from __future__ import annotations

from typing import Any

from .arguments import Parser, recipe_words, whole
from .output import as_json, bar

TINY = "tiny"
LINES = (  # figure, what it is called, how it is printed
    ("perplexity", "perplexity", "{:.4g}"), ("bits_per_byte", "bits per byte", "{:.4f}"),
    ("kl", "KL to float, nats per token", "{:.3g}"), ("top1_agreement", "same top-1 token as float", "{:.2%}"),
    ("nll_difference", "nll above float, nats per token", "{:+.3g}"),
    ("bits_per_weight", "bits per weight, whole model", "{:.3f}"))
ITSELF = {"kl": 0.0, "kl_stderr": 0.0, "top1_agreement": 1.0, "nll_difference": 0.0, "nll_difference_stderr": 0.0}


def parser() -> Parser:
    """The command line of this verb."""
    p = Parser("eval", "Perplexity, KL to the float model and top-1 agreement of a quantization recipe, on held-out\n"
                       "docstrings of this Python's standard library. Without flags: the float model.")
    p.add_argument("checkpoint", nargs="?", default=TINY, metavar="CHECKPOINT",
                   help="folder of a checkpoint in Hugging Face layout, or the shipped model")
    p.add_recipe()
    p.add_argument("--limit-bytes", type=whole(1), metavar="N", help="use only the first N bytes of the text")
    p.add_argument("--context", type=whole(2), metavar="N", help="tokens per window (default: the model's context)")
    p.add_json()
    return p


def main(argv: list[str]) -> int:
    """Run ``minquant eval``; returns the exit code."""
    args = parser().parse_args(argv)
    recipe = recipe_words(args)
    report = measure(args.checkpoint, recipe, args.limit_bytes, args.context)
    print(as_json(report) if args.json else as_text(report))
    return 0


def measure(checkpoint: str, recipe: dict[str, str], limit_bytes: int | None, context: int | None) -> dict[str, Any]:
    """The object ``--json`` prints: the figures, and what was measured on what.

    Raises ValueError or OSError for a recipe or a checkpoint that cannot be used.
    """
    from .. import Recipe, load
    from ..evaluation import evaluate, heldout_tokens

    chosen = Recipe(**recipe)  # checked before anything is read
    model = load(checkpoint)
    tokens = heldout_tokens(model, limit_bytes=limit_bytes)
    if recipe.keys() <= {"method"}:  # the float model, which needs no second pass to be compared with itself
        figures = evaluate(model, tokens=tokens, context=context, progress=bar()).figures() | ITSELF
    else:
        quantized = model.quantize(chosen, progress=bar())
        figures = evaluate(quantized, model, tokens, context, progress=bar()).figures()
    return {"checkpoint": checkpoint, "recipe": recipe, **figures}


def as_text(report: dict[str, Any]) -> str:
    """The report for people: one figure a line, with its standard error where it has one."""
    parts = ", ".join(f"{part} {scheme}" for part, scheme in report["recipe"].items() if part != "method")
    lines = [f"{report['checkpoint']}: {parts or 'float'}; {report['scored_tokens']} tokens of held-out text"]
    for key, title, form in LINES:
        error = report.get(f"{key}_stderr")
        value = "-" if report[key] is None else form.format(report[key])
        lines.append(f"  {title:<33}{value}" + (f" ± {error:.2g}" if error is not None else ""))
    return "\n".join(lines)
