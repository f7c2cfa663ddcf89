"""``minquant class``: export on request, and the table of many machines."""

from __future__ import annotations

import json

import pytest

from minquant.teaching import ledger
from tests.teaching.test_class_results import LADDER


@pytest.fixture(autouse=True)
def own_ledger(tmp_path, monkeypatch):
    monkeypatch.setenv("MINQUANT_LEDGER", str(tmp_path / "ledger.json"))


@pytest.mark.needs_jit
def test_from_two_exports_to_a_table_and_a_picture(command, tmp_path):
    ledger.claim("01", "a claim", measurement=2.0, verdict="so", prediction=3.0, unit="times")
    (tmp_path / "ladder.json").write_text(json.dumps(LADDER), encoding="utf-8")
    for name in ("one", "two"):
        done = command("class", "--export", tmp_path / f"{name}.json", "--ladder", tmp_path / "ladder.json")
        assert done.code == 0 and "1 claims, 3 levels" in done.out and "nothing was sent" in done.out
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    found = json.loads(files[0].read_text(encoding="utf-8"))
    assert found["machine"]["read_gb_per_s"] > 0 and found["machine"]["cores"] >= 1
    done = command("class", *files, "--picture", tmp_path / "class.png")
    assert done.code == 0 and "2 machines" in done.out and "bf16 to int8:channel" in done.out and "+80%" in done.out
    assert "01 a claim" in done.out and "picture written" in done.err and (tmp_path / "class.png").exists()
    whole = json.loads(command("class", *files, "--json").out)
    assert whole["machines"] == 2 and whole["claims"][0]["median_guess"] == 3.0 and whole["claims"][0]["n"] == 2


def test_what_cannot_be_done_is_refused(refused, tmp_path):
    (tmp_path / "no.json").write_text("{}", encoding="utf-8")
    assert "one of the two" in refused("class")
    assert "one of the two" in refused("class", tmp_path / "no.json", "--export", tmp_path / "x.json")
    assert "no.json is not what" in refused("class", tmp_path / "no.json")
    assert "name the picture .png or .svg" in refused("class", tmp_path / "no.json", "--picture", "x.gif")
