"""Quizzes: every shipped question is sound, a pick explains itself, the folded text needs no kernel."""

from pathlib import Path

import ipywidgets
import pytest

from minquant.teaching import quizzes
from minquant.teaching.quizzes import Choice, Question

FOLDER = Path(quizzes.__file__).with_name("questions")
SHIPPED = sorted(p.stem.removeprefix("lesson_") for p in FOLDER.glob("lesson_*.py"))


def test_there_are_questions():
    assert "01" in SHIPPED


@pytest.mark.parametrize("lesson", SHIPPED)
def test_a_lesson_asks_three_questions_and_explains_every_choice(lesson):
    asked = quizzes.questions(lesson)
    assert len(asked) == 3
    assert all(len(choice.why) > 40 for question in asked for choice in question.choices)
    assert len({[c.right for c in question.choices].index(True) for question in asked}) > 1, "always the same place"


def test_a_pick_shows_its_reason(monkeypatch):
    shown = []
    monkeypatch.setattr(quizzes, "display", lambda bundle, raw: shown.append(bundle))
    question = Question("Is 2 < 3?", (Choice("yes", True, "two is less"), Choice("no", False, "count again")))
    box = quizzes._asked(1, question)
    text, picks, said = box.children
    assert isinstance(picks, ipywidgets.RadioButtons) and picks.value is None and "2 &lt; 3" in text.value
    assert all(f".{name} label {{height: auto" in text.value for name in picks._dom_classes) and picks._dom_classes
    picks.value = "no"
    assert "Not quite" in said.value and "count again" in said.value
    picks.value = "yes"
    assert "Right" in said.value and "two is less" in said.value
    quizzes.quiz((question,))
    folded = shown[1]["text/html"]
    assert folded.startswith("<details>") and "two is less" in folded and "count again" in folded


@pytest.mark.parametrize("rights", [(True, True), (False, False), (True,)])
def test_a_question_has_exactly_one_right_answer(rights):
    with pytest.raises(ValueError, match="exactly one"):
        Question("?", tuple(Choice(str(n), right, "because") for n, right in enumerate(rights)))


def test_an_unknown_lesson_is_named():
    with pytest.raises(ValueError, match="'77'"):
        quizzes.quiz("77")
