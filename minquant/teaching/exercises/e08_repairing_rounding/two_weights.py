"""08.1, warm-up: one of two weights is rounded; where must the other go?

What varies: the step of the grid, which of the two is rounded, and how H is damped.
The traps: the sign of the answer, and whose diagonal element stands below it. It is the one of the weight that moves.
Source: the update of Optimal Brain Surgeon (Hassibi and Stork 1993), which OBQ and GPTQ repeat, for two weights.
"""

from __future__ import annotations

from ..beside import Bars, yours
from ..checking import close, written
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw
from .arrays import Rows, numbers

NAME = "two_weights"
Pair = list[float]


def spec(draw: Draw) -> dict:
    """The rules of one variant, and the weights of the worked example."""
    first, share, largest = (draw.choice("first", (0, 1)), draw.choice("share", (0.05, 0.1, 0.2, 0.25)),
                             draw.choice("largest", (True, False)))
    step = draw.choice("step", (0.2, 0.25, 0.4, 0.5))
    mean = f"{share} * (H[0][0] + H[1][1]) / 2"
    most = f"{share} * max(H[0][0], H[1][1])"
    drawn = {"first": first, "other": 1 - first, "step": step, "share": share, "largest": largest,
             "damp": most if largest else mean, "other_damp": mean if largest else most,
             "result": "moved, q" if first else "q, moved", "other_result": "q, moved" if first else "moved, q",
             "first_words": ("w[0]", "w[1]")[first], "other_words": ("w[1]", "w[0]")[first],
             "numpy": "max" if largest else "mean",
             "damp_words": f"{share} times the {'larger' if largest else 'mean'} of H[0][0] and H[1][1]"}
    w = [0.0, 0.0]
    w[first] = round(step * (draw.integer("whole", 1, 4) + draw.between("off", 0.2, 0.45)), 3)
    w[1 - first] = round(draw.between("rest", -1, 1), 2)
    H = [[8.0, 3.0], [3.0, 4.0]] if draw.choice("turned", (True, False)) else [[4.0, -2.0], [-2.0, 6.0]]
    q, moved = (answer(drawn, w, H)[i] for i in (first, 1 - first))
    return drawn | {"w": w, "H": H, "example": f"{('w[0]', 'w[1]')[first]} becomes {q:g}, and the other {moved:.4f}"}


def answer(spec: Spec, w: Pair, H: Rows) -> Pair:
    """Both weights afterwards, by the rules of the exercise."""
    first, other = spec["first"], spec["other"]
    q = spec["step"] * round(w[first] / spec["step"])
    level = max(H[0][0], H[1][1]) if spec["largest"] else (H[0][0] + H[1][1]) / 2
    found = [q, q]
    found[other] = w[other] + (w[first] - q) * H[0][1] / (H[other][other] + spec["share"] * level)
    return found


def lost(w: Pair, H: Rows, now: Pair) -> float:
    """The squared error of the output, d H d, without damping."""
    d = [b - a for a, b in zip(w, now, strict=True)]
    return sum(d[i] * H[i][j] * d[j] for i in (0, 1) for j in (0, 1))


def weights(spec: Spec) -> list[Pair]:
    """Pairs whose weight that is to be rounded lies above, below, and on the grid, clear of half-way."""
    step, pairs = spec["step"], []
    for at, rest in ((2.3, 0.6), (1.75, -0.35), (-1.3, 0.85), (-0.8, 0.15)):
        pair = [rest, rest]
        pair[spec["first"]] = round(at * step, 6)
        pairs.append(pair)
    return pairs


def _ask(answers: Answers, w: Pair, H: Rows) -> Pair:
    return numbers(answers.call(NAME, w, H), (2,), written(NAME, (w, H)), "weights").tolist()


def rounded(spec: Spec, answers: Answers) -> None:
    """The weight that goes first lies on its grid."""
    for w in weights(spec):
        H = [[5.0, 1.0], [1.0, 3.0]]
        got, want = _ask(answers, w, H)[spec["first"]], answer(spec, w, H)[spec["first"]]
        if not close(got, want):
            raise Miss(f"{written(NAME, (w, H))} leaves {spec['first_words']} at {got:g}",
                       f"it has to lie on the nearest multiple of {spec['step']}, whatever H is",
                       f"which multiples of {spec['step']} lie on both sides of it?")


def alone(spec: Spec, answers: Answers) -> None:
    """Inputs that have nothing in common."""
    for w in weights(spec):
        H = [[6.0, 0.0], [0.0, 2.5]]
        got = _ask(answers, w, H)[spec["other"]]
        if not close(got, w[spec["other"]]):
            raise Miss(f"{written(NAME, (w, H))} moves {spec['other_words']} to {got:.5g}",
                       "H[0][1] is 0: nothing this weight does can make good an error of the other",
                       "where does H[0][1] stand in your formula?")


def direction(spec: Spec, answers: Answers) -> None:
    """Inputs that go together, or against each other."""
    for w in weights(spec):
        for H in ([[4.0, 3.0], [3.0, 5.0]], [[4.0, -3.0], [-3.0, 5.0]]):
            other = spec["other"]
            moved, want = _ask(answers, w, H)[other] - w[other], answer(spec, w, H)[other] - w[other]
            if moved * want <= 0:
                raise Miss(f"{written(NAME, (w, H))} moves {spec['other_words']} by {moved:+.4f}: "
                           f"{'the wrong way' if moved else 'not at all'}",
                           f"the two inputs {'go together' if H[0][1] > 0 else 'have opposite signs'}, so one weight "
                           "can undo a part of what the other does to the sum",
                           "which way did rounding push the output, and which way must the other weight push?")


def amount(spec: Spec, answers: Answers) -> None:
    """Exactly how far."""
    for w, H in zip(weights(spec), ([[9.0, 2.0], [2.0, 3.0]], [[2.0, -1.5], [-1.5, 7.0]], [[5.0, 4.0], [4.0, 6.0]],
                                    [[3.0, 1.0], [1.0, 1.0]]), strict=True):
        got, want = _ask(answers, w, H)[spec["other"]], answer(spec, w, H)[spec["other"]]
        if not close(got, want, 1e-6):
            far = abs(got - w[spec["other"]]) > abs(want - w[spec["other"]])
            raise Miss(f"{written(NAME, (w, H))} moves {spec['other_words']} to {got:.5g}: "
                       f"{'too far' if far else 'not far enough, or the wrong way'}",
                       "d H d, with the damped H, can be made smaller still by another move",
                       "write d H d with your two changes, set its slope in the second one to 0, and solve")


def show(spec: Spec, answers: Answers) -> Bars:
    """The output error of the example: only rounded, and with the move."""
    w, H = spec["w"], spec["H"]
    want, mine = answer(spec, w, H), yours(lambda: _ask(answers, w, H))
    alone = list(w)
    alone[spec["first"]] = want[spec["first"]]
    before = lost(w, H, alone)
    return Bars("Squared error of the output in the example", "", [
        ("nobody moves", before, before), ("the other moves", mine and lost(w, H, mine), lost(w, H, want))])


REFERENCE = '''
q = <<step>> * round(w[<<first>>] / <<step>>)
moved = w[<<other>>] + (w[<<first>>] - q) * H[0][1] / (H[<<other>>][<<other>>] + <<damp>>)
return <<result>>
'''

EXERCISE = Exercise(
    id="08.1", title="The other weight answers", kind="warm-up", difficulty=2, importance=5, minutes=5,
    objective="You can say how one weight must move to make good the rounding of another.",
    spec=spec, show=show, reference=REFERENCE,
    prose="""
An output is `w[0] * x0 + w[1] * x1`. Over many samples, changing the two weights by d costs the squared error
d H d = `H[0][0] * d0**2 + 2 * H[0][1] * d0 * d1 + H[1][1] * d1**2`.

| what | |
|---|---|
| <<first_words>> | is rounded to the nearest multiple of <<step>> |
| <<other_words>> | then takes the value, not rounded, that makes d H d as small as it can be |
| damping | first, <<damp_words>> is added to both diagonal elements of H |

Write `two_weights(w, H)`, which returns both weights afterwards, `w[0]` first. `w` is a list of two numbers, `H` a list
of two rows.

**Example.** With w = <<w>> and H = <<H>>, <<example>>.
""",
    hints=("One change is fixed by rounding. d H d is then a parabola in the other change: where is its lowest point?",
           "The diagonal element of the weight that *moves* says how dear a move is."),
    head='''
def two_weights(w, H):
    """Both weights after one was rounded and the other has answered."""
''',
    second='''
damped = np.array(H) + <<share>> * np.diag(H).<<numpy>>() * np.eye(2)
inverse = np.linalg.inv(damped)
off = w[<<first>>] - <<step>> * np.rint(w[<<first>>] / <<step>>)
return (np.array(w) - off / inverse[<<first>>, <<first>>] * inverse[<<first>>]).tolist()
''',
    explanation="The second answer is the rule of OBQ and GPTQ: the error over the diagonal element of the *inverse*, "
                "times its row. It gives the same move, since inverse[0][1] / inverse[0][0] is -H[0][1] / H[1][1], "
                "and it works for any number of weights.",
    checks=(Check("one weight is rounded", 1, rounded), Check("inputs that have nothing in common", 1, alone),
            Check("the other weight moves the right way", 1, direction), Check("and exactly so far", 2, amount)),
    wrong=(
        Wrong("the wrong way", 3, REFERENCE.replace("+ (w[<<first>>] - q)", "- (w[<<first>>] - q)")),
        Wrong("divided by the other diagonal element", 2, REFERENCE.replace("H[<<other>>][<<other>>]",
                                                                          "H[<<first>>][<<first>>]")),
        Wrong("not damped", 2, REFERENCE.replace(" + <<damp>>)", ")")),
        Wrong("damped by the other rule", 2, REFERENCE.replace("<<damp>>", "<<other_damp>>")),
        Wrong("all of H damped", 3, REFERENCE.replace("* H[0][1]", "* (H[0][1] + <<damp>>)")),
        Wrong("the whole error handed on", 4, REFERENCE.replace(
            " * H[0][1] / (H[<<other>>][<<other>>] + <<damp>>)", "")),
        Wrong("nobody moves", 3, "q = <<step>> * round(w[<<first>>] / <<step>>)\nmoved = w[<<other>>]\n"
              "return <<result>>"),
        Wrong("both are rounded", 4, REFERENCE.replace("return", "moved = <<step>> * round(moved / <<step>>)\nreturn")),
        Wrong("rounded down", 4, REFERENCE.replace("round(", "math.floor(")),
        Wrong("the other one is rounded", 5, REFERENCE.replace("<<first>>", "<<f>>").replace("<<other>>", "<<first>>")
              .replace("<<f>>", "<<other>>").replace("<<result>>", "<<other_result>>")),
    ),
)
