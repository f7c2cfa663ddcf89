"""One weight's biography: from the bytes of a checkpoint to a share of a logit, and to a nibble in a GGUF file.

How it works
    The weight of ``one_weight.py`` is followed by running the very functions that a whole model goes through. Every stop
    keeps what the number looks like there, and where in the package that was done. A place is found by looking for its
    line in the source of a module (``where``), so it stays true when lines move; a line that is gone is an error.

    The last stop is a file: the model is written as GGUF in Q4_0 blocks, closed, opened again as plain bytes, and the
    nibble is read at an offset that the header alone gives. The logit is that of the model read back from this file.

What a share of a logit is
    The last block's down projection adds w x to one component of the residual stream. After it come only the final
    norm, which divides by a root mean square r, and the output matrix H. So the logit of token t holds

        w x * gain[row] / r * H[t, row]

    and such parts, of all components, add up to the logit. The weight moves r too, if little: ``logit_without`` is the
    whole truth, the logit of the same model with a zero in this one place.

What we leave out
    Formats other than Q4_0, which all three have: our schemes, our kernels, and GGUF.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .._paths import data_dir
from ..decoder import pack as packing_for_kernels
from ..evaluation import heldout_tokens
from ..interop import gguf_in, gguf_names, gguf_out, load
from ..kernels import inputs, matvec, packed
from ..model import safetensors, transformer
from ..model.config import FINAL_NORM
from ..model.shards import Shards
from ..packing import gguf
from ..packing.gguf import lanes, linear
from ..scaling import QTensor, quantize
from . import one_weight
from .one_weight import OneWeight

SCHEME, BLOCKS = "q4_0", "Q4_0"
TEXT_BYTES = 200  # of held-out text, before the logit


@dataclass(frozen=True)
class Stop:
    """One stop: its name, what the number is here, a sentence on it, and the place in the package: "file:line"."""

    name: str
    value: str
    says: str
    place: str


@dataclass(frozen=True)
class Biography:
    """The stops in order, and their figures by name (see ``follow``)."""

    weight: OneWeight
    stops: tuple[Stop, ...]
    figures: dict[str, Any]


def follow(checkpoint: str, gguf_file: str | os.PathLike, progress: Callable[[str], None] | None = None) -> Biography:
    """The biography of the course's weight in a checkpoint.

    Args:
        checkpoint: "tiny", or the folder of a float checkpoint in Hugging Face's layout, with a tokenizer.
        gguf_file: the GGUF file that is written.
        progress: called with a line of text now and then.

    Returns:
        A Biography. Its figures: ``file``, ``offset``, ``bytes`` (hex) of the checkpoint; ``value``; ``scale``, ``code``,
        ``rounded``; ``block_byte`` and ``half`` (of the block), ``word``, ``kernel``, ``input``, ``product`` (by the
        kernel); ``token`` (of the logit), ``logit``, ``share``, ``logit_without``; ``gguf_offset``, ``gguf_byte``,
        ``gguf_code`` (read back).

    Raises ValueError or FileNotFoundError for a checkpoint that cannot be followed: another layout, quantized already,
    too narrow, rows that are no whole number of blocks, no tokenizer.
    """
    say = progress or (lambda line: None)
    if checkpoint != "tiny" and not Path(checkpoint).is_dir():
        raise ValueError(f"{checkpoint} is no folder: a biography begins at a float checkpoint in Hugging Face's layout")
    model = load(checkpoint, lazy=True)
    weight = one_weight.followed(model)
    matrix = model.weights[weight.tensor]  # (out, in)
    shards = Shards(data_dir() if checkpoint == "tiny" else Path(checkpoint))
    if weight.tensor not in shards or matrix.shape[1] % one_weight.GROUP:
        raise ValueError(f"{weight.tensor} is quantized already, or its rows of {matrix.shape[1]} are no whole number of "
                         f"blocks of {one_weight.GROUP}: name a float checkpoint")
    tokens = heldout_tokens(model, limit_bytes=TEXT_BYTES)
    q = quantize(matrix, SCHEME)
    stops, figures = [], {}
    for stop, found in (_checkpoint(shards, weight), _scale(q, weight), _code(q, weight), _nibble(q, weight)):
        stops += stop
        figures |= found
    say(f"writing {Path(gguf_file).name}")
    gguf_out.write_gguf(model, gguf_file, BLOCKS, progress=progress)
    written = load(gguf_file, lazy=True)
    say("one text through the model of the file")
    found = _at_work(written, weight, tokens)
    for stop, more in (_kernel(q, weight, found.pop("inputs")), _logit(weight, found), _file(gguf_file, written, weight)):
        stops += stop
        figures |= more
    if figures["gguf_code"] != figures["code"]:
        raise RuntimeError(f"the file holds code {figures['gguf_code']} and not {figures['code']}: a fault of minquant")
    return Biography(weight, tuple(stops), figures)


def where(module: ModuleType | Callable, line: str) -> str:
    """"minquant/kernels/rows.py:42": the one line of a module, or of a function, that holds this code.

    Raises LookupError where no line, or more than one, does.
    """
    source = getattr(module, "py_func", module)
    lines, first = inspect.getsourcelines(source)
    found = [number for number, text in enumerate(lines) if line in text]
    if len(found) != 1:
        raise LookupError(f"{len(found)} lines of {source.__name__} hold {line!r}: the place to show has changed")
    root = Path(__file__).resolve().parents[2]
    path = Path(inspect.getsourcefile(source)).resolve().relative_to(root).as_posix()
    return f"{path}:{max(first, 1) + found[0]}"  # of a module, inspect says line 0


def as_text(found: Biography) -> str:
    """The stops for people, one paragraph each."""
    wide = max(len(stop.name) for stop in found.stops)
    lines = [f"{found.weight}", ""]
    for number, stop in enumerate(found.stops, 1):
        lines += [f"{number}  {stop.name:<{wide}}  {stop.value}", f"   {'':<{wide}}  {stop.says}",
                  f"   {'':<{wide}}  {stop.place}", ""]
    return "\n".join(lines).rstrip()


def _checkpoint(shards: Shards, weight: OneWeight) -> tuple[list[Stop], dict[str, Any]]:
    """The bytes in the checkpoint, and the float they are."""
    stored = shards.stored(weight.tensor)
    file, size = Path(stored.filename), stored.itemsize
    offset = stored.offset + (weight.row * stored.shape[1] + weight.column) * size
    with open(file, "rb") as opened:
        opened.seek(offset)
        raw = opened.read(size)
    kind = {"uint16": "bfloat16", "float16": "float16", "float32": "float32"}[stored.dtype.name]
    bits = f"{int.from_bytes(raw, 'little'):0{8 * size}b}"
    return [Stop("bytes of a checkpoint", f"{raw.hex(' ')} at byte {offset:,} of {file.name}",
                 f"{size} bytes, the low one first; the file's header says where the matrix begins",
                 where(safetensors, "return np.memmap(self.path")),
            Stop("a float", f"{weight.value:.8g}", f"{kind}, bits {bits}", where(safetensors, "x = get_format(\"bf16\")"))
            ], {"file": file.name, "offset": offset, "bytes": raw.hex(), "value": weight.value}


def _scale(q: QTensor, weight: OneWeight) -> tuple[list[Stop], dict[str, Any]]:
    scale = float(q.scale[weight.row, weight.column // one_weight.GROUP])
    return [Stop("a scale", f"{scale:.8g}", f"shared by {one_weight.GROUP} weights: the largest of them, with its sign, "
                 "divided by -8, in float16", where(linear, "d = largest_of(x)"))], {"scale": scale}


def _code(q: QTensor, weight: OneWeight) -> tuple[list[Stop], dict[str, Any]]:
    code, rounded = int(q.codes[weight.row, weight.column]), float(q.dequantize()[weight.row, weight.column])
    return [Stop("a code", f"{code}", f"{weight.value:.6g} divided by the scale and rounded; it stands for {rounded:.8g}, "
                 f"an error of {rounded - weight.value:+.2g}", where(linear, "np.trunc(shifted, out=shifted)"))
            ], {"code": code, "rounded": rounded}


def _nibble(q: QTensor, weight: OneWeight) -> tuple[list[Stop], dict[str, Any]]:
    """Where in its block of bytes the code lies."""
    block, place = divmod(weight.column, one_weight.GROUP)
    size = gguf.TYPES[BLOCKS].nbytes
    raw = q.pack()["blocks"][weight.row, block * size:(block + 1) * size]  # (18,)
    at, high = 2 + place % 16, place >= 16  # two bytes of scale come first
    nibble = int(raw[at]) >> 4 if high else int(raw[at]) & 15
    return [Stop("a nibble", f"{nibble:04b} in {int(raw[at]):02x}, byte {at} of {size}",
                 f"{q.codes[weight.row, weight.column]} + 8 = {nibble}, in the {'high' if high else 'low'} half: the other "
                 f"half is weight {(place + 16) % 32} of the block", where(lanes.merge, "raw = raw | (codes"))
            ], {"block_byte": at, "half": "high" if high else "low"}


def _at_work(model: transformer.Transformer, weight: OneWeight, tokens: np.ndarray) -> dict[str, Any]:
    """Run a text through the model of the file: the inputs of the weight's matrix, and what follows from its product."""
    seen: dict[str, np.ndarray] = {}
    config = model.config
    x, angles = model.embed(tokens), model.angles(np.arange(len(tokens)))
    for layer in range(config.layers):
        x = model.block(layer, x, angles, tap=seen.setdefault)  # (T, d)
    inputs_of_it = seen[weight.tensor][-1]  # (in,)
    row = x[-1:].astype(np.float64)  # (1, d)
    rounded = float(model.weights[weight.tensor][weight.row, weight.column])
    product = rounded * float(inputs_of_it[weight.column])
    logits = model.head(row.astype(np.float32))[0]
    token = int(logits.argmax())
    without = row.copy()
    without[0, weight.row] -= product
    rms = float(np.sqrt(np.mean(row * row) + config.norm_eps))
    share = (product * float(model.weights[FINAL_NORM][weight.row]) / rms
             * float(model.weights[config.head_name][token, weight.row]))
    return {"inputs": inputs_of_it, "token": token, "text": model.tokenizer.decode([token]), "logit": float(logits[token]),
            "share": share, "logit_without": float(model.head(without.astype(np.float32))[0, token])}


def _kernel(q: QTensor, weight: OneWeight, x: np.ndarray) -> tuple[list[Stop], dict[str, Any]]:
    """The word that the kernel reads, and what the kernel makes of it: its product with the nibble, less without."""
    m = packing_for_kernels.pack_matrix(q)
    place = 0, weight.row // packed.LANES, weight.column // 8, weight.row % packed.LANES
    word, shift = int(m.codes[place]), 8 * (weight.column % 4) + 4 * (weight.column % 8 // 4)
    whole = _multiplied(m, x, weight.row)
    cleared = m.codes.copy()
    cleared[place] = word & ~(15 << shift) | 8 << shift  # 8 is zero: codes are stored plus 8
    product = whole - _multiplied(m._replace(codes=cleared), x, weight.row)
    kernel = matvec.kernel_for(type(m), inputs.FloatInput)
    name = f"{kernel.__module__.rpartition('.')[2]}.{kernel.__name__}"
    return [Stop("a word for the kernel", f"{word:08x}, bits {shift} to {shift + 3} are {word >> shift & 15:04b}",
                 "the same code, moved: eight rows lie together, and a word holds eight columns of one of them",
                 where(packed, "return np.bitwise_or.reduce(fields << places")),
            Stop("a product", f"{product:.6g}", f"{name} on input {float(x[weight.column]):.6g}: its sum with this code "
                 "less its sum with a zero there", where(kernel, f"def {kernel.__name__}("))
            ], {"word": word, "kernel": name, "input": float(x[weight.column]), "product": product}


def _multiplied(m: packed.Packed, x: np.ndarray, row: int) -> float:
    """One row of a packed matrix times x (columns,), by the kernel that a decoder uses on this machine."""
    given = inputs.make_input(x.size, None)
    given.values[:] = x
    out = np.empty(packed.stored_rows(m), np.float32)
    matvec.multiply(out, m, 0, given, np.empty((1, 2 * x.size + 16), np.float32))
    return float(out[row])


def _logit(weight: OneWeight, found: dict[str, Any]) -> tuple[list[Stop], dict[str, Any]]:
    return [Stop("a share of a logit", f"{found['share']:+.6f} of {found['logit']:.4f}",
                 f"the logit of {found['text']!r}, the likeliest next token; with a zero for this weight it would be "
                 f"{found['logit_without']:.4f}", where(transformer.Transformer.head, "self._linears(y, [self.config"))
            ], found


def _file(path: str | os.PathLike, model: transformer.Transformer, weight: OneWeight) -> tuple[list[Stop], dict[str, Any]]:
    """The nibble in the file, found from the header and read as a plain byte."""
    name = {ours: theirs for theirs, ours in gguf_names.names(model.config)}[weight.tensor]
    data = next(span for span in gguf.file.spans(path) if span.name == f"{name}: data")
    size, columns = gguf.TYPES[BLOCKS].nbytes, model.config.ffn
    block, place = divmod(weight.column, one_weight.GROUP)
    offset = data.start + (weight.row * (columns // one_weight.GROUP) + block) * size + 2 + place % 16
    with open(path, "rb") as opened:
        opened.seek(offset)
        byte = opened.read(1)[0]
    nibble = byte >> 4 if place >= 16 else byte & 15
    return [Stop("a nibble in a GGUF file", f"{nibble:04b} in {byte:02x}, byte {offset:,} of {Path(path).name}",
                 f"tensor {name}; read back it is code {nibble - 8} again", where(gguf_out, "yield gguf.quantize(block, type)")
                 + " (written), " + where(gguf_in, "x = gguf.dequantize(raw") + " (read)")
            ], {"gguf_offset": offset, "gguf_byte": byte, "gguf_code": nibble - 8}
