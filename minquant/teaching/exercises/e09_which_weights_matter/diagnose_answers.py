"""09.4: right answers and wrong ones."""

from __future__ import annotations

from ..source import Wrong

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

WRONG = (
    Wrong("the causes swapped", 2, REFERENCE.replace('<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"',
                                                   '<<a>>: "<<cause_b>>", <<b>>: "<<cause_a>>"')),
    Wrong("the printed errors kept", 2, REFERENCE.replace("right_", "printed_")),
    Wrong("a share where percent are asked for", 2, REFERENCE.replace("right_", "share_")),
    Wrong("one run of two", 3, 'findings = {<<b>>: "<<cause_b>>"}\ncorrected = {<<b>>: <<right_b>>}'),
    Wrong("a sound run accused", 3, '''
        findings = {<<sound>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
        corrected = {<<sound>>: <<right_a>>, <<b>>: <<right_b>>}'''),
    Wrong("every run accused", 4, "findings = <<all_runs>>\ncorrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}"),
    Wrong("runs found, causes in words of one's own", 2, '''
        findings = {<<a>>: "something with the axis", <<b>>: "something with q"}
        corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}'''),
    Wrong("a list instead of a dict", 4, '''
        findings = [<<a>>, <<b>>]
        corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}'''),
)
