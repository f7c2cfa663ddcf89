"""How many threads, and where: files that say so, masks that are set and given back, and nothing else changed."""

from __future__ import annotations

import os
import sys

import numba
import numpy as np
import pytest

import minquant as mq
from minquant.decoder import threads
from minquant.model import Config, random_model

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="masks are Linux's")
two_cores = pytest.mark.skipif(len(threads.cores()) < 2 or numba.config.NUMBA_NUM_THREADS < 2, reason="needs two cores")
MINI = Config(vocab_size=37, hidden=64, layers=2, heads=4, kv_heads=2, head_dim=16, ffn=128, context=32)


@pytest.fixture
def allowed(monkeypatch):
    """Pretend that this process may use these processors."""
    def allow(cpus):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: cpus, raising=False)
    return allow


def topology(folder, siblings):
    for cpu, text in siblings.items():
        place = folder / f"cpu{cpu}/topology"
        place.mkdir(parents=True)
        (place / "thread_siblings_list").write_text(text + "\n")
    return folder


def test_one_thread_a_core(tmp_path, allowed):
    cpus = topology(tmp_path, {0: "0,4", 1: "1,5", 2: "2,6", 4: "0,4", 5: "1,5", 6: "2,6"})
    allowed({0, 1, 2, 4, 5, 6})
    assert threads.cores(cpus) == [0, 1, 2]
    allowed({1, 4, 5})
    assert threads.cores(cpus) == [1, 4]


def test_without_a_topology_every_processor_is_a_core(tmp_path, allowed):
    allowed({3, 1})
    assert threads.cores(tmp_path) == [1, 3]


@pytest.mark.parametrize("most, found, limit, expected", [
    (8, [0, 1, 2, 3], None, 4), (2, [0, 1, 2, 3], None, 2), (8, [0, 1, 2, 3], 1.5, 2), (8, [0, 1], 0.1, 1), (8, [], None, 8)])
def test_the_smallest_of_three_counts(monkeypatch, most, found, limit, expected):
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", most)
    monkeypatch.setattr(threads, "cores", lambda: found)
    monkeypatch.setattr(threads, "container_limits", lambda: {"cores": limit})
    assert threads.default_threads() == expected


def masks():
    """The mask of every thread of this process."""
    return {int(task): os.sched_getaffinity(int(task)) for task in os.listdir("/proc/self/task")}


@linux
@two_cores
@pytest.mark.needs_jit
def test_workers_are_pinned_and_released_and_the_caller_never(monkeypatch):
    monkeypatch.delenv("MINQUANT_PIN", raising=False)
    own = os.sched_getaffinity(0)
    threads.unpin()
    with threads.thread_count(2):
        pinned = [task for task, mask in masks().items() if len(mask) == 1]
        assert len(pinned) == 1 and masks()[pinned[0]] == {threads.cores()[1]}
        assert os.sched_getaffinity(0) == own
    threads.unpin()
    assert set(map(frozenset, masks().values())) == {frozenset(own)}


@linux
@two_cores
@pytest.mark.needs_jit
def test_it_can_be_turned_off_and_refused(monkeypatch):
    threads.unpin()
    before = masks()
    monkeypatch.setenv("MINQUANT_PIN", "0")
    assert threads.pin(2) is False
    monkeypatch.delenv("MINQUANT_PIN")
    for places in ([0], [0, 1023], [0, 5000]):  # too few cores; one there is not, which the system refuses; beyond a mask
        threads.unpin()
        monkeypatch.setattr(threads, "cores", lambda: places)
        assert threads.pin(2) is False
        monkeypatch.setattr(threads, "cores", lambda: pytest.fail("looked into twice"))
        assert threads.pin(2) is False
    threads.unpin()
    assert {task: mask for task, mask in masks().items() if task in before} == before


def test_the_setting_of_numba_is_as_it_was():
    before = numba.get_num_threads()
    with pytest.raises(KeyError), threads.thread_count(1):
        assert numba.get_num_threads() == 1
        raise KeyError
    assert numba.get_num_threads() == before


def test_a_decoder_takes_the_default(monkeypatch):
    monkeypatch.setattr("minquant.decoder.decoder.default_threads", lambda: 1)
    decoder = mq.Decoder(random_model(MINI), "bf16", context=4)
    assert decoder.threads == 1 and np.isfinite(decoder.step(3)).all()
