"""A random model of a shape as a GGUF file: what llama.cpp is timed on beside our decoder.

How it works
    The same seeded weights that our decoder packs, in blocks of one type throughout ("pure": the embedding, which is
    the output matrix too, included; norm gains stay F32), some thousand rows at a time. So both programs read the same
    numbers, and as many bytes. There is no vocabulary inside, only its size, which is enough to be timed. The file is
    written by ``interop.write_gguf``, as that of a trained model is.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

from .. import _paths
from ..interop import write_gguf
from ..model import Config, random_model
from ..packing import gguf

_TYPES = ("BF16", "Q8_0", "Q4_0")


def random_gguf(shape: str | Config, blocks: str, folder: Path | None = None,
                progress: Callable[[str], None] | None = None) -> Path:
    """The file of a random model in such blocks ("BF16", "Q8_0", "Q4_0"), written where it is not there yet.

    ``folder``: None for ``gguf`` in the cache of minquant. The file's name holds a checksum of the shape.
    Raises ValueError for an unknown shape or type, OSError where the disk has no room for it.
    """
    if blocks not in _TYPES:
        raise ValueError(f"no random model is written in {blocks!r}: choose one of {', '.join(_TYPES)}")
    model = random_model(shape)
    config, name = model.config, shape if isinstance(shape, str) else "model"
    folder = _paths.cache_dir() / "gguf" if folder is None else Path(folder)
    path = folder / f"random-{name}-{zlib.crc32(repr(config).encode()):08x}-{blocks}.gguf"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = config.parameters * gguf.TYPES[blocks].bits_per_weight / 8, shutil.disk_usage(folder).free
    if needed > 0.95 * free:
        raise OSError(f"{path.name} takes {needed / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free in {folder}: name "
                      "another folder, or make room there")
    if progress:
        progress(f"writing {path.name} ({needed / 1e9:.2f} GB)")
    write_gguf(model, path, blocks, name="random weights")
    return path
