"""10.3: right answers and wrong ones."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
size = <<size>>
weight = np.max([np.abs(W).max(axis=<<axis>>) for W in matrices.values()], axis=0)
s = np.where(size > 0, size**<<alpha>> / weight**<<beta>>, 1)
new = {name: value / s for name, value in norm.items()}
return s, new, {name: W * s.reshape(<<channels>>) for name, W in matrices.items()}
'''

SECOND = '''
s, stacked = np.ones(X.shape[1]), np.vstack([W<<T>> for W in matrices.values()])
for j in range(len(s)):
    size = <<python>>
    if size:
        s[j] = np.exp(<<alpha>> * np.log(size) - <<beta>> * np.log(max(abs(w) for w in stacked[:, j])))
new = {name: norm[name] @ np.diag(1 / s) for name in norm}
return s, new, {name: (W<<T>> @ np.diag(s))<<T>> for name, W in matrices.items()}
'''

_NEW = "new = {name: value / s for name, value in norm.items()}"
_OUT = "{name: W * s.reshape(<<channels>>) for name, W in matrices.items()}"
_WEIGHT = "np.max([np.abs(W).max(axis=<<axis>>) for W in matrices.values()], axis=0)"
WRONG = (
    Wrong("alpha and 1 - alpha swapped", 3, REFERENCE.replace("size**<<alpha>> / weight**<<beta>>",
                                                             "size**<<beta>> / weight**<<alpha>>")),
    Wrong("times the weight's size instead of over it", 3, REFERENCE.replace("/ weight**", "* weight**")),
    Wrong("another measure of size", 3, REFERENCE.replace("<<size>>", "<<other_size>>")),
    Wrong("signs of the inputs", 3, REFERENCE.replace("<<size>>", "np.maximum(X.max(axis=0), 1e-9)")),
    Wrong("signs of the weights", 3, REFERENCE.replace("np.abs(W).max(axis=<<axis>>)", "W.mean(axis=<<axis>>) ** 2")),
    Wrong("the first matrix alone decides", 3, REFERENCE.replace(_WEIGHT,
                                                                 "np.abs(matrices[\"gate\"]).max(axis=<<axis>>)")),
    Wrong("the mean over matrices", 3, REFERENCE.replace("weight = np.max(", "weight = np.mean(")),
    Wrong("s and 1/s swapped where they are folded", 2, REFERENCE.replace("value / s", "value * s").replace(
        "W * s.reshape", "W / s.reshape")),
    Wrong("the norm forgotten", 2, REFERENCE.replace("value / s", "value")),
    Wrong("the norm divided once for each matrix", 2, REFERENCE.replace("value / s", "value / s**len(matrices)")),
    Wrong("one matrix forgotten", 2, REFERENCE.replace(_OUT, _OUT.replace(
        "<<channels>>)", "<<channels>>) if name == \"gate\" else W"))),
    Wrong("nothing folded", 3, REFERENCE.replace("value / s", "value").replace("W * s.reshape(<<channels>>)", "W")),
    Wrong("a channel of zeros divides by zero", 1, REFERENCE.replace("np.where(size > 0, ", "(").replace(", 1)\n", ")\n")),
    Wrong("a small number for a channel of zeros", 1, REFERENCE.replace("np.where(size > 0, ", "np.maximum(").replace(
        ", 1)\n", ", 1e-5)\n")),
)
