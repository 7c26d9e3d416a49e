"""Lists that are written as text: JSON, and the formats in which Python, numpy, pandas, polars, pyarrow and PostgreSQL print lists.

Text is never evaluated. Text in square brackets that cannot be read raises a ``Fault``; so does a list whose middle is replaced by ``...``,
as numpy prints long arrays.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from typing import Any

from ..errors import Fault


class LeftOut(Fault):
    """Raised for an incomplete list: its middle is replaced by ``...``, or it is longer than ``LONGEST`` characters."""


LONGEST = 100_000
"""The maximum number of characters of a list."""
_STRING = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_QUOTED = re.compile(_STRING, re.DOTALL)


def _tokens(bare: str) -> re.Pattern[str]:
    """Return the pattern of a token, with ``bare`` as the pattern of a word without quotes."""
    return re.compile(
        rf"""(?P<space>\s+)|(?P<comma>,)|(?P<string>[bBuU]?{_STRING})
        |(?:(?:np|numpy)\.\w+|Decimal|UUID)\((?P<scalar>{_STRING}|[^()'",\[\]]*)\)|(?:np|numpy)\.(?P<name>\w+)
        |(?P<left_out>\.\.\.|…)|{bare}""",
        re.VERBOSE | re.DOTALL,
    )


_LIST = _tokens(r"""(?P<bare>[^\s,\[\]{}'"][^\s,\[\]{}]*)""")
_BRACES = _tokens(r"""(?P<colon>:)|(?P<bare>[^\s,:\[\]{}'"][^\s,:\[\]{}]*)""")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "\n": "", "\\": "\\", "'": "'", '"': '"'}
_CALL = re.compile(r"(?:\w+\.)*(?:array|asarray|tensor|Index|Series|list|tuple|set|frozenset|deque)\(")
_HEAD = re.compile(r"(?:shape: [^\n]*\n)?(?:Series: [^\n]*\n|<[^\n]*>\n)")
_TAIL = re.compile(r"(?:\s*,\s*\w+=[^()\[\]]*(?:\[[^\]]*\]|\([^)]*\))?)*\s*\)?|\s*\n(?:Length|Categories|dtype)\b.*", re.DOTALL)
_PRINTED = re.compile(r"\A(?:[^\n]*\n)+(?:Name: [^\n]*, |Length: [^\n]*, )*dtype: \w+[^\n]*\Z")
_CLOSES = {"[": "]", "(": ")", "{": "}"}
_ENDS = tuple(_CLOSES.values())
_WHOLE = re.compile(r"[+-]?\d{1,400}")
_FRACTION = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d{1,4})?")
_WORDS: dict[str, Any] = {
    "True": True, "true": True, "True_": True, "False": False, "false": False, "False_": False,
    "None": None, "null": None, "nan": None, "NaN": None, "<NA>": None, "NaT": None,
}  # fmt: skip


def listed(text: str, separator: str = ";") -> list[Any] | dict[str, Any] | None:
    """Return the list (or the mapping) that a text contains, or None for a text that contains none.

    :param text: the text of a cell
    :param separator: the separator of words without quotes, besides a comma
    :raises Fault: the text is a list that cannot be read
    """
    text = text.strip()
    if text[-1:] not in _ENDS and "\n" not in text:
        return None
    body = _body(text)
    if body is None:
        return None
    if len(body) > LONGEST:
        raise LeftOut(f"a list of {len(body):,} characters; expected at most {LONGEST:,}")
    with contextlib.suppress(ValueError, RecursionError, MemoryError):
        value = json.loads(body)
        if isinstance(value, (list, dict)):
            return value
    try:
        return _read(body[1:-1], separator, body[0])
    except Fault:
        if body[0] != "[" and not any(quote in body for quote in "'\""):
            return None  # words in round brackets or braces
        raise


def _body(text: str) -> str | None:
    """Return the part of a text from its opening bracket to the matching closing one; None for a text that is not a list."""
    if not text:
        return None
    if text[0] not in _CLOSES:
        if text[-1] == ")" and (call := _CALL.match(text)):
            rest = text[call.end() :].lstrip()
            if rest == ")":
                return "[]"
            return _body(rest) if rest[0] in "[{" else None
        head = _HEAD.match(text)
        return _body(text[head.end() :].lstrip()) if head is not None else _column(text)
    end = _end(text)
    if end == len(text):
        return text
    if end and text[0] != "(" and _TAIL.fullmatch(text, end):
        return text[:end]
    return text if not end and text[0] == "[" and text[-1] == "]" else None  # brackets that do not match: ``_read`` reports them


def _end(text: str) -> int:
    """Return the position after the bracket that closes the first one; 0 if none does."""
    if len(text) > LONGEST:
        return len(text) if text[-1] == _CLOSES[text[0]] else 0
    waiting: list[str] = []
    unclosed: set[str] = set()
    at = 0
    while at < len(text):
        sign = text[at]
        if sign in "'\"" and sign not in unclosed and not text[at - 1].isalnum():
            string = _QUOTED.match(text, at)
            if string is None:
                unclosed.add(sign)
            else:
                at = string.end()
                continue
        elif sign in _CLOSES:
            waiting.append(_CLOSES[sign])
        elif waiting and sign == waiting[-1]:
            waiting.pop()
            if not waiting:
                return at + 1
        at += 1
    return 0


def _column(text: str) -> str | None:
    """Return a printed pandas Series (an index and a value in each line, then its type) as JSON; None for other texts."""
    if "\n" not in text or len(text) > LONGEST or not _PRINTED.match(text):
        return None
    lines = [line.split(None, 1) for line in text.split("\n")[:-1] if line.strip()]
    if any(set(line[0]) == {"."} for line in lines):
        return "[...]"
    return json.dumps([_word(line[1].strip()) for line in lines]) if all(len(line) == 2 for line in lines) else None


def _read(inner: str, separator: str, opening: str) -> list[Any] | dict[str, Any]:
    """Return the list or mapping written between brackets.

    :param inner: the text between the brackets
    :param separator: see ``listed``
    :param opening: the opening bracket
    :raises Fault: the text cannot be read
    """
    token_pattern = _BRACES if opening == "{" else _LIST
    slots: list[list[tuple[str, Any]]] = [[]]  # the tokens between two commas
    at, before = 0, "space"
    while at < len(inner):
        token = token_pattern.match(inner, at)
        if token is None:
            raise Fault(f"a list with {inner[at]!r} in it; expected labels in quotes, with commas between them; write it as JSON")
        kind = str(token.lastgroup)
        if kind == "left_out":
            raise LeftOut("a list whose middle was left out ('...'), as long arrays are printed; expected all of it; write it as JSON")
        if kind == "comma":
            slots.append([])
        elif kind != "space":
            if before not in ("space", "comma", "colon") and kind != "colon":
                raise Fault(f"a list with {inner[at : at + 20]!r} right behind a label; expected a comma between them; write it as JSON")
            slots[-1].append((kind, _value(kind, token)))
        at, before = token.end(), kind
    if any(kind == "colon" for slot in slots for kind, _ in slot):
        return _mapping([slot for slot in slots if slot])
    tokens = [token for slot in slots for token in slot]
    words = [value for kind, value in tokens if kind == "bare" and isinstance(value, str)]
    quoted = any(kind in ("string", "scalar") for kind, _ in tokens)
    if opening == "(":
        codes = all(isinstance(value, (bool, int, float)) and value in (0, 1) for _, value in tokens)
        if (len(slots) < 2 and tokens) or not (codes or quoted):
            raise Fault("words or numbers in round brackets; expected labels in quotes, with commas between them")
    if not words:  # numpy prints no commas
        return [value for _, value in tokens]
    if quoted or opening == "(":
        raise Fault(f"a list with {words[0][:40]!r} outside of quotes; expected every label in quotes; write it as JSON")
    if len(slots) == 1 and len(tokens) > 1:
        if separator.strip() and separator in inner:
            return [_word(part.strip()) for part in inner.split(separator)]
        raise Fault(f"a list of words without commas or quotes, {inner.strip()[:40]!r}; expected commas between labels; write it as JSON")
    return [_word(part.strip()) for part in inner.split(",")]


def _mapping(slots: list[list[tuple[str, Any]]]) -> dict[str, Any]:
    """Return the mapping of slots that each consist of a key, a colon and a value."""
    mapping: dict[str, Any] = {}
    for slot in slots:
        if len(slot) != 3 or slot[1][0] != "colon" or not isinstance(slot[0][1], str):
            raise Fault("braces with a colon outside of quotes; expected labels in quotes, with commas between them; write it as JSON")
        mapping[slot[0][1]] = slot[2][1]
    return mapping


def _value(kind: str, token: re.Match[str]) -> Any:
    """Return the value of a token."""
    text = token[kind]
    if kind == "string" or text[:1] in ("'", '"'):
        return b"bytes" if text[0] in "bB" else _unescaped(text.lstrip("uU")[1:-1])
    return _word(text)


def _word(text: str) -> Any:
    """Return the value of a word without quotes: a number, a truth value, None, or the word itself."""
    if text in _WORDS:
        return _WORDS[text]
    digits = text.lstrip("+-")
    if _WHOLE.fullmatch(text):
        return int(text) if digits == "0" or digits[0] != "0" else text
    if _FRACTION.fullmatch(text) and len(text) <= 400:
        value = float(text)
        return value if math.isfinite(value) else text
    return text


def _unescaped(text: str) -> str:
    """Return the content of a string that Python or JSON writes between quotes."""

    def character(escape: re.Match[str]) -> str:
        code = escape[1]
        if len(code) > 1:
            point = int(code[1:], 16)
            return chr(point) if point <= 0x10FFFF else "\ufffd"
        return _ESCAPED.get(code, escape[0])

    return _ESCAPE.sub(character, text) if "\\" in text else text
