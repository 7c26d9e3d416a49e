"""Rows of predictions as lines of JSON, and as CSV, JSONL and Parquet files."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..storage import check_file, no_formula, replacing
from ..training.observers import plain

Row = Mapping[str, Any]
_ROWS_AT_ONCE = 4_096  # rows of one group of a Parquet file


def json_line(row: Row) -> str:
    """Return a row as one line of JSON, without a line break at its end. NaN and infinite numbers become null."""
    return json.dumps(plain(row), ensure_ascii=False)


def csv_lines(columns: Iterable[str], rows: Iterable[Row]) -> Iterator[str]:
    """Yield a table as CSV: a header with the columns, and the record of each row, with their line breaks.

    Lists are joined by ``;``, and no cell is text that a spreadsheet would take for a formula.
    """
    columns = list(columns)
    written = csv.writer(_Returned()).writerow
    yield written(map(no_formula, columns))
    for row in rows:
        cells = (row[name] for name in columns)
        yield written(no_formula(";".join(map(str, cell)) if isinstance(cell, list) else cell) for cell in cells)


class _Returned:
    """A file whose ``write`` returns the text, which ``writerow`` returns in turn."""

    def write(self, text: str) -> str:
        return text


def check_path(path: str | Path, *, overwrite: bool = False, inputs: Iterable[str | Path] = ()) -> None:
    """Check the name of a file for rows before anything is predicted.

    :param overwrite: whether a file that exists may be replaced
    :param inputs: the files that the rows are read from, which are never replaced
    :raises UserError: the file exists and ``overwrite`` is False, is an input, or its extension is not known
    """
    check_file(Path(path), overwrite, tuple(_WRITERS), inputs=inputs)


def write_rows(path: str | Path, columns: Mapping[str, str], rows: Iterable[Row]) -> int:
    """Write rows to a file in the format of its extension and return their number. The file is replaced only after all rows are written.

    :param path: a file whose extension ``check_path`` has accepted
    :param columns: the columns in order, with their types
    :raises UserError: the file cannot be written
    """
    file = Path(path)
    with replacing(file) as temporary:
        return _WRITERS[file.suffix.lower()](temporary, columns, iter(rows))


def _write_csv(path: Path, columns: Mapping[str, str], rows: Iterator[Row]) -> int:
    """Write a CSV file (see ``csv_lines``)."""
    count = -1
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        for line in csv_lines(columns, rows):
            file.write(line)
            count += 1
    return count


def _write_jsonl(path: Path, columns: Mapping[str, str], rows: Iterator[Row]) -> int:
    """Write a file with one JSON object for each row."""
    count = 0
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        for row in rows:
            file.write(json_line(row) + "\n")
            count += 1
    return count


def _write_parquet(path: Path, columns: Mapping[str, str], rows: Iterator[Row]) -> int:
    """Write a Parquet file with the types of the columns."""
    import pyarrow as pa
    from pyarrow import parquet

    types = {name: pa.type_for_alias(kind.removeprefix("list ")) for name, kind in columns.items()}
    schema = pa.schema([(name, pa.list_(of) if columns[name].startswith("list ") else of) for name, of in types.items()])
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        while part := list(itertools.islice(rows, _ROWS_AT_ONCE)):
            part = [{name: _as_text(cell) if columns[name].endswith("string") else cell for name, cell in row.items()} for row in part]
            writer.write_table(pa.Table.from_pylist(part, schema=schema))
            count += len(part)
    return count


def _as_text(cell: Any) -> Any:
    """Return a cell of a text column as text, since classes may have several types."""
    if isinstance(cell, list):
        return [_as_text(part) for part in cell]
    return cell if cell is None or isinstance(cell, str) else str(cell)


_WRITERS: dict[str, Callable[[Path, Mapping[str, str], Iterator[Row]], int]] = {
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
    ".parquet": _write_parquet,
}
