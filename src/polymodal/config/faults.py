"""What is wrong with settings: each fault by its path, with what was expected there and what to write instead."""

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
"""Faults that are told; of more, how many they are."""
_SCALARS = ("int_type", "float_type", "string_type", "bool_type", "literal_error")


def validate(model: type[Config], data: Any, place: str = "") -> Any:
    """``data`` as a ``model``; every fault of it in one ``ConfigError``."""
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
    """``ConfigError`` where a value stands in the place of settings (``tasks: category``): for what reads a tree before it is validated."""
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
            continue  # the tag of a union is no part of the user's path
        path.append(str(part))
    advice = model.advice(path, at, data)
    if advice is not None:
        return advice
    where = ".".join(map(quote, path))
    kind, found = fault["type"], fault["input"]
    if kind == "extra_forbidden":
        return f"{where}: unknown setting{_instead(path, found, _settings_at(model, fault['loc'][:-1]), model)}"
    if kind == "union_tag_invalid":
        return _no_kind(where, at, fault["ctx"])
    if kind == "missing":
        return f"{where}: missing; expected a value; write {where}=VALUE"
    message = fault["msg"].removeprefix("Value error, ")
    if not where:
        return message  # parts that do not go together: the message names them
    return f"{where}: found {shortened(found)}; {message[0].lower()}{message[1:]}{_advice(where, found, fault, model)}"


def _instead(path: Sequence[str], value: Any, beside: Sequence[str], model: type[Config]) -> str:
    """What an unknown setting most likely stands for: one beside it, one of that name elsewhere, else all that are beside it."""
    word = path[-1]
    near = nearest_of(word, beside, cutoff=0.8)
    if near is not None:
        return f"; did you mean {near!r}?"
    settings = settings_of(model)
    name = word if word in {one.name for one in settings} else nearest_of(word, [one.name for one in settings], cutoff=0.8)
    named = [one for one in settings if one.name == name]
    for one in named:
        if len(one.path) == len(path) and one.menu and all(a == b or a in ("FIELD", "TARGET") for a, b in zip(one.path, path, strict=True)):
            menu, where = (".".join(map(quote, path[:end])) for end in (len(one.menu), len(path)))
            kind = f"{menu}.kind={one.kinds[0]} {where}={flow(value)}"
            return f" of this kind; expected one of {', '.join(beside)}; the kinds that have it are {', '.join(one.kinds)}: write {kind}"
    if named:
        return f"; did you mean {' or '.join(repr('.'.join(one.path)) for one in named[:2])}?"
    return nearest(word, beside) or "; expected one of " + ", ".join(beside)


def _no_kind(where: str, at: Any, facts: Any) -> str:
    """No kind is said, or one that is not on the menu."""
    tags, said = re.findall(r"'([^']*)'", facts["expected_tags"]), facts["tag"]
    offered = ", ".join("module:Class" if tag == "external" else tag for tag in tags)
    if isinstance(at, Mapping):
        advice = f"{shortened(said)} is not on the menu" if said != "None" else "missing"
        return f"{where}.kind: {advice}; expected one of {offered}{nearest(said, tags) if said != 'None' else ''}"
    near = nearest_of(str(at), tags)
    return f"{where}: found {shortened(at)}; expected settings with a kind; write {where}.kind={near or 'KIND'}, one of {offered}"


def _advice(where: str, found: Any, fault: Any, model: type[Config]) -> str:
    """What to write in place of a value of the wrong type."""
    kind = fault["type"]
    if kind == "literal_error" and isinstance(found, str):
        return nearest(found, re.findall(r"'([^']*)'", fault["ctx"]["expected"]))
    if kind in _SCALARS and isinstance(found, Mapping):
        value: Any = found
        while isinstance(value, Mapping) and value:
            value = next(iter(value.values()))
        return f"; it is a value, with no settings below it; write {where}={flow(value)}"
    if kind in _SCALARS and isinstance(found, (list, tuple)):
        return f"; it is one value, no list; write {where}={flow(found[0]) if found else 'VALUE'}"
    if kind == "list_type":
        return f"; write {where}={flow(list(found) if isinstance(found, Mapping) else [found])}"
    if kind in ("dict_type", "model_type"):
        settings = _settings_at(model, fault["loc"]) if kind == "model_type" else ["NAME"]
        below = "kind" if "kind" in settings else settings[0]
        offered = f", one of {', '.join(settings)}" if kind == "model_type" else ""
        return (
            f"; expected settings below it{offered}; write {where}.{below}={'VALUE' if isinstance(found, (list, tuple)) else flow(found)}"
        )
    if kind in ("float_parsing", "int_parsing") and re.fullmatch(r"\d+,\d+", str(found).strip()):
        return f"; write {where}={str(found).strip().replace(',', '.' if kind == 'float_parsing' else '')}"
    limit = fault.get("ctx", {}).get("lt", fault.get("ctx", {}).get("le"))
    if isinstance(found, (int, float)) and isinstance(limit, float) and limit <= 1 < found and found / 100 < limit:
        return f"; of {found:g} % write {where}={found / 100:g}"
    return ""


def _settings_at(model: Any, path: Iterable[Any]) -> list[str]:
    """The settings of the node at a fault's path, in which the tags of unions are parts."""
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
