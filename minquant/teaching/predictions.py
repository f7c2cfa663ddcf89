"""``predict``: write a number down before you measure.

A guess that was written down can be wrong, and that is when one learns. The
number is kept in the claim ledger's file under its name, so that a later cell,
or a later lesson, can hold it against the measurement. The notebook runs
without an answer too: then there is nothing to compare.
"""

from __future__ import annotations

from typing import Any

from . import ledger


def predict(name: str, question: str, value: float | None = None, unit: str = "") -> float | None:
    """Keep the reader's number for ``name`` and return it; without a ``value``, return the one kept earlier or None.

    ``question`` and ``unit`` are printed with it. Raises ValueError for a value
    that is not a finite number and for an empty name.
    """
    if not name.strip():
        raise ValueError("predict() needs a name to keep the number under")
    print(question)
    if value is not None:
        number = ledger.finite(value, "your prediction")
        kept = ledger.read()
        kept["predictions"][name] = {"question": question, "value": number, "unit": unit}
        ledger.write(kept)
        print(f"Your prediction: {_with_unit(number, unit)}. It is kept.")
        return number
    earlier = recall(name)
    if earlier is None:
        print("No prediction recorded. Write a number after value= and run this cell again.")
    else:
        print(f"Your earlier prediction: {_with_unit(earlier, unit)}.")
    return earlier


def recall(name: str) -> float | None:
    """The number kept under ``name``, or None."""
    record: dict[str, Any] | None = ledger.read()["predictions"].get(name)
    return None if record is None else float(record["value"])


def compare(name: str, measured: float, unit: str = "") -> str:
    """One sentence that holds the prediction kept under ``name`` against what was measured."""
    guess = recall(name)
    if guess is None:
        return f"No prediction recorded; measured: {_with_unit(measured, unit)}."
    if guess <= 0 or measured <= 0:
        return f"You predicted {_with_unit(guess, unit)}; measured: {_with_unit(measured, unit)}."
    ratio = max(guess, measured) / min(guess, measured)
    how = "That is close" if ratio < 1.15 else f"You were {ratio:.1f} times too {'high' if guess > measured else 'low'}"
    return f"You predicted {_with_unit(guess, unit)}; measured: {_with_unit(measured, unit)}. {how}."


def _with_unit(number: float, unit: str) -> str:
    return f"{number:.3g} {unit}".strip()
