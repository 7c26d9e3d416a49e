"""Write rows of any cells as a table: CSV or JSON Lines, with the contents of files beside it.

A row is a dict of cells by column, as polymodal reads them in memory: text, numbers, dates, lists, arrays, and the contents of files as
bytes or as ``{"bytes": ..., "path": ...}``. Rows may have different keys. They are read once; a temporary file keeps them until all columns
are known.
"""

from __future__ import annotations

import datetime
import decimal
import io
import json
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..errors import DataError
from ..storage import check_file, replacing
from .attachments import Attachments
from .folders import write_csv
from .usage import Contents, Written

_MOST_DEPTH = 8


def write_table(
    rows: Callable[[], Iterable[Mapping[str, Any]]], out: str | Path, overwrite: bool = False, inputs: Sequence[str | Path] = ()
) -> Written:
    """Write rows to a table, which is replaced only after all rows are written.

    Contents of files are written into a folder beside the table, named after it, by names that state nothing but their content. A column
    that has a list in one row has lists in all rows.

    :param rows: a function that returns the rows, called after the output is known to be possible
    :param out: the path, with the extension .csv or .jsonl
    :param overwrite: whether an existing table, and the folder of its files, are replaced
    :param inputs: the files and folders that the rows are read from, which are not replaced
    :raises UserError: the extension is another one, the table exists, or it cannot be written
    :raises DataError: there are no rows, or too many columns
    """
    path = Path(out)
    check_file(path, overwrite, (".csv", ".jsonl"), "-o TABLE")
    with ExitStack() as stack:
        attachments = stack.enter_context(Attachments(path, overwrite, inputs))
        spool = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", errors="surrogatepass", prefix="polymodal-"))
        contents = _spooled(rows(), spool, attachments, str(path))
        kept = _Kept(spool, contents)
        if path.suffix.lower() == ".csv":
            write_csv(kept.rows(as_text=True), path, overwrite)
        else:
            _write_lines(kept.rows(as_text=False), path)
    return contents.written(attachments.folder if attachments.count else None)


def _spooled(rows: Iterable[Mapping[str, Any]], spool: IO[str], attachments: Attachments, place: str) -> Contents:
    """Write rows to a temporary file, one JSON object a line, and the contents of files beside the table. Return what they contain.

    :raises DataError: there are no rows
    """
    contents = Contents()
    for row in rows:
        try:
            plain = {name: _plain(cell, attachments) for name, cell in row.items()}
        except DataError as error:
            raise DataError(f"{place} row {contents.rows + 1}: {error}") from None
        contents.see(plain)
        spool.write(json.dumps(plain, ensure_ascii=False) + "\n")
    if not contents.rows:
        raise DataError(f"{place}: no rows to write; expected at least one")
    return contents


@dataclass(frozen=True)
class _Kept:
    """The rows of the temporary file.

    :param spool: the file
    :param contents: what they contain
    """

    spool: IO[str]
    contents: Contents

    def rows(self, as_text: bool) -> Iterator[dict[str, Any]]:
        """Yield the rows, each with all columns.

        :param as_text: whether lists and numbers are returned as text, in which no digit is lost
        """
        self.spool.seek(0)
        for line in self.spool:
            row = json.loads(line)
            cells = {}
            for name, is_list in self.contents.lists.items():
                cell = row.get(name)
                if is_list and cell is not None and not isinstance(cell, list):
                    cell = [cell]
                cells[name] = _text(cell) if as_text else cell
            yield cells


def _text(cell: Any) -> Any:
    """Return a cell of the temporary file as CSV contains it."""
    if isinstance(cell, (list, dict)):
        return json.dumps(cell, ensure_ascii=False)
    return repr(cell) if isinstance(cell, float) else cell


def _write_lines(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write rows as JSON Lines."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _plain(cell: Any, attachments: Attachments, depth: int = 0) -> Any:
    """Return a cell as JSON data; the content of a file becomes the name of the file."""
    if cell is None or isinstance(cell, (str, bool, int)):
        return cell
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else None if math.isnan(cell) else str(cell)
    if isinstance(cell, (bytes, bytearray)):
        return attachments.add(bytes(cell)) if cell else None
    if depth > _MOST_DEPTH:
        raise DataError(f"a cell nested more than {_MOST_DEPTH} deep; expected lists of values")
    if isinstance(cell, dict):
        if set(cell) == {"bytes", "path"} and isinstance(cell["bytes"], (bytes, bytearray)):
            return attachments.add(bytes(cell["bytes"]), str(cell["path"] or "")) if cell["bytes"] else None
        return {str(key): _plain(value, attachments, depth + 1) for key, value in cell.items()}
    if isinstance(cell, (list, tuple)):
        return [_plain(value, attachments, depth + 1) for value in cell]
    if isinstance(cell, (datetime.date, datetime.time)):
        return cell.isoformat()
    if isinstance(cell, datetime.timedelta):
        return cell.total_seconds()
    if isinstance(cell, decimal.Decimal):
        return str(cell)
    if getattr(type(cell), "__array__", None) is not None:
        return _array(cell, attachments, depth)
    return str(cell)


def _array(array: Any, attachments: Attachments, depth: int) -> Any:
    """Return an array of numpy: values and lists as such, an array of several dimensions as the name of an .npy file."""
    import numpy as np

    if not array.size:
        return None
    if array.ndim < 2 or array.dtype.kind not in "fiub":
        if array.dtype.kind == "f" and array.dtype.itemsize < 8:  # the shortest numbers: 0.1, and not 0.10000000149011612
            array = np.asarray(array).astype(str).astype(np.float64)
        return _plain(array.tolist(), attachments, depth + 1)
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return attachments.add(out.getvalue())
