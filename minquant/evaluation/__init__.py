"""What does quantization cost? Figures of quality, each with its standard error.

    corpus.py        held-out text that is already on the reader's disk
    calibration.py   text that a method may look at, shared with none of it
    windows.py       a long text in windows a model can read
    likelihood.py    perplexity, bits per byte
    divergence.py    KL to the float model, top-1 agreement
    statistics.py    how sure a mean over text is
    summary.py       all of them in one pass

Perplexity is the figure everyone quotes and the least sensitive one; KL per token sees a rounding long before
perplexity moves. Start with ``evaluate``.
"""

from .calibration import calibration_tokens
from .corpus import HeldOut, heldout
from .divergence import Reference, kl_divergence, top1_agreement
from .likelihood import Perplexity, bits_per_byte, perplexity
from .statistics import standard_error
from .summary import Evaluation, evaluate, heldout_tokens

__all__ = ["Evaluation", "HeldOut", "Perplexity", "Reference", "bits_per_byte",
           "calibration_tokens", "evaluate", "heldout", "heldout_tokens",
           "kl_divergence", "perplexity", "standard_error", "top1_agreement"]
