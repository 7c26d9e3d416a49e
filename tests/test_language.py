"""Names in the source follow ``docs/glossary.md``: no module or identifier with a word that only this code would understand."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import ROOT

SOURCE = ROOT / "src" / "polymodal"
FILES = sorted(SOURCE.rglob("*.py"))
BANNED_MODULES = {
    "asked", "bad_cells", "corruption", "course", "crew", "disk", "drawn", "held_out", "keeping", "ledger", "linked", "maps", "misprints",
    "rounds", "stop", "suspects", "twins", "verb", "verbs", "warned", "wording", "writing",
}  # fmt: skip
BANNED_IDENTIFIERS = {
    "asked", "asks", "blame", "crew", "drawn", "drew", "eats", "house", "hush", "knows", "ledger", "lies", "mend", "misprints", "owe", "owes",
    "sharpen", "speaks", "strangers", "sureness", "suspects", "tells", "told", "verb", "verbs", "warned", "wish", "wishes",
}  # fmt: skip
SHORT_DOCSTRINGS = 9
"""Docstrings of three words or less that there may be."""


def identifiers(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Each name that a file defines or uses, and its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node.lineno


def test_no_module_has_a_banned_name() -> None:
    assert {path.stem for path in FILES} & BANNED_MODULES == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_no_identifier_is_a_banned_word(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    banned = [f"{name}, line {line}" for name, line in identifiers(tree) if BANNED_IDENTIFIERS & set(name.casefold().split("_"))]
    assert banned == []


def test_every_term_of_the_glossary_is_used() -> None:
    glossary, _, unused = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").partition("## Words that are not used")
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", glossary, flags=re.MULTILINE)
    terms = [term for names, *_ in rows if names != "term" for term in names.split(", ")]
    text = " ".join(path.read_text(encoding="utf-8") for path in [*FILES, ROOT / "CONTRIBUTING.md"])
    text = re.sub(r"[\s_]+|(?<=[a-z])(?=[A-Z])", " ", text).casefold()
    assert len(terms) > 60
    assert len(terms) == len(set(terms)), "a term is defined twice"
    assert [term for term in terms if not re.search(rf"\b{term}(?:s|es)?\b", text)] == []
    assert {"told", "ledger", "twin"} <= set(re.findall(r"\w+", unused))


def test_docstrings_are_sentences() -> None:
    counts: Counter[str] = Counter()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(node)
                if text is not None and len(text.split()) <= 3:
                    counts[f"{path.relative_to(SOURCE).as_posix()}: {text}"] += 1
    assert counts.total() <= SHORT_DOCSTRINGS, counts
