"""What one machine hands over, and what many give together."""

from __future__ import annotations

import getpass
import json
import platform

import pytest

from minquant.teaching import class_figure, class_results, ledger

MACHINE = {"cpu": "Some CPU", "cores": 4, "threads": 4, "read_gb_per_s": 20.0, "read_gb_per_s_p10": 18.0, "memory_bytes": 8,
           "versions": {"python": "3.13"}, "hostname": "ada-laptop"}
LADDER = {"machine": {"hostname": "ada-laptop"}, "rows": [
    {"weights": "bf16", "speedup_over_bf16": 1.0, "level_above": None, "speedup_over_level_above": None, "path": "secret"},
    {"weights": "int8:channel", "speedup_over_bf16": 1.8, "level_above": "bf16", "speedup_over_level_above": 1.8},
    {"weights": "int4:g32", "speedup_over_bf16": 2.1, "level_above": "int8:channel", "speedup_over_level_above": 2.1 / 1.8},
    {"weights": "int1", "speedup_over_bf16": None}]}


@pytest.fixture(autouse=True)
def own_ledger(tmp_path, monkeypatch):
    monkeypatch.setenv("MINQUANT_LEDGER", str(tmp_path / "ledger.json"))


def enter(claim="int4 decodes faster than bf16", **more):
    ledger.claim("01", claim, **{"measurement": 2.0, "spread": (1.9, 2.2), "prediction": 4.0, "unit": "times",
                                 "verdict": "free text with /a/path"} | more)


def exported(folder, name, **machine):
    path = folder / f"{name}.json"
    path.write_text(json.dumps(class_results.export(MACHINE | machine, LADDER)), encoding="utf-8")
    return path


def test_an_export_holds_figures_and_no_names(monkeypatch):
    monkeypatch.setattr(platform, "node", lambda: "ada-laptop.example.org")
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    enter()
    enter("ada is quick")
    enter("on ADA-laptop it is quick")
    enter("adaptive rounding helps")
    found = class_results.export(MACHINE, LADDER)
    text = json.dumps(found)
    assert [c["claim"] for c in found["claims"]] == ["int4 decodes faster than bf16", "adaptive rounding helps"]
    assert found["claims"][0] == {"lesson": "01", "claim": "int4 decodes faster than bf16", "unit": "times", "measurement": 2.0,
                                  "spread": [1.9, 2.2], "prediction": 4.0}
    assert found["machine"] == {"cpu": "Some CPU", "cores": 4.0, "threads": 4.0, "read_gb_per_s": 20.0, "read_gb_per_s_p10": 18.0}
    assert [level["weights"] for level in found["levels"]] == ["bf16", "int8:channel", "int4:g32"]
    assert not any(word in text for word in ("laptop", "secret", "free text", "3.13"))
    assert len(text) < 2000


def test_nothing_to_export_is_said():
    with pytest.raises(ValueError, match="run a lesson first"):
        class_results.export(MACHINE)


def test_what_is_exported_can_be_read_and_put_together(tmp_path):
    enter()
    paths = [exported(tmp_path, "one"), exported(tmp_path, "two", cores=16, read_gb_per_s=None)]
    machines = [class_results.read(path) for path in paths]
    assert machines[0]["machine"]["cores"] == 4 and "read_gb_per_s" not in machines[1]["machine"]
    assert class_results.claims(machines) == {("01", "int4 decodes faster than bf16", "times"): {
        "measured": [2.0, 2.0], "guessed": [4.0, 4.0]}}
    steps = class_results.steps(machines)
    assert {name: [round(v) for v in values] for name, values in steps.items()} == {
        ("bf16", "int8:channel"): [80, 80], ("int8:channel", "int4:g32"): [17, 17]}
    assert class_results.int4_points(machines) == [(4.0, 20.0, 2.1)]


@pytest.mark.parametrize("text, said", [
    ("", "not JSON"), ("[]", "does not say so"), ('{"minquant_class": 1}', "does not say so"), ("[" * 100_000, "not JSON"),
    ('{"minquant_class": 1, "machine": {}, "claims": {}, "levels": []}', "claims are no list"),
    ('{"minquant_class": 1, "machine": {}, "claims": [3], "levels": []}', "claims are no list"),
    ('{"minquant_class": 1, "machine": {}, "claims": [{"lesson": "01", "claim": "x", "measurement": NaN}], "levels": []}',
     "lacks measurement"),
    ('{"minquant_class": 1, "machine": {}, "claims": [], "levels": [{"weights": 4}]}', "lacks weights"), ("x" * 300_000, "more than")])
def test_files_of_strangers_are_refused_by_name(text, said, tmp_path):
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=f"x.json is not what.*{said}"):
        class_results.read(tmp_path / "x.json")


@pytest.mark.parametrize("values", [[3.0], [1.0, 2.0], [5.0, 1.0, 4.0, 2.0], list(range(61))])
def test_quantiles_are_those_of_numpy(values):
    import numpy as np

    assert class_results.quantiles([float(v) for v in values]) == pytest.approx(tuple(np.quantile(values, (0.1, 0.5, 0.9))))


@pytest.mark.parametrize("count", [0, 1, 60])
def test_the_picture_has_a_point_per_machine(count, tmp_path):
    enter()
    machines = [class_results.read(exported(tmp_path, f"m{n}", cores=2 + n % 12, read_gb_per_s=10.0 + n)) for n in range(count)]
    figure = class_figure.draw(machines)
    left, right = figure.axes
    assert sum(len(line.get_xdata()) for line in right.lines if line.get_linestyle() == "None") == count
    assert sum(len(line.get_xdata()) for line in left.lines if line.get_marker() == "o") == 2 * count
    assert bool(left.texts) == bool(right.texts) == (count == 0)
    class_figure.save(machines, tmp_path / "class.svg")
    assert (tmp_path / "class.svg").stat().st_size > 1000
