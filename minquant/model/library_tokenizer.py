"""Tokenizers of real checkpoints, through Hugging Face's ``tokenizers`` library where it is installed.

How it works
    Our own ``Tokenizer`` reads byte-level BPE with GPT-2's word rule, which is what the tiny model has. Llama 3, Qwen3
    and others cut words by other rules; their ``tokenizer.json`` is handed to the library, and ``LibraryTokenizer``
    gives it the few methods that minquant asks of a tokenizer.

What we leave out
    Adding tokens at the front or the end of a text: what is encoded is the text, as with our own tokenizer.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from .config import Config
from .tokenizer import _TEXT_AS_BYTES, Tokenizer

MOST_TOKENS = 1 << 24
INSTALL = "pip install 'minquant[interop]'"


class LibraryTokenizer:
    """What ``Tokenizer`` is, by way of the ``tokenizers`` library.

    Attributes: ``vocab_size``, one more than the largest number of a token; ``special``, special tokens, text to number.
    """

    def __init__(self, text: str) -> None:
        """From the content of a ``tokenizer.json``. Raises ImportError without the library, ValueError for a file that
        it cannot read."""
        import tokenizers

        _check_numbers(text)
        try:
            self._tokenizer = tokenizers.Tokenizer.from_str(text)
        except Exception as error:  # the library raises bare Exception
            raise ValueError(f"the tokenizers library cannot read it: {error}") from None
        added = self._tokenizer.get_added_tokens_decoder()
        self.special = {token.content: number for number, token in added.items()}
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        self.vocab_size = max(vocabulary.values(), default=-1) + 1
        self._pieces = {number: piece for piece, number in vocabulary.items()}
        decoder = json.loads(self.to_json()).get("decoder") or {}
        self._byte_level = "ByteLevel" in {decoder.get("type"), *(d["type"] for d in decoder.get("decoders") or ())}

    def to_json(self) -> str:
        """The content of a ``tokenizer.json``."""
        return self._tokenizer.to_str()

    def encode(self, text: str) -> np.ndarray:
        """Tokens of a text: int32 (T,). No token is added at the front or the end."""
        if not isinstance(text, str):
            raise TypeError(f"encode takes text (str), not {type(text).__name__}")
        return np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, np.int32)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens, special ones included."""
        return self._tokenizer.decode([int(t) for t in tokens], skip_special_tokens=False)

    def token_bytes(self, tokens: Iterable[int]) -> list[bytes]:
        """The bytes of each token; none for a number without a piece."""
        return [self._bytes_of(int(token)) for token in tokens]

    def _bytes_of(self, token: int) -> bytes:
        piece = self._pieces.get(token, "")
        if piece in self.special:
            return piece.encode()
        if self._byte_level and all(c in _TEXT_AS_BYTES for c in piece):
            return bytes(_TEXT_AS_BYTES[c] for c in piece)
        byte = re.fullmatch("<0x([0-9A-F]{2})>", piece)  # SentencePiece's spelling of a byte without a piece
        return bytes([int(byte[1], 16)]) if byte else piece.replace("\u2581", " ").encode()


def _check_numbers(text: str) -> None:
    """Raise ValueError for the number of a token that no model has: the library makes room for all numbers below it, two
    thousand million of them for one damaged digit."""
    try:
        raw = json.loads(text)
        vocab = raw["model"].get("vocab") or {}
        numbers = [*(vocab.values() if isinstance(vocab, dict) else ()), *(t["id"] for t in raw.get("added_tokens") or ())]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return  # the library says what is wrong with its layout
    for number in numbers:
        if type(number) is not int or not 0 <= number < MOST_TOKENS:
            raise ValueError(f"the number of a token must be a whole number below {MOST_TOKENS}, not {number!r:.40}")


def from_json(text: str) -> Tokenizer | LibraryTokenizer:
    """Our own tokenizer where it can read the file, else the library's. Raises ValueError where neither can."""
    try:
        return Tokenizer.from_json(text)
    except ValueError as ours:
        try:
            return LibraryTokenizer(text)
        except ImportError:
            raise ValueError(f"{ours}; the tokenizers library may read it: {INSTALL}") from None
        except ValueError as theirs:
            raise ValueError(f"{ours}; {theirs}") from None


def read_tokenizer(path: Path, config: Config) -> Tokenizer | LibraryTokenizer | None:
    """The tokenizer of a folder; None, with a warning, where it cannot be read. Raises ValueError where it knows tokens
    that the model does not."""
    if not path.exists():
        return None
    try:
        tokenizer = from_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        warnings.warn(f"the model is loaded without its tokenizer: {path.name}: {error}", stacklevel=4)
        return None
    if tokenizer.vocab_size > config.vocab_size:
        raise ValueError(f"tokenizer.json has token {tokenizer.vocab_size - 1}, and config.json a vocabulary of "
                         f"{config.vocab_size}: they belong to different models")
    return tokenizer
