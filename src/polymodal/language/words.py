"""The language of texts: from a setting, a choice of the process or the locale; and the texts of the catalogue in that language."""

from __future__ import annotations

import locale
import os
import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from html import escape
from typing import Any

from ..errors import UserError, nearest
from .command_texts import COMMAND_TEXTS
from .data_texts import DATA_TEXTS
from .note_texts import NOTE_TEXTS
from .page_texts import PAGE_TEXTS, SENTENCES, VALUES
from .terminal_texts import TERMINAL_TEXTS

LANGUAGES = ("en", "zh")
"""The languages of the catalogue, in the order of the texts of each key."""
TEXTS = {**PAGE_TEXTS, **TERMINAL_TEXTS, **NOTE_TEXTS, **DATA_TEXTS, **COMMAND_TEXTS}
"""The texts of pages and of the terminal in each language, by key."""
_MOST_NESTED = 8
"""The greatest depth of sentences in sentences that is read from data."""
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


class _Filler(string.Formatter):
    """Fills placeholders. ``{rows:row|rows}`` is the first word if the value is 1, otherwise the second."""

    def format_field(self, value: Any, format_spec: str) -> Any:
        """Return a value in a format, or the word that agrees with it."""
        one, is_choice, many = format_spec.partition("|")
        return (one if value == 1 else many) if is_choice else super().format_field(value, format_spec)


_FILLER = _Filler()


def filled(template: str, values: Mapping[str, Any]) -> str:
    """Return a template of the catalogue, its placeholders replaced by values; see ``_Filler``."""
    return _FILLER.vformat(template, (), values)


class Sentence(str):
    """A text of the catalogue in English, which ``Words.read`` returns in another language.

    It is an ordinary string to everything else, such as a log. A value may be a ``Sentence`` itself.
    """

    key: str
    values: dict[str, Any]

    def __new__(cls, key: str, **values: Any) -> Sentence:
        """Return the English text of a key, its placeholders replaced by ``values``."""
        made = super().__new__(cls, filled(TEXTS[key][0], values))
        made.key, made.values = key, values
        return made

    @classmethod
    def joined(cls, texts: Sequence[str], separator: str = "list_separator") -> Sentence:
        """Return several texts as one, between them the separator of that key."""
        made = str.__new__(cls, TEXTS[separator][0].join(texts))
        made.key, made.values = separator, {"texts": list(texts)}
        return made

    @classmethod
    def read(cls, text: str, facts: object) -> str:
        """Return the sentence that ``facts`` of an earlier sentence describe, or ``text`` if they do not describe it.

        :param text: the English text
        :param facts: data of any origin, such as a line of ``log.jsonl``
        """
        try:
            made = _made(facts, 0)
        except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
            return text
        return made if made == text else text

    def facts(self) -> dict[str, Any]:
        """Return the key and the values as plain data, from which ``read`` makes the sentence again."""
        values = {name: _fact(value) for name, value in self.values.items() if name != "texts"}
        if "texts" in self.values:
            values["texts"] = list(map(_fact, self.values["texts"]))
        return {"key": self.key, "values": values}

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how a copy is made, which is as good as the sentence itself."""
        return _restored, (str(self), self.key, self.values)


def _fact(value: Any) -> Any:
    """Return a value of a sentence as plain data."""
    return value.facts() if isinstance(value, Sentence) else value


def _made(facts: Any, depth: int) -> Any:
    """Return the sentence that its facts describe, and any other value as it is."""
    if not isinstance(facts, Mapping):
        return facts
    if depth > _MOST_NESTED:
        raise ValueError("too many sentences in one another")
    values = dict(facts["values"])
    if "texts" in values:
        return Sentence.joined([_made(one, depth + 1) for one in values["texts"]], facts["key"])
    return Sentence(facts["key"], **{name: _made(value, depth + 1) for name, value in values.items()})


def _restored(text: str, key: str, values: dict[str, Any]) -> Sentence:
    """Return a copy of a sentence."""
    made = str.__new__(Sentence, text)
    made.key, made.values = key, values
    return made


def model_parts(name: str) -> tuple[str, str]:
    """Return the name of a model of a run (``fused``, ``only FIELD``, ``network N``, each also with ``, fold N``) without its fold, and the
    fold; empty if it has none.
    """
    model, comma, fold = name.rpartition(", fold ")
    return (model, fold) if comma and fold.isdigit() else (name, "")


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
        return filled(TEXTS[key][LANGUAGES.index(self.language)], values)

    def html(self, key: str, **values: Any) -> str:
        """Return the same text, escaped for HTML."""
        return escape(self(key, **values), quote=True)

    def read(self, text: object) -> str:
        """Return a ``Sentence`` in this language, and any other text as it is."""
        if not isinstance(text, Sentence) or self.language == "en":
            return str(text)
        if "texts" in text.values:
            return self(text.key).join(map(self.read, text.values["texts"]))
        values = {
            name: self.read(value) if isinstance(value, Sentence) else self.model(value) if name == "model" else value
            for name, value in text.values.items()
        }
        return self(text.key, **values)

    def model(self, name: str) -> str:
        """Return the name of a model of a run in this language.

        :param name: ``fused``, ``only FIELD`` or ``network N``, each also with ``, fold N``; another name is returned as it is
        """
        of, fold = model_parts(name)
        if of == "fused":
            of = self("run.fused")
        elif of.startswith("network "):
            of = self("run.network", number=of.removeprefix("network"))
        elif of.startswith("only "):
            of = self("only", field=of.removeprefix("only "))
        return self("run.fold", model=of, fold=fold) if fold else of

    def value(self, kind: str, word: object) -> str:
        """Return a value of the results, such as the name of a corruption or a verdict: as it is in English, translated in Chinese.

        :param kind: a key of ``VALUES``
        :param word: the value; one that the catalogue does not contain is returned as it is
        """
        return VALUES[kind].get(str(word), str(word)) if self.language == "zh" else str(word)

    def sentence(self, key: str, **values: Any) -> str:
        """Return a Chinese sentence of ``SENTENCES``, the English of which is stored with the results."""
        return filled(SENTENCES[key], values)
