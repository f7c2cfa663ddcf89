"""08.4: right answers and wrong ones."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
findings = {<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}
'''

SECOND = '''
from minquant.methods import gptq_from_hessian

corrected = {}
for run in runs:
    scheme = f"int{run['bits']}:" + ("channel" if run["group"] == 6 else f"g{run['group']}")
    q = gptq_from_hessian(W, H, scheme, damp=run["damp"], act_order=run["sorted"])
    if q.codes.tolist() != run["codes"]:
        D = W - q.dequantize()
        corrected[run["run"]] = float(100 * ((D @ H) * D).sum() / ((W @ H) * W).sum())
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
        findings = {<<a>>: "something with the factor", <<b>>: "something with the order"}
        corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}'''),
    Wrong("a list instead of a dict", 4, '''
        findings = [<<a>>, <<b>>]
        corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}'''),
)
