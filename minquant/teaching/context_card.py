"""The context slider of lesson 12: bytes of weights against bytes of cache, for one token, and where they are equal.

How it works
    ``cost`` counts what a decoder reads for one token: every weight of the blocks, the output matrix, one row of the
    embedding, the gains of the norms, and the whole cache. ``crossing`` searches for the number of cached tokens whose
    keys and values weigh as much as all of that. ``context_card`` draws both as bars and, below, over the context on
    logarithmic axes, for every format of the cache at hand. The speed it names is bandwidth over bytes: what memory
    allows, not what is measured.

What we leave out
    The writing of the new key and value, and activations: a few kB. Caches shared between layers, and layers that see a
    window only; both make the slope smaller and change nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log2

from ..model import CacheFormat, Config, config as shapes
from ..model.random import SHAPES
from ..scaling import Scheme
from . import svg
from .svg import Drawing

WIDTH, HEIGHT = 720, 470
CONTEXTS = tuple(2**n for n in range(7, 18))          # 128 to 131,072
WEIGHTS = ("int4:g32", "int8:g32", "bf16")
CACHES = ("bf16", "int8:token", "int4:token", "kivi2")
_COLOURS = dict(zip(CACHES, (svg.ORANGE, svg.GREEN, svg.PURPLE, svg.VERMILLION)))
_LEFT, _RIGHT = 60, 560                               # of bars and plot; names stand to the right
_TOP, _BOTTOM = 230, 420                              # of the plot
_SLACK = 1024                                         # tokens by which a search among groups may be off


def weight_bytes(config: Config, scheme: str) -> int:
    """Bytes of weights read for one token, scales counted; the output matrix in the same scheme, norms in float32."""
    scheme = Scheme.parse(scheme)
    of = shapes.tensor_shapes(config)
    matrices = sum(scheme.nbytes(of[name]) for name in shapes.linear_names(config))
    norms = sum(4 * shape[0] for shape in of.values() if len(shape) == 1)
    return matrices + scheme.nbytes((config.vocab_size, config.hidden)) + scheme.nbytes((1, config.hidden)) + norms


def cache_bytes(config: Config, kv: str, tokens: int) -> int:
    """Bytes of keys and values read for one token, with so many tokens cached; scales, and what waits in bf16, counted."""
    return config.layers * CacheFormat.parse(kv).nbytes(tokens, config.kv_heads, config.head_dim)


def crossing(config: Config, weights: str, kv: str) -> int:
    """The smallest number of cached tokens whose keys and values weigh at least as much as the weights."""
    wanted, low, high = weight_bytes(config, weights), 0, 1
    while cache_bytes(config, kv, high) < wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if cache_bytes(config, kv, middle) >= wanted else (middle, high)
    # Where groups leave a float window the bytes fall back a little now and then: an earlier crossing may be near.
    return next(n for n in range(max(high - _SLACK, 1), high + 1) if cache_bytes(config, kv, n) >= wanted)


def context_drawing(gb_per_s: float) -> Callable[..., str]:
    """``draw(context, shape, weights, kv)`` -> SVG card, speeds from this read bandwidth in GB/s."""
    return lambda context, shape, weights, kv: context_card(SHAPES[shape], shape, weights, kv, context, gb_per_s)


def context_card(config: Config, name: str, weights: str, kv: str, context: int, gb_per_s: float) -> str:
    """One position of the slider as SVG."""
    w, c = weight_bytes(config, weights), cache_bytes(config, kv, context)
    equal = crossing(config, weights, kv)
    drawing = Drawing(WIDTH, HEIGHT, f"A model of shape {name}, weights {weights}, cache {kv}, {context:,} tokens cached: "
                      f"one token reads {w / 1e6:.0f} MB of weights and {c / 1e6:.0f} MB of cache. Both are equal at "
                      f"{equal:,} tokens")
    drawing.text(16, 26, f"{name}, weights in {weights}, cache in {kv}, {context:,} tokens cached", bold=True, size=15)
    _bars(drawing, (("weights", w, svg.SKY), ("cache", c, _COLOURS[kv])))
    drawing.text(16, 138, f"One token reads {_megabytes(w + c)}, {c / (w + c):.0%} of it cache.")
    drawing.text(16, 160, f"At {gb_per_s:.3g} GB/s that allows {_speed(gb_per_s, w + c)}; with an empty cache "
                 f"{_speed(gb_per_s, w)}.")
    drawing.text(16, 182, f"The cache weighs as much as the weights at {equal:,} tokens.", bold=True)
    _plot(drawing, config, w, kv, context, equal)
    return str(drawing)


def _bars(drawing: Drawing, rows: tuple) -> None:
    longest = max(size for _, size, _ in rows)
    for place, (words, size, colour) in enumerate(rows):
        y = 44 + 36 * place
        drawing.text(16, y + 18, words)
        drawing.rect(84, y, (_RIGHT - 84) * size / longest, 26, fill=colour)
        drawing.text(92 + (_RIGHT - 84) * size / longest, y + 18, _megabytes(size))


def _plot(drawing: Drawing, config: Config, weights: int, kv: str, context: int, equal: int) -> None:
    """Bytes over the context, both logarithmic: a flat line of weights, a line for each cache."""
    first, last = CONTEXTS[0], CONTEXTS[-1]
    sizes = {name: [cache_bytes(config, name, n) for n in CONTEXTS] for name in CACHES}
    low = log2(min(weights, *(row[0] for row in sizes.values())))
    high = log2(max(weights, *(row[-1] for row in sizes.values())))

    def across(tokens: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * log2(tokens / first) / log2(last / first)

    def height(size: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (log2(size) - low) / (high - low)

    drawing.text(16, _TOP - 16, "bytes read for one token, over the tokens in the cache", bold=True)
    drawing.line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM), drawing.line(_LEFT, _TOP, _LEFT, _BOTTOM)
    for size in (10**n for n in range(4, 12)):
        if low <= log2(size) <= high:
            drawing.line(_LEFT - 4, height(size), _LEFT, height(size))
            drawing.text(_LEFT - 8, height(size) + 4, _short(size), size=11, anchor="end")
    for tokens in CONTEXTS[::2]:
        drawing.text(across(tokens), _BOTTOM + 16, f"{tokens:,}", size=11, anchor="middle")
    drawing.line(across(context), _TOP, across(context), _BOTTOM, dash="4 3")
    for name, row in sizes.items():
        for (a, b), (m, n) in zip(zip(row, row[1:]), zip(CONTEXTS, CONTEXTS[1:])):
            drawing.line(across(m), height(a), across(n), height(b), stroke=_COLOURS[name], width=4 if name == kv else 1.5)
    drawing.line(_LEFT, height(weights), _RIGHT, height(weights), stroke=svg.SKY, width=4)
    _names(drawing, {"weights": height(weights)} | {name: height(row[-1]) for name, row in sizes.items()}, kv)
    if first <= equal <= last:
        x, y = across(equal), height(weights)
        drawing.rect(x - 6, y - 6, 12, 12, fill=svg.INK, stroke="currentColor", radius=6)
        drawing.text(max(x - 4, _LEFT + 110), y - 12, f"equal at {equal:,}", anchor="end", size=12, bold=True)


def _names(drawing: Drawing, ends: dict[str, float], kv: str) -> None:
    """Names at the right ends of the lines, never on each other."""
    lowest = 0.0
    for name, y in sorted(ends.items(), key=lambda end: end[1]):
        lowest = max(y + 4, lowest + 16)
        words = name if name == "weights" else f"cache {name}"
        drawing.line(_RIGHT + 6, lowest - 4, _RIGHT + 22, lowest - 4, stroke=_COLOURS.get(name, svg.SKY), width=4)
        drawing.text(_RIGHT + 28, lowest, words, size=12, bold=name in (kv, "weights"))


def _megabytes(size: float) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB" if size < 1e8 else f"{size / 1e6:.0f} MB"


def _short(size: int) -> str:
    return f"{size // 10**9} GB" if size >= 10**9 else f"{size // 10**6} MB" if size >= 10**6 else f"{size // 1000} kB"


def _speed(gb_per_s: float, size: float) -> str:
    return f"{1e9 * gb_per_s / size:.3g} tok/s"
