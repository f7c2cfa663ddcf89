"""Do the packages that these formats come from read our exports? GPTQ, AWQ and compressed-tensors, by hand.

Needs torch and transformers, and what is named in brackets below; none of them is a dependency. Of every matrix of a
random Llama and a random Qwen3 model, in every number of bits, what the other code makes of our file must be our
dequantized weights, bit for bit (its scales cast to float32 first: in float16 it would round each product). Of
compressed-tensors, transformers then loads the folder itself, and its logits are compared with ours. (Not of asymmetric
ones: transformers 5.24 wants zero points unpacked, one a row, where compressed-tensors itself packs them down the rows.)

    compressed-tensors    PackedQuantizationCompressor.decompress   [pip install compressed-tensors; tried: 0.20.0]
    gptq                  QuantLinear.forward, on an identity       [an unpacked auto-gptq 0.7.1, its qlinear_cuda.py]
    awq                   dequantize_gemm                           [an unpacked autoawq 0.2.9, its packing_utils.py]

    python tools/check_exports.py --auto-gptq FOLDER --autoawq FOLDER
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from minquant import Recipe
from minquant.interop import write_checkpoint
from minquant.model import Config, Transformer, linear_names, random_model

BASE = {"vocab_size": 96, "hidden": 64, "layers": 2, "heads": 4, "kv_heads": 2, "head_dim": 32, "ffn": 160, "context": 64}
MODELS = {"llama": Config(**BASE), "qwen3": Config(**BASE, qk_norm=True, tied=False)}
CASES = [("gptq", f"int{bits}:g32") for bits in (2, 3, 4, 8)] + [("awq", "int4:g32:asym"), ("awq", "int4:g32")] + [
    ("compressed-tensors", f"int{bits}:{rest}") for bits in (2, 3, 4, 5, 6, 7, 8) for rest in ("g32", "g32:asym", "channel")]


def module(path: Path):
    """A module from one file of a package that is not installed."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def reader(format: str, about: dict, args: argparse.Namespace):
    """A function of one matrix's tensors, by the end of their names, that gives float32 (out, in); None without the code."""
    import torch

    if format == "compressed-tensors":
        from compressed_tensors.compressors import PackedQuantizationCompressor
        from compressed_tensors.quantization import QuantizationConfig

        scheme = QuantizationConfig.model_validate(about).config_groups["group_0"]

        def read(t):
            t = t | {"weight_scale": t["weight_scale"].float()}
            return PackedQuantizationCompressor.decompress(t, scheme)["weight"]
    elif format == "awq" and args.autoawq:
        dequantize = module(args.autoawq / "awq" / "utils" / "packing_utils.py").dequantize_gemm

        def read(t):
            return dequantize(t["qweight"], t["qzeros"], t["scales"].float(), about["bits"], about["group_size"]).T
    elif format == "gptq" and args.auto_gptq:
        layer = module(args.auto_gptq / "auto_gptq" / "nn_modules" / "qlinear" / "qlinear_cuda.py").QuantLinear

        def read(t):
            n, out = len(t["g_idx"]), t["scales"].shape[1]
            q = layer(about["bits"], about["group_size"], n, out, bias=False, weight_dtype=torch.float32)
            q.qweight, q.qzeros, q.scales, q.g_idx = t["qweight"], t["qzeros"], t["scales"].float(), t["g_idx"]
            return q(torch.eye(n)).T
    else:
        return None
    return read


def main() -> int:
    """Check everything; returns 1 where anything differs."""
    import safetensors.torch
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--auto-gptq", type=Path)
    parser.add_argument("--autoawq", type=Path)
    args, wrong = parser.parse_args(), 0
    for format, scheme in CASES:
        for family, config in MODELS.items():
            model = Transformer(config, dict(random_model(config, 3).weights)).quantize(Recipe(weights=scheme))
            with tempfile.TemporaryDirectory() as folder:
                write_checkpoint(model, folder, format)
                about = json.loads((Path(folder) / "config.json").read_text())["quantization_config"]
                read = reader(format, about, args)
                if read is None:
                    print(f"{format}: not checked, its package was not given")
                    continue
                stored = safetensors.torch.load_file(Path(folder) / "model.safetensors")
                same = sum(np.array_equal(_read(read, stored, name), model.weights[name]) for name in linear_names(config))
                count, line = len(linear_names(config)), ""
                if format == "compressed-tensors" and not scheme.endswith("asym"):
                    line = f", logits of transformers differ by {_logits(folder, model, torch):.1e} at most"
            wrong += count - same
            print(f"{format} {scheme} {family}: {same} of {count} matrices are ours, bit for bit{line}", flush=True)
    return int(wrong > 0)


def _read(read, stored: dict, name: str) -> np.ndarray:
    base = name.removesuffix("weight")
    return read({key.removeprefix(base): x for key, x in stored.items() if key.startswith(base)}).detach().numpy()


def _logits(folder: str, model: Transformer, torch) -> float:
    """Largest difference of logits, as a share of the largest logit."""
    import transformers

    theirs = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = [1, 5, 9, 63, 0, 7]
    with torch.no_grad():
        got = theirs(torch.tensor([tokens])).logits[0].float().numpy()
    ours = model.logits(tokens)
    return float(np.abs(got - ours).max() / np.abs(ours).max())


if __name__ == "__main__":
    sys.exit(main())
