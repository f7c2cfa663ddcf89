"""The fields of a GGUF header: numbers, texts and typed values, written and read with every length checked.

All numbers are little-endian. A text is its length in bytes (uint64), then UTF-8. A value is the number of its type
(uint32), then itself; an array is the type of its elements (uint32), their count (uint64), then the elements.

    type    0 uint8   2 uint16   4 uint32   10 uint64     6 float32   12 float64    7 bool (one byte, 0 or 1)
            1 int8    3 int16    5 int32    11 int64      8 text       9 array

Source: ``docs/gguf.md`` of the ggml project. What we leave out: arrays of arrays, which llama.cpp does not read either.
"""

from __future__ import annotations

import numbers
from typing import Any, NamedTuple

import numpy as np

NUMBERS = {0: "u1", 1: "i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "?", 10: "<u8", 11: "<i8", 12: "<f8"}
TEXT, ARRAY = 8, 9
_NUMBER_OF = {np.dtype(code): type for type, code in NUMBERS.items()}
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


class Span(NamedTuple):
    """Bytes start .. stop - 1 of a file: what they are called, the value they hold, what it says."""

    start: int
    stop: int
    name: str
    value: Any
    meaning: str


# ---- writing -------------------------------------------------------------------------------------------------------


def number_bytes(value, type: str) -> bytes:
    """The bytes of one number, ``type`` as NumPy writes it: "<u4"."""
    return np.array(value, type).tobytes()


def text_bytes(text: str) -> bytes:
    """Length and UTF-8 of a text."""
    data = text.encode()
    return number_bytes(len(data), "<u8") + data


def value_bytes(key: str, value: Any) -> bytes:
    """Type and bytes of a metadata value.

    True and False are bool, whole numbers uint32 (int32 below zero, 64 bits where 32 are too few), floats float32, as
    llama.cpp expects them; a NumPy scalar keeps its type. Lists of whole numbers are int32 (or int64), lists of floats
    float32, an empty list is one of texts; a NumPy array keeps its type. Raises ValueError, naming the key, for others.
    """
    if isinstance(value, (list, tuple, np.ndarray)):
        return number_bytes(ARRAY, "<u4") + _array_bytes(key, value)
    if isinstance(value, str):
        return number_bytes(TEXT, "<u4") + text_bytes(value)
    type = _scalar_type(key, value)
    return number_bytes(type, "<u4") + number_bytes(value, NUMBERS[type])


def _scalar_type(key: str, value: Any) -> int:
    if isinstance(value, np.generic):
        return _type_of_dtype(key, value.dtype)
    if isinstance(value, bool):
        return 7
    if isinstance(value, numbers.Integral):
        for type, low, high in ((4, 0, 2**32), (5, -(2**31), 0), (10, 0, 2**64), (11, -(2**63), 0)):
            if low <= value < high:
                return type
        raise ValueError(f"metadata {key}: {value} does not fit in 64 bits")
    if isinstance(value, float):
        if _LARGEST_FLOAT32 < abs(value) < float("inf"):
            raise ValueError(f"metadata {key}: {value} is beyond float32: give it as np.float64")
        return 6
    raise ValueError(f"metadata {key}: a value is a bool, a number, a text or a list of one of them, got {value!r}")


def _array_bytes(key: str, values) -> bytes:
    if isinstance(values, np.ndarray) and values.dtype.kind != "U":
        array = values
    elif all(isinstance(v, str) for v in values):
        head = number_bytes(TEXT, "<u4") + number_bytes(len(values), "<u8")
        return head + b"".join(text_bytes(str(v)) for v in values)
    else:
        kinds = {np.asarray(v).dtype.kind if np.isscalar(v) else "O" for v in values}
        if len(kinds) != 1 or not kinds <= set("bif"):
            raise ValueError(f"metadata {key}: a list holds texts, bools, whole numbers or floats, all of one kind; "
                             "for another type give a NumPy array")
        array = np.asarray(values)
        if kinds == {"f"}:
            array = array.astype(np.float32)
        elif kinds == {"i"} and np.array_equal(array, array.astype(np.int32)):
            array = array.astype(np.int32)
    if array.ndim != 1:
        raise ValueError(f"metadata {key}: arrays have one axis, got shape {array.shape}")
    type = _type_of_dtype(key, array.dtype)
    return number_bytes(type, "<u4") + number_bytes(len(array), "<u8") + array.astype(NUMBERS[type]).tobytes()


def _type_of_dtype(key: str, dtype: np.dtype) -> int:
    type = _NUMBER_OF.get(dtype.newbyteorder("<"))
    if type is None:
        raise ValueError(f"metadata {key}: GGUF has no type for {dtype}")
    return type


# ---- reading -------------------------------------------------------------------------------------------------------


class Cursor:
    """Walks through the bytes of a file, field after field, and never past its end.

    data    uint8 (n,)
    spans   list to which every field read is added, or None

    Every method raises ValueError, with the field's name and offset, where the file ends too early or a field is wrong.
    """

    def __init__(self, data: np.ndarray, spans: list[Span] | None = None) -> None:
        self.data, self.spans, self.at = data, spans, 0

    def wrong(self, name: str, at: int, why: str) -> ValueError:
        """The error to raise for the field that starts at byte ``at``."""
        return ValueError(f"GGUF file, {name} at byte {at}: {why}")

    def take(self, count: int, name: str) -> np.ndarray:
        """The next ``count`` bytes, not copied."""
        start, left = self.at, len(self.data) - self.at
        if count > left:
            raise self.wrong(name, start, f"{count} bytes are needed, {left} are left; the file is cut short or "
                                          "damaged")
        self.at += count
        return self.data[start : self.at]

    def note(self, start: int, name: str, value: Any, meaning: str) -> None:
        """Add the bytes from start to here to the spans."""
        if self.spans is not None and self.at > start:
            self.spans.append(Span(start, self.at, name, value, meaning))

    def number(self, type: str, name: str, meaning: str) -> Any:
        """One number, as a Python value."""
        start = self.at
        value = self.take(np.dtype(type).itemsize, name).view(type)[0].item()
        self.note(start, name, value, f"{meaning}, {np.dtype(type).name}")
        return value

    def count(self, name: str, meaning: str, each: int) -> int:
        """A uint64 that announces as many things of at least ``each`` bytes."""
        start, value = self.at, self.number("<u8", name, meaning)
        left = len(self.data) - self.at
        if value * each > left:
            raise self.wrong(name, start, f"{value} of them, at {each} bytes or more, are more than the {left} bytes "
                                          "that are left; the file is cut short or damaged")
        return value

    def text(self, name: str, meaning: str) -> str:
        """A text with its length before it."""
        length = self.count(f"{name}: length", f"bytes of the text that follows: {meaning}", 1)
        start = self.at
        try:
            value = self.take(length, name).tobytes().decode()
        except UnicodeDecodeError as error:
            raise self.wrong(name, start, f"no UTF-8, {error.reason}") from None
        self.note(start, name, value, f"{meaning}, UTF-8")
        return value

    def value(self, key: str) -> Any:
        """A metadata value, its type before it: a plain Python value where ``write`` would give that the same type."""
        type = self._type(f"{key}: type", "type of the value")
        if type == ARRAY:
            return self._array(key)
        if type == TEXT:
            return self.text(f"{key}: value", f"value of {key}")
        array = self._numbers(type, 1, key, f"value of {key}")
        plain = array[0].item()
        return plain if value_bytes(key, plain) == value_bytes(key, array[0]) else array[0]

    def _type(self, name: str, meaning: str) -> int:
        start, type = self.at, self.number("<u4", name, meaning)
        if type not in NUMBERS and type not in (TEXT, ARRAY):
            raise self.wrong(name, start, f"there is no type {type}; types are 0 to 12")
        return type

    def _array(self, key: str) -> list[str] | np.ndarray:
        start, type = self.at, self._type(f"{key}: element type", "type of each element")
        if type == ARRAY:
            raise self.wrong(f"{key}: element type", start, "arrays of arrays are not read here")
        each = 8 if type == TEXT else np.dtype(NUMBERS[type]).itemsize
        count = self.count(f"{key}: count", "number of elements", each)
        if type == TEXT:
            return [self.text(f"{key}[{i}]", f"element of {key}") for i in range(count)]
        return self._numbers(type, count, key, f"{count} elements of {key}")

    def _numbers(self, type: int, count: int, key: str, meaning: str) -> np.ndarray:
        start, dtype = self.at, np.dtype(NUMBERS[type])
        raw = self.take(count * dtype.itemsize, f"{key}: value")
        if type == 7 and raw.max(initial=0) > 1:
            raise self.wrong(f"{key}: value", start, f"a bool is 0 or 1, got {raw.max()}")
        array = raw.view(dtype).astype(dtype.newbyteorder("="))
        self.note(start, f"{key}: value", array.tolist() if count != 1 else array[0].item(), f"{meaning}, {dtype.name}")
        return array
