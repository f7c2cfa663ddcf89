"""While kernels are compiled somebody is told; when they are found on disk there is nothing to tell."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from minquant.decoder import Decoder
from minquant.kernels import compile_progress
from minquant.model import Config, random_model

MINI = Config(vocab_size=64, hidden=64, layers=1, heads=2, kv_heads=1, head_dim=32, ffn=64, context=8)
PROGRAM = """
import numpy as np
from minquant.decoder import Decoder
from minquant.model import Config, random_model
model = random_model(Config(vocab_size=64, hidden=64, layers=1, heads=2, kv_heads=1, head_dim=32, ffn=64, context=8))
decoder = Decoder(model, "bf16", context=4, threads=1, progress=print)
assert decoder.position == 0
print("logits", decoder.step(3).tobytes().hex())
"""


def run(folder) -> list[str]:
    env = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}  # it would go first
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env | {"MINQUANT_CACHE_DIR": str(folder)},
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if not line.startswith("packing")]


@pytest.mark.needs_jit
def test_a_cold_cache_is_announced_and_a_warm_one_is_not(tmp_path):
    cold, warm = run(tmp_path), run(tmp_path)
    assert cold[0] == "compiling decode_step for bf16" and "compiling decode_step for bf16: attend" in cold
    assert re.fullmatch(r"compiled decode_step for bf16 in \d+\.\d s", cold[-2])
    assert warm == cold[-1:], "nothing is compiled, and the logits are the same"


@pytest.mark.needs_jit
def test_two_floors_are_named():
    import numba

    @numba.njit
    def innermost(x):
        return x + 1

    @numba.njit
    def inner(x):
        return innermost(x)

    @numba.njit
    def outer(x):
        return inner(x)

    said = []
    with compile_progress(said.append, " for a test"):
        assert outer(1) == 2
    assert said[:2] == ["compiling outer for a test", "compiling outer for a test: inner"] and len(said) == 3
    assert said[-1].startswith("compiled outer for a test in ")
    outer(1.5)
    assert len(said) == 3, "outside of the block nobody is told"


def test_a_decoder_that_tells_stands_at_the_beginning():
    said = []
    decoder = Decoder(random_model(MINI), "bf16", context=4, threads=1, progress=said.append)
    assert decoder.position == 0 and any("packing bf16" in line for line in said)
