"""Which of two models wrote this? The blind test of lesson 07, and the best judge there can be.

How it works
    ``write_samples`` lets one of two models, drawn by lot, continue each of some prompts. ``BlindTest`` shows the texts
    one by one with two radio buttons and tells the hit rate, with its interval, once all are judged. Nothing is told
    before that, so that nobody learns on the way.

The best judge
    Whoever may ask both models can do no better than to name the one that gives the text the larger probability
    (Neyman and Pearson 1933, doi:10.1098/rsta.1933.0009, for prior odds of 1 : 1). ``judge`` does that, at the
    temperature the texts were drawn with. Its mean log ratio per token is a KL: where KL is small, even this judge
    guesses, and no reader can do better.

What we leave out
    Judging which text is better. That takes people, many of them, or a task with right answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np
from IPython.display import display

from ..evaluation import binomial_interval
from ..evaluation.likelihood import token_nll
from ..model import Transformer

SHOWN = 160  # letters of a prompt that are shown: its end
_BOX = ("border:1px solid var(--jp-border-color1,#8a8a8a);border-radius:6px;padding:8px 12px;max-width:760px;"
        "min-height:132px;white-space:pre-wrap;font-family:var(--jp-code-font-family,monospace);line-height:1.4")


@dataclass(frozen=True, eq=False)
class Sample:
    """A prompt (T,), what was written after it (n,), by which of the two models (0 or 1), at which temperature."""

    prompt: np.ndarray
    written: np.ndarray
    writer: int
    temperature: float


def write_samples(models: Sequence[Transformer], prompts: np.ndarray, n: int = 24, temperature: float = 0.8,
                  seed: int = 0) -> list[Sample]:
    """One sample a prompt: half of them by either model (the odd one by the first), in an order drawn by lot."""
    writers = np.random.default_rng(seed).permutation(np.arange(len(prompts)) % 2)  # (prompts,)
    return [Sample(prompt, models[writer].generate(prompt, n, temperature, seed=seed + 1 + number), int(writer),
                   temperature) for number, (prompt, writer) in enumerate(zip(prompts, writers))]


def judge(models: Sequence[Transformer], samples: Sequence[Sample]) -> np.ndarray:
    """log (probability by model 1 / probability by model 0) of each sample, float64 (samples,), in nats.

    Above 0 the best judge says model 1.
    """
    return np.array([_log_probability(models[1], s) - _log_probability(models[0], s) for s in samples])


def _log_probability(model: Transformer, sample: Sample) -> float:
    """Of the written tokens, at the sample's temperature."""
    logits = model.logits(np.concatenate((sample.prompt, sample.written[:-1])))[len(sample.prompt) - 1:]  # (n, vocab)
    return -float(token_nll(logits / np.float32(sample.temperature), sample.written).sum())


def hit_line(hits: int, count: int, who: str) -> str:
    """A share of hits in words, with its interval."""
    low, high = binomial_interval(hits, count)
    return f"{who}: {hits} of {count} right, {hits / count:.0%} (95% interval: {low:.0%} to {high:.0%}; guessing: 50%)"


class BlindTest:
    """The widget. ``answers`` holds 0, 1 or None for each sample; ``hits`` is None until all are answered."""

    def __init__(self, samples: Sequence[Sample], decode: Callable[[np.ndarray], str], names: tuple[str, str]):
        self.samples, self.names = list(samples), names
        self.answers: list[int | None] = [None] * len(self.samples)
        self._texts = [_text(sample, decode) for sample in self.samples]
        self._number = 0
        self._text, self._said = widgets.HTML(), widgets.HTML()
        self._picks = widgets.RadioButtons(options=[(name, n) for n, name in enumerate(names)], value=None,
                                           description="Written by")
        self._back, self._next = (widgets.Button(description=words, icon=f"arrow-{side}") for words, side in
                                  (("Previous", "left"), ("Next", "right")))
        self._back.on_click(lambda _button: self.turn(-1))
        self._next.on_click(lambda _button: self.turn(+1))
        self._picks.observe(self._answered, names="value")
        self.box = widgets.VBox([widgets.HBox([self._back, self._next]), self._text, self._picks, self._said])
        self.turn(0)

    @property
    def hits(self) -> int | None:
        """Right answers, once every sample has one."""
        if None in self.answers:
            return None
        return sum(answer == sample.writer for answer, sample in zip(self.answers, self.samples))

    def turn(self, by: int) -> None:
        """Go to a neighbouring sample; stays at the first and the last."""
        self._number = min(max(self._number + by, 0), len(self.samples) - 1)
        self._back.disabled, self._next.disabled = self._number == 0, self._number == len(self.samples) - 1
        self._text.value = (f"<b>Sample {self._number + 1} of {len(self.samples)}</b>"
                            f'<div style="{_BOX}">{self._texts[self._number]}</div>')
        self._picks.value = self.answers[self._number]
        self._tell()

    def _answered(self, change: dict[str, Any]) -> None:
        self.answers[self._number] = change["new"]
        self._tell()

    def _tell(self) -> None:
        """What is known so far: how many are answered; at the end, the hit rate and who wrote what."""
        if self.hits is None:
            done = sum(answer is not None for answer in self.answers)
            self._said.value = f"Answered: {done} of {len(self.samples)}. The result comes with the last answer."
            return
        truth = ", ".join(f"{n} {escape(self.names[s.writer])}" for n, s in enumerate(self.samples, 1))
        self._said.value = f"<b>{hit_line(self.hits, len(self.samples), 'You')}.</b><br>Written by: {truth}."


def blind_test(samples: Sequence[Sample], decode: Callable[[np.ndarray], str], names: tuple[str, str]) -> BlindTest:
    """Show the test, and return it so that a later cell can ask for its ``hits``. ``decode`` turns tokens into text.

    Beneath stand all samples as folded text, with their writers, for a page without a kernel.
    """
    test = BlindTest(samples, decode, names)
    plain = f"A blind test of {len(test.samples)} samples: {names[0]} or {names[1]}?"
    display(dict(test.box._repr_mimebundle_()) | {"text/plain": plain}, raw=True)
    items = "".join(f'<li><div style="white-space:pre-wrap">{text}</div></li>' for text in test._texts)
    truth = ", ".join(f"{n} {escape(names[s.writer])}" for n, s in enumerate(test.samples, 1))
    display({"text/html": f"<details><summary>All samples as text</summary><ol>{items}</ol><details><summary>Who wrote "
                          f"them</summary>{truth}</details></details>", "text/plain": plain}, raw=True)
    return test


def _text(sample: Sample, decode: Callable[[np.ndarray], str]) -> str:
    """The end of the prompt, then what was written in bold, as HTML."""
    prompt = decode(sample.prompt)
    before = ("…" if len(prompt) > SHOWN else "") + prompt[-SHOWN:]
    return f"{escape(before)}<b>{escape(decode(sample.written))}</b>"
