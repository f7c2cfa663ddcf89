"""The ladder: what each precision level costs in quality and buys in bytes and speed.

How it works
    *Speed* is measured on a model of random weights, packed, too large for the
    cache: the values of weights do not change the speed of a multiplication.
    ``measure_decode`` runs all levels in alternation, with the read bandwidth
    of the machine measured in between.
    *Quality* is measured on the trained tiny model, with the same recipe: the
    level on the linear layers *and* on the output matrix (with the embedding),
    cached keys and values in bf16, which is what the decoder runs.

What a fair level is
    A level is a format at the grid it is used with: 8-bit formats share a scale
    per output channel (fp8 and int8 alike, so that these two rows differ in the
    format alone); int4, int3 and int2 share a float16 scale per group of 32
    weights, as most 4-bit checkpoints do, and it is counted: 4.5 bits, not 4.
    To hold the grid fixed choose other levels, say int8:g32 and int4:g32.

    "The level above" of a row is the nearest row above it with at least one more
    bit per weight; fp8 and int8 are the same level in two formats, and each is
    compared with bf16. Speed-ups over bf16 are medians of ratios taken within a
    round; a speed-up over another level is the ratio of the two.

What we leave out
    int3 and int2 have no kernel here, so their rows have quality and bytes, and
    no speed (``None``).
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from . import ladder_text as text
from .decode import measure_decode
from .machine import machine
from .tables import aligned, markdown

DEFAULT_LEVELS = ("bf16", "fp8_e4m3:channel", "int8:channel", "int4:g32", "int3:g32", "int2:g32")
SIZE_SHAPE = "0.8b"  # the footprint every row also names, whatever shape was measured
KV = "bf16"
CONTEXT = 128
LIMIT_BYTES = 16_000  # of held-out text: enough for the ladder's differences, seconds a level
REFERENCE_KEYS = ("perplexity", "perplexity_stderr", "bits_per_byte")
QUALITY_KEYS = (*REFERENCE_KEYS, "kl", "kl_stderr", "top1_agreement", "nll_difference", "nll_difference_stderr")
SPEEDS = ("tokens_per_s", "gb_per_s", "read_gb_per_s", "share_of_read", "speedup_over_bf16")
UNMEASURED = ("nbytes", "bytes_per_token", "warning", *(f"{key}{end}" for key in SPEEDS for end in ("", "_p10", "_p90")))
Progress = Callable[[str], None]


@dataclass(frozen=True)
class LadderResult:
    """A measured ladder.

    ``machine`` describes the computer (no names of hosts or users); ``read_gb_per_s`` is its read bandwidth, the
    median over the run; ``rows`` are dictionaries, one per level, in the order asked for; ``notes`` are sentences
    generated from them; ``reference`` holds the float model's perplexity and its standard error.
    """

    machine: dict
    read_gb_per_s: float | None
    rows: list[dict]
    notes: list[str]
    reference: dict

    def to_dict(self) -> dict:
        """The object ``minquant ladder --json`` prints."""
        return {"machine": self.machine, "read_gb_per_s": self.read_gb_per_s, "reference": self.reference,
                "rows": self.rows, "notes": self.notes}

    def table(self) -> str:
        """Aligned columns, with the machine above and the notes beneath."""
        notes = [textwrap.fill(note, 110) for note in self.notes]
        return "\n\n".join([self._where(), aligned(text.HEADERS, text.cells(self.rows)), *notes])

    def markdown(self) -> str:
        """The same for a README."""
        notes = "\n".join(f"- {note}" for note in self.notes)
        return "\n\n".join([f"Measured on {self._where()}.", markdown(text.HEADERS, text.cells(self.rows)), notes])

    def _where(self) -> str:
        return text.machine_line(self.machine, self.read_gb_per_s, self.rows[0]["threads"])


def ladder(shape: str = "0.1b", levels: Iterable[str] = DEFAULT_LEVELS, threads: int | None = None,
           repetitions: int = 7, limit_bytes: int | None = LIMIT_BYTES, progress: Progress | None = None) -> LadderResult:
    """Measure every level: bytes, speed, quality.

    ``shape``: of the random model that is timed ("0.1b", "0.6b", "0.8b"). ``levels``: weight schemes, finest first.
    ``threads``: default all. ``limit_bytes``: how much held-out text the quality is measured on; None takes all of it.
    ``progress`` is called with a line of text now and then.
    Raises ValueError for an unknown shape or scheme, and where no level or the same level twice is given.
    """
    levels = _checked(levels)
    say = progress or (lambda line: None)
    rows = [_size_row(level, shape) for level in levels]
    here, read, speed = _measure_speed(shape, levels, threads, repetitions, say)
    used = next((row["threads"] for row in speed.values()), threads or here["threads"])
    reference, quality = _measure_quality(levels, limit_bytes, say)
    for row in rows:
        row |= _speed_part(speed.get(row["weights"]), used, shape, repetitions) | quality[row["weights"]]
    _add_level_above(rows)
    return LadderResult(here, read, rows, _notes(rows, reference), reference)


def packed_bytes(scheme: str, shape: tuple[int, ...]) -> int:
    """Bytes of a packed tensor of this shape (rows last), scales and zero points counted: ``QTensor.nbytes``, without
    the tensor. Raises ValueError for an unknown scheme or a group size that does not divide a row."""
    from ..scaling import Scheme

    return Scheme.parse(scheme).nbytes(shape)


def footprint(scheme: str, shape: str) -> tuple[int, float]:
    """(bytes of the whole model, bits per quantized weight) at a named shape, every matrix in this scheme.

    Norm gains stay in bf16: they are in the bytes, and not in the bits per weight.
    """
    from ..model import random_model, tensor_shapes

    shapes = tensor_shapes(random_model(shape).config).values()
    matrices = [s for s in shapes if len(s) == 2]
    packed = sum(packed_bytes(scheme, s) for s in matrices)
    return packed + sum(2 * s[0] for s in shapes if len(s) == 1), 8 * packed / sum(math.prod(s) for s in matrices)


def _checked(levels: Iterable[str]) -> list[str]:
    levels = [levels] if isinstance(levels, str) else list(levels)
    if not levels:
        raise ValueError("the ladder needs at least one level, for example bf16,int8:channel")
    twice = sorted({level for level in levels if levels.count(level) > 1})
    if twice:
        raise ValueError(f"level {twice[0]} is given twice")
    return levels


def _size_row(level: str, shape: str) -> dict:
    """The part of a row that is counted, not measured."""
    footprint(level, "tiny")  # refuses a group size that the quality half could not use
    measured, bits = footprint(level, shape)
    return {"level": level.partition(":")[0], "weights": level, "bits_per_weight": bits, "footprint_bytes": measured,
            "footprint_bytes_0_8b": footprint(level, SIZE_SHAPE)[0]}


def _measure_speed(shape: str, levels: list[str], threads: int | None, repetitions: int,
                   say: Progress) -> tuple[dict, float | None, dict[str, dict]]:
    """This machine, its read bandwidth in GB/s, and what was measured of each level that has a kernel."""
    timed = [level for level in levels if _has_kernel(level)]
    rows = measure_decode(shape, timed, [KV], [CONTEXT], threads, repetitions, say) if timed else []
    read = median(row["read_gb_per_s"] for row in rows) if rows else None
    return machine(), read, {row["weights"]: row for row in rows}


def _has_kernel(level: str) -> bool:
    from ..decoder.pack import packed_type

    try:
        packed_type(level)
    except ValueError:
        return False
    return True


def _speed_part(measured: dict | None, threads: int, shape: str, repetitions: int) -> dict:
    """The keys that ``measure_decode`` gives a row; where there is no kernel, what was asked for and ``None``."""
    if measured is not None:
        return measured
    return dict.fromkeys(UNMEASURED) | {"kv": KV, "threads": threads, "context": CONTEXT, "shape": shape,
                                        "repetitions": repetitions}


def _add_level_above(rows: list[dict]) -> None:
    """Name the level above of every measured row, and the speed-up over it (see the module)."""
    for place, row in enumerate(rows):
        above = [r for r in rows[:place] if r["tokens_per_s"] and r["bits_per_weight"] >= row["bits_per_weight"] + 1]
        other = above[-1] if above and row["tokens_per_s"] else None
        key = text.compared_by(row, other) if other else ""
        row["level_above"] = other["weights"] if other else None
        row["speedup_over_level_above"] = row[key] / other[key] if other else None


def _notes(rows: list[dict], reference: dict) -> list[str]:
    return [text.rule_sentence(rows), *text.arithmetic_sentences(rows), *text.quality_sentences(rows, reference),
            *text.cache_sentences(rows), *text.steadiness_sentences(rows),
            *text.method_sentences(rows, reference["tokens"])]


def _measure_quality(levels: list[str], limit_bytes: int | None, say: Progress) -> tuple[dict, dict[str, dict]]:
    """The float model's figures, and each level's, on the trained tiny model and the held-out test text."""
    from ..evaluation import Reference, evaluate, heldout_tokens
    from ..model import Recipe, load

    model = load("tiny")
    reference = Reference(model, heldout_tokens(model, limit_bytes=limit_bytes))
    say(f"quality of the float model, {len(reference.tokens)} tokens")
    itself = _figures(evaluate(model, reference), REFERENCE_KEYS)
    quality = {}
    for level in levels:
        say(f"quality of {level}, {len(reference.tokens)} tokens")
        quantized = model.quantize(Recipe(weights=level, head=level, kv=KV))
        quality[level] = _figures(evaluate(quantized, reference), QUALITY_KEYS)
    return itself | {"tokens": len(reference.tokens)}, quality


def _figures(evaluation: object, keys: Iterable[str]) -> dict:
    return {key: float(getattr(evaluation, key)) for key in keys}
