"""The board of lesson 14: every recipe a point, bytes per token against KL; and the reader's own dropped onto it.

How it works
    ``stored()`` gives the points that ``tools/pareto_board.py`` measured. ``board_card`` draws them: to the right more
    bytes are read per token, up is farther from the float model, both axes logarithmic. A line joins the *frontier*, the
    points that no other point beats in both. A budget is a box: what lies in it keeps bytes and KL. The point at hand is
    spelt out below, with its speed on this machine where ``rates`` are given (``benchmark.recipe_speed``).

    ``ParetoBoard`` adds a text field for a recipe in JSON and a button: the recipe is run on the shipped model, on the
    same text as the stored points, and put onto the board.

What we leave out
    Error bars: at these sizes a standard error is smaller than a dot. The words below the board have it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
from IPython.display import display

from .. import evaluation
from .._paths import data_path
from ..benchmark.recipe_speed import recipe_speed
from ..evaluation.card import Budget, measure_card
from ..model import Recipe
from . import svg
from .svg import Drawing
from .widgets import fallback, show_still, shown

WIDTH, HEIGHT = 720, 500
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 700, 46, 400
FLOOR = 1e-4  # KL below this is drawn here: the float model's is 0
Point = dict[str, Any]
START = '{"weights": "int4:g32:asym",\n "overrides": {"v_proj": "int8:g32"},\n "head": "int8:channel", "kv": "int8:token"}'


def stored() -> dict[str, Any]:
    """What ``tools/pareto_board.py`` measured: ``points``, and the text and command they come from."""
    return json.loads(data_path("pareto.json").read_text(encoding="utf-8"))


def frontier(points: Sequence[Point]) -> list[Point]:
    """The points that no other point beats in bytes and KL, cheapest first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (p["moved"], p["kl"])):
        if not best or point["kl"] < best[-1]["kl"]:
            best.append(point)
    return best


def beaten_by(point: Point, points: Sequence[Point]) -> list[Point]:
    """The points that need no more bytes than this one, have no more KL, and less of one of them."""
    return [p for p in points if p["moved"] <= point["moved"] and p["kl"] <= point["kl"]
            and (p["moved"], p["kl"]) != (point["moved"], point["kl"])]


def measured(model: Any, reference: Any, name: str, words: Mapping[str, Any], calibration: int = 4096) -> Point:
    """A recipe run on a model: a point like the stored ones. Raises ValueError or TypeError for what is no recipe."""
    recipe = Recipe(**words)
    seen = evaluation.calibration_tokens(model, calibration) if recipe.needs_text else None
    card = measure_card(model.quantize(recipe, seen), reference, "")
    return {"name": name, "recipe": dict(words), "nbytes": card.nbytes, "moved": card.moved, "kl": card.evaluation.kl,
            "kl_stderr": card.evaluation.kl_stderr}


def sentence(point: Point, points: Sequence[Point], speed: float | None = None) -> str:
    """What the board says about one point, in words."""
    others = beaten_by(point, points)
    place = "no point of the board beats it" if not others else f"beaten in both by: {others[-1]['name']}"
    fast = "" if speed is None else f", {speed:.1f} tok/s"
    return (f"{point['name']}: {point['moved'] / 1e6:.2f} MB per token{fast}, KL {point['kl']:.4f} "
            f"± {point['kl_stderr']:.4f}; {place}.")


def board_card(points: Sequence[Point], at: int, budget: Budget | None = None, mine: Sequence[Point] = (),
               speed: float | None = None) -> str:
    """The board as SVG: ``points`` and the reader's own, ``mine``; ``at`` counts through both, and is spelt out."""
    every = [*points, *mine]
    chosen = every[at]
    words = sentence(chosen, every, speed)
    drawing = Drawing(WIDTH, HEIGHT, f"{len(every)} recipes, bytes per token against KL. {words}")
    lows, highs = min(p["moved"] for p in every) / 1.15, max(p["moved"] for p in every) * 1.15
    top = max(1.0, max(p["kl"] for p in every)) * 1.6

    def x(moved: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * math.log(moved / lows) / math.log(highs / lows)

    def y(kl: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * math.log(max(kl, FLOOR) / FLOOR) / math.log(top / FLOOR)

    drawing.text(_LEFT - 54, 18, "KL to the float model, nats per token", bold=True)
    _axes(drawing, x, y, lows, highs, top)
    if budget is not None and budget.moved and budget.kl:
        right, upper = min(x(budget.moved), _RIGHT), max(y(budget.kl), _TOP)
        drawing.rect(_LEFT, upper, max(right - _LEFT, 0), _BOTTOM - upper, fill=svg.GREEN, opacity=0.18)
        drawing.text(_LEFT + 6, upper + 16, f"the budget: {budget.moved / 1e6:.2f} MB, KL {budget.kl:g}", size=12)
    edge = frontier(every)
    for a, b in zip(edge, edge[1:]):
        drawing.line(x(a["moved"]), y(a["kl"]), x(b["moved"]), y(b["kl"]), stroke=svg.BLUE, width=1.5, dash="5 4")
    for place, point in enumerate(every):
        own = place >= len(points)
        colour, half = (svg.VERMILLION, 5) if own else (svg.BLUE, 4) if point in edge else (svg.GREY, 4)
        drawing.rect(x(point["moved"]) - half, y(point["kl"]) - half, 2 * half, 2 * half, fill=colour, radius=0 if own else 4)
    px, py = x(chosen["moved"]), y(chosen["kl"])
    drawing.rect(px - 9, py - 9, 18, 18, stroke="currentColor", radius=9)
    drawing.text(min(max(px, _LEFT + 90), _RIGHT - 90), py - 15, chosen["name"], size=12, anchor="middle", bold=True)
    drawing.text(_LEFT - 54, HEIGHT - 44, words, size=12, bold=len(chosen["name"]))
    drawing.text(_LEFT - 54, HEIGHT - 26, "Blue: the frontier. Grey: another recipe is as cheap and closer. Red squares: "
                 "your own.", size=12)
    drawing.text(_LEFT - 54, HEIGHT - 8, json.dumps(chosen["recipe"]), size=11, mono=True)
    return str(drawing)


def _axes(drawing: Drawing, x, y, low: float, high: float, top: float) -> None:
    """Lines and labels: powers of ten upwards, megabytes to the right."""
    for power in range(round(math.log10(FLOOR)), math.floor(math.log10(top)) + 1):
        drawing.line(_LEFT, y(10**power), _RIGHT, y(10**power), dash="1 4")
        label = "0" if 10**power <= FLOOR else f"{10**power:g}"
        drawing.text(_LEFT - 6, y(10**power) + 4, label, size=11, anchor="end")
    for size in (1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7):
        if low <= size * 1e6 <= high:
            drawing.line(x(size * 1e6), _BOTTOM, x(size * 1e6), _BOTTOM + 4)
            drawing.text(x(size * 1e6), _BOTTOM + 18, f"{size:g}", size=11, anchor="middle")
    drawing.line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM)
    drawing.text((_LEFT + _RIGHT) / 2, _BOTTOM + 34, "megabytes read per token: weights and cache", size=12, anchor="middle")


class ParetoBoard:
    """The widget: a slider through the points, a field for a recipe, a button that measures it.

    ``own`` are the points the reader added. Given: a model and a ``Reference`` on the text of the stored points, a
    budget, and bytes per second by format (``format_rates``) for a model of shape ``shape``, where there are any.
    """

    def __init__(self, model: Any, reference: Any, budget: Budget | None = None, rates: Mapping[str, float] | None = None,
                 shape: Any = None):
        self.model, self.reference, self.budget, self.rates, self.shape = model, reference, budget, rates, shape
        self.points, self.own = stored()["points"], []
        wide = widgets.Layout(width="440px", max_width="100%")
        self.at = widgets.IntSlider(0, 0, len(self.points) - 1, description="point", layout=wide)
        self.recipe = widgets.Textarea(START, layout=widgets.Layout(width="440px", max_width="100%", height="76px"))
        self.button = widgets.Button(description="Measure this recipe", layout=widgets.Layout(width="180px"))
        self.said, self.picture = widgets.HTML(), widgets.HTML(shown(self.card()))
        self.at.observe(lambda _change: self._redraw(), names="value")
        self.button.on_click(lambda _button: self.add())
        self.box = widgets.VBox([self.at, self.picture, self.recipe, widgets.HBox([self.button, self.said])])

    def card(self) -> str:
        """The board as it stands."""
        point = [*self.points, *self.own][self.at.value]
        speed = None if not self.rates else recipe_speed(self.shape, Recipe(**point["recipe"]), self.rates)
        return board_card(self.points, self.at.value, self.budget, self.own, speed)

    def add(self) -> None:
        """Measure the recipe in the field and put it on the board; what is wrong with it is said beside the button."""
        self.said.value = "measuring ..."
        try:
            words = json.loads(self.recipe.value)
            if not isinstance(words, dict):
                raise ValueError("a recipe is a JSON object")
            self.own.append(measured(self.model, self.reference, f"yours, {len(self.own) + 1}", words))
        except (ValueError, TypeError) as problem:
            self.said.value = _safe(f"This cannot be measured: {problem}")
            return
        self.said.value = "on the board"
        self.at.max = len(self.points) + len(self.own) - 1
        self.at.value = self.at.max
        self._redraw()

    def _redraw(self) -> None:
        self.picture.value = shown(self.card())

    def show(self) -> None:
        """Display it, with a still for a page without a kernel."""
        first = self.card()
        display(dict(self.box._repr_mimebundle_()) | fallback(first), raw=True)
        show_still(first, "The same board as a still")


def _safe(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;")
