"""Where do the bits lie?

    dense.py   codes of 1 to 8 bits one right after the other
    gguf.py    the blocks of llama.cpp: Q8_0, Q4_0

Nothing here knows what a code means, except gguf.py, where ggml's layout and its rule of rounding belong together.
"""

from . import gguf
from .dense import pack_bits, sign_extend, unpack_bits

__all__ = ["gguf", "pack_bits", "sign_extend", "unpack_bits"]
