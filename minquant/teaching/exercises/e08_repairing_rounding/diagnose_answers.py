"""08.4: right answers and wrong ones."""

from __future__ import annotations

from ..findings import wrong_answers

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

WRONG = wrong_answers("run", "runs", REFERENCE, ("something with the factor", "something with the order"))
