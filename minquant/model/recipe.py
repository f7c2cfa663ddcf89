"""What of a model is quantized, and how.

How it works
    A ``Recipe`` names a scheme for each part of a model: the matrices of its blocks, the inputs of those matrices,
    the cached keys and values, the operands of attention, the output matrix. A part without a scheme stays in float.
    ``overrides`` gives single matrices of the blocks another scheme than ``weights``: mixed precision.
    The recipe checks itself when it is made, so that a typing error shows at once and not after an hour of
    calibration. ``method.py`` lists the ways to choose the codes of a weight matrix.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Mapping

import numpy as np

from ..scaling import Scheme, fake_quantize
from .attending import AttentionFormat
from .cache_format import CacheFormat
from .method import method_of


STATIC = ":static"


@dataclass(frozen=True)
class Recipe:
    """What of a model is quantized and how; ``None`` leaves a part in float.

    Attributes:
        weights: scheme of the matrices of the blocks.
        method: how their codes are chosen: a key of ``METHODS``, for some with an option ("smoothquant:0.75").
        activations: scheme of the input of every linear layer that is not left in float itself; the output
            matrix is one of them where ``head`` is given. ``"int8:tensor"`` takes one scale over the tokens at hand,
            ``"int8:tensor:static"`` one chosen beforehand on calibration text.
        kv: format of cached keys (after RoPE) and values: a scheme, for each head of each token on its own; ``"kivi4"``
            and ``"kivi2"``; or with ``:keychannel`` and ``:prerope`` (see ``cache_format.py``).
        attention: scheme of the queries, the keys and the attention probabilities, row by row; with ``:smooth`` the
            mean key is taken off first (see ``attending.py``).
        head: scheme of the output matrix, and with it of the embedding where they are tied. Always rounded to nearest.
        skip: names of weights that stay in float, inputs included. A name is matched by its dotted parts and may
            hold ``*``: ``"down_proj"``, ``"layers.0"``, ``"model.layers.*.self_attn.k_proj.weight"``.
        overrides: schemes of matrices of the blocks that are not to get that of ``weights``, by names as in ``skip``:
            ``{"down_proj": "int8:g32"}``; kept as pairs. Where several match, the last one counts, and ``skip`` above
            all. They are quantized without ``weights`` too.

    Raises ValueError or TypeError where a scheme or the method is unknown or does not suit the part.
    """

    weights: str | None = None
    method: str = "rtn"
    activations: str | None = None
    kv: str | None = None
    attention: str | None = None
    head: str | None = None
    skip: tuple[str, ...] = ()
    overrides: tuple[tuple[str, str], ...] | Mapping[str, str] = ()

    def __post_init__(self) -> None:
        for part in ("weights", "activations", "kv", "attention", "head"):
            given = getattr(self, part)
            if given is None:
                continue
            scheme = _parse(part, self.activation_scheme if part == "activations" else given,
                            _READERS.get(part, Scheme.parse))
            if part == "activations":
                _check_granularity(part, scheme)
            if not isinstance(given, str):
                object.__setattr__(self, part, str(Scheme.parse(given)))
        if self.static and Scheme.parse(self.activation_scheme).granularity != "tensor":
            raise ValueError(f"recipe, activations: {self.activations!r}: only one scale for the whole tensor can be "
                             "chosen before the tokens are there; write int8:tensor:static")
        try:
            method, _ = method_of(self.method)
        except ValueError as error:
            raise ValueError(f"recipe, method: {error}") from None
        if self.weights is not None:
            _check_method(self.method, Scheme.parse(self.weights))
        object.__setattr__(self, "overrides", _pairs(self.overrides, self.method))
        if method.decompose:
            _check_decomposition(self)
        skip = (self.skip,) if isinstance(self.skip, str) else tuple(self.skip)
        if not all(isinstance(pattern, str) and pattern for pattern in skip):
            raise TypeError(f"recipe, skip: names of weights as strings, not {self.skip!r}")
        object.__setattr__(self, "skip", skip)

    def skips(self, name: str) -> bool:
        """Does ``skip`` leave the weight of this name in float?"""
        return any(_matches(name, pattern) for pattern in self.skip)

    @property
    def static(self) -> bool:
        """Are the scales of activations chosen beforehand?"""
        return isinstance(self.activations, str) and self.activations.endswith(STATIC)

    @property
    def activation_scheme(self) -> str | None:
        """The scheme of activations without what says when its scale is chosen."""
        return self.activations.removesuffix(STATIC) if isinstance(self.activations, str) else self.activations

    @property
    def needs_text(self) -> bool:
        """Does quantizing by this recipe look at calibration text?"""
        method, _ = method_of(self.method)
        return self.static or (method.needs_text if self.has_weights else method.prepare == "smooth")

    @property
    def has_weights(self) -> bool:
        """Is any matrix of the blocks to be quantized?"""
        return self.weights is not None or bool(self.overrides)

    def scheme_of(self, name: str) -> str | None:
        """The scheme of a matrix of the blocks, by its name; None where it stays in float."""
        if self.skips(name):
            return None
        found = [scheme for pattern, scheme in self.overrides if _matches(name, pattern)]
        return found[-1] if found else self.weights

    def check_names(self, matrices: Iterable[str], others: Iterable[str] = ()) -> None:
        """Raise ValueError for an entry of ``skip`` that matches no name of a weight, and for one of ``overrides`` that
        matches no matrix of the blocks: it is a typing error."""
        matrices = list(matrices)
        weights = [*matrices, *others]
        for part, patterns, names in (("skip", self.skip, weights),
                                      ("overrides", [pattern for pattern, _ in self.overrides], matrices)):
            for pattern in patterns:
                if not any(_matches(name, pattern) for name in names):
                    what = "weight" if part == "skip" else "matrix of the blocks"
                    raise ValueError(f"recipe, {part}: {pattern!r} matches no {what}; names look like {names[-1]!r}")


def _matches(name: str, pattern: str) -> bool:
    """A pattern matches whole dotted parts: ``layers.1`` is in ``model.layers.1.mlp`` but not in ``layers.11``."""
    return fnmatch.fnmatchcase(f".{name}.", f"*.{pattern}.*")


_READERS = {"kv": CacheFormat.parse, "attention": AttentionFormat.parse}  # of the parts that are no plain scheme


def _parse(part: str, scheme: str | Scheme, read: Callable[[Any], Any] = Scheme.parse) -> Any:
    """The scheme or format of a part. Raises as ``Scheme.parse``, with the name of the part."""
    try:
        return read(scheme)
    except (ValueError, TypeError) as error:
        raise type(error)(f"recipe, {part}: {error}") from None


def _pairs(overrides: Any, method: str) -> tuple[tuple[str, str], ...]:
    """Overrides, a mapping or pairs, as pairs of strings. Raises ValueError or TypeError for what they cannot be."""
    try:
        items = overrides.items() if isinstance(overrides, Mapping) else overrides
        pairs = [(name, scheme) for name, scheme in items]
    except (TypeError, ValueError):  # nothing to iterate over; not two of each
        pairs = [("", None)]
    for name, scheme in pairs:
        if not isinstance(name, str) or not name:
            raise TypeError(f"recipe, overrides: names of matrices and their schemes, such as {{'down_proj': "
                            f"'int8:g32'}}, not {overrides!r}")
        if scheme is None:
            raise ValueError(f"recipe, overrides: {name!r} has no scheme; to leave it in float, name it in skip")
        _check_method(method, _parse(f"overrides, {name!r}", scheme), f"overrides, {name!r}")
    return tuple((name, scheme if isinstance(scheme, str) else str(scheme)) for name, scheme in pairs)


def _check_method(method: str, scheme: Scheme, part: str = "weights") -> None:
    """Refuse a scheme of weights that the method cannot work with."""
    try:
        method_of(method)[0].check(scheme)
    except ValueError as error:
        raise ValueError(f"recipe, {part}, method {method!r}: {error}") from None


def _check_decomposition(recipe: Recipe) -> None:
    """LLM.int8() has both sides of a product in integers of the same size, everywhere or nowhere."""
    bits = Scheme.parse(recipe.weights).bits if recipe.weights is not None else 8
    if recipe.weights is None or recipe.activations != f"int{bits}:token" or recipe.overrides:
        raise ValueError(f"recipe, method {recipe.method!r}: both sides of every product are rounded, so it goes with "
                         f"weights='int{bits}:channel', activations='int{bits}:token' and no overrides")


def _check_granularity(part: str, scheme: Scheme) -> None:
    """Refuse scales that activations cannot have: their rows are made one token at a time."""
    if scheme.granularity == "channel":
        raise ValueError(f"recipe, {part}: one scale per channel would be shared by tokens that are not there yet; "
                         f"write {scheme.format.name}:token for one scale per row")


def fake_quantizer(scheme: str | None) -> Callable[[np.ndarray], np.ndarray]:
    """A function that rounds an array (any shape, rows last) to a scheme and back; None leaves it as it is.

    Rows that are no whole number of groups (attention probabilities over S tokens) are filled up with zeros.
    """
    if scheme is None:
        return lambda x: x
    parsed = Scheme.parse(scheme)
    group = parsed.group_size or 1

    def through(x: np.ndarray) -> np.ndarray:
        short = -x.shape[-1] % group
        if not short:
            return fake_quantize(x, parsed)
        padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, short)])  # (..., whole groups)
        return fake_quantize(padded, parsed)[..., :x.shape[-1]]

    return through
