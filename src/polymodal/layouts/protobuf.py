"""Read the wire format of Protocol Buffers as far as ``tf.train.Example`` and ``tf.train.SequenceExample`` need it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
Values = list[bytes] | list[int] | np.ndarray
"""The values of a feature: bytes, whole numbers, or an array of float32."""


class Malformed(Exception):
    """A message that is not what its description states."""


def example_of(message: memoryview) -> tuple[dict[str, Values], dict[str, list[Values]]]:
    """Return the features of an Example, or of the context of a SequenceExample, and the lists of features of a SequenceExample.

    :raises Malformed: the bytes are not such a message
    """
    context: dict[str, Values] = {}
    lists: dict[str, list[Values]] = {}
    for number, kind, value in _fields(message):
        if kind != _BYTES or number not in (1, 2):
            raise Malformed(f"field {number} of wire type {kind}; expected features")
        for name, entry in _entries(value):
            if number == 1:
                context[name] = _feature(entry)
            else:
                lists[name] = [_feature(inner) for at, wire, inner in _fields(entry) if at == 1 and wire == _BYTES]
    return context, lists


def _entries(message: Any) -> Iterator[tuple[str, Any]]:
    """Yield the keys and values of a map."""
    for number, kind, entry in _fields(message):
        if (number, kind) != (1, _BYTES):
            raise Malformed(f"field {number} of wire type {kind}; expected an entry of a map")
        parts = {at: value for at, wire, value in _fields(entry) if wire == _BYTES}
        try:
            yield bytes(parts.get(1, b"")).decode("utf-8"), parts.get(2, memoryview(b""))
        except UnicodeDecodeError:
            raise Malformed("a name of a feature that is not UTF-8") from None


def _feature(message: Any) -> Values:
    """Return the values of a Feature: a list of bytes (1), of float32 (2) or of whole numbers (3)."""
    values: Values = []
    for number, kind, body in _fields(message):
        if kind != _BYTES or number not in (1, 2, 3):
            raise Malformed(f"field {number} of wire type {kind}; expected a list of bytes, floats or integers")
        values = (_texts, _floats, _integers)[number - 1](body)
    return values


def _texts(message: Any) -> Values:
    """Return the values of a BytesList."""
    return [bytes(value) for number, kind, value in _fields(message) if (number, kind) == (1, _BYTES)]


def _floats(message: Any) -> Values:
    """Return the values of a FloatList, packed or not."""
    parts = []
    for _, kind, value in _fields(message):
        if kind not in (_BYTES, _FIXED32) or len(value) % 4:
            raise Malformed(f"floats of wire type {kind}; expected four bytes each")
        parts.append(np.frombuffer(value, "<f4"))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _integers(message: Any) -> Values:
    """Return the values of an Int64List, packed or not."""
    values: list[int] = []
    for _, kind, value in _fields(message):
        if kind == _VARINT:
            values.append(_signed(value))
            continue
        if kind != _BYTES:
            raise Malformed(f"integers of wire type {kind}; expected a varint")
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            values.append(_signed(number))
    return values


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _fields(message: Any) -> Iterator[tuple[int, int, Any]]:
    """Yield the number, the wire type and the value of each field of a message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, kind, value
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise Malformed(f"wire type {kind}; expected 0, 1, 2 or 5")
        if number == 0 or length > len(message) - at:
            raise Malformed("a field that is longer than its message")
        yield number, kind, message[at : at + length]
        at += length


def _varint(message: Any, at: int) -> tuple[int, int]:
    """Return a number of variable length, and the position after it."""
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise Malformed("a number that does not end")
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7


def length_of(header: bytes) -> int:
    """Return the length of a record that its header states."""
    result: int = struct.unpack("<Q", header)[0]
    return result
