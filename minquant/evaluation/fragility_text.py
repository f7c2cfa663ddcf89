"""What ``fragility`` found, as a table and in words; every sentence follows from the figures."""

from __future__ import annotations

from .fragility import BUDGET, TEXTBOOK, Fragility, verdict

NAMES = {"weights": "weights", "activations": "activations", "kv": "KV cache", "attention": "attention"}


def as_markdown(found: Fragility) -> str:
    """KL of each part alone, in thousandths of a nat, a row per sharing and width."""
    head = ("one scale per", "bits", *NAMES.values(), "least to most fragile")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for sharing, bits in found.columns():
        cells = [f"{1e3 * found.cells[part, sharing, bits].kl:.3g} ± {1e3 * found.cells[part, sharing, bits].kl_stderr:.2g}"
                 for part in TEXTBOOK]
        order = " < ".join(NAMES[cell.part] for cell in found.order(sharing, bits))
        lines.append(f"| {' | '.join([sharing, str(bits), *cells, order])} |")
    return "\n".join(lines)


def statement(found: Fragility) -> str:
    """Whether "weights < activations < KV cache < attention" holds, under each definition, and why."""
    lines = ["Does \"weights < activations < KV cache < attention\" hold?", ""]
    lines += [f"- {_by_kl(found, *column)}" for column in found.columns()]
    sharings = list(dict.fromkeys(sharing for sharing, _ in found.columns() if sharing != "practised"))
    for sharing in sharings:
        needed = found.bits_needed(sharing)
        said = ", ".join(f"{NAMES[part]} {bits or 'more than measured'}" for part, bits in needed.items())
        lines.append(f"- By the fewest bits, of those measured, that cost at most {BUDGET:g} nats ({sharing}): {said}. "
                     f"{_ties(needed)}")
    for sharing, bits in [column for column in found.columns() if column[0] != "practised"]:
        lines.append(f"- {_why(found, sharing, bits)}")
    return "\n".join(lines)


def _by_kl(found: Fragility, sharing: str, bits: int) -> str:
    """One column by KL: the order found, and what becomes of each step of the text books' order."""
    order = found.order(sharing, bits)
    steps = [f"{NAMES[a]} < {NAMES[b]} {verdict(gap)} ({1e3 * gap.value:+.3g} ± {1e3 * gap.stderr:.2g})"
             for a, b, gap in found.gaps(sharing, bits)]
    verdicts = [verdict(gap) for *_, gap in found.gaps(sharing, bits)]
    holds = "holds" if set(verdicts) == {"holds"} else "does not hold" if "reversed" in verdicts else "is not contradicted"
    return (f"By KL at {bits} bits ({sharing}) it {holds}: {'; '.join(steps)}. Measured: "
            f"{' < '.join(NAMES[cell.part] for cell in order)}.")


def _ties(needed: dict[str, int | None]) -> str:
    """Does the order of the bits needed follow the text books? A tie contradicts nothing."""
    bits = [99 if b is None else b for b in needed.values()]
    return "No step is reversed." if bits == sorted(bits) else "The order does not hold."


def _why(found: Fragility, sharing: str, bits: int) -> str:
    """Error of the operands, and what the model makes of it."""
    error = {part: found.cells[part, sharing, bits].error for part in TEXTBOOK}
    minded = found.minded(sharing, bits)
    errors = ", ".join(f"{NAMES[part]} {value:.2g}" for part, value in error.items())
    order = " < ".join(f"{NAMES[part]} ({minded[part]:.2g})" for part in sorted(minded, key=minded.get))
    held = "holds" if list(minded.values()) == sorted(minded.values()) else "does not hold"
    return (f"Why, at {bits} bits ({sharing}): the relative squared error of what is rounded is {errors}. Per unit of it, "
            f"the model pays (nats) {order}: by this definition the order {held}.")
