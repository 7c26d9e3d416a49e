"""The architecture page and its pictures agree with the code."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from typing import Any

import pytest

from builders import ROOT

PAGE = ROOT / "docs" / "design" / "000-architecture.md"
IMAGES = ("architecture-imports.svg", "architecture-path.svg")
WORDS = 2000
"""The most words of a page that can be read in ten minutes."""


@pytest.fixture(scope="module")
def pictures() -> Any:
    """The module docs/architecture_pictures.py."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        return importlib.import_module("architecture_pictures")
    finally:
        sys.path.remove(str(ROOT / "docs"))


@pytest.mark.parametrize("name", IMAGES)
def test_a_picture_shows_the_code_as_it_is(pictures: Any, name: str) -> None:
    committed = (ROOT / "docs" / "images" / name).read_text(encoding="utf-8")
    assert pictures.PICTURES[name]() == committed, f"docs/images/{name} is out of date: run python docs/architecture_pictures.py"


@pytest.mark.parametrize("name", IMAGES)
def test_a_picture_is_on_the_page_and_needs_nothing_from_elsewhere(pictures: Any, name: str) -> None:
    text = pictures.PICTURES[name]()
    assert f"](../images/{name})" in PAGE.read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"], "the name of the format"
    assert "@import" not in text
    assert "url(" not in text
    assert "(prefers-color-scheme: dark)" in text
    assert set(pictures.PICTURES) == set(IMAGES)


def test_the_picture_of_the_imports_has_every_room_and_every_import(pictures: Any) -> None:
    text, every = pictures.imports_picture(), pictures.imports()
    marks = sum(map(len, every.values()))
    assert len(re.findall(r' class="(?:direct|implied)"/>', text)) - 2 == marks > 150, "two marks are of the legend"
    assert len(re.findall(r' class="direct"/>', text)) - 1 < marks / 2, "imports that follow from others are lighter"
    for room in every:
        assert text.count(f">{room}</text>") == 2, room


def test_every_name_in_the_picture_of_the_path_is_defined(pictures: Any) -> None:
    names = pictures.names_in_path()
    assert [name for name in names if not pictures.is_defined(name)] == []
    shown = re.findall(r'class="text code">([^<]+)</text>', pictures.path_picture())
    assert sorted(shown) == sorted([*names, "torch.Tensor"])


def test_a_name_that_is_not_defined_is_noticed(pictures: Any) -> None:
    assert pictures.is_defined("flow.Field.present_B")
    for name in ("flow.Nothing", "nothing.Field", "modalities.modality.Modality.nothing", "flow.Field.hide.nothing"):
        assert not pictures.is_defined(name), name


def test_imports_that_follow_from_others_are_left_out(pictures: Any) -> None:
    every = {"top": {"middle", "bottom", "side"}, "middle": {"bottom"}, "side": set(), "bottom": set()}
    assert pictures.not_implied(every) == {"top": {"middle", "side"}, "middle": {"bottom"}, "side": set(), "bottom": set()}


def test_the_table_of_floors_is_that_of_the_test(pictures: Any) -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    floors = pictures.floors()
    assert [(int(floor), re.findall(r"`(\w+)`", names)) for floor, names in rows] == list(reversed(list(enumerate(floors, 1))))
    assert sorted(room for rooms in floors for room in rooms) == pictures.rooms()


def test_every_class_and_function_that_the_page_names_is_defined() -> None:
    text = PAGE.read_text(encoding="utf-8")
    defined: set[str] = set()
    for path in (ROOT / "src" / "polymodal").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                defined.add(node.name)
            if isinstance(node, ast.ClassDef):
                defined |= {f"{node.name}.{member.name}" for member in node.body if isinstance(member, ast.FunctionDef)}
    named = set(re.findall(r"`([A-Z]\w+(?:\.\w+)?)`", text)) - {"CONFIGS", "State"}
    assert {"Field", "MultiModalModel.admit", "Trainer.fit"} <= named
    assert named - defined == set()


def test_every_room_has_one_paragraph(pictures: Any) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\*\*`(\w+)`\*\* ", text, flags=re.MULTILINE)) == pictures.rooms()
    assert len(text.split()) <= WORDS
