"""Validation of settings: each error has the path of the setting, what was expected there, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin

from pydantic import ValidationError

from ..errors import ConfigError, nearest, nearest_of
from .base import Config
from .overriding import flow, quote, shortened
from .settings import members, settings_of

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
        lines = dict.fromkeys(_explain(fault, data, model) for fault in faults[:_MOST])
        if len(faults) > _MOST:
            lines[f"and {len(faults) - _MOST:,} more"] = None
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


def _explain(fault: Any, data: Any, model: type[Config]) -> str:
    path: list[str] = []
    at = data
    for part in fault["loc"]:
        if (isinstance(at, Mapping) and part in at) or (isinstance(at, (list, tuple)) and isinstance(part, int) and part < len(at)):
            at = at[part]
        elif isinstance(at, Mapping) and (part == at.get("kind") or part == "external"):
            continue  # the tag of a union is not part of the user's path
        path.append(str(part))
    advice = model.advice(path, at, data)
    if advice is not None:
        return advice
    where = ".".join(map(quote, path))
    kind, value = fault["type"], fault["input"]
    if kind == "extra_forbidden":
        return f"{where}: unknown setting{_instead(path, value, _settings_at(model, fault['loc'][:-1]), model)}"
    if kind == "union_tag_invalid":
        return _no_kind(where, at, fault["ctx"])
    if kind == "missing":
        return f"{where}: missing; expected a value; write {where}=VALUE"
    message = fault["msg"].removeprefix("Value error, ")
    if not where:
        result: str = message  # a conflict between settings; the message names them
        return result
    return f"{where}: found {shortened(value)}; {message[0].lower()}{message[1:]}{_advice(where, value, fault, model)}"


def _instead(path: Sequence[str], value: Any, siblings: Sequence[str], model: type[Config]) -> str:
    """Suggest a replacement for an unknown setting: a similar one at that place, one of that name elsewhere, else all at that place."""
    word = path[-1]
    near = nearest_of(word, siblings, cutoff=0.8)
    if near is not None:
        return f"; did you mean {near!r}?"
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
    return nearest(word, siblings) or "; expected one of " + ", ".join(siblings)


def _no_kind(where: str, at: Any, facts: Any) -> str:
    """Return the message for a missing or an unknown kind."""
    tags, tag = re.findall(r"'([^']*)'", facts["expected_tags"]), facts["tag"]
    offered = ", ".join("module:Class" if kind == "external" else kind for kind in tags)
    if isinstance(at, Mapping):
        advice = f"{shortened(tag)} is not on the menu" if tag != "None" else "missing"
        return f"{where}.kind: {advice}; expected one of {offered}{nearest(tag, tags) if tag != 'None' else ''}"
    near = nearest_of(str(at), tags)
    return f"{where}: found {shortened(at)}; expected settings with a kind; write {where}.kind={near or 'KIND'}, one of {offered}"


def _advice(where: str, value: Any, fault: Any, model: type[Config]) -> str:
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
    if kind in ("dict_type", "model_type"):
        settings = _settings_at(model, fault["loc"]) if kind == "model_type" else ["NAME"]
        below = "kind" if "kind" in settings else settings[0]
        offered = f", one of {', '.join(settings)}" if kind == "model_type" else ""
        return (
            f"; expected settings below it{offered}; write {where}.{below}={'VALUE' if isinstance(value, (list, tuple)) else flow(value)}"
        )
    if kind in ("float_parsing", "int_parsing") and re.fullmatch(r"\d+,\d+", str(value).strip()):
        return f"; write {where}={str(value).strip().replace(',', '.' if kind == 'float_parsing' else '')}"
    limit = fault.get("ctx", {}).get("lt", fault.get("ctx", {}).get("le"))
    if isinstance(value, (int, float)) and isinstance(limit, float) and limit <= 1 < value and value / 100 < limit:
        return f"; for {value:g} %, write {where}={value / 100:g}"
    return ""


def _settings_at(model: Any, path: Iterable[Any]) -> list[str]:
    """Return the names of the settings at the path of an error. The tags of unions are parts of that path."""
    for part in path:
        while get_origin(model) is Annotated:
            model = get_args(model)[0]
        if get_origin(model) is dict:
            model = get_args(model)[1]
        elif get_args(model):
            model = members(model)[part]
        else:
            model = model.model_fields[part].annotation
    while get_origin(model) is Annotated:
        model = get_args(model)[0]
    return list(model.model_fields)
