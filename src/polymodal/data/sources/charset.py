"""Detect the encoding of a text file: by its byte order mark, by its zero bytes, or by whether all of it is UTF-8; otherwise the most
plausible encoding is used, with a warning.

Text that is not UTF-8 is decoded in each of a few encodings. Among those that decode all inspected lines, the one with the most common
characters is chosen: two-byte encodings order their characters by frequency (GB 2312, Big5, JIS X 0208 and KS X 1001 have a first level of
common ones); in alphabets, letters are next to letters, and lower case follows upper case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ...errors import DataError, warn
from ...language import Sentence
from .content import Content
from .garbled import are_suspect, is_suspect
from .source import LARGEST_ROW

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_WIDE = (("utf-32-le", 4, 0), ("utf-32-be", 4, 3), ("utf-16-le", 2, 0), ("utf-16-be", 2, 1))
_EVIDENCE = 2**16
"""The number of bytes in lines that are not ASCII by which an encoding is chosen."""
_SURVEYED = 64
"""The number of blocks with bytes that are not UTF-8 after which the detection stops."""
_LEAST = 0.5
"""The least fraction of plausible characters, among those that are not ASCII, with which an encoding is accepted."""
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1f]")
_FIX = "name its encoding: encoding=gb18030 (Chinese Windows), cp1252 (Western Windows), ... (--encoding), or write it again as UTF-8"


@dataclass(frozen=True)
class Charset:
    """The encoding of a file.

    :param encoding: its name
    :param suspect: whether some of the text may have been decoded in a wrong encoding before it was written
    :param stated: whether the caller stated the encoding
    """

    encoding: str
    suspect: bool = False
    stated: bool = False

    @property
    def fix(self) -> str:
        """Advice for text that was decoded in a wrong encoding."""
        return Sentence("table.other_encoding" if self.stated else "table.export_again")


def charset_of(content: Content, place: str, encoding: str | None = None, fallback: str | None = None, detect_any: bool = True) -> Charset:
    """Return the encoding of a text file.

    :param content: the bytes of the file
    :param place: the name of the file, for messages
    :param encoding: the encoding that the caller stated, which is only checked; None = detected
    :param fallback: the encoding to try first for text that is not UTF-8 and has no byte order mark; None = detected
    :param detect_any: whether encodings other than UTF-8, UTF-16 and UTF-32 are detected
    :raises DataError: the encoding is unknown or contradicts the byte order mark, or no encoding is plausible; or the file
        is compressed, and unpacks to more than the bound
    """
    charset = _charset_of(content, place, encoding, fallback, detect_any)
    content.check()
    return charset


def _charset_of(content: Content, place: str, encoding: str | None, fallback: str | None, detect_any: bool) -> Charset:
    """Return the encoding of a text file; the parameters are those of ``charset_of``."""
    with content.open() as stream:
        head = stream.read(_EVIDENCE)
    mark = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    if encoding is not None:
        return _stated(head, place, encoding, mark)
    if mark is None or mark == "utf-8":
        wide = _wide(head) if mark is None else None
        if wide is None:
            return _narrow(content, place, fallback, detect_any and mark is None)
        mark = wide
    return Charset(mark, is_suspect(head.decode(mark, "ignore")))


def check_encoding(encoding: str, place: str) -> None:
    """Raise ``DataError`` if Python does not know an encoding of text of this name."""
    try:
        b"a".decode(encoding, "ignore")
    except (LookupError, ValueError):  # idna and others, which are not encodings of files, do not support "ignore"
        raise DataError(f"{place}: encoding {encoding[:40]!r} is not known; expected such as utf-8, gb18030 or cp1252") from None


def _stated(head: bytes, place: str, encoding: str, mark: str | None) -> Charset:
    """Return the charset of a file for which the caller states the encoding.

    :raises DataError: the encoding is unknown, or contradicts the byte order mark
    """
    check_encoding(encoding, place)
    plain = encoding.lower().replace("_", "-").replace("utf8", "utf-8").removesuffix("-sig")
    if mark is not None and not plain.startswith(mark):
        raise DataError(f"{place}: begins with the byte order mark of {mark.upper()}, but encoding={encoding!r}; leave the encoding out")
    if plain == "utf-8" or mark is not None:
        return Charset(mark or "utf-8", is_suspect(head.decode(mark or "utf-8", "ignore")), True)
    return Charset(encoding, is_suspect(head.decode(encoding, "ignore")), True)


def _wide(head: bytes) -> str | None:
    """Detect UTF-16 or UTF-32 without a byte order mark by the zero bytes of ASCII characters at every second or fourth position."""
    zero = np.frombuffer(head, np.uint8) == 0
    if not zero.any():
        return None
    for name, size, first in _WIDE:
        whole = zero[: len(zero) // size * size].reshape(-1, size)
        others = [at for at in range(size) if at != first]
        if not len(whole) or whole[:, first].any() or whole[:, others].all(1).mean() < 0.05:
            continue
        try:
            text = head[: whole.size].decode(name)
        except UnicodeDecodeError as error:
            if error.start < whole.size - 4:  # half of a surrogate pair at the end of the block
                continue
            text = head[: error.start].decode(name)
        if "\n" in text or "\r" in text:
            return name
    return None


def _narrow(content: Content, place: str, fallback: str | None, detect_any: bool) -> Charset:
    """Detect the encoding of a file without a byte order mark and without zero bytes."""
    survey = _Survey()
    suspect = False
    for at, body in enumerate(_lines(content)):
        if body.isascii() and b"\0" not in body:
            continue
        if not _is_utf8(body):
            survey.see(body)
            if survey.blocks >= _SURVEYED:
                break
        else:
            survey.good += body.count(b"\n") + 1
            suspect = suspect or are_suspect(body) or (at == 0 and is_suspect(body.decode("utf-8")))
    if not survey.blocks:
        return Charset("utf-8", suspect)
    if survey.good > 2 * survey.bad:
        raise DataError(
            f"{place}: some text is not UTF-8, such as {survey.shown(survey.lines[0])}, though most is; expected one encoding; fix that "
            f"text, or {_FIX}"
        )
    if not detect_any:
        raise DataError(f"{place}: not UTF-8 text; expected UTF-8; {_FIX}")
    if fallback is not None:
        check_encoding(fallback, place)
    encoding = fallback if fallback is not None and survey.text(fallback) is not None else survey.most_plausible()
    if encoding is None:
        raise DataError(f"{place}: not UTF-8 text, nor in another encoding that can be detected; expected UTF-8; {_FIX}")
    text = survey.text(encoding) or ""
    if encoding != fallback:
        shown = ", ".join(map(repr, _cells(text)))
        warn(Sentence("table.encoding", place=place, encoding=encoding, shown=shown, fix=Sentence("table.encoding_fix")))
    return Charset(encoding, is_suspect(text))


def _lines(content: Content) -> Iterator[bytes]:
    """Yield the content in pieces of whole lines."""
    rest: list[bytes] = []  # the beginning of a line, in blocks; joined once
    for block in content.blocks():
        cut = max(block.rfind(b"\n"), block.rfind(b"\r")) + 1
        if cut:
            yield b"".join([*rest, block[:cut]])
            rest = [block[cut:]]
        else:
            rest.append(block)
            if sum(map(len, rest)) > LARGEST_ROW:
                yield b"".join(rest)
                rest = []
    if any(rest):
        yield b"".join(rest)


def _is_utf8(body: bytes) -> bool:
    """Return whether bytes are valid UTF-8, several times faster than ``bytes.decode``."""
    ends = pa.py_buffer(np.array([0, len(body)], np.int64))
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, ends, pa.py_buffer(body)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


class _Survey:
    """Statistics of the lines that are not ASCII in blocks that are not UTF-8: how many of them are UTF-8, and a sample of the others."""

    def __init__(self) -> None:
        self.good = self.bad = self.blocks = self._size = 0
        self.lines: list[bytes] = []

    def see(self, body: bytes) -> None:
        """Add a block of lines."""
        self.blocks += 1
        room = max(_EVIDENCE // 4, _EVIDENCE - self._size)
        for line in body.splitlines():
            if line.isascii():
                continue
            try:
                line.decode("utf-8")
                self.good += 1
            except UnicodeDecodeError:
                self.bad += 1
                if len(line) <= room:
                    self.lines.append(line)
                    room -= len(line)
                elif not self.lines:
                    self.lines.append(line[:_EVIDENCE])
        self._size = sum(map(len, self.lines))

    def text(self, encoding: str) -> str | None:
        """Return the lines decoded in an encoding, or None if they are not valid in it."""
        try:
            return "\n".join(line.decode(encoding) for line in self.lines)
        except UnicodeDecodeError:
            return None

    def shown(self, line: bytes) -> str:
        """Return a line for a message, with escapes for bytes that are not UTF-8."""
        return repr(line.decode("utf-8", "backslashreplace")[:40])

    def most_plausible(self) -> str | None:
        """Return the most plausible encoding, or None if there is none or the lines contain control characters."""
        best, most_plausible = _LEAST, None
        if any(_CONTROL.search(line) for line in self.lines):
            return None
        for encoding, score_of in _CANDIDATES:
            text = self.text(encoding)
            score = 0.0 if text is None else score_of(text)
            if score > best + 1e-9:
                best, most_plausible = score, encoding
        return most_plausible


def _cells(text: str) -> list[str]:
    """Return up to three cells that are not ASCII, for a message."""
    cells = dict.fromkeys(cell.strip(' "') for cell in re.split(r"[,;\t|\n]", text) if not cell.isascii())
    return [cell if len(cell) <= 30 else cell[:27] + "..." for cell in list(cells)[:3]]


def _by_level(codec: str, levels: Sequence[tuple[int, int, float]], common: str, tail: int = 0x40) -> Callable[[str], float]:
    """Return a function that scores text in an encoding of two bytes, as the mean score of its characters that are not ASCII.

    :param codec: the encoding
    :param levels: ranges of the first byte, each with a score
    :param common: common characters, which score 1 more
    :param tail: the least second byte; characters with a smaller one, or with another number of bytes, score 0
    """
    known: dict[str, float] = {}
    often = frozenset(common)

    def of(sign: str) -> float:
        body = sign.encode(codec, "ignore")
        if len(body) != 2 or body[1] < tail or "\ue000" <= sign <= "\uf8ff":
            return 0.0
        level = next((value for low, high, value in levels if low <= body[0] <= high), 0.0)
        return level * (1.0 if body[1] >= 0x80 else 0.5) + (sign in often)  # a second byte in the ASCII range may be an ASCII character

    def score(text: str) -> float:
        signs = [sign for sign in text if sign > "\x7f"]
        for sign in set(signs) - known.keys():
            known[sign] = of(sign)
        return sum(map(known.__getitem__, signs)) / max(len(signs), 1)

    return score


def _of_letters(is_letter: Callable[[str], bool], alone: bool) -> Callable[[str], float]:
    """Return a function that scores text in an alphabet.

    :param is_letter: whether a character that is not ASCII is a letter of the alphabet
    :param alone: whether words contain no ASCII letters; otherwise letters are among those, and rarely more than two in a row
    """

    def score(text: str) -> float:
        total = count = 0.0
        for run in re.finditer(r"[^\W\d_]+|[^\x00-\x7f]", text):
            word = run[0]
            own = sum(sign > "\x7f" for sign in word)
            if not own:
                continue
            count += own
            if not word[0].isalpha():
                is_inside = text[max(run.start() - 1, 0) : run.start()].isalpha() and text[run.end() : run.end() + 1].isalpha()
                total += 0.0 if (is_inside and word not in "’‘") or (not word.isprintable() and word != "\xa0") else 0.6
            elif not all(is_letter(sign) for sign in word if sign > "\x7f") or not (word.islower() or word.isupper() or word[1:].islower()):
                continue
            elif alone:
                total += own * (own == len(word)) * (0.7 if word.isupper() else 1.0)
            else:
                longest = max(map(len, re.findall(r"[^\x00-\x7f]+", word)))
                total += own * (longest <= 2) * (1.0 if own < len(word) else 0.5 if own == 1 else 0.0)
        return total / max(count, 1.0)

    return score


# The most common characters and syllables.
_ZH = (
    "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可里后小么心多天而能好都然没"
    "日于起还发成事只作当想看文无开手用主行方又如前所本见经头面公同三已老从动两长男女名高红黄蓝绿白黑"
)
_HANT = (
    "的一是不了人我在有他這中大來上國個到說們為子和你地出道也時年得就那要下以生會自著去之過家學對可裡後小麼心多天而能好都然沒"
    "日於起還發成事只作當想看文無開手用主行方又如前所本見經頭面公同三已老從動兩長男女名高紅黃藍綠白黑"
)
_KANA = "".join(map(chr, (*range(0x3041, 0x3094), *range(0x30A1, 0x30F7), 0x30FC)))
_KO = "이다는의가에을고은하지로도기사한인어서나를자리해시대전정보일제수있그아부라과들만적성연장구주상스원게여공동"
_CANDIDATES: tuple[tuple[str, Callable[[str], float]], ...] = (
    ("gb18030", _by_level("gbk", ((0xB0, 0xD7, 1.0), (0xD8, 0xF7, 0.3), (0xA1, 0xA3, 1.0)), _ZH, 0xA1)),
    ("cp950", _by_level("cp950", ((0xA4, 0xC6, 1.0), (0xC9, 0xF9, 0.3), (0xA1, 0xA3, 1.0)), _HANT)),
    ("cp932", _by_level("cp932", ((0x81, 0x83, 1.0), (0x88, 0x97, 1.0), (0x98, 0xEA, 0.3)), _KANA)),
    ("euc_jp", _by_level("euc_jp", ((0xA1, 0xA1, 1.0), (0xA3, 0xA5, 1.0), (0xB0, 0xCF, 1.0), (0xD0, 0xF4, 0.3)), _KANA, 0xA1)),
    ("cp949", _by_level("cp949", ((0xB0, 0xC8, 1.0), (0xA1, 0xA3, 1.0), (0xCA, 0xFD, 0.1)), _KO, 0xA1)),
    ("cp1252", _of_letters(lambda sign: "\u00c0" <= sign <= "\u017f" or sign == "ƒ", alone=False)),
    ("cp1250", _of_letters(lambda sign: "\u00c0" <= sign <= "\u017f", alone=False)),
    ("cp1251", _of_letters(lambda sign: "А" <= sign <= "я" or sign in "ёЁіІїЇєЄґҐўЎ", alone=True)),
)
"""The candidates. Among equally plausible ones the first is chosen. Windows' extensions of Big5, Shift JIS and EUC-KR are included."""
