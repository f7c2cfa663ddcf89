"""Can this recipe be written in that format? Answered before the work, which may take hours, and not after it.

How it works
    What a writer asks of a quantized model before it writes is the shape, the tokenizer and the scheme of each weight,
    and all three are known beforehand. So the writer's own check is given a model that has schemes and no codes: there
    is one list of what a format holds, and not a second one that may differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..model import Recipe, Transformer, linear_names, method_of
from ..model.quantizing import check
from ..scaling import QTensor, Scheme
from .checkpoints import FORMATS, check_checkpoint
from .gguf_out import check_gguf

SHARED_BY_ALL = ("activations", "kv", "attention")  # of a recipe: no format of others has a place for them


def check_plan(model: Transformer, recipe: Recipe, format: str) -> list[str]:
    """Check that a float model, quantized by a recipe, can be written: "gguf", or one of ``FORMATS``.

    Returns the parts of the recipe that such a file does not mention. Raises ValueError as the quantization and the
    writer would.
    """
    check(model, recipe)
    method = method_of(recipe.method)[0]
    rotated = recipe.has_weights and method.prepare == "rotate"
    schemes = {} if method.decompose else {name: recipe.scheme_of(name) for name in linear_names(model.config)}
    head = model.config.head_name
    if recipe.head is not None and not recipe.skips(head):
        schemes[head] = recipe.head
    plan = Transformer(replace(model.config, online_hadamard=True) if rotated else model.config, model.weights,
                       model.tokenizer, replace(recipe, activations=None) if recipe.static else recipe,
                       _Schemes({name: Scheme.parse(text) for name, text in schemes.items() if text is not None}))
    if format in FORMATS:
        check_checkpoint(plan, format)
    else:
        check_gguf(plan)
    return [part for part in SHARED_BY_ALL if getattr(recipe, part) is not None]


class _Schemes(Mapping):
    """Name to QTensor, of which only the scheme is known."""

    def __init__(self, schemes: dict[str, Scheme]) -> None:
        self._schemes = schemes

    def scheme(self, name: str) -> Scheme:
        """The scheme of a weight."""
        return self._schemes[name]

    def __getitem__(self, name: str) -> QTensor:
        raise KeyError(f"{name} is not quantized yet")

    def __contains__(self, name: object) -> bool:
        return name in self._schemes

    def __iter__(self) -> Iterator[str]:
        return iter(self._schemes)

    def __len__(self) -> int:
        return len(self._schemes)
