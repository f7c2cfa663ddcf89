"""12.3: the answers. The reference, another right one, and mistakes people make with what each must lose."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
def rounded(groups, axis):
    low = groups.min(axis=axis, keepdims=True)
    scale = (groups.max(axis=axis, keepdims=True) - low) / <<levels>>
    scale[scale == 0] = 1
    return low + scale * np.rint((groups - low) / scale)

K, V = np.array(keys), np.array(values)
old = max(len(K) - <<window>>, 0) // <<group>> * <<group>>
K[:old] = rounded(K[:old].reshape(-1, <<group>>, <<channels>>), 1).reshape(old, <<channels>>)
V[:old] = rounded(V[:old].reshape(-1, <<share>>), 1).reshape(old, <<channels>>)
groups = K[:old].size // <<group>> + V[:old].size // <<share>>
bits = 2 * K[:old].size * <<bits>> + groups * 2 * <<stored>> + 2 * K[old:].size * <<float_bits>>
return K, V, bits / 8
'''

SECOND = '''
def back(numbers):
    low, high = min(numbers), max(numbers)
    scale = (high - low) / (2**<<bits>> - 1) if high > low else 1.0
    return [low + scale * round((x - low) / scale) for x in numbers]

T, D, n, share = len(keys), <<channels>>, <<group>>, <<share>>
K, V = [list(row) for row in keys], [list(row) for row in values]
nbytes, t = 2 * T * D * <<float_bits>> / 8, 0
while t + n + <<window>> <= T:
    for c in range(D):
        for i, x in enumerate(back([K[t + i][c] for i in range(n)])):
            K[t + i][c] = x
    for i in range(t, t + n):
        V[i] = [x for c in range(0, D, share) for x in back(V[i][c:c + share])]
    nbytes += 2 * n * D * (<<bits>> - <<float_bits>>) / 8 + (D + n * D // share) * 2 * <<stored>> / 8
    t += n
return K, V, nbytes
'''

_KEYS = "rounded(K[:old].reshape(-1, <<group>>, <<channels>>), 1)"
_VALUES = "rounded(V[:old].reshape(-1, <<share>>), 1)"

WRONG = (
    Wrong("keys by token too", 2, REFERENCE.replace(_KEYS, _VALUES.replace("V[", "K["))),
    Wrong("values by channel too", 2, REFERENCE.replace(_VALUES, "rounded(V[:old].reshape(-1, <<group>>, <<channels>>), 1)")),
    Wrong("the axes of keys and values swapped", 4, REFERENCE.replace(
        _KEYS, "rounded(K[:old].reshape(-1, <<share>>), 1)").replace(
        _VALUES, "rounded(V[:old].reshape(-1, <<group>>, <<channels>>), 1)")),
    Wrong("a channel of all tokens in one group", 2, REFERENCE.replace(
        _KEYS, "(rounded(K[:old], 0) if old else K[:0])")),
    Wrong("no window", 3, REFERENCE.replace("max(len(K) - <<window>>, 0)", "len(K)")),
    Wrong("float tokens not counted", 2, REFERENCE.replace(" + 2 * K[old:].size * <<float_bits>>", "")),
    Wrong("minima not counted", 1, REFERENCE.replace("groups * 2 * <<stored>>", "groups * <<stored>>")),
    Wrong("symmetric, without a minimum", 4, REFERENCE.replace(
        "low = groups.min(axis=axis, keepdims=True)", "low = 0 * groups.min(axis=axis, keepdims=True)")),
    Wrong("no case for equal numbers", 1, REFERENCE.replace("scale[scale == 0] = 1", "pass")),
)
