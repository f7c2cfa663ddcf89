"""Three questions at the end of a lesson, with answers that explain.

How it works
    A question is data: its text, its choices, and for every choice the reason
    why it is right or wrong. ``quiz("01")`` shows the questions of a lesson as
    radio buttons; picking a choice shows its reason at once. Below, folded away
    in ``<details>``, stand the same questions with all reasons, for a notebook
    without a kernel. The questions live in ``teaching/questions/``, one file a
    lesson, so that the lesson's cell does not show the answers.

What we leave out
    Scores: a quiz here is for the reader. Credit comes from the exercises.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from importlib import import_module

import ipywidgets as widgets
from IPython.display import display


# ipywidgets gives every choice the height of one line, so that a longer one would run into the next.
_WRAP = ("<style>.minquant-quiz label {height: auto; padding-left: 22px; position: relative}"
         ".minquant-quiz input {left: 0; position: absolute; top: 0}</style>")


@dataclass(frozen=True)
class Choice:
    """One possible answer: its text, whether it is right, and why."""

    text: str
    right: bool
    why: str


@dataclass(frozen=True)
class Question:
    """A question and its choices, exactly one of them right. Raises ValueError where that does not hold."""

    text: str
    choices: tuple[Choice, ...]

    def __post_init__(self) -> None:
        if len(self.choices) < 2 or sum(c.right for c in self.choices) != 1:
            raise ValueError(f"a question needs two or more choices and exactly one right one: {self.text!r}")
        if len({c.text for c in self.choices}) != len(self.choices):
            raise ValueError(f"two choices say the same: {self.text!r}")


def questions(lesson: str) -> tuple[Question, ...]:
    """The questions of a lesson, named by its number (``"01"``). Raises ValueError where there are none."""
    try:
        return import_module(f"{__package__}.questions.lesson_{lesson}").QUESTIONS
    except ModuleNotFoundError:
        raise ValueError(f"there is no quiz for lesson {lesson!r}") from None


def quiz(lesson: str | tuple[Question, ...]) -> None:
    """Show the quiz of a lesson (``"01"``), or of questions made by hand, as radio buttons and as folded text."""
    asked = questions(lesson) if isinstance(lesson, str) else tuple(lesson)
    box = widgets.VBox([_asked(number, question) for number, question in enumerate(asked, 1)])
    bundle = dict(box._repr_mimebundle_()) | {"text/plain": f"{len(asked)} questions: open the text below"}
    display(bundle, raw=True)
    html = "".join(_folded(number, question) for number, question in enumerate(asked, 1))
    display({"text/html": f"<details><summary>The questions and answers as text</summary>{html}</details>",
             "text/plain": "\n\n".join(q.text for q in asked)}, raw=True)


def _asked(number: int, question: Question) -> widgets.VBox:
    """One question as a widget: its text, radio buttons, and a line for the reason."""
    said = widgets.HTML("")
    picks = widgets.RadioButtons(options=[c.text for c in question.choices], value=None,
                                 layout=widgets.Layout(width="max-content", max_width="100%"))
    picks.add_class("minquant-quiz")

    def explain(change: dict) -> None:
        said.value = _verdict(next(c for c in question.choices if c.text == change["new"]))

    picks.observe(explain, names="value")
    return widgets.VBox([widgets.HTML(f"{_WRAP}<b>{number}. {escape(question.text)}</b>"), picks, said])


def _verdict(choice: Choice) -> str:
    """The reason, introduced by a word and a mark, never by a colour alone."""
    return f"<p><b>{'Right' if choice.right else 'Not quite'}.</b> {escape(choice.why)}</p>"


def _folded(number: int, question: Question) -> str:
    """One question and all its reasons as plain HTML."""
    reasons = "".join(f"<li>{escape(c.text)}<br><b>{'Right' if c.right else 'No'}.</b> {escape(c.why)}</li>"
                      for c in question.choices)
    return f"<p><b>{number}. {escape(question.text)}</b></p><ul>{reasons}</ul>"
