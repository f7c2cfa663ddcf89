"""A viva: three questions on the numbers of one learner's notebook, and what should be answered.

How it works
    The key of a notebook fixes its numbers, so it also fixes what they give. The checks of an exercise are run once
    over its reference answer, and every question they ask is kept with its answer. From those come

        by hand     one call, short enough for a whiteboard: what does it give, and by what steps?
        what if     the same for a mistake the checks are tested with: what would that answer give instead?
        diagnose    the two faults of the diagnose exercise: how does one see them, and rule the other causes out?

    Which exercise, call and mistake: drawn from the key. So a learner's questions are the same on every machine, and
    differ from a neighbour's as much as their notebooks do.

What we leave out
    Grading. A talk is marked by who leads it: 0 to 2 for each question (``course.toml``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .checking import Local, run_checks, tidy
from .source import Exercise, dedent, exercise_set, fill
from .variant import COURSE, Draw, checked_key

LONGEST, LONGER = 240, 1500  # characters that one can put on a whiteboard; on paper, where nothing is shorter
Asked = list[tuple[str, tuple, str]]  # name, arguments, and what came back, as text


@dataclass(frozen=True)
class Question:
    """One question, and for the instructor what should be answered."""

    exercise: str
    text: str
    expected: str


class _Kept(Local):
    """Answers that keep what they were asked and what they said."""

    def __init__(self, namespace: dict[str, Any]):
        super().__init__(namespace)
        self.asked: Asked = []

    def call(self, name: str, *args: Any) -> Any:
        """As ``Local.call``."""
        got = super().call(name, *args)
        self.asked.append((name, args, in_words(got)))
        return got


def questions(lesson: str, key: str = COURSE) -> list[Question]:
    """The three questions of one lesson under one key. Raises ValueError for an unknown lesson or a bad key."""
    exercises, draw = exercise_set(lesson).exercises, Draw(f"viva {lesson}", checked_key(key))
    code = [e for e in exercises if e.kind in ("warm-up", "core")]
    able = [(e, asked) for e in draw.order("exercises", code) if (asked := _asked(e, key))]
    found = [_by_hand(*able[0], draw)]
    for e, asked in [*able[1:], able[0]]:
        if question := _what_if(e, asked, key, draw):
            found.append(question)
            break
    return [*found, *(_diagnosed(e, key) for e in exercises if e.kind == "diagnose")]


def sheet(lesson: str, key: str = COURSE, expected: bool = False, student: str = "") -> str:
    """The questions as Markdown; with ``expected``, the instructor's copy."""
    head = f"## Viva on {exercise_set(lesson).title[0].lower()}{exercise_set(lesson).title[1:]}"
    head += f": {tidy(student)}" if student else ""
    lines = [head, "", f"Key `{key}`. " + ("Instructor's copy: 0 to 2 points a question; 2 where the figure and the "
             "reason are right." if expected else "Your notebook may lie open; work on paper or a board.")]
    for number, question in enumerate(questions(lesson, key), 1):
        lines += ["", f"{number}. **{question.exercise}** {question.text}"]
        lines += ["", f"   *Expected:* {question.expected}"] if expected else []
    return "\n".join(lines) + "\n"


def in_words(value: Any) -> str:
    """A value as one would say it: six significant digits."""
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e5 <= abs(value) < 1e15 else f"{value:.6g}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {in_words(v)}" for k, v in value.items()) + "}"
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(in_words, value)) + "]"
    return in_words(value.tolist()) if hasattr(value, "tolist") else str(value)


def _namespace(exercise: Exercise, body: str, key: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for text in (exercise_set(exercise.id[:2]).setup, fill(dedent(exercise.given), exercise.drawn(key)),
                 exercise.code(body, key)):
        exec(text, names)
    return names


def _asked(exercise: Exercise, key: str) -> Asked:
    """What the checks asked the reference answer, each call once, those with the shortest text first."""
    kept = _Kept(_namespace(exercise, exercise.reference, key))
    run_checks(exercise, kept, key)
    once = {_call(name, args): (name, args, said) for name, args, said in kept.asked}
    short = sorted((max(len(text), len(asked[2])), text) for text, asked in once.items())
    found = [once[text] for length, text in short if length <= LONGEST]
    return found or [once[text] for length, text in short[:3] if length <= LONGER]


def _call(name: str, args: tuple) -> str:
    return f"`{name}({', '.join(map(in_words, args))})`"


def _by_hand(exercise: Exercise, asked: Asked, draw: Draw) -> Question:
    name, args, said = draw.choice("call", asked[len(asked) // 3:])  # the shortest calls are the trivial ones
    call = _call(name, args)
    text = (f"By the rules of your notebook, what does {call} give? Take it step by step; a sketch of the steps counts, "
            "a bare figure does not.") if len(call) <= LONGEST else (
            f"Run {call} in your notebook. Where does the first figure that is not simply copied come from, and by what "
            "steps?")
    return Question(exercise.id, text, f"{said}. {exercise.explanation}")


def _what_if(exercise: Exercise, asked: Asked, key: str, draw: Draw) -> Question | None:
    """A mistake, and a call for which it gives something else; None where no short call shows one."""
    for wrong in draw.order("mistakes", exercise.wrong):
        try:
            answers = Local(_namespace(exercise, wrong.body, key))
            for name, args, said in draw.order("calls", asked):
                other = in_words(answers.call(name, *args))
                if other != said and len(other) <= max(LONGEST, len(said)):
                    return Question(exercise.id, f"Somebody made this mistake: *{wrong.name}*. What does "
                                    f"{_call(name, args)} give then, beside the right answer, and why?",
                                    f"{other} instead of {said}.")
        except Exception:  # a mistake that raises makes no figure to talk about
            continue
    return None


def _diagnosed(exercise: Exercise, key: str) -> Question:
    names = _namespace(exercise, exercise.reference, key)
    first = next(iter(names["findings"]))
    rest = "; ".join(f"{name} = {tidy(in_words(names[name]))}" for name in ("findings", "corrected") if name in names)
    return Question(exercise.id, f"Which faults are in the data of your notebook? For the one at {first}: what in the "
                    "data shows it, and how did you rule out the other causes?", f"{rest}. {exercise.explanation}")


def sheets(lessons: Iterable[str], keys: Iterable[tuple[str, str]], expected: bool = False) -> str:
    """The sheets of several lessons for several (student, key), one after the other."""
    return "\n".join(sheet(lesson, key, expected, student) for student, key in keys for lesson in lessons)
