"""The language in which people read results, English or Chinese, and the catalogue of all texts in both."""

from __future__ import annotations

from .words import LANGUAGES, SETTINGS, TEXTS, Sentence, Words, language_of, model_parts, spoken_in

__all__ = ["LANGUAGES", "SETTINGS", "TEXTS", "Sentence", "Words", "language_of", "model_parts", "spoken_in"]
