"""08.3: right answers and wrong ones."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
X = np.array(X)
H = <<H>>
H += <<share>> * np.diag(H).<<level>>() * np.eye(len(H))
order = np.argsort(<<sign>>np.diag(H))
U = np.linalg.cholesky(np.linalg.inv(H[np.ix_(order, order)])).T
back = np.argsort(order)
return order, U[np.ix_(back, back)]
'''

SECOND = '''
samples, columns = X.shape
H = np.array([[float((X[:, i] * X[:, j]).sum()) for j in range(columns)] for i in range(columns)]) * <<factor>>
damp = <<share>> * <<python_level>>
order = sorted(range(columns), key=lambda i: <<sign>>H[i, i])
F, free = np.zeros((columns, columns)), list(order)
inverse = np.linalg.inv(H + damp * np.identity(columns))
for i in order:  # take one column after the other out of the inverse
    F[i, free] = inverse[i, free] / math.sqrt(inverse[i, i])
    inverse = inverse - np.outer(F[i], F[i])
    free.remove(i)
return order, F
'''

_BACK = "U[np.ix_(back, back)]"
WRONG = (
    Wrong("the factor of H, not of its inverse", 4, REFERENCE.replace("np.linalg.inv(H[np.ix_(order, order)])",
                                                                      "H[np.ix_(order, order)]")),
    Wrong("the inverse of the factor: lower triangular", 4, REFERENCE.replace(
        "np.linalg.cholesky(np.linalg.inv(H[np.ix_(order, order)])).T",
        "np.linalg.inv(np.linalg.cholesky(H[np.ix_(order, order)]))")),
    Wrong("not transposed", 4, REFERENCE.replace(")).T\n", "))\n")),
    Wrong("left in the new order", 5, REFERENCE.replace(_BACK, "U")),
    Wrong("the order applied twice instead of undone", 5, REFERENCE.replace(_BACK, "U[np.ix_(order, order)]")),
    Wrong("rows put back, columns not", 5, REFERENCE.replace(_BACK, "U[back]")),
    Wrong("never sorted", 5, REFERENCE.replace("np.argsort(<<sign>>np.diag(H))", "np.arange(len(H))")),
    Wrong("sorted the other way", 5, REFERENCE.replace("<<sign>>", "<<other_sign>>")),
    Wrong("not damped", 4, REFERENCE.replace("H += <<share>>", "H += 0")),
    Wrong("damped by the other rule", 4, REFERENCE.replace("<<level>>", "<<other_level>>")),
    Wrong("all of H damped", 4, REFERENCE.replace(" * np.eye(len(H))", "")),
    Wrong("H counted otherwise", 4, REFERENCE.replace("<<H>>", "<<other_H>>")),
)
