"""The source of CSV and TSV files. Every cell is read as text; modalities interpret the cells."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyarrow import compute

from ...errors import DataError
from .charset import charset_of
from .content import Content
from .dialect import dialect_of
from .garbled import Tally, kind_of
from .source import LARGEST_ROW, SLICE, Slice, Source, short

# The row is parsed from the message. With a Python callback, Arrow's threads would abort a process that ends while they read.
_RAGGED = re.compile(r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+)")
_HEAD = 2**20


class _RowTooLarge(DataError):
    """A row is larger than the block that is parsed at a time."""


class CsvSource(Source):
    """The source of a CSV or TSV file.

    :param content: the bytes of the file
    :param name: the name of the file, for messages
    :param delimiter: the delimiter; None = detected
    :param encoding: the character encoding; None = detected
    :param fallback: the encoding to try first if the text is not UTF-8 and has no byte order mark
    :raises DataError: the file is not a table that can be read
    """

    typed = False

    def __init__(self, content: Content, name: str, delimiter: str | None, encoding: str | None, fallback: str | None = None) -> None:
        self.content, self.name = content, name
        self.charset = charset_of(content, name, encoding, fallback)
        self.dialect = dialect_of(*self._head(), name, delimiter)
        self.columns = self.dialect.names
        self._block = 2**20
        while True:
            try:
                last, is_empty, tally = self._scan()
                break
            except _RowTooLarge:
                if self._block >= LARGEST_ROW:
                    raise
                self._block *= 8
        if "\n" in last and not self._ends_quoted():
            raise DataError(f"{name} row {self.rows}: a quote that is never closed; expected a quote at the end of its cell; add it")
        if is_empty:  # every line ends with a delimiter
            self.columns = self.columns[:-1]
        if tally is not None:
            for column in filter(kind_of, self.columns):  # the name is garbled as well
                tally.see(column, (column,))
            tally.warn(name, self.charset.fix)

    def _head(self) -> tuple[str, bool]:
        """Return the first lines, and whether they are the whole file."""
        try:
            with self._text() as text:
                head = text.read(_HEAD)
                while len(head) % _HEAD == 0 and len(head) < LARGEST_ROW and "\n" not in head and "\r" not in head:
                    more = text.read(_HEAD)
                    head += more
                    if not more:
                        break
                if len(head) >= LARGEST_ROW:
                    raise DataError(f"{self.name}: its first line is larger than {LARGEST_ROW >> 20} MiB; expected column names")
                return head, not text.read(1)
        except UnicodeError:
            raise self._bad_encoding() from None
        except (OSError, pa.ArrowInvalid) as error:
            raise DataError(f"{self.name}: its first line cannot be read ({short(error)}); expected column names") from None

    def _text(self) -> io.TextIOWrapper:
        encoding = "utf-8-sig" if self.charset.encoding == "utf-8" else self.charset.encoding
        return io.TextIOWrapper(self.content.open(), encoding=encoding, newline="")

    def _scan(self) -> tuple[str, bool, Tally | None]:
        """Count the rows. Return the last cell, whether a last column without a name is empty in every row, and the counts of garbled
        cells."""
        last, is_empty = "", self.dialect.unnamed_last
        tally = Tally() if self.charset.suspect else None
        names, self.rows = self.columns if tally is not None else self.columns[-1:], 0
        for batch in self._batches(names):
            if not batch.num_rows:
                continue
            self.rows += batch.num_rows
            column = batch.column(self.columns[-1])
            last = column[-1].as_py()
            is_empty = is_empty and compute.max(compute.binary_length(column)).as_py() == 0
            if tally is not None:
                for name in names:
                    tally.see(name, batch.column(name).to_pylist())
        return last, is_empty, tally

    def _ends_quoted(self) -> bool:
        """Return whether the file ends with a quote."""
        with self.content.open() as stream:
            tail = b""
            while piece := stream.read(2**20):
                tail = (tail + piece)[-64:]
        return tail.rstrip(b"\r\n\0 ").endswith(b'"')

    def _bad_encoding(self) -> DataError:
        return DataError(
            f"{self.name}: not {self.charset.encoding} text; expected one encoding throughout; name the file's encoding: encoding=gb18030 "
            f"(Chinese Windows), cp1252 (Western Windows), ... (--encoding), or write it again as UTF-8"
        )

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """Yield the rows in order, some at a time. The file is parsed once."""
        names = list(dict.fromkeys(columns))
        for batch in self._batches(names):
            for start in range(0, batch.num_rows, SLICE):
                part = batch.slice(start, SLICE)
                yield {name: part.column(name).to_pylist() for name in names}

    def _batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the cells of some columns as Arrow text, some rows at a time."""
        if not self.dialect.has_rows:
            return
        try:
            yield from self._spaced(columns) if self.dialect.spaced else self._parsed(columns)
        except pa.ArrowInvalid as error:
            ragged = _RAGGED.search(str(error))
            if ragged:
                raise self._ragged(int(ragged[1]) - 1 - self.dialect.skipped if ragged[1] else None, int(ragged[3])) from None
            if "UTF8" in str(error) or "decode" in str(error).lower() or "encod" in str(error).lower():
                raise self._bad_encoding() from None
            if "Empty CSV" in str(error):
                return
            if "straddl" in str(error):
                raise _RowTooLarge(f"{self.name}: a row larger than {self._block >> 20} MiB, or a quote that is never closed") from None
            raise DataError(f"{self.name}: not a table that can be read ({short(error)})") from None
        except UnicodeError:
            raise self._bad_encoding() from None

    def _ragged(self, row: int | None, cells: int) -> DataError:
        """Return the error for a row with another number of cells than the header."""
        expected = len(self.dialect.names)
        more = "; does a row begin with a name that the header lacks?" if cells == expected + 1 else ""
        return DataError(
            f"{self.name}{f' row {row}' if row is not None else ''}: {cells} cells; expected {expected}; quote cells that contain "
            f"{self.dialect.delimiter!r} or a line break{more}"
        )

    def _parsed(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield batches of the given columns as Arrow parses them."""
        from pyarrow import csv as arrow_csv

        names = self.dialect.names
        reader = None
        try:
            reader = arrow_csv.open_csv(
                self.content.open(),
                read_options=arrow_csv.ReadOptions(
                    column_names=names, skip_rows=self.dialect.skipped, skip_rows_after_names=1, encoding=self.charset.encoding,
                    block_size=self._block, use_threads=False,
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self.dialect.delimiter, newlines_in_values=True, ignore_empty_lines=len(names) > 1,
                ),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=list(columns), column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False
                ),
            )  # fmt: skip
            yield from reader
        finally:
            if reader is not None:
                reader.close()

    def _spaced(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Parse a file with spaces before its quotes, which Arrow would read as text."""
        names = self.dialect.names
        places = [names.index(name) for name in columns]
        schema = pa.schema([(name, pa.large_string()) for name in columns])
        row = 0
        try:
            with self._text() as text:
                for _ in range(self.dialect.skipped):
                    text.readline()
                reader = csv.reader(text, delimiter=self.dialect.delimiter, skipinitialspace=True, strict=True)
                next(reader)
                rows = (cells for cells in reader if cells or len(names) == 1)
                while part := list(itertools.islice(rows, SLICE)):
                    for at, cells in enumerate(part, row + 1):
                        if len(cells) != len(names):
                            raise self._ragged(at, len(cells))
                    row += len(part)
                    yield pa.record_batch([pa.array([cells[at] for cells in part], pa.large_string()) for at in places], schema=schema)
        except csv.Error as error:
            raise DataError(f"{self.name} row {row + 1} or after it: cannot be read ({short(error)}); expected cells in quotes") from None
