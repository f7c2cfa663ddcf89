"""What does a second vector cost, when the weights are being read anyway?

A pass multiplies every matrix of a model by B vectors, through one kernel (``kernels/batch.py``) that reads each weight
once whatever B is. At B = 1 memory is the limit and the arithmetic waits; each further vector adds arithmetic only, which
is free until the cores are busy. ``flop_per_byte`` and ``gflop_per_s`` are the coordinates of a roofline
(Williams, Waterman and Patterson 2009).

What we leave out: attention and norms, whose work grows with every user and is shared by none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from .bandwidth import ReadLoop, thread_counts
from .decode import _model
from .statistics import summary

if TYPE_CHECKING:
    from ..model import Transformer

BATCHES = (1, 2, 4, 8, 16, 32)


def batch_sweep(shape: str | Transformer = "0.1b", batches: Iterable[int] = BATCHES, weights: str = "bf16",
                threads: int | None = None, repetitions: int = 7, progress: Callable[[str], None] | None = None) -> list[dict]:
    """Time one pass over the weights for several batch sizes.

    Args: as ``measure_decode``; ``batches``: how many vectors, each at least 1.

    Returns:
        One row per batch size: ``shape``, ``weights``, ``threads``, ``batch``, ``repetitions``, ``bytes_per_pass``,
        ``flop_per_byte`` (two operations per weight and vector), and as medians with ``_p10`` and ``_p90``:
        ``ms_per_pass``, ``ms_per_token``, ``tokens_per_s``, ``gb_per_s``, ``read_gb_per_s``, ``share_of_read``,
        ``gflop_per_s``, ``price`` (time of the pass in passes of the smallest batch size of the same round).
    """
    import numba

    say = progress or (lambda line: None)
    batches = sorted({int(b) for b in batches})
    if not batches or batches[0] < 1:
        raise ValueError(f"batches: at least one number of vectors, each at least 1, not {batches}")
    name, model = _model(shape)
    threads, = thread_counts(threads, [numba.config.NUMBA_NUM_THREADS])
    run, size, count = _passes(model, weights, threads, max(batches), progress)
    say(f"first pass in {weights} (compiles its kernels if they are not in the cache yet)")
    run(batches[0])
    loop, samples = ReadLoop(), {b: [] for b in batches}
    loop.gb_per_s(threads)
    for round_ in range(repetitions):
        say(f"timing: round {round_ + 1} of {repetitions}")
        for b in batches if round_ % 2 == 0 else batches[::-1]:
            samples[b].append((_seconds(run, b), loop.gb_per_s(threads)))
    first = np.array([seconds for seconds, _ in samples[batches[0]]])
    return [{"shape": name, "weights": weights, "threads": threads, "batch": b, "repetitions": repetitions,
             "bytes_per_pass": size, "flop_per_byte": 2 * count * b / size,
             **_figures(np.array(samples[b]), b, size, count, first)} for b in batches]


def _figures(samples: np.ndarray, batch: int, size: int, count: int, first: np.ndarray) -> dict:
    """Medians of one batch size; samples (repetitions, 2): seconds, read GB/s."""
    seconds, read = samples.T
    gb = size / seconds / 1e9
    return {**summary("ms_per_pass", 1e3 * seconds), **summary("ms_per_token", 1e3 * seconds / batch),
            **summary("tokens_per_s", batch / seconds), **summary("gb_per_s", gb), **summary("read_gb_per_s", read),
            **summary("share_of_read", gb / read), **summary("gflop_per_s", 2 * count * batch / seconds / 1e9),
            **summary("price", seconds / first)}


def _seconds(run: Callable[[int], None], batch: int, least: float = 0.05) -> float:
    """Seconds of a pass: the mean over about ``least`` seconds of passes."""
    start, passes = time.perf_counter(), 0
    while True:
        run(batch)
        passes += 1
        elapsed = time.perf_counter() - start
        if elapsed > least:
            return elapsed / passes


def _passes(model: Transformer, weights: str, threads: int, most: int, progress) -> tuple[Callable[[int], None], int, int]:
    """(a function that runs a pass with so many vectors, bytes of the packed matrices, number of weights)."""
    from ..decoder import Decoder
    from ..decoder.threads import thread_count
    from ..kernels import packed
    from ..kernels.batch import batch_pass

    decoder, c = Decoder(model, weights, context=1, threads=threads, progress=progress), model.config
    w, widths = decoder.packed_weights, (c.hidden, c.heads * c.head_dim, c.ffn)
    rng = np.random.default_rng(0)
    vectors = [rng.standard_normal((most, width), np.float32) for width in widths]
    rows = max(packed.stored_rows(m) for m in w[1:6])
    out, decoded = packed.aligned((rows * most,), np.float32), packed.aligned((threads, 2, max(widths) + 16), np.float32)

    def run(batch: int) -> None:
        with thread_count(threads):
            batch_pass(out[:rows * batch].reshape(rows, batch), w, *(v[:batch] for v in vectors), decoded)

    count = sum(m.codes.shape[0] * packed.stored_rows(m) * width for m, width in
                zip(w[1:6], (c.hidden, c.heads * c.head_dim, c.hidden, c.ffn, c.hidden)))
    return run, sum(packed.nbytes(m) for m in w[1:6]), count
