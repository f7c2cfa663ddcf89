"""The float formats that these exercises draw: a sign, E exponent bits, M mantissa bits, any bias.

Everything is exact: a number of such a format is a whole number of its smallest steps, and Python's ``round`` of a
Fraction goes to even. This is for the checks; ``minquant.formats`` does the same by bits, for the formats that exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction


def number(spec: Mapping, code: int) -> float:
    """Value of a code without its sign, as if every code were a number: above the largest the grid goes on."""
    exponent, mantissa = divmod(code, 1 << spec["M"])
    steps = mantissa + (1 << spec["M"] if exponent else 0)
    return steps * 2.0 ** (max(exponent, 1) - spec["bias"] - spec["M"])


def nearest(spec: Mapping, size: float) -> int:
    """Code of the number nearest to a size of 0 or more, ties to the even code; the grid goes on above the largest."""
    low, high = 0, 1
    while number(spec, high) <= size:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if number(spec, middle) <= size else (low, middle)
    below, above = Fraction(number(spec, low)), Fraction(number(spec, high))
    return low + round((Fraction(size) - below) / (above - below) + low % 2) - low % 2


def between(spec: Mapping, code: int, share: float) -> float:
    """The number that lies this share of the way from a code's value to the next."""
    low, high = number(spec, code), number(spec, code + 1)
    return low + (high - low) * share


def standard_bias(exponent_bits: int) -> int:
    """The usual bias: 2^(E-1) - 1."""
    return (1 << exponent_bits - 1) - 1


def names(spec: Mapping) -> dict:
    """Numbers that prose and answers are filled with."""
    E, M = spec["E"], spec["M"]
    return {"bits": 1 + E + M, "top": E + M, "sign_bit": 1 << E + M, "steps": 1 << M, "mantissa_mask": (1 << M) - 1,
            "exponent_mask": (1 << E) - 1, "lowest": 1 - spec["bias"], "standard": standard_bias(E)}
