"""More than two thousand damaged files: each is refused in words, or is a model after all. Nothing hangs or allocates."""

from __future__ import annotations

import json
import re
import shutil
import signal
import struct
import tracemalloc
import warnings

import numpy as np
import pytest

import minquant as mq
from minquant.interop import write_checkpoint, write_gguf
from minquant.model import Config, Transformer, random_model, save

MINI = Config(vocab_size=64, hidden=32, layers=1, heads=2, kv_heads=2, head_dim=16, ffn=32, context=32)
MOST = 8 << 20  # bytes allocated at once; the models here have 70 kB, that with the vocabulary has less than 1 MB
LIES = [0, 1, 0xFF, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
TEXTS = ["-1", "1e999", "null", "true", "[]", "{}", '"x"', "1.5", "9" * 400]  # in place of a number in JSON
FILES = 210  # of each kind
WATCHED = 10  # every so many files, what is allocated is measured, which is slow
PATIENCE = 30  # seconds for one file; reading one takes milliseconds
KINDS = {"safetensors": "model.safetensors", "gguf": "m.gguf", "k-quants": "m.gguf", "vocabulary": "m.gguf", "ours": "m",
         "gptq": "model.safetensors", "awq": "model.safetensors", "compressed-tensors": "model.safetensors",
         "config": "config.json", "quantization": "config.json", "index": "model.safetensors.index.json",
         "tokenizer": "tokenizer.json"}


def damaged(raw: bytes, header: int, rng: np.random.Generator) -> bytes:
    """Cut short, a lying number, a flipped bit, a run of noise, more behind the end, or another number in its text."""
    kind, at = rng.integers(6), int(rng.integers(header))
    if kind == 0:
        return raw[:rng.integers(len(raw))]
    if kind == 1:
        return raw[:at] + struct.pack("<Q", LIES[rng.integers(len(LIES))]) + raw[at + 8:]
    if kind == 2:
        return raw[:at] + bytes([raw[at] ^ 1 << rng.integers(8)]) + raw[at + 1:]
    if kind == 3:
        return raw[:at] + rng.bytes(8) + raw[at + 8:]
    if kind == 4:
        return raw + rng.bytes(int(rng.integers(1, 40)))
    return with_another_number(raw, header, rng)


def with_another_number(raw: bytes, header: int, rng: np.random.Generator) -> bytes:
    """A number of a JSON text, all of the file or a safetensors header, replaced; the header's length still fits."""
    length = struct.unpack("<Q", raw[:8])[0]
    start, end = (8, 8 + length) if length < len(raw) else (0, header)
    found = [*re.finditer(rb"(?<![\w.])\d+", raw[start:end])]
    if not found:
        return raw[:header // 2] + raw[header // 2 + 1:]
    place = found[rng.integers(len(found))]
    lie = rng.choice([*map(str, LIES), *TEXTS]).encode()
    text = raw[start:start + place.start()] + lie + raw[start + place.end():end]
    return (struct.pack("<Q", len(text)) if start else b"") + text + raw[end:]


@pytest.fixture(scope="module")
def model() -> Transformer:
    return Transformer(MINI, dict(random_model(MINI, 1).weights))


def written(kind: str, model: Transformer, folder):
    """(what is loaded, the file to be damaged) of each kind."""
    path = folder / KINDS[kind]
    if kind in ("gguf", "k-quants", "vocabulary"):
        config = Config(vocab_size=2048, hidden=32, layers=1, heads=2, kv_heads=2, head_dim=16, ffn=32, context=32)
        if kind == "k-quants":
            config = Config(vocab_size=16, hidden=256, layers=1, heads=2, kv_heads=2, head_dim=16, ffn=32, context=32)
        tokenizer = mq.load("tiny").tokenizer if kind == "vocabulary" else None
        other = Transformer(config, random_model(config).weights, tokenizer)
        write_gguf(*{"gguf": (model, path, "Q8_0"), "k-quants": (other, path, "Q4_K", "Q6_K"),
                     "vocabulary": (other, path, "Q4_1")}[kind])
        return path, path
    if kind == "ours":
        model.quantize(mq.Recipe(weights="int4:g32")).save(path)
        return path, path
    if kind in ("gptq", "awq", "compressed-tensors", "quantization"):
        model = model.quantize(mq.Recipe(weights="int4:g32:asym"))
        write_checkpoint(model, folder, "compressed-tensors" if kind == "quantization" else kind)
    else:
        save(model, folder)
    if kind == "tokenizer":
        config = Config(vocab_size=2048, hidden=32, layers=1, heads=2, kv_heads=2, head_dim=16, ffn=32, context=32)
        save(Transformer(config, random_model(config).weights, mq.load("tiny").tokenizer), folder)
    if kind == "index":
        names = list(model.weights)
        (folder / "model.safetensors").rename(folder / "model-1.safetensors")
        places = dict.fromkeys(names, "model-1.safetensors")
        path.write_text(json.dumps({"metadata": {"total_size": 7}, "weight_map": places}))
    return folder, path


@pytest.fixture
def patience():
    """A file that is read for longer than PATIENCE seconds fails the test; where the system has no alarm, it hangs."""
    def ring(*args):
        raise AssertionError(f"reading one file took over {PATIENCE} seconds")

    if not hasattr(signal, "setitimer"):
        yield lambda seconds: None
        return
    before = signal.signal(signal.SIGALRM, ring)
    try:
        yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_refused_in_words(tmp_path, model, patience, kind):
    source, path = written(kind, model, tmp_path)
    raw, rng, refused = path.read_bytes(), np.random.default_rng(sum(map(ord, kind))), 0
    header = min(len(raw) - 8, 3000)
    for i in range(FILES):
        path.write_bytes(damaged(raw, header, rng))
        if i % WATCHED == 0:
            tracemalloc.start()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            patience(PATIENCE)
            try:
                refused += mq.load(source).tokenizer is None and kind in ("tokenizer", "vocabulary")
            except (ValueError, FileNotFoundError) as error:
                refused += 1
                assert 20 < len(str(error)) < 1000
            patience(0)
        if i % WATCHED == 0:
            assert tracemalloc.get_traced_memory()[1] < MOST
            tracemalloc.stop()
    assert refused > FILES / 2
    path.write_bytes(raw)
    mq.load(source)


@pytest.mark.parametrize("kind", ["safetensors", "gguf", "gptq"])
def test_a_damaged_checkpoint_gives_no_partial_output(tmp_path, model, capsys, kind):
    """Sixty files, damaged in the header or in the numbers, are quantized: there is a whole file afterwards, and exit code 0, or nothing and a sentence."""
    from minquant.cli import main

    (tmp_path / "in").mkdir()
    source, path = written(kind, model, tmp_path / "in")
    raw, rng, refused = path.read_bytes(), np.random.default_rng(7), 0
    for i in range(60):
        header = min(len(raw) - 8, 3000)
        numbers = raw[header:]
        path.write_bytes(damaged(raw, header, rng) if i % 2 else raw[:header] + damaged(numbers, len(numbers) - 8, rng))
        out = tmp_path / ("out.gguf", "out", "folder")[i % 3]
        words = [["--weights", "q8_0"], ["--weights", "int4:g32"], ["--weights", "int4:g32", "--format", "gptq"]][i % 3]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = main(["quantize", str(source), *words, "--out", str(out)])
        err = capsys.readouterr().err
        assert code in (0, 2) and (code == 0 or "minquant quantize: " in err), err
        refused += code == 2
        assert {p.name for p in tmp_path.iterdir()} == ({"in"} if code else {"in", out.name})
        if not code:
            mq.load(out)
            shutil.rmtree(out) if out.is_dir() else out.unlink()
    assert refused > 20
