"""01.2: the answers. The reference by its lines, another right one, and mistakes people make with what each must lose.

A wrong answer is the reference with a line or two changed, so that what it loses shows what the checks see.
"""

from __future__ import annotations

from ..source import Wrong

LINES = {
    "sizes": 'hidden, layers, head_dim = config["hidden"], config["layers"], config["head_dim"]',
    "attention": 'attention = 2 * hidden * head_dim * (config["heads"] + config["kv_heads"])',
    "weights": 'weights = layers * (attention + <<ffn_matrices>> * hidden * config["ffn"])',
    "blocks": "blocks = weights * (<<bits>> + <<scale_bits>> / <<group>>) / 8",
    "head": 'head = config["vocab_size"] * (hidden * <<head_bits>> + <<head_scale_bits>>) / 8',
    "full": "full = -(-layers // <<every>>)",
    "seen": "seen = full * context + (layers - full) * min(context, <<window>>)",
    "cache": 'cache = seen * 2 * config["kv_heads"] * (head_dim * <<kv_bits>> + <<kv_scale_bits>>) / 8',
    "return": "return blocks + head + cache",
}


SECOND = '''
def stored(numbers, bits, per_scale, scale_bits):
    return (numbers * bits + numbers // per_scale * scale_bits) / 8

wide, narrow = (config[name] * config["head_dim"] for name in ("heads", "kv_heads"))
read = stored(config["vocab_size"] * config["hidden"], <<head_bits>>, config["hidden"], <<head_scale_bits>>)
for layer in range(config["layers"]):
    columns = wide + narrow + narrow + wide + <<ffn_matrices>> * config["ffn"]
    read += stored(config["hidden"] * columns, <<bits>>, <<group>>, <<scale_bits>>)
    tokens = context if layer % <<every>> == 0 else min(context, <<window>>)
    read += 2 * stored(tokens * narrow, <<kv_bits>>, config["head_dim"], <<kv_scale_bits>>)
return read
'''


def _changed(**lines: str) -> str:
    return "\n".join((LINES | lines).values())


_NO_SCALES = {"blocks": "blocks = weights * <<bits>> / 8",
              "head": 'head = config["vocab_size"] * hidden * <<head_bits>> / 8',
              "cache": 'cache = seen * 2 * config["kv_heads"] * head_dim * <<kv_bits>> / 8'}

WRONG = (
    Wrong("scale bytes left out everywhere", 7, _changed(**_NO_SCALES)),
    Wrong("scale bytes of the cache left out", 4, _changed(cache=_NO_SCALES["cache"])),
    Wrong("tied embedding counted twice", 3, _changed(**{"return": "return blocks + 2 * head + cache"})),
    Wrong("untied embedding table counted", 3, _changed(
        **{"return": 'return blocks + head * (1 if config["tied"] else 2) + cache'})),
    Wrong("KV cache forgotten", 4, _changed(**{"return": "return blocks + head"})),
    Wrong("query heads in the cache", 4, _changed(cache=LINES["cache"].replace("kv_heads", "heads"))),
    Wrong("keys and values as wide as queries", 3, _changed(
        attention='attention = 4 * hidden * head_dim * config["heads"]')),
    Wrong("hidden taken for heads x head_dim", 3, _changed(
        attention='attention = 2 * hidden * (hidden + config["kv_heads"] * head_dim)')),
    Wrong("keys cached, values forgotten", 4, _changed(cache=LINES["cache"].replace("seen * 2 *", "seen *"))),
    Wrong("wrong number of feed-forward matrices", 3, _changed(
        weights=LINES["weights"].replace("ffn_matrices", "other_matrices"))),
    Wrong("window ignored", 3, _changed(seen="seen = layers * context")),
    Wrong("window in every layer", 3, _changed(seen="seen = layers * min(context, <<window>>)")),
    Wrong("full layers rounded down", 3, _changed(full="full = layers // <<every>>")),
    Wrong("the head left out", 4, _changed(**{"return": "return blocks + cache"})),
    Wrong("MiB instead of bytes", 7, _changed(**{"return": "return (blocks + head + cache) / 2**20"})),
)
