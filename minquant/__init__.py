"""minquant: LLM quantization, from scratch and measured.

Every quantization scheme answers five questions, and the package is cut along them:

    formats/    what does one code mean?            (int8, bf16, fp8 E4M3, ...)
    scaling/    who shares a scale, and which one?  (tensor, channel, token, group)
    packing/    where do the bits lie?
    methods/    how are the codes chosen?
    kernels/    how are packed codes multiplied?

Around them: ``model/`` (a transformer in plain NumPy to try things on), ``training/`` (its backward pass),
``evaluation/`` (what does it cost), ``decoder.py`` and ``benchmark/`` (what does it buy), ``interop/`` (who else reads it), ``teaching/`` (how it is
shown). ``import minquant`` loads none of them: a name is imported when it is first used.
"""

from importlib import import_module as _import_module

__version__ = "0.1.0"

_SUBPACKAGES = ("formats", "scaling", "packing", "methods", "kernels", "model", "training", "evaluation",
                "benchmark", "teaching", "decoder", "interop", "cli")
_NAMES = {
    "Format": "formats", "Scheme": "scaling", "QTensor": "scaling", "quantize": "scaling",
    "Recipe": "model", "Transformer": "model", "load": "interop", "random_model": "model", "rotate": "model",
    "perplexity": "evaluation", "Perplexity": "evaluation", "kl_divergence": "evaluation",
    "top1_agreement": "evaluation", "Decoder": "decoder",
}

__all__ = [*_NAMES, *_SUBPACKAGES]


def __getattr__(name: str):
    if name in _NAMES:
        value = getattr(_import_module(f"{__name__}.{_NAMES[name]}"), name)
    elif name in _SUBPACKAGES:
        value = _import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module 'minquant' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))
