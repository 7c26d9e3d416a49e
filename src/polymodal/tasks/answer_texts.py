"""The normalisation of short answers of people, and the accuracy of an answer against those of several people, as in the evaluation of
visual question answering (Antol et al. 2015, arXiv:1505.00468; the procedure is described at https://visualqa.org/evaluation.html).

Shapes: any shape of arrays.
"""

from __future__ import annotations

import re

import numpy as np

_ARTICLES = frozenset(("a", "an", "the"))
_NUMBERS = {
    "none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
    "nine": "9", "ten": "10",
}  # fmt: skip
_MARKS = ';/[]"{}()=+\\_-><@`,?!'
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'"})
_THOUSANDS = re.compile(r"\d,\d")
_FULL_STOP = re.compile(r"\.(?!\d)")
_SHORTENED = """
    ain't aren't can't couldn't didn't doesn't don't hadn't hasn't haven't isn't mightn't mustn't needn't oughtn't shan't shouldn't wasn't
    weren't won't wouldn't could've might've must've should've would've i'm i've you're you've you'd you'll we've they're they've they'd
    they'll he's he'd she's there's there'd that's that'd what's what'll who's who'd who'll where's where'd how's how'd when's why's it'd
    it'll somebody's someone's something's everyone's let's ma'am o'clock y'all
"""
_CONTRACTIONS = {word.replace("'", ""): word for word in _SHORTENED.split()}
"""Words in which an apostrophe is often left out, without it and with it."""
_ENOUGH = 3
"""The number of other people who must have given an answer for it to be right."""


def normalised(text: str) -> str:
    """Return a short answer in the form in which it is compared: lower case, without articles and punctuation, with numbers up to ten as
    digits and apostrophes in contractions.

    A mark is removed if white space is beside it, or if some comma of the text separates digits; otherwise a space replaces it. A full stop
    is kept only before a digit. A text of which nothing would remain keeps its articles, or else its punctuation.
    """
    text = " ".join(text.translate(_APOSTROPHES).split())
    bare = text
    joined = _THOUSANDS.search(text) is not None
    for mark in _MARKS:
        if mark in bare:
            bare = bare.replace(mark, "" if joined or f"{mark} " in text or f" {mark}" in text else " ")
    words = [_NUMBERS.get(word, word) for word in _FULL_STOP.sub("", bare).lower().split()]
    kept = [_CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES]
    return " ".join(kept or words) or text.lower()


def accuracies(count: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Return the accuracy of answers that ``count`` of ``total`` people gave, float64, from 0 to 1.

    An answer is compared with the answers of all people but one: it is right if three of them gave it, and partly right, min(1, n / 3),
    if n did. The accuracy is the mean over the people who are left out. Of fewer than four people, all of the others must have given it.

    :param count: the number of people who gave the answer
    :param total: the number of people, at least 1 where ``count`` is
    """
    count, total = np.asarray(count, np.float64), np.maximum(np.asarray(total, np.float64), 1.0)
    enough = np.clip(total - 1, 1, _ENOUGH)
    without_one, with_all = np.minimum(1, (count - 1) / enough), np.minimum(1, count / enough)
    mean = (count * without_one + (total - count) * with_all) / total
    return np.where(total > 1, np.where(count > 0, mean, 0.0), np.minimum(count, 1.0))
