"""What the diagnose exercises share: two things out of many were made wrongly; name them, and say why.

The learner writes ``findings``, a dict from the number of a thing to the cause of its fault. One of the two earns a
part of the points, so every check counts and hands the count over in its ``Miss``. Naming more than two would be
guessing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .beside import Bars, yours
from .checking import close
from .source import Answers, Miss, Spec, Wrong

FAULTS = 2
Right = Callable[[Spec, int], float]  # the figure a numbered thing should have had


class TwoFaults(NamedTuple):
    """The words of one exercise.

    noun    what is numbered: "row", "run", "copy"
    plural  several of them
    first   what to try first where nothing has been written yet
    figure  what each has under ``spec["runs"]`` that may be corrected: "error", "ms"
    unit    its unit
    """

    noun: str
    plural: str
    first: str
    figure: str = "error"
    unit: str = "percent"

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

    def check_errors(self, spec: Spec, answers: Answers, right: Right, tolerance: float, how: str) -> None:
        """Raise Miss unless ``corrected`` has the right error of both; ``how`` says how an error is counted."""
        self.check_figures(spec, answers, right, tolerance,
                           f"errors in `corrected` are those of a {self.noun} made by the rules", how,
                           f"try your code on {self.plural} that you trust: it has to give their printed errors")

    def check_figures(self, spec: Spec, answers: Answers, right: Right, tolerance: float, what: str, why: str,
                      then: str) -> None:
        """Raise Miss unless ``corrected`` has the right figure of both; ``what`` goes on after "1 of the 2"."""
        got = self.written(answers, "corrected")
        found = sum(type(got.get(number)) in (int, float) and close(got[number], right(spec, number), tolerance)
                    for number in spec["wrong"])
        if found < FAULTS:
            raise Miss(f"{found} of the 2 {what}", why, then, found)

    def bars(self, spec: Spec, answers: Answers, title: str) -> Bars:
        """The figure of each thing as printed, and with the learner's corrections."""
        fixed = yours(lambda: answers.value("corrected"))
        fixed = fixed if isinstance(fixed, dict) else {}
        bars = []
        for number, run in enumerate(spec["runs"], 1):
            mine = fixed.get(number, run[self.figure])
            bars.append((f"{self.noun} {number}", mine if isinstance(mine, (int, float)) else None, run[self.figure]))
        return Bars(f"{title}: with your corrections, and in the table", self.unit, bars, other="Table")


def error_fields(spec: Spec, right: Right) -> dict:
    """What only answers may know where errors in percent are corrected: ``fields`` and the errors as shares."""
    shares = {f"share_{letter}": f"{right(spec, number) / 100:.6g}"
              for letter, number in zip("ab", spec["wrong"], strict=True)}
    return fields(spec, right, "error") | shares


def fields(spec: Spec, right: Right, figure: str) -> dict:
    """What only answers may know: the faults a < b, their causes, right and printed figures, and a sound thing."""
    (a, cause_a), (b, cause_b) = spec["wrong"].items()
    sound = [number for number in range(1, len(spec["runs"]) + 1) if number not in (a, b)]
    found = {"a": a, "b": b, "cause_a": cause_a, "cause_b": cause_b, "sound": sound[0],
             "all": {number: cause_a for number in sound} | spec["wrong"]}
    for letter, number in (("a", a), ("b", b)):
        found |= {f"right_{letter}": f"{right(spec, number):.5g}",
                  f"printed_{letter}": spec["runs"][number - 1][figure]}
    return found


def wrong_answers(noun: str, plural: str, reference: str, vague: tuple[str, str]) -> tuple[Wrong, ...]:
    """Wrong answers where errors are corrected: mistakes of the learner's own in a right ``reference``.

    ``vague``: what somebody may write who found the two and cannot say why.
    """
    both = "corrected = {<<a>>: <<right_a>>, <<b>>: <<right_b>>}"
    swapped = reference.replace('<<a>>: "<<cause_a>>", <<b>>: "<<cause_b>>"',
                                '<<a>>: "<<cause_b>>", <<b>>: "<<cause_a>>"')
    return (
        Wrong("the causes swapped", 2, swapped),
        Wrong("the printed errors kept", 2, reference.replace("right_", "printed_")),
        Wrong("a share where percent are asked for", 2, reference.replace("right_", "share_")),
        Wrong(f"one {noun} of two", 3, 'findings = {<<b>>: "<<cause_b>>"}\ncorrected = {<<b>>: <<right_b>>}'),
        Wrong(f"a sound {noun} accused", 3, '''
            findings = {<<sound>>: "<<cause_a>>", <<b>>: "<<cause_b>>"}
            corrected = {<<sound>>: <<right_a>>, <<b>>: <<right_b>>}'''),
        Wrong(f"every {noun} accused", 4, f"findings = <<all>>\n{both}"),
        Wrong(f"{plural} found, causes in words of one's own", 2,
              f'findings = {{<<a>>: "{vague[0]}", <<b>>: "{vague[1]}"}}\n{both}'),
        Wrong("a list instead of a dict", 4, f"findings = [<<a>>, <<b>>]\n{both}"),
    )
