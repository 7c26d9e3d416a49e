"""Validation of settings: each error has the path of the setting, what was expected there, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_origin

from pydantic import ValidationError

from ..errors import ConfigError, nearest, nearest_of
from .base import Config
from .locating import Place, expected_of, inner, is_optional, place_of
from .overriding import flow, quote, shortened
from .settings import choices_of, settings_of

_MOST = 50
"""The maximum number of errors in a message; of further errors it states the number."""
_SCALARS = ("int_type", "float_type", "string_type", "bool_type", "literal_error")


def validate(model: type[Config], data: Any, place: str = "") -> Any:
    """Return ``data`` as an instance of ``model``.

    :param model: the configuration class
    :param data: the settings
    :param place: where the settings come from, for messages
    :raises ConfigError: settings are invalid; the message lists every error
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = error.errors()
        places = [place_of(model, fault["loc"]) for fault in faults]
        below = {one.path[: one.union] for one in places if one.union is not None and not one.is_of_union}
        found = [(fault, one) for fault, one in zip(faults, places, strict=True) if not (one.is_of_union and one.path in below)]
        lines = dict.fromkeys(_explain(fault, one, data, model) for fault, one in found[:_MOST])
        for line in [one for one in lines if any(other.startswith(f"{one};") for other in lines)]:
            del lines[line]  # of a union, the same error with the advice for another member
        if len(found) > _MOST:
            lines[f"and {len(found) - _MOST:,} more"] = None
        head = f"{place}: " if place else ""
        raise ConfigError("\n".join(head + line for line in lines)) from None


def shaped(model: type[Config], tree: Mapping[str, Any], place: str = "") -> None:
    """Raise ``ConfigError`` if there is a value where settings are expected, as in ``tasks: category``.

    It serves code that reads a tree before it is validated. The parameters are those of ``validate``.
    """
    for name, info in model.model_fields.items():
        node = tree.get(name)
        if node is None or not (get_origin(info.annotation) is dict or issubclass(info.annotation, Config)):  # type: ignore[arg-type]
            continue
        values = node.values() if isinstance(node, Mapping) and get_origin(info.annotation) is dict else ()
        if not isinstance(node, Mapping) or not all(below is None or isinstance(below, Mapping) for below in values):
            validate(model, {name: node}, place)


def _explain(fault: Any, place: Place, data: Any, model: type[Config]) -> str:
    """Return the message for one error."""
    path: list[str] = []
    at = data
    for part in place.path:
        if isinstance(part, int) and not isinstance(at, (list, tuple)):
            continue  # a single value that was made a list of one
        path.append(str(part))
        at = _part_of(at, part)
    advice = model.advice(path, at, data)
    if advice is not None:
        return advice
    where = ".".join(map(quote, path))
    kind, value = fault["type"], fault["input"]
    if kind == "extra_forbidden":
        return f"{where}: unknown setting{_instead(path, value, _siblings(model, fault['loc']), model)}"
    if kind == "union_tag_invalid":
        return _no_kind(where, at, fault["ctx"])
    if kind == "missing":
        return f"{where}: missing; expected a value; write {where}=VALUE"
    if kind in ("dict_type", "model_type") and where and not place.is_of_union:
        return f"{where}: found {shortened(value)}; {_no_section(where, value, place.annotation)}"
    message = fault["msg"].removeprefix("Value error, ")
    if not where:
        result: str = message  # a conflict between settings; the message names them
        return result
    expected = f"expected {expected_of(place.annotation)}" if place.is_of_union else f"{message[0].lower()}{message[1:]}"
    return f"{where}: found {shortened(value)}; {expected}{_advice(where, value, fault)}"


def _part_of(value: Any, part: str | int) -> Any:
    """Return a part of a mapping or a list; the value itself if it has no such part."""
    if isinstance(value, Mapping):
        return value.get(part, value)
    return value[part] if isinstance(value, (list, tuple)) and isinstance(part, int) and part < len(value) else value


def _instead(path: Sequence[str], value: Any, siblings: Sequence[str], model: type[Config]) -> str:
    """Suggest a replacement for an unknown setting: a similar one at that place, one of that name elsewhere, else all at that place."""
    word = path[-1]
    near = _similar(path, siblings, 0.8)
    if near:
        return near
    settings = settings_of(model)
    name = word if word in {one.name for one in settings} else nearest_of(word, [one.name for one in settings], cutoff=0.8)
    named = [one for one in settings if one.name == name]
    for one in named:
        if len(one.path) == len(path) and one.menu and all(a == b or a in ("FIELD", "TARGET") for a, b in zip(one.path, path, strict=True)):
            menu, where = (".".join(map(quote, path[:end])) for end in (len(one.menu), len(path)))
            kind = f"{menu}.kind={one.kinds[0]} {where}={flow(value)}"
            return f" of this kind; expected one of {', '.join(siblings)}; the kinds that have it are {', '.join(one.kinds)}: write {kind}"
    if named:
        return f"; did you mean {' or '.join(repr('.'.join(one.path)) for one in named[:2])}?"
    return _similar(path, siblings, 0.6) or "; expected one of " + ", ".join(siblings)


def _similar(path: Sequence[str], siblings: Sequence[str], cutoff: float) -> str:
    """Return the end of a message that suggests the setting beside an unknown one whose name is similar; "" if there is none."""
    near = nearest_of(path[-1], siblings, cutoff)
    return "" if near is None else f"; did you mean {'.'.join(map(quote, (*path[:-1], near)))!r}?"


def _no_section(where: str, value: Any, annotation: Any) -> str:
    """Return the message for a value in the place of settings: what is expected below it, and what to write instead.

    :param annotation: the type of the settings: a configuration, a mapping of names to settings, or one of them or None
    """
    section = inner(annotation)
    if get_origin(section) is dict:
        written = "VALUE" if isinstance(value, (list, tuple)) else flow(value)
        return f"expected settings below it; write {where}.NAME={written}"
    names = list(section.model_fields)
    expected = f"expected settings below it, one of {', '.join(names)}"
    if is_optional(annotation) and isinstance(value, bool):
        fix = f"{where}={{}} for its defaults" if value else f"{where}=null for none"
        return f"{expected}; write {fix}"
    own = [name for name in names if str(value) in choices_of(section.model_fields[name].annotation)]
    usual = "kind" if "kind" in names else names[0]
    return f"{expected}; write {where}.{own[0]}={value}" if own else f"{expected}; write {where}.{usual}=VALUE"


def _no_kind(where: str, at: Any, facts: Any) -> str:
    """Return the message for a missing or an unknown kind."""
    tags, tag = re.findall(r"'([^']*)'", facts["expected_tags"]), facts["tag"]
    offered = ", ".join("module:Class" if kind == "external" else kind for kind in tags)
    if isinstance(at, Mapping):
        advice = f"{shortened(tag)} is not on the menu" if tag != "None" else "missing"
        return f"{where}.kind: {advice}; expected one of {offered}{nearest(tag, tags) if tag != 'None' else ''}"
    near = nearest_of(str(at), tags)
    return f"{where}: found {shortened(at)}; expected settings with a kind; write {where}.kind={near or 'KIND'}, one of {offered}"


def _advice(where: str, value: Any, fault: Any) -> str:
    """Return advice on what to write instead of a value of the wrong type, or an empty string."""
    kind = fault["type"]
    if kind == "literal_error" and isinstance(value, str):
        return nearest(value, re.findall(r"'([^']*)'", fault["ctx"]["expected"]))
    if kind in _SCALARS and isinstance(value, Mapping):
        inner: Any = value
        while isinstance(inner, Mapping) and inner:
            inner = next(iter(inner.values()))
        return f"; it is a value, with no settings below it; write {where}={flow(inner)}"
    if kind in _SCALARS and isinstance(value, (list, tuple)):
        return f"; it is a single value, not a list; write {where}={flow(value[0]) if value else 'VALUE'}"
    if kind == "list_type":
        return f"; write {where}={flow(list(value) if isinstance(value, Mapping) else [value])}"
    if kind in ("float_parsing", "int_parsing") and re.fullmatch(r"\d+,\d+", str(value).strip()):
        return f"; write {where}={str(value).strip().replace(',', '.' if kind == 'float_parsing' else '')}"
    limit = fault.get("ctx", {}).get("lt", fault.get("ctx", {}).get("le"))
    if isinstance(value, (int, float)) and isinstance(limit, float) and limit <= 1 < value and value / 100 < limit:
        return f"; for {value:g} %, write {where}={value / 100:g}"
    return ""


def _siblings(model: type[Config], location: Sequence[str | int]) -> list[str]:
    """Return the names of the settings beside an unknown one.

    :param location: the location of the unknown setting that pydantic reports
    """
    return list(getattr(inner(place_of(model, location[:-1]).annotation), "model_fields", {}))
