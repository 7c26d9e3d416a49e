"""Read YAML and JSON files of settings as plain data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError, nearest

_MAX_NODES, _MAX_FILE = 100_000, 16 * 2**20


class _Loader(yaml.SafeLoader):
    """A loader of plain data in which a repeated key is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, (str, int, float, bool)) and key is not None:
                raise yaml.constructor.ConstructorError(None, None, "a key must be text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return {str(k): v for k, v in super().construct_mapping(node, deep=True).items()}


# Only true and false are Boolean values, as in YAML 1.2: the name of a class may be "yes", that of a table "2020-01-02".
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":timestamp"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF"))


def parse_yaml(text: str, place: str) -> Any:
    """Return YAML text as plain data.

    :param text: the text
    :param place: where it comes from, for messages
    :raises ConfigError: the text is not valid YAML, or has more than 100,000 values; the message gives the line
    """
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader)
        _bound(data)
        return data
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        problem = str(getattr(error, "problem", None) or error)
        hint = next((f"; {hint}" for words, hint in _HINTS.items() if words in problem), "")
        raise ConfigError(f"{place}{line}: not valid YAML ({problem}){hint}") from None


_HINTS = {
    "'\\t'": "a line begins with a tab; indent by spaces, two for each level",
    "mapping values are not allowed": "expected one 'name: value' on each line, with the settings below a name on lines of their own; "
    "quote a value that contains ': '",
    "expected <block end>": "settings of one level begin in the same column; fix the indentation",
    "could not find expected ':'": "expected 'name: value', with a space after the colon",
    "found undefined alias": "quote a value that begins with *",
    "cannot start any token": "quote a value that begins with @, ` or %",
    "expected ',' or": "a bracket is not closed; quote a value that begins with [ or {",
}
"""Advice by the words of the parser's message."""


def _bound(data: Any) -> None:
    """Raise ``ValueError`` if data has more than 100,000 values with aliases expanded: a few lines of YAML can expand to billions."""
    left, waiting = _MAX_NODES, [data]
    while waiting:
        node = waiting.pop()
        below: Iterable[Any] = node.values() if isinstance(node, Mapping) else node if isinstance(node, (list, tuple, set)) else ()
        left -= 1 + len(node) if below else 1
        if left < 0:
            raise ValueError(f"more than {_MAX_NODES:,} values with aliases expanded")
        waiting.extend(below)


def read_tree(path: Path) -> dict[str, Any]:
    """Return the tree of settings in a YAML or JSON file.

    :raises ConfigError: there is no such file, it cannot be read, or it does not contain a mapping
    """
    try:
        if path.exists() and (not path.is_file() or path.stat().st_size > _MAX_FILE):
            raise ConfigError(f"{path}: not a file of settings; expected a regular file of at most {_MAX_FILE >> 20} MiB")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        others = [other.name for other in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise ConfigError(
            f"{path}: no such file; expected a run.yaml{nearest(path.name, others)}; write one: polymodal init TABLE --target COL"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); expected YAML in UTF-8; save it in UTF-8") from None
    data = parse_yaml(text, str(path))
    if not isinstance(data, dict):
        kind = "nothing" if data is None else type(data).__name__
        raise ConfigError(
            f"{path}: found {kind}; expected a mapping of settings (data, fields, tasks, ...); write one: polymodal init TABLE --target COL"
        )
    return data
