"""32 activations to 8 bits in the vector layer: the two steps of ``inputs.quantize_into`` that look at every number.

A token of a 0.6B model rounds some 200,000 activations on one thread while the others wait, so it counts. 3072 of them
took 5.3 us in plain loops and 2.8 us here (best of 20, the call from Python in both; AMD Zen 3). A compiler does not get
there from the plain form: the largest of floats may not be reordered where NaN matters, and written as whole numbers,
which may, it became slower (7.3 us): 32 numbers are too few for the loop it makes of them.

Nothing here rounds twice or in another order: the largest of numbers and a sum of whole numbers do not depend on the
order, and a quotient is rounded by the processor as by the plain loop. The codes are the same to the bit.
"""

from __future__ import annotations

from functools import partial

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ._cache import exact_jit
from .vector_bytes import to_floats
from .vectors import (FLOATS, INTS, call_llvm, constant, llvm_type, load_floats, pick_lanes, place_of, spread_lanes,
                      sum_floats)

_LIMIT = 127.0
inlined_exact_jit = partial(exact_jit, forceinline=True)


def _larger(builder, x, y):
    return builder.select(builder.fcmp_ordered(">", x, y), x, y)


@intrinsic
def _magnitudes(typingctx, x):
    """FLOATS: without their signs."""
    def generate(context, builder, signature, args):
        return call_llvm(builder, "llvm.fabs.v8f32", args[0].type, args[0])
    return FLOATS(FLOATS), generate


@intrinsic
def _larger_of(typingctx, x, y):
    """FLOATS: lane by lane the larger."""
    return FLOATS(FLOATS, FLOATS), lambda context, builder, signature, args: _larger(builder, *args)


@intrinsic
def _largest_lane(typingctx, x):
    """float32: the largest of eight."""
    def generate(context, builder, signature, args):
        x = args[0]
        for lanes in (4, 2, 1):
            x = _larger(builder, *(pick_lanes(builder, x, range(start, start + lanes)) for start in (0, lanes)))
        return builder.extract_element(x, ir.Constant(ir.IntType(32), 0))
    return types.float32(FLOATS), generate


@intrinsic
def _codes(typingctx, x, scale):
    """INTS: x / scale rounded to nearest even, at most 127 in size."""
    def generate(context, builder, signature, args):
        quotient = builder.fdiv(args[0], spread_lanes(builder, args[1], 8))
        whole = call_llvm(builder, "llvm.rint.v8f32", quotient.type, quotient)
        whole = _larger(builder, whole, constant("f32", 8, -_LIMIT))
        limit = constant("f32", 8, _LIMIT)
        return builder.fptosi(builder.select(builder.fcmp_ordered("<", whole, limit), whole, limit), llvm_type("i32", 8))
    return INTS(FLOATS, types.float32), generate


@intrinsic
def _store_codes(typingctx, array, index, ints):
    """``array[index:index + 8] = ints`` for int8."""
    def generate(context, builder, signature, args):
        codes = builder.trunc(args[2], llvm_type("i8", 8))
        pointer = place_of(context, builder, signature.args[0], *args[:2])
        builder.store(codes, builder.bitcast(pointer, codes.type.as_pointer())).align = 1
        return context.get_dummy_value()
    return types.void(array, types.intp, INTS), generate


@intrinsic
def _add_ints(typingctx, x, y):
    return INTS(INTS, INTS), lambda context, builder, signature, args: builder.add(*args)


@inlined_exact_jit
def largest(values, first):
    """float32: the largest magnitude of ``values[first:first + 32]``, float32 and finite."""
    low = _larger_of(_magnitudes(load_floats(values, first)), _magnitudes(load_floats(values, first + 8)))
    high = _larger_of(_magnitudes(load_floats(values, first + 16)), _magnitudes(load_floats(values, first + 24)))
    return _largest_lane(_larger_of(low, high))


@inlined_exact_jit
def put_codes(codes, values, first, scale):
    """``codes[first:first + 32]`` int8 of the values, and the sum of these codes as a float32."""
    a, b = _codes(load_floats(values, first), scale), _codes(load_floats(values, first + 8), scale)
    c, d = _codes(load_floats(values, first + 16), scale), _codes(load_floats(values, first + 24), scale)
    _store_codes(codes, first, a)
    _store_codes(codes, first + 8, b)
    _store_codes(codes, first + 16, c)
    _store_codes(codes, first + 24, d)
    return sum_floats(to_floats(_add_ints(_add_ints(a, b), _add_ints(c, d))))
