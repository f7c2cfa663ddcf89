"""05.5: the answers. The reference, another right one, and mistakes people make with what each must lose."""

from __future__ import annotations

from ..source import Spec, Wrong


def fields(spec: Spec) -> dict:
    """Pieces of code for the layout of this variant, and for the layouts it is not."""
    most, least = "3 ** np.arange(5)[::-1]", "3 ** np.arange(5)"
    places, other_places = (most, least) if spec["first_most"] else (least, most)
    digits = spec["digits"]
    other = digits[1:] + digits[:1]
    stores = ("(number * 256 + 242) // 243", "data * 243 // 256"), ("number", "data")
    (store, restore), (other_store, other_restore) = stores if spec["spread"] else stores[::-1]
    return {"places": places, "other_places": other_places, "digits": digits, "trits": _inverse(digits),
            "other_digits": other, "other_trits": _inverse(other), "store": store, "restore": restore,
            "other_store": other_store, "other_restore": other_restore,
            "walk": "five" if spec["first_most"] else "five[::-1]"}


def _inverse(digits: list[int]) -> list[int]:
    """The weight of each digit."""
    return [digits.index(d) - 1 for d in range(3)]


STARTER = '''
def pack(trits):
    """Bytes of weights that are -1, 0 or 1."""
    raise NotImplementedError

def unpack(data, count):
    """The first weights of these bytes. Raises ValueError for bytes that hold none."""
    raise NotImplementedError
'''

REFERENCE = '''
def pack(trits):
    trits = np.append(trits, np.zeros(-len(trits) % 5, int)).astype(int).reshape(-1, 5)
    number = np.array(<<digits>>)[trits + 1] @ <<places>>
    return <<store>>

def unpack(data, count):
    data = np.asarray(data).astype(int)
    number = <<restore>>
    if (number > 242).any() or (<<store>> != data).any() or count > 5 * len(data):
        raise ValueError("these bytes do not hold that many weights")
    digits = number[:, None] // <<places>> % 3
    return np.array(<<trits>>)[digits].reshape(-1)[:count]
'''

SECOND = '''
def byte_of(five):
    number = 0
    for t in <<walk>>:
        number = 3 * number + <<digits>>[t + 1]
    return <<store>>

def pack(trits):
    trits = [int(t) for t in trits] + [0] * (-len(trits) % 5)
    return [byte_of(trits[i:i + 5]) for i in range(0, len(trits), 5)]

def unpack(data, count):
    fives = [tuple(i - 1 for i in index) for index in np.ndindex(3, 3, 3, 3, 3)]
    known = {byte_of(five): five for five in fives}
    if count > 5 * len(data) or not {int(byte) for byte in data} <= set(known):
        raise ValueError("no weights are stored like this")
    return [t for byte in data for t in known[int(byte)]][:count]
'''

WRONG = (
    Wrong("the five in the other order", 4, REFERENCE.replace("<<places>>", "<<other_places>>")),
    Wrong("the five in the other order in unpack alone", 3, REFERENCE.replace(
        "// <<places>>", "// <<other_places>>")),
    Wrong("other digits for the weights", 4, REFERENCE.replace("<<digits>>", "<<other_digits>>").replace(
        "<<trits>>", "<<other_trits>>")),
    Wrong("spread and plain bytes mixed up", 5, REFERENCE.replace("<<store>>", "<<other_store>>").replace(
        "<<restore>>", "<<other_restore>>")),
    Wrong("the last byte filled up with -1", 1, REFERENCE.replace("np.zeros(-len(trits) % 5, int)",
                                                                "np.full(-len(trits) % 5, -1)")),
    Wrong("the filling comes back as weights", 1, REFERENCE.replace("[:count]", "")),
    Wrong("nothing is refused", 2, REFERENCE.replace(
        "(number > 242).any() or (<<store>> != data).any() or count > 5 * len(data)", "False")),
    Wrong("a count that is too large is not refused", 1, REFERENCE.replace(" or count > 5 * len(data)", "")),
    Wrong("two bits per weight", 7, '''
def pack(trits):
    trits = np.append(trits, np.zeros(-len(trits) % 4, int)).astype(int).reshape(-1, 4) + 1
    return trits @ 4 ** np.arange(4)

def unpack(data, count):
    digits = np.asarray(data).astype(int)[:, None] // 4 ** np.arange(4) % 4
    if count > digits.size:
        raise ValueError("too many")
    return (digits - 1).reshape(-1)[:count]
'''),
)
