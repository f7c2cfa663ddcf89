"""What does quantization cost? Figures of quality, each with its standard error.

    corpus.py        held-out text that is already on the reader's disk
    calibration.py   text that a method may look at, shared with none of it
    windows.py       a long text in windows a model can read
    likelihood.py    perplexity, bits per byte
    divergence.py    KL to the float model, its quantiles, top-1 agreement
    flips.py         where the likeliest token changed, for better or worse
    greedy.py        for how many tokens two models write the same
    statistics.py    how sure a mean over text is, a paired difference, a share
    summary.py       all figures of one model in one pass
    curve.py         many recipes beside each other: bits against quality
    comparison.py    many methods beside each other: what is a difference, what is luck
    fragility.py     weights, activations, cache, attention, each alone; fragility_text.py says what was found
    by_position.py   does the error of a quantized cache compound?
    formats.py       formats at equal bits, on weights and on activations
    sieve.py         text that is fit to train on
    mixed.py         what each matrix costs alone, and where a budget of bytes goes

Perplexity is the figure everyone quotes and the least sensitive one; KL per token sees a rounding long before
perplexity moves. Start with ``evaluate``.
"""

from .by_position import ByPosition, by_position, cache_bytes
from .calibration import calibration_tokens
from .comparison import Gap, MethodRow, compare_methods
from .corpus import HeldOut, heldout
from .curve import frontier, growth, quality_curve
from .divergence import Reference, kl_divergence, kl_quantiles, top1_agreement
from .flips import Flips, top1_flips
from .fragility import Cell, Fragility, fragility
from .formats import FormatRow, compare_formats
from .greedy import GreedyRuns, cut_prompts, greedy_agreement, write_greedily
from .likelihood import Perplexity, bits_per_byte, perplexity
from .mixed import Choice, Sensitivity, sensitivity, shuffled, spend
from .sieve import training_tokens
from .statistics import Difference, binomial_interval, paired_difference, standard_error
from .summary import Evaluation, evaluate, heldout_tokens

__all__ = ["ByPosition", "Cell", "Choice", "Difference", "Evaluation", "Flips", "FormatRow", "Fragility", "Gap",
           "GreedyRuns", "HeldOut", "MethodRow", "Perplexity", "Reference", "Sensitivity", "binomial_interval",
           "bits_per_byte", "by_position", "cache_bytes", "calibration_tokens", "compare_formats", "compare_methods",
           "cut_prompts", "evaluate", "fragility", "frontier", "greedy_agreement", "growth", "heldout", "heldout_tokens",
           "kl_divergence", "kl_quantiles", "paired_difference", "perplexity", "quality_curve", "sensitivity", "shuffled", "spend",
           "standard_error", "top1_agreement", "top1_flips", "training_tokens", "write_greedily"]
