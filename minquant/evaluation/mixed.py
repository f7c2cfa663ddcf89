"""Mixed precision: where do the bytes go that a model may have?

How it works
    ``sensitivity`` rounds one matrix of the blocks alone, to every scheme on offer, and measures the KL to the float
    model: matrices x schemes passes over a text, which should be calibration text and not the one the result is judged
    on. ``spend`` then buys. Every matrix starts at its cheapest scheme; the next step is always the one that takes away
    most KL per byte, as long as it fits:

        gain(matrix, from -> to) = (KL(from) - KL(to)) / (bytes(to) - bytes(from))

    Schemes that are not worth their bytes in between are left out: of each matrix only the lower convex hull of KL over
    bytes is kept, on which gains fall from step to step. So steps are taken in the order of their gains, whatever the
    matrix, and the sum of the KLs is the least there is for the bytes spent, up to the one step that did not fit
    (``spend`` goes on with smaller ones). That is the greedy solution of a multiple-choice knapsack.

What the greedy choice cannot see
    That errors do not add. It minimises the *sum* of what single matrices do alone, but KL grows with the square of
    the joint error, and errors of two matrices may cancel or reinforce each other; a matrix behind rounded ones reads
    other inputs than it was measured with. ``Sensitivity.predicted`` gives the sum: hold it against the KL that is
    measured, and hold the result against uniform precision and against ``shuffled``, which spends the same bytes.
    ``tools/mixed_precision.py`` does, and writes data/MIXED.md.

Source
    Bits by sensitivity, there by curvature: Dong et al. 2019, "HAWQ", arXiv 1905.03696. By the KL of one layer at a
    time, as here, summed: Cai et al. 2020, "ZeroQ", arXiv 2001.00281, its Pareto frontier. The hull: Sinha and Zoltners
    1979, "The Multiple-Choice Knapsack Problem", Operations Research 27, 503, doi:10.1287/opre.27.3.503.

What we leave out
    The output matrix and the embedding, activations and the cache; second-order terms; measuring again after each step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model import Recipe, linear_names, tensor_shapes
from ..scaling import Scheme
from .summary import evaluate
from .windows import progress_bar

if TYPE_CHECKING:
    from ..model import Transformer
    from .divergence import Reference


@dataclass(frozen=True)
class Choice:
    """One matrix in one scheme: the bytes it takes, scales counted, and the KL of the model with it alone rounded."""

    scheme: str
    nbytes: int
    kl: float


@dataclass(frozen=True)
class Sensitivity:
    """What rounding does to each matrix alone.

    choices   name of a matrix -> its choices, in the order of the schemes
    weights   number of weights of all these matrices
    method    how their codes were chosen
    """

    choices: Mapping[str, tuple[Choice, ...]]
    weights: int
    method: str = "rtn"

    def bytes_at(self, bits_per_weight: float) -> int:
        """Bytes of a budget that is given in bits per weight of these matrices."""
        return int(bits_per_weight * self.weights / 8)

    def nbytes(self, recipe: Recipe) -> int:
        """Bytes that a recipe spends on these matrices. Raises ValueError for a scheme that was not measured."""
        return sum(self.choice(name, recipe).nbytes for name in self.choices)

    def predicted(self, recipe: Recipe) -> float:
        """The sum of the KLs of the single matrices, nats per token: what the whole would cost if errors added up.
        Raises ValueError for a scheme that was not measured."""
        return sum(self.choice(name, recipe).kl for name in self.choices)

    def choice(self, name: str, recipe: Recipe) -> Choice:
        """What a recipe chooses for a matrix. Raises ValueError for a scheme that was not measured."""
        for choice in self.choices[name]:
            if choice.scheme == recipe.scheme_of(name):
                return choice
        measured = ", ".join(choice.scheme for choice in self.choices[name])
        raise ValueError(f"{name} was not measured at {recipe.scheme_of(name)}, only at {measured}")


def sensitivity(model: Transformer, schemes: Sequence[str], reference: Reference, method: str = "rtn",
                calibration: Any = None, progress: Any = None) -> Sensitivity:
    """Round each matrix of the blocks alone and measure the KL.

    Args:
        model: the float model.
        schemes: on offer, at least one, each once.
        reference: the float model on the text to measure on; not the text that the result will be judged on.
        method: how codes are chosen; ``"rtn"`` takes seconds, and the ranking serves other methods too.
        calibration: tokens, for a method that needs them.
        progress: True for a progress bar over the passes, or a function that wraps an iterable.

    Raises ValueError for no scheme, or one given twice, and for what ``model.quantize`` refuses.
    """
    if isinstance(schemes, str) or not schemes or len(set(schemes)) < len(schemes):
        raise ValueError(f"sensitivity: a list of at least one scheme, each once, not {schemes!r}")
    shapes = tensor_shapes(model.config)
    names = linear_names(model.config)
    choices: dict[str, list[Choice]] = {name: [] for name in names}
    for name, scheme in progress_bar(progress, "sensitivity")([(n, s) for n in names for s in schemes]):
        rounded = model.quantize(Recipe(method=method, overrides={name: scheme}), calibration)
        kl = evaluate(rounded, reference).kl
        choices[name].append(Choice(scheme, Scheme.parse(scheme).nbytes(shapes[name]), kl))
    return Sensitivity({name: tuple(found) for name, found in choices.items()},
                       sum(int(np.prod(shapes[name])) for name in names), method)


def spend(found: Sensitivity, budget: int, method: str | None = None, **parts: Any) -> Recipe:
    """The recipe with the least sum of KLs that the greedy choice finds for a budget.

    Args:
        found: what each matrix costs, from ``sensitivity``.
        budget: bytes of all matrices of the blocks together, scales counted; see ``Sensitivity.bytes_at``.
        method: of the recipe; the one that was measured by default.
        parts: other parts of the recipe, such as ``kv="int8:token"``.

    Returns:
        A Recipe. With more bytes ``found.predicted`` never rises.

    Raises ValueError for a budget that the cheapest schemes exceed, naming the bytes they need.
    """
    hulls = {name: hull(choices) for name, choices in found.choices.items()}
    chosen = {name: points[0] for name, points in hulls.items()}  # the cheapest
    spent = sum(choice.nbytes for choice in chosen.values())
    if spent > budget:
        raise ValueError(f"a budget of {budget} bytes is too small: the cheapest schemes on offer take {spent} bytes")
    steps = [(name, low, high) for name, points in hulls.items() for low, high in pairwise(points)]
    for name, low, high in sorted(steps, key=lambda step: -_gain(*step[1:])):  # of one matrix: in the order of its hull
        if chosen[name] is low and spent + high.nbytes - low.nbytes <= budget:
            chosen[name] = high
            spent += high.nbytes - low.nbytes
    return _recipe(chosen, Recipe(method=method or found.method, **parts))


def shuffled(found: Sensitivity, recipe: Recipe, seed: int = 0) -> Recipe:
    """The control: the schemes of a recipe dealt anew among matrices of the same size, so that exactly as many bytes
    are spent, and as many matrices of each size get each scheme. Only who gets what is left to chance."""
    rng = np.random.default_rng(seed)
    dealt = {}
    sizes = {name: tuple(choice.nbytes for choice in choices) for name, choices in found.choices.items()}
    for size in dict.fromkeys(sizes.values()):
        names = [name for name in sizes if sizes[name] == size]
        chosen = [found.choice(name, recipe) for name in names]
        dealt |= {name: chosen[i] for name, i in zip(names, rng.permutation(len(names)))}
    return _recipe(dealt, replace(recipe, weights=None, overrides=()))


def hull(choices: Sequence[Choice]) -> list[Choice]:
    """The lower convex hull of KL over bytes, from the cheapest choice to the least KL: gains fall along it."""
    kept: list[Choice] = []
    for choice in sorted(choices, key=lambda choice: (choice.nbytes, choice.kl)):
        if kept and choice.kl >= kept[-1].kl:
            continue
        while len(kept) > 1 and _gain(kept[-2], kept[-1]) <= _gain(kept[-1], choice):
            kept.pop()
        kept.append(choice)
    return kept


def _gain(low: Choice, high: Choice) -> float:
    """KL taken away per byte added."""
    return (low.kl - high.kl) / (high.nbytes - low.nbytes)


def _recipe(chosen: Mapping[str, Choice], rest: Recipe) -> Recipe:
    """A recipe with these choices: the most frequent scheme for all, and overrides for the others."""
    usual, _ = Counter(choice.scheme for choice in chosen.values()).most_common(1)[0]
    overrides = {name: choice.scheme for name, choice in chosen.items() if choice.scheme != usual}
    return replace(rest, weights=usual, overrides=overrides)
