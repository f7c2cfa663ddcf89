"""09.3: right answers and wrong ones."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
size = <<size>>
size = np.maximum(size, <<floor>> * size.max())
target, scales, errors = output(X, gate, up), [], []
for i in range(<<count>>):
    s = size ** (i / <<steps>>)
    s = s / <<divisor>>
    trial = [rounded(W * s) / s for W in (gate, up)]
    errors.append(((output(X, *trial) - target) ** 2).<<total>>())
    scales.append(s)
best = int(np.argmin(errors))
return best / <<steps>>, scales[best], errors
'''

SECOND = '''
size = <<size>>
floor, errors, found = max(size) * <<floor>>, [], None
for alpha in np.arange(<<count>>) / <<steps>>:
    s = np.exp(alpha * np.log([max(v, floor) for v in size]))
    lost = output(X / s, rounded(gate * s), rounded(up * s)) - output(X, gate, up)
    errors.append(np.<<total>>(lost * lost))
    if found is None or errors[-1] < min(errors[:-1]):
        found = float(alpha), s / <<divisor>>
return *found, errors
'''

_ERROR = "((output(X, *trial) - target) ** 2).<<total>>()"
_OWN = "sum(((X @ (A - B).T) ** 2).<<total>>() for A, B in zip(trial, (gate, up)))"
_EACH = '''
lone = [((output(X, *pair) - target) ** 2).<<total>>() for pair in ((trial[0], up), (gate, trial[1]))]
    errors.append(sum(lone))'''.strip()
WRONG = (
    Wrong("the error of the weights", 4, REFERENCE.replace(
        _ERROR, "sum(((A - B) ** 2).<<total>>() for A, B in zip(trial, (gate, up)))")),
    Wrong("each matrix by its own output", 4, REFERENCE.replace(_ERROR, _OWN)),
    Wrong("one matrix rounded at a time", 4, REFERENCE.replace("errors.append(" + _ERROR + ")", _EACH)),
    Wrong("s and 1/s swapped", 3, REFERENCE.replace("rounded(W * s) / s", "rounded(W / s) * s")),
    Wrong("s never divided out", 3, REFERENCE.replace("rounded(W * s) / s", "rounded(W * s)")),
    Wrong("only gate is scaled", 3, REFERENCE.replace("for W in (gate, up)]", "for W in (gate,)] + [rounded(up)]")),
    Wrong("size with its signs", 5, REFERENCE.replace("<<size>>", "<<signed>>")),
    Wrong("another measure of size", 4, REFERENCE.replace("<<size>>", "<<other_size>>")),
    Wrong("size over the wrong axis", 4, REFERENCE.replace(
        "<<size>>", "np.resize(np.abs(X).mean(axis=1), X.shape[1])")),
    Wrong("the size of the weights", 5, REFERENCE.replace("<<size>>", "np.abs(np.vstack([gate, up])).mean(axis=0)")),
    Wrong("one alpha too many, or too few", 3, REFERENCE.replace("<<count>>", "<<other_count>>")),
    Wrong("scales not divided", 1, REFERENCE.replace("s = s / <<divisor>>", "pass")),
    Wrong("scales divided by another rule", 1, REFERENCE.replace("<<divisor>>", "<<other_divisor>>")),
    Wrong("the scales of the last alpha", 1, REFERENCE.replace("scales[best]", "s")),
    Wrong("the last of equally good ones", 1, REFERENCE.replace(
        "int(np.argmin(errors))", "len(errors) - 1 - int(np.argmin(errors[::-1]))")),
    Wrong("its number for alpha", 2, REFERENCE.replace("best / <<steps>>", "best")),
    Wrong("an input of size 0 divides by zero", 1, REFERENCE.replace(
        "size = np.maximum(size, <<floor>> * size.max())\n", "")),
    Wrong("an input of size 0 keeps its scale", 1, REFERENCE.replace(
        "np.maximum(size, <<floor>> * size.max())", "np.where(size > 0, size, 1)")),
)
