"""What Numba is compiling, said while it happens: a first token in a new format may take half a minute.

Numba announces the start and the end of every compilation (``numba.core.event``), helpers within their callers.
A function whose machine code was found on disk is not announced: with a warm cache there is nothing to say.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core import event

DEPTH = 2  # callers and what they call; the helpers below are compiled too fast to be read


class _Reporter(event.Listener):
    """Turns announcements into lines of text."""

    def __init__(self, say: Callable[[str], None], purpose: str) -> None:
        self.say, self.purpose, self.names, self.start = say, purpose, [], 0.0

    def on_start(self, announced: event.Event) -> None:
        self.names.append(announced.data["dispatcher"].py_func.__name__)
        outermost, *inner = self.names
        if not inner:
            self.start = time.perf_counter()
        if len(inner) < DEPTH and self.names[-1].isidentifier():  # not "<lambda>"
            self.say(": ".join([f"compiling {outermost}{self.purpose}", *inner]))

    def on_end(self, announced: event.Event) -> None:
        name = self.names.pop()
        if not self.names:
            self.say(f"compiled {name}{self.purpose} in {time.perf_counter() - self.start:.1f} s")


@contextmanager
def compile_progress(say: Callable[[str], None], purpose: str = "") -> Iterator[None]:
    """Within it, ``say`` is called with a line when a function starts to be compiled, and with the seconds it took.

    ``purpose`` follows the name of the function: " for int4:g32". Functions loaded from disk are silent, and so is
    everything with the JIT switched off.
    """
    with event.install_listener("numba:compile", _Reporter(say, purpose)):
        yield
