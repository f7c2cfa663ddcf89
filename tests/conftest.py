"""What every test shares: where caches go, how Hypothesis behaves, in which order tests run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

# A test run never touches the reader's own caches, guesses or ledger. The folder is kept between runs (compiled kernels
# lie in it); `make clean-cache` empties it.
os.environ["MINQUANT_CACHE_DIR"] = str(ROOT / ".pytest_cache" / "minquant")

# The machine may be shared, so no example has a deadline; CI runs the same examples every time.
settings.register_profile("minquant", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("minquant")

# Quick tests fail first: units, then the wheel and the interpreted kernels, then the notebooks, then the browser. Where
# several processes share the tests, the wheel and the interpreted kernels come first, because they are long, and all
# notebooks come last, one after another in one process, when the others have finished: they time things, with threads
# that wait for one another, and on a busy machine such a pair is not two but a hundred times slower.
SLOW_LAST = ("test_house_wheel", "test_house_without_jit", "tests/lessons/", "tests/browser/")
LONG, NOTEBOOKS = SLOW_LAST[:2], SLOW_LAST[2:]

# Tests leave lines under this name; they are printed under the run (coverage of the kernels, cells compared, ...). A
# property of the report, because the test may have run in another process (pytest-xdist).
NOTE = "note"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_jit: too slow, or without meaning, where Numba's JIT is switched off")


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in the same hook
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: max((n for n, part in enumerate(SLOW_LAST, 1) if part in item.nodeid), default=0))
    if hasattr(config, "workerinput"):
        for item in items:
            if any(part in item.nodeid for part in NOTEBOOKS):
                item.add_marker(pytest.mark.xdist_group("notebooks"))
        items.sort(key=lambda item: not any(part in item.nodeid for part in LONG))
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        for item in items:
            if item.get_closest_marker("needs_jit"):
                item.add_marker(pytest.mark.skip(reason="Numba's JIT is switched off"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in (r for reports in terminalreporter.stats.values() for r in reports if getattr(r, "when", "") == "call"):
        for name, line in report.user_properties:
            if name == NOTE:
                terminalreporter.write_line(line)


@pytest.fixture
def note(record_property):
    """Call it with a line that should stand under the test run's report."""
    return lambda line: record_property(NOTE, line)
