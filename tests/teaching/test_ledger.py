"""The claim ledger and the predictions: kept, replaced, shown, and safe against broken files."""

import json
import math

import pytest

from minquant.teaching import ledger, predictions


@pytest.fixture(autouse=True)
def own_file(tmp_path, monkeypatch):
    monkeypatch.setenv("MINQUANT_LEDGER", str(tmp_path / "deep" / "ledger.json"))
    return tmp_path / "deep" / "ledger.json"


def enter(lesson="01", claim="decode reads every weight", **changes):
    fields = {"measurement": 1.7, "spread": (1.6, 1.8), "unit": "times", "verdict": "held", "prediction": 2.0} | changes
    ledger.claim(lesson, claim, **fields)


def test_a_claim_is_kept_with_all_its_parts():
    enter()
    assert ledger.claims("01") == [{"lesson": "01", "claim": "decode reads every weight", "prediction": 2.0,
                                    "measurement": 1.7, "spread": [1.6, 1.8], "unit": "times", "verdict": "held"}]


def test_running_a_lesson_again_replaces_its_own_entries_only():
    enter(), enter("00", "a cache helps"), enter("01", "another claim")
    enter(measurement=3.0)
    assert [(e["lesson"], e["claim"], e["measurement"]) for e in ledger.claims()] == [
        ("00", "a cache helps", 1.7), ("01", "another claim", 1.7), ("01", "decode reads every weight", 3.0)]


def test_the_table_shows_every_entry(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(ledger, "display", lambda bundle, raw: shown.append(bundle))
    ledger.show()
    assert "empty" in capsys.readouterr().out and not shown
    enter(claim="a < b", prediction=None)
    ledger.show()
    assert "a &lt; b" in shown[0]["text/html"] and "a < b | none | 1.7 | 1.6 to 1.8" in shown[0]["text/plain"]


@pytest.mark.parametrize("change", [{"measurement": math.nan}, {"prediction": math.inf}, {"spread": (0, None)},
                                    {"verdict": " "}, {"measurement": "fast"}])
def test_what_cannot_be_compared_is_refused_and_nothing_is_written(change, own_file):
    with pytest.raises(ValueError):
        enter(**change)
    assert not own_file.exists()


@pytest.mark.parametrize("broken", ["{", "[]", '{"version": 1}', '{"version": 99, "predictions": {}, "claims": []}',
                                    '{"version": 1, "predictions": {}, "claims": [{"measurement": 1}]}'])
def test_a_broken_file_is_put_aside_with_a_message(broken, own_file, capsys):
    own_file.parent.mkdir()
    own_file.write_text(broken)
    enter()
    assert "could not be read" in capsys.readouterr().out
    assert len(ledger.claims()) == 1
    assert own_file.with_name("ledger.json.broken").read_text() == broken


def test_an_interrupted_write_leaves_the_old_file(own_file, monkeypatch):
    enter()
    before = own_file.read_text()
    monkeypatch.setattr(json, "dump", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        enter(measurement=5)
    assert own_file.read_text() == before
    assert [p.name for p in own_file.parent.iterdir()] == ["ledger.json"]


def test_a_prediction_is_kept_and_compared(capsys):
    assert predictions.predict("int4", "How much faster?") is None
    assert "No prediction recorded" in capsys.readouterr().out
    assert predictions.predict("int4", "How much faster?", 4, "times") == 4.0
    assert predictions.predict("int4", "How much faster?") == 4.0
    assert "4 times" in capsys.readouterr().out
    assert predictions.compare("int4", 2.0, "times").endswith("You were 2.0 times too high.")
    assert predictions.compare("int4", 4.2, "times").endswith("That is close.")
    assert predictions.compare("other", 2.0, "times") == "No prediction recorded; measured: 2 times."


def test_predictions_survive_claims_and_claims_survive_predictions():
    predictions.predict("guess", "?", 3)
    enter()
    predictions.predict("guess", "?", 5)
    assert predictions.recall("guess") == 5.0 and len(ledger.claims()) == 1


@pytest.mark.parametrize("value", ["many", math.nan, [1]])
def test_a_prediction_is_a_number(value):
    with pytest.raises(ValueError, match="your prediction"):
        predictions.predict("int4", "?", value)


def test_the_ledger_of_a_run_with_its_own_cache_lies_there(monkeypatch, tmp_path):
    monkeypatch.delenv("MINQUANT_LEDGER")
    monkeypatch.setenv("MINQUANT_CACHE_DIR", str(tmp_path))
    assert ledger.path() == tmp_path / "ledger.json"
    monkeypatch.delenv("MINQUANT_CACHE_DIR")
    monkeypatch.setattr(ledger.Path, "home", lambda: tmp_path)
    assert ledger.path() == tmp_path / ".local" / "share" / "minquant" / "ledger.json"
