"""Weights for comparing with ggml's C, the same on every machine: made from random.random() by exact steps."""

import random

import numpy as np


def inputs() -> dict[str, np.ndarray]:
    """Name -> float32 (16, 256): sixteen super-blocks of each kind. Not at the ends of float, where we differ."""
    draw = random.Random(3).random  # its numbers are promised to stay the same, NumPy's are not

    def rows(make) -> np.ndarray:
        return np.array([[make(row, column) for column in range(256)] for row in range(16)], np.float32)

    def bell() -> float:
        return draw() + draw() + draw() + draw() - 2

    steps = [[bell() for _ in range(16)] for _ in range(16)]
    return {
        "bell": rows(lambda i, j: 0.03 * bell()),
        "heavy tails": rows(lambda i, j: bell() / (draw() + 1e-3)),
        "scales of their own": rows(lambda i, j: bell() * 2.0 ** (i - 12 + j // 16 - 8)),
        "above zero": rows(lambda i, j: draw() + 0.1 * (i % 2)),
        "below zero": rows(lambda i, j: -draw()),
        "few whole numbers": rows(lambda i, j: int(17 * draw()) - 8),
        "halves": rows(lambda i, j: (int(511 * draw()) - 255) / 2),
        "constant": rows(lambda i, j: steps[i][j // 16]),
        "mostly zero": rows(lambda i, j: bell() if draw() < 0.05 else 0.0),
        "tiny": rows(lambda i, j: bell() * 2.0 ** (-30 - 4 * i)),
    }
