"""Write a configuration as YAML with a comment on each setting."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from .base import Config
from .overriding import quote


def explain(config: Config, reasons: Mapping[str, str]) -> str:
    """Return the configuration as YAML. A comment after each setting gives the reason for its value, or else its description.

    :param config: the configuration
    :param reasons: reasons for values, by the path of the setting
    """
    lines: list[str] = []
    _write(config, "", 0, lines, reasons)
    return "\n".join(lines) + "\n"


def _write(value: Any, path: str, indent: int, lines: list[str], reasons: Mapping[str, str]) -> None:
    items: Iterable[tuple[str, Any, str]]
    if isinstance(value, Config):
        described = type(value).model_fields
        items = [(name, getattr(value, name), described[name].description or "") for name in described]
    else:
        items = [(str(name), below, "") for name, below in value.items()]
    for name, below, description in items:
        here = f"{path}.{quote(name)}" if path else quote(name)
        comment = reasons.get(here) or description.split("\n\n")[0]
        comment = "  # " + " ".join(comment.split()) if comment else ""
        key = "  " * indent + _one_line(name)
        if isinstance(below, Config) or (isinstance(below, Mapping) and below):
            lines.append(f"{key}:{comment if here in reasons or not isinstance(below, Config) else ''}")
            _write(below, here, indent + 1, lines, reasons)
        else:
            lines.append(f"{key}: {_one_line(json.loads(json.dumps(below, default=str)))}{comment}")


class _Dumper(yaml.SafeDumper):
    """A dumper that writes text with line breaks on one line, in quotes."""

    def represent_str(self, data: str) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style='"' if re.search(r"[\n\r\x85\u2028\u2029]", data) else None)


_Dumper.add_representer(str, _Dumper.represent_str)


def _one_line(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, allow_unicode=True, default_flow_style=True, width=10**6)
    return text.removesuffix("...\n").strip()
