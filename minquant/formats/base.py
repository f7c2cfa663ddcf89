"""What every number format has in common, and the registry that finds one by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Format(ABC):
    """A number format: a rule that gives each of ``2**bits`` codes one real value.

    A format knows nothing of scales. ``encode`` rounds to the nearest value the format has, and saturates;
    ``scaling`` decides what to divide by first.
    """

    name: str
    bits: int

    @property
    @abstractmethod
    def code_dtype(self) -> np.dtype:
        """NumPy type that holds one code, not packed."""

    @property
    @abstractmethod
    def max(self) -> float:
        """Largest finite value."""

    @property
    @abstractmethod
    def smallest_subnormal(self) -> float:
        """Smallest value above zero (for integers: 1)."""

    @abstractmethod
    def encode(self, x: np.ndarray) -> np.ndarray:
        """Codes of the values nearest to x, same shape; ties to even, finite input saturates."""

    @abstractmethod
    def decode(self, codes: np.ndarray) -> np.ndarray:
        """float32 values of codes, same shape."""

    @abstractmethod
    def round(self, x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """``decode(encode(x))`` for finite x, without the detour through codes: float32, into out if given.

        out may be x itself; a new array otherwise.
        """

    @property
    def packed_bits(self) -> float:
        """Bits of one code when many are packed together: ``bits``, but for ternary, which shares bytes."""
        return self.bits

    @cached_property
    def codes(self) -> np.ndarray:
        """Every code, as the format stores it: ``(2**bits,)``, in the order of the bit patterns."""
        patterns = np.arange(1 << self.bits, dtype=np.uint32)
        if self.code_dtype.kind == "i":  # two's complement: the upper half of the patterns is negative
            patterns = patterns.astype(np.int64) - (patterns >> (self.bits - 1) << self.bits)
        return _read_only(patterns.astype(self.code_dtype))

    @cached_property
    def values(self) -> np.ndarray:
        """Value of every code: float32 ``(2**bits,)``, in the order of the bit patterns."""
        return _read_only(self.decode(self.codes))

    @cached_property
    def grid(self) -> np.ndarray:
        """Every finite value once, ascending: float32, -0.0 and 0.0 as one. The number line of the format."""
        return _read_only(np.unique(self.values[np.isfinite(self.values)] + np.float32(0)))

    def spacing(self, x: np.ndarray) -> np.ndarray:
        """Distance between the two neighbours of ``grid`` around each x (above a grid point, where x is one).

        float64, same shape as x. At and beyond either end of the grid it is the distance between the last two values
        there. NaN gives NaN.
        """
        grid = self.grid.astype(np.float64)
        x = np.asarray(x, np.float64)
        above = np.searchsorted(grid, x, side="right").clip(1, grid.size - 1)
        return np.where(np.isnan(x), np.nan, (grid[above] - grid[above - 1]))


def _read_only(table: np.ndarray) -> np.ndarray:
    table.setflags(write=False)
    return table


_REGISTRY: dict[str, Format] = {}


def register(fmt: Format) -> Format:
    """Make a format known under its name. Raises ValueError if the name is taken."""
    if fmt.name in _REGISTRY:
        raise ValueError(f"a format named {fmt.name!r} is registered already")
    _REGISTRY[fmt.name] = fmt
    return fmt


def get(name: str) -> Format:
    """The format of that name. Raises ValueError, listing what exists, for an unknown one."""
    if name not in _REGISTRY:
        raise ValueError(f"unknown number format {name!r}: choose one of {', '.join(names())}")
    return _REGISTRY[name]


def names() -> list[str]:
    """Names of all formats, widest first."""
    return sorted(_REGISTRY, key=lambda name: (-_REGISTRY[name].bits, name))


def as_float32(x) -> np.ndarray:
    """x as a contiguous float32 array, itself if it is one. Raises TypeError for what is not real numbers.

    float64 input is rounded to float32 here, before any format sees it.
    """
    if isinstance(x, np.ndarray) and x.dtype == np.float32 and x.flags.c_contiguous:
        return x
    x = np.asarray(x)
    if x.dtype.kind not in "fiu" and x.dtype.name != "bfloat16":
        raise TypeError(f"expected an array of real numbers, got dtype {x.dtype}")
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, which the caller judges
        return np.ascontiguousarray(x, dtype=np.float32).reshape(x.shape)


def as_codes(codes, fmt: Format) -> np.ndarray:
    """codes in the format's own type. Raises TypeError for floats, ValueError for what is no code of the format."""
    codes = np.asarray(codes)
    if codes.dtype.kind not in "iu":
        raise TypeError(f"{fmt.name} codes are integers, got dtype {codes.dtype}: encode() makes codes from floats")
    if codes.dtype == fmt.code_dtype and 8 * codes.dtype.itemsize == fmt.bits:
        return codes  # every value of the type is a code
    negative = 1 << fmt.bits - 1 if fmt.code_dtype.kind == "i" else 0
    low, high = -negative, (1 << fmt.bits) - 1 - negative
    if codes.size and (codes.min() < low or codes.max() > high):
        raise ValueError(f"{fmt.name} codes lie between {low} and {high}, got {codes.min()} to {codes.max()}")
    return codes.astype(fmt.code_dtype)
