"""The ways to choose the codes of a model's weights, by name.

A method may begin by rewriting the float model into another one with the same function that is easier to round
(``prepare``), then choose the codes of each matrix. Some take an option after a colon:

    smoothquant:0.75, smoothquant:search    alpha, one for the model or searched for each input; 0.5 by default
    rotate:3                                seed of the signs; 0 by default
    llm_int8:inf, llm_int8:4                from which magnitude on a column is an outlier; 6 by default
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Callable

import numpy as np

from ..methods import Hessian, check_scheme, gptq_from_hessian, hqq, rtn
from ..methods.awq import check_scheme as check_scales
from ..methods.hqq import check_scheme as check_zero_point
from ..methods.llm_int8 import THRESHOLD
from ..methods.smoothquant import ALPHA
from ..scaling import QTensor, Scheme
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
        prepare: "smooth" or "rotate": how the float model is rewritten first; "" leaves it as it is.
        decompose: nothing is rounded beforehand; each multiplication is taken apart by ``methods.llm_int8_matmul``.
        option: reads what follows the name after a colon; None where nothing may. Raises ValueError.
        default: the option where none is given.
    """

    quantize: Callable[[np.ndarray, Any, Scheme], QTensor]
    needs_inputs: bool = False
    gather: Callable[[], Gatherer] = Samples
    check: Callable[[Scheme], Any] = Scheme.parse
    scale: bool = False
    clip: bool = False
    prepare: str = ""
    decompose: bool = False
    option: Callable[[str], Any] | None = None
    default: Any = None

    @property
    def needs_states(self) -> bool:
        """Whether calibration text runs through the blocks while they are rounded."""
        return self.needs_inputs or self.scale

    @property
    def needs_text(self) -> bool:
        """Whether the method looks at calibration text at all."""
        return self.needs_states or self.prepare == "smooth"


def _round_to_nearest(weight: np.ndarray, inputs: None, scheme: Scheme) -> QTensor:
    return rtn(weight, scheme)


def _half_quadratic(weight: np.ndarray, inputs: None, scheme: Scheme) -> QTensor:
    return hqq(weight, scheme)


def _check_both(scheme: Scheme) -> None:
    check_scales(scheme), check_scheme(scheme)


def _check_vector_wise(scheme: Scheme) -> None:
    if scheme != Scheme.parse(f"int{scheme.bits}:channel"):
        raise ValueError(f"LLM.int8() has symmetric integers and a scale per row: write int8:channel, not {scheme}")


def _alpha(text: str) -> float | str:
    return text if text == "search" else _number(text, 0, 1, "alpha is a number from 0 to 1, or 'search'")


def _threshold(text: str) -> float:
    return _number(text, 0, np.inf, "the threshold is a number from 0 to inf")


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"the seed is a whole number, not {text!r}")
    return int(text)


def _number(text: str, low: float, high: float, rule: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not low <= value <= high:
        raise ValueError(f"{rule}, not {text!r}")
    return value


def _trained(weight: np.ndarray, inputs: None, scheme: Scheme) -> QTensor:
    raise ValueError(TRAINED)


TRAINED = ("codes of the method 'qat' come from training the whole model, not from one matrix: "
           "minquant.training.qat(model, scheme, tokens, steps), or the command minquant qat")
_gptq = partial(Method, gptq_from_hessian, needs_inputs=True, gather=Hessian, check=check_scheme)
_gptq_act_order = partial(gptq_from_hessian, act_order=True, static_groups=True)
_smooth = {"prepare": "smooth", "option": _alpha, "default": ALPHA}
_rotate = {"prepare": "rotate", "option": _seed, "default": 0}

METHODS: dict[str, Method] = {
    "rtn": Method(_round_to_nearest),
    "gptq": _gptq(),
    "gptq_act_order": Method(_gptq_act_order, needs_inputs=True, gather=Hessian, check=check_scheme),
    "awq": Method(_round_to_nearest, check=check_scales, scale=True, clip=True),
    "awq+gptq": Method(gptq_from_hessian, needs_inputs=True, gather=Hessian, check=_check_both, scale=True),
    "hqq": Method(_half_quadratic, check=check_zero_point),
    "smoothquant": Method(_round_to_nearest, **_smooth),
    "smoothquant+gptq": _gptq(**_smooth),
    "rotate": Method(_round_to_nearest, **_rotate),
    "rotate+gptq": _gptq(**_rotate),
    "llm_int8": Method(_round_to_nearest, check=_check_vector_wise, decompose=True, option=_threshold,
                       default=THRESHOLD),
    "qat": Method(_trained),  # a record of how the codes came about: ``training.qat`` makes such models
}


def method_of(text: str) -> tuple[Method, Any]:
    """A method and the value of its option, from a string such as "gptq" or "smoothquant:0.75".

    Raises ValueError for a name that is unknown, and for an option that cannot be.
    """
    name, colon, option = str(text).partition(":")
    if name not in METHODS:
        raise ValueError(f"{text!r} is unknown; this version has {', '.join(METHODS)}")
    method = METHODS[name]
    if not colon:
        return method, method.default
    if method.option is None:
        raise ValueError(f"{name!r} takes no option, so {text!r} is unknown")
    return method, method.option(option)
