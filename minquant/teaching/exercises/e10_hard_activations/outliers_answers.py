"""10.2: right answers and wrong ones."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
loud = (np.abs(X) >= <<threshold>>).sum(axis=0) >= <<needed>>
x, w = X[:, ~loud], W[:, ~loud]
sx = np.abs(x).max(axis=1, keepdims=True, initial=0) / <<top>>
sw = np.abs(w).max(axis=1, keepdims=True, initial=0) / <<top>>
sx, sw = np.where(sx > 0, sx, 1), np.where(sw > 0, sw, 1)
codes = np.rint(x / sx)
Y = codes @ np.rint(w / sw).T * (sx * sw.T) + X[:, loud] @ W[:, loud].T
return np.flatnonzero(loud).tolist(), codes, Y
'''

SECOND = '''
outliers = [j for j in range(X.shape[1]) if sum(abs(v) >= <<threshold>> for v in X[:, j]) >= <<needed>>]
Y, parts = np.zeros((len(X), len(W))), []
for A in (X, W):
    A = np.delete(A, outliers, axis=1)
    scale = np.array([max(map(abs, row), default=0) / <<top>> or 1 for row in A])
    parts.append((np.rint(A / scale[:, None]).astype(int), scale))
(x, sx), (w, sw) = parts
for j in outliers:
    Y += np.outer(X[:, j], W[:, j])
return outliers, x, Y + np.outer(sx, sw) * (x @ w.T)
'''

_Y = "codes @ np.rint(w / sw).T * (sx * sw.T) + X[:, loud] @ W[:, loud].T"
_SX = "sx = np.abs(x).max(axis=1, keepdims=True, initial=0)"
_WHERE = "sx, sw = np.where(sx > 0, sx, 1), np.where(sw > 0, sw, 1)\n"
WRONG = (
    Wrong("loud has to exceed the threshold", 1, REFERENCE.replace(">= <<threshold>>", "> <<threshold>>")),
    Wrong("loud without magnitudes", 6, REFERENCE.replace("np.abs(X) >=", "X >=")),
    Wrong("one token more", 6, REFERENCE.replace("<<needed>>", "<<other_needed>>")),
    Wrong("tokens for columns", 7, REFERENCE.replace("sum(axis=0) >=", "sum(axis=1) >=")),
    Wrong("the outliers forgotten", 3, REFERENCE.replace(_Y, _Y.split(" + ")[0])),
    Wrong("the outliers counted twice", 3, REFERENCE.replace(_Y, _Y + '''
Y = Y + X[:, loud] @ W[:, loud].T''')),
    Wrong("scales from before the outliers left", 3, REFERENCE.replace(_SX, _SX.replace("abs(x)", "abs(X)")).replace(
        "np.abs(w)", "np.abs(W)")),
    Wrong("one scale for all tokens", 4, REFERENCE.replace(_SX, "sx = np.abs(x).max(initial=0) + np.zeros((len(x), 1))")),
    Wrong("one scale for all outputs", 3, REFERENCE.replace(
        "sw = np.abs(w).max(axis=1, keepdims=True, initial=0)", "sw = np.abs(w).max(initial=0) + np.zeros((len(w), 1))")),
    Wrong("the scale of W forgotten", 3, REFERENCE.replace("(sx * sw.T)", "sx")),
    Wrong("the outliers' weights rounded", 3, REFERENCE.replace("W[:, loud].T", "(np.rint(W / sw) * sw)[:, loud].T")),
    Wrong("cut off instead of rounded", 4, REFERENCE.replace("codes = np.rint(x / sx)", "codes = np.trunc(x / sx)")),
    Wrong("nothing for a token of zeros", 1, REFERENCE.replace(_WHERE, "")),
    Wrong("nothing where all columns are loud", 1, REFERENCE.replace(", initial=0", "")),
    Wrong("a mask for the columns", 3, REFERENCE.replace("np.flatnonzero(loud).tolist()", "loud.tolist()")),
)
