"""Tokenizers that are not our own, through the library."""

from __future__ import annotations

import builtins
import json

import numpy as np
import pytest

from minquant._paths import data_dir
from minquant.model import Tokenizer
from minquant.model.library_tokenizer import LibraryTokenizer, from_json

pytest.importorskip("tokenizers")
TINY = (data_dir() / "tokenizer.json").read_text(encoding="utf-8")
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
TEXT = "Return the list's items, 12345 of them;\n\n  na\u00efve \u4e2d\u6587 <|endoftext|> done"


def other_rule() -> str:
    """The tiny vocabulary under Llama 3's word rule."""
    raw = json.loads(TINY)
    raw["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]}
    return json.dumps(raw)


def test_both_agree_where_both_can_read():
    ours, theirs = Tokenizer.from_json(TINY), LibraryTokenizer(TINY)
    tokens = ours.encode(TEXT)
    assert np.array_equal(theirs.encode(TEXT), tokens) and theirs.decode(tokens) == ours.decode(tokens) == TEXT
    assert theirs.token_bytes(tokens) == ours.token_bytes(tokens)
    assert (theirs.vocab_size, theirs.special) == (ours.vocab_size, ours.special)


def test_another_word_rule_goes_through_the_library():
    tokenizer = from_json(other_rule())
    assert isinstance(tokenizer, LibraryTokenizer) and isinstance(from_json(TINY), Tokenizer)
    tokens = tokenizer.encode(TEXT)
    assert tokenizer.decode(tokens) == TEXT and b"".join(tokenizer.token_bytes(tokens)).decode() == TEXT
    assert np.array_equal(from_json(tokenizer.to_json()).encode(TEXT), tokens)
    assert not np.array_equal(tokenizer.encode("x\n\ny 1234"), Tokenizer.from_json(TINY).encode("x\n\ny 1234"))


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest):
        if name == "tokenizers":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ValueError, match="word rule is not GPT-2's.*pip install 'minquant.interop.'"):
        from_json(other_rule())


def test_what_neither_reads_is_refused():
    with pytest.raises(ValueError, match="laid out.*tokenizers library cannot read it"):
        from_json('{"model": 1}')
    with pytest.raises(TypeError, match="takes text"):
        LibraryTokenizer(TINY).encode(3)
