"""A real hub, as tools/hub sets it up: two users fetch, solve and submit over the exchange, the teacher grades.

Needs the extra `hub`, and Linux or macOS; skipped without.
"""

from __future__ import annotations

import csv
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

import pytest

from minquant.teaching import exercises
from minquant.teaching.exercises import notebook, source

for name in ("jupyterhub", "configurable_http_proxy", "nbgrader"):
    pytest.importorskip(name)
if sys.platform == "win32":
    pytest.skip("JupyterHub runs on Linux and macOS", allow_module_level=True)

ROOT = Path(__file__).parents[2]
HUB = ROOT / "tools" / "hub"
SET = source.exercise_set("01")
KEY = "spring"
SECONDS = 180
STUDENTS = {"anna": lambda e: e.reference, "ben": lambda e: e.wrong[0].body}


def free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody listens on."""
    for start in range(21000 + secrets.randbelow(20000), 60000, count):
        try:
            for port in range(start, start + count):
                with socket.create_server(("127.0.0.1", port)):
                    pass
            return start
        except OSError:
            continue
    raise RuntimeError("no free ports")


class Hub:
    """The hub's process, and requests to it and through it."""

    def __init__(self, folder: Path):
        self.folder, self.port, self.token = folder, free_ports(3), secrets.token_hex(16)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "MPLBACKEND"))} | {
            "MINQUANT_HUB": str(folder), "MINQUANT_HUB_PORT": str(self.port), "MINQUANT_HUB_TOKEN": self.token,
            "MINQUANT_HUB_PASSWORD": secrets.token_hex(8), "MINQUANT_HUB_USERS": ",".join(STUDENTS),
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def __enter__(self) -> Hub:
        self.log = (self.folder / "hub.log").open("w")
        self.process = subprocess.Popen([sys.executable, "-m", "jupyterhub", "-f", str(HUB / "jupyterhub_config.py")],
                                        cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def ask(self, method: str, path: str, body: dict | str | None = None):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode() if body is not None else None
        head = {"Authorization": f"token {self.token}", "Content-Type": "application/x-www-form-urlencoded"
                if isinstance(body, str) else "application/json"}
        with urlopen(Request(f"http://127.0.0.1:{self.port}{path}", data, head, method=method), timeout=60) as reply:
            return json.loads(reply.read() or b"null")

    def wait(self, what: str, done) -> None:
        """Until ``done()`` is true; what the hub refuses meanwhile is not yet, not never."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if done():
                    return
            except (HTTPError, URLError, ConnectionError, TimeoutError):
                pass
            time.sleep(0.5)
        raise AssertionError(f"{what}:\n{(self.folder / 'hub.log').read_text()[-4000:]}")

    def start(self, user: str) -> None:
        (self.folder / user).mkdir(exist_ok=True)
        self.ask("POST", f"/hub/api/users/{user}/server", {})
        self.wait(f"{user}'s server", lambda: self.ask("GET", f"/user/{user}/api/status"))

    def teacher(self, *words: str) -> None:
        env = self.env | {"JUPYTER_CONFIG_PATH": str(HUB), "JUPYTERHUB_USER": "teacher", "HOME": str(self.folder / "teacher")}
        done = subprocess.run([sys.executable, "-m", "nbgrader", *words], cwd=self.folder / "teacher", env=env, text=True,
                              capture_output=True, timeout=600)
        assert done.returncode == 0, f"nbgrader {' '.join(words)}\n{done.stderr[-3000:]}"


def solve(hub: Hub, student: str, pick) -> None:
    """Fetch the assignment, fill it in and hand it in, all through the student's own server."""
    which = urlencode({"course_id": "minquant", "assignment_id": SET.folder})
    assert hub.ask("POST", f"/user/{student}/assignments/fetch", which)["success"]
    place = f"/user/{student}/api/contents/{quote(SET.folder)}/{notebook.FILE}"
    book = hub.ask("GET", place)["content"]
    for cell in book["cells"]:
        marks = cell["metadata"].get("minquant", {})
        if marks.get("role") == "answer":
            exercise = source.exercise(marks["exercise"])
            cell["source"] = exercise.code(pick(exercise), KEY)
    hub.ask("PUT", place, {"type": "notebook", "format": "json", "content": book})
    assert hub.ask("POST", f"/user/{student}/assignments/submit", which)["success"]


def test_two_users_submit_over_the_exchange_and_the_teacher_grades(tmp_path):
    (tmp_path / "teacher").mkdir()
    exercises.release(["01"], KEY, tmp_path / "teacher" / "source", nbgrader=True)
    with Hub(tmp_path) as hub:
        hub.teacher("generate_assignment", SET.folder)
        hub.teacher("release_assignment", SET.folder)
        hub.wait("the hub", lambda: hub.ask("GET", "/hub/api/"))
        with pytest.raises(HTTPError):
            hub.ask("POST", "/hub/api/users/stranger/server", {})
        for student, pick in STUDENTS.items():
            hub.start(student)
            solve(hub, student, pick)
        hub.teacher("collect", SET.folder)
        hub.teacher("autograde", SET.folder)
        hub.teacher("export")
    with (tmp_path / "teacher" / "grades.csv").open(encoding="utf-8", newline="") as table:
        scores = {row["student_id"]: float(row["score"]) for row in csv.DictReader(table)}
    lost = sum(e.wrong[0].loses for e in SET.exercises if not e.optional)
    assert scores == {"anna": SET.points, "ben": SET.points - lost}
