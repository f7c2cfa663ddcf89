"""02.2: the answers. The reference, another right one, and mistakes people make with what each must lose."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
size = abs(x)
exponent = max(math.frexp(size)[1] - 1, <<lowest>>) if size else <<lowest>>  # of the step that counts here
steps = round(size / 2.0 ** (exponent - <<M>>))
code = steps + (exponent - <<lowest>> << <<M>>)  # the leading 1 in steps raises the field by one
code = min(code, <<limit>>)
return code + <<sign_bit>> * (math.copysign(1, x) < 0)
'''

SECOND = '''
def number(code):
    e, m = divmod(code, <<steps>>)
    return math.ldexp(m + <<steps>> * (e > 0), max(e, 1) - <<bias>> - <<M>>)

size = min(abs(x), number(<<limit>>))
code = min(range(<<limit>> + 1), key=lambda c: (abs(size - number(c)), c % 2))
return code | <<sign_bit>> if math.copysign(1, x) < 0 else code
'''


def _changed(old: str, new: str) -> str:
    assert old in REFERENCE
    return REFERENCE.replace(old, new)


_ROUND = "round(size / 2.0 ** (exponent - <<M>>))"

WRONG = (
    Wrong("ties away from zero", 1, _changed(_ROUND, "math.floor(size / 2.0 ** (exponent - <<M>>) + 0.5)")),
    Wrong("ties towards zero", 1, _changed(_ROUND, "math.ceil(size / 2.0 ** (exponent - <<M>>) - 0.5)")),
    Wrong("cut off instead of rounded", 3, _changed(_ROUND, "int(size / 2.0 ** (exponent - <<M>>))")),
    Wrong("rounded twice", 1, _changed(_ROUND, "round(round(size / 2.0 ** (exponent - <<M>>) * 128) / 128)")),
    Wrong("a carry out of the mantissa lost", 2, _changed(
        "code = steps + (exponent - <<lowest>> << <<M>>)",
        "field = exponent - <<lowest>> + 1 if steps >= <<steps>> else 0\n"
        "code = field << <<M>> | steps & <<mantissa_mask>>")),
    Wrong("subnormals become zero", 1, _changed(
        "code = min", "code = code if size >= 2.0 ** <<lowest>> else 0\ncode = min")),
    Wrong("exponents below the lowest", 1, _changed(
        "max(math.frexp(size)[1] - 1, <<lowest>>)", "(math.frexp(size)[1] - 1)")),
    Wrong("the usual bias", 7, REFERENCE.replace("<<lowest>>", "(1 - <<standard>>)")),
    Wrong("minus zero has no sign", 1, _changed("(math.copysign(1, x) < 0)", "(x < 0)")),
    Wrong("the sign forgotten", 1, _changed(" + <<sign_bit>> * (math.copysign(1, x) < 0)", "")),
    Wrong("the other rule at the top", 2, _changed("<<limit>>", "<<other_limit>>")),
    Wrong("cast before clip: too large wraps around", 2, _changed("min(code, <<limit>>)", "code % <<sign_bit>>")),
)
