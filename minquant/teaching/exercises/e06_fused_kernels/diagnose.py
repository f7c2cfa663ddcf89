"""06.4, diagnose: eight runs of matrix-vector products, two of which take longer than their bytes need.

What varies: the machine, the matrices and formats, which two runs are slow, and why. The causes are those of the
lesson: a float32 copy, fake quantization, columns walked first, too many launches, too much arithmetic. Sound runs have
many launches or much arithmetic too, where it does not matter. The runs are made up, and the exercise says so.
"""

from __future__ import annotations

from ..beside import Bars
from ..findings import TwoFaults
from ..findings import fields as fields_of
from ..source import Answers, Check, Exercise, Spec, Wrong
from ..variant import Draw

RUNS, TOLERANCE, LINE = 8, 0.02, 64
FORMATS = ((8, 32), (8, 64), (6, 32), (5, 32), (4, 32), (4, 64), (4, 128), (3, 32))
CAUSES = {"copy": "the weights become a float32 copy, which is written and read back",
          "fake": "the weights are kept in bf16 and are rounded whenever they are used",
          "columns": "the loop walks down columns, and each code brings a whole cache line of 64 bytes with it",
          "launches": "the work is handed out in so many small pieces that handing out takes longest",
          "arithmetic": "the cores have so much to calculate for each weight that memory waits for them"}


def spec(draw: Draw) -> dict:
    """The machine and the runs of one variant."""
    planted = draw.order("runs", range(1, RUNS + 1))[:2]
    wrong = dict(sorted(zip(planted, draw.order("causes", tuple(CAUSES))[:2], strict=True)))
    drawn = {"bandwidth": draw.integer("bandwidth", 20, 60), "launch_us": draw.integer("launch_us", 3, 9),
             "rate": draw.integer("rate", 60, 140), "wrong": wrong}
    formats = draw.order("formats", FORMATS)
    drawn["runs"] = [_run(draw, drawn, number, *formats[number - 1]) for number in range(1, RUNS + 1)]
    return drawn


def _run(draw: Draw, drawn: Spec, number: int, bits: int, group: int) -> dict:
    """One run: what was set, and what was measured."""
    run = {"run": number, "bits": bits, "group": group, "rows": 1024 * draw.integer(f"rows{number}", 8, 32),
           "columns": 1024 * draw.integer(f"columns{number}", 2, 6)}
    weights, cause = run["rows"] * run["columns"], drawn["wrong"].get(number)
    ideal = milliseconds(drawn, run)
    each = packed_bytes(run) / weights
    moved = {"copy": each + 8, "fake": 2.0, "columns": LINE + each - bits / 8}.get(cause, each)
    reading = weights * moved / drawn["bandwidth"] / 1e6
    most = (0.3 * ideal * 1e3) / drawn["launch_us"]  # launches that hide behind the reading of a sound run
    run["launches"] = int(ideal * draw.between(f"many{number}", 2, 4) * 1e3 / drawn["launch_us"]) if (
        cause == "launches") else int(draw.between(f"few{number}", 0.05, 0.35) * most) + 1
    free = ideal * drawn["rate"] * 1e6 / weights  # operations per weight for which there is time while reading
    share = (1.8, 3.5) if cause == "arithmetic" else (0.3, 0.8)
    run["operations"] = round(free * draw.between(f"share{number}", *share), 1)
    calculating = weights * run["operations"] / drawn["rate"] / 1e6
    noise = draw.between(f"noise{number}", 1.0, 1.03)
    run["ms"] = float(f"{noise * (max(reading, calculating) + run['launches'] * drawn['launch_us'] / 1e3):.4g}")
    run["mb"] = float(f"{weights * moved / 1e6:.4g}")
    return run


def packed_bytes(run: Spec) -> float:
    """Codes, and a float16 scale for each group."""
    return run["rows"] * run["columns"] * (run["bits"] / 8 + 2 / run["group"])


def milliseconds(spec: Spec, run: Spec) -> float:
    """What reading the packed bytes takes at the bandwidth of the machine."""
    return packed_bytes(run) / spec["bandwidth"] / 1e6


def right(spec: Spec, number: int) -> float:
    """Milliseconds that run ``number`` should take."""
    return milliseconds(spec, spec["runs"][number - 1])


_FAULTS = TwoFaults("run", "runs", "divide: how long does it take to read the packed bytes of each run?", "ms", "ms")


def runs(spec: Spec, answers: Answers) -> None:
    """The two runs."""
    _FAULTS.check_numbers(spec, answers, "are much slower than their packed bytes",
                          "a large matrix takes long as well, and many launches or operations need not hurt",
                          "compute what reading the packed bytes takes, and divide the measured time by it")


def causes(spec: Spec, answers: Answers) -> None:
    """Why they are slow."""
    _FAULTS.check_causes(spec, answers,
                         "three causes move more bytes, each another number for a weight; two move the right number",
                         "divide the MB moved by the weights; where that is right, add up the launches, then the "
                         "operations")


def corrected(spec: Spec, answers: Answers) -> None:
    """What the two would take if only their packed bytes counted."""
    _FAULTS.check_figures(
        spec, answers, right, TOLERANCE, "times in `corrected` are what reading the packed bytes takes, to 2 percent",
        "packed bytes are codes and scales, read once; GB are 1e9 bytes, ms are thousandths of a second",
        "try your formula on a run you trust: it comes out a little below its measured time")


def show(spec: Spec, answers: Answers) -> Bars:
    """The time of every run, with the learner's corrections, beside the table's."""
    return _FAULTS.bars(spec, answers, "Time of a product")


def fields(spec: Spec) -> dict:
    """What only answers may know: the slow runs, their causes and times, also in seconds and without scales."""
    found = fields_of(spec, right, "ms")
    for letter, number in zip("ab", spec["wrong"], strict=True):
        run, time = spec["runs"][number - 1], right(spec, number)
        found |= {f"seconds_{letter}": f"{time / 1e3:.5g}",
                  f"codes_{letter}": f"{time / (1 + 16 / run['group'] / run['bits']):.5g}"}
    return found


def drawn_with_text(draw: Draw) -> dict:
    """The spec with its table as Markdown and as Python."""
    drawn = spec(draw)
    names = ("run", "bits", "group", "rows", "columns", "launches", "operations", "mb", "ms")
    return drawn | {
        "table": "\n".join("| " + " | ".join(str(run[n]) for n in names) + " |" for run in drawn["runs"]),
        "code": "\n".join(f"    {run}," for run in drawn["runs"]),
        "cause_table": "\n".join(f'| `"{cause}"` | {words} |' for cause, words in CAUSES.items())}


_ANSWER = '''
findings = {<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}
'''

WRONG = (
    Wrong("the causes swapped", 2, _ANSWER.replace("cause_a", "cause_").replace("cause_b", "cause_a").replace(
        "cause_>>", "cause_b>>")),
    Wrong("the measured times kept", 2, _ANSWER.replace("right_", "printed_")),
    Wrong("seconds instead of milliseconds", 2, _ANSWER.replace("right_", "seconds_")),
    Wrong("scales left out", 2, _ANSWER.replace("right_", "codes_")),
    Wrong("one run of two", 3, 'findings = {<<b>>: "<<cause_b>>"}\ncorrected = {<<b>>: <<right_b>>}'),
    Wrong("a sound run accused", 3, '''
        findings = {<<sound>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
        corrected = {<<sound>>: <<right_a>>, <<b>>: <<right_b>>}'''),
    Wrong("every run accused", 4, "findings = <<all>>\ncorrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}"),
    Wrong("runs found, causes in words of one's own", 2, '''
        findings = {<<a>>: "Python is slow", <<b>>: "too many bytes"}
        corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}'''),
    Wrong("a list instead of a dict", 4, _ANSWER.replace("findings", "listed") + "findings = list(listed)"),
)

EXERCISE = Exercise(
    id="06.4", title="Two runs that are too slow", kind="diagnose", difficulty=3, importance=5, minutes=10,
    objective="You can tell from bytes, launches and operations why a quantized product is slow.",
    spec=drawn_with_text, show=show, answer_fields=fields, wrong=WRONG,
    prose="""
One machine multiplied eight quantized matrices with a vector. **Two runs take much longer than their packed bytes
need**, for two different reasons. (The table is made up for this exercise; it is not a measurement of ours.)

The machine: memory delivers <<bandwidth>> GB/s (1e9 bytes), a launch takes <<launch_us>> microseconds, and all cores
together do <<rate>> billion operations per second. Reading and arithmetic go on at the same time, so the slower of the
two counts; launches come on top. Packed bytes are codes of `bits` bits and one float16 scale for every `group`
weights. `operations` is for each weight; `MB moved` (1e6 bytes) is what a counter in the processor saw.

| run | bits | group | rows | columns | launches | operations | MB moved | ms |
|---|---|---|---|---|---|---|---|---|
<<table>>

Fill in two dicts: `findings` gives each slow run its cause, `corrected` the milliseconds that it would take if nothing
counted but reading its packed bytes once (to 2 percent). The causes to choose from:

| cause | meaning |
|---|---|
<<cause_table>>
""",
    hints=("Which two? Compare the measured time with the time that reading the packed bytes takes.",
           "Why? MB moved for each weight tells three of the causes apart. The other two move the right bytes: then "
           "add up launches, and operations, in milliseconds."),
    given="""
# The table as data, for your own sums. Change what you like: the checks use the table above.
runs = [
<<code>>
]
""",
    head="# findings: run -> cause; corrected: run -> milliseconds",
    starter="findings = {}\ncorrected = {}",
    reference=_ANSWER,
    second='''
def reading(run):
    return run["rows"] * run["columns"] * (run["bits"] / 8 + 2 / run["group"]) / (<<bandwidth>> * 1e6)

corrected = {run["run"]: reading(run) for run in runs if run["ms"] > 1.45 * reading(run)}
findings = dict(zip(sorted(corrected), ["<<cause_a>>", "<<cause_b>>"]))
''',
    explanation="A ledger finds them: time over the time that reading takes is near 1 for six runs. Then ask which "
                "column explains the rest: bytes for each weight near 9, near 2 or near 64, launches, or operations.",
    checks=(Check("the two runs", 2, runs), Check("their causes", 2, causes), Check("the right times", 2, corrected)),
)
