"""The same weights, used in three ways: how many bytes move, what that predicts, and what it takes.

``matvec_paths`` counts the bytes of each way first and divides them by the read bandwidth of the same moment: the time
it would take if nothing but memory mattered. Then it is timed, in turns with the others (``turns.py``).

    fused                       codes are decoded in a register: only packed bytes move (8-bit activations)
    dequantize, then multiply   a float32 copy of the matrix is written and read back
    fake quantization           weights stay in bf16 and are rounded whenever they are used

``launch_cost`` hands one product to all threads in more and more pieces: what is added is the price of a launch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..scaling import quantize
from .bandwidth import thread_counts
from .kernel_ladder import SHAPE, _filled, _scale_bits, fused, random_product
from .statistics import summary
from .turns import seconds_of, time_in_turns

FUSED, DEQUANTIZE, FAKE = "fused", "dequantize, then multiply", "fake quantization"
PIECES = (1, 16, 128, 1024)
_BITS = {"int8": 8, "int4": 4}


def bytes_moved(path: str, format_: str) -> dict[str, float]:
    """What one weight moves to or from memory, in bytes, by what it is: the byte ledger of a path.

    ``format_``: "bf16" (fused only), "int8" or "int4", the latter two with a float16 scale for every 32 weights. The
    scales that fake quantization divides by are float32. Raises ValueError for another path or format.
    """
    if (path, format_) == (FUSED, "bf16"):
        return {"read bf16": 2.0}
    if path not in (FUSED, DEQUANTIZE, FAKE) or format_ not in _BITS:
        raise ValueError(f"there is no path {path!r} for {format_!r}")
    if path == FAKE:
        return {"read bf16": 2.0, "read scales": 4 / 32}
    codes = {"read codes": _BITS[format_] / 8, "read scales": 2 / 32}
    return codes if path == FUSED else codes | {"write float32": 4.0, "read float32": 4.0}


def matvec_paths(shape: tuple[int, int] = SHAPE, threads: int | Sequence[int] | None = None, repetitions: int = 5,
                 progress: Callable[[str], None] | None = None) -> list[dict]:
    """Time every path for int8 and int4, and bf16 for comparison, on a random matrix (rows, columns).

    Args: as ``kernel_ladder``; ``threads``: a number or several, None for one and all.

    Returns:
        One row per path, format and number of threads: ``path``, ``format``, ``threads``, ``shape``, ``repetitions``,
        ``moved`` (the byte ledger), ``bytes_per_weight``, ``predicted_speedup`` (over bf16, a ratio of bytes), and as
        medians with ``_p10`` and ``_p90``: ``ms``, ``predicted_ms``, ``read_gb_per_s``, ``speedup_over_bf16``.
    """
    import numba

    counts = thread_counts(threads, sorted({1, numba.config.NUMBA_NUM_THREADS}))
    (progress or (lambda line: None))("packing the matrix, compiling the kernels")
    calls = _calls(*random_product(shape), counts)
    samples = time_in_turns({key: (key[2], call) for key, call in calls.items()}, repetitions, progress)
    return [_row(key, shape, samples) for key in calls]


def _calls(w: np.ndarray, x: np.ndarray,
           counts: Sequence[int]) -> dict[tuple[str, str, int], Callable[[], np.ndarray]]:
    """(path, format, threads) -> a call that returns out (rows,)."""
    from ..kernels import detours, ladder

    out, copy = np.empty(len(w), np.float32), np.empty_like(w)
    bits, calls = quantize(w, "bf16"), {}
    for threads in counts:
        calls[FUSED, "bf16", threads] = fused(bits, x, threads, None)
    for name, width in _BITS.items():
        q = quantize(w, f"{name}:g32")
        scale, largest = _scale_bits(q), np.float32(2 ** (width - 1) - 1)
        codes = q.codes if width == 8 else ladder.pack_halves(q.codes)
        dequantize = detours.dequantize_int8 if width == 8 else detours.dequantize_int4
        floats = q.scale.astype(np.float32)

        def by_copy(codes=codes, scale=scale, dequantize=dequantize):
            dequantize(copy, codes, scale)
            return _filled(out, detours.float32_matvec, copy, x)

        def faked(floats=floats, largest=largest):
            return _filled(out, detours.fake_quant_matvec, bits.codes, floats, x, largest)

        for threads in counts:
            calls[FAKE, name, threads] = faked
            calls[DEQUANTIZE, name, threads] = by_copy
            calls[FUSED, name, threads] = fused(q, x, threads)
    return calls


def _row(key: tuple[str, str, int], shape: tuple[int, int], samples: dict) -> dict:
    path, name, threads = key
    seconds, read = samples[key].T
    moved = bytes_moved(path, name)
    size = sum(moved.values())
    return {"path": path, "format": name, "threads": threads, "shape": shape, "repetitions": len(seconds),
            "moved": moved, "bytes_per_weight": size, "predicted_speedup": 2.0 / size, **summary("ms", 1e3 * seconds),
            **summary("predicted_ms", size * shape[0] * shape[1] / read / 1e6), **summary("read_gb_per_s", read),
            **summary("speedup_over_bf16", samples[FUSED, "bf16", threads][:, 0] / seconds)}


def launch_cost(pieces: Sequence[int] = PIECES, shape: tuple[int, int] = (4096, 1024),
                repetitions: int = 9) -> list[dict]:
    """One bf16 product on all threads, launched in so many pieces, by compiled code and by Python.

    ``pieces``: numbers that divide the rows; the first should be 1. The default matrix, 8 MB, may stay in cache.

    Returns:
        One row per number of pieces: ``pieces``, ``repetitions``, and as medians with ``_p10`` and ``_p90``: ``ms``,
        ``ms_from_python``. Raises ValueError for pieces that do not divide the rows.
    """
    from ..kernels import detours, floats

    rows = shape[0]
    if any(p < 1 or rows % p for p in pieces):
        raise ValueError(f"pieces: numbers that divide {rows} rows, not {list(pieces)}")
    w, x = random_product(shape)
    codes, out = quantize(w, "bf16").codes, np.empty(rows, np.float32)

    def from_python(count: int) -> None:
        step = rows // count
        for first in range(0, rows, step):
            floats.bf16_matvec(out[first:first + step], codes[first:first + step], x)

    samples = {p: np.empty((repetitions, 2)) for p in pieces}
    for round_ in range(-1, repetitions):  # the first round compiles and is not kept
        for p in pieces:
            both = (seconds_of(lambda p=p: detours.bf16_in_pieces(out, codes, x, p)),
                    seconds_of(lambda p=p: from_python(p)))
            if round_ >= 0:
                samples[p][round_] = both
    return [{"pieces": p, "repetitions": repetitions, **summary("ms", 1e3 * samples[p][:, 0]),
             **summary("ms_from_python", 1e3 * samples[p][:, 1])} for p in pieces]
