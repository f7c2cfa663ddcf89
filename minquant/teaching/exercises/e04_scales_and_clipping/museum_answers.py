"""04.6: two tests that find every bug, and tests that overlook some.

A wrong answer is the reference with one thing changed, so that what it loses shows which bugs need that thing.
"""

from __future__ import annotations

from ..source import Wrong

STARTER = '''
def inputs():
    raise NotImplementedError


def accepts(x, scales, codes):
    raise NotImplementedError
'''

REFERENCE = '''
def best(g):
    """The smallest error of a group with the shares of the rules."""
    scales = (1 - np.arange(<<count>>)[:, None] * <<percent>> / 100) * np.abs(g).max() / <<highest>>
    codes = np.clip(np.rint(g / scales), -<<highest>>, <<highest>>)
    return (np.abs(scales * codes - g) ** <<power>>).sum(axis=1).min()


def inputs():
    rng = np.random.default_rng(0)
    x = rng.exponential(1, 50 * <<group>> + 2).round(3) + 0.01
    x *= rng.choice([-1, 1], len(x))
    return [x, np.append(np.zeros(<<group>>), x[:5])]


def accepts(x, scales, codes):
    starts = range(0, len(x), <<group>>)
    if len(scales) != len(starts) or np.abs(codes).max() > <<highest>>:
        return False
    for scale, start in zip(scales, starts):
        g, c = x[start:start + <<group>>], codes[start:start + <<group>>]
        error = (np.abs(scale * c - g) ** <<power>>).sum()
        if not (error <= best(g) * 1.000001 + 1e-9 if g.any() else scale == 1):
            return False
    return True
'''

SECOND = '''
def error(g, scale, codes):
    return sum(abs(scale * code - number) ** <<power>> for number, code in zip(g, codes))


def groups(x):
    return [x[start:start + <<group>>].tolist() for start in range(0, len(x), <<group>>)]


def inputs():
    rng = np.random.default_rng(3)
    many = [rng.normal(size=n).round(3) * rng.choice([0.5, 3, 20]) for n in range(1, 40)]
    return many + [np.zeros(1), rng.laplace(size=50 * <<group>>).round(3)]


def accepts(x, scales, codes):
    if len(scales) != len(groups(x)) or len(codes) != len(x):
        return False
    codes = groups(codes)
    for g, scale, mine in zip(groups(x), scales, codes):
        largest = max(abs(number) for number in g)
        if any(abs(code) > <<highest>> for code in mine) or largest == 0 and scale != 1:
            return False
        for n in range(<<count>> if largest else 0):
            tried = (1 - n * <<percent>> / 100) * largest / <<highest>>
            nearest = [min(max(round(number / tried), -<<highest>>), <<highest>>) for number in g]
            if error(g, scale, mine) > error(g, tried, nearest) * (1 + 1e-6) + 1e-9:
                return False
    return True
'''


def _changed(old: str, new: str) -> str:
    assert old in REFERENCE
    return REFERENCE.replace(old, new)


_LIMIT = "error <= best(g) * 1.000001 + 1e-9"
_TRIED = "[x, np.append(np.zeros(<<group>>), x[:5])]"
_EXACT = "np.isclose(error, best(g), 1e-6, 1e-9)"
WRONG = (
    Wrong("everything is accepted", 8, _changed("    if len(scales)", "    return True\n    if len(scales)")),
    Wrong("everything is refused", 8, _changed("    return True", "    return False")),
    Wrong("a better scale is refused", 8, _changed(_LIMIT, _EXACT)),
    Wrong("half-way cases must go to even", 8, _changed(
        "if not (", "even = np.clip(np.rint(g / scale), -<<highest>>, <<highest>>) - c\n        if even.any() or not (")
          .replace(_TRIED, "[x, np.append(np.full(<<group>> - 1, <<highest>>), 0.5)]")),
    Wrong("the sum is held against a mean", 8, _changed(".sum(axis=1).min()", ".mean(axis=1).min()")),
    Wrong("codes of other bits", 8, REFERENCE.replace("<<highest>>", "<<other_highest>>")),
    Wrong("squares instead of the power", 8, REFERENCE.replace("<<power>>", "2")),
    Wrong("the range of the codes is not looked at", 1, _changed(" or np.abs(codes).max() > <<highest>>", "")),
    Wrong("only whether codes fit their scales", 5, _changed(_LIMIT, "(np.abs(np.clip(g / scale, -<<highest>>, "
                                                             "<<highest>>) - c) < 0.5001).all()")),
    Wrong("only whole groups are tried", 1, _changed("50 * <<group>> + 2", "50 * <<group>>").replace(
        "x[:5]", "x[:<<group>>]")),
    Wrong("nothing negative is tried", 1, _changed("rng.choice([-1, 1]", "rng.choice([1, 1]")),
    Wrong("zeros are never tried", 1, _changed(_TRIED, "[x]")),
    Wrong("a list instead of an answer", 8, _changed("    return True", "    return [True]")),
)
