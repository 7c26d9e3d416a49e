"""The definition of the n-grams of a text as strings. The modality computes only their hashes."""

from __future__ import annotations

from polymodal.modalities.graphemes import clusters, runs_of
from polymodal.modalities.ngrams import _PIECE, _PIECE_OF_POINTS, grams_of_piece, words_in
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
        of_piece = grams_of_piece(word, of_word, sign)
        grams.append(of_piece[0])
        if before:
            grams.append(f"{before} {of_piece[0]}")
        grams += of_piece[1:]
        before = of_piece[0]
    return grams
