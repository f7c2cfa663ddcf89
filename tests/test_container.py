"""Limits of a container, from made-up control groups."""

from __future__ import annotations

import pytest

from minquant import _container as container


@pytest.mark.parametrize("own, files, cores, memory", [
    ("0::/\n", {"cpu.max": "200000 100000\n", "memory.max": "4294967296\n"}, 2.0, 1 << 32),
    ("0::/\n", {"cpu.max": "max 100000\n", "memory.max": "max\n"}, None, None),
    ("0::/a/b\n", {"a/cpu.max": "50000 100000", "a/b/cpu.max": "max 100000", "a/b/memory.max": "1000", "memory.max": "900"},
     0.5, 900),
    ("3:cpu,cpuacct:/d\n2:memory:/d\n", {"cpu/d/cpu.cfs_quota_us": "150000", "cpu/d/cpu.cfs_period_us": "100000",
                                        "memory/d/memory.limit_in_bytes": "5000"}, 1.5, 5000),
    ("3:cpu:/\n2:memory:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000",
                              "memory/memory.limit_in_bytes": "9223372036854771712"}, None, None),
    ("0::/\n", {"cpu.max": "nonsense"}, None, None), ("0::/\n", {"cpu.max": "400000 0"}, None, None),
    ("0::/../../x\n", {"memory.max": "7"}, None, 7), ("nonsense", {}, None, None), (None, {}, None, None)])
def test_the_smallest_limit_on_the_way_counts(own, files, cores, memory, tmp_path, monkeypatch):
    monkeypatch.setattr(container, "ROOT", tmp_path / "cgroup")
    monkeypatch.setattr(container, "OWN", tmp_path / "own")
    (tmp_path / "cgroup").mkdir()
    if own is not None:
        (tmp_path / "own").write_text(own)
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert container.container_limits() == {"cores": cores, "memory_bytes": memory}


def test_it_answers_on_this_machine():
    found = container.container_limits()
    assert set(found) == {"cores", "memory_bytes"} and all(value is None or value > 0 for value in found.values())
