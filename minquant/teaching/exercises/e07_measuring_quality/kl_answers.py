"""07.3: right answers and wrong ones."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
def log_softmax(scores):
    scores = scores.astype(np.float64) / <<temperature>>
    scores = scores - scores.max(axis=1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))

log_p, log_q = log_softmax(<<first>>), log_softmax(<<second>>)
p = np.exp(log_p)
each = np.where(p > 0, p * (log_p - log_q), 0).sum(axis=1) / math.log(<<unit_base>>)
return each, <<numpy>>(each)
'''

SECOND = '''
def weights(scores):
    highest = max(map(float, scores))
    return [(float(score) - highest) / <<temperature>> for score in scores if score > -math.inf]

each = []
for a, b in zip(map(weights, <<first>>), map(weights, <<second>>)):
    total_a, total_b = (sum(map(math.exp, scores)) for scores in (a, b))
    lost = sum(math.exp(x) / total_a * (x - y) for x, y in zip(a, b)) - math.log(total_a) + math.log(total_b)
    each.append(lost / math.log(<<unit_base>>))
return each, <<numpy>>(each)
'''

_MAX = "    scores = scores - scores.max(axis=1, keepdims=True)\n"
_LOGS = "return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))"
_SHARES = "np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)"
_SUM = "np.where(p > 0, p * (log_p - log_q), 0)"

WRONG = (
    Wrong("KL the other way round", 3, REFERENCE.replace("log_softmax(<<first>>), log_softmax(<<second>>)",
                                                        "log_softmax(<<second>>), log_softmax(<<first>>)")),
    Wrong("temperature forgotten", 2, REFERENCE.replace(" / <<temperature>>", "")),
    Wrong("multiplied by the temperature", 2, REFERENCE.replace("/ <<temperature>>", "* <<temperature>>")),
    Wrong("the other unit", 2, REFERENCE.replace("<<unit_base>>", "<<other_base>>")),
    Wrong("the largest logit not subtracted", 1, REFERENCE.replace(_MAX, "")),
    Wrong("the logarithm of a probability", 1, REFERENCE.replace(_LOGS, f"return np.log({_SHARES})")),
    Wrong("something small added to every probability", 1, REFERENCE.replace(
        _LOGS, f"return np.log({_SHARES} + 1e-12)")),
    Wrong("0 times infinity", 1, REFERENCE.replace(_SUM, "(p * (log_p - log_q))")),
    Wrong("computed in float32", 1, REFERENCE.replace(
        _MAX, "    scores = scores / np.float32(<<temperature>>)\n").replace(
            "scores.astype(np.float64) / <<temperature>>", "scores - scores.max(axis=1, keepdims=True)")),
    Wrong("the cost of q instead of what it costs more than p", 4, REFERENCE.replace("(log_p - log_q)", "-log_q")),
    Wrong("a mean over the vocabulary", 3, REFERENCE.replace("0).sum(axis=1)", "0).mean(axis=1)")),
    Wrong("softmax over the positions", 6, REFERENCE.replace("axis=1, keepdims", "axis=0, keepdims")),
    Wrong("another figure for all positions", 1, REFERENCE.replace("<<numpy>>", "<<other_numpy>>")),
)
