"""Reference pages generated from the code: settings from the configuration classes, commands from click, the Python API from docstrings.

A page contains a line ``<!-- generated: settings -->``, and this Sphinx extension replaces it by Markdown when the page is read. Nothing
that the code states is written a second time in the documentation, and no generated file lies in the source tree.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, Literal, Union, get_args, get_origin

import click
from docutils import nodes
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx

import polymodal
from polymodal import Experiment, encoders, fusions, modalities, tasks
from polymodal import sklearn as polymodal_sklearn
from polymodal.cli.main import main
from polymodal.config import Config, External

_PLACEHOLDER = re.compile(r"^<!-- generated: (\w+) -->$", flags=re.MULTILINE)
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
_WORDS: dict[Any, str] = {str: "text", int: "integer", float: "number", bool: "`true`, `false`", type(None): "`null`", Any: "any value"}


# Settings


def settings() -> str:
    """Return the reference of every setting of ``run.yaml`` as Markdown: one section for each group of settings, one for each kind."""
    return "\n".join(_group(Experiment, "", 2))


def _group(config: type[BaseModel], path: str, level: int) -> Iterator[str]:
    """Yield the tables of the settings of a configuration class and, below, of the classes in it."""
    plain: list[tuple[str, FieldInfo]] = []
    nested: list[tuple[str, FieldInfo]] = []
    for name, field in config.model_fields.items():
        if name != "kind" or not _kinds_of_class(config):
            (nested if _classes(field.annotation) else plain).append((name, field))
    if plain:
        yield from ("", "| setting | value | default | meaning |", "|---|---|---|---|")
    for name, field in plain:
        place = f"{path}.{name}" if path else name
        default = "required" if field.is_required() else f"`{_default(field)}`"
        place += ".FIELD" if get_origin(_bare(field.annotation)) is dict and name != "settings" else ""
        cells = (f"`{place}`", _values(field.annotation, field.metadata), default, _sentence(field.description))
        yield f"| {' | '.join(map(_cell, cells))} |"
    for name, field in nested:
        place = f"{path}.{name}" if path else name
        if get_origin(_bare(field.annotation)) is dict:
            place += ".TARGET" if name == "tasks" else ".FIELD"
        kinds = _classes(field.annotation)
        yield from ("", f"{'#' * level} `{place}`", "", _sentence(field.description) or _first(inspect.getdoc(kinds[0])))
        if kinds[0] is field.annotation:
            yield from _group(kinds[0], place, min(level + 1, 5))
            continue
        usual = getattr(field.default, "kind", None)
        names = ", ".join(f"`{kind}`" for kind in (_kinds_of_class(config) for config in kinds) if kind)
        own = "; or `module:Class`, a class of your own" if External in kinds else ""
        yield from ("", f"`{place}.kind` is one of {names}{own}." + (f" The default is `{usual}`." if usual else ""))
        for member in kinds:
            kind = _kinds_of_class(member) or "module:Class"
            yield from ("", f"{'#' * (level + 1)} `{place}`: `{kind}`", "", _first(inspect.getdoc(member)))
            yield from _group(member, place, min(level + 2, 5))


def _kinds_of_class(config: type[BaseModel]) -> str:
    """Return the ``kind`` by which a class is selected, or an empty string for a class that is not selected by kind."""
    field = config.model_fields.get("kind")
    if field is None or get_origin(field.annotation) is not Literal or len(get_args(field.annotation)) > 1:
        return ""
    return str(field.default)


def _bare(annotation: Any) -> Any:
    """Return an annotation without ``Annotated`` around it."""
    while hasattr(annotation, "__metadata__"):
        annotation = get_args(annotation)[0]
    return annotation


def _classes(annotation: Any) -> list[type[BaseModel]]:
    """Return the configuration classes that an annotation allows, in order; none for a plain value."""
    annotation = _bare(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return [annotation]
    if get_origin(annotation) is dict:
        return _classes(get_args(annotation)[1])
    if get_origin(annotation) in (Union, types.UnionType):
        return [config for part in get_args(annotation) for config in _classes(part)]
    return []


def _values(annotation: Any, metadata: Any = ()) -> str:
    """Return the values that a setting takes, in words."""
    bounds = [f"{sign} {_number(getattr(limit, name))}" for limit in metadata for name, sign in _BOUNDS.items() if hasattr(limit, name)]
    while hasattr(annotation, "__metadata__"):
        inner = [limit for fact in annotation.__metadata__ for limit in getattr(fact, "metadata", [fact])]
        bounds += [f"{sign} {_number(getattr(limit, name))}" for limit in inner for name, sign in _BOUNDS.items() if hasattr(limit, name)]
        annotation = get_args(annotation)[0]
    suffix = f" ({', '.join(bounds)})" if bounds else ""
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation in _WORDS:
        return _WORDS[annotation] + suffix
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in parts)
    if origin in (Union, types.UnionType):
        return ", ".join(dict.fromkeys(_values(part) + (suffix if part in (int, float) else "") for part in parts))
    if origin is dict:
        return f"by name: {_values(parts[1])}"
    if origin in (list, tuple, set, frozenset):
        inside = [part for part in parts if part is not Ellipsis]
        return "list of " + "; ".join(dict.fromkeys(_values(part) for part in inside)) + suffix
    return f"{getattr(annotation, '__name__', annotation)}{suffix}"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _default(field: FieldInfo) -> str:
    """Return the default of a setting as it is written in YAML."""
    value = field.default
    return {None: "null", True: "true", False: "false"}[value] if isinstance(value, bool | None) else str(value)


def _sentence(text: str | None) -> str:
    return " ".join((text or "").replace("``", "`").split())


def _first(text: str | None) -> str:
    """Return the first paragraph of a docstring."""
    return _sentence((text or "").split("\n\n")[0])


def _cell(text: str) -> str:
    """Return text for a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ") or " "


# Commands


def commands() -> str:
    """Return the reference of every command and option as Markdown."""
    return "\n".join(line for path, command in every_command() for line in _command(path, command))


def every_command() -> Iterator[tuple[str, click.Command]]:
    """Yield each command with its full name, such as ``polymodal table nuscenes``."""
    waiting: list[tuple[str, click.Command]] = [("polymodal", main)]
    while waiting:
        path, command = waiting.pop(0)
        if isinstance(command, click.Group):
            waiting[:0] = [(f"{path} {name}", below) for name, below in command.commands.items()]
        if command is not main:
            yield path, command


def _command(path: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    yield from ("", f"{'#' * (1 + path.count(' '))} `{path}`", "", _help(command.help))
    if isinstance(command, click.Group):
        return
    usage = " ".join(command.collect_usage_pieces(context))
    yield from ("", "```text", f"{path} {usage}", "```")
    rows = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    if rows:
        yield from ("", "| option | value | meaning |", "|---|---|---|")
    for option in rows:
        names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        value = " " if option.is_flag else f"`{option.make_metavar(context)}`"
        extra = "; may be given several times" if option.multiple else ""
        default = f" Default: `{option.default}`." if option.show_default and option.default is not None else ""
        yield f"| {names} | {_cell(value + extra)} | {_cell(_help(option.help) + default)} |"


def _help(text: str | None) -> str:
    return " ".join(_sentence(inspect.cleandoc(text or "")).replace("<", "\\<").split())


# Menus


def kinds() -> str:
    """Return tables of everything that a ``kind`` selects, with the first sentence of each docstring."""
    lines: list[str] = []
    for title, family in (("Modalities", modalities), ("Encoders", encoders), ("Fusions", fusions), ("Tasks", tasks)):
        lines += ["", f"## {title}", "", "| kind | meaning |", "|---|---|"]
        for kind, config in zip(family.KINDS, family.CONFIGS, strict=True):
            lines.append(f"| `{kind}` | {_cell(_first(inspect.getdoc(config)))} |")
    return "\n".join(lines)


# Python API


def api() -> str:
    """Return the directives that document every public name of ``polymodal``, from its docstrings."""
    functions: list[str] = []
    classes: list[str] = []
    errors: list[str] = []
    for name in polymodal.__all__:
        value = getattr(polymodal, name)
        if isinstance(value, type):
            (errors if issubclass(value, Exception) else classes).append(name)
        elif callable(value):
            functions.append(name)
    lines: list[str] = []
    for title, names in (("Functions", functions), ("Classes", classes), ("Errors", errors)):
        lines += ["", f"## {title}"]
        for name in names:
            lines += ["", *_directive(name)]
    return "\n".join(lines)


def results() -> str:
    """Return the directives that document the objects that public functions and methods return and that are no public name themselves."""
    lines: list[str] = []
    for value in result_classes():
        name, members = f"{value.__module__}.{value.__qualname__}", ", ".join(key for key in ("text", "save") if key in vars(value))
        lines += ["", "```{eval-rst}", f".. autoclass:: {name}", "   :no-index-entry:", f"   :members: {members}", "```"]
    return "\n".join(lines)


def result_classes() -> list[type]:
    """Return the classes of polymodal that public functions and some methods return and that are not public names themselves."""
    public = [getattr(polymodal, name) for name in polymodal.__all__]
    functions = [*filter(inspect.isfunction, public), polymodal.Predictor.summary, polymodal.Predictor.report]
    returned = [typing.get_type_hints(value).get("return") for value in functions]
    classes = [value for value in dict.fromkeys(returned) if isinstance(value, type) and value not in public]
    return [value for value in classes if value.__module__.startswith("polymodal")]


def estimators() -> str:
    """Return the directives that document the estimators of scikit-learn, with the methods that both inherit."""
    lines: list[str] = []
    for name in ("MultimodalClassifier", "MultimodalRegressor", "EstimatorError"):
        value = getattr(polymodal_sklearn, name)
        methods = {key for base in value.__mro__ if base.__module__.startswith("polymodal.sklearn") for key in vars(base)}
        members = ", ".join(sorted(key for key in methods if not key.startswith("_") and _documented(value, key)))
        shown = ["   :members: " + members, "   :inherited-members:"] if members else []
        lines += ["", "```{eval-rst}", f".. autoclass:: polymodal.sklearn.{name}", *shown, "```"]
    return "\n".join(lines)


EXTENSION_POINTS = (
    "modalities.FieldConfig", "modalities.Modality", "encoders.EncoderConfig", "encoders.Encoder", "fusions.FusionConfig", "fusions.Fusion",
    "tasks.TaskConfig", "tasks.Task", "flow.Field", "flow.Features", "flow.Output",
)  # fmt: skip
"""The base classes that a component of one's own extends, and the types that it exchanges."""


def extensions() -> str:
    """Return the directives that document the base classes of components and the types that they exchange."""
    return "\n".join(line for name in EXTENSION_POINTS for line in ("", *_directive(name)))


def _directive(name: str) -> list[str]:
    value: Any = polymodal
    for part in name.split("."):
        value = getattr(value, part)
    if not isinstance(value, type):
        return ["```{eval-rst}", f".. autofunction:: polymodal.{name}", "```"]
    if issubclass(value, BaseModel) and name == "Experiment":
        members = ", ".join(key for key in ("read", "of", "tree", "columns") if hasattr(value, key))
    else:
        members = ", ".join(key for base in (value,) for key in vars(base) if not key.startswith("_") and _documented(base, key))
    lines = ["```{eval-rst}", f".. autoclass:: polymodal.{name}"]
    return [*lines, *([f"   :members: {members}"] if members and not issubclass(value, Exception) else []), "```"]


def _documented(owner: type, name: str) -> bool:
    """Return whether a member of a class is a method or a property with a docstring."""
    value = inspect.getattr_static(owner, name)
    value = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    return bool(isinstance(value, types.FunctionType | property) and value.__doc__)


def plain_rst(app: Any, what: str, name: str, value: object, options: Any, lines: list[str]) -> None:
    """Turn the lines of a docstring into reStructuredText that has no markup but literals, lists and field lists."""
    out: list[str] = []
    for line in lines:
        parts = re.split(r"(``.+?``)", line)
        for at in range(0, len(parts), 2):
            parts[at] = re.sub(r"(?<!\\)([*|`\\])", r"\\\1", parts[at])
            parts[at] = re.sub(r"(\w)_(?=\W|$)", r"\1\\_", parts[at])
            if at and re.match(r"[\w(]", parts[at]):
                parts[at] = "\\ " + parts[at]
        text = "".join(parts)
        starts_list = re.match(r"\s*(- |:\w+)", text)
        if starts_list and out and out[-1].strip() and not re.match(r"\s*(- |:\w+|  )", out[-1]):
            out.append("")
        out.append(text)
    lines[:] = [*out, ""]


def resolve(app: Sphinx, env: Any, node: Any, contnode: Any) -> Any:
    """Resolve a type in a signature or a field list: one with a public name becomes a link, another is shown as text."""
    if node.get("refdomain") != "py" or "refwarn" in node.attributes:  # a role that was written by hand must be found
        return None
    target = str(node.get("reftarget", ""))
    domain = env.domains["py"]
    wanted = target.rpartition(".")[2]
    public = [f"polymodal.{name}" for name in (*polymodal.__all__, *EXTENSION_POINTS) if name.rpartition(".")[2] == wanted]
    for name in public:
        if name in domain.objects:
            entry = domain.objects[name]
            from sphinx.util.nodes import make_refnode

            return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode, name)
    return nodes.inline("", "", contnode)


# Sphinx


PARTS: dict[str, Callable[[], str]] = {
    "api": api,
    "commands": commands,
    "estimators": estimators,
    "extensions": extensions,
    "kinds": kinds,
    "results": results,
    "settings": settings,
}


def fill(app: Any, page: str, source: list[str]) -> None:
    """Replace the placeholders of a page by generated Markdown; ``KeyError`` names a part that does not exist."""
    source[0] = _PLACEHOLDER.sub(lambda match: PARTS[match[1]](), source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("source-read", fill)
    app.connect("autodoc-process-docstring", plain_rst)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
