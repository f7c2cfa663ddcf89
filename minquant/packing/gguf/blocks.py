"""The blocks of GGUF, byte by byte: a specification that runs.

A row of a matrix is cut into blocks of ``elements`` neighbours, and each block is written out whole, its scale beside
its codes, so that one read brings everything needed to decode it. Below stands one structure for each type, field
after field as the bytes lie, little-endian and without gaps; TYPES collects them.

**How the pictures are to be read.** ``[ ]`` is one byte, its high bits on the left. ``q7`` is the code of element 7
of the block, ``d`` a scale. ``x`` is the value that is read back.

**Lanes.** Codes narrower than a byte are never neighbours in a byte. They lie in *lanes*: 16 bytes, say, hold in their
low halves the codes 0..15 and in their high halves 16..31, so that one AND brings sixteen codes, one shift the next
sixteen, both already in order. "4 bits, lanes of 16" says just that, for all types alike; ``lanes.py`` does it.

Source: ggml, ``src/ggml-common.h`` (block_q4_0 and so on) and, for the numbers of the types, ``include/ggml.h``
(enum ggml_type). What we leave out: types that exist in memory only (Q8_1, Q8_K), those with code books of whole groups
(IQ1, IQ2, IQ3, IQ4_XS), Q1_0 and Q2_0, and plain integers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

BLOCK = 32  # elements in a block of the simple types
SUPER = 256  # elements in a super-block: sub-blocks of 16 or 32 whose scales are codes themselves


@dataclass(frozen=True)
class BlockType:
    """One type of block.

    name       as in llama.cpp, in capitals
    number     what stands for the type in a file
    elements   weights in a block
    fields     the bytes of a block: (name, NumPy type, count) one after the other
    codes      smallest and largest code as ``unpack_blocks`` gives it; None for plain floats
    writable   whether ``quantize`` can write it, or only ``dequantize`` read it
    """

    name: str
    number: int
    elements: int
    fields: tuple[tuple, ...] = field(repr=False)
    codes: tuple[int, int] | None = None
    writable: bool = True

    @property
    def struct(self) -> np.dtype:
        """The fields as a NumPy structure: ``raw.view(struct)["d"]`` are the scales of whole blocks."""
        return np.dtype(list(self.fields))

    @property
    def nbytes(self) -> int:
        """Bytes of one block."""
        return self.struct.itemsize

    @property
    def bits_per_weight(self) -> float:
        """Scales counted."""
        return 8 * self.nbytes / self.elements


# ---- plain floats: a block of one ----------------------------------------------------------------------------------

F32 = BlockType("F32", 0, 1, (("x", "<f4"),))
F16 = BlockType("F16", 1, 1, (("x", "<f2"),))
BF16 = BlockType("BF16", 30, 1, (("x", "<u2"),))  # the upper half of a float32
assert (F32.bits_per_weight, F16.bits_per_weight, BF16.bits_per_weight) == (32, 16, 16)

# ---- one scale for 32 codes ----------------------------------------------------------------------------------------

# [d] [d] [q0] [q1] ... [q31]                                                   x = d * q
Q8_0 = BlockType("Q8_0", 8, BLOCK, (
    ("d", "<f2"),        # scale
    ("qs", "i1", 32),    # codes
), codes=(-128, 127))
assert (Q8_0.nbytes, Q8_0.bits_per_weight) == (34, 8.5)

# [d] [d] [q16 q0] [q17 q1] ... [q31 q15]                                       x = d * (q - 8)
Q4_0 = BlockType("Q4_0", 2, BLOCK, (
    ("d", "<f2"),        # scale, often negative
    ("qs", "u1", 16),    # codes + 8: 4 bits, lanes of 16
), codes=(-8, 7))
assert (Q4_0.nbytes, Q4_0.bits_per_weight) == (18, 4.5)

# [d] [d] [m] [m] [q16 q0] [q17 q1] ... [q31 q15]                               x = d * q + m
Q4_1 = BlockType("Q4_1", 3, BLOCK, (
    ("d", "<f2"),        # scale
    ("m", "<f2"),        # minimum: the value of code 0
    ("qs", "u1", 16),    # codes: 4 bits, lanes of 16
), codes=(0, 15))
assert (Q4_1.nbytes, Q4_1.bits_per_weight) == (20, 5.0)

# [d] [d] [h7 .. h0] [h15 .. h8] [h23 .. h16] [h31 .. h24] [q16 q0] ... [q31 q15]    x = d * (16 h + q - 16)
Q5_0 = BlockType("Q5_0", 6, BLOCK, (
    ("d", "<f2"),        # scale, often negative
    ("qh", "u1", 4),     # fifth bits of codes + 16, in order: 1 bit, lanes of 1
    ("qs", "u1", 16),    # their other bits: 4 bits, lanes of 16
), codes=(-16, 15))
assert (Q5_0.nbytes, Q5_0.bits_per_weight) == (22, 5.5)

# [d] [d] [m] [m] [h7 .. h0] ... [h31 .. h24] [q16 q0] ... [q31 q15]            x = d * (16 h + q) + m
Q5_1 = BlockType("Q5_1", 7, BLOCK, (
    ("d", "<f2"),        # scale
    ("m", "<f2"),        # minimum: the value of code 0
    ("qh", "u1", 4),     # fifth bits of the codes, in order: 1 bit, lanes of 1
    ("qs", "u1", 16),    # their other bits: 4 bits, lanes of 16
), codes=(0, 31))
assert (Q5_1.nbytes, Q5_1.bits_per_weight) == (24, 6.0)

# ---- codes that are looked up --------------------------------------------------------------------------------------

# [e] [q16 q0] [q17 q1] ... [q31 q15]                                           x = 2^(e - 127) * E2M1(q)
MXFP4 = BlockType("MXFP4", 39, BLOCK, (
    ("e", "u1"),         # shared exponent, E8M0
    ("qs", "u1", 16),    # E2M1 codes: 4 bits, lanes of 16
), codes=(0, 15))
assert (MXFP4.nbytes, MXFP4.bits_per_weight) == (17, 4.25)

# [d0] [d1] [d2] [d3] [q8 q0] ... [q15 q7] [q24 q16] ... [q63 q55]              x = E4M3(d of 16) * E2M1(q)
NVFP4 = BlockType("NVFP4", 40, 64, (
    ("d", "u1", 4),      # a scale for every 16 elements, E4M3; the scale of the whole tensor is a tensor of its own
    ("qs", "u1", 32),    # E2M1 codes: 4 bits, lanes of 8
), codes=(0, 15), writable=False)
assert (NVFP4.nbytes, NVFP4.bits_per_weight) == (36, 4.5)

# [d] [d] [q16 q0] [q17 q1] ... [q31 q15]                                       x = d * (level q of 16 uneven ones)
IQ4_NL = BlockType("IQ4_NL", 20, BLOCK, (
    ("d", "<f2"),        # scale
    ("qs", "u1", 16),    # codes: 4 bits, lanes of 16
), codes=(0, 15), writable=False)
assert (IQ4_NL.nbytes, IQ4_NL.bits_per_weight) == (18, 4.5)

# ---- ternary: -1, 0, 1 ---------------------------------------------------------------------------------------------

# five codes are the digits of a number to base 3; [ ] holds it as a fraction of 243, in 256ths, rounded up
# [q0 q32 q64 q96 q128] ... [q31 .. q159]  [q160 q176 q192 q208 q224] ... [q175 .. q239]  [q240 q244 q248 q252] ..
TQ1_0 = BlockType("TQ1_0", 34, SUPER, (
    ("qs", "u1", 48),    # codes + 1, five to a byte, the first one its highest digit: 32 bytes, then 16
    ("qh", "u1", 4),     # the last 16 codes, four to a byte, the fifth digit 0
    ("d", "<f2"),        # scale                                                x = d * (digit - 1)
), codes=(-1, 1))
assert (TQ1_0.nbytes, TQ1_0.bits_per_weight) == (54, 1.6875)

# [q96 q64 q32 q0] ... [q127 q95 q63 q31] [q224 q192 q160 q128] ... [q255 ..] [d] [d]    x = d * (q - 1)
TQ2_0 = BlockType("TQ2_0", 35, SUPER, (
    ("qs", "u1", 64),    # codes + 1: 2 bits, lanes of 32
    ("d", "<f2"),        # scale
), codes=(-1, 2))  # 2 can be read; it is never written
assert (TQ2_0.nbytes, TQ2_0.bits_per_weight) == (66, 2.0625)

# ---- K-quants: super-blocks of 256, the scales of their sub-blocks are codes too -------------------------------------

# [m0 s0] ... [m15 s15] [q96 q64 q32 q0] ... [q255 q223 q191 q159] [d] [d] [dmin] [dmin]    x = d * s * q - dmin * m
Q2_K = BlockType("Q2_K", 10, SUPER, (
    ("scales", "u1", 16),    # scale s and minimum m of 16 sub-blocks of 16: 4 bits each
    ("qs", "u1", 64),        # codes: 2 bits, lanes of 32
    ("d", "<f2"),            # scale of the scales
    ("dmin", "<f2"),         # scale of the minima
), codes=(0, 3), writable=False)
assert (Q2_K.nbytes, Q2_K.bits_per_weight) == (84, 2.625)

# [h224 .. h32 h0] ... [h255 .. h63 h31] [q96 q64 q32 q0] ... [s] * 12 [d] [d]     x = d * (s - 32) * (4 h + q - 4)
Q3_K = BlockType("Q3_K", 11, SUPER, (
    ("hmask", "u1", 32),     # third bits of codes + 4: 1 bit, lanes of 32
    ("qs", "u1", 64),        # their other bits: 2 bits, lanes of 32
    ("scales", "u1", 12),    # scales of 16 sub-blocks of 16, + 32: low 4 bits in lanes of 8, then high 2 in lanes of 4
    ("d", "<f2"),            # scale of the scales
), codes=(-4, 3), writable=False)
assert (Q3_K.nbytes, Q3_K.bits_per_weight) == (110, 3.4375)

# [d] [d] [dmin] [dmin] [s4" s0] .. [s7" s3] [m4" m0] .. [m7" m3] [m4' s4'] .. [m7' s7'] [q32 q0] ... [q255 q223]
# " are the high 2 bits of a scale or minimum of 6 bits, ' its low 4                     x = d * s * q - dmin * m
Q4_K = BlockType("Q4_K", 12, SUPER, (
    ("d", "<f2"),            # scale of the scales
    ("dmin", "<f2"),         # scale of the minima
    ("scales", "u1", 12),    # scale s and minimum m of 8 sub-blocks of 32: 6 bits each, as drawn
    ("qs", "u1", 128),       # codes: 4 bits, lanes of 32
), codes=(0, 15))
assert (Q4_K.nbytes, Q4_K.bits_per_weight) == (144, 4.5)

# as Q4_K, with [h224 .. h32 h0] ... [h255 .. h63 h31] before the q             x = d * s * (16 h + q) - dmin * m
Q5_K = BlockType("Q5_K", 13, SUPER, (
    ("d", "<f2"),            # scale of the scales
    ("dmin", "<f2"),         # scale of the minima
    ("scales", "u1", 12),    # as in Q4_K
    ("qh", "u1", 32),        # fifth bits of the codes: 1 bit, lanes of 32
    ("qs", "u1", 128),       # their other bits: 4 bits, lanes of 32
), codes=(0, 31))
assert (Q5_K.nbytes, Q5_K.bits_per_weight) == (176, 5.5)

# [q64 q0] [q65 q1] ... [q255 q191] [h96 h64 h32 h0] ... [h255 h223 h191 h159] [s0] ... [s15] [d] [d]
Q6_K = BlockType("Q6_K", 14, SUPER, (
    ("ql", "u1", 128),       # low bits of codes + 32: 4 bits, lanes of 64
    ("qh", "u1", 64),        # high bits: 2 bits, lanes of 32
    ("scales", "i1", 16),    # scales s of 16 sub-blocks of 16
    ("d", "<f2"),            # scale of the scales                              x = d * s * (16 h + q - 32)
), codes=(-32, 31))
assert (Q6_K.nbytes, Q6_K.bits_per_weight) == (210, 6.5625)

TYPES = {type.name: type for type in (F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, MXFP4, NVFP4, IQ4_NL, TQ1_0, TQ2_0,
                                      Q2_K, Q3_K, Q4_K, Q5_K, Q6_K)}
