"""02.6: two tests that find every bug, and tests that overlook some.

A wrong answer is the reference with one thing changed, so that what it loses shows which bugs need that thing.
"""

from __future__ import annotations

from ..source import Wrong

STARTER = '''
def inputs():
    raise NotImplementedError


def accepts(x, codes):
    raise NotImplementedError
'''

REFERENCE = '''
GRID = np.array([(c % <<steps>> + <<steps>> * (c >= <<steps>>)) * 2.0 ** (max(c // <<steps>>, 1) - <<bias>> - <<M>>)
                 for c in range(<<infinity>> + 1)])


def inputs():
    x = np.concatenate([GRID[:-1] + share * np.diff(GRID) for share in (0, 0.25, 0.49, 0.5, 0.51, 0.75)])
    x = np.append(x, [GRID[-1], 1.3 * GRID[-1], 2.3 * GRID[-1], 1e30, np.inf, np.nan])
    return [np.append(x, -x)]


def accepts(x, codes):
    size = np.abs(x)
    below = np.minimum(np.searchsorted(GRID, size, "right") - 1, <<infinity>> - 1)
    middle = (GRID[below] + GRID[below + 1]) / 2
    want = below + ((size > middle) | (size == middle) & (below % 2 == 1))
    want = np.where(np.isinf(x), <<infinity>>, np.minimum(want, <<limit>>)) + <<sign_bit>> * np.signbit(x)
    nan = codes % <<sign_bit>> > <<infinity>>
    return bool(np.all(np.where(np.isnan(x), nan, codes == want)))
'''

SECOND = '''
def one(x):
    """Code of a number that is not NaN."""
    size, sign = abs(x), <<sign_bit>> * (math.copysign(1, x) < 0)
    if math.isinf(size):
        return <<infinity>> + sign
    exponent = max(math.frexp(size)[1] - 1, <<lowest>>) if size else <<lowest>>
    return min(round(size / 2.0 ** (exponent - <<M>>)) + (exponent - <<lowest>> << <<M>>), <<limit>>) + sign


def inputs():
    step = 2.0 ** (<<lowest>> - <<M>>)
    sizes = [step * part / 16 for part in range(32 * <<steps>> + 1)]  # the subnormals and a power of two above them
    for exponent in range(<<lowest>> + 1, <<top>> - <<M>> - <<bias>> + 2 ** <<E>>):
        sizes += [2.0**exponent * (1 + part / <<steps>> / 16) for part in range(16 * <<steps>>)]
    sizes += [2.0**-60, 2.0**60, math.inf, math.nan]
    return [np.array(sizes), np.array([-size for size in sizes])]


def accepts(x, codes):
    for number, code in zip(x.tolist(), codes.tolist()):
        if math.isnan(number):
            if code % <<sign_bit>> <= <<infinity>>:
                return False
        elif code != one(number):
            return False
    return True
'''


def _changed(old: str, new: str) -> str:
    assert old in REFERENCE
    return REFERENCE.replace(old, new)


_SHARES = "(0, 0.25, 0.49, 0.5, 0.51, 0.75)"
_TIES = "want = below + ((size > middle) | (size == middle) & (below % 2 == 1))"
_BEYOND = "[GRID[-1], 1.3 * GRID[-1], 2.3 * GRID[-1], 1e30, np.inf, np.nan]"
_LAST = "bool(np.all(np.where(np.isnan(x), nan, codes == want)))"
WRONG = (
    Wrong("everything is accepted", 8, _changed(_LAST, "True")),
    Wrong("everything is refused", 8, _changed(_LAST, "False")),
    Wrong("NaN must have the code of one of the two", 8, _changed(
        "nan = codes % <<sign_bit>> > <<infinity>>", "nan = codes % <<sign_bit>> == <<infinity>> + <<steps>> // 2")),
    Wrong("half-way cases must go up", 8, _changed(_TIES, "want = below + (size >= middle)")),
    Wrong("the usual bias", 8, REFERENCE.replace("<<bias>>", "<<standard>>")),
    Wrong("the other rule at the top", 8, _changed("<<limit>>", "<<other_limit>>")),
    Wrong("half-way cases may go to either", 1, _changed("codes == want", "(codes == want) | (size == middle)")),
    Wrong("a neighbour is near enough", 4, _changed("codes == want", "np.abs(codes - want) <= 1")),
    Wrong("nothing is tried that has to be rounded up", 3, _changed(_SHARES, "(0, 0.25)")),
    Wrong("no middle is tried, and nothing beside one", 2, _changed(_SHARES, "(0, 0.25, 0.75)")),
    Wrong("no subnormals are tried", 4, _changed(
        "GRID[:-1] + share * np.diff(GRID)", "(GRID[:-1] + share * np.diff(GRID))[<<steps>>:]")),
    Wrong("nothing beyond the largest number is tried", 2, _changed(_BEYOND, "[np.inf, np.nan]").replace(
        "GRID[:-1] +", "GRID[:-2] +").replace("np.diff(GRID)", "np.diff(GRID)[:-1]")),
    Wrong("nothing negative is tried", 2, _changed("[np.append(x, -x)]", "[x]")),
    Wrong("signs are not looked at", 2, _changed("codes == want", "(codes - want) % <<sign_bit>> == 0")),
    Wrong("NaN is never tried", 1, _changed("np.inf, np.nan", "np.inf")),
    Wrong("values are compared instead of codes", 2, _changed("codes == want",
          "GRID[np.minimum(codes % <<sign_bit>>, <<infinity>>)] * np.sign(0.5 - codes // <<sign_bit>>) == "
          "GRID[want % <<sign_bit>>] * np.sign(0.5 - want // <<sign_bit>>)")),
    Wrong("a list instead of an answer", 8, _changed(_LAST, "list(codes == want)")),
)
