"""Speeds of mixed recipes: bytes by hand, and the measured speed again where nothing is mixed."""

from __future__ import annotations

import pytest

from minquant import Recipe
from minquant.benchmark.recipe_speed import bytes_by_format, format_rates, recipe_speed
from minquant.evaluation import cache_bytes
from minquant.model import random_model

CONFIG = random_model("tiny").config
RATES = {"bf16": 2e7, "int4:g32": 1e7, "int8:g32": 5e6}


def test_rates_are_bytes_times_tokens():
    rows = [{"weights": "bf16", "kv": "bf16", "bytes_per_token": 100, "tokens_per_s": 3.0},
            {"weights": "bf16", "kv": "int8:token", "bytes_per_token": 80, "tokens_per_s": 3.0}]
    assert format_rates(rows) == {"bf16": 300.0}


def test_every_byte_is_in_one_format():
    mixed = Recipe(weights="int4:g32", overrides={"down_proj": "int8:g32"}, skip=("layers.0.mlp.down_proj",))
    found = bytes_by_format(CONFIG, mixed)
    model = random_model(CONFIG).quantize(mixed)
    assert sum(found.values()) == model.nbytes
    assert found["int8:g32"] == 3 * 256 * 768 * 34 // 32


def test_one_format_gives_its_own_speed_again():
    whole = 2 * CONFIG.parameters + cache_bytes(CONFIG, "bf16", 512)
    assert recipe_speed(CONFIG, Recipe(), RATES) == pytest.approx(RATES["bf16"] / whole)


def test_times_add_up_and_a_format_without_a_kernel_has_none():
    mixed = Recipe(weights="int4:g32", overrides={"down_proj": "int8:g32"}, kv="int8:token")
    found = bytes_by_format(CONFIG, mixed)
    seconds = sum(n / RATES[s] for s, n in found.items()) + cache_bytes(CONFIG, "int8:token", 512) / 2e7
    assert recipe_speed(CONFIG, mixed, RATES) == pytest.approx(1 / seconds)
    assert recipe_speed(CONFIG, Recipe(weights="int5:g32"), RATES) is None
