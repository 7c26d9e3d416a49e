"""The catalogue of texts in two languages: it is complete, each text is used, and the language is that of the setting or the locale."""

from __future__ import annotations

import ast
import copy
import json
import locale
import pickle
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import polymodal as pm
from builders import ROOT
from polymodal.cli.language_option import LANGUAGES as OPTION_LANGUAGES
from polymodal.evaluation import robustness
from polymodal.experiment import ReportConfig
from polymodal.language import LANGUAGES, SETTINGS, TEXTS, Sentence, Words, language_of, spoken_in
from polymodal.language.page_texts import SENTENCES, VALUES
from polymodal.modalities import column_corruption, signal_corruption, text_corruption
from polymodal.pages import robustness as robustness_pages

SOURCE = ROOT / "src" / "polymodal"
CHINESE = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")


# -- The catalogue ---------------------------------------------------------------------------------------------------------------


def placeholders(template: str) -> set[tuple[str | None, str | None]]:
    """The names and formats of the placeholders of a text, without words that agree with a number."""
    return {(name, form) for _, name, form, _ in string.Formatter().parse(template) if name is not None and "|" not in (form or "")}


def agreeing(template: str) -> set[str]:
    """The names of the numbers with which words of a text agree."""
    return {name for _, name, form, _ in string.Formatter().parse(template) if name is not None and "|" in (form or "")}


@pytest.mark.parametrize("key", TEXTS)
def test_each_text_has_both_languages_with_the_same_placeholders(key: str) -> None:
    english, chinese = TEXTS[key]
    assert english
    assert not CHINESE.search(english)
    assert placeholders(english) == placeholders(chinese)
    assert agreeing(english) <= {name for name, _ in placeholders(english)}, "a word agrees with a number that is not shown"
    assert not agreeing(chinese)
    assert key in NO_CHINESE or CHINESE.search(re.sub(r"\{.*?\}", "", chinese)) or english == chinese


@pytest.mark.parametrize(
    "chinese",
    [*(pair[1] for pair in TEXTS.values()), *SENTENCES.values(), *(text for of_kind in VALUES.values() for text in of_kind.values())],
)
def test_the_chinese_has_full_width_punctuation_and_no_needless_spaces(chinese: str) -> None:
    plain = re.sub(r"\{.*?\}", "{}", chinese)
    assert not re.search(r"[\u4e00-\u9fff] +[\u4e00-\u9fff]|[，。；：（）、] | [，。；：（）、]|  ", plain)
    assert not re.search(r"[\u4e00-\u9fff][,;:()?!]|[,;:()?!][\u4e00-\u9fff]", plain)


NO_CHINESE = {"comma", "colon", "sentence_space", "list_separator", "enumeration"}
"""Keys of texts that are only punctuation and placeholders."""


@cache
def parsed() -> list[tuple[Path, ast.Module]]:
    """The code of the library, by file."""
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in sorted(SOURCE.rglob("*.py"))]


def calls() -> Iterator[tuple[str, str]]:
    """Yield each text that the code reads from the catalogue, by a literal key: the method (``Sentence``, ``html``, ...) and the key."""
    for _, tree in parsed():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            if isinstance(node.func, ast.Name) and node.func.id in ("translate", "words", "Sentence"):
                yield node.func.id, str(node.args[0].value)
            elif isinstance(node.func, ast.Attribute) and node.func.attr in ("sentence", "value", "html"):
                yield node.func.attr, str(node.args[0].value)
            elif isinstance(node.func, ast.Attribute) and node.func.attr == "_words":
                yield "words", str(node.args[0].value)


def test_each_text_is_used_and_each_used_text_is_there() -> None:
    found = list(calls())
    assert len(found) > 200
    for method, key in found:
        assert key in {"sentence": SENTENCES, "value": VALUES}.get(method, TEXTS), (method, key)
    strings: set[str] = {"run.fused", "run.fold"}  # which ``Words.model`` reads
    for path, tree in parsed():
        if path.parent.name != "language":
            strings |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    unused, patterns = {*TEXTS, *SENTENCES, *VALUES} - strings, made_keys()
    assert {key for key in unused if not any(pattern.fullmatch(key) for pattern in patterns)} == set()


def made_keys() -> list[re.Pattern[str]]:
    """The keys that the code makes of a word, such as ``f"why.{kind}s"``, as patterns."""
    patterns = []
    for _, tree in parsed():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.JoinedStr):
                parts = node.args[0].values
                if isinstance(parts[0], ast.Constant) and re.match(r"[a-z_]+\.", str(parts[0].value)):
                    patterns.append("".join(re.escape(str(one.value)) if isinstance(one, ast.Constant) else r"\w+" for one in parts))
    return [re.compile(pattern) for pattern in patterns]


def test_no_other_module_that_prints_has_chinese_text() -> None:
    others = (SOURCE / "training" / "console.py", SOURCE / "inspection" / "profile.py", SOURCE / "runs" / "notes.py")
    for path in [*(SOURCE / "cli").glob("*.py"), *(SOURCE / "pages").glob("*.py"), *others]:
        assert not CHINESE.search(path.read_text(encoding="utf-8")), path


def test_every_corruption_has_a_chinese_name() -> None:
    names = {
        *signal_corruption.of_pictures(3, [0.0] * 3), *signal_corruption.of_sounds(8_000), *signal_corruption.of_series([0.0], [1.0]),
        *signal_corruption.of_vectors([0.0], [1.0]), *signal_corruption.of_points([0.0], [1.0]), *text_corruption.of_text(lambda _: []),
        *column_corruption.of_columns([{"type": "number"}], []), robustness.ALL, robustness.MISSING,
    }  # fmt: skip
    assert set(VALUES["corruption"]) == names
    assert robustness_pages.MISSING == robustness.MISSING


# -- The language ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "platform", "language"),
    [({"LC_ALL": "zh_CN.UTF-8"}, None, "zh"), ({"LANG": "zh_TW.UTF-8"}, None, "zh"), ({"LANG": "de_DE.UTF-8"}, "zh_CN", "en"),
     ({"LC_ALL": "", "LC_MESSAGES": "zh_CN", "LANG": "en_US.UTF-8"}, None, "zh"), ({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, None, "en"),
     ({}, "zh_CN", "zh"), ({}, "Chinese (Simplified)_China", "zh"), ({}, "English_United States", "en"), ({}, None, "en")],
)  # fmt: skip
def test_auto_is_the_language_of_the_locale(
    variables: dict[str, str], platform: str | None, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(locale, "getlocale", lambda: (platform, None))
    assert language_of("auto") == language
    if not variables:
        monkeypatch.setattr(locale, "getlocale", lambda: locale._parse_localename("unknown"))  # type: ignore[attr-defined]
        assert language_of("auto") == "en"
    assert [language_of(setting) for setting in LANGUAGES] == ["en", "zh"]


def test_the_setting_takes_the_languages_of_the_catalogue() -> None:
    annotation = ReportConfig.model_fields["language"].annotation
    assert annotation.__args__ == SETTINGS  # type: ignore[union-attr]
    assert ReportConfig().language == "auto"
    with pytest.raises(pm.UserError, match=r"report.language: found 'english'; expected one of auto, en, zh"):
        language_of("english")


def test_a_choice_of_the_process_precedes_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    assert OPTION_LANGUAGES == LANGUAGES
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    with spoken_in("en"):
        assert (language_of("auto"), language_of("zh")) == ("en", "zh")
        with spoken_in("zh"):
            assert language_of("auto") == "zh"
        assert language_of("auto") == "en"
    assert language_of("auto") == "zh"


# -- Sentences -------------------------------------------------------------------------------------------------------------------


def test_a_sentence_is_its_english_text_and_is_read_in_either_language() -> None:
    inner = Sentence("why.numbers", share="97%")
    sentence = Sentence("note.field_why", field="价{格}", kind="tabular", encoder="tabular", why=inner)
    assert sentence == "field '价{格}': tabular, encoder tabular (97% of the cells are numbers)"
    assert json.dumps(sentence) == json.dumps(str(sentence))
    assert Words("en").read(sentence) == sentence
    assert Words("zh").read(sentence) == "字段 '价{格}'：tabular，编码器 tabular（97% 的单元格是数值）"
    assert [Words(language).read("as it is") for language in LANGUAGES] == ["as it is", "as it is"]


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_of_a_sentence_is_a_sentence(copied: Any) -> None:
    for sentence in (Sentence("why.same"), Sentence.joined([Sentence("why.same"), "x"])):
        other = copied(sentence)
        assert (other, Words("zh").read(other)) == (sentence, Words("zh").read(sentence))


def test_joined_texts_have_the_separator_of_the_language() -> None:
    joined = Sentence.joined([Sentence("why.same"), "x", Sentence("why.empty")])
    assert joined == "every cell is the same; x; every cell is empty"
    assert Words("zh").read(joined) == "所有单元格相同；x；所有单元格为空"
