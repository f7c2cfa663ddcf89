"""Generated sentences say what the rows say."""

import pytest

from minquant.teaching.sentences import steadiness


def row(weights, low, middle, high):
    return {"weights": weights, "speed": middle, "speed_p10": low, "speed_p90": high}


def test_a_steady_and_a_busy_machine():
    calm = [row("bf16", 9.0, 10.0, 10.8), row("int2", None, None, None)]
    assert "steady" in steadiness(calm, "speed", "weights") and "1.20" in steadiness(calm, "speed", "weights")
    busy = steadiness([*calm, row("int8", 5.0, 10.0, 20.0)], "speed", "weights")
    assert "int8 (4.0)" in busy and "bf16" not in busy and "again" in busy


def test_nothing_measured_is_an_error():
    with pytest.raises(ValueError, match="speed"):
        steadiness([row("int2", None, None, None)], "speed", "weights")
