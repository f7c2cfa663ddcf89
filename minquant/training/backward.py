"""The loss of a whole transformer and its gradient by every weight.

How it works
    The forward pass is that of ``minquant.model.Transformer``, for a batch, and keeps what the backward pass needs
    (*saved*: the inputs of each part). The backward pass goes through the same parts in reverse. A residual stream
    y = x + f(x) passes its gradient on unchanged and adds what comes back through f. A weight that is used twice (the
    tied embedding: as input rows and as output matrix) gets the sum of both gradients.

    ``through`` is the seam for quantization-aware training: it maps a float weight to the weight that is used. The
    gradient is taken by the weight *used* and given to the float weight as it is: the straight-through estimator
    (Bengio et al. 2013, arXiv 1308.3432, section 4), exact where ``through`` is the identity. ``rounding.py`` refines
    it where weights are clipped.

    ``teacher`` changes the question from "what comes next in this text?" to "what would that model say comes next?".

What we leave out
    Dropout. Recomputing activations to save memory: a batch of 8 x 128 tokens of the tiny model keeps about 100 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..model import Config, layers
from ..model.config import EMBEDDING, FINAL_NORM, refuse_rotated
from ..model.tokens import check_tokens
from . import gradients

Weights = Mapping[str, np.ndarray]
Through = Callable[[str, np.ndarray], np.ndarray]


def loss_and_gradients(config: Config, weights: Weights, tokens: np.ndarray,
                       through: Through | None = None,
                       teacher: np.ndarray | None = None) -> tuple[float, dict[str, np.ndarray]]:
    """Mean cross-entropy of the next token, or KL divergence from a teacher, and its gradient by every weight.

    Args:
        config: the model's shape.
        weights: name to array (``tensor_shapes``), all float32 or all float64; computed in that dtype.
        tokens: (B, T + 1) whole numbers; the first T of each row are read, the last T foretold.
        through: ``through(name, weight)`` gives the weight to use, same shape; None uses the weights as they are.
        teacher: (B * T, vocab) logits of another model (``batch_logits``); the loss is then the mean of
            KL(teacher || model), and the last tokens of the rows are not looked at.

    Returns:
        The loss in nats per token, and name to gradient, same shapes as the weights.

    Raises ValueError for tokens of another shape or outside the vocabulary, TypeError for what is no whole number.
    """
    refuse_rotated(config, "there is no backward pass through", "Train the model before rotation")
    if config.qk_norm:
        raise ValueError("there is no backward pass through the norms of q and k (Qwen3): train a model without them")
    tokens = _checked(tokens, config.vocab_size)
    used = weights if through is None else {name: through(name, weight) for name, weight in weights.items()}
    inputs, targets = tokens[:, :-1], tokens[:, 1:].reshape(-1)  # (B, T), (N,)
    found: dict[str, np.ndarray] = {}
    blocks: list[dict[str, np.ndarray]] = []
    x, angles = _stream(config, used, inputs, blocks)  # (N, d)
    y = layers.rms_norm(x, used[FINAL_NORM], config.norm_eps)  # (N, d)
    logits = layers.linear(y, used[config.head_name])  # (N, vocab)
    loss, dlogits = (gradients.cross_entropy(logits, targets) if teacher is None
                     else gradients.divergence(logits, teacher))  # (N, vocab)

    dy, found[config.head_name] = gradients.linear_backward(dlogits, y, used[config.head_name])  # (N, d)
    dx, found[FINAL_NORM] = gradients.rms_norm_backward(dy, x, used[FINAL_NORM], config.norm_eps)  # (N, d)
    for layer in reversed(range(config.layers)):
        dx = _block_backward(config, used, layer, dx, blocks.pop(), angles, found)  # (N, d)
    dembedding = gradients.embedding_backward(dx, inputs.reshape(-1), config.vocab_size)  # (vocab, d)
    found[EMBEDDING] = found[EMBEDDING] + dembedding if config.tied else dembedding
    return loss, found


def batch_logits(config: Config, weights: Weights, inputs: np.ndarray) -> np.ndarray:
    """Logits of a batch without its gradients: inputs (B, T) -> (B * T, vocab), what ``teacher`` takes."""
    x, _ = _stream(config, weights, inputs)  # (N, d)
    return layers.linear(layers.rms_norm(x, weights[FINAL_NORM], config.norm_eps), weights[config.head_name])


def _stream(config: Config, w: Weights, inputs: np.ndarray,
            saved: list | None = None) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """The residual stream after the last block (N, d), and the RoPE angles. What each block saves goes into ``saved``.
    """
    B, T = inputs.shape
    angles = layers.rope_angles(np.arange(T), config.head_dim, config.rope_theta, config.rope_scaling)  # (T, h/2) twice
    x = w[EMBEDDING][inputs.reshape(-1)]  # (N, d)
    for layer in range(config.layers):
        x, kept = _block(config, w, layer, x, angles, B)  # (N, d)
        if saved is not None:
            saved.append(kept)
    return x, angles


def _checked(tokens: np.ndarray, vocab_size: int) -> np.ndarray:
    """Rows of tokens as int64 (B, T + 1), T of at least 1."""
    tokens = np.asarray(tokens)
    if tokens.ndim != 2 or tokens.shape[0] < 1 or tokens.shape[1] < 2:
        raise ValueError(f"tokens must be rows of at least two, shape (B, T + 1), not {tokens.shape}; "
                         "one text alone is tokens[None]")
    return check_tokens(tokens.reshape(-1), vocab_size).reshape(tokens.shape)


def _block(config: Config, w: Weights, layer: int, x: np.ndarray, angles: tuple[np.ndarray, np.ndarray],
           batch: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """One block forward: x (N, d) -> (N, d), and what its backward pass needs."""
    name, eps = f"model.layers.{layer}", config.norm_eps
    y = layers.rms_norm(x, w[f"{name}.input_layernorm.weight"], eps)  # (N, d)
    q, k, v = (layers.linear(y, w[f"{name}.self_attn.{p}_proj.weight"]) for p in "qkv")  # (N, H*h), (N, G*h) twice
    q = layers.rope(_split(q, batch, config.heads), *angles)  # (B, H, T, h)
    k = layers.rope(_split(k, batch, config.kv_heads), *angles)  # (B, G, T, h)
    v = _split(v, batch, config.kv_heads)  # (B, G, T, h)
    attended, p = gradients.attention(q, k, v)  # (B, H, T, h), (B, G, R*T, T)
    merged = _merge(attended)  # (N, H*h)
    middle = x + layers.linear(merged, w[f"{name}.self_attn.o_proj.weight"])  # (N, d)
    z = layers.rms_norm(middle, w[f"{name}.post_attention_layernorm.weight"], eps)  # (N, d)
    gate = layers.linear(z, w[f"{name}.mlp.gate_proj.weight"])  # (N, f)
    up = layers.linear(z, w[f"{name}.mlp.up_proj.weight"])  # (N, f)
    hidden = layers.swiglu(gate, up)  # (N, f)
    saved = {"x": x, "y": y, "q": q, "k": k, "v": v, "p": p, "merged": merged, "middle": middle, "z": z,
             "gate": gate, "up": up, "hidden": hidden}
    return middle + layers.linear(hidden, w[f"{name}.mlp.down_proj.weight"]), saved  # (N, d)


def _block_backward(config: Config, w: Weights, layer: int, dout: np.ndarray, saved: dict[str, np.ndarray],
                    angles: tuple[np.ndarray, np.ndarray], found: dict[str, np.ndarray]) -> np.ndarray:
    """One block backward: gradient of its output (N, d) -> of its input (N, d). Weight gradients go into ``found``."""
    name = f"model.layers.{layer}"
    # out = middle + feed_forward(rms_norm(middle))
    dz = _feed_forward_backward(w, f"{name}.mlp", dout, saved, found)  # (N, d)
    norm = f"{name}.post_attention_layernorm.weight"
    dnormed, found[norm] = gradients.rms_norm_backward(dz, saved["middle"], w[norm], config.norm_eps)  # (N, d), (d,)
    dmiddle = dout + dnormed  # (N, d)
    # middle = x + attention(rms_norm(x))
    dy = _attention_backward(config, w, f"{name}.self_attn", dmiddle, saved, angles, found)  # (N, d)
    norm = f"{name}.input_layernorm.weight"
    dnormed, found[norm] = gradients.rms_norm_backward(dy, saved["x"], w[norm], config.norm_eps)  # (N, d), (d,)
    return dmiddle + dnormed  # (N, d)


def _feed_forward_backward(w: Weights, name: str, dout: np.ndarray, saved: dict[str, np.ndarray],
                           found: dict[str, np.ndarray]) -> np.ndarray:
    """out = W_down swiglu(W_gate z, W_up z): gradient of out (N, d) -> of z (N, d)."""
    down, gate, up = (f"{name}.{p}_proj.weight" for p in ("down", "gate", "up"))
    dhidden, found[down] = gradients.linear_backward(dout, saved["hidden"], w[down])  # (N, f), (d, f)
    dgate, dup = gradients.swiglu_backward(dhidden, saved["gate"], saved["up"])  # (N, f) each
    dz_gate, found[gate] = gradients.linear_backward(dgate, saved["z"], w[gate])  # (N, d), (f, d)
    dz_up, found[up] = gradients.linear_backward(dup, saved["z"], w[up])  # (N, d), (f, d)
    return dz_gate + dz_up  # (N, d)


def _attention_backward(config: Config, w: Weights, name: str, dout: np.ndarray, saved: dict[str, np.ndarray],
                        angles: tuple[np.ndarray, np.ndarray], found: dict[str, np.ndarray]) -> np.ndarray:
    """out = W_o attention(rope(W_q y), rope(W_k y), W_v y): gradient of out (N, d) -> of y (N, d)."""
    out = f"{name}.o_proj.weight"
    dmerged, found[out] = gradients.linear_backward(dout, saved["merged"], w[out])  # (N, H*h), (d, H*h)
    dattended = _split(dmerged, len(saved["q"]), config.heads)  # (B, H, T, h)
    dq, dk, dv = gradients.attention_backward(dattended, saved["q"], saved["k"], saved["v"], saved["p"])
    dq = gradients.rope_backward(dq, *angles)  # (B, H, T, h)
    dk = gradients.rope_backward(dk, *angles)  # (B, G, T, h)
    dy = np.zeros_like(saved["y"])  # (N, d)
    for part, dpart in (("q", dq), ("k", dk), ("v", dv)):
        weight = f"{name}.{part}_proj.weight"
        dinput, found[weight] = gradients.linear_backward(_merge(dpart), saved["y"], w[weight])  # (N, d), (out, d)
        dy += dinput  # (N, d)
    return dy


def _split(x: np.ndarray, batch: int, heads: int) -> np.ndarray:
    """(B * T, heads * h) -> (B, heads, T, h)."""
    return x.reshape(batch, len(x) // batch, heads, -1).swapaxes(1, 2)


def _merge(x: np.ndarray) -> np.ndarray:
    """(B, heads, T, h) -> (B * T, heads * h)."""
    return x.swapaxes(1, 2).reshape(x.shape[0] * x.shape[2], -1)
