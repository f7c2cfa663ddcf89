"""The judge's end of a worker: the same ``Answers`` as a notebook's own names, from another process.

How it works
    One request, one reply. A clock runs; when it ends, the worker and what it started are killed, the reply never
    comes, and the check that waits for it misses with the usual three lines.
    A reply longer than 16 MB, or one that is no JSON, ends the worker as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from .checking import missing, not_a_function, raised, unusable, written
from .source import Miss
from .values import dumps, loads, plain

LONGEST_REPLY = 16 * 2**20
LONGEST_LIFE = 40  # processor time of a worker, in its limits of one exercise
_PACKAGE_PARENT = Path(__file__).resolve().parents[3]
_KEPT = ("PATH", "SYSTEMROOT", "LANG", "LC_ALL", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class WorkerEnded(Exception):
    """The process that held the answers is gone; the message says why."""


class Remote:
    """Answers in a worker process, from ``open`` to ``close`` (or as a context manager).

    ``seconds``: what the worker may take until its clock is started anew.
    """

    def __init__(self, seconds: float = 20.0):
        self.seconds = seconds
        self.ended: str | None = None

    def open(self) -> Remote:
        """Start the process, its clock, and an empty folder for it to be in. Raises OSError."""
        self._folder = tempfile.TemporaryDirectory(prefix="minquant-answers-", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, cwd=self._folder.name, env=_environment(self._folder.name),
            start_new_session=True)
        self._clock: threading.Timer | None = None
        self.restart_clock()
        with contextlib.suppress(OSError):
            self._send({"seconds": LONGEST_LIFE * int(self.seconds + 1)})
        return self

    def restart_clock(self) -> None:
        """From now on the worker has its full time again."""
        if self._clock is not None:
            self._clock.cancel()
        self._clock = threading.Timer(self.seconds, self._time_is_up)
        self._clock.daemon = True
        self._clock.start()

    def close(self) -> None:
        """End the process and remove its folder."""
        self._clock.cancel()
        self._kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        self._process.wait()
        self._folder.cleanup()

    def __enter__(self) -> Remote:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, source: str, name: str = "<cell>") -> str | None:
        """Run one cell; returns what went wrong in words, or None. Raises WorkerEnded."""
        reply = self._ask({"cell": source, "name": name})
        return ": ".join(part for part in map(str, reply["raised"]) if part) if "raised" in reply else None

    def fences(self) -> list[str]:
        """What stands around the worker (see ``fence``). Raises WorkerEnded."""
        return [str(words) for words in self._ask({"fence": True})["fence"]]

    def call(self, name: str, *args: Any) -> Any:
        """What the function of that name returns. Raises Miss."""
        return self._judged({"call": name, "args": dumps(plain(list(args)))}, written(name, args), name)

    def value(self, name: str) -> Any:
        """The variable of that name. Raises Miss."""
        return self._judged({"value": name}, f"`{name}`", name)

    def _judged(self, request: dict[str, Any], asked: str, name: str) -> Any:
        try:
            reply = self._ask(request)
            if "value" in reply:
                return loads(reply["value"])
            if "raised" in reply:
                kind, message = (str(part) for part in reply["raised"])
        except WorkerEnded as end:
            raise Miss(f"{asked} gave no answer: {end}",
                       "a check waits a limited time for an answer, in limited memory",
                       "run this call in your notebook: does it end, and at once?") from None
        except (ValueError, TypeError) as error:
            raise unusable(f"{asked} returned something", str(error)) from None
        if "raised" in reply:
            raise raised(asked, kind, message)
        if "missing" in reply:
            raise missing(name)
        if "not_a_function" in reply:
            raise not_a_function(name)
        raise unusable(f"{asked} returned something", str(reply.get("unusable", "no value")))

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.ended is not None:
            raise WorkerEnded(self.ended)
        try:
            self._send(request)
            line = self._process.stdout.readline(LONGEST_REPLY)
        except (OSError, ValueError):
            line = b""
        if not line.endswith(b"\n"):
            reason = "its reply is too long" if len(line) >= LONGEST_REPLY else "its process ended"
            raise WorkerEnded(self._end(reason))
        try:
            reply = json.loads(line)
        except (ValueError, RecursionError):
            reply = None
        if not isinstance(reply, dict):
            raise WorkerEnded(self._end("its reply is not one of ours"))
        return reply

    def _send(self, request: dict[str, Any]) -> None:
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()

    def _end(self, reason: str) -> str:
        self.ended = self.ended or reason
        self._kill()
        return self.ended

    def _time_is_up(self) -> None:
        self._end(f"it took longer than {self.seconds:g} s")

    def _kill(self) -> None:
        if self._process.returncode is not None:  # waited for already: the number may belong to somebody else now
            return
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()


def _environment(folder: str) -> dict[str, str]:
    """What the worker may know of this machine: little, and always the same."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    return {**kept, **threads, "PYTHONPATH": str(_PACKAGE_PARENT), "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "PYTHONWARNINGS": "ignore", "MPLBACKEND": "Agg",
            "HOME": folder, "USERPROFILE": folder, "TMPDIR": folder, "MINQUANT_CACHE_DIR": folder}
