"""Numbers drawn from a word: how one exercise becomes another for every class.

How it works
    A variant is named by a key, such as "course" or "spring-2027". Every number
    of an exercise is drawn from SHA-256 over (exercise, key, name of the number),
    so a draw depends on nothing else: not on the platform, the Python version,
    the hash seed, or the other numbers of the exercise. A spec that gains a field
    later keeps its old ones.

Source
    SHA-256 is FIPS 180-4 (``hashlib``). Only its first 53 bits are used, as a
    float in [0, 1) that is exact on every platform.

What we leave out
    Secrecy. Who knows the key can draw the same numbers; a variant stops answers
    from travelling between classes and years, nothing more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

COURSE = "course"  # the key of the notebooks that lie in lessons/
LONGEST_KEY = 64
T = TypeVar("T")


def checked_key(key: str) -> str:
    """The key itself, where it is 1 to 64 printable characters without spaces at its ends; else ValueError."""
    if not isinstance(key, str):
        raise TypeError(f"a variant key is a word, such as \"spring-2027\"; got {type(key).__name__}")
    if not key or len(key) > LONGEST_KEY or key != key.strip() or not key.isprintable():
        raise ValueError(f"{key!r} cannot be a variant key: use 1 to {LONGEST_KEY} printable characters, "
                         f"without spaces at the ends")
    return key


class Draw:
    """Named draws for one exercise under one key: ``Draw("01.1", "course").choice("bits", (3, 4, 5))``.

    Asking twice for the same name gives the same answer.
    """

    def __init__(self, exercise: str, key: str = COURSE):
        self.exercise, self.key = exercise, checked_key(key)

    def fraction(self, name: str) -> float:
        """A float in [0, 1) for this name."""
        text = "\x1f".join(("minquant exercises", self.exercise, self.key, name))
        digest = hashlib.sha256(text.encode("utf-8")).digest()
        return (int.from_bytes(digest[:8], "big") >> 11) / 2**53

    def choice(self, name: str, options: Sequence[T]) -> T:
        """One of the options."""
        return options[int(self.fraction(name) * len(options))]

    def integer(self, name: str, low: int, high: int) -> int:
        """A whole number from low to high, both possible."""
        return low + int(self.fraction(name) * (high - low + 1))

    def between(self, name: str, low: float, high: float) -> float:
        """A float in [low, high)."""
        return low + self.fraction(name) * (high - low)

    def order(self, name: str, items: Sequence[T]) -> list[T]:
        """The items in an order of this name's own."""
        return [item for _, _, item in sorted((self.fraction(f"{name}[{i}]"), i, item)
                                              for i, item in enumerate(items))]
