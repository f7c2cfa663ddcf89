"""The tensors of a checkpoint, whichever of its files they are in; and weights that stay on the disk.

How it works
    A small checkpoint is one ``model.safetensors``. A large one is several files and an index,
    ``model.safetensors.index.json``, whose "weight_map" says in which file each tensor lies. Only headers are read when
    a checkpoint is opened; the numbers are mapped, and become float32 some rows at a time when they are asked for.

    The index is input from a stranger as well: it may name files of its own folder only, and has to agree with what
    the files hold.

Source
    transformers, ``modeling_utils.py`` (weight_map), and the safetensors headers: ``safetensors.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from .safetensors import SafetensorsFile

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"


class Shards(Mapping):
    """Name to float32 array over all files of a folder, read when asked for.

    ``shapes`` holds the shape of each without reading it, ``title`` the file that lists them all. Raises ValueError,
    naming the file, for an index or a file that is damaged, or that disagree.
    """

    def __init__(self, folder: Path) -> None:
        if (folder / SINGLE).is_file():
            self.title = SINGLE
            file = SafetensorsFile(folder / SINGLE)
            self._files = {name: file for name in file}
        else:
            self.title = INDEX
            self._files = _indexed(folder)
        self.shapes = {name: file.shapes[name] for name, file in self._files.items()}

    def file_of(self, name: str) -> str:
        """Name of the file that a tensor lies in."""
        return self._files[name].path.name

    def __getitem__(self, name: str) -> np.ndarray:
        return self._files[name][name]

    def rows(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Some rows of a tensor as a new float32 array. Raises as ``SafetensorsFile.rows``."""
        return self._files[name].rows(name, start, stop)

    def stored(self, name: str) -> np.ndarray:
        """The tensor as its file holds it; see ``SafetensorsFile.stored``."""
        return self._files[name].stored(name)

    def __contains__(self, name: object) -> bool:
        return name in self._files  # Mapping's own would read the tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


class Stored(Mapping):
    """The tensors of a model among those of a source: what ``Transformer.weights`` is where they stay on the disk.

    The source is a mapping with ``rows``; ``shapes`` names the tensors, in the order of the model.
    """

    def __init__(self, source, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._source, self.shapes = source, dict(shapes)

    def __getitem__(self, name: str) -> np.ndarray:
        self.shapes[name]  # KeyError for what the source has and the model has not
        return self._source[name]

    def rows(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Some rows of a weight, float32."""
        return self._source.rows(name, start, stop)

    def stored(self, name: str) -> np.ndarray | None:
        """The weight as the source's file holds it, mapped; None where the source holds no plain numbers."""
        stored = getattr(self._source, "stored", None)
        return None if stored is None else stored(name)

    def __contains__(self, name: object) -> bool:
        return name in self.shapes

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)


def row_blocks(weights: Mapping[str, np.ndarray], name: str, count: int, step: int) -> Iterator[np.ndarray]:
    """A matrix of ``count`` rows, ``step`` rows at a time, without reading all of it where the mapping can do that."""
    rows = getattr(weights, "rows", None)
    whole = None if rows else weights[name]
    for start in range(0, count, step):
        stop = min(start + step, count)
        yield rows(name, start, stop) if rows else whole[start:stop]


def _indexed(folder: Path) -> dict[str, SafetensorsFile]:
    """Name of every tensor -> its file, as the index says."""
    try:
        found = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"]
        places = dict(found.items())
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{INDEX} is damaged: {type(error).__name__}: {str(error):.200}") from None
    files = {name: _open(folder, name) for name in sorted(_names(places.values()))}
    for tensor, name in places.items():
        if tensor not in files[name]:
            raise ValueError(f"{INDEX} puts tensor {tensor} into {name}, which does not hold it")
    for name, file in files.items():
        for tensor in file:
            if places.get(tensor) != name:
                raise ValueError(f"{name} holds tensor {tensor}, and {INDEX} does not say so")
    return {tensor: files[name] for tensor, name in places.items()}


def _names(names: Iterable) -> set[str]:
    names = list(names)
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or "\\" in name or not name.endswith(".safetensors"):
            raise ValueError(f"{INDEX} names the file {name!r:.80}: only safetensors files of the same folder are read")
    return set(names)


def _open(folder: Path, name: str) -> SafetensorsFile:
    try:
        there = (folder / name).is_file()
    except (OSError, ValueError):  # a name that no file system takes
        there = False
    if not there:
        raise FileNotFoundError(f"{folder.name}: {name:.80} is missing, and {INDEX} asks for it")
    return SafetensorsFile(folder / name)
