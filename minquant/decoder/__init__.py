"""The packed path through a model: packed bytes, compiled kernels, one token at a time.

    decoder.py     Decoder: weights, cache, position; checks what it is asked, then calls the compiled step
    generating.py  writing text: the prompt at once, then sampling in compiled blocks
    kv.py          the formats of the cache
    pack.py        from the named float32 weights of a model to the packed matrices the kernels read
    threads.py     how many threads a token runs on, and on which cores they stay

The other path, ``Transformer.quantize``, computes with dequantized float32 weights and measures quality. Logits of
the two agree; tests hold them to a tolerance.
"""

from .decoder import Decoder
from .kv import KV
from .pack import ACTIVATIONS, SCHEMES, takes_activations

__all__ = ["ACTIVATIONS", "KV", "SCHEMES", "Decoder", "takes_activations"]
