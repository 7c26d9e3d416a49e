"""The definition of the n-grams of a text as strings. The modality computes only their hashes."""

from __future__ import annotations

from polymodal.modalities.graphemes import clusters, runs_of
from polymodal.modalities.ngrams import _BASE, _PIECE, _PIECE_OF_POINTS, words_in
from polymodal.modalities.tags import BREAK, spans_of


def grams_of(text: str, by_clusters: bool = True) -> list[str]:
    """Return the n-grams of a text; for a list, those of each of its texts, and each text of three words or more as a whole."""
    if BREAK not in text:
        return _grams_inside(text, by_clusters)
    grams: list[str] = []
    for start, end in spans_of(text):
        grams += _grams_inside(text[start:end], by_clusters)
        if len(words_in(text[start:end])) > 2:
            grams.append(" ".join(text[start:end].casefold().split()))
    return grams


def _grams_inside(text: str, by_clusters: bool) -> list[str]:
    """Return the n-grams of a single text."""
    grams: list[str] = []
    before = ""
    for word, of_word, run, of_run, syllables, sign in (_PIECE if by_clusters else _PIECE_OF_POINTS).findall(text.casefold()):
        if run or syllables:
            letters = clusters(run + of_run + syllables) if of_run or syllables else run
            grams += runs_of(letters, (1, 2, 3, 4) if syllables else (1, 2, 3))
            before = letters[-1]
            continue
        piece = word + of_word or sign
        grams.append(piece)
        if before:
            grams.append(f"{before} {piece}")
        before = piece
        if of_word:
            grams += ["#" + run for run in runs_of(["<", *clusters(piece)[:64], ">"], (3, 4))]
        elif word:
            framed = f"<{word[:64]}>"
            grams += ["#" + framed[start : start + length] for length in (3, 4) for start in range(len(framed) - length + 1)]
        elif len(sign) > 1:
            grams += [base for base in _BASE.findall(sign) if base != sign]
    return grams
