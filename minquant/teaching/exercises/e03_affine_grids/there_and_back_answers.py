"""03.2: the answers. The reference by its lines, another right one, and mistakes people make with what each must lose.

A wrong answer is the reference with a line changed. Lines that depend on the convention are filled in per variant, so
that a mistake is the same mistake under every key.
"""

from __future__ import annotations

from ..source import Spec, Wrong

LINES = {
    "nearest": "nearest = lambda v: <<nearest>>  # noqa: E731",
    "range": "low, high = min(low, 0.0), max(high, 0.0)",
    "largest": "largest = max(-low, high)",
    "scale": "scale = <<scale>> or 1.0",
    "zero": "zero_point = <<zero>>",
    "codes": "codes = [nearest(v / scale) + zero_point for v in x]",
    "clip": "codes = [min(max(code, <<lowest>>), <<highest>>) for code in codes]",
    "return": "return codes, scale, zero_point",
}
REFERENCE = "\n".join(LINES.values())

SECOND = '''
low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
largest = np.maximum(-low, high)
scale = float(<<scale>>)
if scale == 0:
    scale = 1.0
steps = np.append(np.asarray(x, float), -low) / scale  # the last one is where 0 lies, seen from the low end
whole = <<nearest_array>>
zero_point = int(<<zero_array>>)
return np.clip(whole[:-1] + zero_point, <<lowest>>, <<highest>>).astype(int), scale, zero_point
'''

_NEAREST = {"even": "round(v)", "away": "math.floor(abs(v) + 0.5) * (1 if v > 0 else -1)", "up": "math.floor(v + 0.5)"}
_ARRAY = {"even": "np.rint(steps)", "away": "np.trunc(steps + np.copysign(0.5, steps))", "up": "np.floor(steps + 0.5)"}
_OTHER_TIES = {"even": "up", "away": "even", "up": "away"}


def answer_fields(spec: Spec) -> dict:
    """The lines of this variant that depend on its convention, right and wrong."""
    scale = {"restricted": "largest / {q}", "halves": "largest / ({q} + 0.5)", "asymmetric": "(high - low) / {steps}"}
    other = {"restricted": "largest / ({q} + 0.5)", "halves": "largest / {q}", "asymmetric": "(high - low) / ({steps} + 1)"}
    asymmetric, shift = spec["rule"] == "asymmetric", spec["shift"]
    clipped = f"min(nearest(-low / scale), {spec['steps']}) + {shift}" if asymmetric else f"{shift}"
    moved = "-" if spec["shift"] > 0 or (shift == 0 and asymmetric) else "+"
    return {
        "scale": scale[spec["rule"]].format(**spec), "other_scale": other[spec["rule"]].format(**spec),
        "zero": (f"nearest(-low / scale) + {shift}" if asymmetric else f"{shift}"),
        "clipped_zero": clipped,
        "zero_array": (f"whole[-1] + {shift}" if asymmetric else f"{shift}"),
        "nearest": _NEAREST[spec["ties"]], "nearest_array": _ARRAY[spec["ties"]],
        "other_nearest": _NEAREST[_OTHER_TIES[spec["ties"]]],
        "other_storage": f"{moved} {spec['half']}",
        "unwidened": "low, high = low, high" if asymmetric else
                     "low, high = (low, high) if low <= 0 <= high else ((low - high) / 2, (high - low) / 2)",
    }


def _changed(**lines: str) -> str:
    return "\n".join((LINES | lines).values())


_ELSEWHERE = {"zero": LINES["zero"] + " <<other_storage>>",
              "clip": "codes = [min(max(code, <<lowest>> <<other_storage>>), <<highest>> <<other_storage>>) "
                      "for code in codes]"}

WRONG = (
    Wrong("cast before the clip", 1, _changed(
        clip="codes = [(code - <<lowest>>) % 2 ** <<bits>> + <<lowest>> for code in codes]")),
    Wrong("the clip forgotten", 1, _changed(clip="")),
    Wrong("the divisor of another convention", 3, _changed(
        scale="scale = <<other_scale>> or 1.0", zero="zero_point = <<clipped_zero>>")),
    Wrong("the reciprocal returned as the scale", 4, _changed(**{"return": "return codes, 1 / scale, zero_point"})),
    Wrong("rounded down", 5, _changed(codes="codes = [math.floor(v / scale) + zero_point for v in x]")),
    Wrong("cut off towards zero", 5, _changed(codes="codes = [int(v / scale) + zero_point for v in x]")),
    Wrong("half-way cases by another rule", 1, _changed(nearest=LINES["nearest"].replace("<<nearest>>", "<<other_nearest>>"))),
    Wrong("codes in the other storage", 5, _changed(**_ELSEWHERE)),
    Wrong("a range on one side of zero taken as it is", 1, _changed(range="<<unwidened>>")),
    Wrong("a block of zeros divides by zero", 1, _changed(scale="scale = <<scale>>")),
)
