"""07.2: right answers and wrong ones. ``<<begin>>`` is the rule for where a window begins, given its end."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
windows, total, done, end = [], 0.0, <<lead>>, 0
while end < len(nll):
    number = len(windows)
    end = min(<<context>> + number * <<stride>>, len(nll))
    begin = <<begin>>
    total += sum(nll[i][i - begin] for i in range(done, end))
    windows.append((begin, done, end))
    done = end
return windows, math.exp(total / (len(nll) - <<lead>>))
'''

SECOND = '''
def window(i):
    number = max(0, -(-(i + 1 - <<context>>) // <<stride>>))
    end = min(<<context>> + number * <<stride>>, len(nll))
    return <<begin>>, end

windows, costs = {}, []
for i in range(<<lead>>, len(nll)):
    begin, end = window(i)
    windows.setdefault(end, (begin, i, end))
    costs.append(nll[i][i - begin])
return list(windows.values()), float(np.exp(np.mean(costs)))
'''

_STEP, _SUM, _DIVIDED = "number * <<stride>>", "range(done, end)", "total / (len(nll) - <<lead>>)"
_ALL = "windows.append((begin, done, end))"
_MEANS = REFERENCE.replace("total, done", "means, done").replace("0.0", "[]")

WRONG = (
    Wrong("windows score all that they read", 3, REFERENCE.replace(
        "total += ", "done = max(begin, <<lead>>)\n    total += ").replace(
            _DIVIDED, "total / sum(end - first for _, first, end in windows)")),
    Wrong("what overlaps added twice, counted once", 3, REFERENCE.replace(
        _SUM, "range(max(begin, <<lead>>), end)")),
    Wrong("stride taken for the overlap", 4, REFERENCE.replace(_STEP, "number * <<overlap>>").replace(
        "<<begin>>", "<<begin_overlap>>")),
    Wrong("windows that do not overlap", 4, REFERENCE.replace(_STEP, "number * <<context>>").replace(
        "<<begin>>", "<<begin_apart>>")),
    Wrong("windows after the last one", 2, REFERENCE.replace("while end < len(nll)",
                                                            "while len(windows) * <<stride>> < len(nll)")),
    Wrong("only full windows", 5, REFERENCE.replace(
        "while end < len(nll)", "while len(windows) * <<stride>> + <<context>> <= len(nll)").replace(
            _DIVIDED, "total / max(1, done - <<lead>>)")),
    Wrong("the first tokens treated otherwise", 3, REFERENCE.replace("<<lead>>", "<<other_lead>>")),
    Wrong("the last window treated otherwise", 3, REFERENCE.replace("<<begin>>", "<<other_begin>>")),
    Wrong("mean of the windows' means", 3, _MEANS.replace(
        "total += sum", "means.append(np.mean(list").replace("range(done, end))", "range(done, end))))").replace(
            _DIVIDED, "np.mean(means)")),
    Wrong("mean of the windows' perplexities", 3, _MEANS.replace(
        "total += sum", "means.append(np.exp(np.mean(list").replace(
            "range(done, end))", "range(done, end)))))").replace(f"math.exp({_DIVIDED})", "np.mean(means)")),
    Wrong("scored from the tokens scored before it in the window", 3, REFERENCE.replace("nll[i][i - begin]",
                                                                                       "nll[i][i - done]")),
    Wrong("every token from all before it", 3, REFERENCE.replace("nll[i][i - begin]", "nll[i][i]")),
)
