"""Every configuration: how one is declared, read, overridden, checked and explained.

A configuration is a frozen tree of typed data. It comes from Python, from YAML, or from ``path=value`` overrides, and
ends in the same object. A docstring under a field is its description, in the schema and in a written ``run.yaml``.
"""

from .base import Config, External, kinds_of, menu
from .explaining import explain
from .faults import shaped, validate
from .overriding import flow, merge, override, quote, shortened, split_override
from .paths import NameOrPath, PathText, absolute, path_settings, paths_in, with_absolute_paths, with_paths_at
from .reading import parse_yaml, read_tree
from .settings import Setting, settings_of

__all__ = [
    "Config",
    "External",
    "NameOrPath",
    "PathText",
    "Setting",
    "absolute",
    "explain",
    "flow",
    "kinds_of",
    "menu",
    "merge",
    "override",
    "parse_yaml",
    "path_settings",
    "paths_in",
    "quote",
    "read_tree",
    "settings_of",
    "shaped",
    "shortened",
    "split_override",
    "validate",
    "with_absolute_paths",
    "with_paths_at",
]
