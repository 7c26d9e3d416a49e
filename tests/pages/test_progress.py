"""Tests of the report of a run that has not ended: what was trained, what was not, and how to resume it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import polymodal as pm
from builders.interruptions import SETTINGS, At, Broken, crash, interrupt
from builders.pages import EVIL, Page
from polymodal.cli.main import main
from polymodal.pages import read_run, run_page, write
from polymodal.runs import Interrupted
from polymodal.storage import Lock


def stopped(table: Path, out: Path, step: int, act: Callable[[], Any]) -> Path:
    """A run that ``act`` ends after a step: steps 1 to 12 train fold 1, 13 to 24 fold 2, 25 to 48 the first field alone."""
    with pytest.raises((Broken, Interrupted)):
        pm.train(table, *SETTINGS, target="label", out=out, observers=[At(step, act)])
    return out


@pytest.fixture(scope="module")
def killed(shop_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose process ended in the second epoch of its first model."""
    return stopped(shop_folder / "shop.csv", tmp_path_factory.mktemp("killed") / "run", 6, crash)


def rows(trained: int, planned: int = 2) -> str:
    return f"<td>{trained}</td><td>{planned}</td>"


def test_a_run_that_was_killed_before_it_measured_anything_has_a_report(killed: Path, tmp_path: Path) -> None:
    out = shutil.copytree(killed, tmp_path / "run")
    assert not (out / "metrics.json").exists()
    result = CliRunner().invoke(main, ["report", str(out)])
    assert result.exit_code == 0, result.output
    text = (out / "report.html").read_text(encoding="utf-8")
    head = text[text.index("<h1>") : text.index("Learning curves")]
    assert "This run was interrupted before its end." in head
    assert "No model had been measured" in head
    assert "In training: fused, fold 1, after epoch 1 of at most 3." in head
    assert f"<code>polymodal train --resume {out}</code>" in head
    assert head.count(rows(0)) == 4  # of all fields, and of three single fields
    assert "<h2>Metrics</h2>" not in text
    assert "How the run was made" in text
    assert not Page(text).open
    with pytest.raises(pm.UserError, match="no report can be made of it"):
        read_run(out)  # a model card needs metrics

    pm.resume(out)
    text = (out / "report.html").read_text(encoding="utf-8")
    assert "interrupted" not in text
    assert write(out).read_text(encoding="utf-8") == text


def test_an_interrupted_run_says_so_above_its_metrics(shop_folder: Path, tmp_path: Path) -> None:
    out = stopped(shop_folder / "shop.csv", tmp_path / "run", 18, interrupt)
    text = (out / "report.html").read_text(encoding="utf-8")
    head = text[: text.index("<h2>Metrics</h2>")]
    assert "This run was interrupted before its end." in head
    assert "The figures below are those of the models that were trained until then." in head
    assert "In training: fused, fold 2, after epoch" in head
    assert (head.count(rows(1)), head.count(rows(0))) == (1, 3)
    assert "for want of time" not in head
    assert write(out).read_text(encoding="utf-8") == text
    chinese = write(out, "zh").read_text(encoding="utf-8")
    assert "本次运行在结束之前中断。以下指标只包含到那时为止已训练的模型。正在训练：融合模型，第 2 折" in chinese.replace("</b>", "")
    assert "由于时间不够" not in chinese
    assert "继续训练：<code>polymodal train --resume" in chinese


def test_the_models_of_single_fields_are_counted(shop_folder: Path, tmp_path: Path) -> None:
    out = stopped(shop_folder / "shop.csv", tmp_path / "run", 42, crash)
    text = write(out).read_text(encoding="utf-8")
    head = text[: text.index("<h2>Metrics</h2>")]
    assert "In training: only photo, fold 2, after epoch 1 of at most 3." in head
    assert [head.count(rows(trained)) for trained in (2, 1, 0)] == [1, 1, 2]


def test_a_run_in_training_is_not_called_interrupted(killed: Path, tmp_path: Path) -> None:
    out = shutil.copytree(killed, tmp_path / "run")
    with Lock(out):
        text = write(out).read_text(encoding="utf-8")
    assert "This run is still in training." in text
    assert "interrupted" not in text
    assert "--resume" not in text


def test_a_run_that_had_not_begun_has_a_report(killed: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for name in ("run.yaml", "log.jsonl"):
        shutil.copy(killed / name, tmp_path / "run" / name)
    lines = (killed / "log.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "run" / "log.jsonl").write_text(
        "\n".join(line for line in lines if json.loads(line)["event"] in ("start", "note")), encoding="utf-8"
    )
    text = write(tmp_path / "run").read_text(encoding="utf-8")
    assert "Training had not begun, so that there are no figures." in text
    assert f"polymodal train --resume {tmp_path}" in text
    assert "Learning curves" not in text


def test_the_head_escapes_names_and_quotes_the_folder(killed: Path) -> None:
    content = read_run(killed, measured=False)
    text = run_page(content | {"folder": f"runs/{EVIL} b", "fields": [EVIL]}, "en")
    assert EVIL not in text
    assert "--resume &#x27;runs/&lt;script&gt;alert(1)&lt;/script&gt; b&#x27;</code>" in text
    assert "only &lt;script&gt;" in text
    assert not Page(text).open


@pytest.mark.parametrize("ledger", ["", "[]", "{}", '{"ended": null}'])
def test_a_broken_journal_does_not_stop_the_report_of_a_measured_run(ledger: str, shop_run: Path, tmp_path: Path) -> None:
    out = shutil.copytree(shop_run, tmp_path / "run")
    (out / "checkpoints" / "ledger.json").write_text(ledger, encoding="utf-8")
    assert "interrupted" not in write(out).read_text(encoding="utf-8")
    shutil.rmtree(out / "checkpoints")
    assert "interrupted" not in write(out).read_text(encoding="utf-8")
