"""08.2: right answers and wrong ones."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
W = np.array(W)
<<clear_early>>
scale = np.abs(W).max(axis=1) / <<end>>
scale[scale == 0] = 1
W[:, dead] = 0
codes, loss = np.zeros(W.shape, int), 0.0
for i in <<columns>>:
    codes[:, i] = np.clip(np.rint(W[:, i] / scale), <<lowest>>, <<highest>>)
    err = (W[:, i] - scale * codes[:, i]) / F[i, i]
    W -= np.outer(err, F[i])
    loss += (err**2).sum()
return codes, loss
'''

SECOND = '''
rows, columns = len(W), len(F)
codes, loss = [[0] * columns for _ in range(rows)], 0.0
for r in range(rows):
    w = [0.0 if j in dead else float(W[r][j]) for j in range(columns)]
    scale = max(abs(v) for v in <<row>>) / <<end>> or 1.0
    for i in <<columns>>:
        code = min(max(round(w[i] / scale), <<lowest>>), <<highest>>)
        codes[r][i], err = code, (w[i] - scale * code) / F[i][i]
        for j in <<free>>:
            w[j] -= err * F[i][j]
        loss += err * err
return codes, float(loss)
'''

WRONG = (
    Wrong("every column for itself", 4, REFERENCE.replace("    W -= np.outer(err, F[i])\n", "")),
    Wrong("the free weights move the wrong way", 4, REFERENCE.replace(
        "W -= np.outer(err, F[i])", "W[:, <<after>>] += np.outer(err, F[i, <<after>>])")),
    Wrong("the error not divided", 4, REFERENCE.replace(" / F[i, i]", "")),
    Wrong("divided by the square", 4, REFERENCE.replace(" / F[i, i]", " / F[i, i]**2")),
    Wrong("a row of the whole inverse instead of the factor's", 3, REFERENCE.replace("codes, loss", """
inverse = F.T @ F
codes, loss""".lstrip(), 1).replace("W -= np.outer(err, F[i])", "W -= np.outer(err, inverse[i] / inverse[i, i]**0.5)")
          .replace("/ F[i, i]", "/ inverse[i, i]**0.5")),
    Wrong("from the other side", 4, REFERENCE.replace("<<columns>>", "<<other_columns>>")),
    Wrong("a new grid for every column", 6, REFERENCE.replace("    codes[:, i] =", """
    scale = np.abs(W).max(axis=1) / <<end>>
    scale[scale == 0] = 1
    codes[:, i] =""".lstrip("\n"))),
    Wrong("codes not clipped", 5, REFERENCE.replace(
        "np.clip(np.rint(W[:, i] / scale), <<lowest>>, <<highest>>)", "np.rint(W[:, i] / scale)")),
    Wrong("the other rule for dead columns", 1, REFERENCE.replace("<<clear_early>>", "<<clear_late>>").replace(
        "W[:, dead] = 0\ncodes", "<<other_clear>>\ncodes")),
    Wrong("dead columns like all others", 1, REFERENCE.replace("<<clear_early>>\n", "").replace(
        "W[:, dead] = 0\n", "")),
    Wrong("a division by zero", 1, REFERENCE.replace("scale[scale == 0] = 1\n", "")),
    Wrong("the loss of the weights instead of the output", 1, REFERENCE.replace(
        "loss += (err**2).sum()", "loss += ((err * F[i, i]) ** 2).sum()")),
    Wrong("values instead of codes", 7, REFERENCE.replace("return codes", "return codes * scale[:, None]")),
)
