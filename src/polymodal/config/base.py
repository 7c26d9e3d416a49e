"""What a configuration is declared with: the base class, menus of kinds, and components that are named by their class."""

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
    """A node of the tree: frozen, and closed to settings that it does not know."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=(), allow_inf_nan=False
    )

    def tree(self) -> dict[str, Any]:
        """The configuration as plain JSON data, every default written out."""
        return self.model_dump(mode="json")

    @classmethod
    def advice(cls, path: Sequence[str], found: Any, data: Any) -> str | None:
        """The message about what was found at a path of ``data``, where this configuration knows better than its types; None: it does not.
        Asked of the whole configuration about each value that is wrong."""
        return None


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

    def load(self, beside: Iterable[Path] = (), contract: str = "") -> Any:
        """Import and return the class; running its module's code is what the config asks for.

        ``ConfigError`` where that fails. It names the folder to put on ``PYTHONPATH`` where the module lies in the working folder or in
        one of those ``beside``, from which nothing is imported unasked, and says what the class must be, its ``contract``.
        """
        must = f"; the class must be {contract}" if contract else ""
        name, _, wanted = self.kind.partition(":")
        try:
            module = importlib.import_module(name)
        except (ModuleNotFoundError, TypeError, ValueError) as error:
            missing = getattr(error, "name", None) or name
            if missing == name or name.startswith(missing + "."):
                raise ConfigError(f"kind {self.kind!r}: cannot be imported ({error}); {_where(name, beside)}{must}") from error
            raise ConfigError(f"kind {self.kind!r}: cannot be imported ({error}); install {missing}, which it imports") from error
        except Exception as error:  # the module's own code
            raise ConfigError(f"kind {self.kind!r}: cannot be imported ({_place(error)}); mend that module") from error
        try:
            return getattr(module, wanted)
        except AttributeError:
            classes = [key for key, value in vars(module).items() if isinstance(value, type) and value.__module__ == module.__name__]
            raise ConfigError(
                f"kind {self.kind!r}: cannot be imported (module {name!r} has no {wanted!r}); expected one of its classes"
                f"{': ' + ', '.join(classes) if classes else ''}{nearest(wanted, classes)}{must}"
            ) from None

    def make(self, contract: str, **facts: Any) -> Any:
        """Build ``Class(settings, **facts)``; ``ConfigError`` with the ``contract`` where the class does not take these arguments."""
        part = self.load()
        try:
            inspect.signature(part).bind(self.settings, **facts)
        except TypeError as error:
            raise ConfigError(f"kind {self.kind!r}: cannot be built ({error}); expected {contract}") from None
        except ValueError:  # no signature is known
            pass
        return part(self.settings, **facts)


def _where(name: str, beside: Iterable[Path]) -> str:
    """What to do about a module that Python does not find."""
    head = name.partition(".")[0]
    for folder in (Path.cwd(), *beside):
        if (folder / f"{head}.py").is_file() or (folder / head / "__init__.py").is_file():
            return f"it lies in {folder}, where Python does not look; put that folder on PYTHONPATH: PYTHONPATH={shlex.quote(str(folder))}"
    return f"expected module:Class of a module that Python finds; put the folder of {head}.py on PYTHONPATH: PYTHONPATH=FOLDER"


def _place(error: Exception) -> str:
    """An error of someone's code, and where it is."""
    frames = traceback.extract_tb(error.__traceback__)
    where = (
        f"{error.filename}, line {error.lineno}" if isinstance(error, SyntaxError) else f"{frames[-1].filename}, line {frames[-1].lineno}"
    )
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}, {where}"


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
