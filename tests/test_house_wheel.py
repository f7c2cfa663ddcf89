"""A wheel, installed elsewhere, holds all a reader needs: the tiny model, the held-out text's names, the lessons."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PROBE = """
import json
import numpy as np
import minquant as mq
from minquant import _paths
from minquant.evaluation import corpus

model = mq.load("tiny")
logits = model.logits(np.array([1, 2, 3]))
held_out = corpus.heldout("test")
print(json.dumps({
    "package": mq.__file__,
    "data": str(_paths.data_dir()),
    "logits": [list(logits.shape), bool(np.isfinite(logits).all())],
    "vocabulary": model.config.vocab_size,
    "text": len(held_out.text),
    "lessons": sorted(p.parent.name for p in _paths.lessons_dir().glob("*/lesson.ipynb")),
}))
"""


def run(*command: str, cwd: Path, **env: str) -> str:
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--no-build-isolation", "--quiet",
        "--disable-pip-version-check", "--wheel-dir", str(folder), cwd=folder)
    (found,) = folder.glob("minquant-*.whl")
    return found


def test_each_file_is_in_it_once_and_nothing_else_is(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        digests = {name: hashlib.sha256(archive.read(name)).hexdigest() for name in names if archive.getinfo(name).file_size}
    assert [name for name, times in Counter(names).items() if times > 1] == []
    copies = [digest for digest, times in Counter(digests.values()).items() if times > 1]
    assert [name for name, digest in digests.items() if digest in copies] == [], "the same content twice"
    strangers = [name for name in names if not name.startswith("minquant/") and ".dist-info/" not in name]
    junk = [name for name in names if "__pycache__" in name or ".ipynb_checkpoints" in name or name.endswith(".pyc")]
    assert strangers == [] and junk == []


def test_it_holds_what_the_checkout_holds(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder, inside in (("data", "minquant/_data"), ("lessons", "minquant/_lessons"), ("minquant", "minquant")):
        files = [p.relative_to(ROOT / folder) for p in (ROOT / folder).rglob("*")
                 if p.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(p.parts) and p.name != "ledger.json"]
        assert [str(f) for f in files if f"{inside}/{f.as_posix()}" not in names] == []
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_installed_elsewhere_it_finds_its_model_text_and_lessons(wheel, tmp_path):
    target, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", "--disable-pip-version-check",
        "--target", str(target), str(wheel), cwd=elsewhere)
    found = json.loads(run(sys.executable, "-c", PROBE, cwd=elsewhere, PYTHONPATH=str(target)))
    assert Path(found["package"]).is_relative_to(target) and Path(found["data"]).is_relative_to(target)
    assert found["logits"] == [[3, found["vocabulary"]], True]
    assert found["text"] > 64_000
    assert found["lessons"] == sorted(p.parent.name for p in (ROOT / "lessons").glob("*/lesson.ipynb"))
    assert not (target / "minquant" / "_data").samefile(ROOT / "data")
