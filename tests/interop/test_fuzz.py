"""More than a thousand damaged files: each is refused in words, or is a model after all. Nothing hangs or allocates."""

from __future__ import annotations

import struct
import tracemalloc
import warnings

import numpy as np
import pytest

import minquant as mq
from minquant.interop import write_checkpoint, write_gguf
from minquant.model import Config, Transformer, random_model, save

MINI = Config(vocab_size=64, hidden=32, layers=1, heads=2, kv_heads=2, head_dim=16, ffn=32, context=32)
MOST = 8 << 20  # bytes allocated at once; the models here have 70 kB
LIES = [0, 1, 0xFF, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
FILES = 210  # of each of five kinds
WATCHED = 10  # every so many files, what is allocated is measured, which is slow


def damaged(raw: bytes, header: int, rng: np.random.Generator) -> bytes:
    """Cut short, a lying number, a flipped bit, a run of noise, or more behind the end."""
    kind, at = rng.integers(5), int(rng.integers(header))
    if kind == 0:
        return raw[:rng.integers(len(raw))]
    if kind == 1:
        return raw[:at] + struct.pack("<Q", LIES[rng.integers(len(LIES))]) + raw[at + 8:]
    if kind == 2:
        return raw[:at] + bytes([raw[at] ^ 1 << rng.integers(8)]) + raw[at + 1:]
    if kind == 3:
        return raw[:at] + rng.bytes(8) + raw[at + 8:]
    return raw + rng.bytes(int(rng.integers(1, 40)))


@pytest.fixture(scope="module")
def model() -> Transformer:
    return Transformer(MINI, dict(random_model(MINI, 1).weights))


def written(kind: str, model: Transformer, folder):
    """(what is loaded, the file to be damaged) of each kind."""
    if kind == "gguf":
        write_gguf(model, folder / "m.gguf", "Q8_0")
        return folder / "m.gguf", folder / "m.gguf"
    if kind == "ours":
        model.quantize(mq.Recipe(weights="int4:g32")).save(folder / "m")
        return folder / "m", folder / "m"
    if kind == "gptq":
        write_checkpoint(model.quantize(mq.Recipe(weights="int4:g32")), folder, "gptq")
    else:
        save(model, folder)
    return folder, folder / ("config.json" if kind == "config" else "model.safetensors")


@pytest.mark.parametrize("kind", ["safetensors", "gguf", "ours", "gptq", "config"])
def test_damaged_files_are_refused_in_words(tmp_path, model, kind):
    source, path = written(kind, model, tmp_path)
    raw, rng, refused = path.read_bytes(), np.random.default_rng(sum(map(ord, kind))), 0
    header = min(len(raw) - 8, 3000)
    for i in range(FILES):
        path.write_bytes(damaged(raw, header, rng))
        if i % WATCHED == 0:
            tracemalloc.start()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                mq.load(source)
            except (ValueError, FileNotFoundError) as error:
                refused += 1
                assert len(str(error)) > 20
        if i % WATCHED == 0:
            assert tracemalloc.get_traced_memory()[1] < MOST
            tracemalloc.stop()
    assert refused > FILES / 2
    path.write_bytes(raw)
    mq.load(source)


def test_a_damaged_checkpoint_gives_no_partial_output(tmp_path, model):
    (tmp_path / "in").mkdir()
    source, path = written("safetensors", model, tmp_path / "in")
    path.write_bytes(path.read_bytes()[:-100])
    before = sorted(p.name for p in tmp_path.iterdir())
    from minquant.cli import main

    assert main(["quantize", str(source), "--weights", "q8_0", "--out", str(tmp_path / "m.gguf")]) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == before
