"""A museum of planted bugs: exercises in which learners write the test, and are scored by what it finds.

How it works
    The learner writes two functions. ``inputs()`` says what to try; ``accepts(*input, *output)`` says whether what a
    program gave for it may be right. The judge holds the programs: two that are right and differ in what the rules leave
    open, and a room of broken ones for every check. A bug is caught where ``accepts`` refuses one of its outputs. A test
    that refuses a right program catches nothing, in any room: an alarm that always rings is not one.

    No program is handed to the learner's functions, only what it gave. Of each input, every different output is asked
    about once, for all rooms together, in an order that its digest decides. So a test that counts its calls, or remembers
    what it saw in another room, learns nothing from it.

Source
    Scoring tests by the planted faults they find is mutation analysis: DeMillo, Lipton and Sayward, "Hints on Test Data
    Selection", IEEE Computer 11(4), 1978.

What we leave out
    A test that remembers many outputs, for inputs that hardly differ, could let the majority decide. It would still need
    inputs at which the bugs show.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from .beside import Bars
from .source import Answers, Check, Miss, Spec
from .values import dumps, plain

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
    _judged: WeakKeyDictionary = field(default_factory=WeakKeyDictionary, compare=False, repr=False)

    def checks(self) -> tuple[Check, ...]:
        """One check per room."""
        return tuple(Check(room.name, self.points, self._check(room)) for room in self.rooms)

    def _check(self, room: Room) -> Callable[[Spec, Answers], None]:
        def test(spec: Spec, answers: Answers) -> None:
            caught = len(self.caught(spec, answers)[room.name])
            if escaped := len(room.bugs) - caught:
                raise Miss(f"{caught} of {len(room.bugs)} broken programs of this kind were refused", room.why, room.advice,
                           float(max(self.points - escaped, 0)))

        test.__doc__ = f"Bugs of the kind: {room.name}."
        return test

    def caught(self, spec: Spec, answers: Answers) -> dict[str, set[str]]:
        """Names of the bugs that the learner's test refuses, by room. Raises Miss where it refuses a right program.

        Asked once of the same answers: the checks of all rooms share what came out.
        """
        before = self._judged.get(answers)
        if before is None or before[0] != spec:
            try:
                before = (spec, self._run(spec, answers))
            except Miss as miss:
                before = (spec, miss)
            self._judged[answers] = before
        if isinstance(before[1], Miss):
            raise Miss(*before[1].args)
        return before[1]

    def _run(self, spec: Spec, answers: Answers) -> dict[str, set[str]]:
        caught: dict[str, set[str]] = {room.name: set() for room in self.rooms}
        alarms = []
        for number, given, output, makers in self._outputs(spec, self._inputs(spec, answers)):
            right = any(room is None for room, _ in makers)
            if not right and all(bug in caught[room] for room, bug in makers):
                continue
            if not self._accepts(answers, given, output):
                if right:
                    alarms.append(number)
                for room, bug in () if right else makers:
                    caught[room].add(bug)
        if alarms:
            raise Miss(f"your test refuses a right program, at input number {min(alarms)} (from 0)",
                       "two right programs run beside the broken ones; what the rules leave open, they do differently",
                       "read the rules again: do you demand more than they say, or compare too exactly?")
        return caught

    def _outputs(self, spec: Spec, inputs: list[tuple]) -> Iterator[tuple[int, tuple, tuple, list]]:
        """(number of the input, input, output, [(room or None, program), ...]), each different output once."""
        programs = [(None, str(n), program) for n, program in enumerate(self.right)]
        programs += [(room.name, name, bug) for room in self.rooms for name, bug in room.bugs.items()]
        found: dict[str, tuple[int, tuple, tuple, list]] = {}
        for number, given in enumerate(inputs):
            for room, name, program in programs:
                output = program(spec, *given)
                digest = hashlib.sha256(dumps(plain([*given, *output])).encode()).hexdigest()
                found.setdefault(digest, (number, given, output, []))[3].append((room, name))
        return (found[digest] for digest in sorted(found))

    def _inputs(self, spec: Spec, answers: Answers) -> list[tuple]:
        got = answers.call("inputs")
        if not isinstance(got, list) or not 0 < len(got) <= MOST_INPUTS:
            raise Miss(f"inputs() returned {_short(got)}", f"a list of 1 to {MOST_INPUTS} inputs is expected",
                       "return a list, with one entry for each time the program is to run")
        return [self.read(spec, one) for one in got]

    def _accepts(self, answers: Answers, given: tuple, output: tuple) -> bool:
        got = answers.call("accepts", *given, *output)
        if not isinstance(got, bool):
            raise Miss(f"accepts(...) returned {_short(got)}", "True or False is expected",
                       "bool(...) turns what NumPy compares into one of the two")
        return got

    def show(self, spec: Spec, answers: Answers) -> Bars:
        """How many of each room's bugs are caught, beside how many there are."""
        try:
            caught = self.caught(spec, answers)
        except Miss:
            caught = {}
        return Bars("Broken programs that your test refuses", "", [
            (room.name, float(len(caught[room.name])) if caught else None, float(len(room.bugs))) for room in self.rooms],
            other="Planted")


def array(one: Any, axes: int, most: int, finite: bool = True) -> np.ndarray | None:
    """What a learner wrote as an array of 1 to ``most`` numbers, as float64; None where it is no such array."""
    try:
        found = np.asarray(one, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    if found.ndim != axes or not 0 < found.size <= most or finite and not np.isfinite(found).all():
        return None
    return found


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) < 60 else text[:56] + " ..."
