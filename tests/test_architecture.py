"""The house: floors, no circles, complete menus, files of a size that one can read."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "polymodal"
FLOORS = [
    {"errors", "flow", "cells", "config", "storage", "layers", "backbones", "quiet"},
    {"modalities", "encoders", "fusions", "tasks"},
    {"data", "model", "layouts"},
    {"inference"},
    {"evaluation", "training", "frozen"},
    {"experiment"},
    {"preparation", "inspection"},
    {"bundle"},
    {"predictor", "report"},
    {"explanation"},
    {"profile", "runs", "analysis"},
    {"comparison"},
    {"cli"},
]
HEAVY = {"torch", "tokenizers", "matplotlib", "easy_vqa", "tensorboard"}


def modules() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def floor(name: str) -> int:
    return next(at for at, names in enumerate(FLOORS) if name in names)


def imported(path: Path) -> set[str]:
    """The rooms of the house that a file imports from, wherever in the file."""
    found = set()
    depth = len(path.relative_to(SOURCE).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            parts = (node.module or "").split(".") if node.module else []
            if node.level == depth:  # from the root of the package
                found |= {parts[0]} if parts else {alias.name for alias in node.names} - {"__version__"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("polymodal"):
            raise AssertionError(f"{path}: an absolute import of the package")
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_imports_only_from_lower_floors_or_its_own_room(path: Path) -> None:
    for other in imported(path) - {room(path)}:
        same = floor(other) == floor(room(path))
        allowed = floor(other) < floor(room(path)) or (same and floor(other) in (0, 2, 6) and (room(path), other) in SAME_FLOOR)
        assert allowed, f"{path.relative_to(SOURCE)} imports {other}"


SAME_FLOOR = {("cells", "flow"), ("config", "errors"), ("layers", "flow"), ("layers", "errors"), ("storage", "errors"),
              ("backbones", "errors"), ("backbones", "quiet"), ("backbones", "flow"), ("backbones", "layers")}  # fmt: skip


def test_the_four_families_never_import_one_another() -> None:
    families = {"modalities", "encoders", "fusions", "tasks"}
    for path in modules():
        if room(path) in families:
            assert not (imported(path) & (families - {room(path)})), path


def test_no_file_is_longer_than_400_lines() -> None:
    long = {
        str(path.relative_to(SOURCE)): count for path in modules() if (count := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long


@pytest.mark.parametrize("family", ["modalities", "encoders", "fusions", "tasks", "training/balance"])
def test_every_config_with_a_kind_is_on_its_menu(family: str) -> None:
    from importlib import import_module

    menu = {config.__name__ for config in import_module(f"polymodal.{family.replace('/', '.')}").CONFIGS}
    for path in (SOURCE / family).glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            if (
                isinstance(node, ast.ClassDef)
                and any(
                    isinstance(item, ast.AnnAssign) and getattr(item.target, "id", "") == "kind" and item.value is not None
                    for item in node.body
                )
                and node.name.endswith("Config")
            ):
                assert node.name in menu, f"{family}/{path.name}: {node.name} is not on the menu"


def test_importing_the_package_and_asking_for_help_do_not_import_torch() -> None:
    code = "import sys, polymodal, polymodal.cli.main; dir(polymodal); sys.exit(bool({'torch', 'numpy', 'pyarrow', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_public_face_is_sorted_and_all_there() -> None:
    import polymodal

    assert polymodal.__all__ == sorted(polymodal.__all__)
    for name in polymodal.__all__:
        assert getattr(polymodal, name) is not None
