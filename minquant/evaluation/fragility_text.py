"""What ``fragility`` found, as tables and in words; every sentence follows from the figures."""

from __future__ import annotations

from collections import Counter

from .fragility import BUDGET, TEXTBOOK, Fragility, verdict

NAMES = {"weights": "weights", "activations": "activations", "kv": "KV cache", "attention": "attention"}
ORDER = " < ".join(NAMES[part] for part in TEXTBOOK)
VERDICTS = ("holds", "reversed", "not told apart")


def as_markdown(found: Fragility) -> str:
    """KL of each part alone, in thousandths of a nat, a row per sharing and width; then the steps of the order."""
    steps = [f"{NAMES[a]} to {NAMES[b]}" for a, b in zip(TEXTBOOK, TEXTBOOK[1:])]
    lines = _head("one scale per", "bits", *NAMES.values(), *steps)
    for sharing, bits in found.columns():
        kl = [f"{1e3 * cell.kl:.3g} ± {1e3 * cell.kl_stderr:.2g}"
              for cell in (found.cells[part, sharing, bits] for part in TEXTBOOK)]
        gaps = [f"{1e3 * gap.value:+.3g} ± {1e3 * gap.stderr:.2g}, {verdict(gap)}"
                for *_, gap in found.gaps(sharing, bits)]
        lines.append(f"| {' | '.join([sharing, str(bits), *kl, *gaps])} |")
    return "\n".join(lines)


def why(found: Fragility) -> str:
    """Of each part, the relative squared error of what is rounded, and KL per unit of it."""
    lines = _head("one scale per", "bits", *(f"{name}: error, KL / error" for name in NAMES.values()))
    for sharing, bits in _measured(found):
        minded = found.minded(sharing, bits)
        cells = [f"{found.cells[part, sharing, bits].error:.2g}, {minded[part]:.2g}" for part in TEXTBOOK]
        lines.append(f"| {' | '.join([sharing, str(bits), *cells])} |")
    return "\n".join(lines)


def statement(found: Fragility) -> str:
    """Whether the order holds, under each definition, and why."""
    return "\n".join([f"Does \"{ORDER}\" hold?", "", _by_kl(found), *_by_bits(found), *_by_error(found)])


def _by_kl(found: Fragility) -> str:
    """How often each step of the order holds, over all columns."""
    columns = found.columns()
    said, every = [], []
    for i, (a, b) in enumerate(zip(TEXTBOOK, TEXTBOOK[1:])):
        verdicts = [verdict(found.gaps(*column)[i][2]) for column in columns]
        count = Counter(verdicts)
        every += verdicts
        said.append(f"{NAMES[a]} < {NAMES[b]} " + ", ".join(f"{v} in {count[v]}" for v in VERDICTS if count[v]))
    holds = "it holds" if set(every) == {"holds"} else "it does not hold" if "reversed" in every else \
        "nothing contradicts it"
    orders = Counter(" < ".join(NAMES[cell.part] for cell in found.order(*column)) for column in columns)
    usual, times = orders.most_common(1)[0]
    return (f"- By KL at the same bits: {holds}. Of {len(columns)} comparisons, {'; '.join(said)}. The order most "
            f"often measured is {usual} ({times} of {len(columns)}).")


def _by_bits(found: Fragility) -> list[str]:
    """The order by the bits that a budget asks for; ties contradict nothing."""
    lines = []
    for sharing in dict.fromkeys(sharing for sharing, _ in _measured(found)):
        needed = found.bits_needed(sharing)
        said = ", ".join(f"{NAMES[part]} {bits or 'more than measured'}" for part, bits in needed.items())
        bits = [99 if b is None else b for b in needed.values()]
        holds = "no step of it is reversed" if bits == sorted(bits) else "it does not hold"
        lines.append(f"- By the fewest bits that cost at most {BUDGET:g} nats ({sharing}): {holds} ({said}).")
    return lines


def _by_error(found: Fragility) -> list[str]:
    """The order by what the model minds, and how much of the order by KL is the operands' error."""
    columns = _measured(found)
    if not columns:
        return []
    held, spread, spread_minded = 0, [], []
    for sharing, bits in columns:
        minded = list(found.minded(sharing, bits).values())
        held += minded == sorted(minded)
        kl = [found.cells[part, sharing, bits].kl for part in TEXTBOOK]
        spread.append(max(kl) / min(kl)), spread_minded.append(max(minded) / min(minded))
    return [f"- By KL per unit of relative squared error of what is rounded: it holds in {held} of {len(columns)}.",
            "- Why: KL is that error times how much the model minds it. Between the most and the least fragile part, "
            f"KL differs {min(spread):.2g} to {max(spread):.2g} times, KL per unit of error {min(spread_minded):.2g} to "
            f"{max(spread_minded):.2g} times. The second is the model's doing; the first holds also what the grid does "
            "to each part's numbers, which depends on how many share a scale and how far they spread."]


def _measured(found: Fragility) -> list[tuple[str, int]]:
    """Columns in which the error of the operands was taken."""
    return [column for column in found.columns() if found.cells[TEXTBOOK[0], *column].error is not None]


def _head(*titles: str) -> list[str]:
    return [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
