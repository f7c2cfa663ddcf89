"""``minquant fragility`` on a very small model."""

from __future__ import annotations

import json


def test_it_prints_what_the_library_finds(command, checkpoint):
    words = ("fragility", checkpoint, "--bits", "6,3", "--sharing", "row,group", "--limit-bytes", 400)
    done = command(*words, "--json")
    got = json.loads(done.out)
    assert done.code == 0 and len(got["rows"]) == 4 * 2 * 2
    assert {row["scheme"] for row in got["rows"] if row["part"] == "weights"} == {
        "int6:channel", "int3:channel", "int6:g32", "int3:g32"}
    assert all(row["kl"] > 0 and row["error"] > 0 for row in got["rows"])
    text = command(*words).out
    assert got["table"] in text and got["statement"] in text and got["why"] in text


def test_what_is_wrong_is_named(refused, checkpoint):
    assert "sharing of row, group, practised" in refused("fragility", checkpoint, "--sharing", "rows")
    assert "too small" in refused("fragility", checkpoint, "--bits", "1")
