"""Large JSON files, read one entry at a time: lists of objects, lists inside an object, and objects whose values are the entries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from ..errors import DataError, nearest

Record = dict[str, Any]
_CHUNK = 2**20
LARGEST = 2**22
"""The maximum number of characters of one entry of a JSON file, and of one line of a CSV."""
_BETWEEN = re.compile(r"[\s,:]*")


def objects(file: TextIO, place: Path, under: str | None = None) -> Iterator[Record]:
    """Yield the objects of a list, with one in memory at a time.

    :param place: the path of the file, for messages
    :param under: the key of the list in the object that the file contains; None = the file contains the list
    :raises DataError: the file does not contain such a list
    """
    stream = _Stream(file, place)
    if under is None:
        yield from stream.objects()
        return
    found = []
    for key in stream.keys(f"an object with a list {under!r}"):
        if key == under:
            stream.name = f"{place} {under}"
            yield from stream.objects()
            return
        found.append(key)
        stream.skip()
    raise DataError(f"{place}: no list {under!r}; expected an object with it{nearest(under, found)}")


def pairs(file: TextIO, place: Path) -> Iterator[tuple[str, Record]]:
    """Yield the keys and values of an object whose values are objects, with one in memory at a time.

    :param place: the path of the file, for messages
    :raises DataError: the file does not contain such an object
    """
    stream = _Stream(file, place)
    for count, key in enumerate(stream.keys("an object"), 1):
        yield key, stream.object(count)


def object_of(text: str) -> Record | None:
    """Return the object that a JSON text is; None if the text is not JSON, or another value."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


class _Stream:
    """The part of a JSON file that is in memory, and the position in it."""

    def __init__(self, file: TextIO, place: Path) -> None:
        self.file, self.name = file, str(place)
        """The path, and the key of the list that is read, for messages."""
        self.text, self.at = "", 0

    def sign(self) -> str:
        """Return the next character that is neither white space nor a separator; "" at the end of the file."""
        while True:
            self.at = _BETWEEN.match(self.text, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.text) or not self._more():
                return self.text[self.at : self.at + 1]

    def objects(self) -> Iterator[Record]:
        """Yield the objects of a list that begins here."""
        if self.sign() != "[":
            raise DataError(f"{self.name}: found {self._start()!r}; expected a JSON list of objects")
        self.at += 1
        count = 0
        while self.sign() != "]":
            count += 1
            yield self.object(count)
        self.at += 1

    def object(self, count: int) -> Record:
        """Return the object that begins here, entry number ``count``."""
        entry = self._value(f"entry {count}")
        if not isinstance(entry, dict):
            raise DataError(f"{self.name} entry {count}: found {str(entry)[:20]!r}; expected an object")
        return entry

    def keys(self, expected: str) -> Iterator[str]:
        """Yield the keys of an object that begins here; the value of each must be consumed before the next."""
        if self.sign() != "{":
            raise DataError(f"{self.name}: found {self._start()!r}; expected {expected}")
        self.at += 1
        while self.sign() != "}":
            key = self._value("a key")
            if not isinstance(key, str):
                raise DataError(f"{self.name}: found {str(key)[:20]!r}; expected a key in quotes")
            yield key
        self.at += 1

    def skip(self) -> None:
        """Consume the value that begins here; a list is consumed item by item."""
        if self.sign() != "[":
            self._value("a value")
            return
        self.at += 1
        while self.sign() != "]":
            self._value("an item of a list")
        self.at += 1

    def _value(self, what: str) -> Any:
        decoder = json.JSONDecoder()
        while True:
            if self.sign():  # skips what separates values
                try:
                    value, end = decoder.raw_decode(self.text, self.at)
                    if end < len(self.text) or isinstance(value, (dict, list, str)) or not self._more():
                        self.at = end
                        return value
                    continue  # a number may go on in the next part of the file
                except (ValueError, RecursionError):
                    pass
            if len(self.text) - self.at > LARGEST or not self._more():
                raise DataError(f"{self.name} {what}: invalid or truncated JSON; expected objects, followed by a ']' or '}}'") from None

    def _more(self) -> bool:
        """Read on, and return whether there was something to read."""
        more = self.file.read(_CHUNK)
        self.text, self.at = self.text[self.at :] + more, 0
        return bool(more)

    def _start(self) -> str:
        return self.text[self.at : self.at + 20]
