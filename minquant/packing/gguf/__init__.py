"""GGUF, the format of llama.cpp: its blocks and its file.

    blocks.py       what lies where: a structure for each type, with a picture of its bytes. Read this first
    codec.py        quantize, dequantize, and the two halves of each
    lanes.py        how codes of 1, 2 and 4 bits share bytes
    rounding.py     what the searches for scales share
    floats.py       F32, F16, BF16
    linear.py       Q8_0, Q4_0, Q4_1, Q5_0, Q5_1
    lookup.py       MXFP4, and to read NVFP4, IQ4_NL
    ternary.py      TQ1_0, TQ2_0
    superblocks.py  Q4_K, Q5_K, Q6_K, and to read Q2_K, Q3_K
    search.py       how the K-quants find their scales
    file.py         the file around the blocks: write, read, and spans, which names every byte
    fields.py       the fields of its header

Bytes are those of ggml's reference functions and of the ``gguf`` Python package; each file says where these differ from
each other, and where we differ from both on purpose.
"""

from . import file
from .blocks import BLOCK, TYPES, BlockType
from .codec import choose_codes, dequantize, pack_blocks, quantize, unpack_blocks

__all__ = ["BLOCK", "TYPES", "BlockType", "choose_codes", "dequantize", "file", "pack_blocks", "quantize",
           "unpack_blocks"]
