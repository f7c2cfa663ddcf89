"""A museum of planted bugs: exercises in which learners write the test, and are scored by what it finds.

How it works
    The learner writes two functions. ``inputs()`` says what to try; ``accepts(*input, *output)`` says whether what a
    program gave for it may be right. The judge holds the programs: two that are right and differ in what the rules leave
    open, and a room of broken ones for every check. A bug is caught where ``accepts`` refuses one of its outputs. A test
    that refuses a right program catches nothing, in any room: an alarm that always rings is not one.

    No program is handed to the learner's functions, only what it gave, so there is nothing to recognise it by.

Source
    Scoring tests by the planted faults they find is mutation analysis: DeMillo, Lipton and Sayward, "Hints on Test Data
    Selection", IEEE Computer 11(4), 1978.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .beside import Bars
from .source import Answers, Check, Miss, Spec

MOST_INPUTS = 50
Program = Callable[..., tuple]  # (spec, *input) -> output
Read = Callable[[Spec, list], tuple]  # one input as the learner wrote it -> as the programs take it; raises Miss


@dataclass(frozen=True)
class Room:
    """One check: its name, the broken programs in it, and what to try for those that escape."""

    name: str
    bugs: dict[str, Program]
    why: str
    advice: str


@dataclass(frozen=True)
class Museum:
    """Two right programs, rooms of broken ones, and how to read an input."""

    right: tuple[Program, Program]
    rooms: tuple[Room, ...]
    read: Read
    points: int = 2

    def checks(self) -> tuple[Check, ...]:
        """One check per room."""
        return tuple(Check(room.name, self.points, self._check(room)) for room in self.rooms)

    def _check(self, room: Room) -> Callable[[Spec, Answers], None]:
        def test(spec: Spec, answers: Answers) -> None:
            inputs = self._inputs(spec, answers)
            self._no_false_alarm(spec, answers, inputs)
            caught = self.caught(spec, answers, room, inputs)
            if escaped := len(room.bugs) - caught:
                raise Miss(f"{caught} of {len(room.bugs)} broken programs of this kind were refused", room.why, room.advice,
                           float(max(self.points - escaped, 0)))

        test.__doc__ = f"Bugs of the kind: {room.name}."
        return test

    def caught(self, spec: Spec, answers: Answers, room: Room, inputs: list[tuple]) -> int:
        """How many of a room's bugs the learner's test refuses."""
        return sum(any(not self._accepts(answers, given, bug(spec, *given)) for given in inputs)
                   for bug in room.bugs.values())

    def _inputs(self, spec: Spec, answers: Answers) -> list[tuple]:
        got = answers.call("inputs")
        if not isinstance(got, list) or not 0 < len(got) <= MOST_INPUTS:
            raise Miss(f"inputs() returned {_short(got)}", f"a list of 1 to {MOST_INPUTS} inputs is expected",
                       "return a list, with one entry for each time the program is to run")
        return [self.read(spec, one) for one in got]

    def _no_false_alarm(self, spec: Spec, answers: Answers, inputs: list[tuple]) -> None:
        for program in self.right:
            for number, given in enumerate(inputs):
                if not self._accepts(answers, given, program(spec, *given)):
                    raise Miss(f"your test refuses a right program, at input number {number} (from 0)",
                               "two right programs run first; what the rules leave open, they do differently",
                               "read the rules again: do you demand more than they say, or compare too exactly?")

    def _accepts(self, answers: Answers, given: tuple, output: tuple) -> bool:
        got = answers.call("accepts", *given, *output)
        if not isinstance(got, bool):
            raise Miss(f"accepts(...) returned {_short(got)}", "True or False is expected",
                       "bool(...) turns what NumPy compares into one of the two")
        return got

    def show(self, spec: Spec, answers: Answers) -> Bars:
        """How many of each room's bugs are caught, beside how many there are."""
        rows = []
        for room in self.rooms:
            try:
                inputs = self._inputs(spec, answers)
                self._no_false_alarm(spec, answers, inputs)
                mine = float(self.caught(spec, answers, room, inputs))
            except Miss:
                mine = None
            rows.append((room.name, mine, float(len(room.bugs))))
        return Bars("Broken programs that your test refuses", "", rows, other="Planted")


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) < 60 else text[:56] + " ..."
