"""Rotating a whole model: the same function, and no coordinate of it stands out any more.

How it works
    A row of the residual stream, x, is turned into x Q, with Q orthogonal. Nothing that matters notices: what reads the
    stream turns it back (W becomes W Q), what writes to it turns its output (W becomes Q^T W), and RMSNorm divides by
    a length that a rotation leaves alone. The norm's gain is in the way, since it stretches single coordinates; so it
    is multiplied into the matrices behind it first, and becomes 1.

        embedding                  E Q                 untied first: the output matrix has the last norm's gain in it
        q, k, v, gate, up, head    (W gain) Q
        o, down                    Q^T W
        v, o                       each head's values turned by H (head_dim), and back by the columns of o
        down                       W H (ffn), and its input is multiplied by H as the model runs ("online")

    Q = diag(+-1) H / sqrt(hidden) is a Hadamard matrix with random signs (``methods/hadamard.py``). The values pass
    attention unharmed, since attention adds up whole vectors of a head; it works under grouped-query attention, where
    every query head that reads a value head turns back alike. SwiGLU lies before down and is not linear, so no weight
    can turn its output: the model does, and says so in ``config.online_hadamard``.

Source
    Ashkboos et al. 2024, "QuaRot", arXiv 2404.00456, section 4; the same four places as R1, R2 and R4 of Liu et al.
    2024, "SpinQuant", arXiv 2405.16406, section 3, where Q is learned.

What we leave out
    QuaRot's online rotation across heads before o, and of queries and keys after RoPE (for 4-bit caches). Learning Q.
    A tied model grows by one matrix, since its embedding and its output matrix are turned differently.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..methods import hadamard, has_hadamard, random_hadamard
from .config import EMBEDDING, FINAL_NORM, HEAD, Config, linear_names
from .transformer import Transformer


def rotate(model: Transformer, seed: int = 0) -> Transformer:
    """The model in rotated weights: float32, the same logits up to rounding error. The given model stays as it is.

    Args:
        model: a float model.
        seed: draws the signs of Q.

    Returns:
        A Transformer with all gains 1, an output matrix of its own, and ``config.online_hadamard`` set. Values are
        turned head by head where there is a Hadamard matrix of size ``head_dim``, else they stay.

    Raises ValueError for a model that is quantized or rotated already, for a width (``hidden`` or ``ffn``) without a
    Hadamard matrix, and for weights that are not finite, naming them.
    """
    c = model.config
    _check(model)
    Q = random_hadamard(c.hidden, seed).astype(np.float64)  # (d, d)
    given = {name: model.weights[name].astype(np.float64) for name in linear_names(c)}
    norms = {name: model.weights[name] for i in range(c.layers) for name in _norms(i)}
    weights = {name: np.ones_like(gain) for name, gain in norms.items()}
    for layer in range(c.layers):
        weights |= _block(c, layer, given, norms, Q)
    embedding, gain = model.weights[EMBEDDING].astype(np.float64), model.weights[FINAL_NORM]
    weights[EMBEDDING], weights[FINAL_NORM] = embedding @ Q, np.ones_like(gain)
    weights[HEAD] = model.weights[c.head_name].astype(np.float64) * gain @ Q  # (vocab, d)
    return Transformer(replace(c, tied=False, online_hadamard=True),
                       {name: w.astype(np.float32) for name, w in weights.items()}, model.tokenizer)


def _norms(layer: int) -> tuple[str, str]:
    return tuple(f"model.layers.{layer}.{norm}.weight" for norm in ("input_layernorm", "post_attention_layernorm"))


def _block(c: Config, layer: int, given: dict[str, np.ndarray], norms: dict[str, np.ndarray],
           Q: np.ndarray) -> dict[str, np.ndarray]:
    """The matrices of one block, float64."""
    (first, second), name = _norms(layer), f"model.layers.{layer}"
    turned = {f"{name}.self_attn.{p}_proj.weight": norms[first] for p in "qkv"}
    turned |= {f"{name}.mlp.{p}_proj.weight": norms[second] for p in ("gate", "up")}
    new = {matrix: given[matrix] * gain @ Q for matrix, gain in turned.items()}  # (out, d)
    v, o, down = (f"{name}.{part}_proj.weight" for part in ("self_attn.v", "self_attn.o", "mlp.down"))
    H = hadamard(c.head_dim) if has_hadamard(c.head_dim) else np.eye(c.head_dim)  # (h, h)
    new[v] = (H.T @ new[v].reshape(c.kv_heads, c.head_dim, -1)).reshape(given[v].shape)  # values times H
    new[o] = Q.T @ (given[o].reshape(c.hidden, c.heads, c.head_dim) @ H).reshape(given[o].shape)
    new[down] = Q.T @ given[down] @ hadamard(c.ffn)  # (d, ffn)
    return new


def _check(model: Transformer) -> None:
    c = model.config
    if model.qtensors:
        raise ValueError(f"rotate takes a float model; this one is quantized already ({model.recipe})")
    if c.online_hadamard:
        raise ValueError("this model is rotated already")
    for what, size in (("hidden", c.hidden), ("ffn", c.ffn)):
        if not has_hadamard(size):
            raise ValueError(f"rotate: {what} is {size}, and there is no Hadamard matrix of size {size} here: sizes are "
                             "1, 12, 20 or 28 times a power of two")
    for name in (*linear_names(c), *(norm for i in range(c.layers) for norm in _norms(i)), EMBEDDING, FINAL_NORM):
        if not np.isfinite(model.weights[name]).all():
            raise ValueError(f"{name} holds NaN or infinity: find out where they come from")
