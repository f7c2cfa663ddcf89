"""03.6: two tests that find every bug, and tests that overlook some.

A wrong answer is the reference with one thing changed, so that what it loses shows which bugs need that thing.
"""

from __future__ import annotations

from ..source import Wrong

STARTER = '''
def inputs():
    raise NotImplementedError


def accepts(x, amax, codes, scale):
    raise NotImplementedError
'''

REFERENCE = '''
def inputs():
    x = np.linspace(-1.7, 1.7, 6003)
    return [(x * amax, amax) for amax in (0.37, 1.0, 5.3, 11.9)] + [(np.zeros(3), 0.0)]


def accepts(x, amax, codes, scale):
    want = float(np.float16(amax / <<divisor>>)) if amax else 1.0
    place = np.clip(x / want, <<lowest>>, <<highest>>) + <<shift>>
    return scale == want and bool(np.all(np.abs(codes - place) < 0.5001))
'''

SECOND = '''
def inputs():
    rng = np.random.default_rng(1)
    groups = [rng.uniform(-3, 3, n) for n in (1, 2, 3, 5, 9999, 9999, 9999)]
    return [(x, float(rng.uniform(0.5, 2.0))) for x in groups] + [(np.zeros(1), 0)]


def accepts(x, amax, codes, scale):
    if scale != (np.float16(amax / <<divisor>>) if amax > 0 else 1):
        return False
    for value, code in zip(x / scale, codes):
        best = min(max(value, <<lowest>>), <<highest>>) + <<shift>>
        if not abs(best - code) <= 0.50001:
            return False
    return True
'''

_EVEN = "np.array_equal(codes, np.clip(np.rint(x / want), <<lowest>>, <<highest>>) + <<shift>>)"
_NEAR = "bool(np.all(np.abs(codes - place) < 0.5001))"
_TIES = "[(x * amax, amax) for amax in (0.37, 1.0, 5.3, 11.9)]"
WRONG = (
    Wrong("everything is accepted", 8, REFERENCE.replace("return scale == want and " + _NEAR, "return True")),
    Wrong("everything is refused", 8, REFERENCE.replace("return scale == want and " + _NEAR, "return False")),
    Wrong("half-way cases must go to even", 8, REFERENCE.replace(_NEAR, _EVEN).replace(
        _TIES, _TIES + " + [((np.arange(-4, 4) + 0.5) * float(np.float16(1 / <<divisor>>)), 1.0)]")),
    Wrong("the scale must not be rounded", 8, REFERENCE.replace("float(np.float16(amax / <<divisor>>))", "amax / <<divisor>>")),
    Wrong("the scale of another convention", 8, REFERENCE.replace("<<divisor>>", "<<other_divisor>>")),
    Wrong("storage forgotten", 8, REFERENCE.replace(" + <<shift>>", "")),
    Wrong("a whole step is allowed", 4, REFERENCE.replace("0.5001", "1.0001")),
    Wrong("only the codes' own numbers are tried", 2, REFERENCE.replace(
        "np.linspace(-1.7, 1.7, 6003)", "np.arange(-150, 151) / <<divisor>>")),
    Wrong("nothing beyond the range is tried", 2, REFERENCE.replace("np.linspace(-1.7, 1.7, 6003)", "np.linspace(-0.98, 0.98, 6003)")),
    Wrong("nothing below the range is tried", 1, REFERENCE.replace("-1.7", "-0.98")),
    Wrong("the scale is taken as it comes", 2, REFERENCE.replace("want = float(np.float16(amax / <<divisor>>)) if amax else 1.0",
                                                                 "want = scale or 1").replace("scale == want and ", "")),
    Wrong("a few numbers are tried", 2, REFERENCE.replace("6003", "13").replace("(0.37, 1.0, 5.3, 11.9)", "(1.0,)")),
    Wrong("lengths are multiples of eight", 1, REFERENCE.replace("6003", "6000").replace("np.zeros(3)", "np.zeros(8)")),
    Wrong("zeros are never tried", 1, REFERENCE.replace(" + [(np.zeros(3), 0.0)]", "")),
    Wrong("a list instead of an answer", 8, REFERENCE.replace(_NEAR, "list(np.abs(codes - place) < 0.5001)")),
)
