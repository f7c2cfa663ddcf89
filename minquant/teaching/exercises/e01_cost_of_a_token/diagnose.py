"""01.4, diagnose: a table of decode measurements in which two figures cannot be right.

What varies: the model, the formats, the contexts, the measured speeds, which two rows are wrong, and how.
The mistakes are those that reports really contain: scale bytes left out, a tied embedding counted twice, GiB written as
GB, the KV cache forgotten, the cache counted for query heads. The rows are made up, and the exercise says so.
"""

from __future__ import annotations

from ..beside import Bars, yours
from ..checking import close
from ..findings import TwoFaults
from ..source import Answers, Check, Exercise, Miss, Spec, Wrong
from ..variant import Draw

ROWS, TOLERANCE, APART = 8, 0.004, 0.02
FORMATS = (("int8", 8, 32, 16), ("int6", 6, 32, 16), ("int5", 5, 32, 16), ("int4", 4, 32, 16), ("int4", 4, 16, 16),
           ("int3", 3, 32, 16), ("int8", 8, 16, 16), ("int6", 6, 16, 32))
CAUSES = {"scales": "the bytes of the scales are left out", "embedding": "the tied embedding is counted twice",
          "unit": "the figure is in GiB (2^30 bytes), not in GB (1e9)", "cache": "the KV cache is left out",
          "heads": "the cache is counted for query heads instead of KV heads"}


def spec(draw: Draw) -> dict:
    """The model and the table of one variant. Some tables cannot tell two causes apart: then the next one is drawn."""
    for attempt in range(1000):
        drawn = _table(draw, str(attempt))
        if _tells_causes_apart(drawn):
            return drawn
    raise RuntimeError("no table in a thousand tells the causes apart; widen the ranges they are drawn from")


def _table(draw: Draw, attempt: str) -> dict:
    model = {"blocks": draw.integer(f"blocks{attempt}", 300, 480) * 10**6,
             "head": draw.integer(f"head{attempt}", 90, 160) * 10**6,
             "layers": draw.choice(f"layers{attempt}", (24, 28, 32)), "heads": 16,
             "kv_heads": draw.choice(f"kv_heads{attempt}", (4, 8)), "head_dim": 128}
    planted = draw.order(f"rows{attempt}", range(1, ROWS + 1))[:2]
    causes = draw.order(f"causes{attempt}", tuple(CAUSES))[:2]
    wrong = dict(sorted(zip(planted, causes, strict=True)))
    formats = draw.order(f"formats{attempt}", FORMATS)
    speed = draw.between(f"bandwidth{attempt}", 28e9, 52e9)
    runs = []
    for row, (name, bits, group, scale_bits) in enumerate(formats, 1):
        run = {"row": row, "weights": name, "bits": bits, "group": group, "scale_bits": scale_bits,
               "context": draw.integer(f"context{attempt}.{row}", 12, 40) * 100}
        true = gigabytes(model, run)
        pace = speed * draw.between(f"pace{attempt}.{row}", 0.97, 1.0)
        run["tokens_per_s"] = round(pace / 1e9 / true, 2)
        run["gb_per_token"] = round(gigabytes(model, run, wrong.get(row)), 4)
        run["gb_per_s"] = round(run["gb_per_token"] * run["tokens_per_s"], 1)
        runs.append(run)
    return {**model, "runs": runs, "wrong": wrong}


def gigabytes(model: Spec, run: Spec, cause: str | None = None) -> float:
    """GB read per token, right or with one mistake."""
    weights = model["blocks"] + model["head"] * (2 if cause == "embedding" else 1)
    scale = 0 if cause == "scales" else run["scale_bits"] / run["group"]
    heads = {"cache": 0, "heads": model["heads"]}.get(cause, model["kv_heads"])
    cache = run["context"] * model["layers"] * 2 * heads * model["head_dim"] * 2
    return (weights * (run["bits"] + scale) / 8 + cache) / (2**30 if cause == "unit" else 1e9)


def _tells_causes_apart(drawn: Spec) -> bool:
    """Whether every cause would give each wrong row a figure of its own, away from the right one too."""
    for row in drawn["wrong"]:
        figures = sorted(gigabytes(drawn, drawn["runs"][row - 1], cause) for cause in (None, *CAUSES))
        if any(b / a - 1 < APART for a, b in zip(figures, figures[1:], strict=False)):
            return False
    return True


_FAULTS = TwoFaults("row", "rows", "divide: GB per token should follow from the format, the context and the model")


def rows(spec: Spec, answers: Answers) -> None:
    """The two rows."""
    _FAULTS.check_numbers(spec, answers, "cannot be right",
                          "the speed of every row is fine; what is wrong is the GB per token of two of them",
                          "compute GB per token for every row from the description and compare with the table")


def causes(spec: Spec, answers: Answers) -> None:
    """What went wrong in them."""
    _FAULTS.check_causes(spec, answers,
                         "each cause changes the figure by its own amount, which the table lets you compute",
                         "compute the row's figure once per cause; one of them gives the printed number")


def corrected(spec: Spec, answers: Answers) -> None:
    """The figures that should stand there."""
    got = _FAULTS.written(answers, "corrected")
    right = 0
    for row in spec["wrong"]:
        figure = got.get(row)
        right += (isinstance(figure, (int, float)) and not isinstance(figure, bool)
                  and close(figure, gigabytes(spec, spec["runs"][row - 1]), TOLERANCE))
    if right < 2:
        raise Miss(f"{right} of the 2 figures in `corrected` are right to 0.4 percent",
                   "a corrected figure counts codes, scales and cache once each, in GB (1e9 bytes)",
                   "try your formula on the rows you trust: it has to give their printed figures", right)


def show(spec: Spec, answers: Answers) -> Bars:
    """GB per second of every row as printed, and with the learner's corrections."""
    fixed = yours(lambda: answers.value("corrected"))
    fixed = fixed if isinstance(fixed, dict) else {}
    bars = []
    for run in spec["runs"]:
        figure = fixed.get(run["row"], run["gb_per_token"])
        figure = figure if isinstance(figure, (int, float)) else run["gb_per_token"]
        bars.append((f"row {run['row']}", figure * run["tokens_per_s"], run["gb_per_s"]))
    return Bars("GB per second: with your corrections, and as the table has it", "GB/s", bars, other="Table")


def fields(spec: Spec) -> dict:
    """What only answers may know: the wrong rows a < b, their causes and right figures, and a sound row."""
    (a, cause_a), (b, cause_b) = spec["wrong"].items()
    right = {row: f"{gigabytes(spec, spec['runs'][row - 1]):.4f}" for row in (a, b)}
    sound = [run["row"] for run in spec["runs"] if run["row"] not in (a, b)]
    return {"a": a, "b": b, "cause_a": cause_a, "cause_b": cause_b, "right_a": right[a], "right_b": right[b],
            "sound": sound[0], "claimed_a": spec["runs"][a - 1]["gb_per_token"],
            "claimed_b": spec["runs"][b - 1]["gb_per_token"], "all_rows": {r: cause_a for r in sound} | spec["wrong"],
            "gib_a": f"{float(right[a]) * 1e9 / 2**30:.4f}", "gib_b": f"{float(right[b]) * 1e9 / 2**30:.4f}"}


def drawn_with_text(draw: Draw) -> dict:
    """The spec with its table as Markdown and as Python."""
    drawn = spec(draw)
    names = ("row", "weights", "bits", "group", "scale_bits", "context", "gb_per_token", "tokens_per_s", "gb_per_s")
    table = "\n".join("| " + " | ".join(str(run[n]) for n in names) + " |" for run in drawn["runs"])
    data = ("row", "bits", "group", "scale_bits", "context", "gb_per_token", "tokens_per_s")
    code = "\n".join(f"    dict({', '.join(f'{n}={run[n]}' for n in data)})," for run in drawn["runs"])
    per_cause = "\n".join(f"| `\"{cause}\"` | {words} |" for cause, words in CAUSES.items())
    return drawn | {"table": table, "code": code, "cause_table": per_cause,
                    "blocks_text": f"{drawn['blocks']:,}", "head_text": f"{drawn['head']:,}"}


_ANSWER = '''
findings = {<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}
'''

WRONG = (
    Wrong("the causes swapped", 2, '''
        findings = {<<a>>: "<<cause_b>>", <<b>>: "<<cause_a>>"}
        corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}'''),
    Wrong("the printed figures kept", 2, _ANSWER.replace("right_", "claimed_")),
    Wrong("corrected into GiB", 2, _ANSWER.replace("right_", "gib_")),
    Wrong("one row of two", 3, 'findings = {<<b>>: "<<cause_b>>"}\ncorrected = {<<b>>: <<right_b>>}'),
    Wrong("a sound row accused", 3, '''
        findings = {<<sound>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
        corrected = {<<sound>>: <<right_a>>, <<b>>: <<right_b>>}'''),
    Wrong("every row accused", 4, "findings = <<all_rows>>\ncorrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}"),
    Wrong("rows found, causes in words of one's own", 2, '''
        findings = {<<a>>: "something with bytes", <<b>>: "something with the cache"}
        corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}'''),
    Wrong("a list instead of a dict", 4, '''
        findings = [<<a>>, <<b>>]
        corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}'''),
)

EXERCISE = Exercise(
    id="01.4", title="Two figures that cannot be right", kind="diagnose", difficulty=3, importance=4, minutes=10,
    objective="You can tell from a table of measurements which figure cannot be right, and what was counted wrongly.",
    spec=drawn_with_text, show=show, answer_fields=fields, wrong=WRONG,
    prose="""
Somebody measured one model in eight formats and worked out what each token reads. The speeds are right. **Two figures
of GB per token are wrong**, for two different reasons, and the GB/s beside them with them. (The table is made up for
this exercise; it is not a measurement of ours.)

The model: <<layers>> layers with <<blocks_text>> weights in all blocks together, a tied embedding of <<head_text>>
weights that is also the head, <<heads>> query heads over <<kv_heads>> KV heads of <<head_dim>>. Blocks and head share
the row's format: codes of `bits` bits, one scale of `scale_bits` bits per `group` weights. The cache holds keys and
values of `context` tokens in bf16, without scales. GB is 1e9 bytes. Nothing else is counted.

| row | weights | bits | group | scale_bits | context | GB/token | tok/s | GB/s |
|---|---|---|---|---|---|---|---|---|
<<table>>

Fill in two dicts: `findings` gives each wrong row its cause, `corrected` the GB per token that should stand there (to
0.4 percent). The causes to choose from:

| cause | meaning |
|---|---|
<<cause_table>>
""",
    hints=("All rows ran on one machine: what do you expect of the last column? Which rows does that make suspicious?",
           "Some mistakes hardly show in GB/s. Write the right formula in a few lines; print the ratio for every row."),
    given="""
# The table as data, for your own sums. Change what you like: the checks use the table above.
runs = [
<<code>>
]
""",
    head="# findings: row -> cause; corrected: row -> GB per token",
    starter="findings = {}\ncorrected = {}",
    reference=_ANSWER,
    second='''
def gb(run):
    weights = (<<blocks>> + <<head>>) * (run["bits"] + run["scale_bits"] / run["group"]) / 8
    return (weights + run["context"] * <<layers>> * 2 * <<kv_heads>> * <<head_dim>> * 2) / 1e9

corrected = {run["row"]: gb(run) for run in runs if abs(gb(run) / run["gb_per_token"] - 1) > 0.01}
findings = dict(zip(sorted(corrected), ["<<cause_a>>", "<<cause_b>>"]))
''',
    explanation="The quick way: all rows come from one machine, so GB/s far from the others point at large mistakes. "
                "The sure way is to compute every figure again and look at the ratios, as the second answer does: "
                "scales are scale_bits / group bits per weight, GiB for GB is a factor of 1.0737 in every format.",
    checks=(Check("the two rows", 2, rows), Check("their causes", 2, causes), Check("the right figures", 2, corrected)),
)
