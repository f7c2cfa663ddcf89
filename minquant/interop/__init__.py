"""Who else reads it? Files of other programs in, files for other programs out.

    loading.py       load: the shipped model, a folder in Hugging Face's layout, a GGUF file, a file of ours
    gguf_names.py    what a model's tensors are called in a GGUF file, and the order of their rows
    gguf_shape.py    the keys that say a model's shape, both ways
    gguf_tokens.py   the keys that hold its vocabulary, both ways
    gguf_in.py       a model from a GGUF file
    gguf_out.py      a GGUF file from a model: write_gguf

The containers themselves are elsewhere: ``packing.gguf`` knows blocks and file, ``model.safetensors`` the other format.
"""

from .gguf_in import read_gguf
from .gguf_out import BLOCKS, write_gguf
from .loading import load

__all__ = ["BLOCKS", "load", "read_gguf", "write_gguf"]
