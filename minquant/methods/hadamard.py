"""Hadamard matrices: rotations made of +1 and -1 that mix every coordinate into every other.

How it works
    H (n, n) holds only +1 and -1, and its rows are orthogonal: H H^T = n I. Divided by sqrt(n) it is a rotation. One
    coordinate of value a becomes n coordinates of value +-a / sqrt(n): an outlier is spread over all, and sums of many
    coordinates look like a normal distribution whatever went in. ``model/rotation.py`` turns a whole model.

    Sylvester doubles: from H comes [[H, H], [H, -H]], so 1 gives all powers of two. Other sizes need a start, and Paley
    found one for every prime q in the squares modulo q. Let c(a) be 0 for a = 0, 1 where a is a square modulo q, -1
    where it is none, and Q the matrix of all c(i - j):

        q = 3 mod 4      I + [[0, 1], [-1, Q]]                                              q + 1 rows: 12, 20
        q = 1 mod 4      C = [[0, 1], [1, Q]];  C (x) [[1, 1], [1, -1]] + I (x) [[1, -1], [-1, -1]]     2 q + 2: 28

    (1 and -1 are a row or a column of them, (x) is the Kronecker product.) With these, n = m 2^k for m = 1, 12, 20, 28:
    the widths of most models. There is none for odd n above 1, nor for n = 2 mod 4 above 2; whether there is one for
    every multiple of 4 is not known.

Source
    Sylvester 1867, doi:10.1080/14786446708639914; Paley 1933, "On Orthogonal Matrices", doi:10.1002/sapm1933121311.
    In quantization: Ashkboos et al. 2024, "QuaRot", arXiv 2404.00456, section 3 and appendix.

What we leave out
    The fast transform (n log n additions): a product with the matrix is enough to measure quality. Starts for other
    sizes (36, 40, 52, ...), which fast libraries keep as tables.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

_STARTS = {12: 11, 20: 19, 28: 13}  # size -> the prime q it comes from


@lru_cache(maxsize=16)
def hadamard(n: int) -> np.ndarray:
    """The Hadamard matrix of size n divided by sqrt(n): (n, n) float32, orthogonal, not to be written to.

    Raises ValueError, naming the size, unless n is 1, 12, 20 or 28 times a power of two; TypeError for no whole number.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"the size of a Hadamard matrix is a whole number, not {n!r}")
    signs = _signs(int(n))
    matrix = (signs / np.sqrt(n)).astype(np.float32)
    matrix.flags.writeable = False
    return matrix


def has_hadamard(n: int) -> bool:
    """Whether ``hadamard`` knows a matrix of size n."""
    return _start_of(n) is not None


def random_hadamard(n: int, seed: int = 0) -> np.ndarray:
    """A Hadamard matrix with the signs of its rows drawn at random, diag(+-1) H / sqrt(n): (n, n) float32, orthogonal.

    Rows of the result belong to coordinates before the rotation: x @ result flips x at random, then mixes.

    Raises as ``hadamard`` does.
    """
    signs = np.random.default_rng(seed).choice(np.array([-1, 1], np.float32), size=n)  # (n,)
    return hadamard(n) * signs[:, None]


def _start_of(n: int) -> int | None:
    """The m of n = m 2^k, or None."""
    for m in (1, *_STARTS):
        if n >= m and n % m == 0 and (n // m) & (n // m - 1) == 0:
            return m
    return None


def _signs(n: int) -> np.ndarray:
    """The matrix of +1 and -1: (n, n) float64."""
    m = _start_of(n)
    if m is None:
        raise ValueError(f"there is no Hadamard matrix of size {n} here: sizes are 1, 12, 20 or 28 times a power of "
                         "two, such as 64, 96, 160 or 224")
    matrix = np.ones((1, 1)) if m == 1 else _paley(_STARTS[m])
    while len(matrix) < n:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix


def _paley(q: int) -> np.ndarray:
    """Paley's matrix of the prime q: (q + 1, q + 1) if q = 3 mod 4, (2 q + 2, 2 q + 2) if q = 1 mod 4."""
    squares = {i * i % q for i in range(1, q)}
    character = np.array([0] + [1 if a in squares else -1 for a in range(1, q)])  # (q,)
    Q = character[(np.arange(q)[:, None] - np.arange(q)) % q]  # (q, q)
    sign = -1 if q % 4 == 3 else 1
    C = np.block([[np.zeros((1, 1)), np.ones((1, q))], [np.full((q, 1), sign), Q]])  # (q + 1, q + 1)
    if q % 4 == 3:
        return np.eye(q + 1) + C
    return np.kron(C, [[1, 1], [1, -1]]) + np.kron(np.eye(q + 1), [[1, -1], [-1, -1]])
