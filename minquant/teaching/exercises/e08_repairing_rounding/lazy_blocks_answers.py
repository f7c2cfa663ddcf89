"""08.5: right answers and wrong ones."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
W, n = np.array(W), len(U)
codes, waiting, err = np.zeros(W.shape, int), np.zeros(W.shape), np.zeros(W.shape)
starts = <<starts>>
for start, end in zip(starts, [*starts[1:], n]):
    for i in range(start, end):
        waiting[:, i] = W[:, -1]
        codes[:, i] = np.clip(np.rint(W[:, i] / scale), <<lowest>>, <<highest>>)
        err[:, i] = (W[:, i] - scale * codes[:, i]) / U[i, i]
        W[:, i:end] -= np.outer(err[:, i], U[i, i:end])
    W[:, end:] -= err[:, start:end] @ U[start:end, end:]
return codes, waiting
'''

SECOND = '''
n, done = len(U), 0  # done: so many columns have reached those behind their block
codes, waiting, err = np.zeros(W.shape), np.zeros(W.shape), np.zeros(W.shape)
for i in range(n):
    if <<opens>> and i:
        done = i
    begun = max(k for k in range(n) if k <= i and (k == 0 or (lambda i: <<opens>>)(k)))
    later = [k for k in range(i + 1, n) if (lambda i: <<opens>>)(k)]
    waiting[:, i] = W[:, -1] - err[:, :done if later else i] @ U[:done if later else i, -1]
    now = W[:, i] - err[:, :begun] @ U[:begun, i]
    for k in range(begun, i):
        now = now - err[:, k] * U[k, i]
    codes[:, i] = np.clip(np.rint(now / scale), <<lowest>>, <<highest>>)
    err[:, i] = (now - scale * codes[:, i]) / U[i, i]
return codes.astype(int), waiting
'''

WRONG = (
    Wrong("no blocks: every update at once", 2, REFERENCE.replace("i:end]", "i:]").replace(
        "    W[:, end:] -= err[:, start:end] @ U[start:end, end:]\n", "")),
    Wrong("nothing ever leaves a block", 3, REFERENCE.replace(
        "    W[:, end:] -= err[:, start:end] @ U[start:end, end:]\n", "")),
    Wrong("only the last column of a block is passed on", 3, REFERENCE.replace(
        "err[:, start:end] @ U[start:end, end:]", "err[:, end - 1:end] @ U[end - 1:end, end:]")),
    Wrong("blocks of another size", 2, REFERENCE.replace("<<starts>>", "[*range(0, n, <<more>>)]")),
    Wrong("the short block at the other end", 2, REFERENCE.replace("<<starts>>", "<<other_starts>>")),
    Wrong("an update inside a block reaches one column too far", 3, REFERENCE.replace("i:end]", "i:end + 1]")),
    Wrong("nothing passed on inside a block", 4, REFERENCE.replace("W[:, i:end] -= np.outer(err[:, i], U[i, i:end])",
                                                                   "pass")),
    Wrong("errors not divided", 4, REFERENCE.replace(" / U[i, i]\n", "\n")),
    Wrong("written down after the update", 1, REFERENCE.replace("        waiting[:, i] = W[:, -1]\n", "").replace(
        "    W[:, end:]", "        waiting[:, i] = W[:, -1]\n    W[:, end:]")),
    Wrong("all blocks passed on again", 3, REFERENCE.replace("err[:, start:end] @ U[start:end, end:]",
                                                             "err[:, :end] @ U[:end, end:]")),
)
