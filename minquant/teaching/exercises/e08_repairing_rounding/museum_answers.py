"""08.6: two tests that find every bug, and tests that overlook some.

A wrong answer is the reference with one thing changed, so that what it loses shows which bugs need that thing.
"""

from __future__ import annotations

from ..source import Wrong

STARTER = '''
def inputs():
    raise NotImplementedError


def accepts(W, X, scales, codes, loss):
    raise NotImplementedError
'''

REFERENCE = '''
def inputs():
    numbers = np.random.default_rng(0).normal(size=(42, 12))
    W, X = numbers[:12].round(2), (numbers[12:] + 2 * numbers[12:, :1]).round(2)
    X[:, 1] = W[0] = 0
    return [(W, X)]


def accepts(W, X, scales, codes, loss):
    W, X, scales, codes = (a<<turn>> for a in (W, X, scales, codes))
    dead = ~X.any(axis=0)
    H, W = X.T @ X + np.diag(dead), np.where(dead, 0, W)
    H += np.eye(len(H)) * <<damp>> / 100 * np.diag(H).mean()
    D = W - scales.repeat(<<group>>, axis=1) * codes
    right = np.isclose(loss, (D @ H * D).sum(), 1e-6)
    for i in range(len(H)):
        w = W[:, i:] + np.linalg.solve(H[i:, i:], H[i:, :i] @ D[:, :i].T).T
        if i % <<group>> == 0:
            end = np.abs(w[:, :<<group>>]).max(axis=1)
            scale = np.where(end > 1e-9, end / <<highest>>, 1)
        off = np.clip(w[:, 0] / scale, -<<highest>>, <<highest>>) - codes[:, i]
        right &= np.abs(off).max() < 0.501 and np.allclose(scales[:, i // <<group>>], scale, 1e-6)
    return bool(right)
'''

SECOND = '''
def inputs():
    rng = np.random.default_rng(7)
    pairs = []
    for n in (<<group>>, 2 * <<group>>, 4 * <<group>>):
        X = rng.normal(size=(40, n)).round(2) @ (np.eye(n) + 0.7)
        X[:, 0] = 0
        W = rng.uniform(-1, 1, (9, n)).round(2)
        W[4] = 0
        pairs.append((W, X.round(2)))
    return pairs


def accepts(W, X, scales, codes, loss):
    top, n = <<highest>>, W.shape[1]
    W, X, scales, codes = W<<turn>>.copy(), X<<turn>>, scales<<turn>>, codes<<turn>>
    H = X.T @ X
    for i in range(n):
        if H[i, i] == 0:
            H[i, i], W[:, i] = 1, 0
    H = H + np.eye(n) * np.trace(H) / n * <<damp>> / 100
    U = np.linalg.cholesky(np.linalg.inv(H)).T  # the loop itself, but along the codes that were given
    w, lost = W.copy(), 0.0
    for i in range(n):
        g = i // <<group>>
        if i % <<group>> == 0:
            largest = np.abs(w[:, i:i + <<group>>]).max(axis=1)
            want = np.where(largest > 1e-9, largest / top, 1.0)
            if (np.abs(scales[:, g] - want) > 1e-6 * want + 1e-9).any():
                return False
        for row in range(len(W)):
            place = min(max(w[row, i] / want[row], -top), top)
            if abs(codes[row, i] - place) > 0.5005:
                return False
        err = (w[:, i] - scales[:, g] * codes[:, i]) / U[i, i]
        w -= np.outer(err, U[i])
        lost += float(err @ err)
    return abs(loss - lost) <= 1e-6 * lost + 1e-9
'''


def _changed(old: str, new: str) -> str:
    assert old in REFERENCE
    return REFERENCE.replace(old, new)


_LOSS = "np.isclose(loss, (D @ H * D).sum(), 1e-6)"
_MOVE = " + np.linalg.solve(H[i:, i:], H[i:, :i] @ D[:, :i].T).T"
_X = "(numbers[12:] + 2 * numbers[12:, :1]).round(2)"
WRONG = (
    Wrong("everything is accepted", 8, _changed("bool(right)", "True")),
    Wrong("everything is refused", 8, _changed("bool(right)", "False")),
    Wrong("each code must be nearest to the weight as it was", 8, _changed(_MOVE, "")),
    Wrong("the free weights move the wrong way", 8, _changed(" + np.linalg", " - np.linalg")),
    Wrong("damping forgotten", 8, _changed(" * <<damp>> / 100", " * 0")),
    Wrong("columns from the other side", 8, _changed("<<turn>>", "<<other_turn>>")),
    Wrong("codes of other bits", 8, _changed("<<highest>>", "<<other_highest>>")),
    Wrong("the loss of the weights", 8, _changed("(D @ H * D).sum()", "(D * D).sum()")),
    Wrong("only the loss", 6, _changed("range(len(H))", "range(0)")),
    Wrong("the loss is not looked at", 1, _changed(_LOSS, "True")),
    Wrong("inputs that have nothing in common", 4, _changed(_X, "np.eye(12)")),
    Wrong("no dead column", 1, _changed("X[:, 1] = W[0]", "W[0]")),
    Wrong("no row of zeros", 1, _changed("X[:, 1] = W[0]", "X[:, 1]")),
    Wrong("an array instead of an answer", 8, _changed("bool(right)", "scales == scales")),
)
