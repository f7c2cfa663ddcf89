"""``minquant lab``: open the course in JupyterLab, on the start page.

How it works
    From a checkout the lessons are opened where they lie. An installed wheel
    keeps its lessons among the packages, where nobody should edit, so they are
    copied to ``./minquant-lessons`` (or ``--dir``). A file that is already there
    is the learner's: it is kept, never overwritten.

    JupyterLab runs on this machine only (127.0.0.1) behind a random token. The
    folder ``jupyter/`` beside this file is added to its configuration: it
    answers the question about news before it is asked, so that the first thing
    on the screen is the lesson, also offline.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from .. import _paths
from .arguments import Parser, whole

START = "00_start_here/lesson.ipynb"
FIRST_PORT = 8888
CONFIG = Path(__file__).resolve().parent / "jupyter"


def parser() -> Parser:
    """The command line of this verb."""
    p = Parser("lab", "Open the course in JupyterLab, on the start page. Stop it with Ctrl-C.")
    p.add_argument("--no-browser", action="store_true", help="do not open a browser; open the printed address yourself")
    p.add_argument("--port", type=whole(1), help="port to listen on (default: the first free one from 8888)")
    p.add_argument("--dir", type=Path, metavar="FOLDER", help="folder to work in: lessons missing there are copied into it")
    return p


def main(argv: list[str]) -> int:
    """Run ``minquant lab``. On POSIX systems this process becomes the server and does not return."""
    args = parser().parse_args(argv)
    if importlib.util.find_spec("jupyterlab") is None:
        raise ImportError("JupyterLab is not installed: run  pip install 'minquant[lessons]'")
    folder = working_folder(_paths.lessons_dir(), args.dir)
    port = free_port(args.port)
    token = secrets.token_hex(16)
    print(f"Lessons in {folder}")
    print(f"JupyterLab at http://127.0.0.1:{port}/lab/tree/{START}?token={token}")
    print("Stop it with Ctrl-C.", flush=True)
    return launch(jupyter_command(folder, port, args.no_browser), jupyter_environment(token))


def working_folder(shipped: Path, wanted: Path | None) -> Path:
    """Folder to open: the checkout's lessons, or a copy of the shipped ones that belongs to the learner."""
    if not (shipped / START).exists():
        raise FileNotFoundError(f"{START} is missing from {shipped}: reinstall minquant, or take it from the repository")
    installed = shipped.name.startswith("_")  # a wheel carries them as minquant/_lessons
    if wanted is None and not installed:
        return shipped
    target = (wanted or Path("minquant-lessons")).resolve()
    if target == shipped.resolve():
        return shipped
    new, kept = copy_missing(shipped, target)
    print(f"Copied to {target}: {new}; there already and kept as they are: {kept}")
    return target


def copy_missing(source: Path, target: Path) -> tuple[int, int]:
    """Copy the files of ``source`` that ``target`` lacks. Returns how many were copied and how many were there.

    A file appears under its name only when it is complete. Raises NotADirectoryError where ``target`` is a file.
    """
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f"{target} is a file: name a folder for the lessons with --dir")
    new = kept = 0
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if path.is_dir() or {"__pycache__", ".ipynb_checkpoints"} & set(relative.parts):
            continue
        goal = target / relative
        if os.path.lexists(goal):
            kept += 1
            continue
        goal.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=goal.parent, prefix=".copying-")
        os.close(handle)
        try:
            shutil.copyfile(path, part)
            os.chmod(part, 0o644)
            os.replace(part, goal)
        except BaseException:
            os.unlink(part)
            raise
        new += 1
    return new, kept


def free_port(wanted: int | None) -> int:
    """The wanted port, or the first free one from 8888. Raises OSError where the wanted one is taken."""
    for port in [wanted] if wanted else range(FIRST_PORT, FIRST_PORT + 100):
        with socket.socket() as probe:
            if os.name != "nt":  # on Windows this option would let us take a port that is in use
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except (OSError, OverflowError):
                continue
    raise OSError(f"port {wanted} cannot be used: another program has it, or it needs rights you do not have; "
                  "leave --port out to take a free one" if wanted
                  else f"no free port from {FIRST_PORT} on: choose one with --port")


def jupyter_command(folder: Path, port: int, no_browser: bool) -> list[str]:
    """Command line of the server. ``answer_yes`` lets one Ctrl-C stop it."""
    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
               "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}", f"--LabApp.default_url=/lab/tree/{START}",
               "--ServerApp.answer_yes=True", "--ServerApp.log_level=WARN"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # containers and classroom images often have no other user
    return command + (["--no-browser"] if no_browser else [])


def jupyter_environment(token: str) -> dict[str, str]:
    """Environment of the server: the token (kept off the command line), our settings, and this Python's commands."""
    environment = dict(os.environ, JUPYTER_TOKEN=token)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    paths = [str(CONFIG), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    environment["JUPYTER_CONFIG_PATH"] = os.pathsep.join(paths)
    return environment


def launch(command: list[str], environment: dict[str, str]) -> int:
    """Become the server where the system allows it, so that signals reach it; else run it as a child."""
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(command[0], command, environment)
    return subprocess.run(command, env=environment, check=False).returncode
