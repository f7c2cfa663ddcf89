"""A decoder-only transformer in plain NumPy: what quantization is tried on.

Read it in this order:

    config.py         the numbers that fix a shape, and the names of the weights; huggingface.py: config.json
    layers.py         the parts as functions: RMSNorm, RoPE, grouped-query attention, SwiGLU
    transformer.py    the whole model, with its one seam for quantization
    cache_format.py   formats of cached keys and values: by token, by channel, before RoPE, KIVI's groups and window
    cache.py          keys and values kept from token to token
    attending.py      attention whose operands are rounded
    generation.py     prefill, decode, sampling
    recipe.py         what of a model is quantized, and how; method.py: the methods by name
    quantizing.py     a recipe applied, block by block
    awq.py            scales folded into norms and rows before rounding; smoothing.py: the same for activations
    rotation.py       the whole model turned by Hadamard matrices
    outliers.py       a model that has outliers, made from one that has none
    static.py         scales of activations, chosen beforehand
    calibration.py    what matrices read on calibration text; gatherers.py: what is kept of it
    tokenizer.py      byte-level BPE; library_tokenizer.py: others; tokens.py checks what a model is given
    safetensors.py    the file format, shards.py several of them, loading.py a folder in Hugging Face's layout,
                      saving.py our own file of a quantized model
    qtensors.py       quantized weights in memory, or left in a file
    random.py         models of any size with random weights, for timing
"""

from .cache import KVCache
from .cache_format import CacheFormat
from .config import Config, linear_names, tensor_shapes
from .loading import load, save
from .outliers import plant
from .random import SHAPES, random_model
from .method import METHODS, Method, method_of
from .recipe import Recipe
from .rotation import rotate
from .smoothing import smooth
from .tokenizer import Tokenizer
from .transformer import Transformer

__all__ = ["CacheFormat", "Config", "KVCache", "METHODS", "Method", "Recipe", "SHAPES", "Tokenizer", "Transformer",
           "linear_names", "load", "method_of", "plant", "random_model", "rotate", "save", "smooth", "tensor_shapes"]
