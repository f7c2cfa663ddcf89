"""Measure the points of lesson 14's board on the shipped model and write data/pareto.json.

    python tools/pareto_board.py

Bytes are counted, KL is measured on the first 8,000 bytes of the held-out text; methods that look at text see 4,096
tokens of calibration text. No speeds are stored: those are the reader's machine's.
"""

import json
import platform
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import minquant as mq  # noqa: E402
from minquant.evaluation import Reference, calibration_tokens, heldout_tokens  # noqa: E402
from minquant.evaluation.card import CACHE, measure_card  # noqa: E402

BYTES, CALIBRATION = 8000, 4096
INT8, FOUR = {"head": "int8:channel", "kv": "int8:token"}, "int4:g32:asym"
VALUES = {"v_proj": FOUR, "o_proj": FOUR}
RECIPES = {
    "float": {},
    "8 bits": {"weights": "int8:g32", **INT8},
    "8 bits, 4-bit cache": {"weights": "int8:g32", "head": "int8:channel", "kv": "int4:token"},
    "8 bits, 2-bit cache (KIVI)": {"weights": "int8:g32", "head": "int8:channel", "kv": "kivi2"},
    "4 bits, the rest float": {"weights": "int4:g32"},
    "4 bits": {"weights": "int4:g32", **INT8},
    "4 bits, head too": {"weights": "int4:g32", "head": "int4:g32", "kv": "int8:token"},
    "4 bits, asymmetric": {"weights": FOUR, **INT8},
    "4 bits, NF4": {"weights": "nf4", **INT8},
    "4 bits, AWQ": {"weights": FOUR, "method": "awq", **INT8},
    "4 bits, GPTQ": {"weights": FOUR, "method": "gptq", **INT8},
    "3 bits": {"weights": "int3:g32", **INT8},
    "3 bits, GPTQ": {"weights": "int3:g32", "method": "gptq", **INT8},
    "3 bits, GPTQ, v and o at 4": {"weights": "int3:g32", "method": "gptq", "overrides": VALUES, **INT8},
    "3 bits, q and k at 4": {"weights": "int3:g32", "method": "gptq", "overrides": {"q_proj": FOUR, "k_proj": FOUR}, **INT8},
    "2 bits, GPTQ": {"weights": "int2:g32", "method": "gptq", **INT8},
}


def main() -> None:
    """Measure every recipe, write the file."""
    model = mq.load("tiny")
    reference = Reference(model, heldout_tokens(model, limit_bytes=BYTES), stride=model.config.context)
    text, points = f"the first {BYTES:,} bytes of held-out docstrings", []
    for name, words in RECIPES.items():
        recipe = mq.Recipe(**words)
        seen = calibration_tokens(model, CALIBRATION) if recipe.needs_text else None
        card = measure_card(model.quantize(recipe, seen), reference, text)
        points.append({"name": name, "recipe": words, "nbytes": card.nbytes, "moved": card.moved,
                       "kl": card.evaluation.kl, "kl_stderr": card.evaluation.kl_stderr})
        print(f"{name:30s} {card.moved:9,} bytes per token, KL {card.evaluation.kl:.4f}", flush=True)
    found = {"command": "python tools/pareto_board.py", "text": text, "limit_bytes": BYTES, "calibration": CALIBRATION,
             "cached": CACHE, "tokens": len(reference.tokens), "python": platform.python_version(),
             "numpy": np.__version__, "points": points}
    (ROOT / "data" / "pareto.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
