"""07.5: right answers and wrong ones."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
lost = (np.array(rounded) - floats) / math.log(<<unit_base>>)
difference, blocks = lost.mean(), len(lost) // <<block>>
used = blocks * <<block>>
if blocks < <<least>>:
    return difference, None, None
means = lost<<cut>>.reshape(blocks, <<block>>).mean(axis=1)
error = means.std(ddof=1) / math.sqrt(blocks)
if difference == 0:
    return difference, error, None
return difference, error, math.ceil(used * (<<z>> * error / difference) ** 2)
'''

SECOND = '''
lost = [(a - b) / math.log(<<unit_base>>) for a, b in zip(rounded, floats)]
length, difference = <<block>>, sum(lost) / len(lost)
means = []
for start in range(<<start>>, len(lost) - length + 1, length):
    means.append(sum(lost[start:start + length]) / length)
n, error, needed = len(means), None, None
if n >= <<least>>:
    middle = sum(means) / n
    error = math.sqrt(sum((mean - middle) ** 2 for mean in means) / (n - 1) / n)
    if difference:
        needed = math.ceil(n * length * <<z>> ** 2 * error**2 / difference**2)
return difference, error, needed
'''

_MEANS = "means = lost<<cut>>.reshape(blocks, <<block>>).mean(axis=1)"
_ERROR = "error = means.std(ddof=1) / math.sqrt(blocks)"
_NEEDED = "math.ceil(used * (<<z>> * error / difference) ** 2)"
_SEPARATE = '''
error = 0.0
for costs in (rounded, floats):
    means = np.array(costs)<<cut>>.reshape(blocks, <<block>>).mean(axis=1) / math.log(<<unit_base>>)
    error = math.hypot(error, means.std(ddof=1) / math.sqrt(blocks))
'''.strip()
_PARTS = "means = np.array([part.mean() for part in np.split(lost, range(<<block>>, len(lost), <<block>>))])"

WRONG = (
    Wrong("two separate errors", 3, REFERENCE.replace(_MEANS, "").replace(_ERROR, _SEPARATE)),
    Wrong("single tokens for blocks", 3, REFERENCE.replace(_MEANS, "means = lost<<cut>>").replace(
        "sqrt(blocks)", "sqrt(used)")),
    Wrong("divided by the root of the tokens", 2, REFERENCE.replace("sqrt(blocks)", "sqrt(used)")),
    Wrong("the spread of the blocks for the error of their mean", 2, REFERENCE.replace(" / math.sqrt(blocks)", "")),
    Wrong("a standard deviation divided by n", 2, REFERENCE.replace("ddof=1", "ddof=0")),
    Wrong("the other unit", 3, REFERENCE.replace("<<unit_base>>", "<<other_base>>")),
    Wrong("float minus rounded", 1, REFERENCE.replace("np.array(rounded) - floats", "np.array(floats) - rounded")),
    Wrong("the rest left out at the other end", 1, REFERENCE.replace("<<cut>>", "<<other_cut>>")),
    Wrong("the rest as a short block", 1, REFERENCE.replace(_MEANS, _PARTS).replace("(blocks)", "(len(means))")),
    Wrong("the rest left out of the difference", 1, REFERENCE.replace("= lost.mean()", "= 0").replace(
        "used = blocks * <<block>>", "used = blocks * <<block>>\ndifference = lost<<cut>>.mean()")),
    Wrong("an error that falls with the tokens, not their root", 1, REFERENCE.replace(
        _NEEDED, "math.ceil(used * <<z>> * error / abs(difference))")),
    Wrong("blocks needed instead of tokens", 1, REFERENCE.replace(_NEEDED, _NEEDED.replace("used", "blocks"))),
    Wrong("all tokens taken for those of the error", 1, REFERENCE.replace("ceil(used", "ceil(len(lost)")),
    Wrong("rounded down", 1, REFERENCE.replace("math.ceil", "int")),
    Wrong("an error from any number of blocks", 1, REFERENCE.replace("blocks < <<least>>", "blocks < 2")),
    Wrong("a text for no difference", 1, REFERENCE.replace("return difference, error, None", "difference = 1e-300")),
)
