"""Where do the bits lie?

    dense.py                codes of 1 to 8 bits one right after the other
    gptq.py                 GPTQ checkpoints: int32 words down the inputs
    awq.py                  AWQ checkpoints: int32 words across the outputs, in an odd order
    compressed_tensors.py   vLLM's pack-quantized: int32 words along the inputs
    ternary.py              -1, 0 and 1, five to a byte
    gguf/                   llama.cpp: its blocks, from Q8_0 to the K-quants, and its file

Nothing here knows what a code means, except gguf, where ggml's layout and its rule of rounding belong together.
"""

from . import awq, compressed_tensors, gguf, gptq, ternary
from .dense import pack_bits, sign_extend, unpack_bits

__all__ = ["awq", "compressed_tensors", "gguf", "gptq", "pack_bits", "sign_extend", "ternary", "unpack_bits"]
