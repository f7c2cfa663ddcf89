"""The ladder in words: its columns, and the sentences beneath it.

Every sentence here is generated from the rows. None is written in advance, so that a machine on which int4 is slower
than int8, or a model that int3 does not hurt, is told what was measured there.
"""

from __future__ import annotations

from typing import Iterator

from .decode import CACHES
from .tables import figure, percent, size

RULE = (0.30, 0.50)           # "30 to 50% faster per precision level", as often said of low-precision decoding
NO_KERNEL = "no kernel"
BOUND_BY_ARITHMETIC = 0.85    # a step that gains less than this part of what its bytes promise is explained
STEADY = 0.7                  # of the largest read bandwidth; where the smallest is below it, the machine was not quiet
MEASURABLE = 2                # standard errors of a paired difference

HEADERS = ("weights", "bits per\nweight", "size here,\nat 0.8b", "tok/s (GB/s),\np10 to p90", "share of\nread", "over\nbf16",
           "over level\nabove", "perplexity", "KL, nats\nper token", "same\ntop-1")


def cells(rows: list[dict]) -> list[list[str | None]]:
    """One list of cells per row, in the order of ``HEADERS``."""
    return [[row["weights"], f"{row['bits_per_weight']:.2f}",
             f"{size(row['footprint_bytes'])}, {size(row['footprint_bytes_0_8b'])}",
             *_speed_cells(row), *_quality_cells(row)] for row in rows]


def _speed_cells(row: dict) -> list[str | None]:
    if row["tokens_per_s"] is None:
        return [NO_KERNEL, None, None, None]
    return [f"{figure(row['tokens_per_s'])} ({figure(row['gb_per_s'])}), "
            f"{figure(row['tokens_per_s_p10'])} to {figure(row['tokens_per_s_p90'])}",
            percent(row["share_of_read"]), _times(row["speedup_over_bf16"]), _times(row["speedup_over_level_above"])]


def _quality_cells(row: dict) -> list[str | None]:
    return [f"{figure(row['perplexity'], 4)} ± {figure(row['perplexity_stderr'], 2)}",
            f"{figure(row['kl'], 2)} ± {figure(row['kl_stderr'], 1)}", percent(row["top1_agreement"])]


def _times(factor: float | None) -> str | None:
    return None if factor is None else f"{factor:.2f}x"


def steps(rows: list[dict]) -> Iterator[tuple[dict, dict]]:
    """Each measured step down the ladder: (the level above, the level)."""
    by_name = {row["weights"]: row for row in rows}
    for row in rows:
        if row["speedup_over_level_above"] is not None:
            yield by_name[row["level_above"]], row


def rule_sentence(rows: list[dict]) -> str:
    """The rule of thumb beside every measured step."""
    low, high = (round(100 * bound) for bound in RULE)
    verdicts = [f"{above['weights']} to {row['weights']} {_gain(above, row)}" for above, row in steps(rows)]
    rule = f"The rule of thumb says {low} to {high}% faster per precision level. "
    return rule + ("Measured here: " + "; ".join(verdicts) + "." if verdicts else "No step was measured here.")


def compared_by(row: dict, other: dict) -> str:
    """The key two measured rows are compared by: speed-up over bf16, from which the machine's drift is gone; tok/s
    where bf16 was not measured."""
    both = row["speedup_over_bf16"] is not None and other["speedup_over_bf16"] is not None
    return "speedup_over_bf16" if both else "tokens_per_s"


def _gain(above: dict, row: dict) -> str:
    """One step in percent, with a verdict that respects the spread of the two measurements."""
    gain, key = row["speedup_over_level_above"] - 1, compared_by(row, above)
    if row[f"{key}_p10"] <= above[f"{key}_p90"] and above[f"{key}_p10"] <= row[f"{key}_p90"]:
        verdict = "no clear difference: the spreads overlap"
    elif gain < 0:
        verdict = "slower"
    elif gain < RULE[0]:
        verdict = "less than the rule"
    else:
        verdict = "as the rule says" if gain <= RULE[1] else "more than the rule"
    return f"{100 * gain:+.0f}% ({verdict})"


def arithmetic_sentences(rows: list[dict]) -> Iterator[str]:
    """Steps that save bytes without saving their share of the time, and what that means."""
    for above, row in steps(rows):
        fewer, key = above["bytes_per_token"] / row["bytes_per_token"], compared_by(row, above)
        at_best = row[f"{key}_p90"] / above[f"{key}_p10"]
        if at_best >= fewer or row["speedup_over_level_above"] >= BOUND_BY_ARITHMETIC * fewer:
            continue
        yield (f"{row['weights']} reads {fewer:.2f} times fewer bytes per token than {above['weights']}, yet its speed "
               f"is {row['speedup_over_level_above']:.2f} times that level's: its share of the read bandwidth is "
               f"{percent(row['share_of_read'])}, not {percent(above['share_of_read'])}. What holds it up is not memory "
               "but arithmetic (unpacking and scaling the codes) and the work around the matrices, which do not shrink "
               "with the bytes.")


def steadiness_sentences(rows: list[dict]) -> Iterator[str]:
    """A warning where the machine's own bandwidth moved so much that only ratios mean anything."""
    timed = [row for row in rows if row["tokens_per_s"] is not None]
    low = min((row["read_gb_per_s_p10"] for row in timed), default=1)
    high = max((row["read_gb_per_s_p90"] for row in timed), default=1)
    if low < STEADY * high:
        yield (f"This machine's read bandwidth moved between {figure(low)} and {figure(high)} GB/s during the run, so "
               "other programs, or a neighbour on the same computer, were using the memory. Trust ratios more than tok/s, "
               "and measure again when it is quiet.")


def quality_sentences(rows: list[dict], reference: dict) -> Iterator[str]:
    """Which levels cannot be told from float by perplexity, and which can."""
    spread = reference["perplexity_stderr"]
    near = [row for row in rows if abs(row["perplexity"] - reference["perplexity"]) <= spread]
    far = [row for row in rows if row not in near]
    worse = [row for row in near if row["nll_difference"] > MEASURABLE * row["nll_difference_stderr"]]
    float_ = f"{figure(reference['perplexity'], 4)} ± {figure(spread, 2)}"
    if near:
        yield (f"Within one standard error of the float model's perplexity ({float_}): {_listed(near)}. The error is that "
               "of the text, which is the same for all; compared token by token with float, "
               + (f"{_listed(worse)} still {'lose' if len(worse) > 1 else 'loses'} measurably (more than {MEASURABLE} "
                  "standard errors)." if worse else "none of these loses measurably.")
               + " KL is the finer measure.")
    if far:
        factors = [f"{row['weights']} {row['perplexity'] / reference['perplexity']:.2f} times" for row in far]
        yield f"Outside it, as a multiple of float perplexity: {'; '.join(factors)}."


def cache_sentences(rows: list[dict]) -> Iterator[str]:
    """A warning where the packed model is too small for its reads to come from memory."""
    small = [row for row in rows if row["warning"]]
    if small:
        yield (f"Careful with {_listed(small)}: a packed model smaller than {CACHES} times the last-level cache may be "
               "read partly from the cache and not from memory. A larger --shape (0.6b, 0.8b) settles it.")


def method_sentences(rows: list[dict], tokens: int) -> Iterator[str]:
    """What was measured on what, and what makes two rows comparable."""
    shape, kv, context = (rows[0][key] for key in ("shape", "kv", "context"))
    yield (f"Speed: random weights of the {shape} shape (their values do not matter to speed), packed, batch 1, cached "
           f"keys and values in {kv}, {context} tokens of context. Quality: the trained tiny model under the same "
           f"recipe, on {tokens} held-out tokens. Two different models: no row says that one model has both figures.")
    yield ("In both halves a level covers the linear layers and the output matrix, and scales are counted. 8-bit levels "
           "share a scale per channel, lower ones per group of 32: fp8 and int8 differ in the format alone, so do int4, "
           "int3 and int2; from int8 to int4 the scales get finer as well.") if _default_grids(rows) else (
           "In both halves a level covers the linear layers and the output matrix, and scales are counted. Rows with "
           "different grids (channel, g32, ...) differ in more than their format.")


def _default_grids(rows: list[dict]) -> bool:
    """Whether the rows pair 8-bit channel grids with lower groups of 32, as the default levels do."""
    grids = {row["weights"] for row in rows}
    return {"fp8_e4m3:channel", "int8:channel", "int4:g32"} <= grids and all(
        name == "bf16" or name.endswith(":channel" if name.startswith(("fp8", "int8")) else ":g32") for name in grids)


def _listed(rows: list[dict]) -> str:
    return ", ".join(row["weights"] for row in rows)


def machine_line(machine: dict, read_gb_per_s: float | None, threads: int) -> str:
    """One line that says where the figures come from."""
    line = f"{machine.get('cpu') or 'unknown CPU'}, {threads} thread{'s' * (threads != 1)}"
    return line + (f", {figure(read_gb_per_s)} GB/s read bandwidth measured beside it" if read_gb_per_s else "")
