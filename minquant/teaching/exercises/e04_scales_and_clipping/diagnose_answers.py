"""04.4: right answers and wrong ones."""

from __future__ import annotations

from ..source import Wrong

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

WRONG = (
    Wrong("the causes swapped", 2, REFERENCE.replace('<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"',
                                                   '<<a>>: "<<cause_b>>", <<b>>: "<<cause_a>>"')),
    Wrong("the printed errors kept", 2, REFERENCE.replace("right_", "printed_")),
    Wrong("a share where percent are asked for", 2, REFERENCE.replace("right_", "share_")),
    Wrong("one copy of two", 3, 'findings = {<<b>>: "<<cause_b>>"}\ncorrected = {<<b>>: <<right_b>>}'),
    Wrong("a sound copy accused", 3, '''
        findings = {<<sound>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
        corrected = {<<sound>>: <<right_a>>, <<b>>: <<right_b>>}'''),
    Wrong("every copy accused", 4, "findings = <<all_rows>>\ncorrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}"),
    Wrong("copies found, causes in words of one's own", 2, '''
        findings = {<<a>>: "something with the scales", <<b>>: "something with the clip"}
        corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}'''),
    Wrong("a list instead of a dict", 4, '''
        findings = [<<a>>, <<b>>]
        corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}'''),
)
