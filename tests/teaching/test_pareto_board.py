"""Lesson 14's board: the stored points against the library, the frontier by brute force, the widget with a tiny model."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest

import minquant as mq
from minquant.evaluation import Reference, heldout_tokens
from minquant.evaluation.card import Budget, bytes_per_token
from minquant.teaching import pareto_board, svg
from minquant.teaching.pareto_board import ParetoBoard, board_card

STORED = pareto_board.stored()
POINTS = STORED["points"]


def words(picture: str) -> str:
    return " | ".join("".join(t.itertext()) for t in ElementTree.fromstring(picture).findall(".//{*}text"))


@pytest.fixture(scope="module")
def tiny():
    model = mq.load("tiny")
    return model, Reference(model, heldout_tokens(model, limit_bytes=400))


@pytest.mark.parametrize("place", range(len(POINTS)))
def test_bytes_of_every_stored_point(tiny, place):
    """Bytes do not depend on the method, so no text is needed."""
    point = POINTS[place]
    plain = {name: value for name, value in point["recipe"].items() if name != "method"}
    model = tiny[0].quantize(mq.Recipe(**plain))
    assert (model.nbytes, bytes_per_token(model, STORED["cached"])) == (point["nbytes"], point["moved"])


def test_a_stored_kl_is_measured_again(tiny):
    point = next(p for p in POINTS if p["name"] == "3 bits")
    model = tiny[0]
    reference = Reference(model, heldout_tokens(model, limit_bytes=STORED["limit_bytes"]), stride=model.config.context)
    again = pareto_board.measured(model, reference, "again", point["recipe"])
    assert again["kl"] == pytest.approx(point["kl"], rel=0.05) and again["moved"] == point["moved"]


def test_the_frontier_is_what_nobody_beats():
    edge = pareto_board.frontier(POINTS)
    brute = [p for p in POINTS if not any(q["moved"] <= p["moved"] and q["kl"] <= p["kl"] and q != p for q in POINTS)]
    assert [p["name"] for p in edge] == [p["name"] for p in sorted(brute, key=lambda p: p["moved"])]
    assert len(edge) >= 5 and any(p not in edge for p in POINTS)
    assert all(bool(pareto_board.beaten_by(p, POINTS)) == (p not in edge) for p in POINTS)


@pytest.mark.parametrize("at", range(0, len(POINTS), 5))
def test_the_board_says_and_rings_the_point_at_hand(at):
    picture = board_card(POINTS, at, Budget(moved=2_500_000, kl=0.05), speed=12.5)
    said, point = words(picture), POINTS[at]
    assert point["name"] in said and f"{point['kl']:.4f}" in said and "12.5 tok/s" in said
    assert json.dumps(point["recipe"]) in said and "the budget: 2.50 MB, KL 0.05" in said
    squares = [e for e in ElementTree.fromstring(picture).findall(".//{*}rect")]
    assert sum(e.get("width") == "18" for e in squares) == 1
    assert sum(e.get("fill") in (svg.BLUE, svg.GREY) for e in squares) == len(POINTS)


def test_points_in_the_box_are_those_within_the_budget():
    budget = Budget(moved=2_600_000, kl=0.04)
    rects = ElementTree.fromstring(board_card(POINTS, 0, budget)).findall(".//{*}rect")
    box = next(e for e in rects if e.get("fill") == svg.GREEN)
    left, top = float(box.get("x")), float(box.get("y"))
    right, bottom = left + float(box.get("width")), top + float(box.get("height"))
    dots = [e for e in rects if e.get("fill") in (svg.BLUE, svg.GREY)]
    for point, dot in zip(POINTS, dots, strict=True):
        x, y = float(dot.get("x")) + 4, float(dot.get("y")) + 4
        assert (x <= right and top <= y <= bottom) == (point["moved"] <= budget.moved and point["kl"] <= budget.kl)


def test_a_recipe_dropped_in_is_measured_and_a_wrong_one_is_explained(tiny):
    board = ParetoBoard(*tiny, rates={"bf16": 1e10}, shape=tiny[0].config)
    assert " tok/s" in words(board.card())
    board.recipe.value = '{"weights": "int8:g32", "head": "int8:channel"}'
    board.button.click()
    assert len(board.own) == 1 and board.at.value == len(POINTS) and board.said.value == "on the board"
    assert board.own[0] == pareto_board.measured(*tiny, "yours, 1", json.loads(board.recipe.value))
    assert svg.VERMILLION in board.card() and "yours, 1" in words(board.card())
    for text, reason in (("{", "Expecting"), ("[1]", "JSON object"), ('{"weights": "int99"}', "int99"),
                         ('{"wieghts": "int4:g32"}', "wieghts")):
        board.recipe.value = text
        board.button.click()
        assert reason in board.said.value and len(board.own) == 1
