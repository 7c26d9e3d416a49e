"""The language of texts: from a setting, a choice of the process or the locale; and the texts of the catalogue in that language."""

from __future__ import annotations

import locale
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from html import escape
from typing import Any

from ..errors import UserError, nearest
from .note_texts import NOTE_TEXTS
from .page_texts import PAGE_TEXTS, SENTENCES, VALUES
from .terminal_texts import TERMINAL_TEXTS

LANGUAGES = ("en", "zh")
"""The languages of the catalogue, in the order of the texts of each key."""
TEXTS = {**PAGE_TEXTS, **TERMINAL_TEXTS, **NOTE_TEXTS}
"""The texts of pages and of the terminal in each language, by key."""
SETTINGS = ("auto", *LANGUAGES)
"""The values of the setting ``report.language``."""
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
_CHOSEN: ContextVar[str | None] = ContextVar("chosen", default=None)


def language_of(setting: str) -> str:
    """Return ``"en"`` or ``"zh"`` for a value of ``report.language``.

    ``auto`` is the language that ``spoken_in`` has chosen, otherwise Chinese if the locale is Chinese, otherwise English. The locale is
    that of the first variable of ``LC_ALL``, ``LC_MESSAGES`` and ``LANG`` that is set; if none is set (usual on Windows and for programs of
    the macOS desktop), that of Python's ``locale`` module.

    :raises UserError: the value is none of ``auto``, ``en`` and ``zh``
    """
    if setting not in SETTINGS:
        raise UserError(f"report.language: found {setting!r}; expected one of {', '.join(SETTINGS)}{nearest(str(setting), SETTINGS)}")
    if setting != "auto":
        return setting
    chosen = _CHOSEN.get()
    if chosen is not None:
        return chosen
    name = next((value for variable in _VARIABLES if (value := os.environ.get(variable))), None) or _platform_locale()
    return "zh" if name.casefold().startswith(("zh", "chinese")) else "en"


@contextmanager
def spoken_in(language: str) -> Iterator[None]:
    """Let ``auto`` be a language (``--lang``), whatever the locale is.

    :param language: ``"en"`` or ``"zh"``
    """
    before = _CHOSEN.set(language)
    try:
        yield
    finally:
        _CHOSEN.reset(before)


def _platform_locale() -> str:
    """Return the name of the locale that the ``locale`` module reports, or an empty string if it does not know one."""
    try:
        return locale.getlocale()[0] or ""
    except ValueError:  # a locale name that the module cannot parse
        return ""


class Sentence(str):
    """A text of the catalogue in English, which ``Words.read`` returns in another language.

    It is an ordinary string to everything else, such as a log. A value may be a ``Sentence`` itself.
    """

    key: str
    values: dict[str, Any]

    def __new__(cls, key: str, **values: Any) -> Sentence:
        """Return the English text of a key, its placeholders replaced by ``values``."""
        made = super().__new__(cls, TEXTS[key][0].format(**values))
        made.key, made.values = key, values
        return made

    @classmethod
    def joined(cls, texts: Sequence[str], separator: str = "list_separator") -> Sentence:
        """Return several texts as one, between them the separator of that key."""
        made = str.__new__(cls, TEXTS[separator][0].join(texts))
        made.key, made.values = separator, {"texts": list(texts)}
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how a copy is made, which is as good as the sentence itself."""
        return _restored, (str(self), self.key, self.values)


def _restored(text: str, key: str, values: dict[str, Any]) -> Sentence:
    """Return a copy of a sentence."""
    made = str.__new__(Sentence, text)
    made.key, made.values = key, values
    return made


@dataclass(frozen=True)
class Words:
    """The texts of the catalogue in one language."""

    language: str
    """``"en"`` or ``"zh"``."""

    @classmethod
    def of(cls, setting: str) -> Words:
        """Return the texts for a value of ``report.language``; see ``language_of``."""
        return cls(language_of(setting))

    def __call__(self, key: str, **values: Any) -> str:
        """Return a text of ``TEXTS`` as plain text, its placeholders replaced by ``values``."""
        return TEXTS[key][LANGUAGES.index(self.language)].format(**values)

    def html(self, key: str, **values: Any) -> str:
        """Return the same text, escaped for HTML."""
        return escape(self(key, **values), quote=True)

    def read(self, text: object) -> str:
        """Return a ``Sentence`` in this language, and any other text as it is."""
        if not isinstance(text, Sentence) or self.language == "en":
            return str(text)
        if "texts" in text.values:
            return self(text.key).join(map(self.read, text.values["texts"]))
        values = {name: self.read(value) if isinstance(value, Sentence) else value for name, value in text.values.items()}
        return self(text.key, **values)

    def value(self, kind: str, word: object) -> str:
        """Return a value of the results, such as the name of a corruption or a verdict: as it is in English, translated in Chinese.

        :param kind: a key of ``VALUES``
        :param word: the value; one that the catalogue does not contain is returned as it is
        """
        return VALUES[kind].get(str(word), str(word)) if self.language == "zh" else str(word)

    def sentence(self, key: str, **values: Any) -> str:
        """Return a Chinese sentence of ``SENTENCES``, the English of which is stored with the results."""
        return SENTENCES[key].format(**values)
