"""Do minquant and PyTorch compute the same? Logits and gradients of one checkpoint, side by side (maintainers only).

    python tools/check_against_torch.py [CHECKPOINT_DIR] [--tokens N] [--batch B]

The checkpoint (by default the shipped model) is loaded into ``Tiny`` of tools/train_tiny.py and into minquant, and both
read the same held-out text. Compared are

    logits      float32 on both sides, as they are used
    gradients   of the mean cross-entropy by every tensor: float32, and float64 with the same RoPE angles on both
                sides, where only an error in a formula could leave a difference

Each figure is the largest difference over the largest entry of PyTorch's array. Exits with 1 beyond LIMITS.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from minquant.evaluation import heldout_tokens  # noqa: E402
from minquant.model import Config, layers, load  # noqa: E402
from minquant.training import loss_and_gradients  # noqa: E402
from train_tiny import Tiny  # noqa: E402  (tools/train_tiny.py)

LIMITS = {"logits, float32": 1e-5, "gradients, float32": 1e-4, "gradients, float64": 1e-12}


def torch_model(config: Config, weights: dict[str, np.ndarray], dtype: torch.dtype) -> Tiny:
    """``Tiny`` of this shape with these weights, in eval mode."""
    model = Tiny(config.to_huggingface())
    state = {name.removeprefix("model."): torch.from_numpy(np.array(weight)) for name, weight in weights.items()}
    model.load_state_dict(state)
    return model.to(dtype).eval()


def same_angles(model: Tiny, config: Config, count: int) -> Tiny:
    """Give a ``Tiny`` minquant's RoPE angles, which are rounded at another place than PyTorch's."""
    for name, table in zip(("cos", "sin"), layers.rope_angles(np.arange(count), config.head_dim, config.rope_theta)):
        getattr(model, name)[:count] = torch.from_numpy(np.concatenate((table, table), axis=1)).to(model.cos.dtype)
    return model


def torch_gradients(model: Tiny, tokens: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
    """Loss and gradients by autograd, under minquant's names."""
    tokens = torch.from_numpy(tokens)
    loss = F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    return loss.item(), {f"model.{name}": p.grad.numpy() for name, p in model.named_parameters()}


def difference(got: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(got - expected).max() / np.abs(expected).max())


def compare_gradients(config: Config, weights: dict[str, np.ndarray], tokens: np.ndarray, reference: Tiny) -> float:
    """Print the losses and the tensor that differs most; return its difference."""
    expected_loss, expected = torch_gradients(reference, tokens)
    loss, got = loss_and_gradients(config, weights, tokens)
    assert got.keys() == expected.keys()
    each = {name: difference(got[name], expected[name]) for name in got}
    worst = max(each, key=each.get)
    print(f"  loss {loss:.12f} here, {expected_loss:.12f} in PyTorch; {len(each)} tensors, worst {worst}")
    return each[worst]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", nargs="?", default="tiny")
    parser.add_argument("--tokens", type=int, default=256, help="tokens per text (default 256)")
    parser.add_argument("--batch", type=int, default=4, help="texts (default 4)")
    args = parser.parse_args()
    model = load(args.checkpoint)
    if not model.config.tied:
        sys.exit("tools/train_tiny.py's Tiny ties its embeddings; this checkpoint does not")
    weights = dict(model.weights)
    count = args.batch * (args.tokens + 1)
    tokens = heldout_tokens(model)[:count].reshape(args.batch, args.tokens + 1)

    found = {}
    plain = torch_model(model.config, weights, torch.float32)
    with torch.no_grad():
        expected = plain(torch.from_numpy(tokens)).numpy()
    found["logits, float32"] = max(difference(model.logits(row), ref) for row, ref in zip(tokens, expected))
    found["gradients, float32"] = compare_gradients(model.config, weights, tokens, plain)
    exact = {name: weight.astype(np.float64) for name, weight in weights.items()}
    double = same_angles(torch_model(model.config, exact, torch.float64), model.config, args.tokens)
    for norm in (m for m in double.modules() if isinstance(m, torch.nn.RMSNorm)):
        norm.eps = float(np.float32(norm.eps))  # minquant adds the float32 nearest to eps
    found["gradients, float64"] = compare_gradients(model.config, exact, tokens, double)
    for name, value in found.items():
        print(f"{name}: {value:.2e} (limit {LIMITS[name]:.0e})")
    return int(any(not value <= LIMITS[name] for name, value in found.items()))


if __name__ == "__main__":
    sys.exit(main())
