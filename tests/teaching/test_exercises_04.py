"""Exercises 04: the rules against brute-force oracles of their own, and the facts their texts state."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minquant.teaching.exercises import source
from minquant.teaching.exercises.e04_scales_and_clipping import bits, clip_search, diagnose, entropy, two_levels

KEYS = [f"key{n}" for n in range(8)]


@pytest.mark.parametrize("key", KEYS)
def test_bits_by_walking_over_a_super_block(key):
    spec = source.exercise("04.1").drawn(key)
    for group, groups in ((16, 4), (7, 3)):
        total = spec["super_bits"]
        for _group in range(groups):
            total += spec["scale_bits"] + spec["min_bits"]
            for _weight in range(group):
                total += spec["bits"]
        assert bits.bits_of(spec, group, groups) == pytest.approx(total / (group * groups))
    assert float(spec["example"]) == pytest.approx(bits.bits_of(spec, spec["group"], spec["groups"]), rel=1e-4)


@pytest.mark.parametrize("key", KEYS)
def test_the_clip_search_by_the_nearest_grid_value(key):
    """No codes: the values of the grid are listed, and each number takes the nearest."""
    spec = source.exercise("04.2").drawn(key)
    x = np.array(spec["first"])
    for place, share in enumerate(clip_search.shares(spec)):
        if spec["symmetric"]:
            step = share * np.abs(x).max() / (2 ** (spec["bits"] - 1) - 1)
            grid = step * np.arange(-(2 ** (spec["bits"] - 1)) + 1, 2 ** (spec["bits"] - 1))
        else:
            low, high = min(x.min(), 0), max(x.max(), 0)
            step = share * (high - low) / (2 ** spec["bits"] - 1)
            grid = step * (np.arange(2 ** spec["bits"]) - round(-share * low / step))
        nearest = np.abs(x[:, None] - grid).min(axis=1)
        assert clip_search.search(spec, spec["first"])[1][place] == pytest.approx((nearest ** spec["power"]).sum())


@pytest.mark.parametrize("key", KEYS)
def test_clipping_pays_for_the_lists_of_the_clip_search(key):
    spec = source.exercise("04.2").drawn(key)
    for name in ("first", "second", "one_sided", "shown"):
        share, errors = clip_search.search(spec, spec[name])
        assert share < 1 and min(errors) < errors[0]
    assert clip_search.search(spec, clip_search.on_grid(spec)) == (1.0, pytest.approx(
        clip_search.search(spec, clip_search.on_grid(spec))[1]))
    assert clip_search.search(spec, clip_search.on_grid(spec))[1][0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("key", KEYS)
def test_the_divergence_by_spreading_counts_one_by_one(key):
    spec = source.exercise("04.3").drawn(key)
    levels = spec["levels"]
    for counts in (spec["tailed"], spec["holes"]):
        for kept in range(spec["first"], len(counts) + 1):
            width = kept // levels
            of = [min(j // width, levels - 1) if spec["packed"] else
                  next(k for k in range(levels) if (j + 1) * levels <= (k + 1) * kept) for j in range(kept)]
            p = np.array(counts[:kept], float)
            q = np.zeros(kept)
            for j in range(kept):  # each bin gives its counts away, in equal parts
                partners = [i for i in range(kept) if of[i] == of[j] and counts[i]]
                for i in partners if counts[j] else []:
                    q[i] += counts[j] / len(partners)
            p[-1] += sum(counts[kept:])
            p, q = p / p.sum(), q / q.sum()
            seen = p > 0
            want = math.inf if (q[seen] == 0).any() else (p[seen] * np.log(p[seen] / q[seen])).sum()
            got = entropy.divergence(spec, counts, kept) * (math.log(2) if spec["bits"] else 1)
            assert got == pytest.approx(want)


@pytest.mark.parametrize("key", KEYS)
def test_every_level_has_its_bins_and_the_gap_is_passed_over(key):
    spec = source.exercise("04.3").drawn(key)
    for kept in range(spec["first"], entropy.BINS + 1):
        of = [entropy.level(spec, j, kept) for j in range(kept)]
        assert of == sorted(of) and set(of) == set(range(spec["levels"]))
    found = entropy.best(spec, entropy.gap(spec))[1]
    assert sum(map(math.isinf, found)) == 9 and math.isfinite(found[-1])


@pytest.mark.parametrize("key", KEYS)
def test_two_copies_differ_from_the_rules_and_only_those(key):
    spec = source.exercise("04.4").drawn(key)
    W = np.array(spec["matrix"])
    for run in spec["runs"]:
        top, groups = 2 ** (run["bits"] - 1) - 1, W.reshape(-1, run["group"])
        wanted = run["clip"] * np.abs(groups).max(axis=1) / top * 64 / spec["units"]
        stored = np.maximum(np.ceil(wanted) if spec["rounding"] == "up" else np.rint(wanted), 1)
        scale = stored[:, None] * spec["units"] / 64
        codes = np.rint(groups / scale).clip(-top, top)
        same = (stored.tolist() == run["scales"]) and (codes.reshape(W.shape).tolist() == run["codes"])
        assert same == (run["row"] not in spec["wrong"])
        if same:
            lost = 100 * ((scale * codes - groups) ** 2).sum() / (W**2).sum()
            assert run["error"] == pytest.approx(lost, rel=6e-3)


def test_the_causes_do_what_their_names_say():
    spec = source.exercise("04.4").drawn()
    run = dict(row=1, bits=4, group=3, clip=0.8)
    scales, codes = diagnose.quantized(spec, run)
    assert diagnose.quantized(spec, run, "order") == (scales[::-1], codes)
    assert diagnose.quantized(spec, run, "stored")[0] == scales
    assert diagnose.quantized(spec, run, "twice") == diagnose.quantized(spec, run | {"clip": 0.8**2})
    alike = spec | {"matrix": [[1.0, -3.0, 2.0] * 2] * 5 + [[0.5, 0.25, -2.0] * 2]}  # 0.8 of 3 is the end for both
    scale = diagnose.quantized(alike, run)[0]
    absolute = diagnose.quantized(alike, run, "absolute")[0]
    assert absolute[:10] == scale[:10] and absolute[10:] == diagnose.quantized(alike, run | {"clip": 1.0})[0][10:]
    turned = spec | {"matrix": diagnose.turned(spec["matrix"])}
    assert diagnose.quantized(spec, run, "axis")[1] == diagnose.turned(diagnose.quantized(turned, run)[1])


@pytest.mark.parametrize("key", KEYS)
def test_one_scale_is_misplaced_and_one_clip_or_code_is_wrong(key):
    spec = source.exercise("04.4").drawn(key)
    assert sum(cause in diagnose.LOUD for cause in spec["wrong"].values()) == 1 and len(spec["wrong"]) == 2
    for row in spec["wrong"]:  # the printed error never passes for the right one
        assert abs(spec["runs"][row - 1]["error"] / diagnose.right(spec, row) - 1) > 2 * diagnose.TOLERANCE


@pytest.mark.parametrize("key", KEYS)
def test_a_super_block_is_off_by_at_most_half_a_step_of_its_groups(key):
    spec = source.exercise("04.5").drawn(key)
    for name in ("first", "second", "shown"):
        x = np.array(spec[name])
        d, scales, codes = two_levels.packed(spec, spec[name])
        step = d * np.repeat(scales, spec["group"])
        reach = step * spec["top"]
        off = np.abs(step * np.array(codes) - x)
        assert (off <= np.maximum(step / 2, np.abs(x) - reach) * (1 + 1e-9)).all()
        assert max(scales) == spec["levels"] and np.abs(x).max() == pytest.approx(d * spec["levels"] * spec["top"])
        if spec["up"]:
            assert (np.abs(x) <= reach * (1 + 1e-9)).all(), "rounded up, no group scale is too short"


def test_a_super_block_of_zeros():
    spec = source.exercise("04.5").drawn()
    d, scales, codes = two_levels.packed(spec, two_levels.faint(spec))
    assert scales[1:] == [0, 0] and not any(codes[spec["group"]:]) and d > 0
