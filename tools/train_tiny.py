"""Train the tiny transformer of the course (maintainers only; needs the extra ``train``: PyTorch and tokenizers).

    python tools/corpus.py CORPUS_DIR PACKAGES_DIR [LIB_DIR ...]
    python tools/train_tiny.py CORPUS_DIR RUN_DIR --seed 0 --tokens 40e6

How it works
    A byte-level BPE vocabulary is learned once per corpus. Each batch row is a random window of one of the four
    sources, drawn with the weights of MIXTURE. Hidden matrices are trained with Muon (Jordan et al. 2024,
    https://kellerjordan.github.io/posts/muon/), embeddings and gains with AdamW. The learning rate warms up, stays,
    and falls linearly to zero over the last DECAY of the tokens; the second half of that fall sees windows of 512.
    The validation split is measured every EVERY steps, with the windows trained on so far; the weights with the best
    value are kept.
    A run is resumed from RUN_DIR/checkpoint.pt where there is one (our own file, never a stranger's).

Written to RUN_DIR: ``model.safetensors`` (bf16, Hugging Face names), ``config.json``, ``tokenizer.json``, ``log.jsonl``.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from minquant.evaluation.corpus import heldout  # noqa: E402

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 256, "intermediate_size": 768,
    "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 32, "vocab_size": 2048,
    "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": True,
    "hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "bos_token_id": 0, "eos_token_id": 0,
    "torch_dtype": "bfloat16",
}
MIXTURE = {"docs": 0.70, "stdlib": 0.16, "topics": 0.04, "source": 0.10}
WARMUP, DECAY, BATCH_TOKENS, EVERY = 100, 0.4, 8192, 250
MUON_LR, ADAM_LR, WEIGHT_DECAY, CLIP = 0.02, 3e-3, 0.05, 1.0
END = "<|endoftext|>"


class Attention(nn.Module):
    def __init__(self, c: dict) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        d = c["hidden_size"]
        self.q_proj = nn.Linear(d, self.heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(d, self.kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(d, self.kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(self.heads * self.head_dim, d, bias=False)

    def forward(self, x, cos, sin):
        b, t, _ = x.shape
        q, k, v = (p(x).view(b, t, -1, self.head_dim).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))

        def rotate(y):  # rotate-half RoPE, as in Hugging Face's Llama
            half = self.head_dim // 2
            return y * cos + torch.cat((-y[..., half:], y[..., :half]), -1) * sin

        repeat = self.heads // self.kv_heads
        k, v = rotate(k).repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
        y = F.scaled_dot_product_attention(rotate(q), k, v, is_causal=True)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))


class Mlp(nn.Module):
    def __init__(self, c: dict) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.up_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.down_proj = nn.Linear(c["intermediate_size"], c["hidden_size"], bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, c: dict) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(c["hidden_size"], eps=c["rms_norm_eps"])
        self.post_attention_layernorm = nn.RMSNorm(c["hidden_size"], eps=c["rms_norm_eps"])
        self.self_attn, self.mlp = Attention(c), Mlp(c)

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Tiny(nn.Module):
    """The same function as minquant.model.Transformer, for a GPU or a CPU with autograd."""

    def __init__(self, c: dict) -> None:
        super().__init__()
        self.c = c
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(Block(c) for _ in range(c["num_hidden_layers"]))
        self.norm = nn.RMSNorm(c["hidden_size"], eps=c["rms_norm_eps"])
        half = c["head_dim"] // 2
        angle = torch.outer(torch.arange(c["max_position_embeddings"]).float(),
                            c["rope_theta"] ** (-torch.arange(half).float() / half)).repeat(1, 2)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        for name, p in self.named_parameters():
            if p.ndim == 2:
                nn.init.normal_(p, std=0.02)
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * c["num_hidden_layers"]))

    def forward(self, tokens):
        x, t = self.embed_tokens(tokens), tokens.shape[1]
        for layer in self.layers:
            x = layer(x, self.cos[:t], self.sin[:t])
        return self.norm(x) @ self.embed_tokens.weight.T


def learn_tokenizer(corpus: Path, path: Path) -> None:
    """Learn the byte-level BPE pieces (GPT-2 pre-tokenisation) on a sample with the mixture's weights."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    sample = []
    for name, weight in MIXTURE.items():
        text = (corpus / f"{name}.txt").read_text(encoding="utf-8").replace("\x1e", "\n\n")
        rng = np.random.default_rng(0)
        for start in rng.integers(0, max(1, len(text) - 10_000), int(weight * 1500)):
            sample.append(text[start:start + 10_000])
    trainer = trainers.BpeTrainer(vocab_size=CONFIG["vocab_size"], special_tokens=[END],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(sample, trainer)
    tokenizer.save(str(path))


def encode(corpus: Path, run: Path) -> dict[str, np.ndarray]:
    """Token arrays per source (kept beside the corpus), documents ended by END; and the validation text."""
    from tokenizers import Tokenizer

    path = corpus / "tokenizer.json"
    if not path.exists():
        learn_tokenizer(corpus, path)
    tokenizer = Tokenizer.from_file(str(path))
    (run / "tokenizer.json").write_text(path.read_text())
    arrays = {}
    for name in MIXTURE:
        kept = corpus / f"{name}.npy"
        if not kept.exists():
            documents = (corpus / f"{name}.txt").read_text(encoding="utf-8").split("\x1e")
            ids = [tokenizer.encode(d).ids + [0] for d in documents]
            np.save(kept, np.array([t for row in ids for t in row], np.uint16))
        arrays[name] = np.load(kept)
    arrays["validation"] = np.array([0] + tokenizer.encode(heldout("validation").text).ids, np.uint16)
    return arrays


def batch(arrays, rng, context: int) -> torch.Tensor:
    """Random windows of context + 1 tokens, their sources drawn by MIXTURE."""
    rows = []
    for name in rng.choice(list(MIXTURE), BATCH_TOKENS // context, p=list(MIXTURE.values())):
        start = rng.integers(0, len(arrays[name]) - context - 1)
        rows.append(arrays[name][start:start + context + 1])
    return torch.from_numpy(np.stack(rows).astype(np.int64))


@torch.no_grad()
def bits_per_byte(model: Tiny, tokens: np.ndarray, text_bytes: int, context: int = 512) -> float:
    """Held-out bits per byte; every window but the first sees at least half a context before what it counts."""
    total, half = 0.0, context // 2
    for start in range(0, len(tokens) - 1, half):
        window = torch.from_numpy(tokens[max(0, start - half):start + half + 1].astype(np.int64))[None]
        nll = F.cross_entropy(model(window[:, :-1])[0].float(), window[0, 1:], reduction="none")
        total += nll[-(min(half, len(tokens) - 1 - start)):].sum().item()
    return total / math.log(2) / text_bytes


def save(model: Tiny, run: Path) -> None:
    """Write the weights as bf16 safetensors under Hugging Face names, and the config."""
    from safetensors.torch import save_file

    tensors = {f"model.{k}": v.to(torch.bfloat16).contiguous() for k, v in model.state_dict().items()}
    save_file(tensors, str(run / "model.safetensors.tmp"), metadata={"format": "pt"})
    (run / "model.safetensors.tmp").replace(run / "model.safetensors")
    (run / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tokens", type=float, default=40e6)
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop here, to be resumed")
    args = parser.parse_args()
    args.run.mkdir(parents=True, exist_ok=True)
    arrays = encode(args.corpus, args.run)
    print({k: len(v) for k, v in arrays.items()}, flush=True)
    validation_bytes = len(heldout("validation").text.encode())

    torch.manual_seed(args.seed)
    model = Tiny(CONFIG)
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    muon = torch.optim.Muon(matrices, lr=MUON_LR, weight_decay=WEIGHT_DECAY, momentum=0.95)
    adam = torch.optim.AdamW(others, lr=ADAM_LR, betas=(0.9, 0.98), weight_decay=0.0)
    steps = int(args.tokens / BATCH_TOKENS)
    step, seconds, best = 0, 0.0, math.inf
    if (args.run / "checkpoint.pt").exists():
        kept = torch.load(args.run / "checkpoint.pt", weights_only=True)
        model.load_state_dict(kept["model"]), muon.load_state_dict(kept["muon"]), adam.load_state_dict(kept["adam"])
        step, seconds, best = kept["step"], kept["seconds"], kept["best"]

    @torch.compile
    def compute_loss(tokens):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(tokens[:, :-1])
        return F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten())

    started, resumed, running = time.perf_counter(), seconds, None
    while step < steps:
        rng = np.random.default_rng([args.seed, step])
        left = (steps - step) / (DECAY * steps)
        rate = min(1.0, (step + 1) / WARMUP, left)
        for optimizer, peak in ((muon, MUON_LR), (adam, ADAM_LR)):
            optimizer.param_groups[0]["lr"] = peak * rate
        context = 512 if left < 0.5 else 256
        rows = batch(arrays, rng, context)
        loss = compute_loss(rows)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        muon.step(), adam.step()
        muon.zero_grad(), adam.zero_grad()
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        step, seconds = step + 1, resumed + time.perf_counter() - started
        if step % EVERY == 0 or step == steps:
            value = bits_per_byte(model, arrays["validation"], validation_bytes, context)
            line = {"step": step, "tokens": step * BATCH_TOKENS, "seconds": round(seconds), "loss": round(running, 4),
                    "validation_bits_per_byte": round(value, 4)}
            print(line, flush=True)
            with open(args.run / "log.jsonl", "a") as log:
                log.write(json.dumps(line) + "\n")
            if value < best:
                best = value
                save(model, args.run)
            torch.save({"model": model.state_dict(), "muon": muon.state_dict(), "adam": adam.state_dict(), "step": step,
                        "seconds": seconds, "best": best}, args.run / "checkpoint.tmp")
            (args.run / "checkpoint.tmp").replace(args.run / "checkpoint.pt")
            if seconds - resumed > args.seconds:
                return


if __name__ == "__main__":
    main()
