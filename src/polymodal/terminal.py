"""Text for a terminal: its width, lines and tables that fit it, and colours. Widths are in cells: a Chinese character takes two."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

USUAL_WIDTH = 80
"""The width of output that is not shown on a terminal."""
_NARROWEST, _WIDEST = 40, 120
_GAP = "  "
_LEAST_REST = 24
"""The least width of the last column of a table, if its texts continue on further lines."""
_SHORTEST_LABEL = 8
"""The least width of labels, whatever stands beside them."""
_LONGEST_LABEL = 27
"""The width of labels beyond which they continue on further lines."""
_LONGEST_HEAD, _WIDEST_HEAD = 13, 18
"""The width of the words of heads beyond which they are shortened, and the width of heads beyond which they have more than two lines."""
_CODES = {"bold": "1", "dim": "2", "good": "32", "warning": "33", "error": "31"}
_SEPARATED = re.compile(r"(?<=[_\-./=+,])(?=\w)")
"""The places in a name at which a line may end."""
_STARTS_NO_LINE = frozenset("，。、；：！？）》〉」』】”’…％,.;:!?)]}%")
_ENDS_NO_LINE = frozenset("（《〈「『【“‘([{")


def cells(text: str) -> int:
    """Return the number of cells that a text takes."""
    from rich.cells import cell_len

    return cell_len(text)


def width_of(stream: TextIO | None = None) -> int:
    """Return the number of cells of a line: that of ``COLUMNS``, of the terminal, or 80 if the stream is not a terminal.

    :param stream: where the text is written; None = standard output
    """
    stream = stream or sys.stdout
    given = os.environ.get("COLUMNS", "")
    columns = int(given) if given.isdecimal() and given.isascii() else 0
    if not columns:
        try:
            columns = os.get_terminal_size(stream.fileno()).columns if stream.isatty() else USUAL_WIDTH
        except (OSError, ValueError, AttributeError):
            columns = USUAL_WIDTH
    return min(max(columns or USUAL_WIDTH, _NARROWEST), _WIDEST)


def is_live(stream: TextIO) -> bool:
    """Return whether a stream is a terminal on which lines can be replaced."""
    return _is_terminal(stream) and os.environ.get("TERM", "") not in ("dumb", "unknown")


def _is_terminal(stream: TextIO) -> bool:
    """Return whether a stream is a terminal."""
    try:
        return stream.isatty()
    except (OSError, ValueError, AttributeError):  # the stream is closed
        return False


def has_colors(stream: TextIO | None = None) -> bool:
    """Return whether text for a stream has colours: never with ``NO_COLOR``, always with ``FORCE_COLOR``, otherwise on a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or is_live(stream or sys.stdout)


def painted(text: str, style: str, stream: TextIO | None = None) -> str:
    """Return a text in a style, or as it is where there are no colours.

    :param style: ``bold``, ``dim``, ``good``, ``warning`` or ``error``; empty = none
    :param stream: where the text is written; None = standard output
    """
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if style and text and has_colors(stream) else text


def printable(text: str) -> str:
    """Return a text of one line without control characters, which a terminal would obey."""
    return "".join(" " if char in "\t\r\n" else "\N{REPLACEMENT CHARACTER}" if _is_control(char) else char for char in text)


def _is_control(char: str) -> bool:
    """Return whether a terminal does something else than showing a character."""
    return char < " " or "\x7f" <= char <= "\x9f" or char in "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def wrapped(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """Return a text as lines of at most ``width`` cells, broken at spaces and between Chinese characters.

    A word that is longer than a line, such as a path, is not broken: it has a line of its own.

    :param first: the beginning of the first line
    :param rest: the beginning of the other lines
    """
    lines, line, used, is_empty = [], first, cells(first), True
    for atom, has_space in _atoms(text):
        size, space = cells(atom), " " if has_space and not is_empty else ""
        if not is_empty and used + len(space) + size > width:
            lines.append(line)
            line, used, space = rest, cells(rest), ""
        line, used, is_empty = line + space + atom, used + len(space) + size, False
    return [*lines, line]


def message_lines(
    text: str, stream: TextIO | None = None, first: str = "", rest: str = "  ", several: bool = False
) -> list[str]:  # fmt: skip
    """Return a message, such as a warning or an error, as lines: of the width of a terminal, and otherwise one line, so that a log can be
    searched for it.

    :param text: the message
    :param stream: where it is written; None = standard output
    :param first: the beginning of the first line
    :param rest: the beginning of the lines on which it continues
    :param several: whether the lines of the message remain apart; otherwise it is one text
    """
    width = width_of(stream) if _is_terminal(stream or sys.stdout) else None
    lines: list[str] = []
    for at, own in enumerate(text.split("\n") if several else [text]):
        line = printable(own)
        indent = line[: len(line) - len(line.lstrip(" "))]
        begin = (first if at == 0 else "") + indent
        if width is None or cells(begin + line.lstrip(" ")) <= width:
            lines.append(begin + line.lstrip(" "))
        else:
            lines += wrapped(line, width, begin, indent + rest)
    return lines


def joined(parts: Iterable[tuple[int, str]], width: int, indent: str = "", rest: str = "      ") -> list[str]:
    """Return the parts of a line beside one another, without the least important ones if they do not fit. If those that must be there do
    not fit either, they continue on further lines; a part is never broken.

    :param parts: the parts in their order, each with its importance; those of 0 are never left out
    :param indent: the beginning of the first line
    :param rest: the beginning of the other lines
    """
    kept = [(importance, text) for importance, text in parts if text]
    while cells(indent + _GAP.join(text for _, text in kept)) > width and any(importance for importance, _ in kept):
        kept.remove(max(kept, key=lambda part: part[0]))
    lines, line = [], indent
    for at, (_, text) in enumerate(kept):
        gap = _GAP if at and line != rest else ""
        if at and cells(line + gap + text.rstrip()) > width:
            lines.append(line.rstrip())
            line, gap = rest, ""
        line += gap + text
    return [*lines, line.rstrip()]


def _atoms(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a text between which a line may be broken, and whether a space is before them."""
    for at, word in enumerate(text.split()):
        begin, has_space = 0, at > 0
        for place in range(1, len(word)):
            before, after = word[place - 1], word[place]
            is_wide = not (before.isascii() and after.isascii()) and (cells(before) > 1 or cells(after) > 1)
            if is_wide and after not in _STARTS_NO_LINE and before not in _ENDS_NO_LINE:
                yield word[begin:place], has_space
                begin, has_space = place, False
        yield word[begin:], has_space


def shortened(text: str, width: int) -> str:
    """Return a text of at most ``width`` cells, without its middle if it is longer."""
    if cells(text) <= width:
        return text
    head, tail = "", ""
    left = width - 1
    for at in range(len(text)):
        for from_end in (False, True):
            char = text[-1 - at] if from_end else text[at]
            left -= cells(char)
            if left < 0:
                return f"{head}…{tail}"
            head, tail = (head, char + tail) if from_end else (head + char, tail)
    return text


def folded(text: str, width: int) -> list[str]:
    """Return a name as lines of at most ``width`` cells, broken at spaces and after ``_ - . / = + ,``; a Chinese word only if it is longer
    than a line. Another part that is longer than a line is shortened in its middle.
    """
    lines: list[str] = []
    line = ""
    for part, has_space in _parts(text, width):
        joined = line + (" " if has_space and line else "") + part
        if not line or cells(joined) <= width:
            line = joined
        else:
            lines.append(line)
            line = part
    return [shortened(one, width) for one in [*lines, line]]


def _parts(text: str, width: int) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a name between which it may be broken, and whether a space is before them."""
    for word in text.split():
        has_space = True
        for part in _SEPARATED.split(word) if cells(word) > width else [word]:
            for atom, _ in _atoms(part) if cells(part) > width else [(part, False)]:
                yield atom, has_space
                has_space = False


def padded(text: str, width: int, right: bool = False) -> str:
    """Return a text of exactly ``width`` cells, with spaces after it, or before it if ``right``."""
    space = " " * max(0, width - cells(text))
    return space + text if right else text + space


@dataclass(frozen=True)
class Table:
    """A table of a terminal. Where its columns do not fit beside one another, it continues below, with the labels again.

    :param heads: the head of each column
    :param rows: the rows, each with a text for each column
    :param left: the number of columns, from the first, that are labels, on the left of their column; numbers are on the right
    :param rest: whether the last column has texts of any length, which take what is left of a line and continue on further lines
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    rest: bool = False

    def lines(self, width: int, indent: str = "  ") -> list[str]:
        """Return the lines of the table, each of at most ``width`` cells."""
        inner = width - len(indent)
        rows = [[printable(text) for text in row] for row in self.rows]
        heads = [printable(head) for head in self.heads]
        sizes = [max([_head_width(head), *(cells(row[at]) for row in rows)]) for at, head in enumerate(heads)]
        sizes[0] = min(sizes[0], _LONGEST_LABEL)
        blocks = [list(range(len(heads)))]
        if self.rest:
            others = sum(sizes[1:-1]) + len(_GAP) * (len(heads) - 1)
            sizes[0] = min(sizes[0], max(_SHORTEST_LABEL, inner - others - _LEAST_REST))
            sizes[-1] = max(_LEAST_REST, inner - others - sizes[0])
        elif sum(sizes) + len(_GAP) * (len(heads) - 1) > inner:
            labels = list(range(self.left))
            room = inner - sum(sizes[at] + len(_GAP) for at in labels)
            blocks = [[*labels, *block] for block in _blocks(range(self.left, len(heads)), sizes, room)]
        lines: list[str] = []
        for block in blocks:
            lines += ["", *self._block(heads, rows, block, sizes, indent)]
        return lines[1:]

    def _block(
        self, heads: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[int], sizes: Sequence[int], indent: str
    ) -> list[str]:
        """Return the lines of some of the columns."""
        tops = [folded(heads[at], sizes[at]) if heads[at] else [""] for at in columns]
        height = max(map(len, tops))
        tops = [[""] * (height - len(top)) + top for top in tops]
        lines = self._joined(tops, columns, sizes, indent) if any(heads[at] for at in columns) else []
        for row in rows:
            texts = [self._cell(row[at], at, sizes[at]) for at in columns]
            lines += self._joined(texts, columns, sizes, indent)
        return lines

    def _cell(self, text: str, column: int, size: int) -> list[str]:
        """Return the text of a cell as lines."""
        if self.rest and column == len(self.heads) - 1:
            return wrapped(" ".join(part for word in text.split() for part in (folded(word, size) if cells(word) > size else [word])), size)
        return folded(text, size) if cells(text) > size else [text]

    def _joined(self, texts: Sequence[Sequence[str]], columns: Sequence[int], sizes: Sequence[int], indent: str) -> list[str]:
        """Return the lines of cells beside one another."""
        lines = []
        for at in range(max(map(len, texts))):
            parts = [
                padded(text[at] if at < len(text) else "", sizes[column], right=column >= self.left and not self._is_rest(column))
                for text, column in zip(texts, columns, strict=True)
            ]
            lines.append((indent + _GAP.join(parts)).rstrip())
        return lines

    def _is_rest(self, column: int) -> bool:
        """Return whether a column has texts of any length."""
        return self.rest and column == len(self.heads) - 1


def _blocks(columns: Iterable[int], sizes: Sequence[int], room: int) -> list[list[int]]:
    """Return columns in groups, each of which fits beside the labels; every group has a column at least."""
    groups: list[list[int]] = [[]]
    used = 0
    for at in columns:
        size = sizes[at] + (len(_GAP) if groups[-1] else 0)
        if groups[-1] and used + size > room:
            groups.append([])
            used, size = 0, sizes[at]
        groups[-1].append(at)
        used += size
    return groups


def _head_width(head: str) -> int:
    """Return the width that a head needs to be shown on two lines, or on more if it is long."""
    longest = max((cells(part) for word in head.split() for part in _SEPARATED.split(word)), default=0)
    least = min(longest, _LONGEST_HEAD)
    return next((width for width in range(least, _WIDEST_HEAD) if len(folded(head, width)) <= 2), max(least, _WIDEST_HEAD))


def paragraphs(texts: Iterable[str], width: int, first: str = "", rest: str = "") -> list[str]:
    """Return several texts, each as ``wrapped`` lines."""
    return [line for text in texts for line in wrapped(printable(text), width, first, rest)]
