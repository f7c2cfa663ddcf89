"""What llama.cpp writes from our files, token by token, beside our simulation of it. Needs a built llama.cpp:

    MINQUANT_LLAMA_CPP=FOLDER pytest tests/interop/test_llama_cpp.py      (the folder with llama-completion)

llama.cpp prints texts, not numbers of tokens. So the random models here have a vocabulary in which a text *is* its
tokens: the 256 bytes, nothing merged, of which only the printable ones are allowed to be written. Greedy: at each step
the likeliest of them. The simulation reads the file back and rounds what llama.cpp's kernels for these blocks round: the
inputs of matrices, and the cache and the operands of attention to fp16. Where the two part, llama.cpp is asked again
for what follows *our* token, so every step is compared.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import minquant as mq
from minquant.interop import write_gguf
from minquant.interop.gguf_tokens import RULES
from minquant.model import Config, Tokenizer, Transformer, random_model
from minquant.model.library_tokenizer import from_json
from minquant.model.tokenizer import BYTES_AS_TEXT
from minquant.packing import gguf

LLAMA = Path(os.environ.get("MINQUANT_LLAMA_CPP", "/nowhere"))
pytestmark = pytest.mark.skipif(not (LLAMA / "llama-completion").exists(),
                                reason="MINQUANT_LLAMA_CPP names no folder with llama-completion")
BASE = {"vocab_size": 257, "hidden": 256, "layers": 2, "heads": 4, "kv_heads": 2, "head_dim": 64, "ffn": 512, "context": 256}
MODELS = {"llama": Config(**BASE), "llama untied": Config(**BASE | {"tied": False, "kv_heads": 4, "norm_eps": 1e-6}),
          "llama 3": Config(**BASE | {"rope_theta": 5e5, "rope_scaling": (8.0, 1.0, 4.0, 64), "kv_heads": 1}),
          "qwen3": Config(**BASE | {"qk_norm": True, "rope_theta": 1e6, "norm_eps": 1e-6}),
          "qwen3 untied": Config(**BASE | {"qk_norm": True, "tied": False, "heads": 8, "head_dim": 32, "kv_heads": 4})}
def q8_k(x: np.ndarray) -> np.ndarray:
    """Inputs as the K-quants' kernels round them: 256 share a float32 scale, by which the largest becomes -127."""
    rows = np.asarray(x, np.float32).reshape(-1, 256)
    largest = np.take_along_axis(rows, np.abs(rows).argmax(1)[:, None], 1)
    scale = np.divide(np.float32(-127), largest, out=np.zeros_like(largest), where=largest != 0)
    codes = np.minimum(np.rint(scale * rows), 127)
    return np.divide(codes, scale, out=np.zeros_like(rows), where=scale != 0).reshape(x.shape)


# What the inputs of a matrix are rounded to, by the blocks of the matrix. Q8_0 is int8:g32, but for one thing: its codes
# come from the scale before it is rounded to fp16.
INPUTS = {"F32": None, "F16": "fp16", "BF16": "bf16", "Q8_0": "q8_0", "Q5_0": "q8_0", "Q4_0": "q8_0", "Q4_1": "q8_0",
          "Q4_K": q8_k, "Q6_K": q8_k}
PROMPTS = ("Return a list of", "x = 3 # the", "The default value")
STEPS, END = 48, 256
ALLOWED = np.arange(32, 127)
BIAS = [word for token in set(range(END)) - set(ALLOWED) for word in ("--logit-bias", f"{token}-1000")]


def made(config: Config, seed: int = 3) -> Transformer:
    vocab = {text: byte for byte, text in BYTES_AS_TEXT.items()}
    return Transformer(config, dict(random_model(config, seed).weights), Tokenizer(vocab, [], {"<|endoftext|>": END}))


def completed(path: Path, prompt: str, steps: int, bias: list[str]) -> bytes:
    """What llama.cpp writes, greedy. Its log is printed by a thread of its own, which now and then is not done when the
    program ends: the two line ends that close the text are missing then, and it is asked again."""
    for _ in range(5):
        done = subprocess.run([LLAMA / "llama-completion", "-m", path, "-p", prompt, "-n", str(steps), "--temp", "0",
                               "-no-cnv", "--no-display-prompt", "--no-warmup", "--no-escape", "-t", "1", "-c", "256",
                               "-fa", "off", "--ignore-eos", *bias], capture_output=True, stdin=subprocess.DEVNULL,
                              timeout=120)
        assert done.returncode == 0, done.stderr[-2000:]
        if done.stdout.endswith(b"\n\n"):
            return done.stdout[:-2]
    raise AssertionError(f"the text of llama.cpp has no end: {done.stdout!r}")


def simulated(path: Path, type: str) -> Transformer:
    """The weights of the file, with inputs and cache rounded as llama.cpp does."""
    model = mq.load(path)
    given = INPUTS[type]
    recipe = mq.Recipe(activations="int8:token" if callable(given) else given, kv="fp16", attention="fp16", head=given and "int8:token")
    made = Transformer(model.config, model.weights, model.tokenizer, recipe)
    if callable(given):
        made._round_input = given
    return made


def compared(path: Path, model: Transformer, plain: Transformer, prompt: str) -> int:
    """How many of our tokens llama.cpp writes as well, each after the same text. Where it writes another, its logit and
    that of our token must lie nearer to each other than rounding the inputs moves them: both of them, so twice as far."""
    text, cache, alike, theirs = prompt, model.new_cache(), 0, b""
    logits = model.run(model.tokenizer.encode(prompt), cache, prefill=True, last_only=True)[0]
    for step in range(STEPS):
        theirs = theirs or completed(path, text, STEPS - step, BIAS)
        first, other = ALLOWED[logits[ALLOWED].argmax()], theirs[0]
        if other == first:
            alike, theirs = alike + 1, theirs[1:]
        else:
            moved = np.abs(logits - plain.logits(model.tokenizer.encode(text))[-1])[ALLOWED].max()
            apart = logits[first] - logits[other]
            assert apart <= 2 * moved, (f"after {text!r} llama.cpp writes {chr(other)!r}, we {chr(first)!r}: {apart:.4f} "
                                        f"apart, and rounding moves a logit by {moved:.4f}")
            theirs = b""
        text += chr(first)
        logits = model.run([first], cache)[0]
    assert theirs == b"", "it wrote more tokens than it was asked for"
    return alike


@pytest.mark.parametrize("type", INPUTS)
@pytest.mark.parametrize("family", MODELS)
def test_llama_cpp_writes_the_tokens_of_our_simulation(tmp_path, family, type):
    """Three texts of 48 tokens."""
    path = tmp_path / "m.gguf"
    write_gguf(made(MODELS[family]), path, type)
    model, plain = simulated(path, type), mq.load(path)
    alike = [compared(path, model, plain, prompt) for prompt in PROMPTS]
    print(f"{family}, {type}: {sum(alike)} of {len(alike) * STEPS} tokens are the same")
    assert sum(alike) > 0.9 * len(alike) * STEPS


@pytest.mark.parametrize("type", ["F32", "F16", "Q8_0", "Q4_0", "Q4_1"])
def test_llama_cpp_writes_the_text_that_the_shipped_model_writes(tmp_path, type):
    """With a real vocabulary: 24 tokens from three prompts, as text. It may part only where our two likeliest tokens
    were nearly equal."""
    path = tmp_path / "m.gguf"
    write_gguf(mq.load("tiny"), path, type)
    model, plain = simulated(path, type), mq.load(path)
    for prompt in ("Return a list of", "Raise an error if the", "The default value"):
        tokens = [*model.tokenizer.encode(prompt)]
        ours, theirs = model.generate(tokens, 24), completed(path, prompt, 24, [])
        texts = [b"".join(model.tokenizer.token_bytes(ours[:i])) for i in range(25)]
        if theirs != texts[24]:
            same = [i for i in range(25) if theirs.startswith(texts[i])][-1]
            logits = model.logits([*tokens, *ours[:same]])[-1]
            second, first = np.sort(logits)[-2:]
            moved = np.abs(logits - plain.logits([*tokens, *ours[:same]])[-1]).max()
            assert first - second <= 2 * moved, f"{prompt!r}: {theirs!r}"


@pytest.mark.skipif(not (LLAMA / "llama-quantize").exists(), reason="the folder has no llama-quantize")
@pytest.mark.parametrize("type", ["Q8_0", "Q5_0", "Q4_0", "Q4_1", "Q4_K", "Q6_K", "F16", "BF16"])
@pytest.mark.parametrize("family", ["llama 3", "qwen3 untied"])
def test_llama_quantize_makes_the_same_blocks_of_our_floats_and_we_read_its_file(tmp_path, family, type):
    write_gguf(made(MODELS[family]), tmp_path / "float.gguf", "F32")
    write_gguf(made(MODELS[family]), tmp_path / "ours.gguf", type)
    done = subprocess.run([LLAMA / "llama-quantize", "--pure", tmp_path / "float.gguf", tmp_path / "theirs.gguf", type, "1"],
                          capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    ours, theirs = (gguf.file.read(tmp_path / f"{name}.gguf")[1] for name in ("ours", "theirs"))
    assert {name: tensor[1:] for name, tensor in ours.items()} == {name: tensor[1:] for name, tensor in theirs.items()}
    assert [name for name in ours if not np.array_equal(ours[name][0], theirs[name][0])] == []
    model, again = mq.load(tmp_path / "ours.gguf"), mq.load(tmp_path / "theirs.gguf")
    assert again.config == model.config and np.array_equal(again.tokenizer.encode("ab c"), model.tokenizer.encode("ab c"))
    assert np.array_equal(again.logits(np.arange(40, 60)), model.logits(np.arange(40, 60)))


LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
TRICKY = ("Return the list's items, 12345 of them;\n\n  na\u00efve \u4e2d\u6587 x=f(10,\t'a')   \n end.<|endoftext|>def  "
          "it's I'LL 3.14\n\u0661\u0662 \u00bd caf\u00e9s\r\n\r\n  done ")


@pytest.mark.parametrize("rule", ["gpt-2", "smollm", "llama-bpe", "qwen2"])
def test_llama_cpp_cuts_text_into_our_tokens(tmp_path, rule):
    """The shipped vocabulary under every word rule that is written."""
    pytest.importorskip("tokenizers")
    model = mq.load("tiny")
    raw, before = json.loads(model.tokenizer.to_json()), [LEVEL]
    if rule in RULES:
        split = {"type": "Split", "pattern": {"Regex": RULES[rule]}, "behavior": "Isolated", "invert": False}
        before = [split, LEVEL | {"use_regex": False}]
    elif rule == "smollm":
        before = [{"type": "Digits", "individual_digits": True}, LEVEL]
    raw["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": before}
    tokenizer = from_json(json.dumps(raw))
    write_gguf(Transformer(model.config, model.weights, tokenizer), tmp_path / "m.gguf", "Q8_0")
    done = subprocess.run([LLAMA / "llama-completion", "-m", tmp_path / "m.gguf", "-p", TRICKY, "-n", "1", "-no-cnv",
                           "--no-warmup", "--no-escape", "--verbose-prompt", "-c", "256"], capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = [int(number) for number in re.findall(rb"(\d+) -> '", done.stdout + done.stderr)]
    assert theirs == tokenizer.encode(TRICKY).tolist()
    assert mq.load(tmp_path / "m.gguf").tokenizer.encode(TRICKY).tolist() == theirs
