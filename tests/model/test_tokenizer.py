"""Byte-level BPE against the tokenizers library and against a search written out."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from minquant._paths import data_path
from minquant.model import Tokenizer
from minquant.model.tokenizer import BYTES_AS_TEXT, words
from tests import naive

PATH = data_path("tokenizer.json")
OURS = Tokenizer.from_file(PATH)
THEIRS = tokenizers.Tokenizer.from_file(str(PATH))

TEXTS = [
    "", " ", "a", "Hello, world!", "  two  spaces   three", "trailing space ", "\n\n\tindented\r\n  x = 1\n",
    "I'm you're he'd we'll they've it's 'tis don't DON'T 'S ''s", "3.14159 1e-5 0xFF 1,000,000 x2y3", "a_b __init__ _",
    "naïve café Ångström ß ĳ", "Привет, мир 123", "日本語のテキスト、漢字かな", "العربية ١٢٣", "हिन्दी नमस्ते", "한국어 텍스트",
    "e\u0301 combining, \u200d joined \u200b", "🙂🙃 👩‍👩‍👧 🇩🇪", "½ ² Ⅷ ① ٣",
    "\u00a0nbsp\u2003em\u3000wide\u2028line\x85next",
    "\x00\x01\x1c\x1d\x1e\x1f\x7f control", "“quotes” – — … €5 ™", "≤ ≥ ∑∫√∞", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 𠜎",
    "<|endoftext|>", "a<|endoftext|>b<|endoftext|><|endoftext|> c", "<|endoftext|", "=" * 500, "ab" * 300 + "!" * 77,
    "def f(x: int) -> str:\n    \"\"\"Return x.\"\"\"\n    return f'{x!r}'\n",
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_same_tokens_as_the_library(text):
    got = OURS.encode(text)
    assert got.dtype == np.int32 and got.ndim == 1
    assert got.tolist() == THEIRS.encode(text).ids
    assert OURS.decode(got) == text


def librarys_words(text: str) -> list[str]:
    return [text[start:end] for _, (start, end) in THEIRS.pre_tokenizer.pre_tokenize_str(text)]


@pytest.mark.parametrize("text", TEXTS)
def test_the_same_words_as_the_library(text):
    """A vocabulary with few merges hides a wrong cut; the words themselves do not."""
    assert words(text) == librarys_words(text)


def test_every_character_of_latin_greek_cyrillic_and_punctuation_is_of_the_right_kind():
    """Each one after a letter, a digit, a space, a mark and itself. (Later scripts depend on Python's Unicode.)"""
    for code in [*range(0x530), *range(0x1E00, 0x2100), *range(0x2150, 0x2190), *range(0x3000, 0x3020)]:
        c = chr(code)
        text = f"a{c}1{c} {c}!{c}{c} x"
        assert words(text) == librarys_words(text), hex(code)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_comes_back(text):
    assert OURS.decode(OURS.encode(text)) == text


@given(st.text(st.one_of(st.characters(codec="latin-1"), st.sampled_from("абв漢字٣½²Ⅷ🙂\u0301\u2003'str ")), max_size=60))
def test_any_text_gives_the_librarys_tokens(text):
    assert OURS.encode(text).tolist() == THEIRS.encode(text).ids


@pytest.mark.parametrize("word", ["Return", "internationalization", "aaaaaaaaaaaaa", "=-=-=-====", "mississippi"])
def test_merging_with_a_heap_is_merging_by_search(word):
    merges = json.loads(PATH.read_text(encoding="utf-8"))["model"]["merges"]
    pieces = naive.bpe(word, {tuple(pair): rank for rank, pair in enumerate(merges)})
    assert [b.decode() for b in OURS.token_bytes(OURS.encode(word))] == pieces


PAIRS = [("a", "a"), ("a", "b"), ("b", "a"), ("aa", "a"), ("ab", "a"), ("a", "ba"), ("aa", "aa"), ("b", "b")]


@given(st.text("ab", min_size=1, max_size=40), st.permutations(PAIRS))
def test_any_order_of_merges(word, merges):
    """Merges in an order no training would give: the leftmost pair of the lowest rank goes first, always."""
    pieces = list(dict.fromkeys([*BYTES_AS_TEXT.values(), *(a + b for a, b in merges)]))
    vocab = {piece: i for i, piece in enumerate(pieces)}
    got = Tokenizer(vocab, merges, {}).encode(word)
    by_number = [pieces[i] for i in got]
    library = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocab, merges=merges))
    assert by_number == library.encode(word).tokens
    assert by_number == naive.bpe(word, {tuple(pair): rank for rank, pair in enumerate(merges)})


def test_the_printable_bytes_are_the_librarys():
    assert set(BYTES_AS_TEXT.values()) == set(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    assert BYTES_AS_TEXT[ord(" ")] == "Ġ" and BYTES_AS_TEXT[ord("\n")] == "Ċ" and BYTES_AS_TEXT[ord("a")] == "a"


def test_token_zero_ends_a_text_and_encode_adds_none():
    assert OURS.special == {"<|endoftext|>": 0} and OURS.encode("<|endoftext|>").tolist() == [0]
    assert 0 not in OURS.encode("any text")
    assert OURS.decode([0]) == "<|endoftext|>"


def test_token_bytes_are_the_text_in_pieces():
    text = "naïve 漢 <|endoftext|>"
    tokens = OURS.encode(text)
    pieces = OURS.token_bytes(tokens)
    assert len(pieces) == len(tokens) and b"".join(pieces) == text.encode()


def test_half_a_character_is_shown_as_a_replacement():
    tokens = OURS.encode("漢")
    assert len(tokens) > 1 and "\ufffd" in OURS.decode(tokens[:1])


def test_a_hundred_kilobytes_in_about_a_second():
    """Processor time, which other programs do not change: about 0.2 s without coverage measurement."""
    source = "\n".join(p.read_text(encoding="utf-8") for p in sorted(PATH.parents[1].glob("minquant/**/*.py")))
    text = (source * (1 + 100_000 // len(source)))[:100_000]
    fresh = Tokenizer.from_file(PATH)
    start = time.process_time()
    fresh.encode(text)
    fresh.encode("=" * 20_000)  # one word that long: n log n, not n squared
    assert time.process_time() - start < 5


def test_to_json_is_read_by_both(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(OURS.to_json(), encoding="utf-8")
    text = "Return 漢字 <|endoftext|> it's\n"
    assert Tokenizer.from_file(path).encode(text).tolist() == OURS.encode(text).tolist()
    assert tokenizers.Tokenizer.from_file(str(path)).encode(text).ids == OURS.encode(text).tolist()


# ---- what is refused


@pytest.mark.parametrize("tokens, words", [([5, 2048], "token 2048 at position 1 .* 0 to 2047"), ([-1], "token -1")])
def test_tokens_outside_the_vocabulary_are_named(tokens, words):
    with pytest.raises(ValueError, match=words):
        OURS.decode(tokens)


def test_bytes_are_no_text():
    with pytest.raises(TypeError, match="not bytes"):
        OURS.encode(b"text")


def test_half_of_a_surrogate_pair_is_no_text():
    with pytest.raises(ValueError, match="surrogates"):
        OURS.encode("\ud800")


def changed(tmp_path, change) -> Tokenizer:
    raw = json.loads(PATH.read_text(encoding="utf-8"))
    change(raw)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    return Tokenizer.from_file(path)


def test_merges_written_as_one_string_are_read(tmp_path):
    def join(raw):
        raw["model"]["merges"] = [" ".join(pair) for pair in raw["model"]["merges"]]

    assert changed(tmp_path, join).encode("Return the list").tolist() == OURS.encode("Return the list").tolist()


@pytest.mark.parametrize("change, words", [
    (lambda raw: raw["model"].update(type="WordPiece"), "'WordPiece'; only BPE"),
    (lambda raw: raw.update(normalizer={"type": "NFC"}), "uses normalizer"),
    (lambda raw: raw.update(pre_tokenizer={"type": "Sequence", "pretokenizers": []}), "word rule is not GPT-2's"),
    (lambda raw: raw["pre_tokenizer"].update(add_prefix_space=True), "word rule is not GPT-2's"),
    (lambda raw: raw["model"].update(byte_fallback=True), "uses byte_fallback"),
    (lambda raw: raw["added_tokens"][0].update(lstrip=True), "takes spaces with it"),
    (lambda raw: raw["model"]["vocab"].pop("a"), "the piece 'a' has no number"),
    (lambda raw: raw["model"]["vocab"].update({"zzzz": 5000}), "not numbered 0 to 2048"),
    (lambda raw: raw["model"]["vocab"].update({"▁": 2048}), "'▁' stands for no byte"),
    (lambda raw: raw["model"]["merges"].append(["q", "zzz"]), "the piece 'zzz' has no number"),
    (lambda raw: raw["model"].pop("merges"), "not laid out as a tokenizer file"),
    (lambda raw: raw["model"].update(merges=[1, 2]), "not laid out as a tokenizer file"),
    (lambda raw: raw["model"]["vocab"].update({"a": "one"}), "not laid out as a tokenizer file"),
])
def test_a_file_we_would_read_wrongly_is_refused_by_name(tmp_path, change, words):
    with pytest.raises(ValueError, match=f"tokenizer.json.*({words})"):
        changed(tmp_path, change)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(ValueError, match="tokenizer.json"):
        Tokenizer.from_file(tmp_path / "tokenizer.json")
