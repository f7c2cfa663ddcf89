"""Four columns of eight rows times four activations: the step that all kernels of ``eight_rows.py`` repeat.

``codes`` (BYTES) has in the four bytes of lane r the codes of row r in four neighbouring columns. They meet the same four
activations in every lane. What is summed on the way, and in what, depends on the activations:

    float    four FLOATS, one for each of the four bytes, so that sums need not wait for each other
    8-bit    whole numbers: INTS where the processor adds four products of bytes to an int32 in one instruction, sixteen
             int16 on AVX2, which has only pairs of products: eight columns pairs of codes up to 15 stay below
             8 * 2 * 15 * 127 = 30,480, so a chunk of 32 columns fits

    sums = no_products(x)                            nothing yet
    sums = add_products(sums, codes, x, column)      for all 32 columns of a chunk
    sums_of(sums)                                    FLOATS: one sum for every row

A float activation does not meet the code itself but the bits of its byte where they are, in place: code * 256^k, for
which ``FloatInput.in_place`` holds the activation divided by 256^k. That is exact, and saves a shift.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from . import targets
from ._cache import inlined_jit
from .inputs import Int8Input
from .vector_bytes import dot4_of, lookup, to_floats, widen_field
from .vectors import (BYTES, FLOATS, INTS, LANES, Vector, add, call_llvm, constant, llvm_type, load_one,
                      multiply, multiply_add, place_of, spread_lanes, zeros)

WORDS = LANES // 4
SUMS = Vector("i16", 2 * WORDS) if targets.TARGET == "x86-avx2" else INTS


# ------------------------------------------------------------------------------------------------------ whole numbers

@intrinsic
def _no_whole_products(typingctx):
    """SUMS: nothing summed yet."""
    return SUMS(), lambda context, builder, signature, args: constant(SUMS.element, SUMS.lanes, 0)


@intrinsic
def _add_whole_products(typingctx, sums, codes, x, column):
    """SUMS: plus ``codes`` (0..15) times the four int8 from ``x[column]``; exact for the 32 columns of a chunk."""
    def generate(context, builder, signature, args):
        pointer = place_of(context, builder, signature.args[2], args[2], args[3])
        four = builder.load(builder.bitcast(pointer, ir.IntType(32).as_pointer()))
        four.align = 1
        x = builder.bitcast(spread_lanes(builder, four, WORDS), llvm_type("i8", LANES))
        if SUMS is INTS:
            return builder.add(args[0], dot4_of(builder, targets.TARGET, args[1], x))
        pairs = call_llvm(builder, "llvm.x86.avx2.pmadd.ub.sw", llvm_type("i16", 2 * WORDS), args[1], x)
        return builder.add(args[0], pairs)
    return SUMS(SUMS, BYTES, x, types.intp), generate


@intrinsic
def _whole_sums(typingctx, sums):
    """INTS: the sum of every row."""
    def generate(context, builder, signature, args):
        if SUMS is INTS:
            return args[0]
        ones = constant("i16", 2 * WORDS, 1)
        return call_llvm(builder, "llvm.x86.avx2.pmadd.wd", llvm_type("i32", WORDS), args[0], ones)
    return INTS(SUMS), generate


# ------------------------------------------------------------------------------------------------------------- floats

@intrinsic(prefer_literal=True)
def _bytes_in_place(typingctx, word, part):
    """FLOATS: byte ``part`` (a constant) of every 32-bit lane, 0..127, times 256^part."""
    mask = 255 << 8 * part.literal_value

    def generate(context, builder, signature, args):
        kept = builder.and_(builder.bitcast(args[0], llvm_type("i32", WORDS)), constant("i32", WORDS, mask))
        return builder.sitofp(kept, llvm_type("f32", WORDS))
    return FLOATS(BYTES, part), generate


@inlined_jit
def _add_float_products(sums, codes, values, column):
    a, b, c, d = sums
    return (multiply_add(a, _bytes_in_place(codes, 0), load_one(values, column)),
            multiply_add(b, _bytes_in_place(codes, 1), load_one(values, column + 1)),
            multiply_add(c, _bytes_in_place(codes, 2), load_one(values, column + 2)),
            multiply_add(d, _bytes_in_place(codes, 3), load_one(values, column + 3)))


@inlined_jit
def add_found(sums, codes, low, high, values, column):
    """The same with entries of a table of sixteen, which the codes number, and activations as they are."""
    a, b, c, d = sums
    return (multiply_add(a, lookup(low, high, widen_field(codes, 0, 0, 8)), load_one(values, column)),
            multiply_add(b, lookup(low, high, widen_field(codes, 1, 0, 8)), load_one(values, column + 1)),
            multiply_add(c, lookup(low, high, widen_field(codes, 2, 0, 8)), load_one(values, column + 2)),
            multiply_add(d, lookup(low, high, widen_field(codes, 3, 0, 8)), load_one(values, column + 3)))


@inlined_jit
def four_sums(sums):
    """FLOATS: four partial sums together."""
    a, b, c, d = sums
    return add(add(a, b), add(c, d))


# --------------------------------------------------------------------------------------------------------- one or other

def no_products(x):
    """Sums of nothing, for activations like x."""


def add_products(sums, codes, x, column):
    """Sums plus codes times the activations of four columns."""


def sums_of(x, sums):
    """FLOATS: what was summed, by row."""


def both_scales(scales, x, chunk):
    """FLOATS: the scales of eight rows, times that of a chunk of activations."""


@overload(both_scales)
def _both_scales_for(scales, x, chunk):
    if x.instance_class is Int8Input:
        return lambda scales, x, chunk: multiply(scales, load_one(x.scale, chunk))
    return lambda scales, x, chunk: scales


@overload(no_products)
def _no_products_for(x):
    if x.instance_class is Int8Input:
        return lambda x: _no_whole_products()
    return lambda x: (zeros(), zeros(), zeros(), zeros())


@overload(add_products)
def _add_products_for(sums, codes, x, column):
    if x.instance_class is Int8Input:
        return lambda sums, codes, x, column: _add_whole_products(sums, codes, x.codes, column)
    return lambda sums, codes, x, column: _add_float_products(sums, codes, x.in_place, column)


@overload(sums_of)
def _sums_of_for(x, sums):
    if x.instance_class is Int8Input:
        return lambda x, sums: to_floats(_whole_sums(sums))
    return lambda x, sums: four_sums(sums)
