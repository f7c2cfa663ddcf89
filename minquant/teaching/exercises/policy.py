"""What counts how much: weights, rubric and bonus of ``course.toml``, or of an instructor's own copy of it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).with_name("course.toml")
PARTS = ("code", "diagnose", "explanation", "viva")
BY_HAND = ("explanation", "viva")


@dataclass(frozen=True)
class Policy:
    """Weights in per cent; the questions of each part that a person marks, with 0 to ``most`` points each; bonus."""

    weights: dict[str, float]
    rubric: dict[str, tuple[str, ...]]
    most: float
    bonus: float

    def mark(self, shares: dict[str, float | None]) -> tuple[float | None, float]:
        """(mark in per cent, None while a part is missing; per cent of what is there so far)."""
        there = {part: share for part, share in shares.items() if share is not None and self.weights[part]}
        got, of = (sum(self.weights[p] * s for p, s in there.items()), sum(self.weights[p] for p in there))
        return (round(got, 2) if of == 100 else None), round(100 * got / of, 2) if of else 0.0


def read_policy(path: Path | None = None) -> Policy:
    """The policy of a file, by default the shipped one. Raises ValueError that names the line at fault, OSError."""
    path = path or SHIPPED
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        return _policy(found)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name} is not TOML: {error}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name} lacks {error}, or it is of another form; compare it with the shipped course.toml "
                         "(minquant exercises policy prints it)") from None


def _policy(found: dict[str, Any]) -> Policy:
    weights = {part: _amount(found["weights"][part], f"weights.{part}") for part in PARTS}
    if set(found["weights"]) != set(PARTS) or abs(sum(weights.values()) - 100) > 1e-9:
        raise ValueError(f"the weights are {', '.join(PARTS)} and sum to 100; here {', '.join(found['weights'])} "
                         f"sum to {sum(weights.values()):g}")
    rubric = {part: tuple(map(str, found["rubric"][part])) for part in BY_HAND}
    names = [name for part in BY_HAND for name in rubric[part]]
    if len(set(names)) != len(names) or not all(rubric.values()):
        raise ValueError("the rubric names at least one thing to mark in each part, each by a name of its own")
    most = _amount(found["rubric"]["most"], "rubric.most")
    if not most:
        raise ValueError("rubric.most is 0: nobody could earn a point")
    return Policy(weights, rubric, most, _amount(found["bonus"]["code"], "bonus.code"))


def _amount(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100:
        raise ValueError(f"{name} is {value!r}; a number from 0 to 100 was expected")
    return float(value)
