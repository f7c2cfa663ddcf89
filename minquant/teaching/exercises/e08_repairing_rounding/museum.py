"""08.6, stretch: a test for GPTQ, and a museum of broken ones to run it on.

What varies: bits, the length of a group, the damping, and from which side the columns are taken.
The bugs are those of real implementations: the factor of H where that of its inverse is meant, damping forgotten or too
large, an update that is lost or not divided, grids of weights that have moved since, dead columns, rows of zeros, an
error of the weights in place of the output's. Both right programs follow every rule: one runs the loop on a Cholesky
factor, the other solves for the free weights anew at each column and sends half-way cases away from 0.
Source: Frantar et al. 2022, "GPTQ", arXiv 2210.17323, section 3.3 and Algorithm 1.
"""

from __future__ import annotations

import numpy as np

from ..museum import Museum, Room, array
from ..source import Exercise, Miss, Spec
from ..variant import Draw
from .museum_answers import REFERENCE, SECOND, STARTER, WRONG

MOST, MOST_COLUMNS = 4_000, 24  # numbers in W and in X; columns of both
LARGEST = 1e3
NOTHING = 1e-9  # a weight that is smaller was meant to be 0: what moved it was rounding of float64
SHOWN = ([[0.9, 0.4, -0.7, 0.2] * 3], [[1.0, 0.5, 0.2, 0.3] * 3, [0.4, 1.0, 0.6, 0.1] * 3])


def spec(draw: Draw) -> dict:
    """The rules of one variant."""
    bits, forward = draw.choice("bits", (3, 4)), draw.choice("forward", (True, False))
    drawn = {"highest": 2 ** (bits - 1) - 1, "other_highest": 7 if bits == 3 else 3,
             "group": draw.integer("group", 2, 4), "damp": draw.integer("damp", 2, 6), "forward": forward,
             "side_words": "left to right" if forward else "right to left",
             "turn": "[:, ::1]" if forward else "[:, ::-1]", "other_turn": "[:, ::-1]" if forward else "[:, ::1]"}
    W, X = (np.array(rows)[:, :2 * drawn["group"]] for rows in SHOWN)
    scales, codes, loss = factored(drawn, W, X)
    return drawn | {"most": MOST_COLUMNS, "W_text": W.tolist(), "X_text": X.tolist(),
                    "example": f"scales {scales.round(5).tolist()}, codes {codes.tolist()} and the loss {loss:.5f}"}


def _problem(spec: Spec, W: np.ndarray, X: np.ndarray, damp: float = 1.0, clear: bool = True) -> tuple:
    """W without its dead columns, and H with damping, both in the order in which columns are taken."""
    turn = slice(None, None, 1 if spec["forward"] else -1)
    W, X = W[:, turn].copy(), X[:, turn]
    H = X.T @ X
    dead = np.diag(H) == 0
    H[dead, dead] = 1
    if clear:
        W[:, dead] = 0
    return W, H + np.eye(len(H)) * (damp * spec["damp"] / 100 * np.diag(H).mean())


def _end(w: np.ndarray) -> np.ndarray:
    return np.abs(w).max(axis=1)


def _handed_on(w: np.ndarray, err: np.ndarray, row: np.ndarray) -> None:
    """Take the error of a column out of those behind it; row is theirs in the factor, its own entry first."""
    w -= np.outer(err / row[0], row[1:])


def _loop(factor=None, update=_handed_on, end=_end, early=False, whole=False, zero=1.0, damp=1.0, clear=True,
          loss=None):
    """A program that is right but for the parts named."""
    def program(spec: Spec, W: np.ndarray, X: np.ndarray) -> tuple:
        top, size = spec["highest"], spec["group"]
        W, H = _problem(spec, W, X, damp, clear)
        U = (factor or _factor)(H)
        w, codes, scales = W.copy(), np.zeros(W.shape, np.int64), np.ones((len(W), W.shape[1] // size))
        for i in range(W.shape[1]):
            if i % size == 0:
                source = W if early or whole else w
                largest = end(source if whole else source[:, i:i + size])
                scales[:, i // size] = np.where(largest > NOTHING, largest / top, 1.0)
            scale = scales[:, i // size]
            codes[:, i] = np.clip(np.rint(w[:, i] / scale), -top, top)
            update(w[:, i + 1:], w[:, i] - scale * codes[:, i], U[i, i:])
        D = W - scales.repeat(size, axis=1) * codes
        cost = (loss or _output)(D, H)
        scales[(W == 0).all(axis=1)] = zero
        return _turned_back(spec, scales, codes, cost)

    return program


def _factor(H: np.ndarray) -> np.ndarray:
    """The upper triangle U with H^-1 = U^T U."""
    return np.linalg.cholesky(np.linalg.inv(H)).T


def _output(D: np.ndarray, H: np.ndarray) -> float:
    return float((D @ H * D).sum())


def _turned_back(spec: Spec, scales: np.ndarray, codes: np.ndarray, loss: float) -> tuple:
    turn = slice(None, None, 1 if spec["forward"] else -1)
    return scales[:, turn], codes[:, turn], loss


factored = _loop()  # a right program


def solved(spec: Spec, W: np.ndarray, X: np.ndarray) -> tuple:
    """Another: no factor; the free weights are solved for at every column, and half-way cases go away from 0."""
    top, size = spec["highest"], spec["group"]
    W, H = _problem(spec, W, X)
    D, codes, scales = np.zeros(W.shape), np.zeros(W.shape, np.int64), np.ones((len(W), W.shape[1] // size))
    for i in range(W.shape[1]):
        w = W[:, i:] + np.linalg.solve(H[i:, i:], H[i:, :i] @ D[:, :i].T).T
        if i % size == 0:
            largest = _end(w[:, :size])
            scales[:, i // size] = np.where(largest > NOTHING, largest / top, 1.0)
        steps = w[:, 0] / scales[:, i // size]
        codes[:, i] = np.clip(np.copysign(np.floor(np.abs(steps) + 0.5), steps), -top, top)
        D[:, i] = W[:, i] - scales[:, i // size] * codes[:, i]
    return _turned_back(spec, scales, codes, _output(D, H))


def _not_divided(w: np.ndarray, err: np.ndarray, row: np.ndarray) -> None:
    w -= np.outer(err, row[1:])


def _wrong_way(w: np.ndarray, err: np.ndarray, row: np.ndarray) -> None:
    w += np.outer(err / row[0], row[1:])


ROOMS = (
    Room("the factor", {
        "the factor of H, not of its inverse": _loop(lambda H: np.linalg.cholesky(H).T),
        "no damping to speak of": _loop(damp=1e-6), "damped by ten times as much": _loop(damp=10.0)},
        "what a column takes over from those before it follows from H alone, with the damping of the rules",
        "use inputs X that have much in common, and hold each code against the weight as it should be by then"),
    Room("the update", {
        "nothing is handed on": _loop(update=lambda w, err, row: None),
        "the error is not divided": _loop(update=_not_divided), "handed on the wrong way": _loop(update=_wrong_way)},
        "free weights move to where the error of the output is smallest, given what has been rounded so far",
        "D is known for the columns before; which values of the others make trace(D H Dᵀ) smallest?"),
    Room("grids", {
        "scales of weights before they moved": _loop(early=True), "one scale for a whole row": _loop(whole=True),
        "the largest weight, not the largest magnitude": _loop(end=lambda w: w.max(axis=1))},
        "a group's scale comes from its weights as they are when its first column is reached",
        "work out all free weights at the beginning of a group, not only the column that is next"),
    Room("dead columns, zeros and the loss", {
        "dead columns are rounded like others": _loop(clear=False), "a row of zeros": _loop(zero=0.0),
        "the error of the weights": _loop(loss=lambda D, H: float(np.square(D).sum()))},
        "dead columns become 0, a row of zeros has the scale 1, and the loss is that of the output",
        "give X a column of zeros and W a row of zeros, and compute the loss from scales and codes"),
)


def read(spec: Spec, one: object) -> tuple[np.ndarray, np.ndarray]:
    """An input (W, X) as the learner wrote it."""
    if not isinstance(one, list) or len(one) != 2:
        raise Miss("an entry of inputs() is not a pair", "each is (W, X): weights, and inputs with as many columns",
                   "write for example  return [(np.ones((2, 12)), np.eye(12))]")
    W, X = array(one[0], 2, MOST), array(one[1], 2, MOST)
    if W is None or X is None or W.shape[1] != X.shape[1] or W.shape[1] > MOST_COLUMNS or W.shape[1] % spec["group"]:
        raise Miss("an entry of inputs() is no input of these programs",
                   f"W and X have two axes, at most {MOST:,} finite numbers each, and the same number of columns: a "
                   f"multiple of {spec['group']}, at most {MOST_COLUMNS}", "print the shape of every W and X")
    sizes = np.abs(np.concatenate([W[W != 0], X[X != 0]]))
    if len(sizes) and not 1 / LARGEST <= sizes.min() <= sizes.max() <= LARGEST:
        raise Miss("an entry of inputs() has numbers that are very small or very large",
                   "a number is 0, or its magnitude is from 0.001 to 1000",
                   "scale your numbers, or set small ones to 0")
    return W, X


MUSEUM = Museum((factored, solved), ROOMS, read)

EXERCISE = Exercise(
    id="08.6", title="A museum of broken GPTQs", kind="stretch", difficulty=5, importance=4, minutes=30,
    objective="You can tell a right GPTQ from a broken one by what every right one must satisfy.",
    spec=spec, show=MUSEUM.show, wrong=WRONG,
    prose="""
This time you write the *test*. Twelve programs are broken, each in one way; two are right. You never see them, only
what they give. Each takes weights W (rows, columns) and inputs X (samples, columns), and returns
`(scales, codes, loss)`:

| | |
|---|---|
| H | XᵀX |
| dead columns, where H_ii is 0 | their weights become 0 before anything else, and H_ii becomes 1 |
| damping | <<damp>>% of the mean of the diagonal of H is then added to the diagonal |
| order | columns are taken from <<side_words>> |
| free weights | always lie where trace(D H Dᵀ) is smallest, given D = W - scale * code in the columns done |
| groups | <<group>> neighbouring columns; a scale per row and group, in the order of W |
| a scale | (largest magnitude of the group's weights when its first column is reached) / <<highest>>; 1 if none is above 1e-9 |
| a code | (weight when its column is reached) / scale, rounded, clipped to -<<highest>> .. <<highest>> |
| half-way cases | may go to either code |
| loss | trace(D H Dᵀ) at the end, for all columns |

Write two functions. `inputs()` returns a list of at most 50 pairs `(W, X)`: at most <<most>> columns, a multiple of
<<group>>; zeros, and numbers of magnitude 0.001 to 1000. `accepts(W, X, scales, codes, loss)` says, as True or False,
whether such an output may be right. Scales come as (rows, groups), codes as (rows, columns). Programs calculate in
float64: allow a millionth and 1e-9 in scales and loss, and a thousandth of a step beyond half a step in codes. A bug is
caught if one of its outputs is refused. Refuse a right program once, and nothing counts: an alarm that always rings is
not one.

**Example.** For the W and X in the cell below a right program gives <<example>>.
""",
    hints=("No Cholesky factor is needed. With D for the columns done (P) and H, the free ones (F) are at "
           "W_F + D_P H_PF H_FF⁻¹: set the slope of trace(D H Dᵀ) to zero and solve.",
           "Do not compute codes of your own: at a half-way case they could differ from right ones, and so would all "
           "that follows. Take D from the codes you were given, and ask of each whether it was a right next step.",
           "`np.linalg.solve(H[i:, i:], H[i:, :i] @ D[:, :i].T).T` is the move of the free columns from i on. If "
           "columns go from right to left, turn W, X, scales and codes round first."),
    given="""
# The example. Change what you like.
W = np.array(<<W_text>>)
X = np.array(<<X_text>>)
""",
    head="# inputs: what to try;  accepts: whether an output may be right",
    starter=STARTER, reference=REFERENCE, second=SECOND,
    explanation="The test follows the codes it was given, step by step, and asks of each whether it was right there. "
                "So a half-way case may go to either side, and one wrong step is found where it is made. It needs none "
                "of what makes GPTQ fast: a property is often much plainer than the program.",
    checks=MUSEUM.checks(),
)
