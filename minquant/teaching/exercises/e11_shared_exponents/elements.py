"""What the exercises of this set share: values of small floats without infinities, and the nearest of them."""

from __future__ import annotations

from collections.abc import Sequence

from ..checking import side
from ..e05_bit_packing.asking import ask, short
from ..source import Answers, Miss

CLEAR = 1e-4  # how far numbers stay from the middle of two values, in shares of the gap


def magnitudes(E: int, M: int, bias: int) -> list[float]:
    """All values >= 0 of a float with E exponent and M mantissa bits, every code a number, in order."""
    steps = 2**M
    return [(code % steps + (steps if code >= steps else 0)) / steps * 2.0 ** (max(code // steps, 1) - bias)
            for code in range(2 ** (E + M))]


def exponent_of(x: float) -> int:
    """e with 2^e <= x < 2^(e + 1), for x > 0, without a logarithm."""
    e = 0
    while 2.0**e > x:
        e -= 1
    while 2.0 ** (e + 1) <= x:
        e += 1
    return e


def nearest(levels: Sequence[float], x: float) -> float:
    """The level nearest to |x|, with the sign of x; beyond the last one, the last one."""
    found = min(levels, key=lambda level: abs(level - abs(x)))
    return -found if x < 0 else found


def is_clear(levels: Sequence[float], x: float) -> bool:
    """Whether |x| is well away from the middle of any two neighbouring levels."""
    return all(abs(abs(x) - (a + b) / 2) > CLEAR * (b - a) for a, b in zip(levels, levels[1:]))


def ask_parts(answers: Answers, name: str, shown: str, x: list[float], names: Sequence[str]) -> list:
    """What ``name(x)`` returns, where it is as many things as ``names``; arrays come as lists. Raises Miss."""
    call = f"{name}({shown})"
    got = ask(answers, call, name, x)
    if not isinstance(got, list) or len(got) != len(names):
        raise Miss(f"{call} returned {short(got)}", f"{len(names)} things are expected: {', '.join(names)}",
                   f"end the function with `return {', '.join(names)}`")
    return [part.ravel().tolist() if hasattr(part, "ravel") else part for part in got]


def check_list(got: object, want: Sequence[float], shown: str, what: str, why: str, advice: str) -> None:
    """Raise Miss unless a list of numbers is the one wanted, to 1e-6 of each."""
    if not isinstance(got, list) or len(got) != len(want) or not all(type(v) in (int, float) for v in got):
        raise Miss(f"for {shown}, the {what} were {short(got)}", f"a list of {len(want)} numbers is expected",
                   "return a plain list, or an array with one axis")
    off = [i for i, (a, b) in enumerate(zip(got, want)) if abs(a - b) > 1e-6 * abs(b)]
    if off:
        i = off[0]
        raise Miss(f"for {shown}, {len(off)} of {len(want)} {what} are not right; number {i + 1} is {got[i]:.5g}: "
                   f"{side(got[i], want[i])}", why, advice)
