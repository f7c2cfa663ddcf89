"""Logits and greedy tokens of random Llama and Qwen3 checkpoints, computed by transformers: tests/interop/vectors.json.

Needs torch and transformers, which are no dependencies. Weights are ``random_model``'s, exact in bf16, norm gains not 1;
each checkpoint is written by ``minquant.model.save`` and read by transformers in float32.

    python tools/make_checkpoint_vectors.py
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from minquant.model import Config, random_model, save

OUT = Path(__file__).resolve().parents[1] / "tests" / "interop" / "vectors.json"
BASE = {"vocab_size": 96, "hidden": 48, "layers": 3, "heads": 6, "kv_heads": 2, "head_dim": 8, "ffn": 80, "context": 128,
        "norm_eps": 1e-5}
SHAPES = [
    Config(**BASE), Config(**BASE | {"tied": False, "kv_heads": 6, "norm_eps": 1e-6}),
    Config(**BASE | {"head_dim": 16, "rope_theta": 5e5, "kv_heads": 3}),
    Config(**BASE | {"rope_theta": 5e5, "rope_scaling": (8.0, 1.0, 4.0, 32), "head_dim": 16, "tied": False}),
    Config(**BASE | {"qk_norm": True, "norm_eps": 1e-6, "rope_theta": 1e6}),
    Config(**BASE | {"qk_norm": True, "head_dim": 16, "tied": False, "kv_heads": 1, "layers": 2}),
]


def main() -> None:
    """Write the file."""
    import torch
    import transformers

    cases = []
    for seed, config in enumerate(SHAPES):
        tokens = [(7 * i * i + 3 * i + seed) % config.vocab_size for i in range(40)]
        with tempfile.TemporaryDirectory() as folder:
            save(random_model(config, seed), folder)
            model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32,
                                                                      attn_implementation="eager").eval()
        with torch.no_grad():
            logits = model(torch.tensor([tokens])).logits[0]
            written = list(tokens[:8])
            for _ in range(16):
                written.append(int(model(torch.tensor([written])).logits[0, -1].argmax()))
        cases.append({"seed": seed, "config": asdict(config), "tokens": tokens, "greedy": written[8:],
                      "logits": [[float(f"{x:.8g}") for x in logits[i].tolist()] for i in (0, 1, 20, 39)]})
    about = f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}"
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"made by": about, "rows": [0, 1, 20, 39], "cases": cases}) + "\n")


if __name__ == "__main__":
    main()
