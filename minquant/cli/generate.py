"""``minquant generate``: let a model write, at any precision."""

from __future__ import annotations

from .arguments import Parser, calibration, number, quantized, recipe_words, whole
from .output import as_json

PROMPT = "Return a list of"


def parser() -> Parser:
    """The command line of this verb."""
    p = Parser("generate", "Continue a text. The same seed writes the same text, so two recipes can be compared:\n"
                           "minquant generate --weights int2:g32 --head int2:g32 writes what two bits make of it.")
    p.add_argument("checkpoint", nargs="?", default="tiny", metavar="CHECKPOINT",
                   help="folder of a checkpoint in Hugging Face layout, GGUF, a file that minquant quantize wrote, or the "
                        "shipped model")
    p.add_argument("--prompt", default=PROMPT, metavar="TEXT", help="the text to continue")
    p.add_recipe()
    p.add_argument("--tokens", type=whole(1), default=80, metavar="N", help="tokens to write")
    p.add_argument("--temperature", type=number(0, 10), default=0.7, metavar="T",
                   help="0 takes the likeliest token, 1 the model's own probabilities")
    p.add_argument("--top-p", type=number(0, 1), default=0.95, metavar="P",
                   help="draw from the likeliest tokens that together have this probability")
    p.add_argument("--seed", type=whole(0), default=0, metavar="S", help="of the draws")
    p.add_json()
    return p


def main(argv: list[str]) -> int:
    """Run ``minquant generate``; returns the exit code."""
    args = parser().parse_args(argv)
    from .. import Recipe, load

    words = recipe_words(args)
    recipe = Recipe(**words)
    model = load(args.checkpoint)
    if model.tokenizer is None:
        raise ValueError(f"{args.checkpoint} has no tokenizer that could read a prompt: put its tokenizer.json into the "
                         "folder (a GGUF file holds its own)")
    if words.keys() - {"method"}:
        model = quantized(model, recipe, calibration(args, recipe))
    prompt = model.tokenizer.encode(args.prompt) if args.prompt else [0]  # token 0 starts a text
    written = model.generate(prompt, args.tokens, temperature=args.temperature, top_p=args.top_p, seed=args.seed)
    text = model.tokenizer.decode(written)
    if args.json:
        print(as_json({"checkpoint": args.checkpoint, "recipe": words, "prompt": args.prompt, "text": text,
                       "tokens": written, "temperature": args.temperature, "top_p": args.top_p, "seed": args.seed}))
    else:
        print(args.prompt + text)
    return 0
