"""How sure is a mean over text?

How it works
    The usual standard error of a mean, s / sqrt(n), holds for independent values. Neighbouring tokens are not: a hard
    passage is hard for many tokens in a row. So we average blocks of BLOCK consecutive tokens first. The block means
    are nearly independent, because text that far apart has little to do with each other, and their spread gives the
    standard error. BLOCK was chosen on the shipped model and text: the error of its mean nll (nats) comes out as 0.017
    from single tokens, 0.027 from blocks of 64, 0.031 from 128, 0.038 from 256 and 0.040 from 512. Longer blocks find
    little more, and leave fewer of them to tell a spread from.

    Two models on the same text fail on the same tokens. The difference of their losses, token by token, varies far
    less than either loss: the standard error of the *paired* difference tells a small loss of quality from chance
    where two separate error bars would overlap.

Source
    Batch means: Flegal and Jones 2010 (arXiv 0811.1729), section 2.

What we leave out
    Choosing the block length from the data; correlation between blocks (long documents on one subject), which makes
    the true error somewhat larger.
"""

from __future__ import annotations

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
