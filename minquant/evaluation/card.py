"""What a recipe gives, on one page: a report card for whoever chooses, a model card for whoever gets the file.

How it works
    ``measure_card`` evaluates a quantized model once and counts its bytes. ``report_card`` and ``model_card`` only write
    down what is in a ``Card``: no figure in them can be of another model, another text or another day. A card says what
    was measured *on*, because a KL without its text is no figure at all.

Bytes per token
    To write one token a decoder reads every weight once and the whole cache (lesson 01). So a token moves

        bytes of the weights + bytes of the cache that holds so many tokens

    An embedding that is no output matrix too is read one row per token, and counts with that. A cache without a format
    counts as bf16, which is what ``Decoder`` makes of it.

Source
    Sections of a model card: Mitchell et al. 2019, "Model Cards for Model Reporting", arXiv 1810.03993, section 4.

What we leave out
    Who trained the model and on what: the card of the float model says that, and this one names it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..model.config import EMBEDDING, tensor_shapes
from .by_position import cache_bytes
from .divergence import Reference
from .summary import Evaluation, evaluate

if TYPE_CHECKING:
    from ..model import Recipe, Transformer

CACHE = 512  # tokens in the cache when a token is written
COLUMNS = ("what", "measured", "budget", "")


@dataclass(frozen=True)
class Budget:
    """What a model may cost at most; None where a part is free. ``tokens_per_s`` is the one that is to be reached.

    nbytes: of all weights. moved: bytes per token. tokens_per_s. kl: nats per token.
    """

    nbytes: int | None = None
    moved: int | None = None
    tokens_per_s: float | None = None
    kl: float | None = None


@dataclass(frozen=True, eq=False)
class Card:
    """One quantized model, measured.

    recipe, model (repr of it), text (what it was measured on, in words)
    nbytes          of all weights, scales counted
    bits_per_weight
    cache           bytes of the cache that holds ``cached`` tokens
    moved           bytes per token
    evaluation      all figures of quality
    tokens_per_s    None where it was not measured
    """

    recipe: Recipe
    model: str
    text: str
    nbytes: int
    bits_per_weight: float
    cache: int
    cached: int
    moved: int
    evaluation: Evaluation
    tokens_per_s: float | None = None

    def figures(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {"recipe": recipe_words(self.recipe), "model": self.model, "text": self.text, "nbytes": self.nbytes,
                "bits_per_weight": self.bits_per_weight, "cache": self.cache, "cached": self.cached, "moved": self.moved,
                "tokens_per_s": self.tokens_per_s, **self.evaluation.figures()}

    def within(self, budget: Budget) -> dict[str, bool]:
        """Which parts of a budget are kept. A speed that was not measured is not kept."""
        spent = {"nbytes": self.nbytes, "moved": self.moved, "kl": self.evaluation.kl}
        kept = {name: value <= getattr(budget, name) for name, value in spent.items() if getattr(budget, name) is not None}
        if budget.tokens_per_s is not None:
            kept["tokens_per_s"] = self.tokens_per_s is not None and self.tokens_per_s >= budget.tokens_per_s
        return kept


def bytes_per_token(model: Transformer, cached: int = CACHE) -> int:
    """Bytes that are read to write one token when ``cached`` tokens are in the cache."""
    config = model.config
    weights = model.nbytes
    if not config.tied:
        rows, columns = tensor_shapes(config)[EMBEDDING]
        weights -= 2 * (rows - 1) * columns  # an embedding apart from the output matrix stays in bf16
    return weights + cache_bytes(config, model.recipe.kv or "bf16", cached)


def measure_card(model: Transformer, reference: Reference, text: str, cached: int = CACHE,
                 tokens_per_s: float | None = None) -> Card:
    """Measure a quantized model.

    Args:
        model: the quantized model.
        reference: the float model on the text to measure on.
        text: what that text is, in words, for the card.
        cached: tokens in the cache when a token is written.
        tokens_per_s: where it was measured.
    """
    kv = cache_bytes(model.config, model.recipe.kv or "bf16", cached)
    return Card(model.recipe, repr(model), text, model.nbytes, model.bits_per_weight, kv, cached,
                bytes_per_token(model, cached), evaluate(model, reference), tokens_per_s)


def recipe_words(recipe: Recipe) -> dict[str, Any]:
    """A recipe as the JSON object that ``minquant quantize --recipe`` takes: only what was given."""
    words = {name: value for name, value in asdict(recipe).items() if value and (name, value) != ("method", "rtn")}
    if "overrides" in words:
        words["overrides"] = dict(words["overrides"])
    return words


def report_card(card: Card, budget: Budget | None = None) -> str:
    """Markdown: what was measured, beside the budget where there is one."""
    e, budget = card.evaluation, budget or Budget()
    kept = card.within(budget)
    rows = [("weights", f"{card.nbytes:,} bytes, {card.bits_per_weight:.2f} bits each", "nbytes", "{:,} bytes"),
            ("read per token", f"{card.moved:,} bytes, {card.cache:,} of them cache of {card.cached} tokens", "moved",
             "{:,} bytes"),
            ("speed", "not measured" if card.tokens_per_s is None else f"{card.tokens_per_s:.1f} tok/s", "tokens_per_s",
             "at least {:.1f} tok/s"),
            ("KL to float", f"{e.kl:.4f} ± {e.kl_stderr:.4f} nats per token", "kl", "{:.4f}"),
            ("KL, 1 token in 100 above", f"{e.kl_p99:.3f} nats", None, ""),
            ("same likeliest token", f"{e.top1_agreement:.1%} ± {e.top1_agreement_stderr:.1%}", None, ""),
            ("perplexity", f"{e.perplexity:.2f} ± {e.perplexity_stderr:.2f}", None, ""),
            ("cost of a token, over float", f"{e.nll_difference:+.4f} ± {e.nll_difference_stderr:.4f} nats", None, "")]
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|---|---|---|"]
    for what, measured, name, words in rows:
        limit = getattr(budget, name) if name else None
        mark = "" if limit is None else "kept" if kept[name] else "**missed**"
        lines.append(f"| {what} | {measured} | {'' if limit is None else words.format(limit)} | {mark} |")
    return "\n".join([f"Recipe: `{json.dumps(recipe_words(card.recipe))}`", "",
                      f"Measured on {card.text}, {e.scored_tokens:,} tokens scored.", "", *lines])


def model_card(card: Card, name: str, base: str, files: str, limits: str) -> str:
    """Markdown: the card that goes with a file.

    Args:
        card: what was measured.
        name, base: of this model, and of the float model it was made from.
        files: which files, made how (a command).
        limits: what it was not measured for, in sentences.

    Raises ValueError for a text that is empty: a card that leaves these out is none.
    """
    for what, words in (("name", name), ("base", base), ("files", files), ("limits", limits)):
        if not words.strip():
            raise ValueError(f"model card: {what} is empty")
    return "\n\n".join([f"# {name}", f"{base}, quantized after training. {card.model}.", "## Files", files, "## Measured",
                        report_card(card), "KL is to the float model, on the same tokens; ± is one standard error over the "
                        "text.", "## Limits", limits]) + "\n"
