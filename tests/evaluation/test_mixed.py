"""Mixed precision: never above the budget, monotone, near the best of all assignments, and measured as it says."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minquant.evaluation import Choice, Reference, Sensitivity, evaluate, sensitivity, shuffled, spend
from minquant.evaluation.mixed import hull
from minquant.model import Recipe, linear_names

SCHEMES = ("int4:g8", "int2:g8", "int8:g8")


def toy(kl: list[list[float]], sizes: list[list[int]]) -> Sensitivity:
    """Matrices a, b, ... with up to three choices."""
    schemes = ("int2:g8", "int4:g8", "int8:g8")
    return Sensitivity({"abcdef"[i]: tuple(map(Choice, schemes, sizes[i], kl[i])) for i in range(len(kl))}, weights=800)


def assignments(found: Sensitivity) -> list[tuple[int, float]]:
    """Bytes and sum of KLs of every assignment there is."""
    return [(sum(c.nbytes for c in chosen), sum(c.kl for c in chosen)) for chosen in product(*found.choices.values())]


toys = st.integers(1, 4).flatmap(lambda n: st.tuples(
    st.lists(st.lists(st.floats(0, 10, width=16), min_size=3, max_size=3), min_size=n, max_size=n),
    st.lists(st.lists(st.integers(1, 30), min_size=3, max_size=3), min_size=n, max_size=n))).map(lambda x: toy(*x))


# ---- spending


@given(toys, st.floats(0, 1))
def test_the_budget_is_kept_and_the_sum_is_near_the_best_of_all(found, share):
    every = assignments(found)
    least, most = min(b for b, _ in every), max(b for b, _ in every)
    budget = least + int(share * (most - least))
    recipe = spend(found, budget)
    assert found.nbytes(recipe) <= budget
    best = min(kl for b, kl in every if b <= budget)
    steps = [low.kl - high.kl for choices in found.choices.values() for low, high in pairwise(hull(choices))]
    assert best - 1e-9 <= found.predicted(recipe) <= best + max(steps, default=0) + 1e-9  # one step did not fit


@given(toys)
def test_more_bytes_are_never_predicted_to_be_worse(found):
    every = assignments(found)
    budgets = range(min(b for b, _ in every), max(b for b, _ in every) + 1)
    sums = [found.predicted(spend(found, budget)) for budget in budgets]
    assert all(after <= before + 1e-9 for before, after in pairwise(sums))
    assert sums[-1] == pytest.approx(min(kl for _, kl in every))


@given(toys)
def test_what_it_spends_is_spent_best(found):
    """With exactly the bytes of a whole number of its steps, no assignment has a smaller sum."""
    chosen = {name: hull(choices)[0] for name, choices in found.choices.items()}
    steps = [(name, low, high) for name, choices in found.choices.items() for low, high in pairwise(hull(choices))]
    for name, low, high in sorted(steps, key=lambda s: (s[2].kl - s[1].kl) / (s[2].nbytes - s[1].nbytes)):
        chosen[name] = high
        budget = sum(choice.nbytes for choice in chosen.values())
        best = min(kl for b, kl in assignments(found) if b <= budget)
        assert found.predicted(spend(found, budget)) == pytest.approx(best)


def test_bytes_go_where_they_take_away_most_kl():
    found = toy([[9, 1, 0.5], [4, 3, 2.9], [8, 7.9, 0]], [[10, 20, 40], [10, 20, 40], [10, 20, 40]])
    assert hull(found.choices["c"]) == [found.choices["c"][0], found.choices["c"][2]]  # 20 bytes for 0.1 are no offer
    bits = {budget: "".join(spend(found, budget).scheme_of(name)[3] for name in "abc")
            for budget in (39, 40, 69, 70, 80)}
    assert bits == {39: "222", 40: "422", 69: "442", 70: "428", 80: "448"}  # at 69, c's step of 30 bytes does not fit


def test_a_budget_that_is_too_small_names_the_bytes_it_needs():
    found = toy([[3, 2], [3, 2]], [[10, 20], [11, 20]])
    with pytest.raises(ValueError, match="of 20 bytes is too small: the cheapest schemes on offer take 21 bytes"):
        spend(found, 20)
    assert found.nbytes(spend(found, 21)) == 21


def test_a_scheme_that_was_not_measured_is_named():
    with pytest.raises(ValueError, match="a was not measured at int3:g8, only at int2:g8, int4:g8"):
        toy([[3, 2]], [[1, 2]]).predicted(Recipe(weights="int3:g8"))


@given(toys, st.integers(0, 5))
def test_the_control_spends_the_same_bytes_on_other_matrices(found, seed):
    same = Sensitivity({name: found.choices["a"] for name in "abcdef"}, 6)  # all of one size
    recipe = spend(same, 6 * 30, kv="int8:token")  # enough for anything: sizes are at most 30
    other = shuffled(same, recipe, seed)
    assert sorted(other.scheme_of(n) for n in "abcdef") == sorted(recipe.scheme_of(n) for n in "abcdef")
    assert same.nbytes(other) == same.nbytes(recipe) and other.kv == "int8:token"


def test_the_control_deals_only_among_matrices_of_one_size_and_by_its_seed():
    found = toy([[9, 1], [9, 2], [9, 3], [9, 4]], [[10, 20], [10, 20], [30, 60], [30, 60]])
    recipe = spend(found, 130)  # steps for a, b and one of the large ones
    dealt = {tuple(shuffled(found, recipe, seed).scheme_of(n) for n in "abcd") for seed in range(20)}
    assert len(dealt) > 1 and all(found.nbytes(shuffled(found, recipe, s)) == found.nbytes(recipe) for s in range(5))
    assert {row[:2] for row in dealt} == {tuple(recipe.scheme_of(n) for n in "ab")}
    assert shuffled(found, recipe, 3) == shuffled(found, recipe, 3)


# ---- measuring


@pytest.fixture(scope="module")
def reference(model, tokens):
    return Reference(model, tokens, 8, 4)


@pytest.fixture(scope="module")
def found(model, reference):
    return sensitivity(model, SCHEMES, reference)


def test_each_matrix_is_measured_alone(model, reference, found):
    names = linear_names(model.config)
    assert list(found.choices) == names and found.weights == sum(model.weights[name].size for name in names)
    for name in (names[0], names[-1]):
        for choice in found.choices[name]:
            alone = model.quantize(Recipe(overrides={name: choice.scheme}))
            assert set(alone.qtensors) == {name} and alone.qtensors[name].nbytes == choice.nbytes
            assert choice.kl == evaluate(alone, reference).kl > 0
    assert [choice.scheme for choice in found.choices[names[3]]] == list(SCHEMES)


@pytest.mark.parametrize("bits", [2.3, 3.5, 5, 8])
def test_the_model_has_the_bytes_that_were_planned(model, found, bits):
    budget = found.bytes_at(bits)
    if budget < found.nbytes(Recipe(weights="int2:g8")):
        with pytest.raises(ValueError, match="too small"):
            spend(found, budget)
        return
    quantized = model.quantize(spend(found, budget))
    assert sum(q.nbytes for q in quantized.qtensors.values()) == found.nbytes(quantized.recipe) <= budget
    assert len(quantized.qtensors) == len(found.choices)


def test_where_errors_are_small_they_nearly_add_up(model, reference, found):
    recipe = Recipe(weights="int8:g8")
    assert found.predicted(recipe) == pytest.approx(evaluate(model.quantize(recipe), reference).kl, rel=0.5)
    assert found.predicted(recipe) == pytest.approx(sum(c[2].kl for c in found.choices.values()))


def test_the_method_is_that_of_the_measurement_or_another(model, reference):
    seen = np.arange(1, 41)
    found = sensitivity(model, ("int3:g8",), reference, "gptq", seen)
    name = linear_names(model.config)[2]
    alone = model.quantize(Recipe(method="gptq", overrides={name: "int3:g8"}), seen)
    assert found.choices[name][0].kl == evaluate(alone, reference).kl
    budget = found.bytes_at(8)
    assert spend(found, budget).method == "gptq" and spend(found, budget, "rtn").method == "rtn"


def test_progress_wraps_the_passes(model, reference):
    steps = []
    sensitivity(model, ("int4:g8",), reference, progress=lambda runs: (steps.append(run) or run for run in runs))
    assert len(steps) == len(linear_names(model.config))


@pytest.mark.parametrize("schemes", [(), "int4:g8", ("int4:g8", "int4:g8")])
def test_no_schemes_or_one_twice(model, reference, schemes):
    with pytest.raises(ValueError, match="a list of at least one scheme, each once"):
        sensitivity(model, schemes, reference)
