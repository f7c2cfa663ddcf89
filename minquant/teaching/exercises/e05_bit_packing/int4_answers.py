"""05.2: the answers. The reference, another right one, and mistakes people make with what each must lose."""

from __future__ import annotations

from ..source import Spec, Wrong

STARTER = '''
def pack(codes):
    """Bytes of whole numbers from -8 to 7."""
    raise NotImplementedError

def unpack(data, count):
    """The first codes of these bytes."""
    raise NotImplementedError
'''

PACK = '''
def pack(codes):
    codes = np.append(codes, np.zeros(-len(codes) % <<block>>, int)).astype(int)
    pairs = (<<to_nibble>>).reshape(<<pairs>>)
    return (pairs[:, <<low>>] | pairs[:, <<high>>] << 4).reshape(-1)
'''

UNPACK = '''
def unpack(data, count):
    data = np.asarray(data).reshape(<<halves_shape>>)
    nibbles = np.stack([<<first>>, <<second>>], axis=1).reshape(-1).astype(int)
    return (<<from_nibble>>)[:count]
'''

REFERENCE = PACK + UNPACK

SECOND = '''
def place(i):
    j = i % <<block>>
    return i // <<block>> * <<half>> + <<byte>>, 4 * (<<is_second>> <<same>> 1)

def pack(codes):
    data = [0] * (-(-len(codes) // <<block>>) * <<half>>)
    for i in range(2 * len(data)):
        code = int(codes[i]) if i < len(codes) else 0
        data[place(i)[0]] |= (code + <<offset>>) % 16 << place(i)[1]
    return data

def unpack(data, count):
    nibbles = [int(data[byte]) >> shift & 15 for byte, shift in map(place, range(count))]
    return [n - 8 if <<offset>> else n - 16 * (n > 7) for n in nibbles]
'''


def fields(spec: Spec) -> dict:
    """Pieces of code for the layout of this variant, and for the layouts it is not."""
    half = spec["block"] // 2
    low, high = "data & 15", "data >> 4"
    signs = (("codes + 8", "nibbles - 8"), ("codes & 15", "(nibbles ^ 8) - 8"))
    shapes = ((f"-1, 2, {half}", f"-1, {half}"), ("-1, 2", "-1"))
    (to, back), (other_to, other_back) = signs if spec["offset"] else signs[::-1]
    (pairs, halves), (other_pairs, other_halves) = shapes if spec["halves"] else shapes[::-1]
    return {"low": 0 if spec["low_first"] else 1, "high": 1 if spec["low_first"] else 0,
            "first": low if spec["low_first"] else high, "second": high if spec["low_first"] else low,
            "to_nibble": to, "from_nibble": back, "other_to": other_to, "other_back": other_back,
            "pairs": pairs, "halves_shape": halves, "other_pairs": other_pairs, "other_halves": other_halves,
            "byte": f"j % {half}" if spec["halves"] else "j // 2",
            "is_second": f"j // {half}" if spec["halves"] else "j % 2",
            "same": "==" if spec["low_first"] else "!=", "offset": 8 if spec["offset"] else 0,
            "wrong_zero": -8}  # in either notation the nibble of -8 is the other one's zero


def _swap(text: str, *names: str) -> str:
    """The text with the fields of two names exchanged."""
    a, b = (f"<<{name}>>" for name in names)
    return text.replace(a, "<<>>").replace(b, a).replace("<<>>", b)


WRONG = (
    Wrong("the two nibbles swapped", 2, _swap(PACK, "low", "high") + _swap(UNPACK, "first", "second")),
    Wrong("the two nibbles swapped in pack alone", 2, _swap(PACK, "low", "high") + UNPACK),
    Wrong("neighbours and halves mixed up", 2, PACK.replace("<<pairs>>", "<<other_pairs>>")
          + UNPACK.replace("<<halves_shape>>", "<<other_halves>>")),
    Wrong("offset binary and two's complement mixed up", 2, PACK.replace("<<to_nibble>>", "<<other_to>>")
          + UNPACK.replace("<<from_nibble>>", "<<other_back>>")),
    Wrong("unpack leaves nibbles from 0 to 15", 2, PACK + UNPACK.replace("<<from_nibble>>", "nibbles")),
    Wrong("filled up with the other notation's zero", 1, PACK.replace(
        "np.zeros(-len(codes) % <<block>>, int)", "np.full(-len(codes) % <<block>>, <<wrong_zero>>)") + UNPACK),
    Wrong("no filling up: some codes are lost", 2, PACK.replace(
        "np.append(codes, np.zeros(-len(codes) % <<block>>, int)).astype(int)",
        "np.asarray(codes)[:len(codes) // <<block>> * <<block>>].astype(int)") + UNPACK),
    Wrong("the filling comes back as codes", 1, PACK + UNPACK.replace("[:count]", "")),
    Wrong("-8 clipped to -7", 2, PACK.replace(".astype(int)", ".astype(int).clip(-7, 7)") + UNPACK),
    Wrong("one code per byte", 6, '''
def pack(codes):
    return np.asarray(codes) & 15

def unpack(data, count):
    return np.asarray(data)[:count]
'''),
)
