"""``minquant lab``: which folder is opened, that nothing of the learner's is overwritten, and that the server answers."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest

from minquant.cli import lab

NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """Lessons as an installed wheel carries them."""
    folder = tmp_path / "minquant" / "_lessons"
    for name in ("00_start_here", "01_next"):
        (folder / name).mkdir(parents=True)
        (folder / name / "lesson.ipynb").write_text(json.dumps(NOTEBOOK))
    (folder / "README.md").write_text("the map\n")
    (folder / "00_start_here" / "__pycache__").mkdir()
    (folder / "00_start_here" / "__pycache__" / "x.pyc").write_text("x")
    return folder


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


LESSONS = {"00_start_here/lesson.ipynb", "01_next/lesson.ipynb", "README.md"}


def test_a_wheel_copies_its_lessons_to_the_folder_one_stands_in(shipped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = lab.working_folder(shipped, None)
    assert folder == tmp_path / "minquant-lessons" and files(folder) == LESSONS


def test_a_checkout_opens_its_lessons_where_they_lie(shipped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lessons = shipped.rename(tmp_path / "lessons")
    assert lab.working_folder(lessons, None) == lessons
    assert not (tmp_path / "minquant-lessons").exists()


def test_what_the_learner_wrote_is_kept_and_what_is_missing_comes_back(shipped, tmp_path, capsys):
    target = tmp_path / "mine"
    lab.working_folder(shipped, target)
    (target / "00_start_here" / "lesson.ipynb").write_text("my answers")
    (target / "01_next" / "lesson.ipynb").unlink()
    (target / "notes.txt").write_text("my notes")
    capsys.readouterr()
    lab.working_folder(shipped, target)
    assert f"Copied to {target}: 1; there already and kept as they are: 2\n" == capsys.readouterr().out
    assert (target / "00_start_here" / "lesson.ipynb").read_text() == "my answers"
    assert files(target) == LESSONS | {"notes.txt"}


def test_a_copy_that_fails_leaves_nothing_behind(shipped, tmp_path, monkeypatch):
    def full(source, target):
        Path(target).write_text("half")
        raise OSError("no space left on device")

    monkeypatch.setattr(lab.shutil, "copyfile", full)
    with pytest.raises(OSError, match="no space"):
        lab.copy_missing(shipped, tmp_path / "mine")
    assert files(tmp_path / "mine") == set()


def test_a_file_where_the_folder_should_be_is_named(shipped, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(NotADirectoryError, match="taken is a file"):
        lab.working_folder(shipped, tmp_path / "taken")


def test_lessons_that_are_not_there_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="00_start_here"):
        lab.working_folder(tmp_path, None)


def test_a_port_in_use_is_refused_and_the_next_free_one_is_found():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port} cannot be used"):
            lab.free_port(port)
    assert lab.free_port(port) == port
    with pytest.raises(OSError, match="port 99999 cannot be used"):
        lab.free_port(99999)


def test_without_jupyterlab_the_command_to_install_it_is_named(refused, monkeypatch):
    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda name: None)
    assert "pip install 'minquant[lessons]'" in refused("lab")


def test_the_token_is_in_the_environment_and_not_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "theirs")
    environment = lab.jupyter_environment("secret")
    assert environment["JUPYTER_TOKEN"] == "secret"
    assert environment["JUPYTER_CONFIG_PATH"].split(os.pathsep)[1] == "theirs"
    assert "secret" not in " ".join(lab.jupyter_command(tmp_path, 8888, True))


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


@pytest.mark.skipif(find_spec("jupyterlab") is None or os.name != "posix", reason="needs JupyterLab, sends a signal")
def test_the_server_answers_at_the_printed_address_and_asks_nothing_about_news(shipped, tmp_path):
    code = ("import sys; from pathlib import Path; from minquant import _paths; from minquant.cli import main; "
            f"_paths.lessons_dir = lambda: Path({str(shipped)!r}); "
            f"sys.exit(main(['lab', '--no-browser', '--dir', {str(tmp_path / 'mine')!r}]))")
    environment = os.environ | {"HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path / "jupyter"),
                                "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        printed = [server.stdout.readline() for _ in range(4)]
        host, token = re.search(r"(http://127\.0\.0\.1:\d+)/lab/tree/00_start_here/lesson.ipynb\?token=(\w+)",
                                "".join(printed)).groups()
        for _ in range(120):
            try:
                get(f"{host}/api/status?token={token}")
                break
            except (urllib.error.URLError, ConnectionError):
                assert server.poll() is None
                time.sleep(0.5)
        found = json.loads(get(f"{host}/api/contents/00_start_here/lesson.ipynb?token={token}"))
        assert found["content"]["nbformat"] == 4
        plugin = "@jupyterlab/apputils-extension:notification"
        settings = json.loads(get(f"{host}/lab/api/settings/{plugin}?token={token}"))["schema"]["properties"]
        assert settings["fetchNews"]["default"] == "false" and settings["checkForUpdates"]["default"] is False
        with pytest.raises(urllib.error.HTTPError):
            get(f"{host}/api/contents")  # without the token
    finally:
        server.terminate()
        server.wait(30)
