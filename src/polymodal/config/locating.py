"""Locates the errors of pydantic in the types of a configuration, so that a message names the path that the user wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from .base import Config
from .settings import choices_of, members

_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


@dataclass(frozen=True)
class Place:
    """The place of an error.

    :param path: the path in the user's data, without the names that pydantic gives to the members of unions
    :param annotation: the type at the path; None = there is no such setting
    :param union: the number of parts of the path up to the union of plain types whose members have the error; None = no such union
    """

    path: tuple[str | int, ...]
    annotation: Any
    union: int | None = None

    @property
    def is_of_union(self) -> bool:
        """Whether the value in the place of a union is invalid, and not a value below it."""
        return self.union == len(self.path)


def place_of(model: type[Config], location: Sequence[str | int]) -> Place:
    """Return the place of an error.

    :param model: the configuration class
    :param location: the location that pydantic reports, which contains the names of the members of unions
    """
    annotation: Any = model
    path: list[str | int] = []
    parts, union = list(location), None
    while parts:
        annotation = inner(annotation)
        part = parts.pop(0)
        menu = members(annotation)
        if menu:
            annotation = menu.get(str(part))
        elif is_union(annotation):
            union = len(path)
            if parts:  # of the members, those of texts and numbers have nothing below them
                annotation = next((one for one in get_args(annotation) if _has_parts(inner(one))), None)
        elif part == "[key]":  # of a mapping, the key itself is invalid
            break
        else:
            path.append(part)
            annotation = _below(annotation, part)
    return Place(tuple(path), annotation, union)


def _has_parts(annotation: Any) -> bool:
    """Return whether values of a type have parts: settings, items of a list, or values by name."""
    return get_origin(annotation) in (dict, list, tuple) or hasattr(annotation, "model_fields")


def _below(annotation: Any, part: str | int) -> Any:
    """Return the type of a part of a value of a type; None if there is none."""
    if get_origin(annotation) is dict:
        return get_args(annotation)[1]
    if get_origin(annotation) in (list, tuple):
        return get_args(annotation)[0]
    fields = getattr(annotation, "model_fields", {})
    return fields[part].annotation if part in fields else None


def inner(annotation: Any) -> Any:
    """Return a type without its annotations, and without the None of "settings or None". Menus keep their annotations."""
    while True:
        if get_origin(annotation) is Annotated and not members(annotation):
            annotation = get_args(annotation)[0]
        elif is_optional(annotation):
            annotation = next(one for one in get_args(annotation) if one is not NoneType)
        else:
            return annotation


def is_optional(annotation: Any) -> bool:
    """Return whether a type is another one or None."""
    return _is_any_union(annotation) and len(get_args(annotation)) == 2 and NoneType in get_args(annotation)


def is_union(annotation: Any) -> bool:
    """Return whether a type is a union of several types beside None, and no menu."""
    return _is_any_union(annotation) and sum(one is not NoneType for one in get_args(annotation)) > 1


def _is_any_union(annotation: Any) -> bool:
    """Return whether a type is a union in either notation."""
    return isinstance(annotation, UnionType) or get_origin(annotation) is Union


def expected_of(annotation: Any) -> str:
    """Return what values of a type are, in words, such as ``'balanced' or {NAME: a number}``."""
    parts = [_name_of(one) for one in (get_args(annotation) if is_union(annotation) else (annotation,)) if one is not NoneType]
    *others, last = dict.fromkeys(parts)
    return f"{', '.join(others)} or {last}" if others else last


def _name_of(annotation: Any) -> str:
    """Return what values of one member of a union are, in words."""
    annotation = inner(annotation)
    if get_origin(annotation) is Literal:
        return " or ".join(map(repr, choices_of(annotation)))
    if get_origin(annotation) is dict:
        return f"{{NAME: {expected_of(get_args(annotation)[1])}}}"
    if get_origin(annotation) in (list, tuple):
        return "a list"
    return _NAMES.get(annotation, "another value")
