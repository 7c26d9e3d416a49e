"""Interpret the cells of a table as numbers, dates, durations and names of categories, in their various notations."""

from .dates import date
from .formats import ColumnType, Writing, are_limits, are_words_among, check_facts, check_order, writing_of
from .numbers import PLAIN, Decimal, Numbers, number, numbers_of
from .words import LONGEST_MISSING_WORD, MISSING_WORDS, category, is_empty, is_missing_word, is_writable, text_of

__all__ = [
    "LONGEST_MISSING_WORD",
    "MISSING_WORDS",
    "PLAIN",
    "ColumnType",
    "Decimal",
    "Numbers",
    "Writing",
    "are_limits",
    "are_words_among",
    "category",
    "check_facts",
    "check_order",
    "date",
    "is_empty",
    "is_missing_word",
    "is_writable",
    "number",
    "numbers_of",
    "text_of",
    "writing_of",
]
