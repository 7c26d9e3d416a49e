"""Check the shapes that names state while tests run.

Code of models names the dimensions of a tensor in a suffix: ``tokens_BLD`` has three of them, and in one call of a function ``B`` is the same
number everywhere. ``install`` compiles the packages that it is given so that every function checks its parameters and its local variables
against their suffixes (jaxtyping), and its arguments and results against their annotations (beartype). A ``1`` in a suffix is a dimension
of size 1.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

_SUFFIX = re.compile(r"_([A-Z1-9][A-Z0-9]*)$")
_MODULE = "builders.shapes"


class ShapeError(AssertionError):
    """A tensor has another shape than its name states."""


def check(name: str, value: Any) -> None:
    """Raise ``ShapeError`` if a tensor or an array does not have the dimensions of its name's suffix; ignore any other value.

    In one call of a function every dimension has one size.
    """
    import numpy as np
    from jaxtyping import Shaped, print_bindings
    from torch import Tensor

    suffix = _SUFFIX.search(name)
    if suffix is None or not isinstance(value, (Tensor, np.ndarray)):
        return
    kind: Any = Tensor if isinstance(value, Tensor) else np.ndarray
    expected: Any = Shaped[kind, " ".join(suffix[1])]
    if not isinstance(value, expected):
        print_bindings()
        raise ShapeError(f"{name}: shape {tuple(value.shape)}; expected the dimensions {', '.join(suffix[1])}, alike in the whole call")


def function(of: Any) -> Any:
    """Return a function whose calls have dimensions of their own, and whose arguments and result are checked against the annotations."""
    from beartype import BeartypeConf, beartype
    from jaxtyping import jaxtyped

    return jaxtyped(typechecker=beartype(conf=BeartypeConf(is_pep484_tower=True)))(of)


class _Checks(ast.NodeTransformer):
    """Adds a check behind each assignment of a name with a suffix, and to each function."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        checks = [_call(argument.arg) for argument in arguments if _SUFFIX.search(argument.arg)]
        start = 1 if ast.get_docstring(node, clean=False) is not None else 0
        node.body[start:start] = checks
        hints = [argument.annotation for argument in arguments] + [node.returns]
        is_self = any("Self" in ast.unparse(hint) for hint in hints if hint is not None)  # beartype knows it in decorated classes only
        checks_itself = node.name == "__init__"  # the model reports components that break their contract
        if not is_self and not checks_itself and not any("overload" in ast.unparse(one) for one in node.decorator_list):
            node.decorator_list.append(ast.parse("_shapes.function", mode="eval").body)
        return node

    def visit_Assign(self, node: ast.Assign) -> list[ast.stmt]:
        return [node, *(_call(name) for target in node.targets for name in _names(target))]

    def visit_AnnAssign(self, node: ast.AnnAssign) -> list[ast.stmt]:
        return [node, *(_call(name) for name in _names(node.target) if node.value is not None)]


def _names(target: ast.expr) -> list[str]:
    """Return the names with a suffix that an assignment binds."""
    return [
        part.id for part in ast.walk(target) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store) and _SUFFIX.search(part.id)
    ]


def _call(name: str) -> ast.stmt:
    return ast.parse(f"_shapes.check({name!r}, {name})").body[0]


class _Loader(SourceFileLoader):
    """Compiles a file with its checks, and caches no bytecode."""

    def path_stats(self, path: Any) -> Any:
        raise OSError

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> CodeType:  # type: ignore[override]
        tree = ast.parse(data, path)
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                _Checks().visit(node)
        start = [place + 1 for place, node in enumerate(tree.body) if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
        tree.body.insert(max(start, default=1), ast.parse(f"import {_MODULE} as _shapes").body[0])
        return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True, optimize=_optimize)


class _Finder(MetaPathFinder):
    """Finds the modules of some packages, to be compiled with checks."""

    def __init__(self, packages: Sequence[str]) -> None:
        self.packages = tuple(packages)

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the spec of a module of the packages, with the loader that adds checks; None for any other module."""
        if not any(name == package or name.startswith(f"{package}.") for package in self.packages):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.name, spec.origin)
        return spec


def install(*packages: str) -> None:
    """Check the shapes in these packages, which must not have been imported yet."""
    early = [name for name in sys.modules if any(name == package or name.startswith(f"{package}.") for package in packages)]
    if early:
        raise RuntimeError(f"{early[0]} was imported already; expected it to be imported later")
    sys.meta_path.insert(0, _Finder(packages))
