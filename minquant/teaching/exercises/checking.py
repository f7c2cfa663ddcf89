"""Checks: ask an answer questions, give points, and say in three lines why one was not earned.

How it works
    A check is a function that asks (``answers.call("matrix_bytes", 7, 96)``) and raises
    ``Miss`` where a property does not hold. It never sees the learner's objects, only plain
    values, and it does not know where the answer runs: ``Local`` calls a function of this
    notebook, ``worker.Remote`` one in another process. Grading uses the second, so nothing
    a submission does to its own interpreter reaches the check that judges it.

In a notebook
    ``check("01.1", globals(), key="course")`` prints a line per check and ends on a float:
    nbgrader takes the last value of a cell as its points. What the answer prints or warns
    about is silenced, because nbgrader gives no points to a cell with output on stderr.

What a failure says
    What happened (with the learner's own numbers), why that cannot be, what to try next.
    Never the right number.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .source import Answers, Exercise, Miss, Spec, exercise
from .values import plain
from .variant import COURSE

LONGEST_LINE = 300


@dataclass(frozen=True)
class Outcome:
    """What one check gave: ``lines`` is empty, or what happened, why, what to try next."""

    name: str
    points: int
    earned: float
    lines: tuple[str, ...] = ()


class Local:
    """Answers that live in this process: the names of a notebook."""

    def __init__(self, namespace: Mapping[str, Any]):
        self.namespace = namespace

    def call(self, name: str, *args: Any) -> Any:
        """What the learner's function returns. It gets copies of the arguments; what it prints is dropped."""
        function = self._named(name)
        if not callable(function):
            raise not_a_function(name)
        try:
            with silence():
                returned = function(*plain(list(args)))
        except (Exception, SystemExit) as error:
            raise raised(written(name, args), type(error).__name__, str(error)) from None
        return _plain(returned, written(name, args) + " returned something")

    def value(self, name: str) -> Any:
        """The learner's variable."""
        return _plain(self._named(name), f"`{name}` holds something")

    def _named(self, name: str) -> Any:
        if name not in self.namespace:
            raise missing(name)
        return self.namespace[name]


def run_checks(exercise: Exercise, answers: Answers, key: str = COURSE) -> list[Outcome]:
    """Every check of an exercise, asked of one set of answers. A check that misses never stops the next."""
    spec = exercise.drawn(key)
    return [_outcome(exercise, number, spec, answers) for number in range(len(exercise.checks))]


def _outcome(exercise: Exercise, number: int, spec: Spec, answers: Answers) -> Outcome:
    check = exercise.checks[number]
    try:
        check.test(spec, answers)
    except Miss as miss:
        lines = tuple(tidy(line) for line in (miss.what, miss.why, miss.advice))
        return Outcome(check.name, check.points, float(miss.earned), lines)
    except Exception as error:  # a value no check was written for must not stop the others
        lines = (tidy(f"the answer could not be judged: {type(error).__name__}"),
                 "what came back is not built as the exercise asks", "compare it with the form the text describes")
        return Outcome(check.name, check.points, 0.0, lines)
    return Outcome(check.name, check.points, float(check.points))


def check(id: str, namespace: Mapping[str, Any], key: str = COURSE) -> float:
    """Check an exercise in a notebook: print the outcome, return the points as a float.

    ``namespace`` is ``globals()`` of the notebook. Raises ValueError for an unknown exercise.
    """
    found = exercise(id)
    outcomes = run_checks(found, Local(namespace), key)
    print(report(found, outcomes))
    return float(sum(outcome.earned for outcome in outcomes))


def report(exercise: Exercise, outcomes: list[Outcome]) -> str:
    """The outcome in words: a line per check, three more under one that missed, the sum."""
    lines = []
    for outcome in outcomes:
        lines.append(f"{outcome.earned:g} of {outcome.points}  {outcome.name}")
        lines += [f"        {label}: {text}" for label, text
                  in zip(("What happened", "Why", "Try next"), outcome.lines, strict=False)]
    earned = sum(outcome.earned for outcome in outcomes)
    bonus = " (optional: a bonus)" if exercise.optional else ""
    return "\n".join([*lines, f"{exercise.id}: {earned:g} of {exercise.points} points{bonus}"])


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Nothing reaches stdout or stderr, and no warning is shown or turned into an error."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), \
            contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def tidy(text: str, longest: int = LONGEST_LINE) -> str:
    """Text as one printable line of at most ``longest`` characters."""
    line = "".join(c if c.isprintable() else " " for c in re.sub(r"\s+", " ", str(text))).strip()
    return line if len(line) <= longest else line[: longest - 4] + " ..."


def written(name: str, args: tuple[Any, ...]) -> str:
    """A call as the learner would write it, and can repeat it: matrix_bytes(7, 96)."""
    return f"{name}({', '.join(_argument(a) for a in args)})"


def _argument(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {_argument(v)}" for k, v in value.items()) + "}"
    if not isinstance(value, float):
        return repr(value)
    short = f"{value:.6g}"  # where that is another number, a learner who repeats the call must get all digits
    return short if float(short) == value and short != "-0" else repr(value)


def _plain(value: Any, what: str) -> Any:
    try:
        with silence():
            return plain(value)
    except (Exception, SystemExit) as error:
        raise unusable(what, str(error)) from None


# The misses that every exercise shares. worker.Remote raises the same ones.

def missing(name: str) -> Miss:
    """There is no such name."""
    return Miss(f"there is no `{name}` here", "the answer cell has not run without an error, or the name was changed",
                f"run the answer cell, then this one; keep the name `{name}` as it was")


def not_a_function(name: str) -> Miss:
    """The name holds something else."""
    return Miss(f"`{name}` is not a function", "the check wants to call it", f"define it with `def {name}(...)`")


def raised(call: str, kind: str, message: str) -> Miss:
    """The call ended in an exception; NotImplementedError means: not written yet."""
    if kind == "NotImplementedError":
        return Miss(f"`{call.partition('(')[0]}` is not written yet",
                    "the line `raise NotImplementedError` still stands in the answer cell",
                    "put your own lines in its place, run the cell, then run this one again")
    return Miss(f"{call} raised {kind}: {message}", "a check can only look at what comes back, and nothing did",
                "make this call yourself in a new cell; the last lines of the traceback say where it stopped")


def unusable(what: str, reason: str) -> Miss:
    """The value is of no type a check can compare."""
    return Miss(f"{what} that no check can compare: {reason}", "checks compare plain numbers, words, lists and dicts",
                "convert the result before you return it, for example with float(...)")


# What checks are written with.

def number(got: Any, call: str) -> float:
    """The value where it is a finite number, else Miss."""
    if isinstance(got, (int, float)) and not isinstance(got, bool) and math.isfinite(got):
        return got
    said = "None" if got is None else f"{got!r}"
    raise Miss(f"{call} returned {said}", "a finite number was expected",
               "does every path through the function end in a `return` with a number?")


def ask_number(answers: Answers, name: str, *args: Any) -> float:
    """Call the learner's function and insist on a finite number."""
    return number(answers.call(name, *args), written(name, args))


def close(got: float, want: float, relative: float = 1e-9) -> bool:
    """Whether two numbers agree to a relative tolerance (absolute where the wanted one is 0)."""
    return abs(got - want) <= relative * max(abs(want), 1e-3)


def side(got: float, want: float) -> str:
    """"too much" or "too little": as much as a check may say."""
    return "too much" if got > want else "too little"
