"""09.5: right answers and wrong ones."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
low, high = W.min(axis=1, keepdims=True), W.max(axis=1, keepdims=True)
scale = (high - low) / <<top>>
scale[scale == 0] = 1
zero, beta, zeros, measure = -low / scale, <<beta>>, [], []
for turn in range(<<turns>> + 1):
    codes = np.clip(np.rint(W / scale + zero), 0, <<top>>)
    x = W - scale * (codes - zero)
    zeros.append(zero[:, 0])
    measure.append((np.abs(x) ** <<p>>).sum(axis=1))
    size = np.abs(x<<divided>>)
    E = np.sign(x) * np.maximum(size - np.where(size > 0, size, 1) ** (<<p>> - 1) / beta, 0)<<back>>
    zero = (codes - (W - E) / scale).mean(axis=1, keepdims=True)
    beta = beta * <<kappa>>
best = np.argmin(measure, axis=0)
return np.array(zeros)[best, np.arange(len(W))], measure
'''

SECOND = '''
zero, measure = [], [[] for _ in range(<<turns>> + 1)]
for row in W.tolist():
    scale, beta = (max(row) - min(row)) / <<top>> or 1.0, <<beta>>
    z, least = -min(row) / scale, math.inf
    for turn in range(<<turns>> + 1):
        codes = [min(max(round(w / scale + z), 0), <<top>>) for w in row]
        x = [w - scale * (c - z) for w, c in zip(row, codes)]
        measure[turn].append(sum(abs(v) ** <<p>> for v in x))
        if measure[turn][-1] < least:
            kept, least = z, measure[turn][-1]
        kind = [abs(v) / <<unit>> for v in x]
        E = [math.copysign(max(k - k ** (<<p>> - 1) / beta, 0), v) * <<unit>> if k else 0 for k, v in zip(kind, x)]
        z = sum(c - (w - e) / scale for c, w, e in zip(codes, row, E)) / len(row)
        beta *= <<kappa>>
    zero.append(kept)
return zero, measure
'''

_MOVE = "zero = (codes - (W - E) / scale).mean(axis=1, keepdims=True)"
WRONG = (
    Wrong("nothing is written off", 3, REFERENCE.replace("(W - E)", "W")),
    Wrong("the other unit", 3, REFERENCE.replace("x<<divided>>", "x / <<other_unit>>").replace(
        "<<back>>", " * <<other_unit>>")),
    Wrong("E with the wrong sign", 3, REFERENCE.replace("(W - E)", "(W + E)")),
    Wrong("beta stays", 1, REFERENCE.replace("beta = beta * <<kappa>>", "pass")),
    Wrong("beta shrinks", 1, REFERENCE.replace("beta * <<kappa>>", "beta / <<kappa>>")),
    Wrong("beta grows first", 3, REFERENCE.replace("<<beta>>, [], []", "<<beta>> * <<kappa>>, [], []")),
    Wrong("a whole zero point", 5, REFERENCE.replace(
        "    codes =", "    zero = np.rint(zero)\n    codes =")),
    Wrong("the zero point of the last turn", 1, REFERENCE.replace(
        "np.argmin(measure, axis=0)", "np.full(len(W), <<turns>>)")),
    Wrong("the zero point after the best turn", 1, REFERENCE.replace("    zeros.append(zero[:, 0])\n", "").replace(
        _MOVE, _MOVE + "\n    zeros.append(zero[:, 0])")),
    Wrong("one best turn for all rows", 1, REFERENCE.replace(
        "np.argmin(measure, axis=0)", "np.full(len(W), np.argmin(np.sum(measure, axis=1)))")),
    Wrong("the sum of squares measured", 5, REFERENCE.replace("(np.abs(x) ** <<p>>).sum", "(x**2).sum")),
    Wrong("the exponent p where p - 1 belongs", 3, REFERENCE.replace("(<<p>> - 1)", "<<p>>")),
    Wrong("a division by zero", 1, REFERENCE.replace("scale[scale == 0] = 1\n", "")),
)
