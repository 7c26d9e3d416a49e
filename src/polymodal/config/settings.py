"""The settings that a configuration has, found by walking its types: what an override of a name may be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import Tag

from .base import Config, External

_DEEPEST = 6
_TRUTHS = ("true", "false")


@dataclass(frozen=True)
class Setting:
    """One setting: where it is, and what it takes. A field's or a target's name is written ``FIELD`` or ``TARGET``."""

    path: tuple[str, ...]
    choices: tuple[str, ...] = ()
    """The values of a setting that takes one of some words."""
    menu: tuple[str, ...] = ()
    """The path of the menu that it is a setting of; empty = of none."""
    kinds: tuple[str, ...] = ()
    """The kinds on that menu that have it."""
    usual: bool = True
    """Whether it is there where no kind is said."""

    @property
    def name(self) -> str:
        """The name that it is asked for by: of a kind, that of what it is the kind of."""
        return next((part for part in reversed(self.path) if part not in ("kind", "FIELD", "TARGET")), self.path[-1])

    def written(self, value: str | None) -> str:
        """The overrides that set it to a value (None: to any). Of a setting by fields, a word is the name of a field. The kind of a field
        or a target is what its column is, and is not said."""
        path = self.path
        if path[-1] == "FIELD" and value is not None and re.fullmatch(r"[^\W\d]\w*", value):
            path, value = (*path[:-1], value), None
        if value is None:
            value = "true" if self.choices == _TRUTHS else "VALUE"
        says_kind = not self.usual and len(self.kinds) == 1 and self.menu[0] not in ("fields", "tasks")
        return (f"{'.'.join(self.menu)}.kind={self.kinds[0]} " if says_kind else "") + f"{'.'.join(path)}={value}"


@cache
def settings_of(model: type[Config]) -> tuple[Setting, ...]:
    """Every setting below a configuration, the least deep first; one that several kinds have, once."""
    found: dict[tuple[str, ...], Setting] = {}
    for setting in _walk(model, Setting(()), None):
        one = found.setdefault(setting.path, setting)
        if one is not setting:
            kinds = tuple(dict.fromkeys((*one.kinds, *setting.kinds))) if one.menu == setting.menu else one.kinds
            found[setting.path] = replace(one, kinds=kinds, usual=one.usual or setting.usual)
    return tuple(sorted(found.values(), key=lambda setting: len(setting.path)))


def members(annotation: Any) -> dict[str, Any]:
    """The configurations of a menu, by kind; of another type none."""
    while get_origin(annotation) is Annotated and not any(isinstance(fact, Tag) for fact in get_args(annotation)[1:]):
        annotation = get_args(annotation)[0]
    found = {}
    for member in get_args(annotation):
        tags = [fact.tag for fact in get_args(member)[1:] if isinstance(fact, Tag)] if get_origin(member) is Annotated else []
        if tags:
            found[tags[0]] = get_args(member)[0]
    return found


def _walk(annotation: Any, at: Setting, usual: str | None) -> Iterator[Setting]:
    """The settings at and below one whose type is ``annotation``; ``usual`` is the kind that its menu takes where none is said."""
    path = at.path
    if len(path) > _DEEPEST:
        return
    menu = members(annotation)
    if menu:
        yield replace(at, path=(*path, "kind"), choices=tuple(name for name in menu if name != "external"))
        for name, config in menu.items():
            if config is not External:
                below = replace(at, menu=path, kinds=(name,), usual=name == usual)
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
        yield replace(at, choices=_TRUTHS if annotation is bool else _choices(annotation))


def _choices(annotation: Any) -> tuple[str, ...]:
    """The words of a ``Literal``, alone or beside other types."""
    if get_origin(annotation) is Literal:
        return tuple(map(str, get_args(annotation)))
    return next((found for part in get_args(annotation) if (found := _choices(part))), ())
