"""05.7: two tests that find every bug, and tests that overlook some.

A wrong answer is the reference with one thing changed, so that what it loses shows which bugs need that thing.
"""

from __future__ import annotations

from ..source import Wrong

STARTER = '''
def inputs():
    raise NotImplementedError


def accepts(codes, packed, back):
    raise NotImplementedError
'''

REFERENCE = '''
def inputs():
    every = np.random.default_rng(0).permutation(np.arange(-<<half>>, <<most>> + 1).repeat(4))
    return [every[:n] for n in range(1, 20)] + [every]


def accepts(codes, packed, back):
    bits = (<<stored>>)[:, None] >> <<places>> & 1
    got = np.unpackbits(packed, bitorder="<<end>>")
    same = np.array_equal(codes, back) and np.array_equal(bits.ravel(), got[:bits.size])
    return same and len(packed) == math.ceil(bits.size / 8)
'''

SECOND = '''
def inputs():
    rng = np.random.default_rng(5)
    return [rng.integers(-<<half>>, <<most>> + 1, n) for n in range(1, 33)] + [np.arange(-<<half>>, <<half>>)]


def accepts(codes, packed, back):
    if codes.tolist() != back.tolist() or len(packed) != (len(codes) * <<bits>> + 7) // 8:
        return False
    turned = [int(f"{byte:08b}"[::-1], 2) if "<<end>>" == "little" else byte for byte in packed.tolist()]
    text = "".join(f"{byte:08b}" for byte in turned)  # in the order in which the bits lie
    for n, code in enumerate((<<stored>>).tolist()):
        digits = f"{code:0<<bits>>b}"
        if text[n * <<bits>>:(n + 1) * <<bits>>] != "".join(digits[-1 - place] for place in <<places>>):
            return False
    return True
'''


def _changed(old: str, new: str) -> str:
    assert old in REFERENCE
    return REFERENCE.replace(old, new)


_BITS = " and np.array_equal(bits.ravel(), got[:bits.size])"
_LONG = "same and len(packed) == math.ceil(bits.size / 8)"
_TRIED = "[every[:n] for n in range(1, 20)] + [every]"
WRONG = (
    Wrong("everything is accepted", 8, _changed("return " + _LONG, "return True")),
    Wrong("everything is refused", 8, _changed("return " + _LONG, "return False")),
    Wrong("bits left over must be zero", 8, _changed(
        "return " + _LONG, "return " + _LONG + " and not got[bits.size:].any()")),
    Wrong("bytes filled from the other end", 8, _changed("<<end>>", "<<other_end>>")),
    Wrong("codes with their bits turned round", 8, _changed("<<places>>", "<<other_places>>")),
    Wrong("negative codes stored the other way", 8, _changed("<<stored>>", "<<other_stored>>")),
    Wrong("only what comes back", 5, _changed(_BITS, "").replace("return " + _LONG, "return same")),
    Wrong("only what comes back and how many bytes", 3, _changed(_BITS, "")),
    Wrong("only the bytes", 3, _changed("np.array_equal(codes, back) and ", "")),
    Wrong("the length is not looked at", 1, _changed("return " + _LONG, "return same")),
    Wrong("only whole groups of eight", 2, _changed(_TRIED, "[every[:8], every[:16], every]")),
    Wrong("the lowest code is never tried", 1, _changed("np.arange(-<<half>>, ", "np.arange(-<<most>>, ")),
    Wrong("an array instead of an answer", 8, _changed("return " + _LONG, "return bits.ravel() == got[:bits.size]")),
)
