"""How fast does each layout give its codes back?

How it is measured
    One *round* unpacks the same matrix once from every layout, with the reading loop just before it. That loop reads a
    buffer several times the last-level cache, so it measures the memory of the same moment and also throws the packed
    matrix out of the cache. Rounds are repeated, every other one in reverse order. Ratios are taken within a round and
    then their median.

What the figures mean
    ``gb_per_s``        packed bytes *read* per second, all that the call takes: zero points where the layout keeps them
                        beside the codes (GPTQ, AWQ), scales where they lie between the codes (GGUF)
    ``gcodes_per_s``    10^9 codes *written* per second, one byte each, so these are GB/s as well
    ``share_of_read``   gb_per_s / what one thread reads from memory at that moment
    ``times_copy``      time / time to copy the float32 matrix, 4 bytes a weight, into memory that is already there

    Everything runs on one thread, in the NumPy of ``packing``, and its result is a new array. These are figures of the
    readers in this package, not of the layouts alone: a compiled kernel that uses each code where it unpacks it and
    never writes it out, as ``kernels`` do, comes far nearer to the read bandwidth.

Two rows unpack nothing: "copy float32" is the yardstick, "quantize + pack int4:g32" is the way in, from float32 to
packed bytes, and its ``gb_per_s`` counts the floats read.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from ..packing import awq, compressed_tensors, gguf, gptq, pack_bits, ternary, unpack_bits
from ..scaling import quantize
from .bandwidth import ReadLoop
from .statistics import summary

GROUP = 32  # weights that share a zero point, and a GGUF block
COPY, WAY_IN = "copy float32", "quantize + pack int4:g32"


def unpacking_speed(shape: tuple[int, int] = (1024, 3072), repetitions: int = 15,
                    progress: Callable[[str], None] | None = None) -> list[dict]:
    """Time unpacking a matrix of this shape, (out, in), from every layout.

    Args:
        shape: columns in multiples of 32.
        repetitions: rounds; most of their time goes into the reading loop.
        progress: called with a line of text now and then.

    Returns:
        One row per layout: ``layout``, ``shape``, ``repetitions``, ``bytes_read``, ``bits_per_weight`` (of those
        bytes), and as medians with ``_p10`` and ``_p90``: ``ms``, ``gb_per_s``, ``gcodes_per_s``, ``read_gb_per_s`` (of
        the same moments, one thread), ``share_of_read``, ``times_copy``.

    Raises ValueError for a shape that is not whole groups of 32, or no repetitions.
    """
    out, n = shape
    if out < 1 or n < 1 or n % GROUP:
        raise ValueError(f"shape: at least one row, and columns in multiples of {GROUP}, not {shape}")
    if repetitions < 1:
        raise ValueError(f"repetitions must be at least 1, not {repetitions}")
    say = progress or (lambda line: None)
    say("packing the matrix in every layout")
    layouts, loop = _layouts(out, n), ReadLoop()
    samples = {name: np.empty((repetitions, 2)) for name in layouts}
    for _, run in layouts.values():
        run()
    loop.gb_per_s(1)
    for round_ in range(repetitions):
        say(f"timing: round {round_ + 1} of {repetitions}")
        for name in layouts if round_ % 2 == 0 else reversed(layouts):
            samples[name][round_] = loop.gb_per_s(1), _seconds(layouts[name][1])
    copying = samples[COPY][:, 1]
    return [{"layout": name, "shape": (out, n), "repetitions": repetitions, "bytes_read": size,
             "bits_per_weight": 8 * size / (out * n), **_figures(samples[name], size, out * n, copying)}
            for name, (size, _) in layouts.items()]


def _layouts(out: int, n: int) -> dict[str, tuple[int, Callable[[], object]]]:
    """Name -> (bytes read, a call that unpacks them), the two rows that unpack nothing first and last."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((out, n), np.float32)
    codes = {bits: rng.integers(0, 1 << bits, (out, n)).astype(np.uint8) for bits in (4, 3)}
    zero = np.full((out, n // GROUP), 4, np.uint8)
    copied = x.copy()
    layouts = {COPY: (x.nbytes, lambda: np.copyto(copied, x))}
    for bits, matrix in codes.items():
        layouts[f"dense int{bits}"] = _layout(unpack_bits, pack_bits(matrix, bits), bits, out * n)
    for bits, matrix in codes.items():
        layouts[f"GPTQ int{bits}"] = _layout(gptq.unpack, *gptq.pack(matrix, zero, bits), bits, (out, n))
    layouts["AWQ int4"] = _layout(awq.unpack, *awq.pack(codes[4], zero), (out, n))
    signed = codes[4].view(np.int8) - np.int8(8)
    words = compressed_tensors.pack(signed, 4)
    layouts["compressed-tensors int4"] = _layout(compressed_tensors.unpack, words, 4, (out, n))
    for type_ in ("Q4_0", "Q8_0"):
        layouts[f"GGUF {type_}"] = _layout(gguf.unpack_blocks, gguf.quantize(x, type_), type_)
    layouts["ternary"] = _layout(ternary.unpack, ternary.pack(rng.integers(-1, 2, (out, n), np.int8)), out * n)
    layouts[WAY_IN] = x.nbytes, lambda: quantize(x, "int4:g32").pack()
    return layouts


def _layout(unpack: Callable, *arguments) -> tuple[int, Callable[[], object]]:
    """(bytes of the arrays among the arguments, a call of unpack with all of them)."""
    return sum(a.nbytes for a in arguments if isinstance(a, np.ndarray)), lambda: unpack(*arguments)


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _figures(samples: np.ndarray, size: int, codes: int, copying: np.ndarray) -> dict:
    """Medians of one layout; samples (repetitions, 2): read GB/s, seconds."""
    read, seconds = samples.T
    gb = size / seconds / 1e9
    return {**summary("ms", 1e3 * seconds), **summary("gb_per_s", gb), **summary("gcodes_per_s", codes / seconds / 1e9),
            **summary("read_gb_per_s", read), **summary("share_of_read", gb / read),
            **summary("times_copy", seconds / copying)}
