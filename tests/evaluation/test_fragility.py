"""The fragility experiment: recipes, pairs, operand errors and the generated statement."""

from __future__ import annotations

import numpy as np
import pytest

from minquant.evaluation import Cell, Fragility, Reference, evaluate, fragility, paired_difference
from minquant.evaluation.fragility import TEXTBOOK, operand_error, verdict
from minquant.evaluation.fragility_text import as_markdown, statement, why
from minquant.model import Config, Recipe, Transformer, layers, linear_names, random_model
from minquant.scaling import fake_quantize

CONFIG = Config(vocab_size=50, hidden=32, layers=2, heads=2, kv_heads=1, head_dim=32, ffn=64, context=40)


@pytest.fixture(scope="module")
def model():
    return Transformer(CONFIG, dict(random_model(CONFIG, seed=4).weights))


@pytest.fixture(scope="module")
def reference(model):
    return Reference(model, np.random.default_rng(0).integers(0, 50, 200), stride=40)


def made(**kl):
    """A Fragility of one column, KL per token of each part around a mean."""
    noise = np.random.default_rng(1).standard_normal(4096) * 1e-4
    return Fragility({(part, "row", 4): Cell(part, "row", 4, Recipe(), kl[part] + noise * (i + 1), 0.01 * (i + 1))
                      for i, part in enumerate(TEXTBOOK)})


def test_each_part_alone_at_the_same_format(model, reference):
    found = fragility(model, reference, bits=(6, 3), sharing=("row", "group"))
    assert found.columns() == [("row", 6), ("row", 3), ("group", 6), ("group", 3)]
    assert {str(getattr(c.recipe, c.part)) for c in found.cells.values()} == {
        "int6:channel", "int6:token", "int6:g32", "int3:channel", "int3:token", "int3:g32"}
    for cell in found.cells.values():
        others = [p for p in TEXTBOOK if p != cell.part]
        assert all(getattr(cell.recipe, p) is None for p in others)
        assert cell.kl == pytest.approx(evaluate(model.quantize(cell.recipe), reference).kl) and cell.kl > 0
    for part in TEXTBOOK:
        assert found.cells[part, "row", 6].kl < found.cells[part, "row", 3].kl
    figures = found.cells["kv", "row", 3].figures()
    assert (figures["scheme"], figures["bits"], figures["sharing"]) == ("int3:token", 3, "row")


def test_practised_is_what_each_part_gets_in_its_literature(model, reference):
    asked = []
    fragility(model, reference, sharing=("practised",), measure=lambda recipe: asked.append(recipe) or np.ones(8))
    assert asked[4:] == [Recipe(weights="int4:g32:asym", method="gptq"), Recipe(activations="int4:g32:asym"),
                         Recipe(kv="kivi4"), Recipe(attention="int4:g32:asym:smooth")]


def test_orders_and_gaps_are_paired():
    found = made(weights=0.2, activations=0.1, kv=0.3, attention=0.3)
    assert [cell.part for cell in found.order("row", 4)][:2] == ["activations", "weights"]
    (a, b, first), (*_, second), (*_, third) = found.gaps("row", 4)
    assert (a, b) == ("weights", "activations")
    kl = [found.cells[part, "row", 4].kl_per_token for part in ("activations", "weights")]
    assert first == paired_difference(*kl)
    assert [verdict(gap) for gap in (first, second, third)] == ["reversed", "holds", "not told apart"]
    assert found.bits_needed("row", 0.15) == {"weights": None, "activations": 4, "kv": None, "attention": None}
    assert found.minded("row", 4)["activations"] == pytest.approx(0.1 / 0.02, rel=1e-3)


def test_the_statement_follows_from_the_figures():
    said = statement(made(weights=0.1, activations=0.2, kv=0.3, attention=0.4))
    assert "By KL at the same bits: it holds. Of 1 comparisons, weights < activations holds in 1;" in said
    assert "holds in 1; KV cache < attention holds in 1. The order" in said
    said = statement(made(weights=0.4, activations=0.2, kv=0.3, attention=0.5))
    assert "it does not hold. Of 1 comparisons, weights < activations reversed in 1; activations < KV cache h" in said
    assert "most often measured is activations < KV cache < weights < attention (1 of 1)" in said
    said = statement(made(weights=0.1, activations=0.2, kv=0.2, attention=0.5))
    assert "nothing contradicts it" in said and "activations < KV cache not told apart in 1" in said
    assert "(row): no step of it is reversed (weights more than measured, " in said
    said = statement(made(weights=0.01, activations=0.03, kv=0.06, attention=0.1))
    assert "it holds in 1 of 1" in said and "KL differs 10 to 10 times, KL per unit of error 2.5 to 2.5 times" in said


def test_the_tables_have_a_row_per_column():
    found = made(weights=0.1, activations=0.2, kv=0.1, attention=0.4)
    row = as_markdown(found).splitlines()[2]
    assert row.startswith("| row | 4 | 100 ± ") and row.count("holds") == 2 and row.count("reversed") == 1
    assert why(found).splitlines()[2] == "| row | 4 | 0.01, 10 | 0.02, 10 | 0.03, 3.3 | 0.04, 10 |"


def test_operand_errors_are_those_of_all_that_is_rounded(model):
    tokens, names = np.arange(40), linear_names(CONFIG)
    def share(arrays, scheme):
        bad = sum(float(((a - fake_quantize(a, scheme)).astype(float) ** 2).sum()) for a in arrays)
        return bad / sum(float((a.astype(float) ** 2).sum()) for a in arrays)

    seen = {}
    model.run(tokens, tap=lambda name, x: seen.setdefault(name, x.copy()))
    attention = [f"model.layers.{i}.self_attn." for i in range(2)]
    assert operand_error(model, tokens, "weights", "int4:channel") == pytest.approx(
        share([model.weights[n] for n in names], "int4:channel"))
    assert operand_error(model, tokens, "activations", "int4:g32") == pytest.approx(
        share([seen[n] for n in names], "int4:g32"))
    assert operand_error(model, tokens, "kv", "int4:token") == pytest.approx(
        share([seen[a + p] for a in attention for p in "kv"], "int4:token"))
    rows = []
    for a in attention:
        scores = seen[a + "q"] @ seen[a + "k"].transpose(0, 2, 1) / np.float32(np.sqrt(32))
        scores[:, np.triu(np.ones((40, 40), bool), 1)] = -np.inf
        rows += [seen[a + "q"], seen[a + "k"], layers.softmax(scores)]
    assert operand_error(model, tokens, "attention", "int4:token") == pytest.approx(share(rows, "int4:token"), rel=1e-4)


@pytest.mark.parametrize("words", [{"bits": ()}, {"bits": (4, 4)}, {"sharing": ("rows",)}, {"sharing": ()}])
def test_bad_input_is_named(model, reference, words):
    with pytest.raises(ValueError, match="fragility: bits, each once, and sharing of row, group, practised"):
        fragility(model, reference, **words)
