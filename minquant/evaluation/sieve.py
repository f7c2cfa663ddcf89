"""Text that is fit to train on: nothing of the held-out text is in it.

How it works
    A paragraph is dropped when its name is held out for test or validation, when one of its lines of 40 characters or
    more stands in a held-out paragraph, or when it shares a run of ten words with one (copies wrapped at another width
    share no line). ``training_tokens`` sends the docstrings of the running standard library through that sieve.

What we leave out
    Paraphrases: they share no ten words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from . import corpus

if TYPE_CHECKING:
    from ..model import Transformer

LONG_LINE = 40  # characters
RUN = 10  # words


def runs(text: str) -> list[tuple[int, int, int]]:
    """Every run of RUN words, without case and punctuation, as (hash, first line, last line), lines from 0."""
    words, lines = [], []
    for number, line in enumerate(text.lower().splitlines()):
        found = re.findall(r"\w+", line)
        words += found
        lines += [number] * len(found)
    return [(hash(tuple(words[i:i + RUN])), lines[i], lines[i + RUN - 1]) for i in range(len(words) - RUN + 1)]


class HeldOutSieve:
    """Tells text that holds held-out text."""

    def __init__(self) -> None:
        held = [p for split in ("test", "validation") for p in corpus.heldout(split).paragraphs]
        self.names = {corpus.paragraph_name(p) for p in held}
        self.lines = {" ".join(line.split()) for p in held for line in p.splitlines() if len(line.strip()) >= LONG_LINE}
        self.runs = {run for p in held for run, _, _ in runs(p)}

    def held_lines(self, text: str) -> set[int]:
        """Numbers of the lines that stand in a held-out paragraph, as they are or wrapped at another width."""
        held = {n for n, line in enumerate(text.splitlines())
                if " ".join(line.split()) in self.lines or " ".join(line.lstrip("# ").split()) in self.lines}
        for run, first, last in runs(text):
            if run in self.runs:
                held.update(range(first, last + 1))
        return held

    def clean(self, text: str) -> bool:
        """Whether the text holds no held-out paragraph, no long line and no run of words of one."""
        return (all(corpus.paragraph_name(p) not in self.names for p in corpus.split_paragraphs(text))
                and not self.held_lines(text))


def training_tokens(model: Transformer, limit: int | None = None) -> np.ndarray:
    """Docstring paragraphs of the running standard library that are fit to train on, as tokens, int64 (N,).

    The same for the same release of CPython; another has other docstrings, so training gives other digits there.
    ``limit`` keeps the first so many tokens (and saves the time to encode the rest). The order is that of the
    paragraphs' names, which is as good as drawn.

    Raises ValueError for a model without a tokenizer, RuntimeError as ``heldout``.
    """
    if model.tokenizer is None:
        raise ValueError("this model has no tokenizer to turn training text into tokens: put its tokenizer.json into "
                         "its folder, or give tokens of your own")
    sieve, found = HeldOutSieve(), corpus.library_paragraphs()
    pieces: list[np.ndarray] = [np.zeros(1, np.int64)]
    count = 1
    for name in sorted(found):
        if limit is not None and count >= limit:
            break
        if sieve.clean(found[name]):
            pieces.append(np.asarray(model.tokenizer.encode(found[name] + "\n\n"), np.int64))
            count += len(pieces[-1])
    return np.concatenate(pieces)[:limit]
