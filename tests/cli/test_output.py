"""Tests of what the commands print: at most 80 cells a line, no control codes elsewhere than on a terminal, in English and Chinese."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

import polymodal as pm
from builders.tables import write_csv
from polymodal.cli.main import COMMANDS, GROUPS, main
from polymodal.cli.options import consoles
from polymodal.cli.train import closing_lines

LONG = "mean_of_the_first_measurement_of_the_morning_in_millimetres_per_second"
CHINESE_LONG = "本季度各门店单件商品的平均成交价格与标价之差"
SETTINGS = ("training.epochs=2", "data.split.folds=2", "model.width=8")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of texts and of numbers, of which the columns have long English and Chinese names."""
    folder = tmp_path_factory.mktemp("output")
    rng = np.random.default_rng(0)
    words = ["red", "apple", "stone", "river", "cloud", "garden", "window", "silver", "paper"]
    rows = []
    for _ in range(90):
        label = str(rng.choice(["bowl", "盒子", "lamp"]))
        text = " ".join([*map(str, rng.choice(words, 4)), {"bowl": "round", "盒子": "square", "lamp": "tall"}[label]])
        rows.append([text, f"{rng.normal():.3f}", f"{rng.normal():.3f}", label])
    write_csv(folder / "t.csv", ["商品标题与卖点的完整文字说明（含促销信息）", LONG, CHINESE_LONG, "类别"], rows)
    return folder


def run(folder: Path, *words: str, code: int = 0) -> Result:
    """The result of a command in a folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        result = CliRunner().invoke(main, list(words))
    finally:
        os.chdir(before)
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture(scope="module")
def trained(folder: Path) -> dict[str, Result]:
    """What ``train`` prints in each language."""
    words = ["train", "t.csv", "--target", "类别", *SETTINGS, "-o"]
    return {"en": run(folder, *words, "en"), "zh": run(folder, "--lang", "zh", *words, "zh")}


def check_lines(text: str) -> None:
    """Check that no line is too wide for 80 columns, and that there are no control characters."""
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    assert {line for line in text.splitlines() if cell_len(line) > 80} == set()


def progress_of(text: str) -> str:
    """The lines of the progress. Notes and warnings have a line each where they are not shown on a terminal."""
    return "\n".join(line for line in text.splitlines() if line.startswith("  "))


def test_inspect_fits_80_columns_and_shows_whole_names(folder: Path) -> None:
    english = run(folder, "inspect", "t.csv", "--target", "类别").output
    check_lines(english)
    assert LONG not in english, "the name is on several lines"
    begins = "".join(line[2:].partition(" ")[0] for line in english.splitlines() if line.startswith("  "))
    assert LONG in begins
    assert CHINESE_LONG in begins
    assert "to be checked:" in english or "nothing suspicious found" in english
    chinese = run(folder, "inspect", "t.csv", "--target", "类别", "--lang", "zh").output
    check_lines(chinese)
    assert chinese.startswith("t.csv：90 行，4 列\n")
    assert re.search(r"列 +用途 +模态 +缺失 +不同值 +依据", chinese)
    assert "multiclass（3个值，平均每个30行）" in "".join(chinese.split())
    assert "the cells" not in chinese
    assert "columns" not in chinese
    assert pm.inspect(folder / "t.csv", target="类别").text() == "\n".join(english.splitlines()).replace("t.csv", str(folder / "t.csv"), 1)


def test_the_results_of_train_fit_80_columns_in_either_language(trained: dict[str, Result], folder: Path) -> None:
    for language, result in trained.items():
        check_lines(result.stdout)
        check_lines(progress_of(result.stderr))
        lines = result.stdout.splitlines()
        metrics = json.loads((folder / language / "metrics.json").read_text(encoding="utf-8"))
        for metric, value in metrics["validation"]["tasks"]["类别"].items():
            (first, *_) = [line for line in lines if line.strip().startswith(metric)]
            assert first.split()[1] == f"{value:.4f}", "a row for each metric, with all fields in the first column"
        assert sum(bool(re.match(r" +\d/6  ", line)) for line in result.stderr.splitlines()) == 6, "one line a model"
        assert "rows/s" not in result.stderr
    assert (
        json.loads((folder / "en" / "metrics.json").read_bytes())["finding"]
        == json.loads((folder / "zh" / "metrics.json").read_bytes())["finding"]
    )
    english, chinese = trained["en"].stdout, trained["zh"].stdout
    assert not CHINESE.search(re.sub(f"类别|盒子|{CHINESE_LONG}|[商品标题与卖点的完整文字说明含促销信息]", "", english))
    assert "smaller is better: log_loss, ece" in english
    assert "±: the standard error" in english
    assert "\n越小越好：log_loss、ece" in "\n".join(line.strip() for line in chinese.splitlines())
    assert "类别（multiclass）：在 " in chinese
    assert "类别：全部字段的 " in chinese
    assert "all fields" not in chinese


def test_the_end_names_the_report_and_how_to_open_it(trained: dict[str, Result], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\nreport: en/report.html\n" in trained["en"].stdout
    assert trained["en"].stdout.endswith("model: en/bundle\nnext: polymodal predict en NEW_TABLE -o predictions.csv\n")
    assert "\n报告：zh/report.html\n" in trained["zh"].stdout
    assert "下一步：polymodal predict zh NEW_TABLE -o predictions.csv\n" in trained["zh"].stdout
    assert '<html lang="zh-Hans">' in (folder / "zh" / "report.html").read_text(encoding="utf-8"), "the page is in that language too"
    assert '<html lang="en">' in (folder / "en" / "report.html").read_text(encoding="utf-8")
    for platform, has_opener, expected in (
        ("darwin", False, "open it: open "), ("linux", True, "open it: xdg-open "), ("linux", False, "open it in a browser; "),
    ):  # fmt: skip
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setattr("shutil.which", lambda name, found=has_opener: f"/usr/bin/{name}" if found else None)
        assert closing_lines(folder / "en")[2][0].startswith(f"  {expected}")


def test_verbose_shows_epochs_and_quiet_only_results(folder: Path) -> None:
    words = [
        "train",
        "t.csv",
        "--target",
        "类别",
        "training.epochs=1",
        "data.split.folds=2",
        "training.baselines=false",
        "model.width=8",
        "-o",
        "v",
    ]
    every = run(folder, *words, "-v").stderr
    check_lines(progress_of(every))
    assert len(re.findall(r"^    epoch 1/1 \* +loss ", every, re.MULTILINE)) == 2
    assert every.count("*: the best epoch so far; ") == 1
    quiet = run(folder, *words, "-q", "--overwrite")
    assert quiet.stderr == ""
    assert quiet.stdout.startswith("类别 (multiclass): metrics on ")
    assert "--verbose beside --quiet" in run(folder, *words, "-qv", code=2).stderr
    with pytest.raises(click.UsageError):
        consoles(2, True)


def test_the_other_commands_fit_80_columns_in_either_language(trained: dict[str, Result], folder: Path) -> None:
    commands: dict[tuple[str, ...], tuple[str, str]] = {
        ("evaluate", "en", "t.csv"): ("类别, 90 rows", "类别，90 行"),
        ("evaluate", "en", "t.csv", "--robustness"): ("relative: the mean of the metric from severity 0 (unchanged) to the last one", "相对：从严重程度 0（未改变）到最后一个的平均"),
        ("explain", "en", "t.csv"): ("Shapley value: the contribution", "Shapley 值：该字段的贡献"),
        ("explain", "en", "t.csv", "--rows", "1,2"): ("row 2", "第 2 行"),
        ("predict", "en", "t.csv", "-o", "p.csv", "--overwrite"): ("wrote p.csv: 90 rows", "已写入 p.csv：90 行"),
    }  # fmt: skip
    for words, texts in commands.items():
        for language, text in zip(("en", "zh"), texts, strict=True):
            output = run(folder, *words, "--lang", language).output
            check_lines(output)
            assert text in " ".join(output.split()).replace("， ", "，").replace("： ", "："), words
    with (folder / "p.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file))[:2] == ["row", "类别"], "a file does not change with the language"
    printed = [run(folder, "evaluate", "en", "t.csv", "--json", "--lang", language).stdout for language in ("en", "zh")]
    assert printed[0] == printed[1]


def test_compare_fits_80_columns_in_either_language(folder: Path) -> None:
    small = ("training.epochs=1", "model.width=8", "--fusion", "concat", "--trials", "1", "--rounds", "2", "--jobs", "1")
    words = ("compare", "t.csv", "--target", "类别", *small)
    english = run(folder, *words, "-o", "c_en")
    chinese = run(folder, "--lang", "zh", *words, "-o", "c_zh")
    for result in (english, chinese):
        check_lines(result.stdout)
        check_lines(progress_of(result.stderr))
        assert len(re.findall(r"^ +\d+/\d+  ", result.stderr, re.MULTILINE)) == 12
    assert "report: c_en/compare.html\n" in english.stdout
    printed = " ".join(english.stdout.split())
    assert (
        "*: the single field and the fusion chosen on the selection rows, which are not measured; difference: to that single field"
        in printed
    )
    assert len(re.findall(r" \*(?= |$)", english.stdout, re.MULTILINE)) == 4, "one field and one fusion, in both parts of the table"
    assert "4 contenders (single fields: 2, fusions: 1, fusions once more with other settings: 1)" in " ".join(english.stderr.split())
    assert "报告：c_zh/compare.html\n" in chinese.stdout
    assert "依据：2个轮次" in "".join(chinese.stdout.split())
    assert (folder / "c_en" / "cells.jsonl").exists()
    found = [json.loads((folder / name / "compare.json").read_bytes())["targets"]["类别"]["sentence"] for name in ("c_en", "c_zh")]
    assert found[0] == found[1]
    conclusion = chinese.stdout.partition("\n\n")[2].partition("\n\n")[0]
    assert numbers(conclusion) == numbers(found[0]), "the Chinese sentence states everything that the English one does"


def numbers(text: str) -> list[str]:
    """The numbers in a text, in order of their size. A word or a name may be broken over two lines."""
    return sorted(re.findall(r"\d[\d,.]*\d|\d", text.replace("类别", "")))


def test_colors_follow_the_environment(folder: Path, trained: dict[str, Result]) -> None:
    def printed(**variables: str) -> str:
        environment = {**os.environ, "TERM": "xterm", **variables}
        words = [sys.executable, "-m", "polymodal", "evaluate", "en", "t.csv"]
        return subprocess.run(words, env=environment, cwd=folder, capture_output=True, text=True, check=True).stdout

    plain = printed()
    assert "\x1b" not in plain
    colored = printed(FORCE_COLOR="1")
    assert colored.startswith("\x1b[1m类别, 90 rows\x1b[0m\n")
    assert re.sub(r"\x1b\[\d*m", "", colored) == plain
    assert printed(FORCE_COLOR="1", NO_COLOR="1") == plain


# -- the language, help and completion -----------------------------------------------------------------------------------


def test_the_language_is_that_of_the_option_and_otherwise_of_the_locale(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("inspect", "t.csv", "--target", "类别")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert run(folder, *words).output.startswith("t.csv：90 行")
    assert run(folder, *words, "--lang", "en").output.startswith("t.csv: 90 rows")
    assert run(folder, "--lang", "en", *words).output.startswith("t.csv: 90 rows")
    assert run(folder, "--lang", "en", *words, "--lang", "zh").output.startswith("t.csv：90 行"), "the last one counts"
    assert run(folder, *words).output.startswith("t.csv：90 行"), "a choice ends with its command"
    assert "'de' is not one of 'en', 'zh'" in run(folder, *words, "--lang", "de", code=2).output


def every_command(command: click.Command, path: Sequence[str] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command."""
    yield tuple(path)
    for name, below in getattr(command, "commands", {}).items():
        yield from every_command(below, (*path, name))


@pytest.mark.parametrize("words", [*every_command(main)], ids=" ".join)
def test_help_fits_80_columns_and_every_command_has_the_language(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*words, "--help"], terminal_width=80)
    assert result.exit_code == 0, result.output
    assert {line for line in result.output.splitlines() if len(line) > 80} == set()
    assert result.output.count("--lang [en|zh]") == 1


def test_every_command_is_in_a_group_and_described_by_a_whole_sentence() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(COMMANDS)
    for words in ([], ["table"]):
        text = CliRunner().invoke(main, [*words, "--help"], terminal_width=80).output
        assert "..." not in text.partition("\n")[2]
    assert [line for line in CliRunner().invoke(main, ["--help"]).output.splitlines() if line.endswith(":") and line[0] != " "] == [
        "Options:", *(f"{heading}:" for heading in GROUPS)
    ]  # fmt: skip


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_a_shell(shell: str) -> None:
    text = CliRunner().invoke(main, ["completion", shell]).output
    assert "_POLYMODAL_COMPLETE" in text
    assert "polymodal" in text


def completed(*words: str) -> list[str]:
    """What is suggested for the last of some words."""
    variables = {"_POLYMODAL_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(["polymodal", *words]), "COMP_CWORD": str(len(words))}
    result = CliRunner().invoke(main, [], prog_name="polymodal", complete_var="_POLYMODAL_COMPLETE", env=variables)
    assert result.exit_code == 0, result.output
    return [line.partition(",")[2] for line in result.output.splitlines()]


def test_commands_options_and_values_are_completed() -> None:
    assert completed("ex") == ["explain", "export"]
    assert completed("train", "--over") == ["--overwrite"]
    assert completed("train", "--preset", "b") == ["best"]
    assert completed("--lang", "z") == ["zh"]
    assert completed("train", "prod") == completed("evaluate", "runs", "prod") == completed("train", "-o", "prod") == ["prod"]
