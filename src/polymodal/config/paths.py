"""Settings that contain a path, and the one rule for relative paths.

A relative path that is written in a file is relative to the folder of that file. A path that the caller gives (an argument, a flag, an
override) is relative to the current folder. A file that is written for later use contains absolute paths only.

A setting that contains a path is declared as ``PathText``, or as ``NameOrPath`` if it may be a name as well. The settings of external
classes are given to the class as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from ..remote import is_remote
from .base import Config, External
from .settings import members


@dataclass(frozen=True)
class _IsPath:
    """Marks the type of a setting that contains a path."""

    or_name: bool


PathText = Annotated[str, _IsPath(or_name=False)]
"""The type of a setting that contains a path."""
NameOrPath = Annotated[str, _IsPath(or_name=True)]
"""The type of a setting that contains a name, or a path if a file or folder of that name exists."""


def absolute(path: str | Path) -> str:
    """Return an absolute path. Links in its folder are resolved; a link in the last place is kept, since files beside it are named
    relative to its own folder. A URL of an object store is returned unchanged."""
    if is_remote(path):
        return str(path)
    path = Path(path)
    return str(path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name)


def with_paths_at(model: type[Config], tree: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the tree of a configuration from a file in ``folder``, with paths that are valid in the current folder.

    A name that may be a path becomes an absolute path if it exists below ``folder``.

    :param model: the class of the configuration
    :param tree: its settings as plain data; they need not be complete or valid
    :param folder: the folder that relative paths are relative to
    """
    return _changed_tree(model, tree, lambda text, mark: _existing(text, folder) if mark.or_name else _at(folder, text))


def with_absolute_paths(model: type[Config], tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tree of a configuration with every path of the current folder made absolute, as in a file that is written."""
    return _changed_tree(model, tree, lambda text, mark: _existing(text, Path()) if mark.or_name else absolute(text))


def paths_in(model: type[Config], tree: Mapping[str, Any]) -> list[str]:
    """Return every path in the tree of a configuration, without names that are no path."""
    paths: list[str] = []

    def keep(text: str, mark: _IsPath) -> str:
        if not mark.or_name or _existing(text, Path()) != text or Path(text).is_absolute():
            paths.append(text)
        return text

    _changed_tree(model, tree, keep)
    return paths


def path_settings(model: type[Config], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the place of each setting below ``model`` that contains a path; ``*`` stands for a name or for a kind."""
    for name, info in model.model_fields.items():
        if _mark_of(info.metadata, info.annotation) is not None:
            yield (*above, name)
        else:
            for config, below in _configs_in(info.annotation):
                yield from path_settings(config, (*above, name, *below))


def _at(folder: Path, text: str) -> str:
    """Return a path that is relative to a folder; a URL of an object store is returned unchanged."""
    return text if is_remote(text) else str(folder / text)


def _existing(text: str, folder: Path) -> str:
    """Return an absolute path if it exists, otherwise the text."""
    try:
        path = folder / Path(text).expanduser()
        return str(path.resolve()) if path.exists() else text
    except (OSError, RuntimeError, ValueError):  # too long, or no home folder
        return text


def _mark_of(metadata: list[Any], annotation: Any) -> _IsPath | None:
    """Return the mark of a setting's type: of the type itself, of the members of a union, or of the items of a list."""
    marks = [fact for fact in metadata if isinstance(fact, _IsPath)]
    for part in get_args(annotation):
        if isinstance(part, _IsPath):
            marks.append(part)
        elif (below := _mark_of([], part)) is not None:
            marks.append(below)
    return marks[0] if marks else None


def _configs_in(annotation: Any) -> Iterator[tuple[type[Config], tuple[str, ...]]]:
    """Yield the configurations that a type consists of, with the place of each below the setting."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        if annotation is not External:
            yield annotation, ()
        return
    star = ("*",) if get_origin(annotation) is dict else ()
    for part in get_args(annotation):
        yield from ((config, (*star, *below)) for config, below in _configs_in(part))


def _changed_tree(model: type[Config], tree: Mapping[str, Any], change: Callable[[str, _IsPath], str]) -> dict[str, Any]:
    """Return the tree with each path changed. What is not of the expected type is left for the validation to report."""
    changed = dict(tree)
    for name, info in model.model_fields.items():
        if name not in tree:
            continue
        mark = _mark_of(info.metadata, info.annotation)
        if mark is not None:
            value = tree[name]
            if isinstance(value, str):
                changed[name] = change(value, mark)
            elif isinstance(value, list):
                changed[name] = [change(one, mark) if isinstance(one, str) else one for one in value]
        else:
            changed[name] = _changed_value(info.annotation, tree[name], change)
    return changed


def _changed_value(annotation: Any, value: Any, change: Callable[[str, _IsPath], str]) -> Any:
    """Return the value of a setting that is not a path, with the paths below it changed."""
    if not isinstance(value, Mapping):
        return value
    menu = members(annotation)
    if menu:
        configs = [menu[kind]] if (kind := value.get("kind")) in menu else [] if kind is not None else list(menu.values())
        for config in configs:  # without a kind, all that may be meant
            value = _changed_tree(config, value, change) if config is not External else value
        return value
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return _changed_tree(annotation, value, change)
    if get_origin(annotation) is dict:
        return {key: _changed_value(get_args(annotation)[1], one, change) for key, one in value.items()}
    return value
