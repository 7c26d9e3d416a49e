"""What runs and commands print is in the language of the catalogue: no note, warning or printed line is English alone."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

import polymodal as pm
from builders import ROOT
from builders.tables import FAST, shop
from polymodal.language import TEXTS, Sentence, Words
from polymodal.language.words import filled
from polymodal.pages import write

SOURCE = ROOT / "src" / "polymodal"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
STANDALONE = {SOURCE / "exporting" / "runtime.py"}
"""Files that run without polymodal."""
MESSAGES = {"NoteEvent", "WarningEvent", "UndefinedEvent", "warn", "note", "_note", "say", "echo", "print_line"}
"""Functions and classes whose first argument is shown to people."""


# -- in the source ---------------------------------------------------------------------------------------------------------------


def messages() -> Iterator[tuple[Path, int, ast.expr]]:
    """Yield the first argument of each call that shows a message."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if path not in STANDALONE else ():
            name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name in MESSAGES and node.args:
                yield path, node.lineno, node.args[0]


def words_in(expression: ast.expr) -> str:
    """The literal text of an expression, if it is a text."""
    parts = expression.values if isinstance(expression, ast.JoinedStr) else [expression]
    return "".join(one.value for one in parts if isinstance(one, ast.Constant) and isinstance(one.value, str))


def test_no_message_is_written_in_english_where_it_is_shown() -> None:
    found = list(messages())
    assert len(found) > 80
    assert [(path, line) for path, line, shown in found if re.search(r"[A-Za-z]{2}", words_in(shown))] == []


# -- in runs ---------------------------------------------------------------------------------------------------------------------


class Texts(pm.Observer):
    """An observer that keeps the texts of notes and warnings."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def observe(self, event: pm.Event) -> None:
        if isinstance(event, (pm.NoteEvent, pm.WarningEvent)):
            self.texts.append(event.text)


def of_run(*args: Any, **settings: Any) -> list[str]:
    """The notes and warnings of a run, also those that Python's ``warnings`` show."""
    kept = Texts()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pm.train(*args, observers=[kept], verbose=False, **settings)
    return [*kept.texts, *(one.message.args[0] for one in caught if one.category is UserWarning)]  # type: ignore[union-attr]


def untranslated(texts: list[str]) -> list[str]:
    """The texts that are not Chinese in Chinese."""
    words = Words("zh")
    return [text for text in texts if not CHINESE.search(words.read(text))]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table without Chinese: texts, of which some recur in another order, numbers with a comma, an id, classes of which one is rare."""
    path = tmp_path_factory.mktemp("texts") / "t.csv"
    lines, random, titles = ["id;title;price;empty;kind"], Random(1), list[str]()
    for at in range(90):
        words = ["".join(random.choices("abcdefgh", k=5)) for _ in range(9)]
        titles.append(" ".join(words) if at < 80 else " ".join(reversed(titles[at - 80].split())))
        lines.append(f"{at};{titles[at]};{at % 7},5;;{'rare' if at in (3, 50) else ('cat', 'dog', 'fox')[at % 3]}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


RUNS: dict[str, dict[str, Any]] = {
    "folds": {"overrides": ["data.split.folds=2"]},
    "fast": {"overrides": [], "preset": "fast"},
    "time limit": {"overrides": ["training.baselines=false"], "time_limit": "3s"},
    "test rows": {"overrides": ["data.split.kind=random", "data.split.test=0.2", "model.fusion.kind=late"]},
}


@pytest.mark.parametrize("name", RUNS)
def test_every_note_and_warning_of_a_run_has_a_chinese_text(name: str, table: Path, tmp_path: Path) -> None:
    settings = dict(RUNS[name])
    texts = of_run(table, "training.epochs=1", "model.width=8", *settings.pop("overrides"), target="kind", out=tmp_path / "run", **settings)
    assert len(texts) > 8
    assert untranslated(texts) == []
    shown = [Words("zh").read(text) for text in texts]
    for words in ("classes of fewer", "(nearly)", "decimal sign"):
        assert any(words in text for text in texts) or name == "time limit", words
        assert not any(words in text for text in shown)
    notes = write(tmp_path / "run", "zh").read_text(encoding="utf-8").partition("<pre>")[2].partition("</pre>")[0].splitlines()
    assert len(notes) >= len(texts) - 1
    assert [line for line in notes if not CHINESE.search(line)] == [], "the log of the report is Chinese too"


def test_a_model_of_mmf_and_a_frozen_network_have_chinese_notes(tmp_path: Path) -> None:
    texts = of_run(shop(tmp_path), *FAST, "training.epochs=1", preset="mmf/mmbt", target="label", ignore=["price", "region"])
    assert any("its network from scratch" in text for text in texts)
    assert untranslated(texts) == []


def test_the_warnings_about_new_rows_and_what_check_reports_are_chinese(table: Path, tmp_path: Path) -> None:
    words = Words("zh")
    pm.train(table, "training.epochs=1", "model.width=8", target="kind", preset="fast", out=tmp_path / "run", verbose=False)
    model = pm.load(tmp_path / "run")
    rows = [{"title": "cat", "price": f"{at}e9", "kind": "bird"} for at in range(1, 40)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.evaluate([*rows, {"title": "dog", "price": "1", "kind": "cat"}])
    shown = [one.message.args[0] for one in caught if one.category is UserWarning]  # type: ignore[union-attr]
    assert any("outside the range of the training rows" in text for text in shown)
    assert untranslated(shown) == []
    found = pm.check(table, "model.width=8", target="kind", preset="fast")
    lines = [line for line in found.lines(80, words) if line]
    assert [line for line in lines if not CHINESE.search(line) and not line.startswith("  ")] == []
    assert "nothing found that would stop the run" in " ".join(found.text().split())


# -- sentences -------------------------------------------------------------------------------------------------------------------


def test_words_agree_with_their_numbers() -> None:
    assert filled("{n:,} {n:pair|pairs} {n:is|are} here", {"n": 1}) == "1 pair is here"
    assert filled("{n:,} {n:pair|pairs} {n:is|are} here", {"n": 1_000}) == "1,000 pairs are here"
    assert Sentence("wrote.rows", path="t.csv", rows=1, parts="", files="") == "wrote t.csv: 1 row"
    for english, _ in TEXTS.values():
        assert not re.search(r"\{(\w+)(:,)?\} (rows|pairs|blocks|models|trials|files|epochs)\b", english) or re.search(
            r"\{(few|most|rows|needed|with_target)\S* rows|\{\w+\} of \{\w+\}", english
        ), english


def test_a_sentence_is_read_from_its_facts_and_hostile_facts_are_ignored() -> None:
    inner = Sentence("why.numbers", share="97%")
    for sentence in (Sentence("of_column", column="a", why=inner), Sentence.joined([inner, "x"]), Sentence("why.same")):
        again = Sentence.read(str(sentence), sentence.facts())
        assert isinstance(again, Sentence)
        assert (again, Words("zh").read(again)) == (sentence, Words("zh").read(sentence))
    deep: Any = {"key": "why.same", "values": {}}
    for _ in range(50):
        deep = {"key": "of_column", "values": {"column": "a", "why": deep}}
    hostile: list[Any] = [
        None, 1, "x", [], {}, {"key": "why.same"}, {"key": "no such", "values": {}}, {"key": "why.numbers", "values": {}}, deep,
        {"key": "why.over", "values": {"values": "many"}}, {"key": "why.recur", "values": {"share": 10**400, "times": 1}}, {"key": ["x"], "values": {}}, {"key": "why.same", "values": [1]},
        {"key": "why.numbers", "values": {"share": {"key": "why.same", "values": {"a": {}}}}}, {"key": "list_separator", "values": {"texts": 3}},
    ]  # fmt: skip
    for facts in hostile:
        read = Sentence.read("as it is", facts)
        assert (read, isinstance(read, Sentence)) == ("as it is", False), facts
    assert not isinstance(Sentence.read("another text", inner.facts()), Sentence), "the facts are of another text"
