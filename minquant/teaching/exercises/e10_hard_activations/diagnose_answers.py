"""10.4: right answers and wrong ones."""

from __future__ import annotations

from ..findings import wrong_answers

REFERENCE = '''
findings = {<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}
'''

SECOND = '''
def coded(A, scale, m):
    return np.clip(np.rint(A / scale), -m, m)

corrected = {}
for run in runs:
    m = 2 ** (run["bits"] - 1) - 1
    s = np.sqrt(abs(C).max(axis=0) / abs(W).max(axis=0)) if run["smooth"] else np.ones(X.shape[1])
    sx = abs(X / s).max(axis=1, keepdims=True) / m if run["scale"] == "token" else abs(C / s).max() / m
    sw = abs(W * s).max(axis=1, keepdims=True) / m
    Y = coded(X / s, sx, m) * sx @ (coded(W * s, sw, m) * sw).T
    error = 100 * ((Y - X @ W.T) ** 2).sum() / ((X @ W.T) ** 2).sum()
    if abs(error / run["error"] - 1) > 0.03:
        corrected[run["run"]] = float(error)
findings = dict(zip(sorted(corrected), ["<<cause_a>>", "<<cause_b>>"]))
'''

WRONG = wrong_answers("run", "runs", REFERENCE, ("something with the inputs", "something with the sums"))
