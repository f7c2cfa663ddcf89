"""One name for all kernels: ``matvec`` looks at the types of the packed matrix and of what it is multiplied by.

The decode step is written once, for any format. When Numba compiles it for a model, the types of its arguments say
which packed formats that model holds, and ``overload`` picks the kernel then: nothing is decided while tokens run.
With the JIT switched off the same table is consulted by the Python functions.

To add a format: a named tuple in ``packed.py``, a row decoder in ``rows.py``, and a kernel with a line in the table
here; without the last it is decoded a row at a time.
"""

from __future__ import annotations

from numba import prange
from numba.extending import overload

from . import floats, integers, packed
from ._cache import jit, parallel_jit
from .inputs import FloatInput, Int8Input, prepare, put_every_fourth, put_sums_and_places
from .packed import LANES
from .targets import TARGET

PLAIN = {
    (packed.Float32, FloatInput): floats.float32_rows,
    (packed.BFloat16, FloatInput): floats.bf16_rows,
    (packed.E4M3, FloatInput): floats.e4m3_rows,
    (packed.E5M2, FloatInput): floats.e5m2_rows,
    (packed.Int8Rows, FloatInput): integers.int8_rows,
    (packed.Int8Groups, FloatInput): integers.int8_groups,
}
SIMD = {}
NEEDS = {}  # what the kernel of a packed type reads of float activations beside the values
if TARGET is not None:
    from . import eight_rows, simd

    SIMD = {(packed.BFloat16, FloatInput): simd.bf16_rows, (packed.E4M3Groups, FloatInput): simd.e4m3_groups, (packed.Book4, FloatInput): eight_rows.book4}
    SIMD |= {(kind, x): kernel for x in (FloatInput, Int8Input) for kind, kernel in (
        (packed.Int8Groups, simd.int8_groups), (packed.Int4Groups, eight_rows.int4_groups),
        (packed.Int4Zeros, eight_rows.int4_zeros), (packed.Int3Groups, eight_rows.int3_groups),
        (packed.Int2Groups, eight_rows.int2_groups))}
    NEEDS = dict.fromkeys((packed.Int8Groups, packed.E4M3Groups), put_every_fourth)
    NEEDS |= dict.fromkeys((packed.Int4Groups, packed.Int4Zeros, packed.Int3Groups, packed.Int2Groups),
                           put_sums_and_places)


def kernel_for(kind: type, x: type, table: dict | None = None):
    """The kernel that multiplies a packed type by an input type; ``table``: PLAIN to have the plain loops."""
    found = (SIMD | {key: kernel for key, kernel in PLAIN.items() if key not in SIMD}) if table is None else table
    return found.get((kind, x)) or (integers.decoded_rows if x is FloatInput else integers.grouped_dot)


def share(out, m, layer, x, s, first, stop):
    """Rows first..stop - 1 of ``out = m[layer] @ x``; s (at least 2 columns,) float32 is working space."""
    kernel_for(type(m), type(x))(out, m, layer, x, s, first, stop)


@overload(share)
def _share_for(out, m, layer, x, s, first, stop):
    kernel = kernel_for(m.instance_class, x.instance_class)
    return lambda out, m, layer, x, s, first, stop: kernel(out, m, layer, x, s, first, stop)


@jit
def first_row(rows, thread, threads):
    """Where the share of a thread begins: after equal numbers of blocks of eight rows."""
    blocks = (rows + LANES - 1) // LANES
    return min(rows, thread * blocks // threads * LANES)


@parallel_jit
def matvec(out, m, layer, x, room):
    """``out = m[layer] @ x``: out (rows,) float32, m packed, x an input that is prepared.

    room (threads, at least 2 columns) float32 is working space; its first axis says how many threads share the rows.
    """
    threads, rows = room.shape[0], out.size
    for thread in prange(threads):
        share(out, m, layer, x, room[thread], first_row(rows, thread, threads), first_row(rows, thread + 1, threads))


def prepare_for(m, x):
    """Fill in what the kernel that multiplies m by x reads beside ``x.values``: nothing, for bfloat16."""
    fill = prepare if type(x) is Int8Input else NEEDS.get(type(m))
    if fill is not None:
        fill(x)


@overload(prepare_for)
def _prepare_for_for(m, x):
    fill = prepare if x.instance_class is Int8Input else NEEDS.get(m.instance_class)
    if fill is None:
        return lambda m, x: None
    return lambda m, x: fill(x)


@jit
def multiply(out, m, layer, x, room):
    """``matvec`` of an input of which only ``values`` are filled in."""
    prepare_for(m, x)
    matvec(out, m, layer, x, room)
