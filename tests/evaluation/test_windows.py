"""Every position is scored once, with at least context - stride tokens before it."""

from __future__ import annotations

import naive
import numpy as np
import pytest

from minquant.evaluation import windows


@pytest.mark.parametrize("stride", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 12, 30])
def test_each_position_is_scored_once_in_the_right_window(count, stride):
    scored = []
    for window in windows.cut_windows(count, 8, stride):
        assert 0 <= window.begin <= window.first < window.end <= min(window.begin + 8, count)
        for position in range(window.first, window.end):
            assert window.begin == naive.first_token_read(position, 8, stride)
            target = position + 1
            assert window.begin == 0 or target - window.begin >= 8 - stride + 1  # tokens before the one foretold
            scored.append(position)
    assert scored == list(range(count))


def test_a_longer_text_has_the_same_windows_at_the_front():
    short, long = windows.cut_windows(20, 8, 4), windows.cut_windows(200, 8, 4)
    assert long[:len(short) - 1] == short[:-1]
    assert len(short) == 4 and len(windows.cut_windows(8, 8, 4)) == 1  # no window without a position to score


def test_chunks_cover_the_rows():
    for rows, vocab in ((1, 10), (513, 2048), (7, 10**6)):
        assert [i for part in windows.chunks(rows, vocab) for i in range(rows)[part]] == list(range(rows))


def test_log_softmax():
    rows = np.array([[0, 1, -2], [1e4, 0, 9999], [-3e38, 3e38, 0]], np.float32)
    got = windows.log_softmax(rows)
    assert got.dtype == np.float64
    for row, expected in zip(got, rows[:2]):
        np.testing.assert_allclose(row, naive.log_probabilities(expected), atol=1e-12)
    assert got[2, 1] == 0 and np.isfinite(got).all()
