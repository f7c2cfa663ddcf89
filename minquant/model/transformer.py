"""A decoder-only transformer, quantizable in every part.

How it works
    ``run`` is the whole model: embed, L blocks, one norm, the output matrix. A block adds two things to the residual
    stream: what attention gathers from earlier tokens, and what the feed-forward part makes of the token itself. Each
    linear layer goes through ``_linears``, the one place where inputs are observed and quantized. Quantized weights
    are dequantized once, when the model is made: this is the *simulated* path, which measures quality. Speed is
    measured on packed bytes by ``minquant.Decoder``, whose logits must agree.

What we leave out
    Batches, dropout, biases. Gradients are in ``minquant.training``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..methods import hadamard, llm_int8_matmul
from ..scaling import FixedGrid, Scheme
from . import layers
from .attending import AttentionFormat, attend
from .cache import KVCache, LayerCache, Piece
from .cache_format import CacheFormat
from .config import EMBEDDING, FINAL_NORM, Config, linear_names, tensor_shapes
from .method import method_of
from .recipe import Recipe, fake_quantizer
from .qtensors import scheme_of
from .tokens import check_room, check_tokens

Tap = Callable[[str, np.ndarray], None]
BYTES_IN_FLOAT = 2  # an unquantized weight is stored as bf16


class Transformer:
    """A transformer: a shape and its named float32 weights. Nothing in it changes after it is made.

    Attributes:
        config: its shape.
        weights: name to float32 array. Names are Hugging Face's (``model.layers.0.self_attn.q_proj.weight``); matrices
            are (out, in). In a quantized model these are the dequantized values.
        tokenizer: what turned text into its tokens, or None.
        recipe: how it was quantized; an empty Recipe for a float model.
        qtensors: name to QTensor, for the weights that are quantized.
        grids: name to FixedGrid, for the inputs of matrices whose scale was chosen beforehand.
    """

    def __init__(self, config: Config, weights: Mapping[str, np.ndarray], tokenizer: Any = None,
                 recipe: Recipe | None = None, qtensors: Mapping[str, Any] | None = None,
                 grids: Mapping[str, FixedGrid] | None = None) -> None:
        """Put a model together. Raises ValueError naming a weight that is missing or has another shape, or an input
        whose grid is missing."""
        for name, shape in tensor_shapes(config).items():
            if name not in weights:
                raise ValueError(f"weight {name} is missing; the model's shape asks for it as {shape}")
            if isinstance(weights, dict) and weights[name].shape != shape:
                raise ValueError(f"weight {name} has shape {weights[name].shape}; the model's shape asks for {shape}")
        self.config, self.weights, self.tokenizer = config, weights, tokenizer
        self.recipe = recipe if recipe is not None else Recipe()
        self.qtensors = {} if qtensors is None else qtensors
        self.grids = dict(grids or {})
        self._check_grids()
        self._round_input = fake_quantizer(self.recipe.activation_scheme)
        method, self._threshold = method_of(self.recipe.method)
        self._decomposed = linear_names(config) if method.decompose else ()
        self._cache_format = CacheFormat.parse(self.recipe.kv)
        operands = None if self.recipe.attention is None else AttentionFormat.parse(self.recipe.attention)
        self._round_attention = fake_quantizer(operands and operands.scheme)
        self._smooth = operands is not None and operands.smooth

    # ---- what a model is asked

    def logits(self, tokens: Any) -> np.ndarray:
        """Scores of the next token after each token.

        Args:
            tokens: T token numbers, a list or an integer array (T,).

        Returns:
            (T, vocab_size) float32. With ``Recipe.kv`` every key and value is read through the cache format.

        Raises:
            ValueError: no tokens, more than the context, or one outside the vocabulary.
            TypeError: tokens that are not whole numbers.
        """
        return self.run(tokens)

    def run(self, tokens: Any, cache: KVCache | None = None, tap: Tap | None = None,
            prefill: bool = False, last_only: bool = False) -> np.ndarray:
        """The forward pass, with everything that can be observed or remembered.

        Args:
            tokens: T token numbers.
            cache: where earlier tokens are remembered; these T follow them and are stored in it.
            tap: called as ``tap(name, x)`` with the unrounded input x (T, in) of every linear layer, the output matrix
                included, under the name of its weight; and, under ``model.layers.N.self_attn.q`` (and ``.k``,
                ``.v``), with the heads that attention multiplies, (heads, T, head_dim), q and k after RoPE, unrounded.
                The arrays are not to be changed.
            prefill: attend to these tokens' own keys and values in float, though they are stored in the cache format.
            last_only: compute the scores after the last token alone.

        Returns:
            (T, vocab_size) float32, or (1, vocab_size).
        """
        start = cache.length if cache is not None else 0
        tokens = check_tokens(tokens, self.config.vocab_size, start)  # (T,)
        check_room(start, len(tokens), self.config.context, cache)
        angles = self.angles(np.arange(start, start + len(tokens)))
        x = self.embed(tokens)  # (T, d)
        for layer in range(self.config.layers):
            x = self.block(layer, x, angles, cache, tap, prefill)  # (T, d)
        if cache is not None:
            cache.advance(len(tokens))
        return self.head(x[-1:] if last_only else x, tap)  # (T, vocab) or (1, vocab)

    def generate(self, tokens: Any, n: int, temperature: float = 0.0, top_p: float = 1.0, seed: int = 0) -> np.ndarray:
        """Continue a text by n tokens; see ``minquant.model.generation.generate``."""
        from .generation import generate
        return generate(self, tokens, n, temperature, top_p, seed)

    def quantize(self, recipe: Recipe, calibration: Any = None, progress: Any = None) -> Transformer:
        """A new model, quantized by a recipe; see ``minquant.model.quantizing.quantize``."""
        from .quantizing import quantize
        return quantize(self, recipe, calibration, progress)

    def save(self, path: str | os.PathLike) -> None:
        """Write the model as one file, codes and scales included, that ``minquant.load`` reads back bit for bit; see
        ``minquant.model.saving``. For a folder that other tools read: ``minquant.model.save(model, folder)``."""
        from .saving import save_file
        save_file(self, path)

    def new_cache(self, capacity: int | None = None) -> KVCache:
        """An empty cache in this model's cache format, for ``run``."""
        return KVCache(self.config, capacity, self.recipe.kv)

    @property
    def nbytes(self) -> int:
        """Bytes of the weights in storage: quantized ones with their scales, all others as bf16. Those of LLM.int8()
        count as codes and scales; the float columns that meet outliers depend on the input and are not counted."""
        shapes = tensor_shapes(self.config)
        return sum(self._bytes_of(name, shape) for name, shape in shapes.items())

    @property
    def bits_per_weight(self) -> float:
        """Bits of storage per weight over the whole model, scales and the parts left in float counted."""
        return 8 * self.nbytes / self.config.parameters

    def __repr__(self) -> str:
        c = self.config
        return (f"Transformer({c.layers} layers, hidden {c.hidden}, vocabulary {c.vocab_size}, "
                f"{c.parameters:,} weights at {self.bits_per_weight:.4g} bits)")

    def _bytes_of(self, name: str, shape: tuple[int, ...]) -> int:
        if name in self.qtensors:
            return scheme_of(self.qtensors, name).nbytes(shape)
        if name in self._decomposed and not self.recipe.skips(name):
            return Scheme.parse(self.recipe.weights).nbytes(shape)
        return BYTES_IN_FLOAT * math.prod(shape)

    def _check_grids(self) -> None:
        names = [*linear_names(self.config), self.config.head_name] if self.recipe.static else ()
        for name in names:
            if name not in self.grids and not self._left_in_float(name):
                raise ValueError(f"no scale was chosen for the input of {name}: a model with static scales is made by "
                                 "model.quantize(recipe, calibration=tokens)")

    # ---- the parts, in the order they run

    def angles(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cosine and sine of the RoPE angles at positions (T,): (T, h/2) each."""
        c = self.config
        return layers.rope_angles(positions, c.head_dim, c.rope_theta, c.rope_scaling)

    def embed(self, tokens: np.ndarray) -> np.ndarray:
        """The embedding row of each token: (T,) -> (T, d)."""
        return self.weights[EMBEDDING][tokens]

    def block(self, layer: int, x: np.ndarray, angles: tuple[np.ndarray, np.ndarray], cache: KVCache | None = None,
              tap: Tap | None = None, prefill: bool = False) -> np.ndarray:
        """One block: x (T, d) -> (T, d). ``angles`` are the RoPE angles of the T positions."""
        name, eps = f"model.layers.{layer}", self.config.norm_eps
        y = layers.rms_norm(x, self.weights[f"{name}.input_layernorm.weight"], eps)  # (T, d)
        x = x + self.attention(layer, y, angles, cache, tap, prefill)  # (T, d)
        y = layers.rms_norm(x, self.weights[f"{name}.post_attention_layernorm.weight"], eps)  # (T, d)
        return x + self.feed_forward(layer, y, tap)  # (T, d)

    def head(self, x: np.ndarray, tap: Tap | None = None) -> np.ndarray:
        """The final norm and the output matrix: (T, d) -> (T, vocab)."""
        y = layers.rms_norm(x, self.weights[FINAL_NORM], self.config.norm_eps)  # (T, d)
        return self._linears(y, [self.config.head_name], tap)[0]  # (T, vocab)

    def attention(self, layer: int, x: np.ndarray, angles: tuple[np.ndarray, np.ndarray], cache: KVCache | None = None,
                  tap: Tap | None = None, prefill: bool = False) -> np.ndarray:
        """Grouped-query attention on the normalised x (T, d) -> (T, d)."""
        name, c = f"model.layers.{layer}.self_attn", self.config
        q, k, v = self._linears(x, [f"{name}.{p}_proj.weight" for p in "qkv"], tap)  # (T, H * h), (T, G * h) twice
        q, flat_k = layers.split_heads(q, c.heads), layers.split_heads(k, c.kv_heads)  # (H, T, h), (G, T, h): before RoPE
        if c.qk_norm:
            q = layers.rms_norm(q, self.weights[f"{name}.q_norm.weight"], c.norm_eps)  # (H, T, h)
            flat_k = layers.rms_norm(flat_k, self.weights[f"{name}.k_norm.weight"], c.norm_eps)  # (G, T, h)
        q, k = layers.rope(q, *angles), layers.rope(flat_k, *angles)  # (H, T, h), (G, T, h)
        v = layers.split_heads(v, c.kv_heads)  # (G, T, h)
        if tap is not None:
            tap(f"{name}.q", q), tap(f"{name}.k", k), tap(f"{name}.v", v)
        kept = flat_k if self._cache_format.before_rope else k  # (G, T, h)
        pieces = self._remembered(layer, kept, v, cache, prefill)
        y = [attend(q[:, own], *seen, self._round_attention, self._smooth) for own, *seen in pieces]
        y = np.concatenate(y, axis=1)  # (H, T, h)
        return self._linears(layers.merge_heads(y), [f"{name}.o_proj.weight"], tap)[0]  # (T, H * h) -> (T, d)

    def _remembered(self, layer: int, k: np.ndarray, v: np.ndarray, cache: KVCache | None,
                    prefill: bool) -> list[Piece]:
        """Keys and values (G, T, h), stored; and which keys and values of all positions which queries read."""
        if cache is not None:
            return cache.store(layer, k, v, prefill)
        return LayerCache.of_one_pass(self.config, self._cache_format, k.shape[1]).store(k, v)

    def feed_forward(self, layer: int, x: np.ndarray, tap: Tap | None = None) -> np.ndarray:
        """SwiGLU on the normalised x (T, d) -> (T, d)."""
        name = f"model.layers.{layer}.mlp"
        gate, up = self._linears(x, [f"{name}.gate_proj.weight", f"{name}.up_proj.weight"], tap)  # (T, f) each
        y = layers.swiglu(gate, up)  # (T, f)
        if self.config.online_hadamard:
            y = y @ hadamard(self.config.ffn)  # (T, f) @ (f, f)
        return self._linears(y, [f"{name}.down_proj.weight"], tap)[0]  # (T, d)

    def _linears(self, x: np.ndarray, names: list[str], tap: Tap | None) -> list[np.ndarray]:
        """The linear layers that share the input x (T, in): one (T, out) each. The input is rounded once for all."""
        if tap is not None:
            for name in names:
                tap(name, x)
        in_float = [self._left_in_float(name) for name in names]
        rounded = x if all(in_float) else self._rounded(x, names[in_float.index(False)])  # (T, in)
        return [layers.linear(x, self.weights[name]) if left else self._product(rounded, name)
                for name, left in zip(names, in_float)]

    def _rounded(self, x: np.ndarray, name: str) -> np.ndarray:
        """The input x (T, in) of a matrix, rounded: on the grid chosen beforehand, or by what is in it."""
        if name in self._decomposed:
            return x
        return self.grids[name].fake_quantize(x) if name in self.grids else self._round_input(x)

    def _product(self, x: np.ndarray, name: str) -> np.ndarray:
        """A matrix times its input x (T, in), rounded already but for LLM.int8(): (T, out)."""
        if name not in self._decomposed:
            return layers.linear(x, self.weights[name])
        return llm_int8_matmul(x, self.weights[name], self._threshold, Scheme.parse(self.recipe.weights).bits)

    def _left_in_float(self, name: str) -> bool:
        """Is the input of this linear layer left alone? The output matrix's is, unless it is quantized itself."""
        return self.recipe.skips(name) or (name == self.config.head_name and self.recipe.head is None)
