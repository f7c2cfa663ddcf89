"""A small vector layer: 32 bytes at a time, in the words of the kernels.

Numba's compiler turns plain loops over floats into vector instructions by itself. Over packed integers it does not do
it well, so the kernels say what they want. A value of type ``BYTES`` is 32 bytes, ``INTS`` eight int32, ``FLOATS``
eight float32; they live in registers, and a kernel handles them like numbers:

    word = load_bytes(codes, i)                             32 bytes
    low, high = field(word, 0, 4), field(word, 4, 4)        their lower and upper nibbles, as bytes
    sums = dot4(low, load_bytes(x, i))                      eight sums of four products each
    total = multiply_add(total, to_floats(sums), scale)     total += sums * scale

How it works
    Numba lets a package add types and functions of its own (``numba.extending``): a type says which LLVM type stands
    for it, and an *intrinsic* writes the LLVM instructions of one call. Nothing is called at run time. LLVM cuts 32
    bytes into what the processor has (two halves on ARM). Only ``dot4`` and ``lookup`` need instructions of a
    processor's own; ``targets.py`` says which there are, and the generic form gives the same results.

This file has the types, memory and floats; ``vector_bytes.py`` what is done with packed codes.

Loads check nothing: the kernels' loops must stay inside their arrays (``tests/kernels/test_guarded.py`` puts a page
that cannot be read right behind every array).
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 32


class Vector(types.Type):
    """The Numba type of a vector: ``element`` one of "i8", "i32", "f32"."""

    def __init__(self, element: str, lanes: int) -> None:
        self.element, self.lanes = element, lanes
        super().__init__(f"vector of {lanes} {element}")


BYTES, INTS, FLOATS = Vector("i8", LANES), Vector("i32", LANES // 4), Vector("f32", LANES // 4)
_ELEMENTS = {"i8": ir.IntType(8), "i16": ir.IntType(16), "i32": ir.IntType(32), "f32": ir.FloatType()}
_CONTRACT = ("contract",)  # a product and a sum may become one instruction


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, numba_type):
        super().__init__(manager, numba_type, llvm_type(numba_type.element, numba_type.lanes))


def llvm_type(element: str, lanes: int) -> ir.Type:
    """The LLVM type of a vector."""
    return ir.VectorType(_ELEMENTS[element], lanes)


def constant(element: str, lanes: int, value) -> ir.Constant:
    """A vector with the same number in every lane."""
    return ir.Constant(llvm_type(element, lanes), [value] * lanes)


def call_llvm(builder, name: str, result: ir.Type, *args):
    """Call an LLVM intrinsic."""
    kind = ir.FunctionType(result, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


def place_of(context, builder, array_type, array, index):
    """Pointer to ``array[index]``."""
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])


def pick_lanes(builder, x, lanes):
    """A vector of the named lanes of x."""
    lanes = ir.Constant(llvm_type("i32", len(lanes)), list(lanes))
    return builder.shuffle_vector(x, ir.Constant(x.type, ir.Undefined), lanes)


def spread_lanes(builder, x, lanes):
    """A vector with the number x in every lane."""
    kind = ir.VectorType(x.type, lanes)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), x, ir.Constant(ir.IntType(32), 0))
    return pick_lanes(builder, first, [0] * lanes)


def read_vector(builder, pointer, element, lanes=8):
    """A vector from any address."""
    value = builder.load(builder.bitcast(pointer, llvm_type(element, lanes).as_pointer()))
    value.align = 1
    return value


# ------------------------------------------------------------------------------------------------ from and to memory

def _load(vector):
    def load(typingctx, array, index):
        if not isinstance(array, types.Array) or array.ndim != 1:
            return None

        def generate(context, builder, signature, args):
            return read_vector(builder, place_of(context, builder, signature.args[0], *args), vector.element, vector.lanes)
        return vector(array, types.intp), generate
    return intrinsic(load)


load_bytes = _load(BYTES)  # load_bytes(array, i): the 32 bytes from array[i], whatever its items are


@intrinsic
def load_bfloats(typingctx, array, index):
    """FLOATS: eight bfloat16, as their bits (uint16), from ``array[index]``."""
    if not isinstance(array, types.Array) or array.dtype != types.uint16:
        return None

    def generate(context, builder, signature, args):
        stored = read_vector(builder, place_of(context, builder, signature.args[0], *args), "i16")
        bits = builder.shl(builder.zext(stored, llvm_type("i32", 8)), constant("i32", 8, 16))
        return builder.bitcast(bits, llvm_type("f32", 8))
    return FLOATS(array, types.intp), generate


def _load_one(lanes):
    def load_one(typingctx, array, index):
        if not isinstance(array, types.Array) or array.dtype != types.float32:
            return None

        def generate(context, builder, signature, args):
            return spread_lanes(builder, builder.load(place_of(context, builder, signature.args[0], *args)), lanes)
        return Vector("f32", lanes)(array, types.intp), generate
    return intrinsic(load_one)


def _load_scales(lanes):
    def load_scales(typingctx, array, index):
        if not isinstance(array, types.Array) or array.dtype not in (types.float32, types.int16, types.uint8):
            return None

        def generate(context, builder, signature, args):
            element = {types.float32: "f32", types.int16: "i16", types.uint8: "i8"}[array.dtype]
            stored = read_vector(builder, place_of(context, builder, signature.args[0], *args), element, lanes)
            if element == "f32":
                return stored
            if element == "i8":
                bits = builder.shl(builder.zext(stored, llvm_type("i32", lanes)), constant("i32", lanes, 23))
                return builder.bitcast(bits, llvm_type("f32", lanes))
            return _halves_to_floats(builder, builder.sext(stored, llvm_type("i32", lanes)))
        return Vector("f32", lanes)(array, types.intp), generate
    return intrinsic(load_scales)


def _load_ints(lanes):
    def load_ints(typingctx, array, index):
        if not isinstance(array, types.Array) or array.dtype not in (types.int8, types.uint8, types.uint16):
            return None

        def generate(context, builder, signature, args):
            element = "i16" if array.dtype == types.uint16 else "i8"
            stored = read_vector(builder, place_of(context, builder, signature.args[0], *args), element, lanes)
            widen = builder.sext if array.dtype == types.int8 else builder.zext
            return widen(stored, llvm_type("i32", lanes))
        return Vector("i32", lanes)(array, types.intp), generate
    return intrinsic(load_ints)


def _halves_to_floats(builder, bits):
    """``bits.half_to_float`` of sign-extended codes."""
    lanes = bits.type.count

    def all_lanes(number):
        return constant("i32", lanes, number)

    def as_floats(ints):
        return builder.bitcast(ints, llvm_type("f32", lanes))

    def as_ints(floats):
        return builder.bitcast(floats, llvm_type("i32", lanes))
    size = builder.and_(bits, all_lanes(0x7FFF))
    moved = builder.shl(size, all_lanes(13))
    normal = builder.add(moved, all_lanes(112 << 23))
    small = builder.fsub(as_floats(builder.add(moved, all_lanes(113 << 23))), constant("f32", lanes, 2.0**-14))
    found = builder.select(builder.icmp_unsigned("<", size, all_lanes(1 << 10)), as_ints(small), normal)
    return as_floats(builder.or_(found, builder.and_(bits, all_lanes(-1 << 31))))


def _spread(lanes):
    def spread(typingctx, x):
        return Vector("f32", lanes)(types.float32), (
            lambda context, builder, signature, args: spread_lanes(builder, args[0], lanes))
    return intrinsic(spread)


def _zeros(lanes):
    def zeros(typingctx):
        return Vector("f32", lanes)(), lambda context, builder, signature, args: constant("f32", lanes, 0.0)
    return intrinsic(zeros)


def of_lanes(lanes):
    """What makes vectors of so many lanes; all else takes vectors of any.

    load_floats(array, i)    float32 from ``array[i]``
    load_ints(array, i)      int32: integers of one or two bytes from ``array[i]``, signed or not as their type says
    load_scales(array, i)    float32: stored scales from ``array[i]``: float32, bits of float16 (int16), exponents (uint8)
    load_one(array, i)       the float32 at ``array[i]`` in every lane
    spread(x), zeros()       the float32 x in every lane; 0
    """
    makers = _load_ints, _load_scales, _load_one, _spread, _zeros
    return _load(Vector("f32", lanes)), *(make(lanes) for make in makers)


load_floats, load_ints, load_scales, load_one, spread, zeros = of_lanes(LANES // 4)


@intrinsic
def load_small(typingctx, array, index):
    """FLOATS: eight uint8 from ``array[index]``, as the numbers they are."""
    def generate(context, builder, signature, args):
        stored = read_vector(builder, place_of(context, builder, signature.args[0], *args), "i8")
        return builder.uitofp(stored, llvm_type("f32", 8))
    return FLOATS(array, types.intp), generate


@intrinsic
def store_floats(typingctx, array, index, x):
    """The lanes of ``x`` to ``array[index]`` and behind it."""
    def generate(context, builder, signature, args):
        pointer = place_of(context, builder, signature.args[0], *args[:2])
        builder.store(args[2], builder.bitcast(pointer, args[2].type.as_pointer())).align = 4
        return context.get_dummy_value()
    return types.void(array, types.intp, x), generate


@intrinsic
def store_first(typingctx, array, index, x, count):
    """``array[index:index + min(count, 8)] = x``: the first lanes only, where fewer than eight are left."""
    def generate(context, builder, signature, args):
        lanes, i32 = llvm_type("i32", 8), ir.IntType(32)
        pointer = place_of(context, builder, signature.args[0], *args[:2])
        pointer = builder.bitcast(pointer, args[2].type.as_pointer())
        count = spread_lanes(builder, builder.trunc(args[3], i32), 8)
        mask = builder.icmp_signed("<", ir.Constant(lanes, list(range(8))), count)
        name = "llvm.masked.store.v8f32." + ("p0" if str(pointer.type) == "ptr" else "p0v8f32")
        call_llvm(builder, name, ir.VoidType(), args[2], pointer, i32(4), mask)
        return context.get_dummy_value()
    return types.void(array, types.intp, FLOATS, types.intp), generate


@intrinsic
def prefetch(typingctx, array, index):
    """Ask for the cache line of ``array[index]``; a place outside the array is allowed."""
    def generate(context, builder, signature, args):
        pointer = place_of(context, builder, signature.args[0], *args)
        read, keep, data = (ir.Constant(ir.IntType(32), n) for n in (0, 3, 1))
        pointer = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        name = "llvm.prefetch.p0" if str(pointer.type) == "ptr" else "llvm.prefetch.p0i8"
        call_llvm(builder, name, ir.VoidType(), pointer, read, keep, data)
        return context.get_dummy_value()
    return types.void(array, types.intp), generate


# ------------------------------------------------------------------------------------------------------------ floats

@intrinsic
def add(typingctx, x, y):
    """Floats: ``x + y``."""
    return x(x, x), lambda context, builder, signature, args: builder.fadd(*args)


@intrinsic
def multiply(typingctx, x, y):
    """Floats: ``x * y``; y a vector, or a float32 for every lane."""
    def generate(context, builder, signature, args):
        return builder.fmul(args[0], args[1] if y == x else spread_lanes(builder, args[1], x.lanes))
    return x(x, x if y == x else types.float32), generate


@intrinsic
def multiply_add(typingctx, total, x, y):
    """Floats: ``total + x * y``; y a vector, or a float32 for every lane."""
    def generate(context, builder, signature, args):
        factor = args[2] if y == x else spread_lanes(builder, args[2], x.lanes)
        return builder.fadd(args[0], builder.fmul(args[1], factor, flags=_CONTRACT), flags=_CONTRACT)
    return x(x, x, x if y == x else types.float32), generate


@intrinsic
def sum_floats(typingctx, x):
    """float32: the sum of all lanes, halves first, always in the same order."""
    def generate(context, builder, signature, args):
        total, lanes = args[0], x.lanes
        while lanes > 1:
            lanes //= 2
            low, high = (pick_lanes(builder, total, range(start, start + lanes)) for start in (0, lanes))
            total = builder.fadd(low, high)
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))
    return types.float32(x), generate
