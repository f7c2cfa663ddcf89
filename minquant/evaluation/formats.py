"""Formats at equal bits: which loses least on real weights, and which on real activations?

How it works
    Each scheme is measured in three ways, on the same model and text, scales counted in its bits:

        error      relative squared error, ||x - Q(x)||^2 / ||x||^2: of every matrix of the blocks, and of every input
                   that a matrix reads on the text; the median over matrices
        weights    KL to the float model with the matrices of the blocks rounded, activations in float
        both       KL with the inputs of these matrices rounded to the same scheme as well

    Rows are only to be compared within the same number of bits: MXFP4 has 4.25, as int4 with a float16 scale per 64
    has; NVFP4, NF4 and int4 per 32 have 4.5.

What we leave out
    Search (GPTQ, or better scale rules such as "mxfp4:mse"): all is rounded to nearest, as the formats' own papers
    define it. Speed: which of them a processor multiplies at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model import Recipe, linear_names
from ..scaling import Scheme, fake_quantize
from .summary import evaluate
from .windows import progress_bar

if TYPE_CHECKING:
    from ..model import Transformer
    from .divergence import Reference

SCHEMES = ("mxfp8", "mxint8", "int8:g64", "fp8_e4m3:g64", "mxfp4", "int4:g64", "fp4_e2m1:g64", "nvfp4", "nf4",
           "int4:g32", "fp4_e2m1:g32")


@dataclass(frozen=True)
class FormatRow:
    """One scheme.

    bits               per element, scales counted
    weight_error       median relative squared error of a matrix; input_error: of an input
    kl_weights         nats per token; kl_both: with activations rounded too; each with its standard error over text
    """

    scheme: str
    bits: float
    weight_error: float
    input_error: float
    kl_weights: float
    kl_weights_stderr: float
    kl_both: float
    kl_both_stderr: float

    def figures(self) -> dict[str, float | str]:
        """All of it, ready for JSON."""
        return asdict(self)


def compare_formats(model: Transformer, reference: Reference, schemes: Sequence[str] = SCHEMES,
                    progress: Any = None) -> list[FormatRow]:
    """Measure each scheme on the weights and on the activations of a model, fewest bits last.

    Args:
        model: a float model.
        reference: the float model on the text to measure on; inputs are those of its first window.
        schemes: with groups that divide every row.
        progress: True for a bar over the schemes, or a function that wraps an iterable.

    Raises ValueError for no scheme, and for what ``Recipe`` and ``model.quantize`` refuse.
    """
    if isinstance(schemes, str) or not len(schemes):
        raise ValueError(f"compare_formats: a list of at least one scheme, not {schemes!r}")
    inputs: dict[str, np.ndarray] = {}
    model.run(reference.tokens[:reference.context], tap=inputs.__setitem__)
    names = linear_names(model.config)
    rows = []
    for scheme in progress_bar(progress, "formats")(schemes):
        rounded = model.quantize(Recipe(weights=scheme))
        alone = evaluate(rounded, reference)
        both = evaluate(model.quantize(Recipe(weights=scheme, activations=scheme)), reference)
        rows.append(FormatRow(
            scheme, _bits(scheme, model), _error([(model.weights[n], rounded.weights[n]) for n in names]),
            _error([(inputs[n], fake_quantize(inputs[n], scheme)) for n in names]),
            alone.kl, alone.kl_stderr, both.kl, both.kl_stderr))
    return sorted(rows, key=lambda row: -row.bits)


def as_table(rows: Sequence[FormatRow]) -> str:
    """The rows as a Markdown table; errors in dB below the signal, KL in thousandths of a nat."""
    lines = ["| bits | scheme | noise in weights, dB | noise in inputs, dB | KL, weights | KL, weights and inputs |",
             "|--:|:--|--:|--:|--:|--:|"]
    for r in rows:
        noise = " | ".join(f"{10 * np.log10(error):.1f}" for error in (r.weight_error, r.input_error))
        lines.append(f"| {r.bits:.2f} | {r.scheme} | {noise} "
                     f"| {1e3 * r.kl_weights:.2f} ± {1e3 * r.kl_weights_stderr:.2f} "
                     f"| {1e3 * r.kl_both:.2f} ± {1e3 * r.kl_both_stderr:.2f} |")
    return "\n".join(lines)


def _bits(scheme: str, model: Transformer) -> float:
    """Bits per element on a matrix of the model: what is kept once per tensor hardly counts."""
    shape = model.weights[linear_names(model.config)[-1]].shape
    return round(8 * Scheme.parse(scheme).nbytes(shape) / (shape[0] * shape[1]), 2)


def _error(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    return float(np.median([np.square(x - y, dtype=np.float64).sum() / np.square(x, dtype=np.float64).sum()
                            for x, y in pairs]))
