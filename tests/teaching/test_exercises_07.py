"""Exercises 07: the rules against brute-force oracles of their own, and the facts their texts state."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from minquant import evaluation
from minquant.evaluation.windows import cut_windows
from minquant.teaching.exercises.e07_measuring_quality import diagnose, kl, paired, units, windows

KEYS = [f"key{n}" for n in range(8)]
EVERY_KEY = pytest.mark.parametrize("key", KEYS)


def pieces(text, per):
    """Bytes, characters or words of a text, by walking over it."""
    count, inside = 0, False
    for letter in text:
        count += {"byte": len(letter.encode()), "character": 1, "word": not letter.isspace() and not inside}[per]
        inside = not letter.isspace()
    return count


@EVERY_KEY
def test_perplexity_and_cost_by_multiplying_probabilities(key):
    spec = units.EXERCISE.drawn(key)
    for text in (units.PLAIN, units.ODD):
        log_probs = spec["shown"] + [-0.25, -1.5]
        product, scored = 1.0, 0
        for place, value in enumerate(log_probs):
            if place >= spec["skip"]:
                product, scored = product * {"2": 2, "10": 10, "math.e": math.e}[spec["base"]] ** value, scored + 1
        nats = -math.log(product)
        perplexity, cost = units.right(spec, log_probs, text)
        assert perplexity == pytest.approx((1 / product) ** (1 / scored))
        assert cost == pytest.approx(nats / (math.log(2) if spec["unit"] == "bits" else 1) / pieces(text, spec["per"]))


def test_the_odd_text_tells_all_ways_of_counting_apart():
    for count, other, _ in units.COUNTS.values():
        got = {text: (eval(count, {"text": text}), eval(other, {"text": text})) for text in (units.PLAIN, units.ODD)}
        assert got[units.PLAIN][0] == got[units.PLAIN][1] and got[units.ODD][0] != got[units.ODD][1]


@EVERY_KEY
def test_windows_by_asking_each_token_which_window_sees_it_first(key):
    spec = windows.EXERCISE.drawn(key)
    context, stride = spec["context"], spec["stride"]
    for count in range(spec["lead"] + 1, len(spec["table"]) + 1):
        spans = [range(start, min(start + context, count)) for start in range(0, count, stride)]
        spans = spans[:1 + next(n for n, span in enumerate(spans) if count - 1 in span)]
        if spec["moved"] and count > context:
            spans[-1] = range(count - context, count)
        seen = {i: next(n for n, span in enumerate(spans) if i in span) for i in range(spec["lead"], count)}
        product = 1.0
        for i, n in seen.items():
            product *= math.exp(spec["table"][i][sum(j < i for j in spans[n])])
        found, perplexity = windows.right(spec, spec["table"][:count])
        assert [(begin, end) for begin, _, end in found] == [(span[0], span[-1] + 1) for span in spans]
        assert seen == {i: n for n, (_, first, end) in enumerate(found) for i in range(first, end)}
        assert perplexity == pytest.approx(product ** (1 / len(seen)))


@EVERY_KEY
def test_scoring_everything_in_short_last_windows_is_what_the_package_does(key):
    spec = windows.EXERCISE.drawn(key) | {"lead": 0, "moved": False}
    for count in range(1, len(spec["table"]) + 1):
        ours = [(w.begin, w.first, w.end) for w in cut_windows(count, spec["context"], spec["stride"])]
        assert list(map(tuple, windows.right(spec, spec["table"][:count])[0])) == ours


@EVERY_KEY
def test_the_picture_of_the_windows_marks_what_they_read_and_score(key):
    spec = windows.EXERCISE.drawn(key)
    found, _ = windows.right(spec, spec["shown"])
    head, *rows = spec["picture"].splitlines()
    places = {int(i): head.index(f"{int(i):2d}", 10) + 1 for i in head.split()[1:]}
    for row, (begin, first, end) in zip(rows, found, strict=True):
        marks = {i: row[at] for i, at in places.items() if at < len(row) and row[at] != " "}
        assert marks == {i: "s" if i >= first else "r" for i in range(begin, end)}


@EVERY_KEY
def test_kl_with_fifty_digits(key):
    spec = kl.EXERCISE.drawn(key)
    moved = [[value + 4096 for value in row] for row in spec["tested"]]
    for floats, rounded in ((spec["tested"], spec["tested_rounded"]), (moved, spec["tested_rounded"]),
                            ([[0.0, 0.0]], [[0.0, -2048.0]])):
        with localcontext() as exact:
            exact.prec = 50
            want = []
            for pair in zip(floats, rounded, strict=True):
                powers = [[(Decimal(x) / Decimal(spec["temperature"])).exp() for x in row] for row in pair]
                p, q = ([power / sum(row) for power in row] for row in powers)
                if spec["first"] == "rounded":
                    p, q = q, p
                nats = sum(a * (a / b).ln() for a, b in zip(p, q, strict=True))
                want.append(float(nats / (Decimal(2).ln() if spec["unit"] == "bits" else 1)))
        each, single = kl.right(spec, floats, rounded)
        assert each == pytest.approx(want, rel=1e-9)
        assert single == pytest.approx({"mean": np.mean, "median": np.median, "largest": np.max}[spec["figure"]](want))


@EVERY_KEY
def test_two_lines_of_the_report_differ_from_the_rules_and_only_those(key):
    spec = diagnose.EXERCISE.drawn(key)
    assert len(spec["wrong"]) == 2 and sum(cause in diagnose.LOUD for cause in spec["wrong"].values()) == 1
    for line in spec["lines"]:
        counted = [b for b in range(12) if not line["tuned"][0] <= b <= line["tuned"][-1]]
        values = [(line["costs"][b] - spec["floats"][b]) / spec["bytes"] for b in counted]
        values = np.log2(np.exp(values)) if spec["bits"] else np.array(values)
        same = (line["difference"], line["error"]) == pytest.approx(
            (values.mean(), math.sqrt(((values - values.mean()) ** 2).sum() / 8 / 9)), rel=2e-3)
        assert same == (line["row"] not in spec["wrong"])


@EVERY_KEY
def test_the_causes_do_what_their_names_say(key):
    spec = diagnose.EXERCISE.drawn(key) | {"bits": False}
    line = spec["lines"][0]
    floats, copy = np.array(spec["floats"]) / spec["bytes"], np.array(line["costs"]) / spec["bytes"]
    counted = [b for b in range(12) if b not in line["tuned"]]
    right = diagnose.measured(spec, line)
    error = {cause: diagnose.measured(spec, line, cause)[1] for cause in diagnose.CAUSES}
    difference = {cause: diagnose.measured(spec, line, cause)[0] for cause in diagnose.CAUSES}
    assert difference["leaked"] == pytest.approx((copy - floats).mean()) and difference["leaked"] < right[0]
    assert difference["texts"] == pytest.approx(copy[counted].mean() - floats.mean()) and error["texts"] == right[1]
    assert difference["unpaired"] == right[0]
    assert error["unpaired"] ** 2 == pytest.approx((copy[counted].var(ddof=1) + floats[counted].var(ddof=1)) / 9)
    assert error["unpaired"] > 2 * right[1], "a difference is surer than two separate figures"
    assert 3 < difference["tokens"] / right[0] < 5, "a token is three to five bytes"
    starts = range(0, 12, spec["window"] - 1)
    readings = [b for s in starts if s < 11 for b in range(s, min(s + spec["window"], 12)) if b in counted]
    assert difference["twice"] == pytest.approx((copy - floats)[readings].mean())
    assert error["twice"] == pytest.approx((copy - floats)[readings].std(ddof=1) / math.sqrt(len(readings)))


@EVERY_KEY
def test_the_error_of_a_difference_is_that_of_the_package(key):
    spec = paired.EXERCISE.drawn(key)
    rounded, floats = (np.array(paired._whole(spec, series)) for series in spec["tested"])
    difference, error, needed = paired.right(spec, rounded.tolist(), floats.tolist())
    ours = evaluation.paired_difference(rounded, floats, spec["block"])
    scale = math.log(2) if spec["bits"] else 1
    assert (difference, error) == pytest.approx((ours.value / scale, ours.stderr / scale))
    assert needed == math.ceil(ours.tokens_needed(spec["z"]))


@EVERY_KEY
def test_the_tokens_needed_by_trying_longer_and_longer_texts(key):
    spec = paired.EXERCISE.drawn(key)
    for pair in (spec["tested"], spec["shown"]):
        difference, error, needed = paired.right(spec, *pair)
        used = len(pair[0]) // spec["block"] * spec["block"]
        tokens = 1
        while spec["z"] * error * math.sqrt(used / tokens) > abs(difference):
            tokens += 1
        assert needed == tokens


@EVERY_KEY
def test_a_rest_moves_the_difference_and_not_the_error(key):
    spec = paired.EXERCISE.drawn(key)
    rounded, floats = spec["tested"]
    places = range(spec["rest"]) if spec["front"] else range(len(floats) - spec["rest"], len(floats))
    other = [cost + (i in places) for i, cost in enumerate(rounded)]
    before, after = paired.right(spec, rounded, floats), paired.right(spec, other, floats)
    assert after[0] > before[0] and after[1] == before[1]
