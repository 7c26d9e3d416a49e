"""Suggestions for names that are no settings, no options and no arguments: the setting that is probably meant, as it has to be written."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import nearest_of
from ..request import Request, TrainingSettings, declared
from .base import Config
from .overriding import quote, split_override
from .settings import settings_of

PATHS = {
    **dict.fromkeys(("val_size", "valid_size", "validation_size", "val_split", "validation_split", "valid_split"), "data.split.valid"),
    **dict.fromkeys(("test_size", "test_split", "holdout"), "data.split.test"),
}
"""Settings by common names that resemble another option."""
_MOST_CHARACTERS = 60


@dataclass(frozen=True)
class Meant:
    """The settings that a name probably stands for.

    :param written: the overrides of the settings, the most likely first; each may consist of several, as with the kind of a component
    :param choices: the values of the first setting, if another value was given than one of them
    """

    written: Sequence[str]
    choices: Sequence[str] = ()

    @property
    def placeholders(self) -> str:
        """What the placeholders of the first setting stand for, as the end of a message."""
        return "".join(f"; {name} is the name of a {name.lower()}" for name in ("FIELD", "TARGET") if f".{name}" in self.written[0])


def meant_by(model: type[Config], word: str, value: str | None) -> Meant | None:
    """Return the settings that ``word`` with ``value`` stands for; None if no setting has that name or a similar one.

    :param model: the configuration class
    :param value: the value as text; None = it is unknown
    """
    settings = settings_of(model)
    names = [setting.name for setting in settings]
    if word in PATHS:
        matching = [setting for setting in settings if ".".join(setting.path) == PATHS[word]]
    else:
        bare = word.removeprefix("no_")
        name = word if word in names else bare if bare in names else nearest_of(word, names, 0.8, columns=False)
        value = "false" if word != bare and name == bare else value
        matching = [setting for setting in settings if setting.name == name]
    if not matching:
        return None
    matching.sort(key=lambda setting: bool(setting.choices) and value not in setting.choices)
    first, others = matching[0], [setting for setting in matching[1:] if setting.usual or len(setting.kinds) > 1][:2]
    written = value
    if first.choices and value not in first.choices:
        written = nearest_of(value or "", first.choices) or nearest_of(word, first.choices, 0.8) or value
    return Meant([one.written(written) for one in (first, *others)], first.choices if written != value else ())


def request_of(
    model: type[Config],
    function: Callable[..., Any],
    table: Any,
    overrides: Sequence[str],
    settings: Mapping[str, Any],
    kind: type = TrainingSettings,
) -> Request:
    """Return the request that corresponds to the arguments of a function.

    :param model: the configuration class, of which an unknown argument may be a setting
    :param function: the function, whose signature has the names of all arguments
    :param kind: the settings that the function accepts
    :raises TypeError: an argument is unknown, or an override is not text; the message states what to write instead
    """
    for given in overrides:
        if not isinstance(given, str):
            lines = [f"{path}={value}" for path, value in given.items()] if isinstance(given, Mapping) else []
            example = ", ".join(map(repr, lines or ["training.lr=1e-4"]))
            raise TypeError(
                f"{function.__name__}: found {type(given).__name__} in the place of a setting; expected text: {function.__name__}(table, "
                f"{example})"
            )
    for name, value in settings.items():
        if name not in declared(kind):
            known = [one.name for one in inspect.signature(function).parameters.values() if one.kind is one.KEYWORD_ONLY]
            raise TypeError(unexpected(model, function.__name__, name, value, known, f"{function.__name__}(table, {{}})"))
    return Request.of(table, overrides, settings)


def unexpected(model: type[Config], function: str, name: str, value: Any, arguments: Iterable[str], form: str) -> str:
    """Return the message for an argument that a function does not have: the argument or the setting that is probably meant.

    :param model: the configuration class
    :param function: the name of the function
    :param value: the value of the argument
    :param arguments: the names of the arguments of the function
    :param form: how settings are passed to it: ``{}`` stands for the overrides
    """
    known = list(arguments)
    found = f"{function}: unexpected argument {name!r}"
    near = nearest_of(name, known, cutoff=0.8) if name not in PATHS else None
    if near is not None:
        return f"{found}; did you mean {near!r}?"
    lines, beside = _overrides_of(model, name, value)
    if lines:
        return f"{found}; it is a setting, which is passed as text: {form.format(', '.join(map(repr, lines)))}{beside}"
    near = nearest_of(name, known)
    expected = f"did you mean {near!r}?" if near is not None else f"expected one of {', '.join(known)}"
    return f"{found}; {expected}; settings are passed as text: {form.format(repr('path=value'))}, all of them: polymodal schema"


def _overrides_of(model: type[Config], name: str, value: Any) -> tuple[list[str], str]:
    """Return the overrides that an unknown argument stands for, and what else is to be said about them; [] if it is no setting."""
    section = model.model_fields.get(name)
    if section is not None and isinstance(value, Mapping) and value:
        return [f"{name}.{quote(str(below))}={_as_text(one) or 'VALUE'}" for below, one in value.items()], ""
    meant = meant_by(model, name, _as_text(value))
    if meant is None:
        return [], ""
    others = f" (or {', or '.join(map(repr, meant.written[1:]))})" if len(meant.written) > 1 else ""
    choices = f", one of {', '.join(meant.choices)}" if meant.choices else ""
    return _parts(meant.written[0]), f"{choices}{others}{meant.placeholders}"


def _parts(written: str) -> list[str]:
    """Return the overrides in a text that may contain two of them."""
    parts = re.split(r" (?=[\w.]+=)", written)
    return parts if all(split_override(part) for part in parts) else [written]


def _as_text(value: Any) -> str | None:
    """Return the value of an argument as it is written in an override; None if it is no plain value, or long."""
    if isinstance(value, str):
        return value if len(value) <= _MOST_CHARACTERS else None
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return None
    return text if len(text) <= _MOST_CHARACTERS else None
