"""Parse dates and times in common notations, as days since 1970-01-01 in UTC.

A date that begins with a year (``2024-05-31``, ``2024年5月31日``) or names its month (``31 May 2024``) is unambiguous. ``05/06/2024`` may
be the 5th of June or the 6th of May: the order of its parts is determined for the whole column (``order_of``). A time without a time zone
is read as UTC; a time with a zone is converted to UTC.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from .words import LONGEST, plain_text

if TYPE_CHECKING:
    from ..flow import Cell

ORDERS = ("ymd", "dmy", "mdy", "yymd")
COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
"""The formats of dates without separators, by their number of digits."""
_EPOCH = datetime.datetime(1970, 1, 1)
_PIVOT = 69  # two digits of a year: 69 to 99 are 1969 to 1999, 0 to 68 are 2000 to 2068 (POSIX)

_ZONE = r"(?:\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?(?:\s*\[[\w/+-]{1,40}\])?"
_TIME = (
    r"(?:(?:T|,?\s+|\s*:)(上午|下午|早上|晚上|中午|凌晨)?\s*(\d{1,2})(?:[:h.时](\d{2})?)?(?:[:.分](\d{2})(?:[.,](\d{1,9}))?秒?)?分?(?:\s*([AaPp])\.?[Mm]\.?)?"
    + _ZONE
    + ")?"
)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.年])(\d{1,2})(?:[-/.月](\d{1,2})日?|月)?" + _TIME)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})" + _TIME)
_MONTH_YEAR = re.compile(r"(\d{1,2})[-/.](\d{4})")
_BASIC = re.compile(r"(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})?" + _ZONE)
_YEAR_NAMED = re.compile(r"(\d{4})[\s/-]+([^\W\d_]{3,10})\.?[\s/-]+(\d{1,2})" + _TIME)
_YEAR_LAST_OF_ALL = re.compile(r"(?:[^\W\d_]{3,9} )?([^\W\d_]{3,9}) +(\d{1,2}) (\d{1,2}:\d{2}:\d{2})(?: ([A-Z]{3}|[+-]\d{4}))? (\d{4})")
_QUARTER = re.compile(r"(?:(\d{4})[- ]?Q([1-4])|Q([1-4])[- /]?(\d{4}))", re.IGNORECASE)
_WEEK = re.compile(r"(\d{4})-?W(\d{2})(?:-?([1-7]))?")
_NAMED = re.compile(
    r"(?:[^\W\d_]{2,10}\.?,?\s+)?(?:(?P<day>\d{1,2})(?:st|nd|rd|th|er|º|ª|\.)?[\s/-]*(?:of\s+|de\s+)?)?(?P<month>[^\W\d_]{3,10})\.?"
    r"(?:[\s/-]*(?P<day_2>\d{1,2})(?:st|nd|rd|th)?(?=[,\s/-]))?,?[\s/-]*(?:de\s+|del\s+)?(?P<year>\d{4}|(?<=[/-])\d{2})" + _TIME,
    re.IGNORECASE,
)
_MONTHS = (
    "jan january januar janvier enero ene gennaio gen janeiro januari",
    "feb february februar février fevrier févr febrero febbraio fevereiro fev februari",
    "mar march märz maerz mär mars marzo março marco maart mrt mrz",
    "apr april avril avr abril abr aprile",
    "may mai mayo maggio mag maio mei",
    "jun june juni juin junio giugno giu junho",
    "jul july juli juillet juil julio luglio lug julho",
    "aug august août aout agosto ago augustus",
    "sep sept september septembre septiembre settembre set setembro",
    "oct october oktober okt octobre octubre ottobre ott outubro out",
    "nov november novembre noviembre novembro",
    "dec december dezember dez décembre decembre déc diciembre dic dicembre dezembro",
)
_MONTH_OF = {name: at for at, names in enumerate(_MONTHS, 1) for name in names.split()}


def date(cell: Cell, order: str = "ymd") -> float | None:
    """Return the date in a cell as days since 1970-01-01 in UTC, or None if the cell is not a date.

    :param cell: the cell
    :param order: the order of the parts of a numeric date that does not begin with a year of four digits: "dmy", "mdy", "yymd" (a year of
        two digits first), or "ymd" (such a date is ambiguous, and None is returned); or a format of ``datetime.strptime`` for every text
    """
    if isinstance(cell, str):
        text = plain_text(cell[: LONGEST + 1])
        if len(text) > LONGEST:
            return None
        moment = _formatted(text, order) if "%" in order else _written(text, order)
        return None if moment is None else _days(moment)
    if isinstance(cell, np.datetime64):
        microseconds = cell.astype("datetime64[us]")
        if microseconds.astype(cell.dtype) != cell:  # outside the range of microseconds, the result would be another date
            return None
        cell = microseconds.item()
    if isinstance(cell, datetime.datetime):
        return _days(cell) if cell == cell else None
    if type(cell) is datetime.date:
        return float((cell - datetime.date(1970, 1, 1)).days)
    if order in COMPACT.values() and isinstance(cell, (int, float, np.integer, np.floating)):
        digits = float(cell)
        return date(f"{digits:.0f}", order) if digits.is_integer() else None
    return None


def _days(moment: datetime.datetime) -> float | None:
    try:
        if moment.tzinfo is not None:
            moment = moment.replace(tzinfo=None) - (moment.utcoffset() or datetime.timedelta())
    except (OverflowError, ValueError):
        return None
    return (moment - _EPOCH).total_seconds() / 86_400


def _formatted(text: str, form: str) -> datetime.datetime | None:
    if form in COMPACT.values() and (COMPACT.get(len(text)) != form or not text.isdecimal()):
        return None
    try:
        return datetime.datetime.strptime(text, form)
    except (ValueError, OverflowError):
        return None


def _written(text: str, order: str) -> datetime.datetime | None:
    """Return the date and time of a text by its notation, or None."""
    if match := _YEAR_FIRST.fullmatch(text):
        year, sign, month, day, *time = match.groups()
        if day is None and sign == "." and time[1] is None:  # 2024.05 is a number
            return None
        return _moment(int(year), int(month), int(day or 1), time)
    if match := _YEAR_LAST.fullmatch(text):
        if order == "ymd" or not _is_a_date(match) or (order == "yymd" and len(match[4]) != 2):
            return None
        first, _, second, third, *time = match.groups()
        day, month, year = {"dmy": (first, second, third), "mdy": (second, first, third), "yymd": (third, second, first)}[order]
        return _moment(_year(year), int(month), int(day), time)
    if match := _MONTH_YEAR.fullmatch(text):
        return _moment(int(match[2]), int(match[1]), 1, ()) if "." not in text else None
    if match := _QUARTER.fullmatch(text):
        return _moment(int(match[1] or match[4]), 3 * int(match[2] or match[3]) - 2, 1, ())
    if match := _WEEK.fullmatch(text):
        try:
            return datetime.datetime.combine(
                datetime.date.fromisocalendar(int(match[1]), int(match[2]), int(match[3] or 1)), datetime.time()
            )
        except ValueError:
            return None
    if match := _BASIC.fullmatch(text):
        year, month, day, hour, minute, second, zone = match.groups()
        return _moment(int(year), int(month), int(day), (None, hour, minute, second, None, None, zone))
    if match := _YEAR_NAMED.fullmatch(text):
        year, name, day, *time = match.groups()
        month_at = _MONTH_OF.get(name.casefold())
        return None if month_at is None else _moment(int(year), month_at, int(day), time)
    if match := _YEAR_LAST_OF_ALL.fullmatch(text):  # the notation of asctime in C and of the command `date`
        name, day, clock, zone, year = match.groups()
        return _written(f"{day} {name} {year} {clock} {zone or ''}".strip(), order)
    if match := _NAMED.fullmatch(text):
        month_at, day = _MONTH_OF.get(match["month"].casefold()), match["day"] or match["day_2"]
        if month_at is None or (match["day"] and match["day_2"]):
            return None
        return _moment(_year(match["year"]), month_at, int(day or 1), match.groups()[4:])
    return None


def _is_a_date(match: re.Match[str]) -> bool:
    """Return whether digits with separators may be a date. ``1.2.13`` is considered a version: with points and a year of two digits, days
    and months must have two digits.
    """
    return match[2] != "." or len(match[4]) == 4 or (len(match[1]) == len(match[3]) == 2)


def _year(digits: str) -> int:
    year = int(digits)
    return year if len(digits) == 4 else year + (1900 if year >= _PIVOT else 2000)


def _moment(year: int, month: int, day: int, time: tuple[str | None, ...] | list[str | None]) -> datetime.datetime | None:
    """Return the date and time of a day and the groups of ``_TIME``, or None if there is no such time."""
    part, hour, minute, second, fraction, half, zone = time or (None,) * 7
    try:
        hours = int(hour or 0)
        if half is not None or part is not None:
            if not 0 <= hours <= 12:
                return None
            late = half in ("P", "p") if half is not None else part in ("下午", "晚上", "中午")
            hours = hours % 12 + 12 * late
        extra = datetime.timedelta(days=1) if hours == 24 and not int(minute or 0) and not int(second or 0) else datetime.timedelta()
        hours = 0 if extra else hours
        leap = int(second or 0) == 60
        micro = int((fraction or "0").ljust(6, "0")[:6])
        moment = datetime.datetime(year, month, day, hours, int(minute or 0), 59 if leap else int(second or 0), micro) + extra
        if leap:
            moment += datetime.timedelta(seconds=1)
        if zone is not None and zone[0] in "+-":
            digits = zone[1:].replace(":", "").ljust(4, "0")
            away = datetime.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
            moment += away if zone[0] == "-" else -away
        return moment
    except (ValueError, OverflowError):
        return None


def order_of(cells: Iterable[Cell]) -> tuple[str, bool]:
    """Determine the order of the parts of a column's dates that do not begin with a year of four digits.

    A part above 12 is not a month, and a part above 31 is a year. If no cell shows which part is the day, the month is first with ``/`` and
    the day with ``.`` and ``-``; with years of two digits, the part with fewer different values is the year.

    :param cells: the cells of the column
    :returns: the order ("ymd", "dmy", "mdy" or "yymd"), and whether the cells determine it; if not, it is the convention above
    """
    days_first = months_first = years_first = years_last = ambiguous = slashes = 0
    firsts: set[int] = set()
    lasts: set[int] = set()
    short = False
    for cell in cells:
        if not isinstance(cell, str) or len(cell) > LONGEST:
            continue
        match = _YEAR_LAST.fullmatch(plain_text(cell))
        if match is None or not _is_a_date(match):
            continue
        first, second, last = int(match[1]), int(match[3]), int(match[4])
        slashes += match[2] == "/"
        if len(match[4]) == 2:
            short = True
            firsts.add(first)
            lasts.add(last)
            years_first += first > 31 or first == 0
            years_last += last > 31 or last == 0 or second > 12
        else:
            years_last += 1
        if first > 12 >= second:
            days_first += 1
        elif second > 12 >= first:
            months_first += 1
        else:
            ambiguous += 1
    if short and years_first > years_last:
        return "yymd", True
    if short and not years_last and max(lasts) > 12 and len(lasts) > 2 * len(firsts):
        return "yymd", False
    if days_first or months_first:
        return ("dmy" if days_first >= months_first else "mdy"), True
    if not ambiguous:
        return "ymd", True
    return ("mdy" if 2 * slashes > ambiguous else "dmy"), False
