"""The source of JSON Lines files, with one object per line."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from ...errors import DataError
from ...modalities.objects import plain
from .charset import charset_of
from .content import Content
from .garbled import Tally
from .source import LARGEST_ROW, SLICE, SLICE_BYTES, Slice, Source, short, unique


class JsonLinesSource(Source):
    """The source of a JSON Lines file.

    :param content: the bytes of the file
    :param path: the name of the file, for messages
    :param encoding: the character encoding; None = detected
    :raises DataError: a line is not a JSON object, or is too long
    """

    def __init__(self, content: Content, path: str, encoding: str | None = None) -> None:
        self.path, self.content = path, content
        self.charset = charset_of(content, path, encoding, detect_any=False)
        columns: dict[str, None] = {}
        tally = Tally() if self.charset.suspect else None
        self.rows = 0
        for row, _ in self._objects(named_once):
            columns.update(dict.fromkeys(row))
            self.rows += 1
            if tally is not None:
                for name, cell in row.items():
                    tally.see(name, (cell,))
        self.columns = unique(list(columns), path)
        if tally is not None:
            tally.warn(path, self.charset.fix)

    def _objects(self, hook: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield each row and the number of characters of its line; ``hook`` converts the pairs of an object."""
        with self.content.open() as stream:
            at = 0
            for line in self._lines(stream):
                if not line.strip():
                    continue
                at += 1
                if len(line) > LARGEST_ROW:
                    raise DataError(
                        f"{self.path} row {at}: a line of more than {LARGEST_ROW >> 20} million characters; expected one object"
                    )
                try:
                    row = json.loads(line, parse_int=integer, object_pairs_hook=hook)
                except DataError as error:
                    raise DataError(f"{self.path} row {at}: {error}") from None
                except (ValueError, RecursionError) as error:
                    raise DataError(f"{self.path} row {at}: not valid JSON ({error})") from None
                if not isinstance(row, dict):
                    raise DataError(f"{self.path} row {at}: found {type(row).__name__}; expected an object, {{...}}")
                if line.count("{") > 1:  # a value is itself an object
                    row = {name: plain(value) for name, value in row.items()}
                yield row, len(line)

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """Yield the rows in order, some at a time. A cell is None if its row lacks the key."""
        part: list[dict[str, Any]] = []
        size = 0
        for row, length in self._objects():
            part.append(row)
            size += length
            if len(part) == SLICE or size > SLICE_BYTES:
                yield {name: [row.get(name) for row in part] for name in columns}
                part, size = [], 0
        if part:
            yield {name: [row.get(name) for row in part] for name in columns}

    def _lines(self, stream: Any) -> Iterator[str]:
        """Yield the lines of a stream as text."""
        encoding = "utf-8-sig" if self.charset.encoding == "utf-8" else self.charset.encoding
        text = io.TextIOWrapper(stream, encoding=encoding)
        try:
            while line := text.readline(LARGEST_ROW + 1):
                yield line
        except UnicodeError:
            raise DataError(f"{self.path}: not {self.charset.encoding} text; expected one encoding throughout; write it as UTF-8") from None
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self.path}: cannot be read ({short(error)}); expected JSON lines") from None


def named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs of an object as a dict.

    :raises DataError: a name occurs twice
    """
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = next(name for at, (name, _) in enumerate(pairs) if name in dict(pairs[:at]))
        raise DataError(f"an object with two values named {twice[:40]!r}; expected every name once; rename one")
    return values


def integer(digits: str) -> int | float:
    """Parse an integer. With 1,000 digits or more it is infinite, so that the cell is unreadable, but not the whole line."""
    return int(digits) if len(digits) < 1_000 else float(digits)
