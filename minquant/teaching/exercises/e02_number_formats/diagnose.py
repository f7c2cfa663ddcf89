"""02.4, diagnose: a table of numbers and their codes, three of which are wrong.

What varies: the format, the numbers, which rows are wrong, and which three of five mistakes were made.
Every kind of number in the table stands there twice where its mistake was planted, once right and once wrong, and each
wrong code can come from one of the five mistakes only.
"""

from __future__ import annotations

from ..beside import Bars, yours
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw
from . import layout

WIDTHS = ((3, 4), (2, 4), (3, 3), (4, 2), (2, 5))
PLANTED = 3
CAUSES = {"ties": "a tie was rounded away from zero",
          "twice": "the number was rounded to M + 7 mantissa bits first, and then again",
          "cut": "the dropped bits were cut off",
          "flushed": "a subnormal number became zero",
          "wrapped": "a code too large lost its upper bits instead of being limited"}


def spec(draw: Draw) -> dict:
    """Format, rows and planted mistakes of one variant, with the table as Markdown and as Python."""
    E, M = draw.choice("widths", WIDTHS)
    drawn = {"E": E, "M": M, "bias": layout.standard_bias(E) + draw.choice("shift", (0, 1, 2))}
    drawn |= layout.names(drawn)
    drawn["largest_value"] = f"{layout.number(drawn, drawn['sign_bit'] - 1):g}"
    planted = draw.order("planted", tuple(CAUSES))[:PLANTED]
    kinds = draw.order("rows", [*CAUSES, "carry", *(f"{cause}!" for cause in planted)])
    rows, wrong = [], {}
    for row, kind in enumerate(kinds, 1):
        x = _number(drawn, draw, kind.rstrip("!"), planted=kind.endswith("!"), name=f"row{row}")
        code = right(drawn, x)
        if kind.endswith("!"):
            wrong[row] = kind[:-1]
            code = broken(drawn, x, kind[:-1])
        rows.append({"row": row, "x": x, "code": code})
    return drawn | {"rows": rows, "wrong": wrong} | _texts(drawn, rows)


def _texts(drawn: dict, rows: list[dict]) -> dict:
    width = drawn["bits"]
    return {"table": "\n".join(f"| {r['row']} | {r['x']!r} | `{r['code']:0{width}b}` |" for r in rows),
            "code": "\n".join(f"    dict(row={r['row']}, x={r['x']!r}, code=0b{r['code']:0{width}b})," for r in rows),
            "cause_table": "\n".join(f'| `"{cause}"` | {words} |' for cause, words in CAUSES.items())}


def _number(spec: Spec, draw: Draw, kind: str, planted: bool, name: str) -> float:
    """A number of one kind, with a sign; planted: one that its mistake gets wrong."""
    normal = range(spec["steps"] + 2, spec["sign_bit"] - 3)
    code = normal[draw.integer(f"{name}.code", 0, len(normal) - 1)]
    even, odd = code - code % 2, code - code % 2 + 1
    nudge = 2.0**-10 * (1 if draw.choice(f"{name}.nudge", (True, False)) else 0.75)  # of a step: gone at M + 7 bits
    size = {"ties": lambda: layout.between(spec, even if planted else odd, 0.5),
            "twice": lambda: layout.between(spec, odd, 0.5 - nudge if planted else 0.5 + nudge),
            "cut": lambda: layout.between(spec, code, draw.choice(
                f"{name}.share", (0.75, 0.8125, 0.875) if planted else (0.125, 0.1875, 0.25))),
            "flushed": lambda: layout.number(spec, draw.integer(f"{name}.steps", 2, spec["steps"] - 1)),
            "wrapped": lambda: layout.number(spec, spec["sign_bit"] - 1) * draw.choice(f"{name}.far", (1.5, 1.75, 2.5)),
            "carry": lambda: layout.between(spec, (2 + code % 2) * spec["steps"] - 1, 0.8125)}[kind]()
    return size * draw.choice(f"{name}.sign", (1, -1))


def right(spec: Spec, x: float) -> int:
    """The code that should stand there; numbers too large saturate."""
    return min(layout.nearest(spec, abs(x)), spec["sign_bit"] - 1) + spec["sign_bit"] * (x < 0)


def broken(spec: Spec, x: float, cause: str) -> int:
    """The code that a program with one mistake writes."""
    size, code, sign = abs(x), layout.nearest(spec, abs(x)), spec["sign_bit"] * (x < 0)
    below = code if layout.number(spec, code) <= size else code - 1
    if cause == "ties" and size == layout.between(spec, below, 0.5):
        code = below + 1
    elif cause == "twice" and size < layout.number(spec, spec["sign_bit"] - 1):
        fine = spec | {"M": spec["M"] + 7}
        code = layout.nearest(spec, layout.number(fine, layout.nearest(fine, size)))
    elif cause == "cut":
        code = below
    elif cause == "flushed" and size < layout.number(spec, spec["steps"]):
        code = 0
    elif cause == "wrapped":
        return code % spec["sign_bit"] + sign
    return min(code, spec["sign_bit"] - 1) + sign


def _dict(answers: Answers, name: str) -> dict:
    got = answers.value(name)
    if not isinstance(got, dict):
        raise Miss(f"`{name}` is {got!r}", "the checks read a dict with the number of a row on the left",
                   f"write it as {{row: ..., row: ..., row: ...}}, for example {name} = {{2: ...}}")
    if not got:
        raise Miss(f"`{name}` is empty", "the answer cell has not been filled in yet",
                   "work out the code of each row, or the value of each code, and compare")
    if len(got) > PLANTED:
        raise Miss(f"`{name}` names {len(got)} rows", "three rows are wrong; naming more is a guess and earns nothing",
                   "keep the three that you can explain")
    return got


def rows(spec: Spec, answers: Answers) -> None:
    """The three rows."""
    got = _dict(answers, "findings")
    found = sum(row in spec["wrong"] for row in got)
    if found < PLANTED:
        raise Miss(f"`findings` names {sorted(map(str, got))}; {found} of these are wrong in the table",
                   "a right code is that of the nearest number, ties to even, the largest number for what is too large",
                   "find the two neighbours of x among the numbers of the format, and see which is nearer",
                   max(found - 1, 0))


def causes(spec: Spec, answers: Answers) -> None:
    """What went wrong in them."""
    got = _dict(answers, "findings")
    found = sum(got.get(row) == cause for row, cause in spec["wrong"].items())
    if found < PLANTED:
        raise Miss(f"{found} of the 3 wrong rows stand in `findings` with their cause",
                   "each mistake shows on one kind of number only, and leaves its own wrong code",
                   "is x exactly in the middle, just beside it, below the smallest normal number, or too large?",
                   max(found - 1, 0))


def corrected(spec: Spec, answers: Answers) -> None:
    """The codes that should stand there."""
    got = _dict(answers, "corrected")
    found = 0
    for row in spec["wrong"]:
        code, want = got.get(row), right(spec, spec["rows"][row - 1]["x"])
        found += isinstance(code, int) and not isinstance(code, bool) and code == want
    if found < PLANTED:
        raise Miss(f"{found} of the 3 codes in `corrected` are right",
                   "a code is a whole number, with the sign in its top bit; 0b... is a handy way to write it",
                   "decode what you wrote and look whether a neighbour is nearer to x", max(found - 1, 0))


def distance(spec: Spec, x: float, code: int) -> float:
    """How far a code lies from x, in steps of the format at x; 4 at most, so that a picture can show it."""
    value = layout.number(spec, code % spec["sign_bit"]) * (-1 if code >= spec["sign_bit"] else 1)
    at = min(layout.nearest(spec, abs(x)), spec["sign_bit"] - 2)
    return min(abs(value - x) / (layout.number(spec, at + 1) - layout.number(spec, at)), 4.0)


def show(spec: Spec, answers: Answers) -> Bars:
    """Distance between each number and its code, as printed and with the learner's corrections."""
    fixed = yours(lambda: answers.value("corrected"))
    fixed = fixed if isinstance(fixed, dict) else {}
    bars = []
    for row in spec["rows"]:
        code = fixed.get(row["row"], row["code"])
        code = code if isinstance(code, int) and 0 <= code < 2 * spec["sign_bit"] else row["code"]
        bars.append((f"row {row['row']}", distance(spec, row["x"], code), distance(spec, row["x"], row["code"])))
    return Bars("Distance between x and its code, 4 steps at most", "steps", bars, other="Table")


def fields(spec: Spec) -> dict:
    """What only answers may know: the wrong rows a < b < c, their causes and right codes, and a sound row."""
    known: dict = {}
    for letter, (row, cause) in zip("abc", sorted(spec["wrong"].items()), strict=True):
        known |= {letter: row, f"cause_{letter}": cause, f"right_{letter}": right(spec, spec["rows"][row - 1]["x"]),
                  f"printed_{letter}": spec["rows"][row - 1]["code"]}
    sound = next(r["row"] for r in spec["rows"] if r["row"] not in spec["wrong"])
    return known | {"sound": sound, "sound_code": spec["rows"][sound - 1]["code"],
                    "all_rows": {r["row"]: "cut" for r in spec["rows"]} | spec["wrong"]}


_ANSWER = '''
findings = {<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>", <<c>>: "<<cause_c>>"}
corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>, <<c>>: <<right_c>>}
'''

WRONG = (
    Wrong("the causes mixed up", 2, _ANSWER.replace("<<cause_a>>", "<<cause>>").replace(
        "<<cause_b>>", "<<cause_a>>").replace("<<cause_c>>", "<<cause_b>>").replace("<<cause>>", "<<cause_c>>")),
    Wrong("the printed codes kept", 2, _ANSWER.replace("right_", "printed_")),
    Wrong("one row not found", 3, '''
        findings = {<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
        corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}'''),
    Wrong("a sound row accused", 3, '''
        findings = {<<a>>: "<<cause_a>>", <<sound>>: "<<cause_b>>", <<c>>: "<<cause_c>>"}
        corrected = {<<a>>: <<right_a>>, <<sound>>: <<sound_code>>, <<c>>: <<right_c>>}'''),
    Wrong("one row of three", 6, 'findings = {<<b>>: "<<cause_b>>"}\ncorrected = {<<b>>: <<right_b>>}'),
    Wrong("every row accused", 4, "findings = <<all_rows>>\n" + _ANSWER.strip().splitlines()[1]),
    Wrong("codes as text", 2, _ANSWER.replace("<<right_a>>", '"<<right_a>>"').replace(
        "<<right_b>>", '"<<right_b>>"').replace("<<right_c>>", '"<<right_c>>"')),
    Wrong("the sign bit the other way round", 2, _ANSWER.replace("<<right_a>>", "<<right_a>> ^ <<sign_bit>>").replace(
        "<<right_b>>", "<<right_b>> ^ <<sign_bit>>").replace("<<right_c>>", "<<right_c>> ^ <<sign_bit>>")),
)

EXERCISE = Exercise(
    id="02.4", title="Three wrong codes", kind="diagnose", difficulty=3, importance=4, minutes=10,
    objective="You can tell from a wrong code what the program that wrote it did wrong.",
    spec=spec, show=show, answer_fields=fields, wrong=WRONG,
    prose="""
Somebody's encoder wrote the codes below. The format has <<bits>> bits: sign, <<E>> exponent bits, <<M>> mantissa bits,
bias <<bias>>; every code is a number, the largest is <<largest_value>>. The rules are the usual ones: to the nearest
number, ties to the code that ends in 0, subnormal numbers kept, and the largest number for whatever is too large.
**Three codes are wrong**, for three different reasons. All x are exact as printed.

| row | x | code |
|---|---|---|
<<table>>

Fill in two dicts: `findings` gives each wrong row its cause, `corrected` the code that should stand there, as a whole
number. The causes to choose from (M is the number of mantissa bits):

| cause | meaning |
|---|---|
<<cause_table>>
""",
    hints=("Two of your functions from above, with this format's numbers in them, make short work of the rows.",
           "For a wrong row, write down x in steps: how many steps is it above a power of two? 5.5 is a tie, 5.499 is "
           "not, but something makes it one."),
    given="""
# The table as data, for your own sums. Change what you like: the checks use the table above.
rows = [
<<code>>
]
""",
    head="# findings: row -> cause; corrected: row -> code",
    starter="findings = {}\ncorrected = {}",
    reference=_ANSWER,
    second='''
def number(code):
    e, m = divmod(code % <<sign_bit>>, <<steps>>)
    return (-1) ** (code // <<sign_bit>>) * math.ldexp(m + <<steps>> * (e > 0), max(e, 1) - <<bias>> - <<M>>)

codes = range(2 * <<sign_bit>>)
best = {r["row"]: min(codes, key=lambda c: (abs(number(c) - r["x"]), c % 2)) for r in rows}
corrected = {r["row"]: best[r["row"]] for r in rows if best[r["row"]] != r["code"]}
findings = dict(zip(sorted(corrected), ["<<cause_a>>", "<<cause_b>>", "<<cause_c>>"]))
''',
    explanation="Ties and double rounding show in the middle between two numbers and nowhere else, which is why tests "
                "with random numbers miss them: a test of an encoder begins with every midpoint, the numbers just "
                "beside it, and both ends of the range.",
    checks=(Check("the three rows", 2, rows), Check("their causes", 2, causes), Check("the right codes", 2, corrected)),
)
