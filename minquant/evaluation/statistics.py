"""How sure is a mean over text, a difference of two, a share of hits?

How it works
    The usual standard error of a mean, s / sqrt(n), holds for independent values. Neighbouring tokens are not: a hard
    passage is hard for many tokens in a row. So we average blocks of BLOCK consecutive tokens first. The block means
    are nearly independent, because text that far apart has little to do with each other, and their spread gives the
    standard error. BLOCK was chosen on the shipped model and text: the error of its mean nll (nats) comes out as 0.017
    from single tokens, 0.027 from blocks of 64, 0.031 from 128, 0.038 from 256 and 0.040 from 512. Longer blocks find
    little more, and leave fewer of them to tell a spread from.

    Two models on the same text fail on the same tokens. The difference of their losses, token by token, varies far
    less than either loss: the standard error of the *paired* difference tells a small loss of quality from chance
    where two separate error bars would overlap. ``paired_difference`` gives both.

    A share of hits, k of n, has an interval of its own. The usual k/n +- 2 stderr says "0 +- 0" where nothing was hit;
    Wilson's asks instead which true shares p would make k of n unsurprising, |k/n - p| <= z sqrt(p (1 - p) / n), and
    never leaves 0..1.

Source
    Batch means: Flegal and Jones 2010 (arXiv 0811.1729), section 2. Intervals of shares: Wilson 1927, J. Am. Stat.
    Assoc. 22, 209, doi:10.1080/01621459.1927.10502953.

What we leave out
    Choosing the block length from the data; correlation between blocks (long documents on one subject), which makes
    the true error somewhat larger.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

BLOCK = 256  # tokens, some five paragraphs of the shipped text
LEAST_BLOCKS = 8  # shorter texts get shorter blocks, so that there is a spread to speak of


def standard_error(values: np.ndarray, block: int = BLOCK) -> float:
    """Standard error of the mean of a series whose neighbours are correlated, from the means of its blocks.

    Args:
        values: (n,) in the order of the text.
        block: length of a block; less where n holds fewer than LEAST_BLOCKS of them.

    Returns:
        The standard error, in the unit of the values; NaN for fewer than two values.
    """
    values = np.asarray(values, np.float64)  # (n,)
    n = len(values)
    if n < 2:
        return float("nan")
    length = max(1, min(block, n // LEAST_BLOCKS))
    count = n // length
    means = values[:count * length].reshape(count, length).mean(axis=1)  # (count,)
    return float(means.std(ddof=1) * np.sqrt(length / n))


@dataclass(frozen=True)
class Difference:
    """What lies between two models on the same tokens, and how sure that is.

    Attributes:
        value: mean of (values - others), in their unit.
        stderr: its standard error, from the differences token by token.
        unpaired_stderr: the error of the same difference if the two had been measured on texts of their own:
            what two separate error bars would say.
        count: tokens compared.
    """

    value: float
    stderr: float
    unpaired_stderr: float
    count: int

    @property
    def z(self) -> float:
        """The difference in standard errors; 0 where the two are the same token by token, NaN for one token."""
        return self.value / self.stderr if self.stderr else math.copysign(math.inf, self.value) if self.value else 0.0

    def tokens_needed(self, z: float = 2.0, paired: bool = True) -> float:
        """About how many such tokens it takes until the difference is ``z`` standard errors: inf where it is 0.

        A standard error shrinks with the root of the tokens. The estimate is only as good as ``value`` itself: below
        two standard errors, it is a guess.
        """
        stderr = self.stderr if paired else self.unpaired_stderr
        return self.count * (z * stderr / self.value) ** 2 if self.value else math.inf


def paired_difference(values: Any, others: Any, block: int = BLOCK) -> Difference:
    """Compare two models on the same tokens: mean of (values - others), with the standard error of the difference.

    Args:
        values, others: (n,) each, one figure per token (nll in nats, say), in the order of the text.
        block: as for ``standard_error``.

    Raises ValueError where the two do not have the same tokens, by their number.
    """
    values, others = np.asarray(values, np.float64), np.asarray(others, np.float64)  # (n,) each
    if values.ndim != 1 or values.shape != others.shape or not values.size:
        raise ValueError(f"paired_difference: arrays of shapes {values.shape} and {others.shape}; it takes one figure "
                         "per token from two models on the same text")
    difference = values - others  # (n,)
    return Difference(float(difference.mean()), standard_error(difference, block),
                      float(np.hypot(standard_error(values, block), standard_error(others, block))), len(values))


def binomial_interval(hits: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Between which true shares k hits of n independent trials are unsurprising (Wilson's interval).

    Args:
        hits: 0..count.
        count: trials, at least 1.
        confidence: 0..1, both ends not included.

    Returns:
        (low, high), shares of 1.

    Raises ValueError for numbers outside these ranges, TypeError for a hits or a count that is no whole number.
    """
    hits, count = operator.index(hits), operator.index(count)
    if count < 1 or not 0 <= hits <= count or not 0 < confidence < 1:
        raise ValueError(f"binomial_interval: {hits} hits of {count} at confidence {confidence}; it takes 0 to count "
                         "hits, at least one trial, and a confidence between 0 and 1")
    z, share = NormalDist().inv_cdf((1 + confidence) / 2), hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))  # no share is outside by rounding
