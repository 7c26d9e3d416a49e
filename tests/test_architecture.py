"""The structure of the package: rooms on floors, no circular imports, complete menus, and files of limited length."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from builders import ROOT

SOURCE = ROOT / "src" / "polymodal"
FLOORS = [  # from floor 1 upwards; docs/design/000-architecture.md explains the rooms
    {"allocator", "errors", "flow", "quiet", "random_streams", "request", "terminal", "threads"},
    {"language", "remote"},
    {"cells", "config", "storage", "layers", "weights"},
    {"backbones", "trees"},
    {"modalities", "encoders", "fusions", "tasks"},
    {"data", "model", "layouts", "pages"},
    {"inference"},
    {"collection", "evaluation", "training", "frozen", "zoo"},
    {"experiment"},
    {"preparation", "journal"},
    {"inspection", "bundle"},
    {"predictor", "ensemble"},
    {"analysis", "outputs", "exporting"},
    {"tracking"},
    {"runs"},
    {"preflight", "comparison", "server", "sklearn"},
    {"tuning"},
    {"cli"},
]
HEAVY = {"torch", "tokenizers", "matplotlib", "easy_vqa", "tensorboard"}


def modules() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def room(path: Path) -> str:
    name = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    return "cli" if name == "__main__" else name


def floor(name: str) -> int:
    return next(at for at, names in enumerate(FLOORS) if name in names)


def imported(path: Path) -> set[str]:
    """The rooms that a file imports from, wherever in the file."""
    rooms = set()
    depth = len(path.relative_to(SOURCE).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            parts = (node.module or "").split(".") if node.module else []
            if node.level == depth:  # from the root of the package
                rooms |= {parts[0]} if parts else {alias.name for alias in node.names} - {"__version__"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("polymodal"):
            raise AssertionError(f"{path}: an absolute import of the package")
    return rooms


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_imports_only_from_lower_floors_or_its_own_room(path: Path) -> None:
    for other in imported(path) - {room(path)}:
        assert floor(other) < floor(room(path)), f"{path.relative_to(SOURCE)} imports {other}"


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


FAMILIES = ("modalities", "encoders", "fusions", "tasks")
NOT_A_KIND = {
    ("encoders/frames.py", "attention"): "the setting pool",
    ("experiment.py", "pretrained"): "the setting model.preset",
    ("modalities/audio.py", "spectrogram"): "the form that an encoder reads",
    ("data/copies.py", "text"): "the role of a column in the search for copies",
    ("data/fingerprints.py", "text"): "the role of a column in the search for copies",
    ("modalities/clouds.py", "binary"): "the encoding of a PCD file",
}
"""Comparisons with a word that happens to be a kind as well, and what is compared."""


def kinds_by_family() -> dict[str, frozenset[str]]:
    """The kinds on the menu of each family."""
    return {family: frozenset(import_module(f"polymodal.{family}").KINDS) for family in FAMILIES}


def final_classes(family: str) -> set[str]:
    """The names of the classes of a family that are on its menu, and of what their configs are the settings of."""
    configs = import_module(f"polymodal.{family}").CONFIGS
    names = {config.__name__ for config in configs}
    for path in (SOURCE / family).glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and f"{node.name}Config" in names:
                names.add(node.name)
    return names


def words_in(node: ast.expr) -> set[str]:
    """The texts that an operand of a comparison is, or that it lists."""
    parts = node.elts if isinstance(node, (ast.Tuple, ast.List, ast.Set)) else [node]
    return {part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)}


def names_in(node: ast.expr) -> set[str]:
    """The names and attributes that an operand is, or that it lists."""
    parts = node.elts if isinstance(node, (ast.Tuple, ast.List, ast.Set)) else [node]
    return {part.id if isinstance(part, ast.Name) else part.attr for part in parts if isinstance(part, (ast.Name, ast.Attribute))}


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    """The nodes of a file that compare something or test its class."""
    kinds = (ast.Compare, ast.MatchValue, ast.MatchClass, ast.Call)
    return [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, kinds)]


@pytest.mark.parametrize("family", FAMILIES)
def test_no_kind_literal_or_final_class_is_tested_outside_its_family(family: str) -> None:
    """A component states what it can do; code elsewhere does not go by its kind."""
    kinds, classes, faults = kinds_by_family()[family], final_classes(family), []
    for path in modules():
        if room(path) == family:
            continue
        file = path.relative_to(SOURCE).as_posix()
        for node in nodes_of(path):
            words: set[str] = set()
            names: set[str] = set()
            if isinstance(node, ast.Compare):
                words = set().union(*map(words_in, (node.left, *node.comparators)))
                names = set().union(*map(names_in, (node.left, *node.comparators)))
            elif isinstance(node, ast.MatchValue):
                words = words_in(node.value)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass"):
                names = names_in(node.args[1])
            elif isinstance(node, ast.MatchClass):
                names = names_in(node.cls)
            words = {word for word in words & kinds if (file, word) not in NOT_A_KIND}
            faults += [f"{file}:{getattr(node, 'lineno', '?')}: {word}" for word in sorted(words | (names & classes))]
    assert faults == []


def test_importing_the_package_and_asking_for_help_do_not_import_torch() -> None:
    code = "import sys, polymodal, polymodal.cli.main; dir(polymodal); sys.exit(bool({'torch', 'numpy', 'pyarrow', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_public_face_is_sorted_and_all_there() -> None:
    import polymodal

    assert polymodal.__all__ == sorted(polymodal.__all__)
    for name in polymodal.__all__:
        assert getattr(polymodal, name) is not None


def test_tests_mirror_the_source_and_import_no_other_test() -> None:
    tests = ROOT / "tests"
    for path in tests.rglob("*.py"):
        folder = path.parent.relative_to(tests)
        if folder.name not in ("", "builders"):
            assert (SOURCE / folder).is_dir(), f"{folder}: no folder of this name in src/polymodal"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in names if name.split(".")[-1].startswith(("test_", "conftest"))], path
