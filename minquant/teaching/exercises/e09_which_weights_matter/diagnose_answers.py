"""09.4: right answers and wrong ones."""

from __future__ import annotations

from ..findings import wrong_answers

REFERENCE = '''
findings = {<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}
'''

SECOND = '''
from minquant.methods import search_scales
from minquant.scaling import fake_quantize

corrected = {}
for run in runs:
    scheme = f"int{run['bits']}:channel"
    s = search_scales([q, k, v], X, scheme, grid=run["tried"]).scales
    off = [(X / s) @ fake_quantize(W * s, scheme).T - X @ W.T for W in (q, k, v)]
    error = 100 * sum((D**2).sum() for D in off) / sum(((X @ W.T) ** 2).sum() for W in (q, k, v))
    if abs(error / run["error"] - 1) > 0.03:
        corrected[run["run"]] = float(error)
findings = dict(zip(sorted(corrected), ["<<cause_a>>", "<<cause_b>>"]))
'''

WRONG = wrong_answers("run", "runs", REFERENCE, ("something with the axis", "something with q"))
