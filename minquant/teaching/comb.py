"""Pictures of lesson 13: weights between the teeth of their grid while a model is trained with rounding.

How it works
    A weight divided by the step of its group is its place on a ruler whose whole numbers are the codes. ``Moment``
    keeps these places for one matrix at one step of training; ``comb_drawing`` draws them as a histogram, each bar in the
    colour of the code its weights get, and below it the comb: one tooth per code, as long as the share of weights that
    the model uses there. ``watcher`` takes such moments while ``training.qat`` runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from . import svg
from .one_weight import OneWeight
from .svg import Drawing

WIDTH, HEIGHT = 720, 330
_LEFT, _SCALE, _BASE, _TALL, _COMB, _TOOTH = 360, 92, 182, 130, 216, 60
_ENDS, _BINS = 3.5, 70  # the ruler shows -3.5 to 3.5 steps
_COLOURS = (svg.PURPLE, svg.BLUE, svg.GREEN, svg.VERMILLION)


@dataclass(frozen=True, eq=False)
class Moment:
    """One matrix at one step of training: places and codes (weights,), and both of the followed weight."""

    step: int
    places: np.ndarray
    codes: np.ndarray
    place: float
    code: int


def moment(step: int, rounder, weight: np.ndarray, steps: np.ndarray | None, followed: OneWeight) -> Moment:
    """A ``Moment`` of a matrix (out, in) with its ``training.Rounder`` and the steps of its grid."""
    grid = rounder.stored(weight, steps)  # (n, 1)
    places = rounder.scheme.blocks(weight) / grid  # (n, length)
    codes = np.clip(np.rint(places), rounder.lowest, rounder.highest).reshape(weight.shape)
    places = places.reshape(weight.shape)
    at = followed.row, followed.column
    return Moment(step, places.reshape(-1), codes.reshape(-1).astype(int), float(places[at]), int(codes[at]))


def watcher(followed: OneWeight, kept: list[Moment], every: int) -> Callable:
    """A ``watch`` for ``training.qat`` that puts a Moment of the followed weight's matrix into ``kept``."""
    def watch(step: int, rounders: dict, trained: dict) -> None:
        if step % every == 0:
            name = followed.tensor
            kept.append(moment(step, rounders[name], trained[name], trained.get(name + ".step"), followed))
    return watch


def changed(first: Moment, last: Moment) -> float:
    """Share of the weights whose code is another one."""
    return float((first.codes != last.codes).mean())


def comb_drawing(moments: Sequence[Moment]) -> Callable[[int], str]:
    """A function of the training step that draws the moment taken there, as SVG, for ``explore``."""
    by_step = {m.step: m for m in moments}
    return lambda training_step: _drawing(by_step[training_step], moments[0])


def _drawing(m: Moment, first: Moment) -> str:
    other = changed(first, m)
    drawing = Drawing(WIDTH, HEIGHT, f"Step {m.step}: {other:.1%} of the codes are no longer those of step "
                      f"{first.step}; the followed weight lies at {m.place:.2f} and has code {m.code}")
    edges = np.linspace(-_ENDS, _ENDS, _BINS + 1)
    counts, _ = np.histogram(m.places, edges)
    middles = (edges[:-1] + edges[1:]) / 2
    low, high = int(m.codes.min()), int(m.codes.max())
    for count, left, middle in zip(counts, edges, middles):
        tall = _TALL * count / counts.max()
        code = int(np.clip(np.rint(middle), low, high))
        drawing.rect(_x(left), _BASE - tall, _SCALE * (edges[1] - edges[0]) - 1, tall, fill=_colour(code))
    drawing.line(_x(-_ENDS), _BASE, _x(_ENDS), _BASE)
    drawing.line(_x(m.place), _BASE - _TALL - 8, _x(m.place), _BASE, width=2)
    drawing.text(_x(m.place), _BASE - _TALL - 14, "followed weight", size=12, anchor="middle")
    for code in range(low, high + 1):
        share = float((m.codes == code).mean())
        drawing.text(_x(code), _BASE + 18, str(code), anchor="middle", bold=True)
        drawing.rect(_x(code) - 4, _COMB, 8, max(_TOOTH * share / 0.5, 1), fill=_colour(code))
        drawing.text(_x(code) + 8, _COMB + 12, f"{share:.0%}", size=12)
    drawing.text(8, 20, f"step {m.step}", bold=True)
    drawing.text(WIDTH - 8, 20, f"codes changed: {other:.1%}", anchor="end", bold=True)
    drawing.text(8, HEIGHT - 10, "Above: float weights in steps of their grid. Below: what the model computes with. "
                 "Black: the weight we follow.", size=12)
    return str(drawing)


def _x(place: float) -> float:
    return _LEFT + _SCALE * float(np.clip(place, -_ENDS, _ENDS))


def _colour(code: int) -> str:
    return _COLOURS[code % len(_COLOURS)]
