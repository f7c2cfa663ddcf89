"""Bits against quality: many recipes of one model, measured on one text.

How it works
    ``quality_curve`` quantizes a model by each recipe and evaluates it against the float model, whose logits are
    computed once. Every recipe sees the same tokens in the same windows, so any two can be compared token by token
    (``paired_difference(curve[a].nll, curve[b].nll)``). Points come back in the order of their bits.

What to expect
    A code with one bit less has steps twice as wide. While errors are small, KL grows with their square: a model's
    distribution is a smooth function of its weights, and KL is smallest, with slope 0, where nothing has changed. So
    a lost bit costs a factor of about four, and a curve on a logarithmic scale is a straight line. Where it bends
    upwards, errors are no longer small. ``growth`` gives the factors.

What we leave out
    Speed: ``benchmark.ladder`` puts it beside the quality. Choosing recipes: this only measures them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .divergence import Reference
from .summary import Evaluation, evaluate
from .windows import progress_bar

if TYPE_CHECKING:
    from ..model import Recipe, Transformer


def quality_curve(model: Transformer, recipes: Mapping[str, Recipe], reference: Reference, calibration: Any = None,
                  progress: Any = None) -> dict[str, Evaluation]:
    """Evaluate a float model under many recipes.

    Args:
        model: the float model.
        recipes: name -> recipe, at least one.
        reference: a ``Reference`` of the float model on the text.
        calibration: tokens, for methods that need them.
        progress: True for a progress bar over the recipes, or a function that wraps an iterable.

    Returns:
        name -> Evaluation, fewest bits per weight first; recipes of equal bits in the order given.

    Raises ValueError without a recipe, and for what ``model.quantize`` and ``evaluate`` refuse.
    """
    if not recipes:
        raise ValueError("quality_curve: no recipe to measure; give at least one, {name: Recipe(...)}")
    points = {name: evaluate(model.quantize(recipes[name], calibration), reference)
              for name in progress_bar(progress, "recipes")(list(recipes))}
    return dict(sorted(points.items(), key=lambda point: point[1].bits_per_weight))


def growth(curve: Mapping[str, Evaluation]) -> dict[str, float]:
    """By which factor KL grows from a point to the one below it: name of the lower point -> factor.

    The curve's points are taken as they come, fewest bits first; the last one, which has none above it, is left out.
    A factor is inf where the KL above is 0.
    """
    names = list(curve)
    kl = {name: curve[name].kl for name in names}
    return {low: kl[low] / kl[high] if kl[high] else float("inf") for low, high in zip(names, names[1:])}


def frontier(curve: Mapping[str, Evaluation]) -> list[str]:
    """Names of the points that no other beats: none has as few bits and less KL, or fewer bits and as little KL.

    In the order of the curve. A point off the frontier is never worth its bits on this text.
    """
    def beats(a: Evaluation, b: Evaluation) -> bool:
        return (a.bits_per_weight <= b.bits_per_weight and a.kl <= b.kl
                and (a.bits_per_weight, a.kl) != (b.bits_per_weight, b.kl))

    return [name for name, point in curve.items() if not any(beats(other, point) for other in curve.values())]
