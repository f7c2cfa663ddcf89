"""12.5: the answers. The reference, another right one, and mistakes people make with what each must lose."""

from __future__ import annotations

from ..source import Wrong

CENTERS = {"mean": {"center_words": "the mean of all keys", "center_code": "K.mean(axis=0)"},
           "median": {"center_words": "the median of all keys, channel by channel,", "center_code": "np.median(K, axis=0)"},
           "middle": {"center_words": "the middle between the smallest and the largest key, channel by channel,",
                      "center_code": "(K.min(axis=0) + K.max(axis=0)) / 2"}}
PROBABILITIES = {"row": {"scaled_words": "the largest p over {p_top}", "scaled_code": "p.max()"},
                 "one": {"scaled_words": "1 / {p_top}", "scaled_code": "1.0"}}

REFERENCE = '''
def coded(x, axis, top):
    scale = np.abs(x).max(axis=axis, keepdims=True) / top
    scale[scale == 0] = 1
    return np.rint(x / scale), scale

q, K, V = np.array(q), np.array(K), np.array(V)
cq, sq = coded(q[None], 1, <<top>>)
ck, sk = coded(K - <<center_code>>, 1, <<top>>)
scores = (cq @ ck.T * sq * sk.T / np.sqrt(len(q)))[0]
p = np.exp(scores - scores.max())
p /= p.sum()
sp = <<scaled_code>> / <<p_top>>
cv, sv = coded(V, 0, <<p_top>>)
return scores, np.rint(p / sp) @ cv * sp * sv[0]
'''

SECOND = '''
def scale_of(x, top):
    return max(abs(v) for v in x) / top or 1.0

K, size = np.array(K), len(q)
K, sq, scores = (K - <<center_code>>).tolist(), scale_of(q, <<top>>), []
for key in K:
    sk = scale_of(key, <<top>>)
    scores.append(sq * sk * sum(round(a / sq) * round(b / sk) for a, b in zip(q, key)) / size**0.5)
e = np.exp(scores)
p = e / e.sum()
sp, out = <<scaled_code>> / <<p_top>>, []
for column in zip(*V):
    sv = scale_of(column, <<p_top>>)
    out.append(float(sp * sv * sum(round(a / sp) * round(b / sv) for a, b in zip(p, column))))
return scores, out
'''

WRONG = (
    Wrong("nothing taken off the keys", 6, REFERENCE.replace("K - <<center_code>>", "K")),
    Wrong("the query left in float", 5, REFERENCE.replace("cq, sq = coded(q[None], 1, <<top>>)", "cq, sq = q[None], 1")),
    Wrong("one scale for all keys", 5, REFERENCE.replace(
        "ck, sk = coded(K - <<center_code>>, 1, <<top>>)",
        "ck, sk = coded((K - <<center_code>>).reshape(1, -1), 1, <<top>>)\nck = ck.reshape(K.shape)")),
    Wrong("the root forgotten", 5, REFERENCE.replace(" / np.sqrt(len(q))", "")),
    Wrong("probabilities left in float", 2, REFERENCE.replace("np.rint(p / sp) @", "(p / sp) @")),
    Wrong("a scale for each row of V", 2, REFERENCE.replace(
        "cv, sv = coded(V, 0, <<p_top>>)", "cv, sv = coded(V, 1, <<p_top>>)\ncv, sv = cv * sv, np.ones((1, 1))")),
    Wrong("no case for zeros", 1, REFERENCE.replace("scale[scale == 0] = 1", "pass")),
)
