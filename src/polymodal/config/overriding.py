"""``path=value`` overrides of a tree of settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import ConfigError
from ..language import Sentence
from .reading import parse_yaml

_PART = re.compile(r'"((?:[^"\\]|\\.)*)"|([^.="\s]+)')


def quote(name: str) -> str:
    """Return a part of a path as it is written in an override: in quotes if it contains ``.``, ``=``, a quote or a space."""
    return json.dumps(name, ensure_ascii=False) if re.search(r'[.="\s]', name) or not name else name


def split_override(text: str) -> tuple[list[str], Any]:
    """Split ``a.b."c.d"=value`` into its path and its value. The value is parsed as YAML; an empty one is None.

    :raises ConfigError: the text is not an override, or its value is not valid YAML
    """
    path, at = [], 0
    while True:
        match = _PART.match(text, at)
        if not match:
            break
        try:
            path.append(json.loads(match.group(0)) if match.group(1) is not None else match.group(2))
        except ValueError:
            break  # the quoted name is not valid
        at = match.end()
        if text[at : at + 1] == ".":
            at += 1
            continue
        if text[at : at + 1] == "=":
            raw = text[at + 1 :]
            value = parse_yaml(raw, f"override {text!r}") if raw.strip() else None
            return path, value
        break
    apart = "" if "=" in text.strip("= ") else " without spaces around '='"
    raise ConfigError(
        f"{text!r}: not an override; expected path=value{apart}, such as training.lr=1e-4 (quote a name that holds '.', '=' or "
        f'a space: fields."net.weight".kind=tabular)'
    )


def merge(tree: Mapping[str, Any], path: Sequence[str], value: Any, above: Sequence[str] = ()) -> tuple[dict[str, Any], list[str]]:
    """Return ``tree`` with ``value`` at ``path``, and notes on dropped settings: a new ``kind`` drops the settings of the old one.

    :param above: the path of ``tree`` itself, for messages
    :raises ConfigError: the path continues below a value
    """
    result = dict(tree)
    notes: list[str] = []
    head, rest = path[0], path[1:]
    if not rest:
        if head == "kind" and result.get("kind") not in (None, value):
            kept: dict[str, Any] = {key: result[key] for key in ("column", "columns") if key in result}
            dropped = sorted(set(result) - set(kept) - {"kind"})
            if dropped:
                notes.append(Sentence("override.dropped", old=str(result["kind"]), new=str(value), settings=", ".join(dropped)))
            result = kept
        if isinstance(value, Mapping) and isinstance(result.get(head), Mapping):
            for key in sorted(value, key=lambda name: name != "kind"):
                result[head], more = merge(result[head], [key], value[key], (*above, head))
                notes += more
            return result, notes
        result[head] = value
        return result, notes
    below = result.get(head)
    if below is not None and not isinstance(below, Mapping):
        at = ".".join(map(quote, (*above, head)))
        raise ConfigError(
            f"{'.'.join(map(quote, (*above, *path)))}: {at} is a value ({shortened(below)}), with no settings below it; write "
            f"{at}={flow([value] if isinstance(below, list) else value)}"
        )
    result[head], notes = merge(below or {}, rest, value, (*above, head))
    return result, notes


def shortened(value: Any) -> str:
    """Return the representation of a value for a message, in at most 60 characters."""
    shown = repr(value)
    return shown if len(shown) < 60 else shown[:57] + "..."


def flow(value: Any) -> str:
    """Return a value as it is written in an override, in at most 80 characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str).replace('"', "")
    return text if len(text) < 80 else text[:77] + "..."


def override(tree: Mapping[str, Any], overrides: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """Return ``tree`` with each ``path=value`` applied in turn, and notes on the settings that were dropped.

    :raises ConfigError: a text is not an override, or its path continues below a value
    """
    result, notes = dict(tree), []
    for text in overrides:
        path, value = split_override(text)
        result, more = merge(result, path, value)
        notes += more
    return result, notes
