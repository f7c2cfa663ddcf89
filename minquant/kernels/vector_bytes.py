"""Packed codes in the vector layer: bit fields of bytes, products of bytes, and from bytes to wider numbers.

``dot4`` is the instruction that makes integer kernels fast: four products of bytes, summed in 32 bits, in every lane.
With unsigned codes times signed activations it is one instruction on recent x86 processors and two on older ones; on
ARM it wants both signed, which codes up to 127 are as well. ``targets.py`` names them. The generic form is what these
instructions mean, in LLVM's own terms; tests hold all forms to the same results.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from . import targets
from .vectors import (BYTES, FLOATS, INTS, LANES, Vector, call_llvm, constant, llvm_type, pick_lanes, place_of,
                      read_vector, spread_lanes)


@intrinsic
def field(typingctx, word, shift, width):
    """The ``width`` bits from bit ``shift`` of every byte, at the bottom."""
    def generate(context, builder, signature, args):
        word, shift, width = args[0], *(builder.trunc(arg, ir.IntType(8)) for arg in args[1:])
        eight, ones = (ir.Constant(ir.IntType(8), n) for n in (8, 255))
        mask = builder.lshr(ones, builder.sub(eight, width))
        return builder.and_(builder.lshr(word, spread_lanes(builder, shift, LANES)), spread_lanes(builder, mask, LANES))
    return BYTES(BYTES, types.intp, types.intp), generate


@intrinsic
def put_above(typingctx, low, high, shift):
    """``low | high << shift`` of every byte."""
    def generate(context, builder, signature, args):
        places = spread_lanes(builder, builder.trunc(args[2], ir.IntType(8)), LANES)
        return builder.or_(args[0], builder.shl(args[1], places))
    return BYTES(BYTES, BYTES, types.intp), generate


@intrinsic
def dot4(typingctx, codes, x):
    """INTS: in lane i the sum of four products ``codes[4i + j] * x[4i + j]``; codes 0..127, x -127..127. Exact."""
    def generate(context, builder, signature, args):
        return dot4_of(builder, targets.TARGET, *args)
    return INTS(BYTES, BYTES), generate


@intrinsic
def dot4_signed(typingctx, codes, x):
    """As ``dot4`` for codes -128..127."""
    def generate(context, builder, signature, args):
        return _dot4_signed(builder, targets.TARGET, *args)
    return INTS(BYTES, BYTES), generate


def dot4_of(builder, target, codes, x):
    """The instructions of ``dot4`` for a target."""
    if target == "arm-dot":
        return _halves(builder, codes, x)
    if target == "x86-vnni":
        ints = llvm_type("i32", 8)
        operands = constant("i32", 8, 0), builder.bitcast(codes, ints), builder.bitcast(x, ints)
        return call_llvm(builder, "llvm.x86.avx512.vpdpbusd.256", ints, *operands)
    if target == "x86-avx2":  # two products of at most 128 * 127 fit an int16
        pairs = call_llvm(builder, "llvm.x86.avx2.pmadd.ub.sw", llvm_type("i16", 16), codes, x)
        return call_llvm(builder, "llvm.x86.avx2.pmadd.wd", llvm_type("i32", 8), pairs, constant("i16", 16, 1))
    return _four_sums(builder, builder.zext(codes, llvm_type("i32", LANES)), x)


def _dot4_signed(builder, target, codes, x):
    if target == "arm-dot":
        return _halves(builder, codes, x)
    if target in ("x86-vnni", "x86-avx2"):  # these multiply unsigned by signed: the sign of a code moves over to x
        sign, kind = "llvm.x86.avx2.psign.b", llvm_type("i8", LANES)
        size, signed = call_llvm(builder, sign, kind, codes, codes), call_llvm(builder, sign, kind, x, codes)
        return dot4_of(builder, target, size, signed)
    return _four_sums(builder, builder.sext(codes, llvm_type("i32", LANES)), x)


def _halves(builder, codes, x):
    """sdot takes 16 bytes."""
    parts = [call_llvm(builder, "llvm.aarch64.neon.sdot.v4i32.v16i8", llvm_type("i32", 4), constant("i32", 4, 0),
                   *(pick_lanes(builder, v, range(start, start + 16)) for v in (codes, x))) for start in (0, 16)]
    return builder.shuffle_vector(*parts, ir.Constant(llvm_type("i32", 8), list(range(8))))


def _four_sums(builder, codes, x):
    """For any processor. codes: 32 int32."""
    sums = builder.mul(codes, builder.sext(x, llvm_type("i32", LANES)))
    for lanes in (16, 8):
        even, odd = (pick_lanes(builder, sums, range(start, 2 * lanes, 2)) for start in (0, 1))
        sums = builder.add(even, odd)
    return sums


# -------------------------------------------------------------------------------------------------------------- ints

@intrinsic(prefer_literal=True)
def widen(typingctx, word, part):
    """INTS: in lane j byte ``4j + part`` as a signed number; part a constant, 0..3.

    Every fourth byte, not eight neighbours: a 32-bit lane then only has to be shifted. ``inputs.py`` keeps activations
    in the same order (``every_fourth``).
    """
    left = 24 - 8 * part.literal_value

    def generate(context, builder, signature, args):
        lanes = builder.bitcast(args[0], llvm_type("i32", 8))
        return builder.ashr(builder.shl(lanes, constant("i32", 8, left)), constant("i32", 8, 24))
    return INTS(BYTES, part), generate


@intrinsic(prefer_literal=True)
def widen_field(typingctx, word, part, shift, width):
    """INTS: the ``width`` bits from bit ``shift`` of the bytes ``widen`` takes; part a constant."""
    first = 8 * part.literal_value

    def generate(context, builder, signature, args):
        lanes, i32 = builder.bitcast(args[0], llvm_type("i32", 8)), ir.IntType(32)
        shift, width = (builder.trunc(arg, i32) for arg in args[2:])
        mask = builder.sub(builder.shl(i32(1), width), i32(1))
        moved = builder.lshr(lanes, spread_lanes(builder, builder.add(shift, i32(first)), 8))
        return builder.and_(moved, spread_lanes(builder, mask, 8))
    return INTS(BYTES, part, types.intp, types.intp), generate


@intrinsic(prefer_literal=True)
def shift_and_mask(typingctx, ints, shift, mask):
    """``(ints << shift) & mask``, both constants."""
    places, kept = shift.literal_value, mask.literal_value

    def generate(context, builder, signature, args):
        return builder.and_(builder.shl(args[0], constant("i32", ints.lanes, places)), constant("i32", ints.lanes, kept))
    return ints(ints, shift, mask), generate


@intrinsic
def signed_part(typingctx, ints, shift, width):
    """Ints: the ``width`` bits from bit ``shift`` of every int, the uppermost of them a sign."""
    def generate(context, builder, signature, args):
        i32 = ir.IntType(32)
        shift, width = (builder.trunc(arg, i32) for arg in args[1:])
        right = builder.sub(i32(32), width)
        left, right = (spread_lanes(builder, number, ints.lanes) for number in (builder.sub(right, shift), right))
        return builder.ashr(builder.shl(args[0], left), right)
    return ints(ints, types.intp, types.intp), generate


def load_two_bits_of(lanes):
    """load_two_bits(array, i, n): floats, codes of two bits from 8 bytes (uint8) at ``array[i]``: as many as lanes, the
    first eight from bit 2n of each byte, the next eight from bit 2n + 2."""
    def load_two_bits(typingctx, array, index, n):
        if not isinstance(array, types.Array) or array.dtype != types.uint8:
            return None

        def generate(context, builder, signature, args):
            i32, ints = ir.IntType(32), llvm_type("i32", lanes)
            stored = read_vector(builder, place_of(context, builder, signature.args[0], *args[:2]), "i8")
            repeated = builder.zext(pick_lanes(builder, stored, [lane % 8 for lane in range(lanes)]), ints)
            shift = spread_lanes(builder, builder.shl(builder.trunc(args[2], i32), i32(1)), lanes)
            shift = builder.add(shift, ir.Constant(ints, [2 * (lane // 8) for lane in range(lanes)]))
            codes = builder.and_(builder.lshr(repeated, shift), constant("i32", lanes, 3))
            return builder.sitofp(codes, llvm_type("f32", lanes))
        return Vector("f32", lanes)(array, types.intp, types.intp), generate
    return intrinsic(load_two_bits)


def _floats_like(ints):
    return Vector("f32", ints.lanes)


@intrinsic
def to_floats(typingctx, ints):
    """Floats: the same numbers."""
    return _floats_like(ints)(ints), (
        lambda context, builder, signature, args: builder.sitofp(args[0], llvm_type("f32", ints.lanes)))


@intrinsic
def as_floats(typingctx, ints):
    """Floats: the same bits."""
    return _floats_like(ints)(ints), (
        lambda context, builder, signature, args: builder.bitcast(args[0], llvm_type("f32", ints.lanes)))


@intrinsic
def lookup(typingctx, low, high, index):
    """FLOATS: entry ``index`` (INTS, 0..15) of a table of sixteen: entries 0..7 in ``low``, 8..15 in ``high``."""
    return FLOATS(FLOATS, FLOATS, INTS), lambda context, builder, signature, args: _lookup(builder, *args)


def _lookup(builder, low, high, index):
    if targets.TARGET in ("x86-vnni", "x86-avx2"):
        permute, floats = "llvm.x86.avx2.permps", llvm_type("f32", 8)
        low, high = (call_llvm(builder, permute, floats, half, index) for half in (low, high))
        upper = builder.shl(index, constant("i32", 8, 28))  # bit 3 becomes the sign, which a blend looks at
        return builder.select(builder.icmp_signed("<", upper, constant("i32", 8, 0)), high, low)
    table = builder.shuffle_vector(low, high, ir.Constant(llvm_type("i32", 16), list(range(16))))
    found = ir.Constant(llvm_type("f32", 8), ir.Undefined)
    for lane in range(8):
        place = ir.Constant(ir.IntType(32), lane)
        entry = builder.extract_element(table, builder.extract_element(index, place))
        found = builder.insert_element(found, entry, place)
    return found


@intrinsic
def repeat(typingctx, x, first, shift):
    """FLOATS: in lane j lane ``(first + j) >> shift`` of x: each lane 2^shift times, seen from place ``first``."""
    def generate(context, builder, signature, args):
        first, shift = (spread_lanes(builder, builder.trunc(arg, ir.IntType(32)), 8) for arg in args[1:])
        lanes = builder.add(first, ir.Constant(llvm_type("i32", 8), list(range(8))))
        return _lookup(builder, args[0], args[0], builder.lshr(lanes, shift))
    return FLOATS(FLOATS, types.intp, types.intp), generate
