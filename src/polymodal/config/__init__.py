"""Configurations: declaring, reading, overriding, validating and explaining them.

A configuration is a frozen tree of typed data. It can be written in Python, in YAML, or as ``path=value`` overrides; all three give the
same object. The docstring under an attribute is its description in the JSON schema and in a written ``run.yaml``.
"""

from .base import Config, External, kinds_of, menu
from .explaining import explain
from .faults import shaped, validate
from .overriding import flow, merge, override, quote, shortened, split_override
from .paths import NameOrPath, PathText, absolute, path_settings, paths_in, with_absolute_paths, with_paths_at
from .reading import parse_yaml, read_tree
from .settings import Setting, settings_of
from .suggesting import PATHS, Meant, meant_by, request_of, unexpected

__all__ = [
    "PATHS",
    "Config",
    "External",
    "Meant",
    "NameOrPath",
    "PathText",
    "Setting",
    "absolute",
    "explain",
    "flow",
    "kinds_of",
    "meant_by",
    "menu",
    "merge",
    "override",
    "parse_yaml",
    "path_settings",
    "paths_in",
    "quote",
    "read_tree",
    "request_of",
    "settings_of",
    "shaped",
    "shortened",
    "split_override",
    "unexpected",
    "validate",
    "with_absolute_paths",
    "with_paths_at",
]
