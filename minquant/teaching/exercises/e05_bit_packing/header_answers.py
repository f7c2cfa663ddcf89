"""05.6: the answers. The reference, another right one, and mistakes people make with what each must lose."""

from __future__ import annotations

from ..source import Spec, Wrong

REFERENCE = '''
raw, at = bytes(data), 0

def take(n):
    nonlocal at
    if n > len(raw) - at:
        raise ValueError(f"{n} bytes wanted at {at}, and the file has {len(raw)}")
    at += n
    return raw[at - n:at]

def number(width, allowed=None):
    value = int.from_bytes(take(width), "<<endian>>")
    if allowed and value not in allowed:
        raise ValueError(f"{value} cannot be right at {at - width}")
    return value

number(4, [int.from_bytes(b"<<magic>>", "<<endian>>")])
<<head_names>> = <<head_reads>>
records = [<<record_reads>> for _ in range(count)]
start = -(-at // alignment) * alignment
found = [(r[<<name_at>>], r[<<kind_at>>], r[<<shape_at>>], start + r[<<offset_at>>]) for r in records]
if any(begin + math.prod(shape) * (1, 2, 4)[kind] > len(raw) for _, kind, shape, begin in found):
    raise ValueError("a tensor ends behind the file")
return found
'''

SECOND = '''
import io, struct
file, size, found = io.BytesIO(bytes(data)), len(data), []

def read(n):
    if len(piece := file.read(n)) < n:
        raise ValueError("the file is cut off")
    return piece

def value(width):
    return struct.unpack("<<sign>>" + {1: "B", 2: "H", 4: "I", 8: "Q"}[width], read(width))[0]

def fail(unless):
    if not unless:
        raise ValueError("this cannot be such a file")

fail(read(4) == b"<<magic>>")
head = {field: value(width) for field, width in <<head_pairs>>}
fail(head["version"] == <<version>> and head["alignment"] > 0)
for _ in range(head["count"]):
    record = {}
    for field in <<record_order>>:
        if field == "name":
            record[field] = read(value(<<w_name>>)).decode()
        elif field == "shape":
            axes = value(<<w_axes>>)
            fail(1 <= axes <= 4)
            record[field] = [value(<<w_size>>) for _ in range(axes)]
        else:
            record[field] = value(<<w_kind>> if field == "kind" else <<w_offset>>)
    fail(record["kind"] < 3)
    found.append(record)
begin = file.tell() + -file.tell() % head["alignment"]
for r in found:
    fail(begin + r["offset"] + math.prod(r["shape"]) * 2 ** r["kind"] <= size)
return [(r["name"], r["kind"], r["shape"], begin + r["offset"]) for r in found]
'''


def fields(spec: Spec) -> dict:
    """The reading of this variant's fields, in their order, as code."""
    w = spec["widths"]
    head = {"version": f"number({w['version']}, [{spec['version']}])", "count": f"number({w['count']})",
            "alignment": f"number({w['alignment']}, range(1, 2**{8 * w['alignment']}))"}
    axes = f"number({w['axes']}, (1, 2, 3, 4))"
    record = {"name": f"take(number({w['name']})).decode()", "kind": f"number({w['kind']}, (0, 1, 2))",
              "shape": f"[number({w['size']}) for _ in range({axes})]", "offset": f"number({w['offset']})"}
    return {"head_names": ", ".join(spec["head"]), "head_reads": ", ".join(head[f] for f in spec["head"]),
            "record_reads": "(" + ", ".join(record[f] for f in spec["record"]) + ")",
            "head_pairs": [(f, w[f]) for f in spec["head"]], "record_order": spec["record"],
            "sign": "<" if spec["endian"] == "little" else ">",
            "other_endian": "big" if spec["endian"] == "little" else "little",
            "zero_alignment": ", ".join(head[f].partition(", range")[0] + ")" * (", range" in head[f])
                                        for f in spec["head"]),
            **{f"{f}_at": spec["record"].index(f) for f in spec["record"]},
            **{f"w_{f}": width for f, width in w.items()}}


_CHECKED = "if n > len(raw) - at:"
_TENSOR_END = "if any(begin + math.prod(shape) * (1, 2, 4)[kind] > len(raw) for _, kind, shape, begin in found):"

WRONG = (
    Wrong("numbers read from the other end", 6, REFERENCE.replace("<<endian>>", "<<other_endian>>")),
    Wrong("nothing held against the length of the file", 2, REFERENCE.replace(_CHECKED, "if n < 0:").replace(
        _TENSOR_END, "if len(found) < 0:")),
    Wrong("struct's own error let through", 2, SECOND.replace("if len(piece := file.read(n)) < n:",
                                                            "if not (piece := file.read(n)) and False:")),
    Wrong("the data right behind the header", 2, REFERENCE.replace("-(-at // alignment) * alignment", "at")),
    Wrong("offsets taken from the start of the file", 2, REFERENCE.replace("start + r[", "0 * start + r[")),
    Wrong("magic not looked at", 1, REFERENCE.replace(
        'number(4, [int.from_bytes(b"<<magic>>", "<<endian>>")])', "number(4)")),
    Wrong("the end of tensors not looked at", 1, REFERENCE.replace(_TENSOR_END, "if len(found) < 0:")),
    Wrong("elements counted as bytes", 1, REFERENCE.replace(" * (1, 2, 4)[kind]", "")),
    Wrong("an alignment of 0 divides", 1, REFERENCE.replace("<<head_reads>>", "<<zero_alignment>>")),
)
