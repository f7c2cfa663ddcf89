"""Write the test vectors that ggml's C makes: what tests/packing compares our blocks with, without needing the library.

    python tools/make_gguf_vectors.py LIBRARY

LIBRARY is ggml as a shared library, built so that the compiler does not fuse multiplication and addition. Unpack the
source package of llama-cpp-python (pip download llama-cpp-python --no-deps --no-binary :all:) and in its folder
vendor/llama.cpp/ggml:

    printf '#define GGML_VERSION ""\\n#define GGML_COMMIT ""\\n' > src/ggml-version.h
    gcc -O2 -ffp-contract=off -DNDEBUG -fPIC -shared -Iinclude -Isrc src/ggml.c src/ggml-quants.c -lm -o libggml.so

(Functions of other files stay unresolved in it; those called here do not need them.) The stored vectors come from
llama-cpp-python 0.3.36 and gcc 12. For each type and each kind of weights of tests/packing/gguf_inputs.py the SHA-256
of all bytes is written to tests/packing/gguf_vectors.json, and for "bell" the first block in hex.
"""

import ctypes
import hashlib
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from minquant.packing.gguf import TYPES  # noqa: E402
from tests.packing.gguf_inputs import inputs  # noqa: E402

OUT = ROOT / "tests" / "packing" / "gguf_vectors.json"
FUNCTIONS = {name: f"quantize_row_{name.lower().replace('_k', '_K')}_ref"
             for name in ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "MXFP4", "TQ1_0", "TQ2_0", "Q4_K", "Q5_K", "Q6_K")}


def quantize(library: ctypes.CDLL, x: np.ndarray, type: str) -> bytes:
    """The blocks that ggml's reference function makes of x."""
    function = getattr(library, FUNCTIONS[type])
    function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64], None
    raw = np.zeros(x.size // TYPES[type].elements * TYPES[type].nbytes, np.uint8)
    function(x.ctypes.data, raw.ctypes.data, x.size)
    return raw.tobytes()


def main(path: str) -> None:
    """Write the vectors."""
    library = ctypes.CDLL(path, mode=1)  # RTLD_LAZY
    vectors = {}
    for type in FUNCTIONS:
        blocks = {kind: quantize(library, x, type) for kind, x in inputs().items()}
        vectors[type] = {"sha256": {kind: hashlib.sha256(raw).hexdigest() for kind, raw in blocks.items()},
                         "first block of bell": blocks["bell"][: TYPES[type].nbytes].hex()}
    OUT.write_text(json.dumps(vectors, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
