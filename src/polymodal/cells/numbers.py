"""Parse numbers in common notations, and durations as seconds.

A plain number is ``1234.5``. Others have separators of thousands (``1,234.50``, ``1 234.50``, ``1'234.50``, ``12,34,567``), a decimal
comma (``1.234,50``), a currency (``$1,234.50``, ``EUR 103.28``, ``98元``), a percent sign, a multiplier (``1.5万``, ``3亿``, ``12k``),
parentheses for a minus (``(1,234)``), a bound (``<0.5``, read as 0.5), or a unit that all cells of the column share (``12 kg``). The
decimal sign and the unit are determined for the whole column, see ``formats.py``.

A duration is ``H:MM:SS``, ``M:SS``, ``2 days 03:04:05``, ``PT1H30M``, ``1h 20min`` or a ``timedelta``. A time of day is the seconds since
midnight.
"""

from __future__ import annotations

import datetime
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from .words import LONGEST, plain_text

if TYPE_CHECKING:
    from ..flow import Cell

Decimal = Literal[".", ","]
Clock = Literal["h:m", "m:s"]

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_SHAPE = re.compile(  # spaces are part of the preceding group: several adjacent optional runs would take time of the fourth power
    r"(?:(?P<open>\()\s*)?(?:(?P<sign>[+-])\s*)?(?:(?P<before>[^\d\s.,()+-][^\d\s()+-]{0,8})\s*)?(?:(?P<sign_2>[+-])\s*)?"
    r"(?P<digits>[.,]?\d[\d.,'’ ]*)(?P<power>[eE][+-]?\d+)?(?P<after>[^\d()+-]{0,24}?[23]?)(?P<last>[+-])?\s*(?P<close>\))?"
)
_ABOUT = re.compile(r"[~≈≃≤≥<>约]=?\s*")
_POWER = re.compile(r"\s*[x×*·]\s*10\^([+-]?\d{1,3})")
_GROUPED = {
    ".": re.compile(r"\d+(?:\.\d*)?|\.\d+|\d{1,3}([, '’])\d{3}(?:\1\d{3})*(?:\.\d*)?|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d*)?"),
    ",": re.compile(r"\d+(?:,\d*)?|,\d+|\d{1,3}([. '’])\d{3}(?:\1\d{3})*(?:,\d*)?"),
}
_CURRENCY_SIGNS = """
    $ € £ ¥ ₹ ₽ ₩ ₺ ₫ ฿ ₪ ₴ ₦ ₱ ₡ ₲ ₸ ¢ us$ u.s.$ a$ au$ c$ ca$ nz$ mx$ hk$ nt$ s$ r$ rp rp. rm kr kr. zł kč ft rs rs. fr. руб руб. лв
    元 円 圆 块 人民币 rmb 美元 欧元 英镑 日元 港元 港币 台币 원
    usd eur gbp jpy cny cnh chf cad aud nzd hkd twd sgd krw inr rub brl mxn zar sek nok dkk pln czk huf ron bgn try ils thb vnd idr myr
    php aed sar
"""
_CURRENCIES = frozenset(_CURRENCY_SIGNS.split())
_TIMES = {
    "k": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "mio": 1e6, "mio.": 1e6, "million": 1e6, "b": 1e9, "bn": 1e9, "billion": 1e9,
    "mrd": 1e9, "mrd.": 1e9, "lakh": 1e5, "crore": 1e7, "cr": 1e7, "百": 1e2, "千": 1e3, "万": 1e4, "萬": 1e4, "十万": 1e5, "百万": 1e6,
    "千万": 1e7, "亿": 1e8, "億": 1e8, "万亿": 1e12, "만": 1e4, "억": 1e8,
}  # fmt: skip
_PARTS_OF = {"%": 1e-2, "‰": 1e-3}
_UNIT = re.compile(r"[^\W\d_]{1,12}\.?[23]?(?: [^\W\d_]{1,12}\.?)?(?:/[^\W\d_]{1,12}[23]?)?|°[a-z]?|[\"']")
_BY_TEN_THOUSAND = re.compile(r"([\d.]+)(亿|億)([\d.]+)(万|萬)?")

_MINUTES = re.compile(r"(-)?(\d{1,6}):([0-5]\d[.,]\d{1,9})")
_CLOCK = re.compile(
    r"(-)?(?:(\d{1,6}) days?,? \+?)?(上午|下午|早上|晚上|中午|凌晨|오전|오후)?\s*"
    r"(\d{1,6}):([0-5]\d)(?::([0-5]\d)(?:[.,](\d{1,9}))?)?(?:\s*([AaPp])\.?[Mm]\.?)?"
)
_SPELLED = re.compile(
    r"(?:(\d+(?:\.\d+)?) ?(?:days?|d|天|日),? ?)?(?:(\d+(?:\.\d+)?) ?(?:hours?|hrs?|hr|h|小时|时),? ?)?"
    r"(?:(\d+(?:\.\d+)?) ?(?:minutes?|mins?|min|分钟|分|m(?=$|[ \d])),? ?)?(?:(\d+(?:\.\d+)?) ?(?:seconds?|secs?|sec|s|秒钟?))?",
    re.IGNORECASE,
)
_ISO_DURATION = re.compile(r"(-)?P(?=\d|T\d)(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_AFTERNOON = ("下午", "晚上", "中午", "오후")


@dataclass(frozen=True)
class Numbers:
    """The notation of the numbers of a column."""

    decimal: Decimal = "."
    """The decimal sign. The other sign, a space or an apostrophe may separate thousands."""
    unit: str = ""
    """The unit after each number, in lower case; "" = none."""
    clock: Clock = "h:m"
    """Whether ``3:45`` is hours and minutes, or minutes and seconds."""

    def read(self, cell: Cell) -> float | None:
        """Return the finite number in a cell, the seconds of a duration, or None for anything else."""
        if isinstance(cell, str):
            if self.decimal == "." and (plain := _plain_number(cell)) is not None:
                return plain
            text = cell.strip()
            if len(text) > LONGEST:
                return None
            if not text.isascii():
                text = plain_text(text)
            value: float | None
            if self.decimal == "." and _NUMBER.fullmatch(text):
                value = float(text)
            elif self.decimal == "." and _THOUSANDS.fullmatch(text):
                value = float(text.replace(",", ""))
            else:
                value = self._dressed(text.replace("\u2212", "-"))
            return value if value is not None and math.isfinite(value) else None
        if isinstance(cell, (bool, np.bool_, bytes, bytearray)):
            return None
        if isinstance(cell, datetime.timedelta):
            return cell.total_seconds() if cell == cell else None
        if isinstance(cell, datetime.time):
            return cell.hour * 3_600.0 + cell.minute * 60.0 + cell.second + cell.microsecond / 1e6
        if isinstance(cell, np.timedelta64):
            return float(cell / np.timedelta64(1, "s")) if np.datetime_data(cell)[0] not in ("generic", "Y", "M") and cell == cell else None
        try:
            value = float(cell)
        except (TypeError, ValueError, OverflowError):
            return None
        return value if math.isfinite(value) else None

    def _dressed(self, text: str) -> float | None:
        """Return the value of a number with more than digits, a point and an exponent."""
        if ":" in text:
            return self._clock(text)
        if text[-2:] in (".-", ",-"):  # as in "CHF 5.-": no cents
            text = text[:-2]
        if match := _ABOUT.match(text):
            text = text[match.end() :]
        if "^" in text:
            text = _POWER.sub(r"e\1", text, count=1)
        match = _SHAPE.fullmatch(text)
        if match is None or (match["open"] is None) != (match["close"] is None):
            return _spelled(text)
        signs = [sign for sign in (match["sign"], match["sign_2"], match["open"], match["last"]) if sign]
        before, after = (match["before"] or "").casefold(), match["after"].strip()
        if len(signs) > 1 or (before and before.strip() not in _CURRENCIES):
            return _spelled(text)
        digits = match["digits"].rstrip(" ")
        if digits[-1] in ".," and after:  # as in "5. Mai"
            return _spelled(text)
        value = self._digits(digits, match["power"])
        if value is None:
            return _spelled(text)
        scale = self._scale(after)
        if scale is None:
            return _spelled(text)
        return -value * scale if signs and signs[0] != "+" else value * scale

    def _digits(self, digits: str, power: str | None) -> float | None:
        if _GROUPED[self.decimal].fullmatch(digits) is None:
            return None
        if self.decimal == ",":
            digits = digits.replace(".", "").replace(",", ".")
        plain = digits.replace(",", "").replace(" ", "").replace("'", "").replace("’", "")
        return float(plain + (power or ""))

    def _scale(self, after: str) -> float | None:
        """Return the factor for the text after a number, such as a multiplier or a unit; None if the text is unknown."""
        metres = after == "m"  # "m" is not millions, unlike "M"
        after = after.casefold()
        if not after or after == self.unit or after in _CURRENCIES:
            return 1.0
        if metres:
            return None
        if after in _PARTS_OF:
            return _PARTS_OF[after]
        if after in _TIMES:
            return _TIMES[after]
        for length in (3, 2, 1):  # 万元
            head, tail = after[:length], after[length:].strip()
            if head in _TIMES and tail and (tail == self.unit or tail in _CURRENCIES):
                return _TIMES[head]
        head, _, tail = after.partition(" ")
        return _TIMES[head] if head in _TIMES and (tail == self.unit or tail in _CURRENCIES) else None

    def _clock(self, text: str) -> float | None:
        match = _CLOCK.fullmatch(text)
        if match is None:
            minutes = _MINUTES.fullmatch(text)
            return None if minutes is None else (-1 if minutes[1] else 1) * (int(minutes[2]) * 60.0 + float(minutes[3].replace(",", ".")))
        minus, days, part_of_day, first, second, third, fraction, half = match.groups()
        if third is None and self.clock == "m:s" and half is None and part_of_day is None:
            seconds = int(first) * 60.0 + int(second)
        else:
            hours = int(first)
            if half is not None or part_of_day is not None:
                if hours > 12:
                    return None
                late = half in ("P", "p") if half is not None else part_of_day in _AFTERNOON
                hours = hours % 12 + 12 * late
            seconds = hours * 3_600.0 + int(second) * 60.0 + int(third or 0)
        seconds += float(f"0.{fraction}") if fraction else 0.0
        seconds += int(days or 0) * 86_400.0
        return -seconds if minus else seconds


PLAIN = Numbers()


def _plain_number(text: str) -> float | None:
    """Return the finite number that ``float`` reads in a text, if ``_NUMBER`` would match it; None for any other text.

    Most cells are such numbers, and ``float`` is faster than a regular expression.
    """
    if len(text) > LONGEST or "_" in text or not text.isascii():
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def number(cell: Cell) -> float | None:
    """Return the number in a single cell, with a decimal point and no unit; None for anything else."""
    return PLAIN.read(cell)


def is_dressed(text: str) -> bool:
    """Return whether a text has more than digits, a point and an exponent, so that its value may depend on the other cells of its
    column."""
    return _NUMBER.fullmatch(text.strip()) is None


def _spelled(text: str) -> float | None:
    """Return the seconds of ``1h 20min`` or ``PT1H20M``, the value of ``1亿2000万``, or None for anything else."""
    if match := _BY_TEN_THOUSAND.fullmatch(text):
        try:
            return float(match[1]) * 1e8 + float(match[3]) * (1e4 if match[4] else 1.0)
        except ValueError:
            return None
    if match := _ISO_DURATION.fullmatch(text):
        minus, *parts = match.groups()
        seconds = sum(float(part) * scale for part, scale in zip(parts, (604_800, 86_400, 3_600, 60, 1), strict=True) if part)
        return -seconds if minus else float(seconds)
    if match := _spelled_match(text):
        return float(sum(float(part) * scale for part, scale in zip(match.groups(), (86_400, 3_600, 60, 1), strict=True) if part))
    return None


def _spelled_match(text: str) -> re.Match[str] | None:
    """Match durations such as ``1h 20min``, but not ``5 m``, which is a number of meters."""
    match = _SPELLED.fullmatch(text) if text[:1].isdigit() else None
    return match if match is not None and any(match.groups()) and text.lstrip("0123456789. ").casefold() != "m" else None


def numbers_of(cells: Iterable[Cell], decimal: Decimal | None = None) -> tuple[Numbers, list[str], str | None]:
    """Determine the notation of the numbers of a column from its cells.

    :param cells: the cells of the column
    :param decimal: the decimal sign, if it is known
    :returns: the notation; the currencies, the most frequent first; and a cell that is only a bound, such as ``<0.5``, or None
    """
    bound: str | None = None
    currencies: Counter[str] = Counter()
    points = commas = 0
    units: Counter[str] = Counter()
    texts = 0
    minutes, two, three, padded = False, 0, 0, True
    for cell in cells:
        texts += isinstance(cell, str)
        if not isinstance(cell, str) or len(cell) > LONGEST or _NUMBER.fullmatch(text := plain_text(cell)):
            if isinstance(cell, str) and len(cell) <= LONGEST:
                points += "." in cell and _shows_a_point(plain_text(cell))
            continue
        if ":" in text:
            if match := _CLOCK.fullmatch(text):
                if match[6] is None:
                    two += 1
                    minutes |= int(match[4]) > 23
                else:
                    three += 1
                    padded &= len(match[4]) > 1
            continue
        if about := _ABOUT.match(text):
            bound = bound or text
            text = text[about.end() :]
        match = _SHAPE.fullmatch(text)
        if match is None:
            continue
        bound = text if bound is None and match["last"] == "+" else bound
        sign = _decimal_shown(match["digits"].rstrip(" "))
        points, commas = points + (sign == "."), commas + (sign == ",")
        after = match["after"].strip()
        currencies.update(sign for sign in ((match["before"] or "").casefold(), after.casefold()) if sign in _CURRENCIES)
        if after and PLAIN._scale(after) is None and _UNIT.fullmatch(after.casefold()) is not None and _spelled_match(text) is None:
            units[after.casefold()] += 1
    unit, count = units.most_common(1)[0] if units else ("", 0)
    if count < max(0.5 * texts, 0.9 * units.total()):
        unit = ""  # a column of kilograms and grams has no common unit
    clock: Clock = "m:s" if two and (minutes or (three and not padded)) else "h:m"
    named = [name for name, _ in currencies.most_common()]
    return Numbers(decimal or ("," if commas > points else "."), unit, clock), named, bound


def _shows_a_point(text: str) -> bool:
    """Return whether the point in a plain number must be a decimal point. Before three digits it may separate thousands."""
    head, _, tail = text.partition(".")
    return len(tail) != 3 or len(head.lstrip("+-")) > 3 or head.lstrip("+-") in ("", "0")


def _decimal_shown(digits: str) -> str | None:
    """Return the decimal sign that the digits of one number determine, or None if it may be either."""
    at = {sign: digits.rfind(sign) for sign in ".,"}
    if at["."] >= 0 and at[","] >= 0:
        return "." if at["."] > at[","] else ","
    for sign, other in ((".", ","), (",", ".")):
        if at[sign] < 0:
            continue
        parts = digits.split(sign)
        if len(parts) > 2:  # several of one sign separate thousands
            return other
        head, tail = parts
        grouped = len(tail) == 3 and 1 <= len(head.replace(" ", "")) <= 3 and not head.startswith("0")
        return None if grouped else sign
    return None
