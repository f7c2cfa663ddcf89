"""``minquant trace``: the stops in order, the file that is kept, and what is refused."""

from __future__ import annotations

import json

from minquant import load


def test_it_tells_the_stops_and_keeps_the_file(command, tmp_path):
    path = tmp_path / "one.gguf"
    done = command("trace", "--out", path, "--json")
    told = json.loads(done.out)
    assert done.code == 0 and [stop["name"] for stop in told["stops"]] == [
        "bytes of a checkpoint", "a float", "a scale", "a code", "a nibble", "a word for the kernel", "a product",
        "a share of a logit", "a nibble in a GGUF file"]
    assert all(stop["place"].startswith("minquant/") for stop in told["stops"])
    name, _, place = told["weight"].partition("[")
    row, column = (int(n) for n in place.rstrip("]").split(","))
    assert load(path).weights[name][row, column] == told["figures"]["rounded"]
    text = command("trace").out
    assert told["weight"] in text and all(stop["place"] in text for stop in told["stops"])
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_followed_is_named(refused, checkpoint, tmp_path):
    assert "needs 101 rows" in refused("trace", checkpoint)
    assert "there is no folder" in refused("trace", "--out", tmp_path / "missing" / "x.gguf")
    assert "is a folder" in refused("trace", "--out", tmp_path)
