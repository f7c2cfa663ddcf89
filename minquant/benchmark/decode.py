"""Tokens per second of packed models, beside the bandwidth of the memory they are read from.

How it is measured
    One *round* runs every combination of threads, context and format once, for about a tenth of a second of tokens,
    with the reading loop just before and just after it. Rounds are repeated, every other one in reverse order, so that a
    slow minute of the machine meets all formats alike. Speed-ups are taken within a round and then their median.

    Every token is decoded at the same position: the cache holds ``context`` tokens, one more is decoded, and the
    decoder is rewound by one. The cache holds random values (which do not change the time), not a prompt.

    ``share_of_read`` = bytes of the token x tokens per second / read bandwidth of the same moment: 1 means that nothing
    but reading memory takes time. It can exceed 1 where part of a model stays in the cache: rows whose packed model is
    smaller than three times the last-level cache carry a ``warning``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from .bandwidth import ReadLoop, thread_counts
from .machine import available_memory, last_level_cache
from .outside import step_and_pass_seconds
from .statistics import summary

if TYPE_CHECKING:
    from ..decoder import Decoder
    from ..model import Config, Transformer

WEIGHTS = ("bf16", "fp8_e4m3:channel", "int8:channel", "int4:g32")
CACHES = 3  # a packed model smaller than this many last-level caches is partly read from the cache
MEMORY = 5_000_000_000  # packed models kept at the same time, in bytes, where the machine has that much to spare
SECONDS = 0.1  # of tokens per measurement
PAIRS = 2  # of a step and a pass over its matrices, each round
Progress = Callable[[str], None]


def measure_decode(shape: str | Transformer = "0.1b", weights: Iterable[str] = WEIGHTS, kv: Iterable[str] = ("bf16",),
                   context: Iterable[int] = (128,), threads: int | Sequence[int] | None = None, repetitions: int = 7,
                   progress: Progress | None = None, activations: str | None = None) -> list[dict]:
    """Time the decode step, batch 1.

    Args:
        shape: name of a random model's shape ("0.1b", "0.6b", "0.8b", "tiny"), or a Transformer.
        weights, kv: packed formats, see ``Decoder``; the output matrix has the format of the weights.
        context: tokens in the cache while a token is decoded.
        threads: a number or several; None for all.
        repetitions: rounds.
        progress: called with a line of text now and then.
        activations: "int8:g32" to multiply integer weights by 8-bit activations; other weights keep float ones.

    Returns:
        One row per combination (weights outermost, then kv, context, threads): ``shape``, ``weights``, ``kv``,
        ``activations`` (None for float), ``context``, ``threads``, ``repetitions``, ``nbytes`` (packed model),
        ``bytes_per_token``, ``warning`` (text or None), and as medians with ``_p10`` and ``_p90``: ``tokens_per_s``,
        ``gb_per_s``, ``read_gb_per_s`` (of the same moments), ``share_of_read``, ``outside_ms`` (see ``outside.py``),
        ``speedup_over_bf16`` (None where bf16 with the same kv is not among the formats), ``speedup_over_bf16_cache``
        (over the same weights with a bf16 cache; None where that is not among them).

    Raises ValueError for an unknown shape, a format without a kernel, more threads than there are, a context whose
    cache the free memory cannot hold.
    """
    say = progress or (lambda line: None)
    name, model = _model(shape)
    formats = list(product(_names("weights", weights), _names("kv", kv)))
    contexts, counts, loop = [int(c) for c in context], _all_threads(threads), ReadLoop()
    _check(formats, contexts, repetitions, activations)
    _check_memory(model.config, formats, max(contexts))
    samples: dict[tuple, dict[int, tuple]] = {}  # combination -> round -> what ``_rounds`` measures
    facts: dict[tuple, dict] = {}
    for number, group in enumerate(_groups(formats, model.config.parameters)):
        decoders = _decoders(model, group, max(contexts) + 1, activations, say)
        for key, decoder in decoders.items():
            facts |= {(*key, c): _facts(decoder, c) for c in contexts}
        rounds = range(number * repetitions, (number + 1) * repetitions)
        _rounds(decoders, contexts, counts, rounds, loop, samples, say)
        del decoders
    keys = [(*f, c, t) for f in formats for c in contexts for t in counts]
    return [_row(name, key, samples, facts[key[:3]], repetitions) for key in keys]


def _rounds(decoders: dict, contexts: list[int], counts: list[int], rounds: range, loop: ReadLoop, samples: dict,
            say: Progress) -> None:
    """Add (tok/s, read GB/s beside it, ms outside matrices) of every combination and round to ``samples``."""
    combinations = [(*key, c, t) for c in contexts for t in counts for key in decoders]
    logits = np.empty(next(iter(decoders.values())).config.vocab_size, np.float32)
    for threads in counts:
        loop.gb_per_s(threads)
    for round_ in rounds:
        say(f"timing: round {round_ - rounds.start + 1} of {len(rounds)}")
        for key in combinations if round_ % 2 == 0 else combinations[::-1]:
            *format_, c, threads = key
            decoder = decoders[tuple(format_)]
            decoder.threads = threads
            decoder.fill_cache(c) if decoder.position != c else None
            before = loop.gb_per_s(threads)
            speed = _tokens_per_s(decoder, logits)
            read = (before + loop.gb_per_s(threads)) / 2
            step, matrices = step_and_pass_seconds(decoder, PAIRS).T
            samples.setdefault(key, {})[round_] = speed, read, 1e3 * np.median(step - matrices)


def _tokens_per_s(decoder: Decoder, logits: np.ndarray) -> float:
    """Decode the token at the present position again and again, for SECONDS and at least three times.

    One token before is not timed: it finds threads asleep and address tables that held another model.
    """
    position, tokens = decoder.position, 0
    decoder.step(0, out=logits)
    decoder.rewind(position)
    start = now = time.perf_counter()
    while tokens < 3 or now - start < SECONDS:
        decoder.step(tokens % decoder.config.vocab_size, out=logits)
        decoder.rewind(position)
        tokens += 1
        now = time.perf_counter()
    return tokens / (now - start)


def _decoders(model: Transformer, formats: list[tuple[str, str]], context: int, activations: str | None,
              say: Progress) -> dict:
    """A decoder per (weights, kv), its kernels compiled, because it is given somebody to tell about it."""
    from ..decoder import Decoder, takes_activations

    decoders = {}
    for weights, kv in formats:
        rounded = activations if takes_activations(weights) else None
        decoder = Decoder(model, weights, kv=kv, context=context, activations=rounded, progress=say)
        decoders[weights, kv] = decoder
    return decoders


def _facts(decoder: Decoder, context: int) -> dict:
    """What is counted, not measured."""
    cache, size = last_level_cache(), decoder.nbytes
    small = cache is not None and size < CACHES * cache
    warning = (f"the packed model ({size / 1e6:.0f} MB) is smaller than {CACHES} times the last-level cache "
               f"({cache / 1e6:.0f} MB): part of it may be read from there, not from memory") if small else None
    return {"activations": decoder.activations, "nbytes": size, "bytes_per_token": decoder.bytes_per_token(context),
            "warning": warning}


def _row(name: str, key: tuple, samples: dict, facts: dict, repetitions: int) -> dict:
    weights, kv, context, threads = key
    speed, read, outside = np.array(list(samples[key].values())).T
    gb = speed * facts["bytes_per_token"] / 1e9
    row = {"shape": name, "weights": weights, "kv": kv, "context": context, "threads": threads,
           "repetitions": repetitions, **facts, **summary("tokens_per_s", speed), **summary("gb_per_s", gb),
           **summary("read_gb_per_s", read), **summary("share_of_read", gb / read),
           **summary("outside_ms", outside)}
    for name, base in (("speedup_over_bf16", ("bf16", kv)), ("speedup_over_bf16_cache", (weights, "bf16"))):
        row |= _paired(name, samples[key], samples.get((*base, context, threads), {}))
    return row


def _paired(name: str, mine: dict[int, tuple], base: dict[int, tuple]) -> dict[str, float | None]:
    """Median and spread of how much faster, over the rounds that both were timed in; None where there is none."""
    ratios = [speed / base[round_][0] for round_, (speed, *_) in mine.items() if round_ in base]
    return summary(name, ratios) if ratios else dict.fromkeys((name, f"{name}_p10", f"{name}_p90"))


def _groups(formats: list[tuple[str, str]], parameters: int) -> list[list[tuple[str, str]]]:
    """Formats that are in memory together, and so are timed in the same rounds. bf16 belongs to every group."""
    from ..scaling import Scheme

    limit = min(MEMORY, 0.6 * (available_memory() or MEMORY))
    size = {f: parameters * (Scheme.parse(f[0]).bits + 0.5) / 8 for f in formats}
    base = [f for f in formats if f[0] == "bf16"]
    groups = [list(base)]
    for f in formats:
        if f in base:
            continue
        if len(groups[-1]) > len(base) and sum(size[g] for g in groups[-1]) + size[f] > limit:
            groups.append(list(base))
        groups[-1].append(f)
    return groups


def _model(shape: str | Transformer) -> tuple[str, Transformer]:
    from ..model import Transformer, random_model

    if isinstance(shape, Transformer):
        return "model", shape
    return shape, random_model(shape)


def _names(what: str, names: Iterable[str]) -> list[str]:
    names = [names] if isinstance(names, str) else list(names)
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{what}: name at least one format, and each once, not {names}")
    return names


def _all_threads(threads: int | Sequence[int] | None) -> list[int]:
    import numba

    return thread_counts(threads, [numba.config.NUMBA_NUM_THREADS])


def _check(formats: list[tuple[str, str]], contexts: list[int], repetitions: int, activations: str | None) -> None:
    """Refuse what would fail only after minutes of packing."""
    from ..decoder.kv import check_kv
    from ..decoder.pack import check_activations, packed_type

    check_activations(activations)
    for weights, kv in formats:
        packed_type(weights)
        check_kv(kv)
    if not contexts or min(contexts) < 0:
        raise ValueError(f"context: at least one length of 0 or more tokens, not {contexts}")
    if repetitions < 1:
        raise ValueError(f"repetitions must be at least 1, not {repetitions}")


def _check_memory(config: Config, formats: list[tuple[str, str]], context: int) -> None:
    """Refuse a cache that cannot be held: the system would end the process, or others, without a word."""
    from ..decoder.kv import make_cache
    from ..kernels import caches

    sample = 1024  # tokens; the arrays are made and dropped, not written to
    keys_and_values = max(caches.nbytes(make_cache(kv, config, sample)) for _, kv in formats) / sample
    tables = 5 * config.heads + 16 * config.head_dim  # float32 scores, sums; RoPE angles, while they are float64
    needed, free = (keys_and_values + tables) * context, available_memory()
    if free is not None and needed > free:
        raise ValueError(f"a context of {context} tokens needs {needed / 1e9:.1f} GB beside the weights of "
                         f"each format, and {free / 1e9:.1f} GB of memory are free: name a shorter context")
