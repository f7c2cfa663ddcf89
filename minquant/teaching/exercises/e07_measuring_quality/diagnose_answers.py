"""07.4: right answers and wrong ones."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
findings = {<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}
'''

SECOND = '''
corrected = {}
for line in lines:
    lost = (np.array(line["costs"]) - floats) / <<bytes>><<divided>>
    values = np.delete(lost, line["tuned"])
    figures = values.mean(), values.std(ddof=1) / math.sqrt(len(values))
    if not np.allclose(figures, (line["difference"], line["error"]), rtol=0.01):
        corrected[line["line"]] = figures
findings = dict(zip(sorted(corrected), ["<<cause_a>>", "<<cause_b>>"]))
'''

WRONG = (
    Wrong("the causes swapped", 2, REFERENCE.replace('<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"',
                                                   '<<a>>: "<<cause_b>>", <<b>>: "<<cause_a>>"')),
    Wrong("the printed figures kept", 2, REFERENCE.replace("right_", "printed_")),
    Wrong("the other unit", 2, REFERENCE.replace("right_", "unit_")),
    Wrong("a standard deviation divided by n", 2, REFERENCE.replace("right_", "n_")),
    Wrong("differences without errors", 2, REFERENCE.replace("right_", "single_")),
    Wrong("one line of two", 3, 'findings = {<<b>>: "<<cause_b>>"}\ncorrected = {<<b>>: <<right_b>>}'),
    Wrong("a sound line accused", 3, '''
        findings = {<<sound>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
        corrected = {<<sound>>: <<right_a>>, <<b>>: <<right_b>>}'''),
    Wrong("every line accused", 4, "findings = <<all_rows>>\ncorrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}"),
    Wrong("lines found, causes in words of one's own", 2, '''
        findings = {<<a>>: "something with the text", <<b>>: "something with the error"}
        corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}'''),
    Wrong("a list instead of a dict", 4, '''
        findings = [<<a>>, <<b>>]
        corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}'''),
)
