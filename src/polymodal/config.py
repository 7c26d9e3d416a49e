"""The base of every configuration, and how one is read, overridden and explained.

A configuration is a frozen tree of typed data. It comes from Python, from YAML, or from ``path=value`` overrides, and
ends in the same object. A docstring under a field is its description, in the schema and in a written ``run.yaml``.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Discriminator, Tag, ValidationError, model_validator

from .errors import ConfigError, nearest


class Config(BaseModel):
    """A node of the tree: frozen, and closed to settings that it does not know."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=(), allow_inf_nan=False
    )

    def tree(self) -> dict[str, Any]:
        """The configuration as plain JSON data, every default written out."""
        return self.model_dump(mode="json")


class External(Config):
    """A component of the user's own: ``kind: "package.module:Class"``, built as ``Class(settings, **facts)``."""

    kind: str
    """``module:Class``, imported when the model is built, never when a config is read."""
    settings: dict[str, Any] = {}
    """Given to the class as it is."""

    @model_validator(mode="after")
    def _names_a_class(self) -> External:
        if not re.fullmatch(r"[\w.]+:\w+", self.kind):
            raise ValueError(f"{self.kind!r} is neither on the menu nor of the form module:Class")
        return self

    def load(self) -> Any:
        """Import and return the class; running its module's code is what the config asks for."""
        module, _, name = self.kind.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise ConfigError(f"kind {self.kind!r}: cannot be imported ({error}); expected module:Class") from error


def menu(*configs: type[Config], external: bool = True) -> Any:
    """The union of ``configs`` picked by ``kind``; with ``external``, ``module:Class`` is its last member."""
    kinds = {config.model_fields["kind"].default: config for config in configs}

    def kind_of(value: Any) -> str:
        kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
        return "external" if external and ":" in str(kind) else str(kind)

    members = [Annotated[config, Tag(kind)] for kind, config in kinds.items()]
    if external:
        members.append(Annotated[External, Tag("external")])
    if len(members) == 1:
        return configs[0]
    return Annotated[Union[tuple(members)], Discriminator(kind_of)]  # noqa: UP007  (built from a tuple)


def kinds_of(configs: Iterable[type[Config]]) -> list[str]:
    """The names on a menu, in its order."""
    return [config.model_fields["kind"].default for config in configs]


def _offer(words: Iterable[str]) -> str:
    return "; expected one of " + ", ".join(words)


def validate(model: type[Config], data: Any, place: str = "") -> Any:
    """``data`` as a ``model``; every fault of it in one ``ConfigError``."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = [_explain(fault, data, model) for fault in error.errors()]
        head = f"{place}: " if place else ""
        raise ConfigError("\n".join(head + line for line in lines)) from None


def _explain(fault: Any, data: Any, model: type[Config]) -> str:
    path: list[str] = []
    at = data
    for part in fault["loc"]:
        if (isinstance(at, Mapping) and part in at) or (isinstance(at, (list, tuple)) and isinstance(part, int) and part < len(at)):
            at = at[part]
        elif isinstance(at, Mapping) and (part == at.get("kind") or part == "external"):
            continue  # the tag of a union is no part of the user's path
        path.append(quote(str(part)))
    where = ".".join(path)
    if fault["type"] == "extra_forbidden":
        settings = _settings_at(model, fault["loc"][:-1])
        return f"{where}: unknown setting{nearest(str(fault['loc'][-1]), settings) or _offer(settings)}"
    if fault["type"] == "union_tag_invalid":
        tags, found = re.findall(r"'([^']*)'", fault["ctx"]["expected_tags"]), fault["ctx"]["tag"]
        said = "missing" if found == "None" else f"{found!r} is not on the menu"
        offered = ", ".join("module:Class" if tag == "external" else tag for tag in tags)
        return f"{where}.kind: {said}; expected one of {offered}{nearest(found, tags)}"
    if fault["type"] == "missing":
        return f"{where}: missing; expected a value"
    message = fault["msg"].removeprefix("Value error, ")
    if not where:
        return message  # parts that do not go together: the message names them
    shown = repr(fault["input"])
    return f"{where}: found {shown if len(shown) < 60 else shown[:57] + '...'}; {message[0].lower()}{message[1:]}"


def _settings_at(model: Any, path: Iterable[Any]) -> list[str]:
    """The settings of the node at a fault's path, in which the tags of unions are parts."""
    for part in path:
        while get_origin(model) is Annotated:
            model = get_args(model)[0]
        if get_origin(model) is dict:
            model = get_args(model)[1]
        elif get_args(model):
            model = next(
                member for member in get_args(model) if any(isinstance(fact, Tag) and fact.tag == part for fact in get_args(member))
            )
        else:
            model = model.model_fields[part].annotation
    while get_origin(model) is Annotated:
        model = get_args(model)[0]
    return list(model.model_fields)


_MAX_NODES, _MAX_FILE = 100_000, 16 * 2**20

# -- reading ----------------------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """Plain data only; a key given twice is an error, not a silent last-one-wins."""

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


# Only true and false are truth values, as in YAML 1.2: a class may be called yes, a table 2020-01-02.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":timestamp"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF"))


def parse_yaml(text: str, place: str) -> Any:
    """YAML text as plain data; errors name ``place`` and the line."""
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader)
        _bound(data)
        return data
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{place}{line}: not valid YAML ({getattr(error, 'problem', None) or error})") from None


def _bound(data: Any) -> None:
    """``ValueError`` for more nodes than any setting needs, aliases written out: a few lines of YAML can stand for billions."""
    left, waiting = _MAX_NODES, [data]
    while waiting:
        node = waiting.pop()
        below: Iterable[Any] = node.values() if isinstance(node, Mapping) else node if isinstance(node, (list, tuple, set)) else ()
        left -= 1 + len(node) if below else 1
        if left < 0:
            raise ValueError(f"more than {_MAX_NODES:,} values, aliases written out")
        waiting.extend(below)


def read_tree(path: Path) -> dict[str, Any]:
    """The tree of settings in a YAML or JSON file."""
    try:
        if path.exists() and (not path.is_file() or path.stat().st_size > _MAX_FILE):
            raise ConfigError(f"{path}: not a file of settings; expected a regular file of at most {_MAX_FILE >> 20} MiB")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; expected a run.yaml; write one: polymodal init TABLE --target COL") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from None
    data = parse_yaml(text, str(path))
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: found {type(data).__name__}; expected a mapping of settings (data, fields, tasks, ...)")
    return data


# -- overriding -------------------------------------------------------------------------------------------------------

_PART = re.compile(r'"((?:[^"\\]|\\.)*)"|([^.="\s]+)')


def quote(name: str) -> str:
    """A path's part as an override writes it: quoted when it holds ``.``, ``=``, a quote or a space."""
    return json.dumps(name, ensure_ascii=False) if re.search(r'[.="\s]', name) or not name else name


def split_override(text: str) -> tuple[list[str], Any]:
    """``a.b."c.d"=value`` as its path and its value, the value read as YAML."""
    path, at = [], 0
    while True:
        match = _PART.match(text, at)
        if not match:
            break
        try:
            path.append(json.loads(match.group(0)) if match.group(1) is not None else match.group(2))
        except ValueError:
            break  # a quoted name that is none
        at = match.end()
        if text[at : at + 1] == ".":
            at += 1
            continue
        if text[at : at + 1] == "=":
            raw = text[at + 1 :]
            value = parse_yaml(raw, f"override {text!r}") if raw.strip() else None
            return path, value
        break
    raise ConfigError(
        f"{text!r}: not an override; expected path=value, such as training.lr=1e-4 (quote a name that holds '.', '=' or "
        f'a space: fields."net.weight".kind=tabular)'
    )


def merge(tree: Mapping[str, Any], path: list[str], value: Any) -> tuple[dict[str, Any], list[str]]:
    """``tree`` with ``value`` at ``path``, and notes on what that dropped: changing a ``kind`` drops its old settings."""
    result = dict(tree)
    notes: list[str] = []
    head, rest = path[0], path[1:]
    if not rest:
        if head == "kind" and result.get("kind") not in (None, value):
            kept: dict[str, Any] = {key: result[key] for key in ("column", "columns") if key in result}
            dropped = sorted(set(result) - set(kept) - {"kind"})
            if dropped:
                notes.append(f"kind {result['kind']} -> {value}: dropped its settings {', '.join(dropped)}")
            result = kept
        if isinstance(value, Mapping) and isinstance(result.get(head), Mapping):
            for key in sorted(value, key=lambda name: name != "kind"):
                result[head], more = merge(result[head], [key], value[key])
                notes += more
            return result, notes
        result[head] = value
        return result, notes
    below = result.get(head)
    if below is not None and not isinstance(below, Mapping):
        raise ConfigError(f"{'.'.join(path)}: {head!r} is a value; it has no settings below it")
    result[head], notes = merge(below or {}, rest, value)
    return result, notes


def override(tree: Mapping[str, Any], overrides: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """``tree`` with each ``path=value`` laid over it in turn, and notes on what was dropped."""
    result, notes = dict(tree), []
    for text in overrides:
        path, value = split_override(text)
        result, more = merge(result, path, value)
        notes += more
    return result, notes


# -- explaining -------------------------------------------------------------------------------------------------------


def explain(config: Config, reasons: Mapping[str, str]) -> str:
    """The config as YAML, each setting followed by why it is so, or by what it does."""
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
    """Keeps text that holds a line break on one line."""

    def represent_str(self, data: str) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style='"' if re.search(r"[\n\r\x85\u2028\u2029]", data) else None)


_Dumper.add_representer(str, _Dumper.represent_str)


def _one_line(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, allow_unicode=True, default_flow_style=True, width=10**6)
    return text.removesuffix("...\n").strip()
