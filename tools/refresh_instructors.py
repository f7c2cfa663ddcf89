"""Write the table of exercises in INSTRUCTORS.md again, from their sources.

    python tools/refresh_instructors.py

Run it after an exercise was added or changed; a test compares the page with what this gives.
"""

from __future__ import annotations

from pathlib import Path

from minquant.teaching.exercises.source import exercise_set, numbers

PAGE = Path(__file__).resolve().parents[1] / "INSTRUCTORS.md"
BEGIN, END = "<!-- exercises: begin (tools/refresh_instructors.py writes this part) -->", "<!-- exercises: end -->"


def table() -> str:
    """One row per lesson: its exercises with points and minutes, optional ones in parentheses."""
    rows = ["| | exercise: points, minutes | points | minutes |", "|---|---|--:|--:|"]
    for number in numbers():
        exercises = exercise_set(number)
        words = [f"{e.title.rstrip('?')}: {e.points}, {e.minutes}" for e in exercises.exercises]
        words = [f"({w}, bonus)" if e.optional else f"*{w}*" if e.kind == "diagnose" else w
                 for e, w in zip(exercises.exercises, words, strict=True)]
        minutes = sum(e.minutes for e in exercises.exercises if not e.optional)
        rows.append(f"| [{number}](lessons/{exercises.folder}/exercises.ipynb) | {' · '.join(words)} | {exercises.points} | "
                    f"{minutes} |")
    return "\n".join(rows)


def refreshed(text: str) -> str:
    """The page with a new table. Raises ValueError where its marks are not there once, in this order."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in after:
        raise ValueError(f"{PAGE.name} needs the marks {BEGIN} and {END} once and in this order")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(refreshed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
