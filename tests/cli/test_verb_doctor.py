"""``minquant doctor``: every line, good and bad, with what to do; never the end of the report."""

from __future__ import annotations

import json
from importlib import metadata

import pytest

import minquant.benchmark
import minquant.kernels
from minquant.cli import doctor

MACHINE = {"cpu": "a processor", "cores": 4, "threads": 4, "last_level_cache_bytes": 32 << 20, "memory_bytes": 16 << 30,
           "threading_layer": "omp", "system": "Linux x86_64", "versions": {}}


def bandwidth(one: float, most: float, spread: float = 0.95) -> list[dict]:
    return [{"threads": threads, "read_gb_per_s": value, "read_gb_per_s_p10": spread * value, "read_gb_per_s_p90": value}
            for threads, value in ((1, one), (4, most))]


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """A machine that is well, and measured in no time."""
    here = dict(MACHINE)
    monkeypatch.setattr(minquant.benchmark, "machine", lambda: here)
    monkeypatch.setattr(minquant.benchmark, "read_bandwidth", lambda: bandwidth(20.0, 40.0))
    monkeypatch.setattr(minquant.benchmark, "container_limits", lambda: {"cores": None, "memory_bytes": None})
    monkeypatch.setattr(doctor.os, "getloadavg", lambda: (0.1, 0.1, 0.1), raising=False)
    return here


def lines(command) -> dict[str, dict]:
    done = command("doctor", "--json")
    assert done.code == 0
    return {check["name"]: check for check in json.loads(done.out)["checks"]}


def test_json_has_what_the_report_has(command):
    report = json.loads(command("doctor", "--json").out)
    assert set(report) >= {"versions", "machine", "read_gb_per_s", "read_bandwidth", "jit_cache", "checks"}
    assert set(report["versions"]) == {"python", *doctor.PACKAGES}
    assert report["read_gb_per_s"] == 40 and len(report["read_bandwidth"]) == 2
    assert set(report["jit_cache"]) >= {"directory", "compiled", "bytes", "matches_sources"}
    assert report["jit_cache"]["matches_sources"] is True
    text = command("doctor").out
    assert all(check["name"] in text and check["found"] in text for check in report["checks"]
               if check["name"] not in ("JIT cache", "JIT cache, older"))


def test_a_machine_that_is_well(command):
    bad = [check for check in lines(command).values() if not check["ok"]]
    assert [check["name"] for check in bad if check["name"] != "JIT cache, older"] == []


@pytest.mark.parametrize("field, value, name, advice", [
    ("threading_layer", "workqueue", "threading layer", "libgomp1"),
    ("threading_layer", None, "threading layer", "NUMBA_DISABLE_JIT"),
    ("threads", 2, "cores", "NUMBA_NUM_THREADS"),
    ("memory_bytes", 2 << 30, "memory", "--shape 0.1b"),
    ("last_level_cache_bytes", None, "last-level cache", "0.6b"),
])
def test_what_is_bad_is_followed_by_what_to_do(command, machine, field, value, name, advice):
    machine[field] = value
    check = lines(command)[name]
    assert not check["ok"] and advice in check["advice"]
    text = command("doctor").out.splitlines()
    (place,) = [i for i, line in enumerate(text) if line.startswith(f"! {name} ")]
    assert text[place + 1].strip() == f"-> {check['advice']}"
    assert "need a look" in text[-1]


@pytest.mark.parametrize("rows, name, advice", [
    (bandwidth(20, 40, 0.5), "read, 4 threads", "side by side"),
    (bandwidth(20, 10), "read, all threads", "container"),
])
def test_a_bandwidth_that_is_not_to_be_trusted(command, monkeypatch, rows, name, advice):
    monkeypatch.setattr(minquant.benchmark, "read_bandwidth", lambda: rows)
    check = lines(command)[name]
    assert not check["ok"] and advice in check["advice"]


@pytest.mark.parametrize("cores, memory, shape, shared", [
    (None, None, "0.8b", False), (2.0, None, "0.8b", True), (4.0, 8 << 30, "0.8b", False), (None, 3 << 30, "0.6b", False),
    (0.5, 1 << 30, "0.1b", True), (None, 10 << 20, None, False)])
def test_a_container_is_read_and_the_shape_that_fits_is_named(command, monkeypatch, cores, memory, shape, shared):
    limits = {"cores": cores, "memory_bytes": memory}
    monkeypatch.setattr(minquant.benchmark, "container_limits", lambda: limits)
    report = json.loads(command("doctor", "--json").out)
    found = {check["name"]: check for check in report["checks"]}
    assert (report["container"], report["largest_shape"], report["shared"]) == (limits, shape, shared)
    assert found["largest shape"]["ok"] is (shape == "0.8b")
    assert ("container" in found) is bool(cores or memory)
    assert ("shared machine" in found["read, 4 threads"]["found"]) is shared
    if cores in (0.5, 2.0):
        assert f"NUMBA_NUM_THREADS={max(1, round(cores))}" in found["container"]["advice"]


def test_a_busy_machine_is_a_shared_one(command, monkeypatch):
    monkeypatch.setattr(doctor.os, "getloadavg", lambda: (3.0, 1.0, 1.0), raising=False)
    assert "shared machine" in lines(command)["read, 1 thread"]["found"]


def test_a_busy_machine(command, monkeypatch):
    monkeypatch.setattr(doctor.os, "getloadavg", lambda: (3.0, 1.0, 1.0), raising=False)
    assert "close other programs" in lines(command)["load"]["advice"]


def test_a_missing_and_an_old_package_are_named_with_the_command(command, monkeypatch):
    real = metadata.version

    def version(name):
        if name == "jupyterlab":
            raise metadata.PackageNotFoundError(name)
        return "1.26.4" if name == "numpy" else real(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    found = lines(command)
    assert found["jupyterlab"]["advice"] == "pip install 'minquant[lessons]'"
    assert found["numpy"]["advice"] == f"pip install --upgrade 'numpy>={doctor.oldest_wanted('numpy')}'"


def test_versions_are_compared_as_numbers():
    assert doctor.version_numbers("2.10.1rc1") == (2, 10, 1) > doctor.version_numbers("2.9")
    assert doctor.oldest_wanted("no-such-package") is None


def test_a_cache_that_cannot_be_kept(command, monkeypatch, tmp_path):
    folder = tmp_path / "minquant-kernels-abc"
    folder.mkdir()
    monkeypatch.setattr(minquant.kernels, "cache_state", lambda: {"directory": str(folder), "compiled": 0, "bytes": 0})
    check = lines(command)["JIT cache"]
    assert "MINQUANT_CACHE_DIR" in check["advice"] and "empty" in check["found"]


def test_kernels_of_older_sources_are_counted(command, monkeypatch, tmp_path):
    from minquant.kernels._cache import source_hash

    for name in (source_hash(), "old"):
        (tmp_path / f"minquant-{name}").mkdir()
        (tmp_path / f"minquant-{name}" / "x.nbc").write_bytes(bytes(1000))
    monkeypatch.setattr(minquant.kernels, "cache_state", lambda: {
        "directory": str(tmp_path / f"minquant-{source_hash()}"), "compiled": 1, "bytes": 1000})
    monkeypatch.setattr(doctor, "MUCH_OLD_CODE", 999)
    found = lines(command)
    assert "1 compiled for the present kernel sources, 1.00 kB" in found["JIT cache"]["found"] and found["JIT cache"]["ok"]
    assert "make clean-cache" in found["JIT cache, older"]["advice"]


def test_a_check_that_fails_is_a_line_and_not_the_end(command, monkeypatch):
    def broken():
        raise RuntimeError("no LLVM\nhere")

    monkeypatch.setattr(minquant.benchmark, "machine", broken)
    found = lines(command)
    assert found["machine"]["found"] == "could not be found out: RuntimeError: no LLVM here"
    assert found["machine"]["advice"] and "read, 1 thread" in found and found["read, 1 thread"]["ok"]


def test_bandwidth_can_be_left_out(command, monkeypatch):
    monkeypatch.setattr(minquant.benchmark, "read_bandwidth", lambda: pytest.fail("measured"))
    report = json.loads(command("doctor", "--json", "--no-bandwidth").out)
    assert report["read_gb_per_s"] is None and report["read_bandwidth"] == []
