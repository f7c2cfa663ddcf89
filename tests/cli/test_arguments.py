"""Values of flags: what is read, and how a wrong one is refused."""

from __future__ import annotations

import argparse

import pytest

from minquant.cli import arguments


def test_recipe_flags_become_keywords_of_a_recipe():
    parser = arguments.Parser("eval", "about")
    parser.add_recipe()
    assert arguments.recipe_words(parser.parse_args([])) == {"method": "rtn"}
    args = parser.parse_args("--weights int4:g32 --kv int8:token --attention none --head float".split())
    assert arguments.recipe_words(args) == {"weights": "int4:g32", "method": "rtn", "kv": "int8:token"}


def test_recipe_flags_are_the_fields_of_recipe():
    import dataclasses

    from minquant import Recipe
    from minquant.model import METHODS

    listed = arguments.RECIPE_FLAGS["method"].partition(": ")[2].replace(" or ", ", ")
    assert listed.split(", ") == [name for name in METHODS if name != "qat"]  # a verb of its own
    assert set(arguments.RECIPE_FLAGS) == {f.name for f in dataclasses.fields(Recipe)} - {"overrides", "skip"}


def test_overrides_become_pairs_in_order_and_float_becomes_skip():
    from minquant import Recipe

    parser = arguments.Parser("eval", "about")
    parser.add_recipe()
    args = parser.parse_args("--override down_proj=int8:g32 --override layers.0=float --override *.1=int3:g32".split())
    words = arguments.recipe_words(args)
    assert words == {"method": "rtn", "overrides": [("down_proj", "int8:g32"), ("*.1", "int3:g32")],
                     "skip": ["layers.0"]}
    recipe = Recipe(**words)
    assert recipe.scheme_of("model.layers.1.mlp.down_proj.weight") == "int3:g32"
    assert recipe.scheme_of("model.layers.2.mlp.down_proj.weight") == "int8:g32"
    assert recipe.scheme_of("model.layers.0.mlp.down_proj.weight") is None


def test_calibration_text_is_read_by_methods_that_ask_for_it():
    from minquant import Recipe
    from minquant.evaluation.calibration import TOKENS

    parser = arguments.Parser("eval", "about")
    parser.add_recipe()
    args = parser.parse_args(["--calibration-seed", "5"])
    assert arguments.calibration(args, Recipe(weights="int4:g32", method="gptq")) == {"tokens": TOKENS, "seed": 5}
    assert arguments.calibration(args, Recipe(weights="int4:g32", method="awq")) is not None
    assert arguments.calibration(args, Recipe(weights="int4:g32")) is None
    assert arguments.calibration(args, Recipe(method="gptq")) is None
    assert arguments.calibration(args, Recipe(method="gptq", overrides={"layers.0": "int4:g32"})) is not None


def test_names_keep_their_order_and_spelling():
    assert arguments.names("bf16, int8:channel,int4:g32") == ["bf16", "int8:channel", "int4:g32"]


@pytest.mark.parametrize("parse, text, said", [
    (arguments.names, "bf16,,int8", "empty name"), (arguments.names, "", "empty name"),
    (arguments.whole(1), "two", "'two' is not a whole number"), (arguments.whole(1), "0", "at least 1"),
    (arguments.wholes(1), "128,-1", "at least 1"), (arguments.number(0, 1), "1.5", "outside 0 to 1"),
    (arguments.number(0, 1), "nan", "outside"), (arguments.number(0, 1), "x", "not a number"),
])
def test_a_wrong_value_is_refused_in_words(parse, text, said):
    with pytest.raises(argparse.ArgumentTypeError, match=said):
        parse(text)


@pytest.mark.parametrize("words, said", [
    (["decode", "--threads", "0"], "at least 1"), (["decode", "--context", "x"], "not a whole number"),
    (["ladder", "--repetitions", "0"], "at least 1"), (["generate", "--top-p", "2"], "outside 0 to 1"),
    (["generate", "--temperature", "-1"], "outside 0 to 10"), (["ladder", "--json", "--markdown"], "not allowed with"),
    (["eval", "--override", "down_proj"], "no PATTERN=SCHEME"), (["eval", "--override", "=int8:g32"], "no PATTERN"),
    (["lab", "--port", "0"], "at least 1"), (["eval", "a", "b"], "unrecognized arguments: b"),
])
def test_wrong_command_lines(refused, words, said):
    assert said in refused(*words)
