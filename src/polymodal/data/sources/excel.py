"""The source of one sheet of an Excel workbook (.xlsx, .xlsm), by openpyxl: values with their types. The value of a formula is the one that
Excel computed last.
"""

from __future__ import annotations

import datetime
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from ...errors import DataError, nearest, requires, warn
from ...flow import Cell
from ...language import Sentence
from .content import check_size
from .garbled import Tally
from .memory import ColumnsSource
from .source import unique

MOST_CELLS = 20_000_000
_MOST_ROWS, _MOST_COLUMNS = 2**20, 2**14
_MOST_TEXT, _MOST_PART = 2**28, 2**24
_MOST_TAGS = 10_000_000
"""The maximum number of tags in the texts of a workbook, four for each text. Reading one takes some microseconds."""
_WHOLE = ("xl/worksheets/", "xl/media/", "xl/embeddings/", "xl/drawings/", "xl/pivotCache/", "xl/charts/")
"""Parts of a workbook that are read piece by piece, or not at all; every other part is read into memory."""
_NO_VALUE = re.compile(rb"<c(?![^>]*\bt=\"str\")[^>]*><f[^>]*?(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v>\s*</v>)?\s*$")
"""A cell with a formula whose value is not in the workbook, without its end. An empty text is a value."""
_MERGED = re.compile(rb"<mergeCell [^>]*ref=\"([A-Z0-9:]{2,20})\"")
_FIX = "save the sheet as .csv or .parquet"


def excel_source(file: IO[bytes], place: str, sheet: str | None) -> ColumnsSource:
    """Return the source of a sheet. Its first row that is not empty contains the column names.

    :param file: the workbook
    :param place: the name of the file, for messages
    :param sheet: the name of the sheet; None = the only one that is not empty
    :raises DataError: the workbook cannot be read, is too large, or the sheet is not determined
    :raises MissingDependency: openpyxl is not installed
    """
    openpyxl = requires("openpyxl", "excel")
    with _reading(place):
        _check_parts(file, place)
        file.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings about styles and extensions, which are not read
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            try:
                chosen = _chosen(book, place, sheet)
                source = _table(chosen, place)
            finally:
                book.close()
        _warn_lost(file, getattr(chosen, "_worksheet_path", ""), place)
        return source


@contextmanager
def _reading(place: str) -> Iterator[None]:
    """Turn every exception of openpyxl in the block into a ``DataError``."""
    try:
        yield
    except (DataError, OSError):
        raise
    except Exception as error:  # openpyxl raises any exception on invalid bytes
        raise DataError(f"{place}: not a workbook that can be read ({type(error).__name__}); expected .xlsx; {_FIX}") from None


def _check_parts(file: IO[bytes], place: str) -> None:
    """Raise ``DataError`` if a part would take too much memory. Nothing is read before."""
    with zipfile.ZipFile(file) as archive:
        for part in archive.infolist():
            name = f"{place}, part {part.filename[:80]!r}"
            if part.filename == "xl/sharedStrings.xml":
                check_size(name, part, _MOST_TEXT)
                with archive.open(part) as opened:
                    tags = sum(piece.count(b"<") for piece in iter(lambda: opened.read(2**20), b""))
                if tags > _MOST_TAGS:
                    raise DataError(f"{name}: {tags:,} tags; expected at most {_MOST_TAGS:,}; {_FIX}")
            elif part.filename.startswith(_WHOLE):
                check_size(name, part)
            else:
                check_size(name, part, _MOST_PART)
            if part.filename.endswith((".xml", ".rels")):
                with archive.open(part) as opened:
                    if b"<!DOCTYPE" in opened.read(1024):
                        raise DataError(f"{name}: an XML document type declaration; expected a workbook as Excel writes it; {_FIX}")


def _warn_lost(file: IO[bytes], part: str, place: str) -> None:
    """Issue a warning if a sheet has formulas without a value, or merged cells, of which all but the first are empty.

    :param part: the part of the workbook that contains the sheet
    """
    formulas, merged, cell, tag = 0, list[bytes](), b"", b""
    with zipfile.ZipFile(file) as archive:
        if part not in archive.namelist():
            return
        with archive.open(part) as opened:
            for piece in iter(lambda: opened.read(2**20), b""):
                *cells, cell = (cell + piece).split(b"</c>")
                formulas += sum(b"<f" in one and _NO_VALUE.search(one) is not None for one in cells)
                merged += _MERGED.findall(tag + piece)
                cell, tag = cell[-(2**16) :], piece[piece.rfind(b"<") :][-(2**10) :]
    if formulas:
        warn(Sentence("workbook.formulas", place=place, count=formulas))
    if merged:
        warn(Sentence("workbook.merged", place=place, count=len(merged), first=merged[0].decode("ascii", "replace")))


def _chosen(book: Any, place: str, sheet: str | None) -> Any:
    """Return the sheet of a workbook: the named one, or the only one that is not empty."""
    names = [one.title for one in book.worksheets]
    if sheet is not None:
        if sheet not in names:
            raise DataError(f"{place}: no sheet {sheet!r}; the sheets are {', '.join(map(repr, names))}{nearest(sheet, names)}")
        return book[sheet]
    filled = [one for one in book.worksheets if any(True for _ in _rows(one, place))]
    if len(filled) > 1:
        titles = ", ".join(repr(one.title) for one in filled[:10])
        raise DataError(
            f"{place}: {len(filled)} sheets that are not empty ({titles}); expected one; name it after the file, such as "
            f"{place}#{filled[0].title}"
        )
    if not filled:
        raise DataError(f"{place}: an empty table; expected a row of column names, then rows")
    return filled[0]


def _rows(sheet: Any, place: str) -> Iterator[list[Cell]]:
    """Yield the rows that are not empty, without the empty cells at their end."""
    sheet.reset_dimensions()  # the stated dimensions may be wrong
    cells = 0
    for at, values in enumerate(sheet.iter_rows(values_only=True), 1):
        row = list(values)
        cells += len(row)
        if at > _MOST_ROWS or cells > 5 * MOST_CELLS:
            raise DataError(f"{place}: more than {min(at, _MOST_ROWS):,} rows or {MOST_CELLS:,} cells; expected at most that; {_FIX}")
        while row and (row[-1] is None or row[-1] == ""):
            row.pop()
        if row:
            yield row


def _table(sheet: Any, place: str) -> ColumnsSource:
    """Return the rows of a sheet, of which the first is the header, as a source."""
    rows = _rows(sheet, place)
    header = next(rows, [])
    columns: list[list[Cell]] = [[] for _ in header]
    for count, row in enumerate(rows, 1):
        if len(row) > _MOST_COLUMNS:
            raise DataError(f"{place}: more than {_MOST_COLUMNS:,} columns; expected at most that; {_FIX}")
        while len(columns) < len(row):
            columns.append([None] * (count - 1))
        if count * len(columns) > MOST_CELLS:
            raise DataError(f"{place}: more than {MOST_CELLS:,} cells; expected at most that in a workbook; {_FIX}")
        for at, cells in enumerate(columns):
            cells.append(row[at] if at < len(row) else None)
    names = _named([*header, *[None] * (len(columns) - len(header))])
    kept = {name: cells for (name, named), cells in zip(names, columns, strict=True) if named or any(cell is not None for cell in cells)}
    unique([name for name, _ in names], place)
    tally = Tally()
    for name, cells in kept.items():
        tally.see(name, cells)
    tally.warn(place, Sentence("table.export_workbook"))
    return ColumnsSource(place, kept)


def _named(header: Iterable[Cell]) -> list[tuple[str, bool]]:
    """Return the names of columns, and whether they are in the sheet. A column with an empty name is named by its position."""
    names = []
    for at, cell in enumerate(header, 1):
        if isinstance(cell, float) and cell.is_integer():
            cell = int(cell)
        if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
            cell = cell.date()
        name = "" if cell is None else str(cell).strip()
        names.append((name or f"column {at}", bool(name)))
    return names
