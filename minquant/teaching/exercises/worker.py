"""The process in which somebody's answers run. It knows no check, no spec and no score.

How it works
    ``remote.Remote`` starts ``python -m minquant.teaching.exercises.worker`` and writes one request per line: run this
    cell, call that function, give me that variable. The worker answers each with one line of JSON. Requests and replies
    have the process's first two file descriptors to themselves; the answer's own input is empty and its output goes
    nowhere, so printing, reading and warning disturb nobody.

    All a submission can do is reply. What it does to ``builtins``, to this package or to NumPy happens here, and the
    judge is elsewhere. Memory, processor time and file size are limited where the system can; ``fence`` closes the
    network, other processes, files outside an empty folder, and the sources of the exercises. ``check`` and ``show`` do
    nothing here: a learner may have left a call to them anywhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any, TextIO

from . import fence
from .values import dumps, loads, plain

MEMORY, FILE_SIZE = 6 * 2**30, 64 * 2**20


def main() -> None:
    """Serve requests until there are no more. The first line holds the limits."""
    requests, replies = _take_over_the_standard_streams()
    limits = json.loads(requests.readline())
    limit_resources(limits["seconds"])
    _checks_do_nothing()
    fence.put_up(os.getcwd())
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for line in requests:
        reply = answer(json.loads(line), namespace)
        replies.write(json.dumps(reply) + "\n")
        replies.flush()
    os._exit(0)  # no exit handlers of the answers


def answer(request: dict[str, Any], namespace: dict[str, Any]) -> dict[str, Any]:
    """The reply to one request: {"cell": source}, {"call": name, "args": text}, {"value": name} or {"fence": True}."""
    try:
        if "fence" in request:
            return {"fence": fence.standing()}
        if "cell" in request:
            exec(compile(without_magics(request["cell"]), request.get("name", "<cell>"), "exec"), namespace)
            return {"done": True}
        name = request.get("call", request.get("value"))
        if name not in namespace:
            return {"missing": True}
        if "value" in request:
            return _plain(namespace[name])
        if not callable(namespace[name]):
            return {"not_a_function": True}
        returned = namespace[name](*loads(request["args"]))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit and all: a reply is due whatever the answer raises
        return _raised(error)
    return _plain(returned)


def _plain(value: Any) -> dict[str, Any]:
    try:
        return {"value": dumps(plain(value))}
    except BaseException as error:  # a value may lie about itself in any way
        return {"unusable": _text(error)}


def _raised(error: BaseException) -> dict[str, Any]:
    return {"raised": [str(type(error).__name__)[:80], _text(error)]}


def _text(error: BaseException) -> str:
    try:
        return str(error)[:500]
    except BaseException:  # an exception whose __str__ raises
        return "(no message)"


def without_magics(source: str) -> str:
    """A cell without lines that only a notebook understands (% and !), its line numbers kept."""
    return "\n".join("" if line.startswith(("%", "!")) else line for line in source.splitlines())


def _checks_do_nothing() -> None:
    """In here ``check`` gives 0 points and ``show`` nothing, without opening an exercise."""
    from minquant.teaching import exercises

    exercises.check, exercises.show = (lambda *_, **__: 0.0), (lambda *_, **__: None)


def limit_resources(seconds: int) -> None:
    """Bound memory, processor time and file size of this process, where the system can."""
    try:
        import resource
    except ImportError:  # Windows: the parent's clock still holds
        return
    bounds = {"RLIMIT_AS": MEMORY, "RLIMIT_CPU": int(seconds) + 5, "RLIMIT_FSIZE": FILE_SIZE, "RLIMIT_CORE": 0}
    for name, bound in bounds.items():
        with contextlib.suppress(ValueError, OSError, AttributeError):
            resource.setrlimit(getattr(resource, name), (bound, bound))


def _take_over_the_standard_streams() -> tuple[TextIO, TextIO]:
    """(requests, replies) on descriptors of their own; 0, 1 and 2 then lead nowhere."""
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    sys.stdin, sys.stdout, sys.stderr = (open(os.devnull, mode, encoding="utf-8") for mode in ("r", "w", "w"))
    return requests, replies


if __name__ == "__main__":
    main()
