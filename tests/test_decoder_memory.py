"""A packed decoder holds its packed bytes, its cache, and no copy of the weights in float."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from minquant.benchmark.machine import private_memory

OVERHEAD = 250e6  # Python, NumPy, Numba and its machine code, working space
PROGRAM = """
import json, resource, sys
import numpy as np
from minquant.benchmark.machine import private_memory
from minquant.decoder import Decoder
from minquant.model import random_model
model = random_model(sys.argv[1])
decoder = Decoder(model, sys.argv[2], context=128)
logits = np.empty(model.config.vocab_size, np.float32)
for token in range(4):
    decoder.step(token, out=logits)
c = decoder.config
cache = 2 * 2 * c.layers * c.kv_heads * c.head_dim * decoder.context
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"private": private_memory(), "peak": peak, "packed": decoder.nbytes, "cache": cache,
                  "floats": 4 * c.parameters}))
"""


@pytest.mark.needs_jit
@pytest.mark.skipif(private_memory() is None, reason="only Linux tells which memory is private")
def test_private_memory_is_packed_bytes_cache_and_a_little(note):
    done = subprocess.run([sys.executable, "-c", PROGRAM, "0.1b", "int4:g32"], env=os.environ, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    note("memory of a 0.1b int4:g32 decoder: {private:.0f} MB private, {peak:.0f} MB resident at the peak, of it "
         "{packed:.0f} MB packed weights".format(**{key: value / 1e6 for key, value in got.items()}))
    assert got["floats"] > OVERHEAD, "else a copy of the floats would go unseen"
    assert got["packed"] < got["private"] < got["packed"] + got["cache"] + OVERHEAD
