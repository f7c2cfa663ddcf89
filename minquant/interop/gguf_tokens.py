"""The vocabulary in a GGUF file, written and read.

    tokenizer.ggml.model         "gpt2": byte-level BPE, bytes spelled as printable characters
    tokenizer.ggml.pre           the rule by which text is cut into words; llama.cpp knows each by a name
    tokenizer.ggml.tokens        text of every token, in the order of their numbers
    tokenizer.ggml.token_type    1 a piece, 3 special, 4 added by a user, 5 unused
    tokenizer.ggml.merges        "left right", in the order they were learned

How it works
    Everything is in a ``tokenizer.json``, so that is what both directions go through: a model's tokenizer gives one,
    and from a file one is put together. Numbers that the tokenizer does not use, up to the rows of the embedding, are
    called [PAD0], [PAD1] and so on, as llama.cpp's converter does. ``tokenizer.json`` has no name for the token that
    ends a text; the usual spellings are looked for.

Source
    llama.cpp: ``gguf-py/gguf/constants.py`` (Keys.Tokenizer, TokenType), ``conversion/base.py`` (get_vocab_base),
    ``src/llama-vocab.cpp`` (the word rules behind "gpt-2", "llama-bpe", "qwen2" and "smollm").

What we leave out
    SentencePiece vocabularies (tokenizer.ggml.model "llama") and other word rules: such a model is read without its
    tokenizer, with a warning. Chat templates.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any

from ..model.library_tokenizer import from_json

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
_WORD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_NUMBERED = (NORMAL, CONTROL, USER_DEFINED)  # the library gives an added token that is not in "vocab" a number of its own
RULES = {"llama-bpe": _WORD + r"\p{N}{1,3}" + _REST, "qwen2": _WORD + r"\p{N}" + _REST}  # as tokenizer.json has them
KNOWN = ("gpt-2", *RULES, "smollm")
_WITHOUT = ("The model can be written without a vocabulary (llama.cpp then takes token numbers only): move "
            "tokenizer.json out of its folder, or write Transformer(config, weights)")
_BEGINS = ("<|begin_of_text|>", "<s>", "<|endoftext|>")
_ENDS = ("<|eot_id|>", "<|im_end|>", "<|end_of_text|>", "</s>", "<|endoftext|>")
_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
_DIGITS = {"type": "Digits", "individual_digits": True}  # smollm: every digit is a word, the rest is GPT-2's rule


def token_keys(tokenizer: Any, vocab_size: int) -> dict[str, Any]:
    """The metadata of a vocabulary, filled up to ``vocab_size`` tokens; of none where tokenizer is None.

    Raises ValueError for a tokenizer that is no byte-level BPE, or whose word rule llama.cpp has no name for.
    """
    if tokenizer is None:
        return {"tokenizer.ggml.model": "no_vocab"}
    raw = json.loads(tokenizer.to_json())
    if raw["model"].get("type") != "BPE":
        raise ValueError(f"a {raw['model'].get('type')} vocabulary cannot be written to GGUF here, only byte-level BPE. "
                         f"{_WITHOUT}")
    rule = _rule_name(raw.get("pre_tokenizer") or {})
    tokens, kinds = _numbered(raw, vocab_size)
    added = {token["content"]: token["id"] for token in raw.get("added_tokens") or []}
    ends = [("bos", _BEGINS), ("eos", _ENDS)]
    special = {f"tokenizer.ggml.{key}_token_id": added[text] for key, texts in ends
               for text in [next((t for t in texts if t in added), None)] if text is not None}
    merges = [m if isinstance(m, str) else " ".join(m) for m in raw["model"]["merges"]]
    return {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": rule, "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.token_type": kinds, "tokenizer.ggml.merges": merges, **special,
            "tokenizer.ggml.add_bos_token": _adds_a_token(raw.get("post_processor"))}


def read_tokens(metadata: Mapping[str, Any], vocab_size: int) -> Any:
    """The tokenizer of a file; None where it holds none, or, with a warning, where it cannot be read.

    Raises ValueError where it has another number of tokens than the embedding has rows.
    """
    kind = metadata.get("tokenizer.ggml.model", "no_vocab")
    if kind in ("no_vocab", "none"):
        return None
    tokens = metadata.get("tokenizer.ggml.tokens", [])
    if len(tokens) != vocab_size:
        raise ValueError(f"tokenizer.ggml.tokens names {len(tokens)} tokens, and the embedding has {vocab_size} rows")
    try:
        if kind != "gpt2":
            raise ValueError(f"tokenizer.ggml.model is {kind!r}; only 'gpt2' (byte-level BPE) is supported")
        return from_json(json.dumps(_put_together(metadata, tokens)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        warnings.warn(f"the model is loaded without its tokenizer: {error}", stacklevel=4)
        return None


def _rule_name(before: Mapping[str, Any]) -> str:
    """llama.cpp's name of the word rule that a ``pre_tokenizer`` describes."""
    steps = before.get("pretokenizers") or [before]
    if any(step.get("add_prefix_space") for step in steps):
        raise ValueError("this tokenizer puts a space before every text (add_prefix_space), and no word rule of llama.cpp "
                         f"that is known here does. {_WITHOUT}")
    *first, last = steps
    if last.get("type") == "ByteLevel" and last.get("use_regex", True) and first in ([], [_DIGITS]):
        return "smollm" if first else "gpt-2"
    splits = [step["pattern"].get("Regex") for step in steps if step.get("type") == "Split"]
    for name, pattern in RULES.items():
        if splits == [pattern]:
            return name
    raise ValueError("llama.cpp's name of this tokenizer's word rule is not known here (known: "
                     f"{', '.join(KNOWN)}). {_WITHOUT}")


def _numbered(raw: Mapping[str, Any], vocab_size: int) -> tuple[list[str], list[int]]:
    """Text and type of every token."""
    tokens = [f"[PAD{i}]" for i in range(vocab_size)]
    kinds = [UNUSED] * vocab_size
    for text, number in raw["model"]["vocab"].items():
        tokens[number], kinds[number] = text, NORMAL
    for token in raw.get("added_tokens") or []:
        tokens[token["id"]], kinds[token["id"]] = token["content"], CONTROL if token["special"] else USER_DEFINED
    return tokens, kinds


def _adds_a_token(processor: Any) -> bool:
    """Does a post-processor put a special token before every text?"""
    steps = (processor or {}).get("processors") or [processor or {}]
    return any("SpecialToken" in (step.get("single") or [{}])[0] for step in steps)


def _put_together(metadata: Mapping[str, Any], tokens: list[str]) -> dict[str, Any]:
    """The content of a ``tokenizer.json``."""
    rule, kinds = metadata.get("tokenizer.ggml.pre"), list(metadata["tokenizer.ggml.token_type"])
    if rule not in KNOWN:
        raise ValueError(f"tokenizer.ggml.pre is {rule!r}; only {', '.join(KNOWN)} are supported")
    before = _LEVEL | {"use_regex": True}
    if rule == "smollm":
        before = {"type": "Sequence", "pretokenizers": [_DIGITS, before]}
    if rule in RULES:
        split = {"type": "Split", "pattern": {"Regex": RULES[rule]}, "behavior": "Isolated", "invert": False}
        before = {"type": "Sequence", "pretokenizers": [split, _LEVEL | {"use_regex": False}]}
    vocab = {text: i for i, (text, kind) in enumerate(zip(tokens, kinds, strict=True)) if kind in _NUMBERED}
    added = [{"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
              "special": bool(kind == CONTROL)} for i, (text, kind) in enumerate(zip(tokens, kinds))
             if kind in (CONTROL, USER_DEFINED)]
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "vocab": vocab,
             "ignore_merges": rule == "llama-bpe", "merges": [m.split(" ") for m in metadata["tokenizer.ggml.merges"]]}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": before, "post_processor": None, "decoder": _LEVEL | {"use_regex": True}, "model": model}
