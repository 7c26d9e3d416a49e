"""Detect the dialect of a CSV file from its first lines: the lines before its header, its delimiter and its column names."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...cells import number
from ...errors import DataError
from .source import unique

_SIGNS = (",", "\t", ";", "|")
_INSPECTED_ROWS = 20
"""The number of rows by which a delimiter is detected."""
_SEP = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written.

    :param delimiter: the delimiter
    :param skipped: the number of lines before the header
    :param names: the names of the columns
    :param unnamed_last: whether the last column has no name in the file
    :param spaced: whether there are spaces between a delimiter and a quote
    :param has_rows: whether there are rows after the header
    """

    delimiter: str
    skipped: int
    names: list[str]
    unnamed_last: bool = False
    spaced: bool = False
    has_rows: bool = True


def dialect_of(head: str, whole: bool, place: str, delimiter: str | None) -> Dialect:
    """Detect the dialect.

    :param head: the first lines of the file
    :param whole: whether they are the whole file
    :param place: the name of the file, for messages
    :param delimiter: the delimiter; None = detected
    :raises DataError: there is no header that can be read, or two columns have the same name
    """
    lines = list(io.StringIO(head.lstrip("\ufeff"), newline=""))
    start = _first_of_text(lines, 0)
    separator = _SEP.fullmatch(lines[start]) if start < len(lines) else None
    if separator:
        delimiter, start = separator[1], _first_of_text(lines, start + 1)
    start = _after_comments(lines, start, whole, delimiter)
    sign = delimiter or _detected_delimiter(lines[start:], whole)
    spaced = _is_spaced(lines[start:], whole, sign)
    rows = _records(lines[start:], whole, sign, spaced)
    if not rows and start < len(lines):
        raise DataError(f"{place}: its first line cannot be read, or contains a quote that is never closed; expected column names")
    header = rows[0] if rows else []
    if not header or header == [""]:
        raise DataError(f"{place}: an empty table; expected a line of column names, then rows")
    extra = len(rows) > 1 and all(len(row) == len(header) + 1 and not row[-1] for row in rows[1:])
    if header[0].startswith("# "):
        header[0] = header[0][2:]
    names = _named([*header, ""] if extra else header, place)
    unnamed_last = extra or (len(header) > 1 and not header[-1].strip())
    has_rows = not whole or len(rows) > 1 or (len(names) == 1 and len(lines) > start + 1)  # in a file of one column, a blank line is a row
    return Dialect(sign, start, names, unnamed_last, spaced, has_rows)


def _named(header: Sequence[str], place: str) -> list[str]:
    """Return the names without surrounding white space. A column with an empty name is named by its position."""
    names = [name.strip().strip("\ufeff") for name in header]
    for at, name in enumerate(names):
        if not name:
            named = f"column {at + 1}"
            while named in names:
                named += "_"
            names[at] = named
    return unique(names, place)


def _first_of_text(lines: Sequence[str], start: int) -> int:
    """Return the index of the first line that is not blank."""
    return next((at for at in range(start, len(lines)) if lines[at].strip("\r\n")), len(lines))


def _after_comments(lines: Sequence[str], start: int, whole: bool, delimiter: str | None) -> int:
    """Return the index of the header.

    Lines that begin with ``#`` are comments. The last of them is the header if it has as many cells as the first row, and either no space
    follows the ``#`` (as in ``#CHROM``) or the first row consists of numbers (as numpy writes a header).
    """
    end = start
    while end < len(lines) and lines[end].lstrip('"').startswith("#"):
        end = _first_of_text(lines, end + 1)
    if end == start or end == len(lines):
        return start
    sign = delimiter or _detected_delimiter(lines[end:], whole)
    first = next(csv.reader([lines[end]], delimiter=sign), [])
    if len(first) < 2:
        return start
    before = next(csv.reader([lines[end - 1]], delimiter=sign), [])  # a blank line has no cells
    is_header = len(before) == len(first) and (before[0][1:2] != " " or all(number(cell) is not None for cell in first))
    return end - 1 if is_header else end


def _detected_delimiter(lines: Sequence[str], whole: bool) -> str:
    """Return the delimiter that gives the most cells in the header, and equally many in most rows; else the most frequent in the header."""
    best, delimiter = 0, ""
    for sign in _SIGNS:
        rows = _records(lines, whole, sign, True)
        count = len(rows[0]) if rows else 0
        matching = sum(len(row) == count or (len(row) == count + 1 and not row[-1]) for row in rows[1:])
        if count > max(best, 1) and 2 * matching >= len(rows) - 1:
            best, delimiter = count, sign
    if delimiter:
        return delimiter
    first = lines[0] if lines else ""
    return max(_SIGNS[:3], key=first.count)


def _is_spaced(lines: Sequence[str], whole: bool, sign: str) -> bool:
    """Return whether there are quotes after spaces that open cells."""
    plain = _records(lines, whole, sign, False)
    if not any(cell.startswith(" ") and cell.lstrip(" ").startswith('"') for row in plain for cell in row):
        return False
    rows = _records(lines, whole, sign, True, strict=True)
    return len(rows) > 0 and len(rows) >= len(_records(lines, whole, sign, True)) and len({len(row) for row in rows}) == 1


def _records(lines: Sequence[str], whole: bool, sign: str, spaced: bool, strict: bool = False) -> list[list[str]]:
    """Return the first rows without blank lines. A row that may continue beyond the lines is left out, unless it is the first."""
    reader = csv.reader(iter(lines), delimiter=sign, skipinitialspace=spaced and sign != "\t", strict=strict)
    rows: list[list[str]] = []
    try:
        for row in itertools.islice(reader, _INSPECTED_ROWS + 1):
            if rows and not whole and reader.line_num == len(lines):
                break
            if row:
                rows.append(row)
    except csv.Error:
        pass
    return rows
