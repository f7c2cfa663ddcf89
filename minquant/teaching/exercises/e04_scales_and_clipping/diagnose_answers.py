"""04.4: right answers and wrong ones."""

from __future__ import annotations

from ..findings import wrong_answers

REFERENCE = '''
findings = {<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}
'''

SECOND = '''
corrected = {}
for copy in copies:
    blocks, q = W.reshape(-1, copy["group"]), 2 ** (copy["bits"] - 1) - 1
    end = copy["clip"] * np.abs(blocks).max(axis=1, keepdims=True)
    n = np.maximum(np.<<round>>(end / q / (<<unit>>)), 1)
    scale = n * <<unit>>
    codes = np.clip(np.rint(blocks / scale), -q, q)
    if not ((n.ravel() == copy["scales"]).all() and (codes.reshape(W.shape) == copy["codes"]).all()):
        corrected[copy["copy"]] = float(100 * ((scale * codes - blocks) ** 2).sum() / (W**2).sum())
findings = dict(zip(sorted(corrected), ["<<cause_a>>", "<<cause_b>>"]))
'''

WRONG = wrong_answers("copy", "copies", REFERENCE, ("something with the scales", "something with the clip"))
