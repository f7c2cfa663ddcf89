"""12.2, core: a cache that is appended to, token by token, and in which nothing is ever rounded a second time.

What varies: bits, how many tokens of a channel share a scale, and how many of the newest tokens stay in float.
The state is a plain dict that goes in and comes out, so that a check can hand in a cache with a group no rounding of
these tokens would give: an answer that touches it is found out.
"""

from __future__ import annotations

from ..beside import Bars, yours
from ..checking import close
from ..e05_bit_packing.asking import ask, short
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw
from . import rows

NAME, CHANNELS, EMPTY = "append", 3, {"codes": [], "scales": [], "waiting": []}


def spec(draw: Draw) -> dict:
    """The rules and the tokens of one variant."""
    bits = draw.choice("bits", (3, 4, 5, 6))
    group = draw.choice("group", (4, 5, 6))
    drawn = {"bits": bits, "top": 2 ** (bits - 1) - 1, "group": group, "window": group - draw.choice("less", (2, 3))}
    drawn["full"], count = drawn["group"] + drawn["window"], 3 * drawn["group"] + drawn["window"] + 1
    for turn in range(1000):
        tokens = rows.drawn(draw, f"tokens{turn}", count, CHANNELS)
        try:
            state = filled(drawn, tokens)
        except ArithmeticError:
            continue
        first = filled(drawn, tokens[:drawn["full"]])
        return drawn | {"tokens": tokens, "groups": len(state["codes"]), "channels": CHANNELS,
                        "shown": rows.literal(tokens[:drawn["full"]], 9), "example_codes": first["codes"][0],
                        "example_scales": [round(s, 5) for s in first["scales"][0]]}
    raise RuntimeError("none of a thousand texts is clear of half-way cases; draw other numbers")


def filled(spec: Spec, tokens: rows.Rows, state: dict | None = None) -> dict:
    """The cache after these tokens, by the rules of the exercise."""
    state = {name: list(part) for name, part in (state or EMPTY).items()}
    for token in tokens:
        state["waiting"].append(token)
        if len(state["waiting"]) == spec["full"]:
            grids = [rows.symmetric(c, spec["top"]) for c in rows.columns(state["waiting"][:spec["group"]])]
            state["codes"].append(rows.columns([codes for _, codes in grids]))
            state["scales"].append([scale for scale, _ in grids])
            del state["waiting"][:spec["group"]]
    return state


def _appended(answers: Answers, state: dict, tokens: rows.Rows) -> dict:
    """What the learner's function makes of a cache and these tokens."""
    for number, token in enumerate(tokens, 1):
        call = f"append(cache, token {number})"
        state = ask(answers, call, NAME, state, token)
        if not isinstance(state, dict) or set(state) != set(EMPTY) or not all(type(v) is list or hasattr(v, "tolist")
                                                                             for v in state.values()):
            raise Miss(f"{call} returned {short(state)}", "the new cache is expected: a dict with the keys codes, scales "
                       "and waiting, each a list", "does every path end in `return`?")
        state = {name: part.tolist() if hasattr(part, "tolist") else part for name, part in state.items()}
    return state


def _compare(spec: Spec, got: dict, want: dict, shown: str, why: str, advice: str) -> None:
    """Raise Miss unless two caches are alike."""
    for name, noun in (("codes", "groups of codes"), ("scales", "rows of scales"), ("waiting", "tokens that wait")):
        if len(got[name]) != len(want[name]):
            raise Miss(f"{shown}, the cache has {len(got[name])} {noun}, not {len(want[name])}", why, advice)
    rows.check_rows(got["waiting"], want["waiting"], shown, "numbers that wait", why, advice)
    for n in range(len(want["codes"])):
        rows.check_rows(got["codes"][n], want["codes"][n], f"group {n} {shown}", "codes", why, advice)
        rows.check_rows([got["scales"][n]], [want["scales"][n]], f"group {n} {shown}", "scales", why, advice)


def waits(spec: Spec, answers: Answers) -> None:
    """Before a group may leave."""
    tokens = spec["tokens"][:spec["full"] - 1]
    _compare(spec, _appended(answers, EMPTY, tokens), filled(spec, tokens), f"after {len(tokens)} tokens",
             f"nothing leaves before {spec['full']} tokens wait: they are kept as they came, in order",
             "append one token to an empty cache, and print what you return")


def leaves(spec: Spec, answers: Answers) -> None:
    """The first group; a point for what is written and one for what still waits."""
    tokens, told, earned = spec["tokens"][:spec["full"]], None, 0
    got, want = _appended(answers, EMPTY, tokens), filled(spec, spec["tokens"][:spec["full"]])
    why = f"the oldest {spec['group']} tokens leave together; the newest {spec['window']} go on waiting"
    for part, rest in (("waiting", ("codes", "scales")), ("codes", ("waiting",))):
        try:
            _compare(spec, got | {name: want[name] for name in rest}, want, f"after {len(tokens)} tokens", why,
                     "a channel of the group has one scale: look along the tokens, not along the channels")
            earned += 1
        except Miss as miss:
            told = told or miss
    if told:
        raise Miss(told.what, told.why, told.advice, earned)


def stays(spec: Spec, answers: Answers) -> None:
    """A group that was written earlier, with codes and scales that these rules would never give."""
    n = spec["group"]
    old = {"codes": [[[1] * CHANNELS] * n], "scales": [[0.3, 5.0, 0.02]], "waiting": spec["tokens"][:spec["full"] - 1]}
    tokens = spec["tokens"][spec["full"] - 1:spec["full"]]
    got, want = _appended(answers, old, tokens), filled(spec, tokens, old)
    if len(got["codes"]) != 2 or len(got["scales"]) != 2:
        raise Miss(f"a cache with one group has {len(got['codes'])} groups after the next one leaves",
                   "written groups stay, and the new one comes behind them", "what do you do with cache['codes']?")
    rows.check_rows(got["codes"][0], want["codes"][0], "the group that was there before", "codes",
                    "a group that is written is never rounded again", "leave what is in the cache alone, and add to it")
    rows.check_rows([got["scales"][0]], [want["scales"][0]], "the group that was there before", "scales",
                    "a group that is written keeps its scales", "leave what is in the cache alone, and add to it")


def long_text(spec: Spec, answers: Answers) -> None:
    """Three groups and more."""
    _compare(spec, _appended(answers, EMPTY, spec["tokens"]), filled(spec, spec["tokens"]),
             f"after {len(spec['tokens'])} tokens", f"every {spec['group']} tokens more, one group more leaves",
             "print how many wait after each token: the number goes up and down like a saw")


def zeros(spec: Spec, answers: Answers) -> None:
    """A channel of zeros."""
    tokens = [[0.0, *token[1:]] for token in spec["tokens"][:spec["full"]]]
    got = _appended(answers, EMPTY, tokens)
    if len(got["scales"]) != 1 or not isinstance(got["scales"][0], list) or not close(float(got["scales"][0][0]), 1.0) \
            or any(row[0] != 0 for row in got["codes"][0]):
        raise Miss(f"for a channel of zeros the scales were {short(got['scales'])}",
                   "a channel of zeros has the scale 1 and codes 0", "where do you divide by the scale?")


def show(spec: Spec, answers: Answers) -> Bars:
    """Tokens that wait, one token after the other."""
    bars = []
    for n in range(1, len(spec["tokens"]), 2):
        mine = yours(lambda n=n: float(len(_appended(answers, EMPTY, spec["tokens"][:n])["waiting"])))
        bars.append((f"after {n} tokens", mine, float(len(filled(spec, spec["tokens"][:n])["waiting"]))))
    return Bars("Tokens that wait in float", "", bars)


REFERENCE = '''
codes, scales, waiting = cache["codes"], cache["scales"], cache["waiting"] + [x]
if len(waiting) == <<full>>:
    group, waiting = np.array(waiting[:<<group>>]), waiting[<<group>>:]
    scale = np.abs(group).max(axis=0) / <<top>>
    scale[scale == 0] = 1
    codes = codes + [np.rint(group / scale).tolist()]
    scales = scales + [scale.tolist()]
return {"codes": codes, "scales": scales, "waiting": waiting}
'''

AGAIN = '''
codes, scales, waiting = cache["codes"], cache["scales"], cache["waiting"] + [x]
if len(waiting) == <<full>>:
    held = [np.array(c) * np.array(s) for c, s in zip(codes, scales)] + [np.array(waiting[:<<group>>])]
    waiting = waiting[<<group>>:]
    scale = np.abs(np.concatenate(held)).max(axis=0) / <<top>>
    scale[scale == 0] = 1
    codes = [np.rint(group / scale).tolist() for group in held]
    scales = [scale.tolist()] * len(held)
return {"codes": codes, "scales": scales, "waiting": waiting}
'''

WRONG = (
    Wrong("everything rounded again with a new scale", 3, AGAIN),
    Wrong("no window", 3, REFERENCE.replace("== <<full>>", "== <<group>>")),
    Wrong("all that waits leaves", 3, REFERENCE.replace("waiting[:<<group>>]", "waiting").replace(
        "waiting[<<group>>:]", "[]")),
    Wrong("the newest leave", 3, REFERENCE.replace("waiting[:<<group>>]", "waiting[-<<group>>:]").replace(
        "waiting[<<group>>:]", "waiting[:-<<group>>]")),
    Wrong("a scale for each token", 3, REFERENCE.replace(
        "scale = np.abs(group).max(axis=0)", "scale = np.abs(group).max(axis=1)[:, None] + 0 * group[:1]")),
    Wrong("one scale for the whole group", 3, REFERENCE.replace(
        "np.abs(group).max(axis=0)", "np.full(group.shape[1], np.abs(group).max())")),
    Wrong("codes of other bits", 2, REFERENCE.replace("/ <<top>>", "/ (2 * <<top>> + 1)")),
    Wrong("only the newest group kept", 3, REFERENCE.replace("codes + [", "[").replace("scales + [", "[")),
    Wrong("no case for zeros", 1, REFERENCE.replace("scale[scale == 0] = 1", "pass")),
)

EXERCISE = Exercise(
    id="12.2", title="A cache that only grows", kind="core", difficulty=3, importance=5, minutes=16,
    objective="You can write a quantized cache that takes a token at a time and never rounds a number twice.",
    spec=spec, show=show, wrong=WRONG, reference=REFERENCE,
    prose="""
A cache for keys of <<channels>> channels. It is a dict of three lists:

| part | holds |
|---|---|
| `waiting` | tokens in float, in the order in which they came: each a list of <<channels>> floats |
| `codes` | groups: each <<group>> rows (tokens) of <<channels>> codes |
| `scales` | for each group, one scale per channel |

Write `append(cache, x)`, which returns the cache with one token more. `x` is a list of <<channels>> floats.

- The token goes to the end of `waiting`.
- When <<full>> tokens wait, the **oldest <<group>>** leave together, and <<window>> go on waiting. They become a new
  group, behind those that are there.
- In a group each *channel* has a scale: its largest magnitude in these <<group>> tokens over <<top>>; 1 where all are zero.
- A code is the nearest whole number to x / scale (<<bits>> bits, from -<<top>> to <<top>>). Codes may be floats, such as 3.0.
- What is in a group already is **never touched again**.

`np` is NumPy. Lists of lists or arrays may stand in `codes` and `scales`.

**Example.** After the first <<full>> tokens of the cell below, the only group has the scales (rounded)
<<example_scales>> and the codes <<example_codes>>
""",
    hints=("`np.abs(group).max(axis=0)` looks along the tokens and leaves one number per channel.",
           "Three cases need no thought if `waiting` is a new list: `cache[\"waiting\"] + [x]`."),
    given="""
# The example's tokens. Change what you like: the checks use these and others.
tokens = <<shown>>
empty = {"codes": [], "scales": [], "waiting": []}
""",
    head='''
def append(cache, x):
    """The cache with the token x added."""
''',
    second='''
new = {name: list(part) for name, part in cache.items()}
new["waiting"].append(list(x))
if len(new["waiting"]) >= <<group>> + <<window>>:
    leaving, new["waiting"] = new["waiting"][:<<group>>], new["waiting"][<<group>>:]
    scales = [max(abs(token[c]) for token in leaving) / <<top>> for c in range(len(x))]
    scales = [s if s > 0 else 1.0 for s in scales]
    new["codes"].append([[int(round(v / s)) for v, s in zip(token, scales)] for token in leaving])
    new["scales"].append(scales)
return new
''',
    explanation="Two things keep the error from growing with the text: a group is written when all of it is there, and "
                "what is written stays. The tokens that wait are the price, and they are counted.",
    checks=(Check("tokens wait", 1, waits), Check("the first group", 2, leaves), Check("a written group stays", 2, stays),
            Check("a longer text", 1, long_text), Check("a channel of zeros", 1, zeros)),
)
