"""What a submission may touch while it is graded: its own empty folder, and nothing that decides a grade.

How it works
    Two fences, put up by the worker before the first cell runs; neither can be taken down from Python afterwards.

    The kernel's, on Linux: a network namespace without a network, and Landlock rules. Under them the process writes
    only in its folder, starts no program, connects nowhere, and sends no signal to the process that judges it.

    The interpreter's, on every system: an audit hook sees each file opened, socket made and process started, and
    refuses (``PermissionError``) those that are listed here. It also closes what the kernel leaves open for reading:
    the sources of the exercises, which hold the answers for any key, and every notebook, which hold other people's.

Source
    Landlock: Linux, ``Documentation/userspace-api/landlock.rst`` (system calls 444 to 446); ``unshare(2)``.
    Audit hooks: PEP 578.

What we leave out
    The determined. Machine code (``ctypes``) passes the second fence and can read what the account that grades can
    read; the container recipe beside this file and a viva are for that. Where the kernel offers no fence, the
    second is the only one: ``standing`` says which there are.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
from collections.abc import Callable
from typing import Any

NEW_USER, NEW_NET, NO_NEW_PRIVILEGES, PATH_ONLY = 0x10000000, 0x40000000, 38, 0o10000000
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
# Landlock's rights over files, by the version that brought them. Reading (bits 2 and 3) stays free.
EXECUTE = 1
WRITING = {1: 0b1_1111_1111_0010, 2: 1 << 13, 3: 1 << 14}
TCP, SIGNALS_AND_SOCKETS = (4, 0b11), (6, 0b11)
ANSWERS = re.compile(r"[/\\]exercises[/\\]e\d\d_")
PROCESSES = frozenset(("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.kill",
                       "os.killpg", "os.startfile", "pty.spawn", "signal.pthread_kill", "subprocess.Popen"))
FILES = frozenset(("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
                   "os.chown", "os.utime"))
_standing: list[str] = []


def put_up(folder: str) -> None:
    """Both fences around this process; ``folder`` (absolute) is where it may write. Never raises."""
    if sys.platform == "linux":
        for name, fence in (("network", _no_network), ("files, programs and signals", lambda: _landlock(folder))):
            with contextlib.suppress(OSError, AttributeError):
                fence()
                _standing.append(f"kernel: {name}")
    sys.addaudithook(_hook(folder))
    _standing.append("interpreter: files, network, programs and signals")


def standing() -> list[str]:
    """The fences around this process, in words."""
    return list(_standing)


def _no_network() -> None:
    """A network namespace of our own, without so much as a loopback. Raises OSError where that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_USER | NEW_NET):
        raise OSError(ctypes.get_errno(), "no namespace of its own")


def _landlock(folder: str) -> None:
    """Kernel rules for writing, programs, TCP and signals. Raises OSError where the kernel has none."""
    version = _system_call(CREATE_RULESET, None, 0, 1)
    writing = sum(bits for since, bits in WRITING.items() if version >= since)
    beyond = [bits if version >= since else 0 for since, bits in (TCP, SIGNALS_AND_SOCKETS)]
    attributes = (ctypes.c_uint64 * 3)(EXECUTE | writing, *beyond)
    ruleset = _system_call(CREATE_RULESET, attributes, 24 if version >= 6 else 16 if version >= 4 else 8, 0)
    for path, rights in ((folder, writing), (os.devnull, writing & 0b100_0000_0000_0010)):
        place = os.open(path, PATH_ONLY)
        rule = ctypes.create_string_buffer(rights.to_bytes(8, sys.byteorder) + place.to_bytes(4, sys.byteorder), 12)
        _system_call(ADD_RULE, ruleset, 1, rule, 0)
        os.close(place)
    if ctypes.CDLL(None, use_errno=True).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    _system_call(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _system_call(number: int, *arguments: Any) -> int:
    given = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *given)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return result


def _hook(folder: str) -> Callable[[str, tuple], None]:
    """The audit hook. All it uses is bound here: a submission may replace any name of this module or of ``builtins``."""
    inside, null, write = folder.rstrip(os.sep) + os.sep, os.devnull, os.O_WRONLY | os.O_RDWR
    processes, files, answers = PROCESSES, FILES, ANSWERS.search
    kind, text, raw, whole, some, refuse = type, str, bytes, int, any, PermissionError

    def named(path: Any) -> Any:
        return path.decode("utf-8", "surrogateescape") if kind(path) is raw else path

    def ours(path: Any) -> bool:
        if kind(path) is not text:
            return path is None or kind(path) is whole  # a descriptor, opened under this hook already
        absolute = path.startswith(("/", "\\")) or path[1:2] == ":"
        return path in (null, folder) or ".." not in path and (path.startswith(inside) or not absolute)

    def hook(event: str, arguments: tuple) -> None:
        if event == "open":
            path, (_, mode, flags) = named(arguments[0]), arguments
            if kind(path) is text and answers(path):
                raise refuse("the exercises' own sources are closed while an answer is graded")
            if kind(path) is text and path.lower().endswith(".ipynb") and not ours(path):
                raise refuse("notebooks are closed while an answer is graded")
            writes = some(c in mode for c in "wax+") if kind(mode) is text else (flags or 0) & write
            if writes and not ours(path):
                raise refuse("an answer may write only in the folder it runs in while it is graded")
        elif event in processes or event.startswith("socket."):
            raise refuse("an answer has no network and starts no process while it is graded")
        elif event in files and some(not ours(named(a)) for a in arguments):
            raise refuse("an answer may change files only in the folder it runs in while it is graded")

    return hook
