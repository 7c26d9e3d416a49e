"""The language of a page: from the setting ``report.language`` or the locale; and the texts of the catalogue in that language."""

from __future__ import annotations

import locale
import os
from dataclasses import dataclass
from typing import Any

from ..errors import UserError, nearest
from .catalogue import LANGUAGES, SENTENCES, TEXTS, VALUES
from .document import text

SETTINGS = ("auto", *LANGUAGES)
"""The values of the setting ``report.language``."""
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")


def language_of(setting: str) -> str:
    """Return ``"en"`` or ``"zh"`` for a value of ``report.language``.

    ``auto`` is Chinese if the locale is Chinese, otherwise English. The locale is that of the first variable of ``LC_ALL``,
    ``LC_MESSAGES`` and ``LANG`` that is set; if none is set (usual on Windows and for programs of the macOS desktop), that of Python's
    ``locale`` module.

    :raises UserError: the value is none of ``auto``, ``en`` and ``zh``
    """
    if setting not in SETTINGS:
        raise UserError(f"report.language: found {setting!r}; expected one of {', '.join(SETTINGS)}{nearest(str(setting), SETTINGS)}")
    if setting != "auto":
        return setting
    name = next((value for variable in _VARIABLES if (value := os.environ.get(variable))), None) or _platform_locale()
    return "zh" if name.casefold().startswith(("zh", "chinese")) else "en"


def _platform_locale() -> str:
    """Return the name of the locale that the ``locale`` module reports, or an empty string if it does not know one."""
    try:
        return locale.getlocale()[0] or ""
    except ValueError:  # a locale name that the module cannot parse
        return ""


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
        return text(self(key, **values))

    def value(self, kind: str, word: object) -> str:
        """Return a value of the results, such as the name of a corruption or a verdict: as it is in English, translated in Chinese.

        :param kind: a key of ``VALUES``
        :param word: the value; one that the catalogue does not contain is returned as it is
        """
        return VALUES[kind].get(str(word), str(word)) if self.language == "zh" else str(word)

    def sentence(self, key: str, **values: Any) -> str:
        """Return a Chinese sentence of ``SENTENCES``, the English of which is stored with the results."""
        return SENTENCES[key].format(**values)
