"""The versions of one product, from NumPy to the vector layer, timed in turns: what each idea is worth here.

The versions are those of ``kernels/ladder.py`` for int8 and int4 in groups of 32: v0 to v3 from that file, v4 and v5
the decoder's own kernel with 8-bit activations. ``kernel_ladder`` times them on one matrix (``turns.py``), beside a
bf16 kernel on one thread and on all.

    gb_per_s         *packed* bytes per second: codes and scales, which any version has to read. What else a version
                     moves is its own fault and shows as a smaller figure
    share_of_read    of what as many threads read from memory at that moment

v0 ends in NumPy's own product, whose library may use more than one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..scaling import QTensor, quantize
from .bandwidth import thread_counts
from .statistics import summary
from .turns import time_in_turns

if TYPE_CHECKING:
    from ..kernels.inputs import Int8Input
    from ..kernels.packed import Packed

SHAPE = (8192, 4096)
ADDS = {"v0": "NumPy: dequantize, then multiply", "v1": "compiled, one code after another",
        "v2": "a loop the compiler does many at a time", "v3": "8-bit activations, plain loop",
        "v4": "vector layer: four products at once", "v5": "all threads"}


class Version(NamedTuple):
    """One version, ready to run: threads, bytes that have to be read, and a call that returns out (rows,) float32."""

    threads: int
    nbytes: int
    call: Callable[[], np.ndarray]


def kernel_ladder(shape: tuple[int, int] = SHAPE, bits: Iterable[int] = (8, 4), threads: int | None = None,
                  repetitions: int = 5, progress: Callable[[str], None] | None = None) -> list[dict]:
    """Time every version on a random matrix of this shape, (rows, columns).

    Args:
        shape: columns in multiples of 64. The default does not fit the caches of most machines.
        bits: 8, 4 or both.
        threads: of v5; None for all.
        repetitions: rounds.
        progress: called with a line of text now and then.

    Returns:
        One row per version, bf16 first (on one thread and on ``threads``): ``bits``, ``version``, ``adds`` (its idea in
        words), ``threads``, ``shape``, ``repetitions``, ``nbytes``, and as medians with ``_p10`` and ``_p90``: ``ms``,
        ``gb_per_s``, ``read_gb_per_s``, ``share_of_read``, ``speedup_over_v0`` (None for bf16), ``speedup_over_bf16``
        (with as many threads).

    Raises ValueError for another shape or width and for more threads than there are.
    """
    import numba

    rows, columns = shape
    if rows < 1 or columns < 64 or columns % 64:
        raise ValueError(f"shape: at least one row, and columns in multiples of 64, not {shape}")
    threads, = thread_counts(threads, [numba.config.NUMBA_NUM_THREADS])
    (progress or (lambda line: None))("packing the matrix, compiling the kernels")
    found = versions(*random_product(shape), tuple(bits), threads)
    samples = time_in_turns({key: (v.threads, v.call) for key, v in found.items()}, repetitions, progress)
    return [_row(key, found[key], shape, samples) for key in found]


def random_product(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(W (rows, columns), x (columns,)) float32, normally distributed."""
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape, np.float32), rng.standard_normal(shape[1], np.float32)


def versions(w: np.ndarray, x: np.ndarray, bits: tuple[int, ...], threads: int) -> dict[tuple[int, str, int], Version]:
    """(bits, version, threads) -> what to run, for float32 w (rows, columns) and x (columns,)."""
    if not bits or not set(bits) <= {8, 4}:
        raise ValueError(f"bits: the ladder has int8 and int4, so 8, 4 or both, not {list(bits)}")
    found = {}
    for count in dict.fromkeys((1, threads)):
        bf16 = fused(quantize(w, "bf16"), x, count, None)
        found[16, "bf16", count] = Version(count, 2 * w.size, bf16)
    for width in bits:
        q = quantize(w, f"int{width}:g32")
        calls = _int8(q, x) if width == 8 else _int4(q, x)
        calls |= {"v4": fused(q, x, 1), "v5": fused(q, x, threads)}
        for name, call in calls.items():
            count = threads if name == "v5" else 1
            found[width, name, count] = Version(count, q.nbytes, call)
    return found


def _scale_bits(q: QTensor) -> np.ndarray:
    return np.ascontiguousarray(q.scale).view(np.int16)


def _int8(q: QTensor, x: np.ndarray) -> dict[str, Callable[[], np.ndarray]]:
    """v0 to v3 for int8."""
    from ..kernels import ladder

    codes, scale = q.codes, _scale_bits(q)
    out, s, rounded = np.empty(len(codes), np.float32), np.empty(scale.shape[1], np.float32), _rounded(x)
    return {"v0": lambda: ladder.int8_v0(codes, scale, x),
            "v1": lambda: _filled(out, ladder.int8_v1, codes, scale, x),
            "v2": lambda: _filled(out, ladder.int8_v2, codes, scale, x, s),
            "v3": lambda: _filled(out, ladder.int8_v3, codes, scale, rounded.codes, rounded.scale, s)}


def _int4(q: QTensor, x: np.ndarray) -> dict[str, Callable[[], np.ndarray]]:
    """v0 to v3 for int4."""
    from ..kernels import ladder

    neighbours, halves, scale = ladder.pack_neighbours(q.codes), ladder.pack_halves(q.codes), _scale_bits(q)
    out, s, rounded = np.empty(len(halves), np.float32), np.empty(scale.shape[1], np.float32), _rounded(x)
    return {"v0": lambda: ladder.int4_v0(neighbours, scale, x),
            "v1": lambda: _filled(out, ladder.int4_v1, neighbours, scale, x),
            "v2": lambda: _filled(out, ladder.int4_v2, halves, scale, x, s),
            "v3": lambda: _filled(out, ladder.int4_v3, halves, scale, rounded.codes, rounded.scale, s)}


def _filled(out: np.ndarray, kernel: Callable, *arguments) -> np.ndarray:
    kernel(out, *arguments)
    return out


def _rounded(x: np.ndarray) -> Int8Input:
    """x in 8 bits, a scale for every 32."""
    from ..kernels.inputs import make_input, prepare

    rounded = make_input(x.size, "int8:g32")
    rounded.values[:] = x
    prepare(rounded)
    return rounded


def fused(q: QTensor, x: np.ndarray, threads: int, activations: str | None = "int8:g32") -> Callable[[], np.ndarray]:
    """A call of the decoder's kernel for a quantized matrix, rounding the activations where there are any to round."""
    from ..decoder.pack import pack_matrix
    from ..kernels.inputs import make_input
    from ..kernels.matvec import multiply
    from ..kernels.packed import aligned

    m: Packed = pack_matrix(q, activations)
    given = make_input(x.size, activations)
    given.values[:] = x
    out, room = aligned((q.shape[0],), np.float32), aligned((threads, 2 * x.size + 16), np.float32)
    return lambda: _filled(out, multiply, m, 0, given, room)


def _row(key: tuple[int, str, int], version: Version, shape: tuple[int, int], samples: dict) -> dict:
    bits, name, threads = key
    seconds, read = samples[key].T
    gb = version.nbytes / seconds / 1e9
    row = {"bits": bits, "version": name, "adds": ADDS.get(name, "two bytes a weight"), "threads": threads,
           "shape": shape, "repetitions": len(seconds), "nbytes": version.nbytes, **summary("ms", 1e3 * seconds),
           **summary("gb_per_s", gb), **summary("read_gb_per_s", read), **summary("share_of_read", gb / read),
           **summary("speedup_over_bf16", samples[16, "bf16", threads][:, 0] / seconds)}
    if bits == 16:
        return row | {"speedup_over_v0": None, "speedup_over_v0_p10": None, "speedup_over_v0_p90": None}
    return row | summary("speedup_over_v0", samples[bits, "v0", 1][:, 0] / seconds)
