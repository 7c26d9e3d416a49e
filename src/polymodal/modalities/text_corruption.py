"""Text as it is mistyped, cut and misread: typos, dropped words, and what a scanner takes for something else.

A letter is a character with its marks (``graphemes.py``): a typo takes a vowel sign along. Of a script that writes no spaces a letter is
what a word is elsewhere. Tables are short and plain: the keys beside a key, letters and characters that look alike. Nothing is drawn that
depends on the severity, so that a typo at one is there at the next as well.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import numpy as np

from .graphemes import MARK, clusters
from .signal_corruption import Corruption

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")  # of a keyboard, each half a key further to the right
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
    found: dict[str, str] = {}
    for row, keys in enumerate(_ROWS):
        for at, key in enumerate(keys):
            beside = [(row, at - 1), (row, at + 1), (row - 1, at), (row - 1, at + 1), (row + 1, at - 1), (row + 1, at)]
            found[key] = "".join(_ROWS[r][a] for r, a in beside if 0 <= r < len(_ROWS) and 0 <= a < len(_ROWS[r]))
    return found


def _confusions() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one, other in _ALIKE:
        found.setdefault(one, []).append(other)
        found.setdefault(other, []).append(one)
    for group in _SAME_SHAPE.split():
        for sign in group:
            found.setdefault(sign, []).extend(other for other in group if other != sign)
    return found


_KEYS, _CONFUSED = _neighbours(), _confusions()
_READ = re.compile(rf"(?:{'|'.join(sorted(map(re.escape, _CONFUSED), key=len, reverse=True))})(?!{MARK})|\w{MARK}*")


def of_text(words: Callable[[str], list[tuple[int, int]]]) -> dict[str, Corruption]:
    """Of a text; ``words`` says where each stands in it."""

    def dropped(text: str, severity: int, rng: np.random.Generator) -> str | None:
        """10 to 50 % of the words are gone."""
        spans = words(text)
        lost = rng.random(len(spans)) < 0.1 * severity
        left, at = [], 0
        for (start, end), gone in zip(spans, lost, strict=True):
            left.append(text[at : start if gone else end])
            at = end
        return _anything("".join(left) + text[at:])

    return {"typos": _mistyped, "dropped": dropped, "ocr": _misread}


def _anything(text: str) -> str | None:
    return text if text and not text.isspace() else None


def _bare(letter: str) -> str:
    """A letter without its accents, points or tones; one with vowel signs as it is."""
    apart = unicodedata.normalize("NFD", letter)
    return apart[0] if all(map(unicodedata.combining, apart[1:])) else letter


def _mistyped(text: str, severity: int, rng: np.random.Generator) -> str | None:
    """3 to 15 % of the letters: of Latin ones a neighbouring key, none, twice, or changed with the next one; of others only the last."""
    letters = clusters(text)
    count = len(letters)
    hit, kind, key = rng.random(count) < 0.03 * severity, rng.integers(0, 4, count), rng.random(count)
    typed = list(letters)
    for at, letter in enumerate(letters):
        if not hit[at] or not letter[0].isalpha():
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
    return _anything("".join(typed))


def _misread(text: str, severity: int, rng: np.random.Generator) -> str | None:
    """10 to 50 % of what looks like something else is taken for it; other letters lose their accents, points and tones."""
    chance, which = rng.random(len(text)), rng.random(len(text))

    def read(found: re.Match[str]) -> str:
        letter, at = found[0], found.start()
        if chance[at] >= 0.1 * severity:
            return letter
        others = _CONFUSED.get(letter)
        return others[int(which[at] * len(others))] if others else _bare(letter)

    return _anything(_READ.sub(read, text))
