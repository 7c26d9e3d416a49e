"""Corruptions of text: typos, dropped words, and errors of character recognition.

A letter is a character with its marks (``graphemes.py``), so that a typo also changes a vowel sign. In scripts that are written without
spaces, letters take the place of words. The tables are short: neighbouring keys of a keyboard, and letters and characters that look alike.
The random numbers do not depend on the severity, so that a typo at one severity is also present at the next.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import numpy as np

from .graphemes import MARK, clusters
from .signal_corruption import Corruption

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")  # of a keyboard; each row is shifted by half a key to the right
_ALIKE = (
    ("rn", "m"), ("cl", "d"), ("vv", "w"), ("l", "1"), ("I", "l"), ("O", "0"), ("o", "0"), ("S", "5"), ("B", "8"), ("Z", "2"), ("g", "9"),
    ("e", "c"), ("h", "b"), ("u", "v"), ("i", "l"), ("a", "o"), ("t", "f"), ("n", "ri"), ("с", "о"), ("и", "н"), ("ш", "щ"), ("е", "ё"),
)  # fmt: skip
_SAME_SHAPE = (
    "己已巳 未末 土士 人入 日曰 大太犬 天夫 干千于 田由甲申 王玉主 木本 刀力 乌鸟 折拆 侯候 贝见 今令 免兔 住往佳 晴睛 清情 戊戌戍 "
    "茶荼 拔拨 买卖 无元 牛午 手毛 白自 问间 历厉 治冶 享亨 微徽 红江 绿缘 蓝篮 青责 八几 儿凡 又叉 口囗 小少 水永 方万 "
    "东车 好奴 名各 快块 用甩 坏环 电龟 高亮 没设 很根 的约 了子 是早 中申 货贷 质盾 便使 差着"
)


def _neighbours() -> dict[str, str]:
    """Return the neighbouring keys of each key."""
    neighbours: dict[str, str] = {}
    for row, keys in enumerate(_ROWS):
        for at, key in enumerate(keys):
            beside = [(row, at - 1), (row, at + 1), (row - 1, at), (row - 1, at + 1), (row + 1, at - 1), (row + 1, at)]
            neighbours[key] = "".join(_ROWS[r][a] for r, a in beside if 0 <= r < len(_ROWS) and 0 <= a < len(_ROWS[r]))
    return neighbours


def _confusions() -> dict[str, list[str]]:
    """Return the letters and characters that look like each letter or character."""
    confusions: dict[str, list[str]] = {}
    for one, other in _ALIKE:
        confusions.setdefault(one, []).append(other)
        confusions.setdefault(other, []).append(one)
    for group in _SAME_SHAPE.split():
        for sign in group:
            confusions.setdefault(sign, []).extend(other for other in group if other != sign)
    return confusions


_KEYS, _CONFUSED = _neighbours(), _confusions()
_READ = re.compile(rf"(?:{'|'.join(sorted(map(re.escape, _CONFUSED), key=len, reverse=True))})(?!{MARK})|\w{MARK}*")


def of_text(words: Callable[[str], list[tuple[int, int]]]) -> dict[str, Corruption]:
    """Return the corruptions of a text.

    :param words: a function that returns the start and the end of each word of a text
    """

    def dropped(text: str, severity: int, rng: np.random.Generator) -> str | None:
        """Remove 10 to 50 % of the words."""
        spans = words(text)
        lost = rng.random(len(spans)) < 0.1 * severity
        kept, at = [], 0
        for (start, end), is_lost in zip(spans, lost, strict=True):
            kept.append(text[at : start if is_lost else end])
            at = end
        return _or_none("".join(kept) + text[at:])

    return {"typos": _mistyped, "dropped": dropped, "ocr": _misread}


def _or_none(text: str) -> str | None:
    """Return the text; None if it is empty or only spaces."""
    return text if text and not text.isspace() else None


def _bare(letter: str) -> str:
    """Return a letter without its accents, points or tones; a letter with vowel signs is not changed."""
    decomposed = unicodedata.normalize("NFD", letter)
    return decomposed[0] if all(map(unicodedata.combining, decomposed[1:])) else letter


def _mistyped(text: str, severity: int, rng: np.random.Generator) -> str | None:
    """Mistype 3 to 15 % of the letters. A Latin letter is replaced by a neighbouring key, omitted, doubled, or swapped with the next
    letter; other letters are only swapped."""
    letters = clusters(text)
    count = len(letters)
    mistyped, kind, key = rng.random(count) < 0.03 * severity, rng.integers(0, 4, count), rng.random(count)
    typed = list(letters)
    for at, letter in enumerate(letters):
        if not mistyped[at] or not letter[0].isalpha():
            continue
        beside = _KEYS.get(letter.lower())
        if beside is None or kind[at] == 3:
            if at + 1 < count and letters[at + 1][0].isalpha():
                typed[at], typed[at + 1] = typed[at + 1], typed[at]
        elif kind[at] == 0:
            other = beside[int(key[at] * len(beside))]
            typed[at] = other.upper() if letter.isupper() else other
        else:
            typed[at] = "" if kind[at] == 1 else typed[at] * 2
    return _or_none("".join(typed))


def _misread(text: str, severity: int, rng: np.random.Generator) -> str | None:
    """Misread 10 to 50 % of the letters: as one that looks alike, or, if there is none, without accents, points and tones."""
    chance, which = rng.random(len(text)), rng.random(len(text))

    def read(match: re.Match[str]) -> str:
        letter, at = match[0], match.start()
        if chance[at] >= 0.1 * severity:
            return letter
        others = _CONFUSED.get(letter)
        return others[int(which[at] * len(others))] if others else _bare(letter)

    return _or_none(_READ.sub(read, text))
