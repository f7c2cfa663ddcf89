"""The ``minquant`` command: one verb each, one file per verb.

How it works
    ``main`` reads the verb, imports the file of that verb alone and hands it the
    remaining arguments. So ``minquant --help`` loads neither NumPy nor Numba and
    answers at once. A verb is a module with ``main(argv) -> exit code``.

Exit codes
    0 done; 2 the request cannot be met (one line says why and what to do); 1 a
    fault of ours; 130 interrupted with Ctrl-C. ``--debug`` anywhere on the line
    shows the full traceback.
"""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from importlib import import_module

VERBS = {
    "lab": "open the course in JupyterLab",
    "doctor": "check this machine: versions, threads, read bandwidth, JIT cache",
    "ladder": "size, speed and quality of every precision level, in one table",
    "decode": "tokens per second of packed weights, beside this machine's read bandwidth",
    "eval": "perplexity and KL of a quantization recipe on held-out text",
    "fragility": "weights, activations, KV cache and attention, each quantized alone",
    "trace": "one weight's biography: from the checkpoint to a logit and a GGUF file, with file and line",
    "quantize": "a checkpoint and a recipe become a file",
    "qat": "train a model with its rounding (quantization-aware training)",
    "generate": "let a model write, at any precision",
    "exercises": "status, release, solutions and grading of the exercises",
    "class": "what this machine measured into a file, and what many machines measured into a picture",
}
DEBUG = "--debug"
_REFUSALS = (ValueError, TypeError, OSError, RuntimeError, ImportError)


def contents() -> str:
    """The help page: a table of contents of the verbs."""
    width = max(map(len, VERBS)) + 2
    lines = [f"  {verb:<{width}}{line}" for verb, line in VERBS.items()]
    return "\n".join([
        "minquant: LLM quantization, built from scratch and measured on this machine", "",
        "usage: minquant VERB [options]", "", *lines, "",
        "minquant VERB --help explains one verb; --json prints figures for programs; --version prints the version;",
        f"{DEBUG} shows the traceback of an error."])


def main(argv: list[str] | None = None) -> int:
    """Run one command line (default: this process's) and return its exit code; nothing is raised."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = DEBUG in words
    words = [word for word in words if word != DEBUG]
    if not words or words[0] in ("-h", "--help", "help"):
        print(contents())
        return 0
    if words[0] in ("-V", "--version"):
        from .. import __version__

        print(f"minquant {__version__}")
        return 0
    verb, rest = words[0], words[1:]
    if verb not in VERBS:
        return _complain("minquant", _unknown(verb), 2)
    return _guarded(verb, rest, debug)


def _guarded(verb: str, rest: list[str], debug: bool) -> int:
    """Run a verb; every way it can end becomes an exit code and at most one line on stderr."""
    name = f"minquant {verb}"
    try:
        try:
            code = import_module(f"{__name__}.{verb}").main(rest)
        except SystemExit as stop:  # argparse: 0 after --help, 2 after an error it has already explained
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        sys.stdout.flush()  # here, and not at exit, where a closed pipe could no longer be caught
        return int(code or 0)
    except KeyboardInterrupt:
        return _complain(name, "interrupted", 130)
    except BrokenPipeError:  # `minquant ladder | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # the last stop before the reader: nothing may pass as a traceback
        if debug:
            raise
        if isinstance(error, _REFUSALS):
            return _complain(name, str(error) or type(error).__name__, 2)
        return _complain(name, f"unexpected {type(error).__name__}: {error} (this is a fault of minquant; "
                               f"{DEBUG} shows where)", 1)


def _unknown(verb: str) -> str:
    close = get_close_matches(verb, VERBS, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"there is no verb {verb!r}: {hint}The verbs are {', '.join(VERBS)}"


def _complain(name: str, message: str, code: int) -> int:
    """One line on stderr, whatever the message looked like, and the exit code."""
    print(f"{name}: {' '.join(message.split())}", file=sys.stderr)
    return code
