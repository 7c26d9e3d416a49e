"""The settings of a configuration, listed by walking its types: the possible overrides for a name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import Tag

from .base import Config, External

_DEEPEST = 6
_BOOLEANS = ("true", "false")


@dataclass(frozen=True)
class Setting:
    """One setting: its path and its values. In the path, ``FIELD`` and ``TARGET`` stand for the name of a field and of a target."""

    path: tuple[str, ...]
    choices: tuple[str, ...] = ()
    """The allowed values, if they are a fixed set of words."""
    menu: tuple[str, ...] = ()
    """The path of the menu whose kinds have the setting; empty = it belongs to no menu."""
    kinds: tuple[str, ...] = ()
    """The kinds on that menu that have the setting, but those that are not suggested."""
    usual: bool = True
    """Whether the default kind of the menu has the setting."""

    @property
    def name(self) -> str:
        """The name of the setting. For a kind it is the name of the component, such as ``fusion`` for ``model.fusion.kind``."""
        return next((part for part in reversed(self.path) if part not in ("kind", "FIELD", "TARGET")), self.path[-1])

    def written(self, value: str | None) -> str:
        """Return the overrides that set the setting to a value.

        The kind of a component is included if only one kind has the setting and it is not the default. The kind of a field or a target is
        not included, since it follows from the column.

        :param value: the value; None = a placeholder. For a setting by field, a word is the name of a field
        """
        path = self.path
        if path[-1] == "FIELD" and value is not None and re.fullmatch(r"[^\W\d]\w*", value):
            path, value = (*path[:-1], value), None
        if value is None:
            value = "true" if self.choices == _BOOLEANS else "VALUE"
        with_kind = not self.usual and len(self.kinds) == 1 and self.menu[0] not in ("fields", "tasks")
        return (f"{'.'.join(self.menu)}.kind={self.kinds[0]} " if with_kind else "") + f"{'.'.join(path)}={value}"


@cache
def settings_of(model: type[Config]) -> tuple[Setting, ...]:
    """Return every setting of a configuration, in ascending order of depth. A setting of several kinds occurs once."""
    by_path: dict[tuple[str, ...], Setting] = {}
    for setting in _walk(model, Setting(()), None):
        one = by_path.setdefault(setting.path, setting)
        if one is not setting:
            kinds = tuple(dict.fromkeys((*one.kinds, *setting.kinds))) if one.menu == setting.menu else one.kinds
            by_path[setting.path] = replace(one, kinds=kinds, usual=one.usual or setting.usual)
    return tuple(sorted(by_path.values(), key=lambda setting: len(setting.path)))


def members(annotation: Any) -> dict[str, Any]:
    """Return the configurations of a menu by kind; for any other type, an empty dict."""
    while get_origin(annotation) is Annotated and not any(isinstance(fact, Tag) for fact in get_args(annotation)[1:]):
        annotation = get_args(annotation)[0]
    configs = {}
    for member in get_args(annotation):
        tags = [fact.tag for fact in get_args(member)[1:] if isinstance(fact, Tag)] if get_origin(member) is Annotated else []
        if tags:
            configs[tags[0]] = get_args(member)[0]
    return configs


def _walk(annotation: Any, at: Setting, usual: str | None) -> Iterator[Setting]:
    """Yield the settings at and below a node of type ``annotation``; ``usual`` is the default kind of its menu."""
    path = at.path
    if len(path) > _DEEPEST:
        return
    menu = members(annotation)
    if menu:
        yield replace(at, path=(*path, "kind"), choices=tuple(name for name in menu if name != "external"))
        for name, config in menu.items():
            if config is not External:
                below = replace(at, menu=path, kinds=(name,) if getattr(config, "suggested", True) else (), usual=name == usual)
                yield from (setting for setting in _walk(config, below, None) if setting.path != (*path, "kind"))
        return
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if isinstance(annotation, type) and issubclass(annotation, Config):
        for name, info in annotation.model_fields.items():
            yield from _walk(info.annotation, replace(at, path=(*path, name)), getattr(info.default, "kind", None))
    elif get_origin(annotation) is dict:
        yield from _walk(get_args(annotation)[1], replace(at, path=(*path, "TARGET" if path[-1] == "tasks" else "FIELD")), None)
    else:
        yield replace(at, choices=_BOOLEANS if annotation is bool else choices_of(annotation))


def choices_of(annotation: Any) -> tuple[str, ...]:
    """Return the words of a ``Literal`` type, alone or in a union."""
    if get_origin(annotation) is Literal:
        return tuple(map(str, get_args(annotation)))
    return next((choices for part in get_args(annotation) if (choices := choices_of(part))), ())
