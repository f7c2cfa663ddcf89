"""What a submission may touch while it is graded: every attack here was tried before the fences stood."""

from __future__ import annotations

import json
import random
import socket
import sys
from pathlib import Path

import pytest

from minquant.teaching import exercises
from minquant.teaching.exercises import grading, remote, source, worker
from tests.teaching.handing_in import FULL, KEY, earned, hand_in, submission

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's fence is Linux's")
LATER = "\n\ndef matrix_bytes(rows, columns):\n    return found(rows, columns)"
PACKAGE = Path(source.__file__).parent


def run(cell, *, reads=()):
    """Run one cell in a worker; what it raised, or None, and the values of some of its names."""
    with remote.Remote() as answers:
        return answers.run(cell), *(answers.value(name) for name in reads)


ANSWERS = {
    "the reference": "from minquant.teaching.exercises import source\ne = source.exercise('01.1')\n"
                     f"exec(e.code(e.reference, {KEY!r}).replace('matrix_bytes', 'found'))",
    "its module": "from minquant.teaching.exercises.e01_cost_of_a_token.matrix_bytes import EXERCISE as e\n"
                  f"exec(e.code(e.reference, {KEY!r}).replace('matrix_bytes', 'found'))",
    "its file": "import re\nfrom pathlib import Path\nimport minquant\nfolder = Path(minquant.__file__).parent\n"
                "text = (folder / 'teaching/exercises/e01_cost_of_a_token/matrix_bytes.py').read_text()\n"
                "found = lambda *a: eval(re.search('reference', text)[0])",
    "its file, as bytes and with bytes replaced": "import builtins, os\nimport minquant\n"
        "name = os.fsencode(os.path.dirname(minquant.__file__) + '/teaching/exercises/e01_cost_of_a_token/matrix_bytes.py')\n"
        "builtins.bytes = builtins.int = builtins.str = builtins.any = None\nos.open(name, 0)",
    "the notebook with solutions": "from minquant.teaching.exercises.notebook import build_notebook\n"
                                   f"book = build_notebook('01', 'solutions', {KEY!r})\nexec(book['cells'][3])",
}


@pytest.mark.parametrize("place", ANSWERS)
def test_the_answers_in_the_package_are_closed(place, tmp_path):
    points, row = earned(submission(None, e01_1=ANSWERS[place] + LATER), tmp_path)
    assert set(points.values()) == {0}
    said = "PermissionError: the exercises' own sources are closed"
    assert any(said in note or "its process ended" in note for note in row["notes"])


def test_a_call_of_check_that_was_left_in_an_answer_costs_nothing(tmp_path):
    exercise = source.exercise("01.1")
    right = exercise.code(exercise.reference, KEY)
    left = ("from minquant.teaching.exercises import check, show\nshow('01.1', globals())\n"
            f"check('01.1', globals(), key={KEY!r})\n{right}\nassert check('01.1', globals()) == 0.0")
    points, row = earned(submission(e01_1=left), tmp_path)
    assert points == FULL and row["notes"] == []


def test_another_students_notebook_can_be_neither_read_nor_changed(tmp_path):
    other = hand_in(tmp_path / "in", "zoe", submission())
    before = other.read_bytes()
    for name, cell in (("a", f"import json\nbook = json.load(open({str(other)!r}))\n"
                             "exec(''.join(book['cells'][2]['source']).replace('matrix_bytes', 'found'))"),
                       ("b", f"open({str(other)!r}, 'w').write('no notebook')"),
                       ("c", f"import os\nos.remove({str(other)!r})"),
                       ("d", f"import os\nos.rename({str(other)!r}, 'mine')"),
                       ("e", f"import os\nos.chmod({str(other)!r}, 0)"),
                       ("f", f"import os\nhere = os.open({str(other.parent)!r}, os.O_RDONLY)\n"
                             "os.remove('exercises.ipynb', dir_fd=here)" if sys.platform == "linux" else "1 / 0")):
        hand_in(tmp_path / "in", name, submission(None, e01_1=cell + LATER))
    rows = {r["student"]: r for r in exercises.grade(tmp_path / "in")["submissions"]}
    assert other.read_bytes() == before and rows.pop("zoe")["score"] == 22
    assert {r["score"] for r in rows.values()} == {0} and all(r["notes"] for r in rows.values())


def test_what_reaches_a_file_all_the_same_comes_too_late_for_this_batch(tmp_path, monkeypatch):
    """The fences may leak; then it still matters that everything was read before anything ran."""
    first, last = (hand_in(tmp_path, name, submission(None if name == "a" else "reference")) for name in "az")
    real = grading._graded

    def spoiling(found, *rest):
        last.write_text("no notebook")
        return real(found, *rest)

    monkeypatch.setattr(grading, "_graded", spoiling)
    rows = exercises.grade(tmp_path)["submissions"]
    assert [r["score"] for r in rows] == [0, 22] and first.exists()


@pytest.mark.parametrize("cell", ["open({!r}, 'w')", "open({!r}, 'x+')", "import os\nos.open({!r}, os.O_CREAT | os.O_WRONLY)",
                                  "from pathlib import Path\nPath({!r}).touch()", "import os\nos.mkdir({!r})",
                                  "import os\nos.symlink('/', {!r})", "import sqlite3\nsqlite3.connect({!r}).execute('create table t(x)')"])
def test_nothing_is_left_outside_the_workers_folder(cell, tmp_path):
    if "sqlite3" in cell and sys.platform != "linux":
        pytest.skip("a library of its own opens this file: the kernel's fence alone sees it")
    target = tmp_path / "left behind"
    assert run(cell.format(str(target)))[0] is not None
    assert not target.exists()


def test_inside_its_folder_an_answer_may_write():
    failed, text = run("import os, tempfile\nwith open('notes.txt', 'w') as f: f.write('kept')\n"
                       "os.rename('notes.txt', 'n.txt')\nwith tempfile.TemporaryFile('w+') as f: f.write('x')\n"
                       "text = open('n.txt').read()", reads=["text"])
    assert (failed, text) == (None, "kept")


def test_an_answer_that_uses_the_package_may():
    failed, bits = run("import numpy as np\nimport minquant as mq\n"
                       "bits = float(mq.quantize(np.ones((4, 32), np.float32), 'int4:g32').bits_per_weight)", reads=["bits"])
    assert (failed, bits) == (None, 4.5)


@pytest.mark.needs_jit
def test_an_answer_may_compile_and_use_threads():
    failed, total = run("import numba\nimport numpy as np\n\n@numba.njit(parallel=True)\ndef add(x):\n    total = 0.0\n"
                        "    for i in numba.prange(len(x)):\n        total += x[i]\n    return total\n\n"
                        "total = add(np.ones(1000))", reads=["total"])
    assert (failed, total) == (None, 1000.0)


def test_an_answer_may_draw():
    assert run("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig('x.png')\nplt.show()") == (None,)


@pytest.mark.parametrize("cell", [
    "import os, signal\nos.kill(os.getppid(), signal.SIGTERM)", "import os\nos.killpg(os.getpgid(os.getppid()), 15)",
    "import subprocess, sys\nsubprocess.run([sys.executable, '-c', ''])", "import os\nif os.system('true'): 1 / 0",
    "import os\nos.execv('/bin/true', ['true'])", "import os\nos.fork()"])
def test_no_process_is_started_and_none_is_ended(cell):
    assert "PermissionError" in run(cell)[0]


@LINUX
@pytest.mark.parametrize("cell", [
    "import ctypes, os\nassert ctypes.CDLL(None).kill(os.getppid(), 15) == 0",
    "import ctypes\nassert ctypes.CDLL(None).system(b'true') == 0"])
def test_the_kernel_refuses_what_passes_the_interpreter(cell):
    with remote.Remote() as answers:
        if not any("signals" in words for words in answers.fences()):
            pytest.skip("this kernel has no Landlock")
        assert "AssertionError" in answers.run(cell)


def test_there_is_no_network():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(1)
        said = run(f"import socket\nsocket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)")[0]
        assert "PermissionError: an answer has no network" in said
        with pytest.raises(TimeoutError):
            server.accept()


@LINUX
def test_the_kernel_offers_no_network_either(note):
    bare = ("import ctypes, struct\nlibc = ctypes.CDLL(None, use_errno=True)\n"
            "address = struct.pack('=HH4s8x', 2, int.from_bytes(({port}).to_bytes(2, 'big'), 'little'), bytes([127, 0, 0, 1]))\n"
            "found = libc.connect(libc.socket(2, 1, 0), address, 16)")
    with socket.create_server(("127.0.0.1", 0)) as server, remote.Remote() as answers:
        stands = answers.fences()
        note("grading: " + "; ".join(stands))
        if not any(words.startswith("kernel: ") for words in stands):
            pytest.skip("this kernel offers no fence here")
        assert answers.run(bare.format(port=server.getsockname()[1])) is None
        assert answers.value("found") == -1


def test_the_fence_cannot_be_taken_down_from_python(tmp_path):
    target = tmp_path / "left behind"
    cell = ("import builtins, os, sys\nfence = sys.modules['minquant.teaching.exercises.fence']\n"
            "fence._hook = fence.put_up = lambda *a: None\nfence.PROCESSES = fence.FILES = frozenset()\n"
            "keep = open\nbuiltins.PermissionError = builtins.any = builtins.str = builtins.type = lambda *a: None\n"
            f"keep({str(target)!r}, 'w')")
    with pytest.raises(remote.WorkerEnded):  # so little of builtins is left that the refusal ends it
        run(cell)
    assert not target.exists()


def test_noise_on_stderr_changes_nothing(tmp_path):
    noisy = ("import sys, warnings, logging\nwarnings.warn('careful')\nlogging.error('loud')\nprint('x' * 10**6)\n"
             "sys.stderr.write('y' * 10**6)\n" + source.exercise("01.1").code(source.exercise("01.1").reference, KEY))
    points, row = earned(submission(e01_1=noisy), tmp_path)
    assert points == FULL and row["notes"] == []


BATCH = {
    "crash": "import ctypes\nctypes.string_at(0)", "deleted cells": None, "edited checks": "pass",
    "endless loop": "while True: pass", "stderr noise": "import sys\nwhile sys.stderr.write('y' * 10**6): 1 / 0", "kills the judge": "import os\nos.kill(os.getppid(), 9)",
    "ten gigabytes": "x = bytearray(10 * 2**30)"}


def test_the_batch_of_bad_notebooks_is_graded_to_its_end_the_same_in_any_order(tmp_path):
    for name, cell in BATCH.items():
        book = submission("reference", e01_1=cell or "")
        if name == "deleted cells":
            book["cells"] = [c for c in book["cells"] if c["metadata"].get("minquant", {}).get("exercise") != "01.1"]
        if name == "edited checks":
            for c in book["cells"]:
                if c["metadata"].get("minquant", {}).get("role") == "check":
                    c["source"] = "import minquant.teaching.exercises as e\ne.check = lambda *a, **k: 99.0\n99.0"
        hand_in(tmp_path / "in", name, book)
    hand_in(tmp_path / "in", "good", submission())
    hand_in(tmp_path / "in", "not a notebook", "%PDF-1.7")
    (tmp_path / "in" / "missing file").mkdir()
    report = exercises.grade(tmp_path / "in", seconds=8.0)
    rows = {r["student"]: r for r in report["submissions"]}
    assert rows["good"]["score"] == 22 and "not JSON" in rows["not a notebook"]["problem"]
    assert rows["missing file"]["problem"] == "no notebook in this folder" and rows["missing file"]["score"] == 0
    assert {rows[name]["score"] for name in BATCH} == {19} and all(rows[name]["notes"] for name in BATCH)
    places = [tmp_path / "in" / r["student"] / "exercises.ipynb" for r in report["submissions"] if r["score"]]
    random.Random(1).shuffle(places)
    again = {r["student"]: r for r in exercises.grade(places, seconds=8.0)["submissions"]}
    assert all(json.dumps(again[name] | {"file": ""}) == json.dumps(rows[name] | {"file": ""}) for name in again)


def test_a_worker_says_what_stands_around_it():
    with remote.Remote() as answers:
        assert answers.fences()[-1].startswith("interpreter: ")
    assert worker.answer({"fence": True}, {}) == {"fence": []}, "no fence stands around this process"
