"""CSV and TSV, read as text: what a cell means is for a modality to say."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from ...errors import DataError
from .source import LARGEST_ROW, SLICE, Slice, Source, short, unique

# No Python callback finds the row: Arrow's threads would hold it, and abort a process that ends while they read on.
_RAGGED = re.compile(r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+)")


class _RowTooLarge(DataError):
    """A CSV's row is larger than the block that is parsed at a time."""


class CsvSource(Source):
    """CSV or TSV, every cell as text."""

    typed = False

    def __init__(self, path: Path, delimiter: str | None, encoding: str | None) -> None:
        self.path, self.name = path, str(path)
        with path.open("rb") as file:
            head = file.read(4)
        if head[:2] in (b"\xff\xfe", b"\xfe\xff") and encoding is None:
            encoding = "utf-16"
        self.encoding = encoding or "utf-8"
        try:
            codecs.lookup(self.encoding)
        except (LookupError, ValueError):
            raise DataError(f"{path}: encoding {encoding!r} is not known; expected such as utf-8 or gb18030") from None
        try:
            with pa.input_stream(str(path), compression="detect") as stream:
                text = io.TextIOWrapper(stream, encoding="utf-8-sig" if self.encoding == "utf-8" else self.encoding, newline="")
                first = text.readline(2**20)
                self.delimiter = delimiter or _delimiter(first)
                rest = iter(lambda: text.readline(2**20), "")
                header = next(csv.reader(itertools.chain([first], rest), delimiter=self.delimiter, strict=True), [])
        except UnicodeError:
            raise self._bad_encoding() from None
        except (csv.Error, OSError, pa.ArrowInvalid) as error:
            raise DataError(f"{path}: its first line cannot be read ({short(error)}); expected column names") from None
        if not header or header == [""]:
            raise DataError(f"{path}: an empty table; expected a line of column names, then rows")
        self.columns = unique([name.strip().strip("\ufeff") or f"column {at}" for at, name in enumerate(header, 1)], str(path))
        self._block = 2**20
        while True:
            try:
                self.rows, last = 0, ""
                for part in self.slices(self.columns[-1:]):
                    self.rows, last = self.rows + len(part[self.columns[-1]]), part[self.columns[-1]][-1]
                break
            except _RowTooLarge:
                if self._block >= LARGEST_ROW:
                    raise
                self._block *= 8
        if "\n" in last and not self._ends_quoted():
            raise DataError(f"{path} row {self.rows}: a quote that is never closed; expected another one at the end of its cell; add it")

    def _ends_quoted(self) -> bool:
        with pa.input_stream(str(self.path), compression="detect") as stream:
            tail = b""
            while piece := stream.read(2**20):
                tail = (tail + piece)[-64:]
        return tail.rstrip(b"\r\n\0 ").endswith(b'"')

    def _bad_encoding(self) -> DataError:
        return DataError(
            f"{self.path}: not {self.encoding} text; expected UTF-8; convert it, or name its encoding: "
            f"data.encoding=gb18030 (Chinese Windows), cp1252 (Western Windows), ..."
        )

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """Parse the file once, front to back."""
        from pyarrow import csv as arrow_csv

        wanted = list(dict.fromkeys(columns))
        string = pa.large_string()
        reader = None
        try:
            reader = arrow_csv.open_csv(
                str(self.path),
                read_options=arrow_csv.ReadOptions(
                    column_names=self.columns, skip_rows_after_names=1, encoding=self.encoding, block_size=self._block, use_threads=False
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self.delimiter, newlines_in_values=True, ignore_empty_lines=len(self.columns) > 1,
                ),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=wanted, column_types=dict.fromkeys(self.columns, string), strings_can_be_null=False
                ),
            )  # fmt: skip
            for batch in reader:
                for start in range(0, batch.num_rows, SLICE):
                    part = batch.slice(start, SLICE)
                    yield {name: part.column(name).to_pylist() for name in wanted}
        except pa.ArrowInvalid as error:
            ragged = _RAGGED.search(str(error))
            if ragged:
                at = f" row {int(ragged[1]) - 1}" if ragged[1] else ""
                raise DataError(
                    f"{self.path}{at}: {ragged[3]} cells; expected {ragged[2]}; quote cells that hold {self.delimiter!r} or a line break"
                ) from None
            if "UTF8" in str(error) or "decode" in str(error).lower() or "encod" in str(error).lower():
                raise self._bad_encoding() from None
            if "Empty CSV" in str(error):
                return
            if "straddl" in str(error):
                raise _RowTooLarge(f"{self.path}: a row larger than {self._block >> 20} MiB, or a quote that is never closed") from None
            raise DataError(f"{self.path}: not a table that can be read ({short(error)})") from None
        except UnicodeError:
            raise self._bad_encoding() from None
        finally:
            if reader is not None:
                reader.close()


def _delimiter(line: str) -> str:
    counts = {sign: line.count(sign) for sign in (",", "\t", ";")}
    return max(counts, key=lambda sign: counts[sign]) if any(counts.values()) else ","
