"""What the diagnose exercises share: two things out of many were made wrongly; name them, and say why.

The learner writes ``findings``, a dict from the number of a thing to the cause of its fault. One of the two earns a
part of the points, so every check counts and hands the count over in its ``Miss``. Naming more than two would be
guessing.
"""

from __future__ import annotations

from typing import NamedTuple

from .source import Answers, Miss, Spec

FAULTS = 2


class TwoFaults(NamedTuple):
    """The words of one exercise.

    noun    what is numbered: "row", "run", "copy"
    plural  several of them
    first   what to try first where nothing has been written yet
    """

    noun: str
    plural: str
    first: str

    def written(self, answers: Answers, name: str) -> dict:
        """The learner's dict of that name. Raises Miss where it is none, is empty, or names more than two."""
        got, noun = answers.value(name), self.noun
        if not isinstance(got, dict):
            raise Miss(f"`{name}` is {str(got)[:80]}",
                       f"the checks read a dict with the number of a {noun} on the left",
                       f"write it as {{{noun}: ..., {noun}: ...}}, for example {name} = {{2: ...}}")
        if not got:
            raise Miss(f"`{name}` is empty", "the answer cell has not been filled in yet", self.first)
        if len(got) > FAULTS:
            raise Miss(f"`{name}` names {len(got)} {self.plural}",
                       f"two {self.plural} are wrong; naming more of them is a guess and earns nothing",
                       "keep the two that you can explain")
        return got

    def check_numbers(self, spec: Spec, answers: Answers, fault: str, why: str, then: str) -> None:
        """Raise Miss unless ``findings`` names the two that ``fault`` ("were made wrongly")."""
        got = self.written(answers, "findings")
        found = sum(number in spec["wrong"] for number in got)
        if found < FAULTS:
            raise Miss(f"`findings` names {sorted(map(str, got))}, of which {found} of 2 {fault}", why, then, found)

    def check_causes(self, spec: Spec, answers: Answers, why: str, then: str) -> None:
        """Raise Miss unless ``findings`` has the cause of both."""
        got = self.written(answers, "findings")
        found = sum(got.get(number) == cause for number, cause in spec["wrong"].items())
        if found < FAULTS:
            raise Miss(f"{found} of the 2 wrong {self.plural} stand in `findings` with their cause", why, then, found)
