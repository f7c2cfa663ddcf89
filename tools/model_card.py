"""Write data/MODEL_CARD.md from finished training runs: every figure in it is read from a log or measured here.

    python tools/model_card.py CORPUS_DIR SHIPPED_RUN [OTHER_RUN ...]

Each RUN is a folder that tools/train_tiny.py wrote; the first is the one that is shipped, the others show what is
luck. CORPUS_DIR/packages.txt names the packages whose docstrings were read, one ``name version`` a line.
"""

import gzip
import json
import lzma
import platform
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import minquant as mq  # noqa: E402
from minquant.evaluation import Reference, evaluate, heldout, heldout_tokens  # noqa: E402

RECIPES = ("int8:channel", "int4:g32", "int4:channel", "int3:g32", "int2:g32")


def measure(run: Path) -> tuple[dict, list[tuple[str, object]]]:
    """Last log line of a run (with the seed from its folder's settings), and its evaluations: float first."""
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    model = mq.load(run)
    reference = Reference(model, heldout_tokens(model))
    rows = [("float", evaluate(model, reference))]
    for scheme in RECIPES:
        rows.append((scheme, evaluate(model.quantize(mq.Recipe(weights=scheme, head=scheme)), reference)))
    return log[-1], rows


def table(rows: list[tuple[str, object]]) -> str:
    """Markdown table of evaluations."""
    lines = ["| weights and head | bits per weight | perplexity | bits per byte | KL to float, nats per token | same top token |",
             "|---|---|---|---|---|---|"]
    for name, e in rows:
        lines.append(f"| {name} | {e.bits_per_weight:.2f} | {e.perplexity:.2f} ± {e.perplexity_stderr:.2f} | "
                     f"{e.bits_per_byte:.3f} | {e.kl:.5f} ± {e.kl_stderr:.5f} | {e.top1_agreement:.1%} |")
    return "\n".join(lines)


def card(corpus: Path, runs: list[Path]) -> str:
    """The whole card."""
    text = heldout("test").text.encode()
    gz, xz = (8 * len(data) / len(text) for data in (gzip.compress(text, 9), lzma.compress(text, preset=9)))
    report = json.loads((corpus / "report.json").read_text())
    packages = ", ".join(" ".join(line.split()) for line in (corpus / "packages.txt").read_text().splitlines() if line)
    config = mq.load(runs[0]).config
    measured = [measure(run) for run in runs]
    seeds = []
    for number, (run, (last, rows)) in enumerate(zip(runs, measured)):
        seeds.append(f"### Seed {number} ({'shipped' if number == 0 else 'measured only, not shipped'})\n\n"
                     f"{last['tokens'] / 1e6:.1f} million tokens in {last['step']} steps, {last['seconds'] / 60:.0f} minutes "
                     f"on a shared two-core machine; training loss at the end {last['loss']:.3f} nats per token, "
                     f"validation {last['validation_bits_per_byte']:.3f} bits per byte.\n\n{table(rows)}\n")
    sources = "\n".join(f"| {name} | {kept['documents']:,} | {kept['bytes'] / 1e6:.1f} |" for name, kept in report.items())
    return TEMPLATE.format(
        parameters=config.parameters, config=config, test_bytes=len(text), paragraphs=len(heldout("test").paragraphs),
        bits=measured[0][1][0][1].bits_per_byte, gz=gz, xz=xz, sources=sources, packages=packages,
        seeds="\n".join(seeds), luck=LUCK if len(runs) > 2 else ONE_SEED, python=platform.python_version(), count=packages.count(",") + 1)


LUCK = """The runs that are not shipped are shorter, so they are not as good. They have the same recipe and the same length, and
differ in the seed alone: what differs between them is luck, and an effect of that size is not an effect."""
ONE_SEED = "Only one seed has been trained to the end: how much of a figure is luck is not known yet."

TEMPLATE = """# Model card: the tiny transformer

A decoder-only transformer of {parameters:,} parameters that writes Python docstrings. It exists to be quantized in
a course: small enough to evaluate in seconds, trained enough that each lost bit shows.

## Held-out result

| | bits per byte |
|---|---|
| this model, bf16 | **{bits:.3f}** |
| xz -9 | {xz:.3f} |
| gzip -9 | {gz:.3f} |

On {test_bytes:,} bytes of docstring paragraphs ({paragraphs} of them) from CPython's standard library that no training
text held. The figure is that of `minquant eval`: windows of 512 tokens, half a window apart. gzip and xz compress the
same bytes. Expect digits beyond the third to differ between machines: linear algebra libraries add in another order.

## What it is

`{config}`

Llama layout (RMSNorm, rotate-half RoPE, grouped-query attention, SwiGLU, tied embeddings), stored as bf16 safetensors
under Hugging Face names. The vocabulary is byte-level BPE with GPT-2's pre-tokenisation, learned from the training text.

## Corpus: no text is in this repository

| source | documents | MB |
|---|---|---|
{sources}

`stdlib` is the docstrings of the standard library of three CPython releases (3.11.7, 3.13.0 and 3.14), `topics` is
`pydoc_data.topics`, `source` is the library's code without docstrings, `docs` is the docstrings of {count} packages
(below). A batch row comes from docs with probability 0.70, stdlib 0.16, topics 0.04, source 0.10.

Held-out paragraphs are addressed by hash (`heldout.json`): docstring paragraphs of 60 characters or more that eight
builds of CPython 3.11.2 to 3.14 share, divided by the first byte of their SHA-256. Every training paragraph that is held
out, or holds a line of 40 characters or more of a held-out paragraph, was dropped, from the packages too. Afterwards the
finished training text was searched once more: test paragraphs that share ten words in a row with it (copies wrapped at
another width) were taken out of the test split. `tools/corpus.py` has since learned the ten-word rule, so a new run
drops such copies from the training text instead.

## Training

Muon for the matrices, AdamW for embeddings and gains; 8,192 tokens a step; windows of 256 tokens, 512 for the last fifth;
learning rate constant, then linearly to zero over the last two fifths. The seed sets initial weights and batches. Times are
wall-clock times on a machine that did other work as well.

{seeds}
{luck}

## Make it again

    python -m pip install '.[train]'
    python tools/make_heldout.py LIB_DIR [LIB_DIR ...]        # only to choose other held-out text
    python tools/corpus.py CORPUS_DIR PACKAGES_DIR LIB_DIR LIB_DIR
    python tools/train_tiny.py CORPUS_DIR RUN_DIR --seed 0 --tokens 20e6
    python tools/model_card.py CORPUS_DIR RUN_DIR [OTHER_RUN]

PACKAGES_DIR holds the unpacked wheels of the packages (`pip download --no-deps`, then unzip). Training ran with PyTorch
on the CPU; this card's figures were measured with NumPy under Python {python}.

## Limits

It knows docstrings and nothing else. It has no natural outlier channels and no attention sinks, and is too small for
questions about tasks or knowledge. Licence of the weights: Apache-2.0.

## Packages

{packages}
"""

if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    (ROOT / "data" / "MODEL_CARD.md").write_text(card(Path(sys.argv[1]), [Path(a) for a in sys.argv[2:]]))
