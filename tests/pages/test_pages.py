"""Tests of the pages in two languages: one language a page, and one stylesheet for all pages."""

from __future__ import annotations

import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import polymodal as pm
from builders import ROOT
from builders.pages import COMPARED
from polymodal.cli.main import main
from polymodal.language import LANGUAGES, Words
from polymodal.language.page_texts import VALUES
from polymodal.pages import comparison_page, explanation, explanation_page, read_run, robustness_page, run_page, write

SOURCE = ROOT / "src" / "polymodal"
CHINESE = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
EVIL = "<script>alert(1)</script>"


class Content(HTMLParser):
    """The tags, the language, the attributes and the visible texts of a page, without those of ``pre`` and ``style``."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.links: list[str] = []
        self.language = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.open.append(tag)
        self.language = values.get("lang", self.language)
        self.links += [values[name] for name in ("src", "href") if name in values]
        self.texts += [values[name] for name in ("title", "aria-label") if name in values]
        assert not [name for name in values if name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"pre", "style"} & set(self.open) and data.strip():
            self.texts.append(data.strip())


# -- The pages -------------------------------------------------------------------------------------------------------------------

FINDING = {
    "metric": "accuracy", "why": "10_%_are_rare", "best": "photo", "all": 0.9, "alone": 0.8, "difference": 0.1, "error": 0.01, "p": 0.001,
    "verdict": "better than", "rows": 100, "beside": {"metric": "roc_auc", "all": 0.95, "alone": 0.9},
}  # fmt: skip
ALONE = {"label": {"accuracy": 0.4}}
BALANCE = {"metric": "accuracy", "alone": 0.9, "vote": 0.5, "constant": 0.3, "stopped": True}


@pytest.fixture(scope="module")
def results(shop_run: Path, shop_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, dict[str, Any]]]:
    """A page and its data, one of each kind."""
    out, table = tmp_path_factory.mktemp("pages"), shop_folder / "other.csv"
    content = read_run(shop_run)
    content["metrics"] |= {
        "comparison": {"label": FINDING, "b": FINDING | {"verdict": "worse than", "beside": None}, "c": FINDING | {"verdict": "within noise of"}},
        "finding": "one\ntwo\nthree", "baselines": {"photo": {"tasks": ALONE}}, "balance": {"photo": {"label": BALANCE}},
        "test": {"rows": 9, "tasks": {"label": {"accuracy": 0.9}}},
    }  # fmt: skip
    content |= {"faults": [["3", "photo", "no_such_file"]], "fault_count": 2}
    pages: list[tuple[Any, dict[str, Any]]] = [(run_page, content), (comparison_page, COMPARED)]
    bare = json.loads(json.dumps(content))
    for name in ("shapley", "present", "calibration"):
        bare["metrics"]["validation"].pop(name)
    pages.append((run_page, bare))
    pages.append((explanation_page, pm.explain(shop_run, table, out=out / "whole")))
    rows = pm.explain(shop_run, table, rows=[1, 2])
    pages.append((explanation_page, rows | {"explained": [*rows["explained"], {"row": 3, "faults": "no_file", "skipped": True}]}))
    robust = pm.robustness(shop_run, table, against=shop_run, out=out / "robust")
    pages.append((robustness_page, robust))
    log = [{"event": "plan", "members": 2, "baseline_members": 2, "epochs": 3}, *content["log"]]
    pages.append((run_page, bare | {"state": "interrupted", "metrics": {}, "stored": {}, "log": log, "folder": "runs/some"}))
    return pages


def without(value: Any, words: re.Pattern[str], instead: str) -> Any:
    """Plain data whose texts have no match of ``words``; values that pages translate stay as they are."""
    if isinstance(value, dict):
        return {without(name, words, instead): without(below, words, instead) for name, below in value.items()}
    if isinstance(value, list | tuple):
        return [without(below, words, instead) for below in value]
    known = {word for words_of_kind in VALUES.values() for word in words_of_kind} | {"better than", "worse than", "within noise of"}
    if not isinstance(value, str) or value in known or re.fullmatch(r"(fused|only \w+)(, fold \d+)?", value):
        return value
    return words.sub(instead, value)


def test_an_english_page_has_no_chinese_but_that_of_the_data(results: list[tuple[Any, dict[str, Any]]]) -> None:
    for page, data in results:
        html = page(without(data, CHINESE, "x"), "en")
        assert Content(html).language == "en"
        assert not CHINESE.search(html)


def test_a_chinese_page_has_no_english_but_data_names_and_commands(results: list[tuple[Any, dict[str, Any]]]) -> None:
    for page, data in results:
        content = Content(page(without(data, re.compile(r"\s"), "_"), "zh"))
        assert content.language == "zh-Hans"
        texts = [re.sub("polymodal (explain RUN TABLE|train --resume runs/some)", "", text) for text in content.texts]
        assert [text for text in texts if re.search(r"[A-Za-z]{2,},? [A-Za-z]{2,}", text)] == []
        assert sum(bool(CHINESE.search(text)) for text in texts) > 8


def test_both_languages_show_the_same_numbers_and_the_same_charts(results: list[tuple[Any, dict[str, Any]]]) -> None:
    for page, data in results:
        english, chinese = page(data, "en"), page(data, "zh")
        assert re.findall(r"<path [^>]*>|<rect [^>]*>|<circle [^>]*>", english) == re.findall(
            r"<path [^>]*>|<rect [^>]*>|<circle [^>]*>", chinese
        )
        cells = [re.findall(r"<td>([-+\d.,]+)</td>", html) for html in (english, chinese)]
        assert cells[0] == cells[1]
        assert len(cells[0]) > 1
        assert Content(english).tags == Content(chinese).tags


def test_every_page_has_the_one_stylesheet_no_script_and_no_request(results: list[tuple[Any, dict[str, Any]]]) -> None:
    styles = set()
    for page, data in results:
        for language in LANGUAGES:
            html = page(data, language)
            content = Content(html)
            assert EVIL not in html
            assert not {"script", "iframe", "object", "embed", "form", "base"} & set(content.tags)
            assert all(link.startswith("data:") for link in content.links)
            assert "default-src 'none'" in html
            assert not re.search(r"url\(|@import", html)
            styles.add(tuple(re.findall(r"<style>(.*?)</style>", html, re.DOTALL)))
    assert len(styles) == 1
    assert len(styles.pop()) == 1
    holders = [path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if "<style" in path.read_text(encoding="utf-8")]
    assert holders == ["pages/document.py"]


def test_no_page_shows_json_or_python(results: list[tuple[Any, dict[str, Any]]]) -> None:
    for page, data in results:
        for language in LANGUAGES:
            shown = unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page(data, language), flags=re.DOTALL))
            assert not re.search(r"""\{["']|\[["']|: (None|True|False)\b""", shown.partition("run.yaml")[0])
            assert '{"' not in shown


def test_the_plan_is_in_words(results: list[tuple[Any, dict[str, Any]]]) -> None:
    page, data = results[0]
    plan = {"members": 5, "baseline_members": 1, "epochs": 40, "share": {}, "trees": 2.4}
    data = data | {"metrics": data["metrics"] | {"plan": plan}}
    words = (
        "models of all fields: 5; models of each single field: 1; at most 40 epochs for each model; boosted trees: about 2 s for each model"
    )
    assert words in Content(page(data, "en")).texts
    data["metrics"]["plan"] = plan | {"baseline_members": 0, "trees": 0.0}
    assert "全部字段的模型：5 个；没有单字段模型；每个模型最多 40 轮" in Content(page(data, "zh")).texts


def test_the_panels_of_a_target_have_one_vertical_axis(results: list[tuple[Any, dict[str, Any]]]) -> None:
    page, data = next(one for one in results if one[0] is robustness_page)
    charts = page(data, "en").split('<svg class="chart"')[1:]
    ticks = {tuple(re.findall(r'text-anchor="end">([^<]*)</text>', chart)) for chart in charts}
    assert len(charts) > 3
    assert len(ticks) == 1
    facts = data["targets"]["label"]
    heights = [facts["whole"][facts["metric"]], *(one[facts["metric"]] for curve in facts["curves"] for one in curve["metrics"])]
    low, *_, high = map(float, ticks.pop())
    assert low <= min(heights) <= max(heights) <= high <= 1


@pytest.mark.parametrize(("size", "grid", "width", "height", "place"), [
    ([64, 256], (4, 16), 512, 128, 'x="32" y="32" width="32" height="32"'), ([64, 64], (8, 8), 256, 256, 'x="32" y="64" width="32" height="32"'),
])  # fmt: skip
def test_the_map_of_a_picture_has_its_shape(size: list[int], grid: tuple[int, int], width: int, height: int, place: str) -> None:
    parts = {"grid": grid, "size": size, "picture": "data:image/png;base64,AA", "between": [], "names": [""] * 64}
    html = explanation._parts(parts, [0.0] * 17 + [0.5] + [0.0] * 46)
    assert html.count(f'width="{width}" height="{height}"') == 4
    (strong,) = [rect for rect in html.split("<rect ")[1:] if "+0.5000" in rect]
    assert strong.startswith(place)


def test_the_chinese_sentences_are_made_of_the_facts() -> None:
    sentence = next(text for text in Content(comparison_page(COMPARED, "zh")).texts if text.startswith("y："))
    assert sentence == (
        "y：融合在这里有用，差为 +2.1 个百分点。在选择行上选出的融合和单字段的 accuracy：concat 为 80.0%，仅 photo 为 80.0%；95% 区间为 +0.4 至 +3.8 个百分点。"
        "没有证据表明有字段能预测 y：常数预测的 accuracy 为 50.0%。以 accuracy 为准，因为其中一个类别很少。"
        "同时给出 roc_auc：concat 为 0.750，仅 photo 为 0.700。"
        "依据：5 个轮次，每个轮次换一个随机种子，在 240 行上训练全部候选模型，在其他行上测量；各轮次共测量 300 行，这些行没有参与任何选择。"
        "另有 60 行用于选择轮（epoch）和候选模型，并从每个候选模型在 100 行上试过的 4 组设置中选出一组。"
    )
    other = COMPARED["targets"]["y"] | {"other_alone": "only photo"}
    assert "另一个单字段（仅 photo）没有被选中，其值为 80.0%。" in comparison_page(COMPARED | {"targets": {"y": other}}, "zh")
    more: dict[str, Any] = {
        "why": "2.3 % of the rows are of the rarer class",
        "why_facts": {"key": "target.rare_class", "values": {"share": 2.3}},
    }
    more |= {"unit": "EUR", "fewest_rounds": 3, "epochs": 40, "trained": 200, "trainable": 900}
    facts = COMPARED["targets"]["y"] | more | {"metric": "mae", "rounds": 2, "difference": {"mean": -12.3, "low": None, "high": None}}
    html = comparison_page(COMPARED | {"targets": {"y": facts}}, "zh")
    assert "差为 -12.3 EUR" in html
    assert "没有区间（至少需要 3 个轮次）" in html
    assert "以 mae 为准，因为较少的类别占 2.3% 的行。" in html
    assert "在 200 行（可用 900 行，延长 --time-limit 可用更多行）上训练全部候选模型（最多 40 轮），在其他行上测量；" in html
    for verdict, words in {"harms": "应使用 仅 photo", "no difference": "其绝对值小于 1.0 个百分点", "undecided": "尚无定论"}.items():
        facts = COMPARED["targets"]["y"] | {"verdict": verdict, "difference": {"mean": 0.0, "low": None, "high": None}}
        html = comparison_page(COMPARED | {"targets": {"y": facts}}, "zh")
        assert words in html
        assert "没有区间" in html
    assert "fusing_helps" in comparison_page(COMPARED, "en")


def test_the_command_writes_the_page_in_either_language_and_the_setting_is_its_default(
    shop_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    run = shutil.copytree(shop_run, tmp_path / "run")
    english = (run / "report.html").read_text(encoding="utf-8")
    for words, language in ((["--language", "zh"], "zh-Hans"), (["--language", "en"], "en"), ([], "en")):
        result = CliRunner().invoke(main, ["report", str(run), *words])
        assert result.exit_code == 0, result.output
        assert Content((run / "report.html").read_text(encoding="utf-8")).language == language
    assert (run / "report.html").read_text(encoding="utf-8") == english
    assert CliRunner().invoke(main, ["report", str(run), "--language", "fr"]).exit_code == 2
    settings = (run / "run.yaml").read_text(encoding="utf-8")
    assert "language: auto" in settings
    (run / "run.yaml").write_text(settings.replace("language: auto", "language: zh"), encoding="utf-8")
    assert Content(write(run).read_text(encoding="utf-8")).language == "zh-Hans"


def test_a_run_without_the_setting_follows_the_locale(shop_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    run = shutil.copytree(shop_run, tmp_path / "run")
    lines = (run / "run.yaml").read_text(encoding="utf-8").splitlines()
    (run / "run.yaml").write_text("\n".join(line for line in lines if "language:" not in line), encoding="utf-8")
    assert Content(write(run).read_text(encoding="utf-8")).language == "en"
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert Content(write(run).read_text(encoding="utf-8")).language == "zh-Hans"
    (run / "run.yaml").write_text("report: [", encoding="utf-8")
    assert Content(write(run).read_text(encoding="utf-8")).language == "zh-Hans"


def test_the_pages_of_a_model_are_in_its_language(shop_run: Path, shop_folder: Path, tmp_path: Path) -> None:
    model = pm.load(shop_run)
    report = model.bundle.experiment.report.model_copy(update={"language": "zh"})
    model.bundle.experiment = model.bundle.experiment.model_copy(update={"report": report})
    before = pm.explain(shop_run, shop_folder / "other.csv", rows=[1], out=tmp_path / "en")
    assert pm.explain(model, shop_folder / "other.csv", rows=[1], out=tmp_path / "zh") == before
    languages = [Content((tmp_path / name / "explain.html").read_text(encoding="utf-8")).language for name in ("en", "zh")]
    assert languages == ["en", "zh-Hans"]
    assert Words.of("zh").value("unit", "log-odds") == "对数几率"


def test_the_chinese_finding_is_made_of_the_facts(results: list[tuple[Any, dict[str, Any]]]) -> None:
    page, data = results[0]
    texts = Content(page(data, "zh")).texts
    assert (
        "label：全部字段的 accuracy 为 0.9000，roc_auc 0.9500，优于最好的单字段 photo（0.8000，roc_auc 0.9000）；差为 +0.1000，标准误 0.0100，"
        "p = 0.001；在相同的 100 个验证行上比较；以 accuracy 为准，因为其中一个类别很少。"
    ) in texts
    assert any(text.startswith("b：全部字段的 accuracy 为 0.9000，不如最好的单字段 photo（0.8000）") for text in texts)
    assert any("的差别在噪声范围内" in text and text.endswith("由于时间不够，没有单独训练 标题、columns。") for text in texts)
    assert {"one", "two", "three"} <= set(Content(page(data, "en")).texts)
    old = data | {"metrics": {name: value for name, value in data["metrics"].items() if name != "comparison"}}
    assert "two" in Content(page(old, "zh")).texts
