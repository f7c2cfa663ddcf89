"""09.2: right answers and wrong ones."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
new, s, dim = dict(weights), scales["input"], len(weights["v_bias"]) // kv_heads
new["norm"] = <<norm>>
for name in "qkv":
    new[name] = weights[name] * s.reshape(<<inputs>>)
heads = scales["o"].reshape(<<shape>>)
agreed = <<agreed>>
new["v"] = new["v"] / agreed.reshape(<<outputs>>)
new["v_bias"] = weights["v_bias"] / agreed.reshape(-1)
new["o"] = weights["o"] * np.broadcast_to(agreed, heads.shape).reshape(<<inputs>>)
return new
'''

SECOND = '''
d, dim, s = len(weights["o"]), len(weights["v_bias"]) // kv_heads, np.diag(scales["input"])
W, heads = {name: weights[name]<<T>> for name in "qkvo"}, d // dim
row = [(<<shares>>) * dim + i for h in range(heads) for i in range(dim)]  # of v, for each input of o
share = {r: <<python_agree>>([scales["o"][j] for j in range(d) if row[j] == r]) for r in row}
up, down = np.array([share[r] for r in row]), np.array([share[r] for r in range(len(W["v"]))])
return {"norm": (<<one>>weights["norm"]) @ np.linalg.inv(s)<<minus>>, "q": (W["q"] @ s)<<T>>, "k": (W["k"] @ s)<<T>>,
        "v": (np.linalg.inv(np.diag(down)) @ W["v"] @ s)<<T>>, "v_bias": weights["v_bias"] / down,
        "o": (W["o"] @ np.diag(up))<<T>>}
'''

_NORM = 'new["norm"] = <<norm>>\n'
_V = 'new["v"] = new["v"] / agreed.reshape(<<outputs>>)\n'
_BIAS = 'new["v_bias"] = weights["v_bias"] / agreed.reshape(-1)\n'
_HEADS = 'heads = scales["o"]'
WRONG = (
    Wrong("s and 1/s swapped at the norm", 1, REFERENCE.replace('scales["input"]', '1 / scales["input"]')),
    Wrong("the norm forgotten", 3, REFERENCE.replace(_NORM, "")),
    Wrong("the norm divided once for each matrix", 3, REFERENCE.replace(_NORM, "").replace(
        _HEADS, 'new["norm"] = (<<one>>weights["norm"]) / s**3<<minus>>\n' + _HEADS)),
    Wrong("the gain stored the other way", 3, REFERENCE.replace("<<norm>>", "<<other_norm>>")),
    Wrong("only q multiplied", 4, REFERENCE.replace('"qkv"', '"q"')),
    Wrong("v forgotten behind the norm", 4, REFERENCE.replace('"qkv"', '"qk"')),
    Wrong("outputs for inputs in q", 4, REFERENCE.replace(
        _HEADS, 'new["q"] = weights["q"] * s.reshape(<<outputs>>)\n' + _HEADS)),
    Wrong("every head keeps its own scale", 3, REFERENCE.replace("np.broadcast_to(agreed, heads.shape)", "heads")),
    Wrong("the wrong heads agree", 3, REFERENCE.replace("<<shape>>", "<<other_shape>>").replace(
        "<<agreed>>", "<<far_agreed>>")),
    Wrong("another agreement", 1, REFERENCE.replace("<<agreed>>", "<<other_agreed>>")),
    Wrong("one scale for all numbers of a head", 2, REFERENCE.replace("<<agreed>>", "<<head_agreed>> + np.zeros(dim)")),
    Wrong("left alone where heads share", 1, REFERENCE.replace(
        _V, "agreed = agreed if kv_heads == len(s) // dim else np.ones(agreed.shape)\n" + _V)),
    Wrong("v multiplied as well", 3, REFERENCE.replace(_V, _V.replace("/ agreed", "* agreed"))),
    Wrong("v forgotten in front of o", 3, REFERENCE.replace(_V, "").replace(_BIAS, "")),
    Wrong("the bias of v forgotten", 3, REFERENCE.replace(_BIAS, "")),
    Wrong("o divided, v multiplied", 2, REFERENCE.replace("<<agreed>>", "1 / (<<agreed>>)")),
)
