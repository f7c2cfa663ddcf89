"""04.3: right answers and wrong ones."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
counts, divergences = np.array(counts), []
for kept in range(<<first>>, len(counts) + 1):
    own, level = counts[:kept].copy(), <<level>>
    filled = own > 0
    q = filled * (np.bincount(level, own) / np.maximum(np.bincount(level, filled), 1))[level]
    p = own + (np.arange(kept) == kept - 1) * counts[kept:].sum()
    p, q = p[p > 0] / p.sum(), q[p > 0] / q.sum()
    divergences.append((p * <<log>>(p / q)).sum() if q.all() else math.inf)
return <<first>> + divergences.index(min(divergences)), divergences
'''

SECOND = '''
def divergence(kept):
    mass, bins = {}, {}
    for j in range(kept):
        level = <<bin_level>>
        mass[level] = mass.get(level, 0) + counts[j]
        bins[level] = bins.get(level, 0) + (counts[j] > 0)
    total, whole, inside = 0.0, sum(counts), sum(counts[:kept])
    for j in range(kept):
        level = <<bin_level>>
        p = counts[j] + (whole - inside if j == kept - 1 else 0)
        q = mass[level] / bins[level] if counts[j] else 0.0
        if p and not q:
            return math.inf
        if p:
            total += p / whole * <<math_log>>(p / whole * inside / q)
    return total

divergences = [divergence(kept) for kept in range(<<first>>, len(counts) + 1)]
return min(range(<<first>>, len(counts) + 1), key=lambda kept: divergences[kept - <<first>>]), divergences
'''

_TAIL = "(np.arange(kept) == kept - 1) * counts[kept:].sum()"

WRONG = (
    Wrong("the tail dropped", 4, REFERENCE.replace(" + " + _TAIL, "")),
    Wrong("the tail spread over Q too", 3, REFERENCE.replace(" + " + _TAIL, "").replace(
        "    filled", "    own[-1] += counts[kept:].sum()\n    filled")),
    Wrong("the other way to fill levels", 4, REFERENCE.replace("<<level>>", "<<other_level>>")),
    Wrong("empty bins get a share", 2, REFERENCE.replace("filled = own > 0", "filled = own >= 0")),
    Wrong("KL the other way round", 4, REFERENCE.replace("(p * <<log>>(p / q))", "(q * <<log>>(q / p))")),
    Wrong("the wrong logarithm", 4, REFERENCE.replace("<<log>>", "<<other_log>>")),
    Wrong("counts instead of shares", 4, REFERENCE.replace("p[p > 0] / p.sum(), q[p > 0] / q.sum()",
                                                           "p[p > 0], q[p > 0]")),
    Wrong("bins without Q left out of the sum", 1, REFERENCE.replace(
        "(p * <<log>>(p / q)).sum() if q.all() else math.inf", "(p * <<log>>(p / np.where(q > 0, q, p))).sum()")),
    Wrong("the place in the list instead of the bins kept", 2, REFERENCE.replace("return <<first>> + ", "return ")),
    Wrong("one end too few", 6, REFERENCE.replace("len(counts) + 1", "len(counts)")),
)
