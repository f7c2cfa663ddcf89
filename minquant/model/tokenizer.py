"""Text to tokens and back: byte-level byte-pair encoding (BPE).

How it works
    1. Text is cut into words, each with the space before it (GPT-2's rule: ``WORDS``).
    2. A word becomes bytes (UTF-8), so that any text can be written; 256 of the pieces are the single bytes.
    3. Neighbouring pieces are merged: of all pairs that stand in the list of merges, the one that was learned first
       (at equal rank the leftmost), again and again until no pair is in the list. Words recur, so each is done once.

    ``tokenizer.json`` writes each byte as a printable character (``BYTES_AS_TEXT``): a space as "Ġ", a line break
    as "Ċ". Special tokens such as ``<|endoftext|>`` are found in the text before anything else; ``encode`` adds none.

Sources
    BPE for text: Sennrich et al. 2016 (arXiv 1508.07909). Bytes as pieces, the word rule, the printable bytes:
    Radford et al. 2019, section 2.2 and the released GPT-2 encoder. The file: Hugging Face tokenizers.

What we leave out
    Learning the merges (``tools/train_tiny.py``), normalisers, other word rules; a file that needs them is refused.
    What a letter is, Python's own Unicode tables say: characters younger than the interpreter count as marks.
"""

from __future__ import annotations

import heapq
import json
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

# Letters run together, numbers run together, everything else runs together, each with one space before it; English
# endings stand alone; of several spaces the last goes to the next word. Applied to text whose non-ASCII characters
# were replaced by an ASCII character of the same kind (``_Kinds``): Python's re has no \p{L} and \p{N}.
WORDS = re.compile(r"'(?:s|t|re|ve|m|ll|d)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+", re.ASCII)
UNICODE_SPACES = {0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}


class _Kinds(dict):
    """For str.translate: a non-ASCII character becomes an ASCII one of its kind. Filled as characters turn up."""

    def __missing__(self, code: int) -> str:
        if code < 128:
            kind = chr(code)
        elif code in UNICODE_SPACES:
            kind = "\t"
        else:
            kind = {"L": "A", "N": "0"}.get(unicodedata.category(chr(code))[0], "!")
        self[code] = kind
        return kind


_KINDS = _Kinds()


def words(text: str) -> list[str]:
    """Cut a text into the words that BPE works on; put together they are the text again."""
    kinds = text.translate(_KINDS)  # one character for one, so that positions stay
    return [text[match.start():match.end()] for match in WORDS.finditer(kinds)]


def _bytes_as_text() -> dict[int, str]:
    """The printable character that stands for each byte in the file: itself, or the next free one from U+0100 on."""
    printable = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}


BYTES_AS_TEXT = _bytes_as_text()
_TEXT_AS_BYTES = {c: b for b, c in BYTES_AS_TEXT.items()}


class Tokenizer:
    """A byte-level BPE vocabulary.

    Attributes:
        vocab_size: number of tokens, special ones included.
        special: special tokens, text to number.
    """

    def __init__(self, vocab: dict[str, int], merges: Iterable[tuple[str, str]], special: dict[str, int]) -> None:
        """Make one from pieces (in printable form) to numbers, merges in the order learned, and special tokens.

        Raises ValueError where a byte has no piece, a merge makes an unknown piece, or numbers are missing.
        """
        self._vocab, self._merges, self.special = dict(vocab), [tuple(m) for m in merges], dict(special)
        for piece in (*BYTES_AS_TEXT.values(), *(p for a, b in self._merges for p in (a, b, a + b))):
            if piece not in vocab:
                raise ValueError(f"the piece {piece!r} has no number")
        self._ranks = {(vocab[a], vocab[b]): (rank, vocab[a + b]) for rank, (a, b) in enumerate(self._merges)}
        self._byte_tokens = [vocab[BYTES_AS_TEXT[b]] for b in range(256)]
        self._bytes = self._bytes_of_tokens()
        longest_first = sorted(special, key=len, reverse=True)
        self._split_special = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")") if special else None
        self._words: dict[str, list[int]] = {}

    @classmethod
    def from_file(cls, path: str | os.PathLike) -> Tokenizer:
        """Read a Hugging Face ``tokenizer.json``. Raises ValueError for one that needs what we leave out."""
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{Path(path).name}: {error}") from None

    @classmethod
    def from_json(cls, text: str) -> Tokenizer:
        """Read the content of a ``tokenizer.json``. Raises as ``from_file``."""
        try:
            raw = json.loads(text)
            _check_supported(raw)
            merges = [m.split(" ") if isinstance(m, str) else m for m in raw["model"]["merges"]]
            special = {token["content"]: token["id"] for token in raw.get("added_tokens") or []}
            return cls(raw["model"]["vocab"], [(left, right) for left, right in merges], special)
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"this is not laid out as a tokenizer file: {error!r}") from None

    def to_json(self) -> str:
        """The content of a ``tokenizer.json`` that ``from_file`` and Hugging Face's library read."""
        level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
        added = [{"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
                  "normalized": False, "special": True} for text, i in self.special.items()]
        model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                 "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                 "vocab": self._vocab, "merges": self._merges}
        return json.dumps({"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
                           "normalizer": None, "pre_tokenizer": level, "post_processor": None, "decoder": level,
                           "model": model}, ensure_ascii=False)

    @property
    def vocab_size(self) -> int:
        """Number of tokens, special ones included."""
        return len(self._bytes)

    def encode(self, text: str) -> np.ndarray:
        """Tokens of a text: int32 (T,). No token is added at the front or the end."""
        if not isinstance(text, str):
            raise TypeError(f"encode takes text (str), not {type(text).__name__}")
        tokens: list[int] = []
        for part in self._split_special.split(text) if self._split_special else [text]:
            if part in self.special:
                tokens.append(self.special[part])
                continue
            for word in words(part):
                tokens += self._encode_word(word)
        return np.array(tokens, np.int32)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens, special ones included. Bytes that are no valid UTF-8 become U+FFFD."""
        return b"".join(self.token_bytes(tokens)).decode("utf-8", errors="replace")

    def token_bytes(self, tokens: Iterable[int]) -> list[bytes]:
        """The bytes of each token. Raises ValueError for one outside the vocabulary."""
        tokens = [int(t) for t in tokens]
        for position, token in enumerate(tokens):
            if not 0 <= token < len(self._bytes):
                raise ValueError(f"token {token} at position {position} is outside the vocabulary: "
                                 f"this tokenizer knows 0 to {len(self._bytes) - 1}")
        return [self._bytes[token] for token in tokens]

    def _encode_word(self, word: str) -> list[int]:
        if word not in self._words:
            if len(self._words) >= 1 << 16:  # bounded, whatever text comes
                self._words.clear()
            self._words[word] = self._merge([self._byte_tokens[b] for b in word.encode("utf-8")])
        return self._words[word]

    def _merge(self, pieces: list[int]) -> list[int]:
        """Merge neighbours, earliest learned first. A heap of candidate pairs: n log n also for very long words."""
        follows = list(range(1, len(pieces) + 1))  # position of the next piece
        before = list(range(-1, len(pieces) - 1))
        heap: list[tuple[int, int, int]] = []  # (rank, position, merged piece)

        def offer(i: int) -> None:
            if i >= 0 and follows[i] < len(pieces) and (pair := (pieces[i], pieces[follows[i]])) in self._ranks:
                heapq.heappush(heap, (self._ranks[pair][0], i, self._ranks[pair][1]))

        for i in range(len(pieces) - 1):
            offer(i)
        while heap:
            rank, i, merged = heapq.heappop(heap)
            j = follows[i]
            if pieces[i] < 0 or j >= len(pieces) or self._ranks.get((pieces[i], pieces[j])) != (rank, merged):
                continue  # one of the two was merged with another neighbour meanwhile
            pieces[i], pieces[j], follows[i] = merged, -1, follows[j]
            if follows[i] < len(pieces):
                before[follows[i]] = i
            offer(before[i]), offer(i)
        return [piece for piece in pieces if piece >= 0]

    def _bytes_of_tokens(self) -> list[bytes]:
        """The bytes of every token, by number. Raises ValueError where numbers are missing."""
        special = {i: text.encode("utf-8") for text, i in self.special.items()}
        pieces = {i: bytes(map(_byte_of, text)) for text, i in self._vocab.items() if i not in special}
        both = pieces | special
        if sorted(both) != list(range(len(both))):
            raise ValueError(f"{len(both)} tokens are not numbered 0 to {len(both) - 1}")
        return [both[i] for i in range(len(both))]


def _byte_of(character: str) -> int:
    if character not in _TEXT_AS_BYTES:
        raise ValueError(f"the piece character {character!r} stands for no byte: this is no byte-level vocabulary")
    return _TEXT_AS_BYTES[character]


def _check_supported(raw: dict[str, Any]) -> None:
    """Raise ValueError, naming the setting, unless the file is plain byte-level BPE with GPT-2's word rule."""
    model, before = raw["model"], raw.get("pre_tokenizer") or {}
    if model.get("type") != "BPE":
        raise ValueError(f"its model is {model.get('type')!r}; only BPE is supported")
    if before.get("type") != "ByteLevel" or before.get("add_prefix_space") or not before.get("use_regex", True):
        raise ValueError("its word rule is not GPT-2's (pre_tokenizer ByteLevel, no prefix space)")
    for part, only in ((raw, "normalizer"), (model, "continuing_subword_prefix"), (model, "end_of_word_suffix"),
                       (model, "byte_fallback"), (model, "ignore_merges")):
        if part.get(only):
            raise ValueError(f"it uses {only}, which is not supported")
    for token in raw.get("added_tokens") or []:
        if any(token.get(flag) for flag in ("lstrip", "rstrip", "single_word")):
            raise ValueError(f"its token {token['content']!r} takes spaces with it (lstrip, rstrip or single_word), "
                             "which is not supported")
