"""Beside llama.cpp: our decoder and an installed ``llama-bench`` in alternation, on the same random model.

How it is measured
    For each block format both have (``FORMATS``), each context and each number of threads, a *round* is one run of
    llama-bench (``-p 0 -n 32 -d CONTEXT -r 1``: it reads CONTEXT tokens untimed, then times 32 single tokens) and one
    of our decoder over the same positions, CONTEXT to CONTEXT + 31. Every other round begins with the other program.
    The *ratio*, ours over theirs, is taken within a round, then its median: a slow minute of the machine meets both.

What is alike
    Shape, weights and bytes of the blocks (``random_gguf.py``), the embedding and output matrix in the same blocks;
    batch 1; 16-bit caches (theirs f16, ours bfloat16); for Q8_0 and Q4_0 activations rounded to 8 bits in groups of 32,
    which llama.cpp does by itself. Neither samples: both are fed arbitrary tokens. Both have decoded a token before.

What is not
    llama.cpp runs as a process of its own each time, so it starts with threads asleep, and it may use instructions that
    our kernels do not, or the other way round. It rearranges Q4_0 blocks as it loads them (its default).
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .decode import _all_threads
from .random_gguf import random_gguf
from .statistics import summary

if TYPE_CHECKING:
    from ..decoder import Decoder
    from ..model import Config

FORMATS = {"bf16": ("BF16", None), "q8_0": ("Q8_0", "int8:g32"), "q4_0": ("Q4_0", "int8:g32")}  # blocks, activations
TOKENS = 32  # timed in each run
TIMEOUT = 600  # seconds a run of llama-bench may take


def versus(program: str | os.PathLike, shape: str | Config = "0.6b", weights: Iterable[str] = tuple(FORMATS),
           context: Iterable[int] = (128,), threads: int | Sequence[int] | None = None, repetitions: int = 5,
           folder: str | os.PathLike | None = None, progress: Callable[[str], None] | None = None) -> list[dict]:
    """Time our decoder beside a program ``llama-bench``.

    Args:
        program: the file to run, as cmake builds it from the source of llama.cpp (or of llama-cpp-python).
        shape: name of a random model's shape, or a Config.
        weights: some of ``FORMATS``.
        context: tokens in the cache when the first timed token is decoded.
        threads: a number or several; None for all.
        repetitions: rounds.
        folder: where the GGUF files of the model are kept, up to 2 bytes a weight; None for the cache of minquant.
        progress: called with a line of text now and then.

    Returns:
        One row per combination: ``shape``, ``weights``, ``blocks``, ``activations`` (of both), ``context``,
        ``threads``, ``tokens``, ``repetitions``, ``build`` (of llama.cpp), and as medians with ``_p10`` and ``_p90``:
        ``tokens_per_s``, ``their_tokens_per_s``, ``ratio``.

    Raises ValueError for a format, shape or number of threads that there is not; FileNotFoundError, PermissionError
    where the program cannot be run; RuntimeError where it fails, takes too long or answers something else.
    """
    say = progress or (lambda line: None)
    program, weights, contexts = _checked_program(program), _checked_formats(weights), [int(c) for c in context]
    counts = _all_threads(threads)
    if not contexts or min(contexts) < 0 or repetitions < 1:
        raise ValueError(f"context: at least one length of 0 or more tokens, and repetitions at least 1, not "
                         f"{contexts} and {repetitions}")
    rows = []
    for name in weights:
        blocks, activations = FORMATS[name]
        path = random_gguf(shape, blocks, folder and Path(folder), say)
        decoder = _decoder(shape, name, activations, max(contexts) + TOKENS, say)
        for c in contexts:
            for count in counts:
                decoder.threads = count
                facts = {"shape": shape if isinstance(shape, str) else "model", "weights": name, "blocks": blocks,
                         "activations": activations, "context": c, "threads": count, "tokens": TOKENS,
                         "repetitions": repetitions}
                rows.append(facts | _rounds(program, path, decoder, c, repetitions, say))
        del decoder  # before the next is packed
    return rows


def _rounds(program: Path, path: Path, decoder: Decoder, context: int, repetitions: int, say) -> dict[str, Any]:
    """Figures of one combination."""
    samples, build = np.empty((repetitions, 2)), None
    for round_ in range(repetitions):
        say(f"{decoder.weights} beside llama.cpp, context {context}, threads {decoder.threads}: round {round_ + 1} of "
            f"{repetitions}")
        for ours in (True, False) if round_ % 2 == 0 else (False, True):
            if ours:
                samples[round_, 0] = _our_tokens_per_s(decoder, context)
            else:
                samples[round_, 1], build = _their_tokens_per_s(program, path, context, decoder.threads)
    ours, theirs = samples.T
    return {"build": build, **summary("tokens_per_s", ours), **summary("their_tokens_per_s", theirs),
            **summary("ratio", ours / theirs)}


def _our_tokens_per_s(decoder: Decoder, context: int) -> float:
    """Tokens per second of positions context .. context + TOKENS - 1, after one that is not timed."""
    logits = np.empty(decoder.config.vocab_size, np.float32)
    decoder.fill_cache(context)
    decoder.step(0, out=logits)
    decoder.rewind(context)
    start = time.perf_counter()
    for token in range(TOKENS):
        decoder.step(token, out=logits)
    return TOKENS / (time.perf_counter() - start)


def _their_tokens_per_s(program: Path, path: Path, context: int, threads: int) -> tuple[float, str]:
    """The same of llama-bench, and what it calls its build."""
    asked = {"n_prompt": 0, "n_gen": TOKENS, "n_depth": context, "n_threads": threads}
    words = [str(program), "-m", str(path), "-p", "0", "-n", str(TOKENS), "-d", str(context), "-t", str(threads),
             "-r", "1", "-ngl", "0", "-o", "json"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT, errors="replace")
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{program.name} did not answer within {TIMEOUT} s; it was stopped. It was run as  "
                           f"{' '.join(words)}") from None
    except OSError as error:
        raise PermissionError(f"{program} cannot be run ({error.strerror}): is it built for this machine?") from None
    if done.returncode:
        raise RuntimeError(f"{program.name} failed with exit code {done.returncode}: {_last(done.stderr)}. It was run "
                           f"as  {' '.join(words)}")
    try:
        answer, = json.loads(done.stdout)
        speed, got = float(answer["avg_ts"]), {key: answer[key] for key in asked}
    except (ValueError, TypeError, KeyError):
        raise RuntimeError(f"{program.name} did not print what llama-bench prints (a JSON list of one object with "
                           f"avg_ts and {', '.join(asked)}), but: {_last(done.stdout)}. Is it a llama-bench, and not "
                           "too old for -d?") from None
    if got != asked or not 0 < speed < float("inf"):
        raise RuntimeError(f"{program.name} was asked for {asked} and measured {got}, {speed} tok/s: that cannot be "
                           "compared")
    return speed, str(answer.get("build_commit"))


def _last(text: str) -> str:
    """The last line that says something, at most 200 characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "(nothing)"


def _decoder(shape: str | Config, weights: str, activations: str | None, context: int, say) -> Decoder:
    """A decoder, its kernels compiled, because it is given somebody to tell about it."""
    from ..decoder import Decoder
    from ..model import random_model

    return Decoder(random_model(shape), weights, context=context, activations=activations, progress=say)


def _checked_program(program: str | os.PathLike) -> Path:
    path = Path(program)
    if not path.is_file():
        raise FileNotFoundError(f"there is no program {path}: give the path of a built llama-bench, for example "
                                "llama.cpp/build/bin/llama-bench")
    if not os.access(path, os.X_OK):
        raise PermissionError(f"{path} is not executable: give the path of the program llama-bench itself")
    return path.absolute()


def _checked_formats(weights: Iterable[str]) -> list[str]:
    weights = [weights] if isinstance(weights, str) else list(weights)
    missing = [name for name in weights if name not in FORMATS]
    if missing or not weights or len(set(weights)) < len(weights):
        raise ValueError(f"beside llama.cpp, weights are some of {', '.join(FORMATS)}, each once, because it has the "
                         f"same blocks, not {', '.join(missing or weights) or 'none'}")
    return weights
