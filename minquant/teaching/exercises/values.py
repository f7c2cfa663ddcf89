"""Values that a check may trust: plain numbers, words, lists, dicts and arrays.

How it works
    What a learner's function returns can be any object, also one whose ``==`` always says
    yes. ``plain`` rebuilds it from built-in types only, so a check compares numbers with
    numbers. ``dumps`` and ``loads`` carry plain values between two processes as one line
    of JSON; an array travels as dtype, shape and bytes. Nothing is ever unpickled.

Limits
    20 levels of nesting, a million items, whole numbers below 2^2048: an answer beyond
    them is refused by name.
"""

from __future__ import annotations

import base64
import json
import math
import numbers
import sys
from typing import Any

DEEPEST, MOST_ITEMS, MOST_BITS = 20, 1_000_000, 2048
_ARRAY_KINDS = "biuf"  # bool, signed, unsigned, float


def plain(value: Any, _depth: int = 0) -> Any:
    """The value rebuilt from None, bool, int, float, str, list, dict and numeric arrays; tuples become lists.

    Raises TypeError for any other type, ValueError beyond the limits.
    """
    if _depth > DEEPEST:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return str.__str__(value)[:MOST_ITEMS]
    if isinstance(value, int):
        return _whole(value)
    if isinstance(value, float):
        return float.__add__(value, -0.0)  # + 0.0 would take the sign of -0.0
    if isinstance(value, (list, tuple)):
        _check_length(value)
        return [plain(item, _depth + 1) for item in list(value)]
    if isinstance(value, dict):
        _check_length(value)
        return {plain(k, _depth + 1): plain(v, _depth + 1) for k, v in dict.items(value)}
    return _number_or_array(value, _depth)


def _whole(value: int) -> int:
    number = int.__add__(value, 0)
    if number.bit_length() > MOST_BITS:
        raise ValueError(f"it is a whole number of more than {MOST_BITS} bits")
    return number


def _check_length(value: Any) -> None:
    if len(value) > MOST_ITEMS:
        raise ValueError(f"it has more than {MOST_ITEMS:,} items")


def _number_or_array(value: Any, depth: int) -> Any:
    numpy = sys.modules.get("numpy")  # a value can only be NumPy's where NumPy is loaded
    if numpy is not None and isinstance(value, numpy.generic):
        return plain(value.item(), depth + 1)
    if numpy is not None and isinstance(value, numpy.ndarray):
        array = numpy.array(value, copy=True, subok=False)
        if array.dtype.kind not in _ARRAY_KINDS or array.size > MOST_ITEMS:
            raise TypeError(f"it is an array of {array.dtype} with {array.size:,} items; "
                            f"plain numbers, at most {MOST_ITEMS:,}, were expected")
        return array
    if isinstance(value, numbers.Integral):
        return _whole(int(value))
    if isinstance(value, numbers.Real):
        return float(value)
    raise TypeError(f"it is of type {type(value).__name__}; a check takes numbers, words, lists, dicts and arrays")


def dumps(value: Any) -> str:
    """Plain value -> one line of JSON."""
    return json.dumps(_tag(value))


def loads(line: str) -> Any:
    """One line of ``dumps`` -> plain value. Raises ValueError for anything else."""
    try:
        return plain(_untag(json.loads(line)))
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a value: {error}") from None


def _tag(value: Any) -> Any:
    if isinstance(value, dict):
        return {"dict": [[_tag(k), _tag(v)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_tag(item) for item in value]
    if hasattr(value, "tobytes"):
        little = value.astype(value.dtype.newbyteorder("<"))
        return {"array": little.dtype.str, "shape": list(value.shape),
                "bytes": base64.b64encode(little.tobytes()).decode("ascii")}
    return value


def _untag(value: Any) -> Any:
    if isinstance(value, list):
        return [_untag(item) for item in value]
    if isinstance(value, dict) and set(value) == {"dict"}:
        return {_untag(k): _untag(v) for k, v in value["dict"]}
    if isinstance(value, dict):
        return _array(value["array"], value["shape"], value["bytes"])
    return value


def _array(dtype: str, shape: list[int], data: str) -> Any:
    import numpy

    kind = numpy.dtype(dtype)
    raw = base64.b64decode(data, validate=True)
    if kind.kind not in _ARRAY_KINDS or math.prod(shape) * kind.itemsize != len(raw):
        raise ValueError(f"an array of {dtype} in shape {shape} does not fit {len(raw)} bytes")
    return numpy.frombuffer(raw, kind).reshape(shape).astype(kind.newbyteorder("="))
