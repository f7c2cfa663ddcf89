"""Brute-force oracles: the definition of each thing, as plainly as it can be written, one value at a time.

Slow on purpose, and sharing no code with the package. A test reads ``expected = naive.f(x); got = package.f(x)``.
One section per part of the package.
"""

from __future__ import annotations

import math
import struct
from fractions import Fraction

import numpy as np

# --------------------------------------------------------------------------------------------------------------------
# Number formats, grids, packing: one value at a time, straight from the definitions
# --------------------------------------------------------------------------------------------------------------------

def float_value(code: int, exponent_bits: int, mantissa_bits: int, specials: str) -> float:
    """Value of one code of a binary float; specials is "ieee", "nan" or "none" as in minquant.formats.floats."""
    sign = -1.0 if code >> exponent_bits + mantissa_bits & 1 else 1.0
    exponent = code >> mantissa_bits & 2**exponent_bits - 1
    mantissa = code & 2**mantissa_bits - 1
    bias = 2 ** (exponent_bits - 1) - 1
    if specials == "ieee" and exponent == 2**exponent_bits - 1:
        return math.nan if mantissa else sign * math.inf
    if specials == "nan" and exponent == 2**exponent_bits - 1 and mantissa == 2**mantissa_bits - 1:
        return math.nan
    if exponent == 0:
        return sign * mantissa * 2.0 ** (1 - bias - mantissa_bits)
    return sign * (2**mantissa_bits + mantissa) * 2.0 ** (exponent - bias - mantissa_bits)


def nearest_float_code(x: float, exponent_bits: int, mantissa_bits: int, specials: str) -> int:
    """Code of the value nearest to a finite x, found by trying all: ties to the even code, the sign kept."""
    sign_bit = 1 << exponent_bits + mantissa_bits
    best, best_distance = 0, math.inf
    for code in range(sign_bit):
        value = float_value(code, exponent_bits, mantissa_bits, specials)
        if not math.isfinite(value):
            continue
        distance = abs(value - abs(x))  # exact in float64 for the formats and values tried
        if distance < best_distance or distance == best_distance and code % 2 == 0:
            best, best_distance = code, distance
    return best | sign_bit if math.copysign(1, x) < 0 else best


def nearest_level(x: float, levels) -> int:
    """Place of the level nearest to x in a sorted list, the lower of two equally near; the ends for what is beyond."""
    if math.isinf(x):
        return len(levels) - 1 if x > 0 else 0
    distances = [abs(float(np.float32(level)) - float(x)) for level in levels]
    return distances.index(min(distances))


def integer_grid(low: float, high: float, bits: int, symmetric: bool, float16_scale: bool) -> tuple[np.float32, int]:
    """Scale and zero point of the grid for values in low .. high; the scale as stored, back in float32."""
    low, high = np.float32(min(low, 0)), np.float32(max(high, 0))
    if low == high:
        scale = np.float32(1)
    elif symmetric:
        scale = max(-low, high) / np.float32(2 ** (bits - 1) - 1)
    else:
        scale = (high - low) / np.float32(2**bits - 1)
    if float16_scale and low != high:
        scale = np.float32(np.float16(min(scale, np.float32(65504)))) or np.float32(2.0**-24)
    zero = 0 if symmetric else int(min(np.rint(-low / scale), 2**bits - 1))
    return np.float32(scale), zero


def integer_codes(x, scale: np.float32, zero: int, bits: int, symmetric: bool, full_range: bool = False) -> list[int]:
    """Codes of a block of float32 values on a grid."""
    highest = 2 ** (bits - 1) - 1 if symmetric else 2**bits - 1
    lowest = (-highest - full_range) if symmetric else 0
    codes = []
    for value in x:
        quotient = float(np.float32(value) / scale)
        floor = math.floor(quotient)
        part = quotient - floor
        nearest = floor + (1 if part > 0.5 or part == 0.5 and floor % 2 else 0)
        codes.append(min(max(nearest + zero, lowest), highest))
    return codes


def searched_grid(x, bits: int, symmetric: bool, float16_scale: bool, power: float) -> tuple[np.float32, int]:
    """Of 80 shrunk ranges the grid with the smallest sum of |error|**power; a later one must be strictly better."""
    x = np.asarray(x, np.float32)
    best, best_error = None, math.inf
    for i in range(80):
        p = np.float32(1 - i / 100)
        scale, zero = integer_grid(p * min(x.min(), 0), p * max(x.max(), 0), bits, symmetric, float16_scale)
        codes = integer_codes(x, scale, zero, bits, symmetric)
        values = [np.float32(code - zero) * scale for code in codes]
        error = sum(abs(float(value) - float(true)) ** power for value, true in zip(values, x, strict=True))
        if error < best_error:
            best, best_error = (scale, zero), error
    return best


def shared_exponent(x, largest: float, rule: str = "floor", mantissa_bits: int = 0) -> int:
    """Exponent of the power of two a block shares (MX), by arithmetic on exact fractions."""
    amax = max(Fraction(float(v)).__abs__() for v in x)
    if amax == 0:
        return 0
    def log2(value):  # the largest e with 2^e <= value
        e = 0
        while Fraction(2) ** (e + 1) <= value:
            e += 1
        while Fraction(2) ** e > value:
            e -= 1
        return e
    e, emax = log2(amax), log2(Fraction(largest))
    if rule == "ceil" and Fraction(2) ** e < amax:
        e += 1
    if rule == "even":  # amax with so many mantissa bits, halves up, may be the next power of two
        steps = amax / Fraction(2) ** (e - mantissa_bits)
        e += math.floor(steps + Fraction(1, 2)) == 2 ** (mantissa_bits + 1)
    e -= emax
    if rule == "rceil":
        e += amax > Fraction(largest) * Fraction(2) ** e
    return max(min(e, 127 - emax), -127)


def entropy_threshold(counts, width: float, levels: int) -> float:
    """TensorRT's calibration as its pseudocode has it: every number of kept bins, every bin on its own."""
    best, best_i = math.inf, None
    for i in range(levels, len(counts) + 1):
        p = [float(c) for c in counts[:i]]
        p[-1] += sum(counts[i:])
        q = [0.0] * i
        for level in range(levels):
            first, end = -(-level * i // levels), -(-(level + 1) * i // levels)  # the j with j * levels // i == level
            bins = [j for j in range(first, end) if counts[j]]
            for j in bins:
                q[j] = sum(counts[k] for k in bins) / len(bins)
        if sum(q) == 0 or any(a > 0 and b == 0 for a, b in zip(p, q)):
            continue
        all_p, all_q = sum(p), sum(q)
        divergence = sum(a / all_p * math.log((a / all_p) / (b / all_q)) for a, b in zip(p, q) if a)
        if divergence < best - 1e-12:
            best, best_i = divergence, i
    return min((best_i + 0.5) * width, len(counts) * width)


def nvfp4(rows) -> tuple[list, list, np.float32]:
    """Codes, block scales and G of rows of 16 float32 each, one number at a time."""
    amax = max((abs(np.float32(v)) for row in rows for v in row), default=np.float32(0))
    g = np.float32(448 * 6) / amax if amax else np.float32(1)
    codes, scales = [], []
    for row in rows:
        largest = max(abs(np.float32(v)) for v in row)
        scale = np.float32(float_value(nearest_float_code(float(g * largest / np.float32(6)), 4, 3, "nan"), 4, 3, "nan"))
        scale = np.float32(1) if largest == 0 else max(scale, np.float32(2.0**-9))
        codes.append([nearest_float_code(float(np.float32(v) / (scale / g)), 2, 1, "none") for v in row])
        scales.append(scale)
    return codes, scales, g


def pack_bits(codes, bits: int) -> bytes:
    """Dense packing by way of one big integer: code i, in two's complement, shifted left by i * bits."""
    stream = sum((int(code) & 2**bits - 1) << i * bits for i, code in enumerate(codes))
    return stream.to_bytes(-(-len(codes) * bits // 8), "little")


def unpack_bits(data: bytes, bits: int, count: int) -> list[int]:
    """The first codes of a dense stream."""
    stream = int.from_bytes(data, "little")
    return [stream >> i * bits & 2**bits - 1 for i in range(count)]


def int32_word(codes, bits: int, word: int) -> int:
    """One int32 word of a row of codes, bit by bit: bit p of the row is bit p % bits of code p // bits, 0 at the end."""
    total = 0
    for bit in range(32):
        index, place = divmod(32 * word + bit, bits)
        if index < len(codes) and int(codes[index]) >> place & 1:
            total += -(2**31) if bit == 31 else 2**bit
    return total


def awq_word(column, word: int) -> int:
    """One int32 word of AWQ, from all outputs of one input: even outputs of the eight in the lower half, odd above."""
    eight = ([int(code) for code in column[8 * word:8 * word + 8]] + [0] * 8)[:8]
    text = "".join(f"{code:x}" for code in eight[0::2] + eight[1::2])[::-1]  # hexadecimal, first nibble on the right
    return struct.unpack(">i", bytes.fromhex(text))[0]


def ternary_bytes(codes) -> list[int]:
    """Five codes to a byte, as a number in base 3 written with the first code last."""
    codes = [*codes, *[0] * (-len(codes) % 5)]
    return [int("".join("012"[code + 1] for code in reversed(codes[i:i + 5])), 3) for i in range(0, len(codes), 5)]


def q8_0_block(x) -> bytes:
    """The 34 bytes of a Q8_0 block, as ggml's quantize_row_q8_0_ref makes them."""
    x = [np.float32(v) for v in x]
    d = max(abs(v) for v in x) / np.float32(127)
    inverse = np.float32(1) / d if d else np.float32(0)
    codes = []
    for v in x:
        product = float(v * inverse)
        codes.append(int(math.copysign(math.floor(abs(product) + 0.5), product)))  # float64: the sum is exact
    return struct.pack("<e32b", float(d), *codes)


def q4_0_block(x) -> bytes:
    """The 18 bytes of a Q4_0 block, as ggml's quantize_row_q4_0_ref makes them."""
    x = [np.float32(v) for v in x]
    largest = np.float32(0)
    for v in x:
        if abs(v) > abs(largest):
            largest = v
    d = largest / np.float32(-8)
    inverse = np.float32(1) / d if d else np.float32(0)
    codes = [min(15, int(v * inverse + np.float32(8.5))) for v in x]
    return struct.pack("<e", float(d)) + bytes(codes[j] | codes[j + 16] << 4 for j in range(16))


# ---- GGUF super-blocks: one weight, one guess of a scale at a time, in float32 --------------------------------------


def _total(terms) -> np.float32:
    """Sum in float32, in order."""
    total = np.float32(0)
    for term in terms:
        total = total + term
    return total


def _clipped(value, low: int, high: int) -> int:
    return int(min(max(np.rint(value), low), high))


def _line(x, top: int, first: float, guesses: int):
    """Scale, minimum and codes of one sub-block, as ggml's make_qkx2_quants finds them with Q4_K's weights."""
    f = np.float32
    rms = np.sqrt(_total(v * v for v in x) / f(32))
    w = [rms + abs(v) for v in x]
    low, high = min(min(x), f(0)), max(x)
    if low == high:
        return f(0), low, [0] * len(x)
    sum_w, sum_wx = _total(w), _total(a * v for a, v in zip(w, x, strict=True))

    def error(codes, scale, low):
        off = [scale * f(c) + low - v for v, c in zip(x, codes, strict=True)]
        return _total(a * (o * o) for a, o in zip(w, off, strict=True))

    guess = f(top) / (high - low)
    best = [_clipped(guess * (v - low), 0, top) for v in x]
    scale = f(1) / guess
    best_error = error(best, scale, low)
    for i in range(guesses + 1):
        guess = (f(first) + f(0.1) * f(i) + f(top)) / (high - low)
        codes = [_clipped(guess * (v - low), 0, top) for v in x]
        c1 = _total(a * f(c) for a, c in zip(w, codes, strict=True))
        c2 = _total(a * f(c) * f(c) for a, c in zip(w, codes, strict=True))
        cx = _total(a * f(c) * v for a, c, v in zip(w, codes, x, strict=True))
        determinant = sum_w * c2 - c1 * c1
        if not determinant > 0:
            continue
        new_scale, new_low = (sum_w * cx - sum_wx * c1) / determinant, (c2 * sum_wx - c1 * cx) / determinant
        if new_low > 0:
            new_scale, new_low = cx / c2, f(0)
        new_error = error(codes, new_scale, new_low)
        if new_error < best_error:
            best_error, best, scale, low = new_error, codes, new_scale, new_low
    return scale, low, best


def q4_k_block(x) -> bytes:
    """The 144 bytes of a Q4_K super-block, as ggml's quantize_row_q4_K_ref makes them."""
    x = [np.float32(v) for v in x]
    parts = [x[i : i + 32] for i in range(0, 256, 32)]
    lines = [_line(part, 15, -1.0, 20) for part in parts]
    units, multiples = [], []
    for values in ([scale for scale, _, _ in lines], [-low for _, low, _ in lines]):
        largest = max(np.float32(0), *values)
        inverse = np.float32(63) / largest if largest > 0 else np.float32(0)
        units.append(np.float16(largest / np.float32(63)))
        multiples.append([_clipped(inverse * value, 0, 63) for value in values])
    codes = []
    for part, (_, _, found), s, m in zip(parts, lines, *multiples, strict=True):
        d, shift = np.float32(units[0]) * np.float32(s), np.float32(units[1]) * np.float32(m)
        codes += [_clipped((v + shift) / d, 0, 15) for v in part] if d else found
    packed = [0] * 12
    for i, (s, m) in enumerate(zip(*multiples, strict=True)):
        if i < 4:
            packed[i], packed[i + 4] = packed[i] | s, packed[i + 4] | m
        else:
            packed[i + 4] = s % 16 | m % 16 << 4
            packed[i - 4] |= s // 16 << 6
            packed[i] |= m // 16 << 6
    nibbles = [codes[j + k] | codes[j + k + 32] << 4 for j in range(0, 256, 64) for k in range(32)]
    return struct.pack("<2e140B", *(float(unit) for unit in units), *packed, *nibbles)


def _slope(x):
    """Scale and codes of one sub-block of 16, as ggml's make_qx_quants finds them with weights x * x."""
    f = np.float32
    largest = f(0)
    for v in x:
        if abs(v) > abs(largest):
            largest = v
    if abs(largest) < f(1e-15):
        return f(0), [-32] * 16
    scale = gain = best = None
    for i in [0, *range(-9, 0), *range(1, 10)]:
        guess = -(f(32) + f(0.1) * f(i)) / largest
        codes = [_clipped(guess * v, -32, 31) for v in x]
        along = _total(v * v * v * f(c) for v, c in zip(x, codes, strict=True))
        square = _total(v * v * f(c) * f(c) for v, c in zip(x, codes, strict=True))
        if gain is None or square > 0 and along * along > gain * square:
            scale, best = along / square, codes
            gain = scale * along
    return scale, best


def q6_k_block(x) -> bytes:
    """The 210 bytes of a Q6_K super-block, as ggml's quantize_row_q6_K_ref makes them."""
    x = [np.float32(v) for v in x]
    parts = [x[i : i + 16] for i in range(0, 256, 16)]
    slopes = [_slope(part) for part in parts]
    largest = max((scale for scale, _ in slopes), key=abs)
    if abs(largest) < np.float32(1e-15):
        return bytes(210)
    inverse = np.float32(-128) / largest
    unit = np.float16(np.float32(1) / inverse)
    scales, codes = [], []
    for part, (scale, found) in zip(parts, slopes, strict=True):
        scales.append(_clipped(inverse * scale, -128, 127))
        d = np.float32(unit) * np.float32(scales[-1])
        codes += [32 + _clipped(v / d, -32, 31) if d else 32 + c for v, c in zip(part, found, strict=True)]
    low = [codes[j + k] % 16 | codes[j + k + 64] % 16 << 4 for j in (0, 128) for k in range(64)]
    high = [sum(codes[j + k + 32 * i] // 16 << 2 * i for i in range(4)) for j in (0, 128) for k in range(32)]
    return struct.pack("<192B16be", *low, *high, *scales, float(unit))


# ---- model: the forward pass, one token, one head, one number at a time (float64) ----------------------------------


def _matvec(weight, x):
    return [sum(float(w) * v for w, v in zip(row, x)) for row in weight]


def _rms_norm(x, gain, eps):
    root = math.sqrt(sum(v * v for v in x) / len(x) + eps)
    return [v / root * float(g) for v, g in zip(x, gain)]


def _rope_frequency(pair: int, size: int, theta: float, scaling=None) -> float:
    """Radians per token of one pair of a head; Llama 3's scaling by its three cases."""
    frequency = theta ** (-2 * pair / size)
    if scaling is None:
        return frequency
    factor, low, high, context = scaling
    wavelength = 2 * math.pi / frequency
    if wavelength < context / high:
        return frequency
    if wavelength > context / low:
        return frequency / factor
    smooth = (context / wavelength - low) / (high - low)
    return (1 - smooth) * frequency / factor + smooth * frequency


def _rope(x, position, theta, scaling=None):
    half = len(x) // 2
    turned = [0.0] * len(x)
    for i in range(half):  # component i is paired with i + half, and both turn by one angle
        angle = position * _rope_frequency(i, len(x), theta, scaling)
        turned[i] = x[i] * math.cos(angle) - x[i + half] * math.sin(angle)
        turned[i + half] = x[i + half] * math.cos(angle) + x[i] * math.sin(angle)
    return turned


def _as_given(row):
    return row


def logits(config, weights, tokens, activations=_as_given, kv=_as_given, attention=_as_given, float_head=True):
    """Scores of every token, float64 (T, vocab). The three functions stand for fake quantizers of one row each."""
    size, share = config.head_dim, config.heads // config.kv_heads
    stream = [[float(v) for v in weights["model.embed_tokens.weight"][t]] for t in tokens]
    for layer in range(config.layers):
        def matrix(name, x):
            return _matvec(weights[f"model.layers.{layer}.{name}.weight"], activations(x))

        queries, keys, values = [], [], []
        for position, x in enumerate(stream):
            y = _rms_norm(x, weights[f"model.layers.{layer}.input_layernorm.weight"], config.norm_eps)
            q, k, v = (matrix(f"self_attn.{letter}_proj", y) for letter in "qkv")
            cut = lambda row, head: row[head * size:(head + 1) * size]  # noqa: E731

            def turned(row, head, name):
                part = cut(row, head)
                if config.qk_norm:  # Qwen3
                    part = _rms_norm(part, weights[f"model.layers.{layer}.self_attn.{name}.weight"], config.norm_eps)
                return _rope(part, position, config.rope_theta, config.rope_scaling)

            queries.append([attention(turned(q, h, "q_norm")) for h in range(config.heads)])
            keys.append([attention(kv(turned(k, g, "k_norm"))) for g in range(config.kv_heads)])
            values.append([kv(cut(v, g)) for g in range(config.kv_heads)])
        for position, x in enumerate(stream):
            gathered = []
            for head in range(config.heads):
                q, group = queries[position][head], head // share
                scores = [sum(a * b for a, b in zip(q, keys[s][group])) / math.sqrt(size) for s in range(position + 1)]
                top = max(scores)
                e = [math.exp(s - top) for s in scores]
                p = attention([v / sum(e) for v in e])
                gathered += [sum(p[s] * values[s][group][i] for s in range(position + 1)) for i in range(size)]
            x = [a + b for a, b in zip(x, matrix("self_attn.o_proj", gathered))]
            y = _rms_norm(x, weights[f"model.layers.{layer}.post_attention_layernorm.weight"], config.norm_eps)
            gate, up = matrix("mlp.gate_proj", y), matrix("mlp.up_proj", y)
            inner = [g / (1 + math.exp(-g)) * u for g, u in zip(gate, up)]
            stream[position] = [a + b for a, b in zip(x, matrix("mlp.down_proj", inner))]
    out = weights["model.embed_tokens.weight" if config.tied else "lm_head.weight"]
    final = [_rms_norm(x, weights["model.norm.weight"], config.norm_eps) for x in stream]
    return np.array([_matvec(out, y if float_head else activations(y)) for y in final])


def bpe(word, ranks):
    """Pieces of a word: merge the first pair of the lowest rank until there is none; each step searches the word."""
    pieces = list(word)
    while True:
        pairs = [(ranks.get((a, b), math.inf), i) for i, (a, b) in enumerate(zip(pieces, pieces[1:]))]
        if not pairs or min(pairs)[0] == math.inf:
            return pieces
        i = min(pairs)[1]
        pieces[i:i + 2] = [pieces[i] + pieces[i + 1]]


# --------------------------------------------------------------------------------------------------------------------
# Kernels: packed bytes weight by weight, one token of attention, in float64
# --------------------------------------------------------------------------------------------------------------------

def packed_weight(packed, layer: int, row: int, column: int) -> float:
    """One weight of a packed matrix, found by the layout that minquant/kernels/packed.py describes."""
    kind = type(packed).__name__
    if kind == "Float32":
        return float(packed.codes[layer, row, column])
    if kind == "BFloat16":
        return struct.unpack("<f", struct.pack("<I", int(packed.codes[layer, row, column]) << 16))[0]
    if kind == "E4M3":
        return float_value(int(packed.codes[layer, row, column]) & 255, 4, 3, "nan") * float(packed.scale[layer, row])
    if kind == "Int8Rows":
        return int(packed.codes[layer, row, column]) * float(packed.scale[layer, row])
    if kind == "E5M2":
        return float_value(int(packed.codes[layer, row, column]) & 255, 5, 2, "ieee") * float(packed.scale[layer, row])
    groups = packed.scale.shape[2]
    if kind in ("Int8Groups", "E4M3Groups"):
        code = int(packed.codes[layer, row, column]) & 255
        scale = packed_scale(packed.scale[layer, row, column * groups // packed.codes.shape[2]])
        return float_value(code, 4, 3, "nan") * scale if kind == "E4M3Groups" else ((code ^ 128) - 128) * scale
    bits = {"Int3Groups": 3, "Int2Groups": 2}.get(kind, 4)
    words = [int(word) for word in packed.codes[layer, row // 8, :, row % 8]]
    group = column * groups // (len(words) * 32 // bits)
    scale = packed_scale(packed.scale[layer, row // 8, group, row % 8])
    if kind == "Int3Groups":
        three = words[column // 32 * 3:][:3]
        code = word_field(three[:2], column % 32, 2) + 4 * word_field(three[2:], column % 32, 1)
        return (code - 4) * scale
    code = word_field(words, column, bits)
    if kind == "Book4":
        return float(packed.table[code]) * scale
    offset = {"Int2Groups": 2, "Int4Groups": 8}
    return (code - (offset[kind] if kind in offset else int(packed.zero[layer, row // 8, group, row % 8]))) * scale


def word_field(words, column: int, bits: int) -> int:
    """The code of a column: four neighbours in the lowest bits of the four bytes of a word, the next four above them."""
    word, place = divmod(column, 32 // bits)
    field, byte = divmod(place, 4)
    return words[word] // 2 ** (8 * byte + bits * field) % 2**bits


def packed_scale(stored) -> float:
    """float16 bits in an int16, an exponent in a uint8, or a float32."""
    kind = type(stored).__name__
    if kind == "int16":
        return struct.unpack("<e", struct.pack("<H", int(stored) & 0xFFFF))[0]
    return 2.0 ** (int(stored) - 127) if kind == "uint8" else float(stored)


def packed_matrix(packed, layer: int, rows: int, columns: int):
    """All weights of one layer of a packed matrix: float64 (rows, columns)."""
    return np.array([[packed_weight(packed, layer, row, column) for column in range(columns)] for row in range(rows)])


def cached(cache, layer: int, part: str, length: int, size: int):
    """Keys or values of a layer, found by the layout that minquant/kernels/caches.py describes: (KV heads, length, size)."""
    heads = cache.keys.shape[1]
    return np.array([[[cached_number(cache, layer, head, part, length, token, d, size) for d in range(size)]
                      for token in range(length)] for head in range(heads)])


def cached_number(cache, layer: int, head: int, part: str, length: int, token: int, d: int, size: int) -> float:
    """One number of a cache that holds ``length`` tokens."""
    kind, codes = type(cache).__name__, getattr(cache, part)
    def item(array, place, c, codes_of="keys"):
        """Item c of the key (a block of 8 or 16 tokens channel by channel) or value (a row) in some place."""
        if codes_of == "values":
            return array[layer, head, place, c]
        block = array.shape[-1]
        return array[layer, head, place // block, c, place % block]

    if kind == "BFloat16Cache":
        return bf16_value(item(codes, token, d, part))
    if kind == "KiviCache":
        if token >= max(length - 128, 0) // 32 * 32:
            return bf16_value(item(getattr(cache, f"new_{part}"), token % cache.new_values.shape[2], d, part))
        if part == "keys":
            where, place, eight = (layer, head, token // 32, d), token % 32, codes[layer, head, token // 32, d]
            scale, low = cache.key_scale[where], cache.key_min[where]
        else:
            place, eight = d % 32, codes[layer, head, token, d // 32 * 8:][:8]
            scale, low = item(cache.value_scale, token, d // 32), item(cache.value_min, token, d // 32)
        return packed_scale(low) + packed_scale(scale) * (int(eight[place % 8]) // 4 ** (place // 8) % 4)
    scales = cache.key_scale if part == "keys" else cache.value_scale
    length_of_row = cache.values.shape[3] * (2 if kind == "Int4Cache" else 1)
    n = length_of_row // scales.shape[3]
    scale = packed_scale(item(scales, token, d // n))
    if kind == "Int4Cache":
        byte = int(item(codes, token, d // n * (n // 2) + d % (n // 2), part))
        nibble = byte // 16 if d % n >= n // 2 else byte % 16
        return (nibble - 16 * (nibble > 7)) * scale
    code = int(item(codes, token, d, part))
    return (float_value(code & 255, 4, 3, "nan") if kind == "E4M3Cache" else code) * scale


def bf16_value(bits) -> float:
    """The upper half of a float32."""
    return struct.unpack("<f", struct.pack("<I", int(bits) << 16))[0]


def kivi(x, along: int):
    """KIVI in two bits of (tokens, channels): groups of 32 along ``along`` (0: of channels, 1: of tokens), and what is not yet
    in a group in bfloat16; scales and minima rounded to float16."""
    x = (((x.view(np.uint32) + 0x7FFF + (x.view(np.uint32) >> 16 & 1)) >> 16) << 16).astype(np.uint32).view(np.float32)
    out, old = x.astype(np.float64), max(len(x) - 128, 0) // 32 * 32
    groups = x[:old].T.reshape(-1, 32) if along else x[:old].reshape(-1, 32)
    rows = []
    for group in groups:
        low = np.float32(np.float16(group.min()))
        scale = np.float32(np.float16(np.float32(group.max() - low) / np.float32(3)))
        rows.append(float(low) + float(scale) * np.clip(np.rint((group - low) / scale), 0, 3))
    rows = np.array(rows)
    out[:old] = rows.reshape(x.shape[1], old).T if along else rows.reshape(old, x.shape[1])
    return out


def attend(q, keys, values):
    """Attention of one token: q (heads, size), keys and values (KV heads, tokens, size) -> (heads, size) float64."""
    heads, size = q.shape
    out = np.zeros((heads, size))
    for h in range(heads):
        group = h * keys.shape[0] // heads
        scores = [math.fsum(float(a) * float(b) for a, b in zip(q[h], k)) / math.sqrt(size) for k in keys[group]]
        weights = [math.exp(s - max(scores)) for s in scores]
        for d in range(size):
            out[h, d] = math.fsum(w * float(v[d]) for w, v in zip(weights, values[group])) / math.fsum(weights)
    return out


# --------------------------------------------------------------------------------------------------------------------
# Sampling: sorted, filtered, divided by the sum
# --------------------------------------------------------------------------------------------------------------------

def sampling_probabilities(logits, temperature: float, top_k: int | None, top_p: float) -> list[float]:
    """The probability with which each token is to be drawn."""
    p = [math.exp((float(x) - float(max(logits))) / temperature) for x in logits]
    order = sorted(range(len(p)), key=lambda token: (-p[token], token))[:top_k]
    total, kept = math.fsum(p[token] for token in order), []
    for token in order:
        if kept and math.fsum(p[t] for t in kept) >= top_p * total:
            break
        kept.append(token)
    share = math.fsum(p[token] for token in kept)
    return [p[token] / share if token in kept else 0.0 for token in range(len(p))]


def splitmix64(seed: int, count: int) -> list[int]:
    """The first numbers of SplitMix64, in whole numbers of any size."""
    out = []
    for i in range(1, count + 1):
        z = (seed + i * 0x9E3779B97F4A7C15) % 2**64
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        out.append(z ^ z >> 31)
    return out


# --------------------------------------------------------------------------------------------------------------------
# Evaluation: one position, one token at a time, each position by its own forward pass
# --------------------------------------------------------------------------------------------------------------------

def log_probabilities(row) -> list[float]:
    """Logarithms of the softmax of one row of logits."""
    row = [float(v) for v in row]
    total = max(row) + math.log(sum(math.exp(v - max(row)) for v in row))
    return [v - total for v in row]


def first_token_read(position: int, context: int, stride: int) -> int:
    """Where the window starts in which a position is scored: the first window that reaches it."""
    begin = 0
    while position >= begin + context:
        begin += stride
    return begin


def next_token_rows(model, tokens, context: int, stride: int) -> list[list[float]]:
    """Log-probabilities of the next token after every token, each from the tokens its window shows it."""
    rows = []
    for position in range(len(tokens)):
        begin = first_token_read(position, context, stride)
        rows.append(log_probabilities(model.logits(tokens[begin:position + 1])[-1]))
    return rows


def nll(model, tokens, context: int, stride: int) -> list[float]:
    """-log p of every token but the first."""
    return [-row[target] for row, target in zip(next_token_rows(model, tokens, context, stride), tokens[1:])]


def kl(model, reference, tokens, context: int, stride: int) -> list[float]:
    """KL(reference || model) after every token."""
    pairs = zip(next_token_rows(reference, tokens, context, stride), next_token_rows(model, tokens, context, stride))
    return [sum(math.exp(p) * (p - q) for p, q in zip(ps, qs)) for ps, qs in pairs]


def block_standard_error(values, block: int) -> float:
    """Standard error of the mean of all values, from the means of consecutive whole blocks."""
    means = [sum(values[i:i + block]) / block for i in range(0, len(values) - block + 1, block)]
    centre = sum(means) / len(means)
    variance = sum((m - centre) ** 2 for m in means) / (len(means) - 1)  # of one block mean
    return math.sqrt(variance * block / len(values))


def wilson(hits: int, count: int, z: float) -> tuple[float, float]:
    """Ends of the range of shares p for which ``hits`` lies within z standard deviations, by halving."""
    def surprising(p):
        return abs(hits - count * p) > z * math.sqrt(count * p * (1 - p))

    ends = []
    for outside in (0.0, 1.0):
        inside = hits / count
        for _ in range(200):
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if surprising(middle) else (middle, outside)
        ends.append(inside)
    return ends[0], ends[1]


def quantile(values, share: float) -> float:
    """Value below which this share of the values lies, on a straight line between two of them."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = min(int(place), len(ordered) - 1)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def likeliest(model, tokens, context: int, stride: int) -> list[int]:
    """Number of the likeliest token after each token, the lowest of equals."""
    return [max(range(len(row)), key=lambda t: (row[t], -t)) for row in next_token_rows(model, tokens, context, stride)]


def greedy(model, prompt, n: int) -> list[int]:
    """n tokens after a prompt, the whole text read anew for each. For models whose cache is in float."""
    text = [int(t) for t in prompt]
    for _ in range(n):
        row = model.logits(text)[-1]
        text.append(max(range(len(row)), key=lambda t: (row[t], -t)))
    return text[len(prompt):]


# --------------------------------------------------------------------------------------------------------------------
# GPTQ and OBQ from what they promise: after every rounding the free weights are solved for anew, from the float weights
# --------------------------------------------------------------------------------------------------------------------

def damped_hessian(X, damp: float) -> np.ndarray:
    """X^T X, a dead column's diagonal 1, damp times the mean of the others added to the diagonal."""
    columns = [[float(v) for v in column] for column in np.asarray(X).T]
    H = np.array([[math.fsum(a * b for a, b in zip(one, other)) for other in columns] for one in columns])
    live = [H[i][i] for i in range(len(H)) if H[i][i] > 0]
    for i in range(len(H)):
        H[i][i] = (H[i][i] or 1.0) + damp * (sum(live) / len(live) if live else 1.0)
    return H


def best_answer(w, rounded: dict[int, float], H) -> np.ndarray:
    """The row in which some weights are rounded and the others minimise (row - w) H (row - w)^T."""
    fixed, free = sorted(rounded), [j for j in range(len(w)) if j not in rounded]
    row = np.array(w, np.float64)
    row[fixed] = [rounded[j] for j in fixed]
    if fixed and free:
        row[free] = w[free] - np.linalg.solve(H[np.ix_(free, free)], H[np.ix_(free, fixed)] @ (row[fixed] - w[fixed]))
    return row


def row_grids(row, bits: int, symmetric: bool, group: int | None, power: float | None) -> list[tuple[np.float32, int]]:
    """Grid of every group of a row (all of it where group is None)."""
    size = group or len(row)
    grids = []
    for i in range(0, len(row), size):
        part = np.asarray(row[i:i + size], np.float32)
        grids.append(integer_grid(part.min(), part.max(), bits, symmetric, group is not None) if power is None
                     else searched_grid(part, bits, symmetric, group is not None, power))
    return grids


def nearest_on_grid(x: float, grid: tuple[np.float32, int], bits: int, symmetric: bool) -> tuple[int, float]:
    """Code and value of the nearest point of a grid."""
    scale, zero = grid
    code = integer_codes([x], scale, zero, bits, symmetric)[0]
    return code, float(np.float32(code - zero) * scale)


def gptq(W, X, bits: int, symmetric: bool, group: int | None = None, power: float | None = None, damp: float = 0.01,
         order=None, static: bool = False) -> list[list[int]]:
    """Codes of every row, rounded column by column in the order given."""
    H = damped_hessian(X, damp)
    dead = [j for j in range(len(H)) if not np.asarray(X)[:, j].any()]
    codes = []
    for w in np.array(W, np.float64):
        w[dead] = 0
        grids, rounded, found = row_grids(w, bits, symmetric, group, power), {}, [0] * len(w)
        for j in order or range(len(w)):
            row = best_answer(w, rounded, H)
            if group and j % group == 0 and not static:
                grids[j // group] = row_grids(row[j:j + group], bits, symmetric, group, power)[0]
            found[j], rounded[j] = nearest_on_grid(row[j], grids[j // group if group else 0], bits, symmetric)
        codes.append(found)
    return codes


def obq(W, X, bits: int, symmetric: bool, group: int | None = None, damp: float = 0.01) -> list[list[int]]:
    """Codes of every row; next comes the worst outlier, or the weight after which the error of the row is smallest."""
    H = damped_hessian(X, damp)
    codes = []
    for w in np.array(W, np.float64):
        grids, rounded, found = row_grids(w, bits, symmetric, group, None), {}, [0] * len(w)
        while len(rounded) < len(w):
            row, outliers, costs = best_answer(w, rounded, H), {}, {}
            for j in set(range(len(w))) - set(rounded):
                grid = grids[j // group if group else 0]
                value = nearest_on_grid(row[j], grid, bits, symmetric)[1]
                change = best_answer(w, rounded | {j: value}, H) - w
                costs[j] = change @ H @ change
                if abs(row[j] - value) > grid[0] / 2:
                    outliers[j] = -abs(row[j] - value)
            j = min(outliers or costs, key=(outliers or costs).get)
            found[j], rounded[j] = nearest_on_grid(row[j], grids[j // group if group else 0], bits, symmetric)
        codes.append(found)
    return codes


# --------------------------------------------------------------------------------------------------------------------
# AWQ and HQQ: every alpha and every clip tried by its definition, outputs sample by sample; one group at a time
# --------------------------------------------------------------------------------------------------------------------

def rounded_row(row, bits: int, symmetric: bool, group: int | None) -> list[float]:
    """Values of a row rounded to nearest on the grids of its groups."""
    grids = row_grids(row, bits, symmetric, group, None)
    return [nearest_on_grid(x, grids[j // group if group else 0], bits, symmetric)[1] for j, x in enumerate(row)]


def squared_output_error(row, other, X) -> float:
    """Sum over samples of the squared difference of two rows' outputs."""
    return math.fsum(math.fsum(float(x) * (float(a) - float(b)) for x, a, b in zip(sample, row, other)) ** 2
                     for sample in X)


def awq_scales(X, alpha: float) -> list[np.float32]:
    """mean|x|^alpha of every column, the largest times the smallest 1; no column is all zero."""
    powers = [(math.fsum(abs(float(x)) for x in column) / len(column)) ** alpha for column in np.asarray(X).T]
    return [np.float32(power / math.sqrt(max(powers) * min(powers))) for power in powers]


def awq_errors(W, X, bits: int, symmetric: bool, group: int | None, grid: int) -> list[float]:
    """Squared output error of every alpha."""
    errors = []
    for i in range(grid):
        scales, error = awq_scales(X, i / grid), 0.0
        for row in W:
            values = rounded_row([w * s for w, s in zip(row, scales)], bits, symmetric, group)
            error += squared_output_error(row, [v / float(s) for v, s in zip(values, scales)], X)
        errors.append(error)
    return errors


def awq_clip(W, X, bits: int, symmetric: bool, group: int | None) -> np.ndarray:
    """Every group between plus and minus the share of its largest magnitude that harms its own output least."""
    clipped = np.array(W, np.float32)
    size = group or clipped.shape[1]
    for row in clipped:
        for start in range(0, len(row), size):
            part, inputs = row[start:start + size].copy(), np.asarray(X)[:, start:start + size]
            least = math.inf
            for share in (1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55):
                end = np.float32(max(abs(part))) * np.float32(share)
                trial = [max(-end, min(end, w)) for w in part]
                error = squared_output_error(part, rounded_row(trial, bits, symmetric, group), inputs)
                if error < least:
                    least, row[start:start + size] = error, trial
    return clipped


def hqq(w, scale: float, offset: float, bits: int, whole: bool, p: float, beta: float, kappa: float,
        turns: int) -> list[float]:
    """Best values found for one group with a float16 scale. ``whole``: values are scale * (code - zero), offset is
    the zero; otherwise scale * code + offset, with a float16 offset."""
    best, least = [], math.inf
    for _ in range(turns + 1):
        zero = offset if whole else -offset / scale
        codes = [min(max(round(x / scale + zero), 0), 2**bits - 1) for x in w]
        values = [scale * (code - zero) for code in codes]
        error = math.fsum(abs(x - v) ** p for x, v in zip(w, values))
        if error < least:
            best, least = values, error
        target = []
        for x, v in zip(w, values):
            steps = abs(x - v) / scale
            kept = max(steps - steps ** (p - 1) / beta, 0) if steps else 0
            target.append(x - math.copysign(kept, x - v) * scale)
        if whole:
            mean = math.fsum(code - t / scale for code, t in zip(codes, target)) / len(w)
            offset = min(max(round(mean), 0), 2**bits - 1)
            steps = [code - offset for code in codes]
            scale = float(np.float16(math.fsum(t * k for t, k in zip(target, steps)) / sum(k * k for k in steps)))
        else:
            offset = float(np.float16(math.fsum(t - scale * code for code, t in zip(codes, target)) / len(w)))
        beta *= kappa
    return best


# --------------------------------------------------------------------------------------------------------------------
# Activations: SmoothQuant's scales, LLM.int8()'s decomposition, one number at a time
# --------------------------------------------------------------------------------------------------------------------

def smooth_scales(X, weights, alpha: float) -> list[float]:
    """max|X_j|^alpha / max|W_j|^(1 - alpha), the weights of all matrices together; no column is all zero."""
    found = []
    for j in range(len(X[0])):
        x = max(abs(float(row[j])) for row in X)
        w = max(abs(float(row[j])) for W in weights for row in W)
        found.append(x**alpha / w ** (1 - alpha))
    return found


def int8_row(values) -> tuple[list[int], np.float32]:
    """Codes of a row and its scale: the largest magnitude / 127, ties to even; a row of zeros has scale 1."""
    largest = max((abs(np.float32(v)) for v in values), default=np.float32(0))
    scale = largest / np.float32(127) if largest else np.float32(1)
    return [max(-127, min(127, round(float(np.float32(v) / scale)))) for v in values], scale


def llm_int8(X, W, threshold: float):
    """Outlier columns; codes and scales of the rows of X and of W without them; the product in float64."""
    columns = range(len(X[0]))
    outliers = [j for j in columns if any(abs(float(row[j])) >= threshold for row in X)]
    regular = [j for j in columns if j not in outliers]
    x_rows, w_rows = ([int8_row([row[j] for j in regular]) for row in M] for M in (X, W))
    product = []
    for x, (x_codes, x_scale) in zip(X, x_rows):
        row = []
        for w, (w_codes, w_scale) in zip(W, w_rows):
            total = sum(a * b for a, b in zip(x_codes, w_codes))  # Python's integers: exact
            kept = math.fsum(float(x[j]) * float(w[j]) for j in outliers)
            row.append(total * float(x_scale) * float(w_scale) + kept)
        product.append(row)
    return outliers, x_rows, w_rows, np.array(product)


# --------------------------------------------------------------------------------------------------------------------
# Training: gradients by finite differences, AdamW one weight at a time
# --------------------------------------------------------------------------------------------------------------------

def numerical_gradient(f, x: np.ndarray, entries=None, step: float = 1e-5) -> dict[tuple[int, ...], float]:
    """Central differences (f(x + step) - f(x - step)) / 2 step by each entry (all, or those named); x is put back."""
    found = {}
    for index in np.ndindex(x.shape) if entries is None else entries:
        kept = x[index]
        x[index] = kept + step
        above = f()
        x[index] = kept - step
        below = f()
        x[index] = kept
        found[tuple(index)] = (above - below) / (2 * step)
    return found


def adamw(weight: float, gradients, rates, betas, eps: float, decay: float) -> list[float]:
    """One weight's path under AdamW."""
    m = v = 0.0
    path = []
    for t, (gradient, rate) in enumerate(zip(gradients, rates), 1):
        m = betas[0] * m + (1 - betas[0]) * gradient
        v = betas[1] * v + (1 - betas[1]) * gradient**2
        step = (m / (1 - betas[0] ** t)) / (math.sqrt(v / (1 - betas[1] ** t)) + eps)
        weight = weight - rate * decay * weight - rate * step
        path.append(weight)
    return path


# --------------------------------------------------------------------------------------------------------------------
# The quantized cache: what one query reads, from the rules alone; attention with the mean key taken off
# --------------------------------------------------------------------------------------------------------------------

def offset_group(values, bits: int) -> list[float]:
    """A group with a minimum and a scale, both float16, number by number."""
    low = float(np.float16(min(values)))
    levels = 2 ** bits - 1
    span = np.float32(max(values)) - np.float32(low)
    scale = max(float(np.float16(span / np.float32(levels))), 2.0 ** -24) if span > 0 else 1.0
    steps = [float(np.float32(np.float32(v) - np.float32(low)) / np.float32(scale)) for v in values]
    return [low + scale * min(max(round(step), 0), levels) for step in steps]


def kivi_rows(k, v, bits: int, window: int = 128):
    """Keys and values (tokens, channels) of one head as the newest token reads them: groups of 32, then bf16."""
    k, v = (np.array([[bf16_nearest(x) for x in row] for row in part]) for part in (k, v))
    old = max(len(k) - window, 0) // 32 * 32
    for first in range(0, old, 32):
        for channel in range(k.shape[1]):
            k[first:first + 32, channel] = offset_group(k[first:first + 32, channel], bits)
    for token in range(old):
        for first in range(0, v.shape[1], 32):
            v[token, first:first + 32] = offset_group(v[token, first:first + 32], bits)
    return k, v


def bf16_nearest(x) -> float:
    """The bf16 number nearest to a float32, ties to even."""
    bits = struct.unpack("<I", struct.pack("<f", float(x)))[0]
    return bf16_value((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)


def attend_to_all(q, k, v, through=lambda row: row, smooth=False):
    """Causal attention of one head, query by query: q, k, v (tokens, channels), ``through`` rounds a row."""
    out = []
    for t, query in enumerate(q):
        known = t + 1 if t + 1 < 32 else (t + 1) // 32 * 32
        mean = [math.fsum(float(row[c]) for row in k[:known]) / known if smooth else 0.0 for c in range(len(query))]
        keys = [through([float(a) - m for a, m in zip(row, mean)]) for row in k[:t + 1]]
        scores = [sum(a * b for a, b in zip(through(query), key)) / math.sqrt(len(query)) for key in keys]
        e = [math.exp(s - max(scores)) for s in scores]
        p = through([x / sum(e) for x in e])
        out.append([math.fsum(w * float(row[c]) for w, row in zip(p, v)) for c in range(v.shape[1])])
    return np.array(out)


# ---------------------------------------------------------------------------------------------- the ladder of kernels

def grouped_matvec(codes, scale, x, group=32):
    """(out, size): out[r] = sum of scale[r, c // group] * codes[r, c] * x[c] in float64; size: the same of magnitudes."""
    out, size = [], []
    for row, scales in zip(codes, scale):
        terms = [float(scales[c // group]) * float(q) * float(x[c]) for c, q in enumerate(row)]
        out.append(sum(terms))
        size.append(sum(abs(t) for t in terms))
    return np.array(out), np.array(size)


# --------------------------------------------------------------------------------------------------------------------
# Quantized checkpoints: one weight from the words of a file, by what the config says
# --------------------------------------------------------------------------------------------------------------------

def _field(words, index: int, bits: int) -> int:
    """Field number ``index`` of a stream of int32 words, lowest bits first; it may straddle two."""
    stream = sum((int(word) & 0xFFFFFFFF) << 32 * i for i, word in enumerate(words))
    return stream >> index * bits & (1 << bits) - 1


def checkpoint_weight(tensors, base: str, about, row: int, column: int) -> float:
    """W[row, column] of the matrix whose tensors start with ``base``."""
    part = lambda name: tensors[base + name]  # noqa: E731
    if about["quant_method"] == "gptq":
        bits, group = about["bits"], int(part("g_idx")[column])
        zero = _field(part("qzeros")[group], row, bits)
        if about["checkpoint_format"] == "gptq":
            zero = (zero + 1) % 2**bits
        return (_field(part("qweight")[:, row], column, bits) - zero) * float(part("scales")[group, row])
    if about["quant_method"] == "awq":
        nibble, group = [0, 4, 1, 5, 2, 6, 3, 7][row % 8], column // about["group_size"]
        code, zero = ((int(part(name)[at, row // 8]) & 0xFFFFFFFF) >> 4 * nibble & 15
                      for name, at in (("qweight", column), ("qzeros", group)))
        return (code - zero) * float(part("scales")[group, row])
    settings = about["config_groups"]["group_0"]["weights"]
    bits, width = settings["num_bits"], int(part("weight_shape")[1])
    group = column // (settings["group_size"] or width)
    zero = 2 ** (bits - 1) if settings["symmetric"] else _field(part("weight_zero_point")[:, group], row, bits)
    return (_field(part("weight_packed")[row], column, bits) - zero) * float(part("weight_scale")[row, group])


# --------------------------------------------------------------------------------------------------------------------
# Training with rounding: one weight at a time
# --------------------------------------------------------------------------------------------------------------------

def learned_step(row, step: float, dused, low: int, high: int) -> tuple[list[float], float]:
    """Gradients of one block by its weights and by its step, scaled as LSQ scales it."""
    dweights, dstep = [], 0.0
    for w, du in zip(row, dused, strict=True):
        ratio = w / step
        if ratio < low:
            dweights.append(0.0)
            dstep += du * low
        elif ratio > high:
            dweights.append(0.0)
            dstep += du * high
        else:
            dweights.append(du)
            dstep += du * (round(ratio) - ratio)
    return dweights, dstep / math.sqrt(len(row) * max(high, 1))


def ternary_absmean(row) -> list[float]:
    """b1.58: each weight as -1, 0 or 1 times the mean magnitude."""
    mean = sum(abs(float(w)) for w in row) / len(row)
    return [mean * max(-1, min(1, round(float(w) / mean))) for w in row]
