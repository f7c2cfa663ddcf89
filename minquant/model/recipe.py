"""What of a model is quantized, and how.

How it works
    A ``Recipe`` names a scheme for each part of a model: the matrices of its blocks, the inputs of those matrices,
    the cached keys and values, the operands of attention, the output matrix. A part without a scheme stays in float.
    ``overrides`` gives single matrices of the blocks another scheme than ``weights``: mixed precision.
    The recipe checks itself when it is made, so that a typing error shows at once and not after an hour of
    calibration. ``METHODS`` lists the ways to choose the codes of a weight matrix.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Iterable, Mapping

import numpy as np

from ..methods import Hessian, check_scheme, gptq_from_hessian, hqq, rtn
from ..methods.awq import check_scheme as check_scales
from ..methods.hqq import check_scheme as check_zero_point
from ..scaling import QTensor, Scheme, fake_quantize
from .gatherers import Gatherer, Samples


@dataclass(frozen=True)
class Method:
    """A way to choose the codes of one weight matrix.

    Attributes:
        quantize: function of (weight (out, in), what was gathered of its inputs or None, scheme) that gives a QTensor.
        needs_inputs: the function wants to know the inputs of the matrix on calibration text.
        gather: makes what takes these inputs piece by piece and keeps what the function needs: all of them, (samples,
            in), by default.
        check: raises ValueError for a scheme that the function cannot work with.
        scale, clip: the weights of a block are scaled, and clipped, by AWQ's searches before the function sees them.
    """

    quantize: Callable[[np.ndarray, Any, Scheme], QTensor]
    needs_inputs: bool = False
    gather: Callable[[], Gatherer] = Samples
    check: Callable[[Scheme], Any] = Scheme.parse
    scale: bool = False
    clip: bool = False

    @property
    def needs_text(self) -> bool:
        """Whether the method looks at calibration text at all."""
        return self.needs_inputs or self.scale


def _round_to_nearest(weight: np.ndarray, inputs: None, scheme: Scheme) -> QTensor:
    return rtn(weight, scheme)


def _half_quadratic(weight: np.ndarray, inputs: None, scheme: Scheme) -> QTensor:
    return hqq(weight, scheme)


def _check_both(scheme: Scheme) -> None:
    check_scales(scheme), check_scheme(scheme)


def _trained(weight: np.ndarray, inputs: None, scheme: Scheme) -> QTensor:
    raise ValueError("codes of the method 'qat' come from training the whole model, not from one matrix: "
                     "minquant.training.qat(model, scheme, tokens, steps), or the command minquant qat")


_gptq_act_order = partial(gptq_from_hessian, act_order=True, static_groups=True)

METHODS: dict[str, Method] = {
    "rtn": Method(_round_to_nearest),
    "gptq": Method(gptq_from_hessian, needs_inputs=True, gather=Hessian, check=check_scheme),
    "gptq_act_order": Method(_gptq_act_order, needs_inputs=True, gather=Hessian, check=check_scheme),
    "awq": Method(_round_to_nearest, check=check_scales, scale=True, clip=True),
    "awq+gptq": Method(gptq_from_hessian, needs_inputs=True, gather=Hessian, check=_check_both, scale=True),
    "hqq": Method(_half_quadratic, check=check_zero_point),
    "qat": Method(_trained),  # a record of how the codes came about: ``training.qat`` makes such models
}


@dataclass(frozen=True)
class Recipe:
    """What of a model is quantized and how; ``None`` leaves a part in float.

    Attributes:
        weights: scheme of the matrices of the blocks.
        method: how their codes are chosen, a key of ``METHODS``.
        activations: scheme of the input of every linear layer that is not left in float itself; the output
            matrix is one of them where ``head`` is given. ``"int8:tensor"`` takes one scale over the tokens at hand.
        kv: scheme of cached keys (after RoPE) and values, each head of each token on its own.
        attention: scheme of the queries, the keys and the attention probabilities, row by row.
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
            scheme = _parse(part, given)
            _check_granularity(part, scheme)
            object.__setattr__(self, part, given if isinstance(given, str) else str(scheme))
        if self.method not in METHODS:
            raise ValueError(f"recipe, method: {self.method!r} is unknown; this version has {', '.join(METHODS)}")
        if self.weights is not None:
            _check_method(self.method, Scheme.parse(self.weights))
        object.__setattr__(self, "overrides", _pairs(self.overrides, self.method))
        skip = (self.skip,) if isinstance(self.skip, str) else tuple(self.skip)
        if not all(isinstance(pattern, str) and pattern for pattern in skip):
            raise TypeError(f"recipe, skip: names of weights as strings, not {self.skip!r}")
        object.__setattr__(self, "skip", skip)

    def skips(self, name: str) -> bool:
        """Does ``skip`` leave the weight of this name in float?"""
        return any(_matches(name, pattern) for pattern in self.skip)

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


def _parse(part: str, scheme: str | Scheme) -> Scheme:
    """The scheme of a part. Raises as ``Scheme.parse``, with the name of the part."""
    try:
        return Scheme.parse(scheme)
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
        METHODS[method].check(scheme)
    except ValueError as error:
        raise ValueError(f"recipe, {part}, method {method!r}: {error}") from None


def _check_granularity(part: str, scheme: Scheme) -> None:
    """Refuse scales that the part cannot have: rows of activations and of the cache are made one token at a time."""
    shared = scheme.granularity
    if part in ("activations", "kv", "attention") and shared == "channel":
        raise ValueError(f"recipe, {part}: one scale per channel would be shared by tokens that are not there yet; "
                         f"write {scheme.format.name}:token for one scale per row")
    if part in ("kv", "attention") and shared == "tensor":
        raise ValueError(f"recipe, {part}: one scale for the whole tensor would be shared by tokens that are not "
                         f"there yet; write {scheme.format.name}:token for one scale per row")


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
