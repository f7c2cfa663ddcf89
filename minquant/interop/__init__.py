"""Who else reads it? Files of other programs in, files for other programs out.

    loading.py       load: the shipped model, a folder in Hugging Face's layout, a GGUF file, a file of ours
    gguf_names.py    what a model's tensors are called in a GGUF file, and the order of their rows
    gguf_shape.py    the keys that say a model's shape, both ways
    gguf_tokens.py   the keys that hold its vocabulary, both ways
    gguf_in.py       a model from a GGUF file
    gguf_out.py      a GGUF file from a model: write_gguf
    checkpoints.py   GPTQ, AWQ and compressed-tensors out: write_checkpoint; checkpoints_in.py reads them
    parts.py         quantizing layer by layer into files: interruptible, in little memory
    planned.py       whether a recipe can be written in a format, asked before the work
    stored.py        in how many bits the weights of a file lie

The containers themselves are elsewhere: ``packing.gguf`` knows blocks and file, ``model.safetensors`` the other format.
"""

from .checkpoints import FORMATS, write_checkpoint
from .gguf_in import read_gguf
from .gguf_out import BLOCKS, write_gguf
from .loading import load
from .parts import quantize_in_parts
from .planned import check_plan
from .stored import stored_weights

__all__ = ["BLOCKS", "FORMATS", "check_plan", "load", "quantize_in_parts", "read_gguf", "stored_weights",
           "write_checkpoint", "write_gguf"]
