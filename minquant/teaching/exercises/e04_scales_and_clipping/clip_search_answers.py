"""04.2: right answers and wrong ones."""

from __future__ import annotations

from ..source import Wrong

REFERENCE = '''
x, errors = np.array(x), []
low, high = <<ends>>
shares = [1 - n * <<percent>> / 100 for n in range(<<count>>)]
for share in shares:
    scale = share * (high - low) / <<steps>> or 1.0
    zero = <<zero>>
    codes = np.clip(np.rint(x / scale) + zero, <<lowest>>, <<highest>>)
    errors.append((np.abs(scale * (codes - zero) - x) ** <<power>>).sum())
return shares[errors.index(min(errors))], errors
'''

SECOND = '''
x = np.array(x)
low, high = <<ends>>

def error(share):
    scale = share * (high - low) / <<steps>> if high > low else 1.0
    zero = <<zero>>
    total = 0.0
    for number in x:
        code = min(max(round(float(number / scale)) + zero, <<lowest>>), <<highest>>)
        total += abs(float(scale * (code - zero) - number)) ** <<power>>
    return total

best = min(range(<<count>>), key=lambda n: error(1 - <<percent>> / 100 * n))  # min keeps the first of equals
return 1 - <<percent>> / 100 * best, [error(1 - <<percent>> / 100 * n) for n in range(<<count>>)]
'''

WRONG = (
    Wrong("squares instead of the power asked for", 3, REFERENCE.replace("<<power>>", "2")),
    Wrong("the mean instead of the sum", 3, REFERENCE.replace(".sum()", ".mean()")),
    Wrong("the grid of the other kind", 4, REFERENCE.replace("<<ends>>", "<<other_ends>>")
          .replace("<<steps>>", "<<other_steps>>").replace("<<zero>>", "<<other_zero>>")
          .replace("<<lowest>>, <<highest>>", "<<other_lowest>>, <<other_highest>>")),
    Wrong("codes not clipped", 2, REFERENCE.replace("np.clip(np.rint(x / scale) + zero, <<lowest>>, <<highest>>)",
                                                    "np.rint(x / scale) + zero")),
    Wrong("clipped numbers not counted", 2, REFERENCE.replace(
        "** <<power>>)", "** <<power>>)[(x >= share * low) & (x <= share * high)]")),
    Wrong("numbers clipped, then put on the grid of the whole range", 2, REFERENCE.replace(
        "scale = share *", "x = np.clip(x, share * low, share * high)\n    scale =")),
    Wrong("the last of equal errors", 1, REFERENCE.replace(
        "errors.index(min(errors))", "len(errors) - 1 - errors[::-1].index(min(errors))")),
    Wrong("a division by zero", 1, REFERENCE.replace(" or 1.0", "")),
    Wrong("the whole range always", 1, REFERENCE.replace("errors.index(min(errors))", "0")),
    Wrong("a zero point one too high", 5, REFERENCE.replace("+ zero,", "+ zero + 1,")),
    Wrong("only the share returned", 6, REFERENCE.replace(", errors\n", "\n").replace("x, errors = np.array(x), []",
          "x = np.array(x)\nerrors = []")),
)
