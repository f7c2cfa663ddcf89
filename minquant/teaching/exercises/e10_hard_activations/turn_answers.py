"""10.5: right answers and wrong ones."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
def doubled(n):
    if n & (n - 1):
        raise ValueError(f"no matrix of size {n}: sizes are powers of two")
    H = np.ones((1, 1))
    while len(H) < n:
        H = np.block(<<block>>)
    return H

new, W = dict(weights), {name: weights[name]<<T>> for name in ("up", "down", "head")}
d, f = W["down"].shape
H = doubled(d) / math.sqrt(d)
Q, R = <<signed>>, doubled(f) / math.sqrt(f) / <<online>>
new["embed"] = weights["embed"] @ Q
new["up"] = (W["up"] * (<<one>>weights["gain"]) @ Q)<<T>>
new["head"] = (W["head"] * (<<one>>weights["final"]) @ Q)<<T>>
new["down"] = (Q.T @ W["down"] @ R)<<T>>
new["gain"] = new["final"] = np.<<neutral>>(d)
return new
'''

SECOND = '''
from functools import reduce

def rotation(n):
    power = n.bit_length() - 1
    if 2**power != n:
        raise ValueError("there is no matrix of size %d here" % n)
    return reduce(np.kron, [np.array(<<kernel>>)] * power, np.eye(1))

W = {name: np.array(weights[name])<<T>> for name in ("up", "down", "head")}
d, f = W["up"].shape[::-1]
H = rotation(d) / d**0.5
Q, back = <<python_signed>>, np.linalg.inv(rotation(f) / (f**0.5 if <<online>> == 1 else 1))
stretch = [np.diag(<<one>>weights[name]) for name in ("gain", "final")]
new = {"embed": weights["embed"] @ Q, "up": W["up"] @ stretch[0] @ Q, "down": (back @ W["down"].T @ Q).T,
       "head": W["head"] @ stretch[1] @ Q, "gain": np.<<neutral>>(d), "final": np.<<neutral>>(d)}
return {name: w<<T>> if name in W else w for name, w in new.items()}
'''

_UP, _HEAD = ('W["up"] * (<<one>>weights["gain"])', 'W["head"] * (<<one>>weights["final"])')
_GAIN = 'new["gain"] = new["final"] = np.<<neutral>>(d)\n'
_CHECK = '''    if n & (n - 1):
        raise ValueError(f"no matrix of size {n}: sizes are powers of two")
'''
WRONG = (
    Wrong("the other order of Q throughout", 2, REFERENCE.replace("<<signed>>", "(<<signed>>).T")),
    Wrong("the signs forgotten", 2, REFERENCE.replace("<<signed>>", "H")),
    Wrong("not divided by the root", 4, REFERENCE.replace("doubled(d) / math.sqrt(d)", "doubled(d)")),
    Wrong("gains stay where they are", 3, REFERENCE.replace(_GAIN, "").replace(_UP, 'W["up"]').replace(
        _HEAD, 'W["head"]')),
    Wrong("gains folded and kept", 3, REFERENCE.replace(_GAIN, "")),
    Wrong("gains dropped", 3, REFERENCE.replace(_UP, 'W["up"]').replace(_HEAD, 'W["head"]')),
    Wrong("gain folded after the turn", 3, REFERENCE.replace(
        _UP + " @ Q", 'W["up"] @ Q * (<<one>>weights["gain"])')),
    Wrong("down writes to the old stream", 2, REFERENCE.replace("(Q.T @ W", "(W")),
    Wrong("down turned the other way", 2, REFERENCE.replace("(Q.T @ W", "(Q @ W")),
    Wrong("the inputs of down forgotten", 2, REFERENCE.replace('W["down"] @ R', 'W["down"]')),
    Wrong("the root at down the other way", 2, REFERENCE.replace("/ <<online>>", "* (math.sqrt(f) if <<online>> == 1 else 1)")),
    Wrong("the head reads the old stream", 3, REFERENCE.replace(_HEAD + " @ Q", _HEAD)),
    Wrong("any size taken", 2, REFERENCE.replace(_CHECK, "")),
    Wrong("refused without a name", 2, REFERENCE.replace('f"no matrix of size {n}: sizes are powers of two"', '"no"')),
    Wrong("only the stream's size looked at", 1, REFERENCE.replace(
        _CHECK, _CHECK.replace("if n & (n - 1):", 'if n & (n - 1) and n == weights["embed"].shape[1]:'))),
)
