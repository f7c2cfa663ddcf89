"""What an exercise is: one Python object from which every notebook and every test is made.

How it works
    Each set has a package (``e01_cost_of_a_token``), each exercise a file in it with an
    ``Exercise`` called ``EXERCISE``. That file is the only source. The notebook a
    learner fills in, the one nbgrader takes, the one with solutions, the checks and
    their tests all come from it, so they cannot say different things.

    ``spec(draw)`` draws the numbers and rules of one variant as a plain dict. Prose and
    code hold ``<<name>>`` where a value of the spec goes. Checks get the same dict.

    An answer is written as the lines below its ``head`` (the first line of a function and
    its docstring). Number of lines to fill in: counted from the reference, never typed.

Why answers are text and not functions
    A variant's answer holds the variant's numbers. Copied from one class to the next, it
    is wrong there; a function that read the spec would be right everywhere.

What we leave out
    Hiding the answers. Whoever installs the package can read them here; what makes an
    answer worth points is that it is right for the key on the notebook.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from .variant import COURSE, Draw

Spec = Mapping[str, Any]
# Number of the lesson -> package of its exercises.
_SETS = {"01": "e01_cost_of_a_token", "02": "e02_number_formats", "03": "e03_affine_grids",
         "04": "e04_scales_and_clipping", "05": "e05_bit_packing", "06": "e06_fused_kernels",
         "07": "e07_measuring_quality", "08": "e08_repairing_rounding", "09": "e09_which_weights_matter",
         "10": "e10_hard_activations", "11": "e11_shared_exponents", "12": "e12_kv_cache",
         "13": "e13_quantization_aware_training"}


class Answers(Protocol):
    """What a check may ask of an answer, wherever it runs: in this notebook, or in another process."""

    def call(self, name: str, *args: Any) -> Any:
        """What the learner's function returns for these arguments, as plain values. Raises Miss."""

    def value(self, name: str) -> Any:
        """The learner's variable of this name, as plain values. Raises Miss."""


class Miss(Exception):
    """Why a check did not pass, in three lines. ``earned`` keeps partial credit."""

    def __init__(self, what: str, why: str, advice: str, earned: float = 0.0):
        super().__init__(what, why, advice)
        self.what, self.why, self.advice, self.earned = what, why, advice, earned


@dataclass(frozen=True)
class Check:
    """A property of a right answer. ``test(spec, answers)`` returns None, or raises Miss."""

    name: str
    points: int
    test: Callable[[Spec, Answers], None]


@dataclass(frozen=True)
class Wrong:
    """A mistake people make: its name, the lines that make it, and the points it must lose."""

    name: str
    loses: float
    body: str


@dataclass(frozen=True)
class Exercise:
    """One exercise; the module docstring says how its parts are used."""

    id: str                                 # "01.1"
    title: str
    kind: str                               # "warm-up", "core", "diagnose" or "stretch"
    difficulty: int                         # 1 to 5
    importance: int                         # 1 to 5
    minutes: int                            # the authors' estimate
    objective: str                          # "You can ..."
    prose: str                              # Markdown with <<places>>
    head: str                               # the lines above the answer: signature and docstring
    reference: str                          # the answer
    second: str                             # another right answer, written differently
    wrong: tuple[Wrong, ...]
    checks: tuple[Check, ...]
    spec: Callable[[Draw], dict[str, Any]]
    hints: tuple[str, ...] = ()
    starter: str = "raise NotImplementedError"  # stands where the answer goes
    given: str = ""                         # code of a locked cell above the answer, with <<places>>
    show: Callable[[Spec, Answers], Any] | None = None  # a picture for the cell that is not graded
    explanation: str = ""                   # under the solution
    answer_fields: Callable[[Spec], dict[str, Any]] = field(default=lambda spec: {})  # <<places>> of answers only

    @property
    def points(self) -> int:
        """Points of all checks together."""
        return sum(check.points for check in self.checks)

    @property
    def optional(self) -> bool:
        """A stretch earns a bonus and is never missed."""
        return self.kind == "stretch"

    @property
    def slug(self) -> str:
        """The id as cell ids spell it: "e01-1"."""
        return "e" + self.id.replace(".", "-")

    def drawn(self, key: str = COURSE) -> dict[str, Any]:
        """The spec of one variant: plain numbers and words."""
        return self.spec(Draw(self.id, key))

    def lines_to_write(self) -> int:
        """Lines of the reference answer, blank lines and comments not counted."""
        lines = (line.strip() for line in dedent(self.reference).splitlines())
        return sum(bool(line) and not line.startswith("#") for line in lines)

    def code(self, body: str, key: str = COURSE) -> str:
        """A whole answer cell with this body in place of the starter, for one variant."""
        spec = self.drawn(key)
        head, lines = dedent(self.head), dedent(body)
        indent = "    " if head.startswith("def ") else ""
        text = "\n".join(part for part in (head, textwrap.indent(lines, indent)) if part)
        return fill(text, {**spec, **self.answer_fields(spec)})


@dataclass(frozen=True)
class ExerciseSet:
    """The exercises of one lesson: ``number`` "01", ``folder`` the lesson's, and what stands above them."""

    number: str
    folder: str
    title: str
    intro: str
    exercises: tuple[Exercise, ...]
    setup: str = "import math\n\nimport numpy as np"  # the first code cell

    @property
    def points(self) -> int:
        """Points without the optional exercises."""
        return sum(e.points for e in self.exercises if not e.optional)


def dedent(text: str) -> str:
    """Text of a triple-quoted block without its common indent and without blank lines around it."""
    return textwrap.dedent(text).strip("\n").rstrip()


def fill(text: str, values: Mapping[str, Any]) -> str:
    """Text with every ``<<name>>`` replaced by its value. Raises KeyError, naming a place nothing fills."""
    def value(place: re.Match[str]) -> str:
        if place[1] not in values:
            raise KeyError(f"nothing fills <<{place[1]}>>; the spec holds {', '.join(sorted(values))}")
        return str(values[place[1]])

    return re.sub(r"<<(\w+)>>", value, text)


def numbers() -> list[str]:
    """Numbers of the lessons that have exercises: ["01", ...]."""
    return sorted(_SETS)


@cache
def exercise_set(number: str) -> ExerciseSet:
    """The exercises of a lesson, "01" or "1". Raises ValueError where there are none."""
    wanted = str(number).zfill(2)
    if wanted not in _SETS:
        raise ValueError(f"lesson {number!r} has no exercises here; these have: {', '.join(numbers())}")
    return import_module(f"{__package__}.{_SETS[wanted]}").SET


def exercise(id: str) -> Exercise:
    """One exercise, by id: "01.2". Raises ValueError where there is none."""
    found = {e.id: e for e in exercise_set(id.partition(".")[0]).exercises}
    if id not in found:
        raise ValueError(f"there is no exercise {id!r}; the set has {', '.join(found)}")
    return found[id]
