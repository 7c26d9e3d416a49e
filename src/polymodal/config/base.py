"""Base classes of configurations: ``Config``, menus of kinds, and ``External`` components that are given by their class."""

from __future__ import annotations

import importlib
import inspect
import re
import shlex
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Union

from pydantic import BaseModel, ConfigDict, Discriminator, Tag, model_validator

from ..errors import ConfigError, nearest


class Config(BaseModel):
    """Base class of all configurations. Instances are frozen, and unknown settings are errors."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=(), allow_inf_nan=False
    )

    def tree(self) -> dict[str, Any]:
        """Return the configuration as plain JSON data, including the defaults."""
        return self.model_dump(mode="json")

    @classmethod
    def advice(cls, path: Sequence[str], value: Any, data: Any) -> str | None:
        """Return a message for an invalid value, or None to use the message that follows from the types.

        Validation calls it on the class of the whole configuration, once for each invalid value.

        :param path: the path of the value in ``data``
        :param value: the invalid value
        :param data: the data of the whole configuration
        """
        return None


class External(Config):
    """A component that the user wrote: ``kind: "package.module:Class"``, built as ``Class(settings, **facts)``."""

    kind: str
    """module:Class. The module is imported when the model is built, not when the configuration is read."""
    settings: dict[str, Any] = {}
    """The settings that are passed to the class unchanged."""

    @model_validator(mode="after")
    def _names_a_class(self) -> External:
        if not re.fullmatch(r"[\w.]+:\w+", self.kind):
            raise ValueError(f"{self.kind!r} is neither on the menu nor of the form module:Class")
        return self

    def load(self, folders: Iterable[Path] = (), contract: str = "") -> Any:
        """Import the class and return it. This runs the code of its module.

        :param folders: folders that may contain the module besides the working folder. Nothing is imported from them; if one of them
            contains the module, the message names it as the folder to put on ``PYTHONPATH``
        :param contract: what the class must be, for the message; empty = not stated
        :raises ConfigError: the module cannot be imported, or has no such class
        """
        requirement = f"; the class must be {contract}" if contract else ""
        name, _, class_name = self.kind.partition(":")
        try:
            module = importlib.import_module(name)
        except (ModuleNotFoundError, TypeError, ValueError) as error:
            missing = getattr(error, "name", None) or name
            if missing == name or name.startswith(missing + "."):
                raise ConfigError(f"kind {self.kind!r}: cannot be imported ({error}); {_where(name, folders)}{requirement}") from error
            raise ConfigError(f"kind {self.kind!r}: cannot be imported ({error}); install {missing}, which it imports") from error
        except Exception as error:  # raised by the module's code
            raise ConfigError(f"kind {self.kind!r}: cannot be imported ({_place(error)}); fix that module") from error
        try:
            return getattr(module, class_name)
        except AttributeError:
            classes = [key for key, value in vars(module).items() if isinstance(value, type) and value.__module__ == module.__name__]
            raise ConfigError(
                f"kind {self.kind!r}: cannot be imported (module {name!r} has no {class_name!r}); expected one of its classes"
                f"{': ' + ', '.join(classes) if classes else ''}{nearest(class_name, classes)}{requirement}"
            ) from None

    def make(self, contract: str, **facts: Any) -> Any:
        """Build ``Class(settings, **facts)`` and return it.

        :param contract: the signature that the class must have, for the message
        :raises ConfigError: the class cannot be imported, or does not accept these arguments
        """
        part = self.load()
        try:
            inspect.signature(part).bind(self.settings, **facts)
        except TypeError as error:
            raise ConfigError(f"kind {self.kind!r}: cannot be built ({error}); expected {contract}") from None
        except ValueError:  # the signature is unknown
            pass
        return part(self.settings, **facts)


def _where(name: str, folders: Iterable[Path]) -> str:
    """Return the advice for a module that Python does not find."""
    head = name.partition(".")[0]
    for folder in (Path.cwd(), *folders):
        if (folder / f"{head}.py").is_file() or (folder / head / "__init__.py").is_file():
            return f"it lies in {folder}, where Python does not look; put that folder on PYTHONPATH: PYTHONPATH={shlex.quote(str(folder))}"
    return f"expected module:Class of a module that Python finds; put the folder of {head}.py on PYTHONPATH: PYTHONPATH=FOLDER"


def _place(error: Exception) -> str:
    """Describe an error in the user's code, with its file and line."""
    frames = traceback.extract_tb(error.__traceback__)
    where = (
        f"{error.filename}, line {error.lineno}" if isinstance(error, SyntaxError) else f"{frames[-1].filename}, line {frames[-1].lineno}"
    )
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}, {where}"


def menu(*configs: type[Config], external: bool = True) -> Any:
    """Return the union type of some configurations, of which ``kind`` selects one.

    :param configs: the configuration classes
    :param external: whether ``module:Class`` is accepted as well
    """
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
    """Return the kinds of some configuration classes, in their order."""
    return [config.model_fields["kind"].default for config in configs]
