"""Tests of the report of a run: one self-contained page with the measured values, in which data is escaped."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import polymodal as pm
from builders.dicom import RAMP, dicom
from builders.pages import Page
from builders.tables import FAST, write_csv
from polymodal.cli.main import main
from polymodal.pages import charts, read_run, run_page, write
from polymodal.tasks import curves

EVIL = "<script>alert(1)</script>"
ONE = ("training.epochs=2", "data.split.kind=random", "training.baselines=false", "model.width=8")


def test_a_run_leaves_a_report_and_the_command_makes_it_anew(shop_run: Path) -> None:
    text = (shop_run / "report.html").read_text(encoding="utf-8")
    assert all(
        word in text
        for word in (
            "fused, fold 1",
            "without 标题",
            "Confusion matrix",
            "Calibration before and after scaling",
            "Shapley",
            "ROC",
            "How the run was made",
            "torch",
        )
    )
    assert not Page(text).open
    board = json.loads((shop_run / "metrics.json").read_text(encoding="utf-8"))["leaderboard"]["label"]
    assert "Leaderboard on validation rows" in text
    for entry in board:
        shown = f"<td>{entry['value']:.4f} ± {entry['error']:.4f}</td>"
        assert shown in text, entry["name"]
    assert len(board) > 3
    (shop_run / "report.html").unlink()
    result = CliRunner().invoke(main, ["report", str(shop_run)])
    assert result.exit_code == 0, result.output
    assert (shop_run / "report.html").read_text(encoding="utf-8") == text


def test_every_set_of_fields_is_measured_and_the_curve_goes_through_the_ends(shop_run: Path) -> None:
    present = json.loads((shop_run / "metrics.json").read_text(encoding="utf-8"))["validation"]["present"]
    sets = [frozenset(one["fields"]) for one in present]
    assert len(set(sets)) == 8 == len(sets)
    assert sets[0] == {"photo", "标题", "columns"}
    accuracy = {some: one["tasks"]["label"]["accuracy"] for some, one in zip(sets, present, strict=True)}
    assert 0.2 < accuracy[frozenset()] < 0.6 < accuracy[sets[0]]  # with nothing, the most frequent class
    text = (shop_run / "report.html").read_text(encoding="utf-8")
    assert text.count("●") == 2**3 * 3 // 2
    assert f"0, {accuracy[sets[0]]:.4g}" in text
    assert f"1, {accuracy[frozenset()]:.4g}" in text


def test_what_fields_contribute_sums_to_the_whole_and_is_drawn(shop_run: Path) -> None:
    validation = json.loads((shop_run / "metrics.json").read_text(encoding="utf-8"))["validation"]
    told = validation["shapley"]["label"]
    measured = {frozenset(one["fields"]): one["tasks"]["label"]["accuracy"] for one in validation["present"]}
    assert (told["metric"], told["whole"], told["nothing"]) == ("accuracy", measured[frozenset(told["fields"])], measured[frozenset()])
    assert sum(one["value"] for one in told["fields"].values()) == pytest.approx(told["whole"] - told["nothing"])
    assert sum(one["share"] for one in told["fields"].values()) == pytest.approx(1)
    text = (shop_run / "report.html").read_text(encoding="utf-8")
    assert all(f"{one['value']:+.4f} ({one['share']:z.0%})" in text for one in told["fields"].values())


def test_bars_of_both_signs_share_one_zero() -> None:
    chart = charts.signed_bars({"a": (0.3, "+0.3"), EVIL: (-0.1, EVIL)})
    assert "margin-left:25.0%;width:75.0%" in chart
    assert "margin-left:0.0%;width:25.0%" in chart
    assert EVIL not in chart


def test_more_fields_than_every_set_is_measured_of_are_left_to_explain(shop_run: Path) -> None:
    content = read_run(shop_run)
    for name in ("shapley", "present", "calibration"):
        content["metrics"]["validation"].pop(name)
    text = run_page(content)
    assert "polymodal explain RUN TABLE" in text
    assert "before and after" not in text  # a run of a version that did not measure it
    assert not Page(text).open


def test_the_page_needs_nothing_else(shop_run: Path) -> None:
    text = (shop_run / "report.html").read_text(encoding="utf-8")
    found = Page(text)
    assert not {"script", "iframe", "object", "embed", "form", "base"} & set(found.tags)
    assert all(link.startswith("data:") for link in found.links)
    assert "default-src 'none'" in text
    assert not re.search(r"url\(|@import", text)


def test_what_comes_from_data_is_text(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [[f"{EVIL} {rng.choice(['warm', 'cold'])} {at}", f"{rng.normal():.2f}", f"{EVIL}{at % 2}"] for at in range(60)]
    rows.append(["\ud800 half", "no number", f"{EVIL}1"])
    table = tmp_path / "t.csv"
    header = [EVIL, 'a"b', "<b>label</b>"]
    write_csv(table, header, rows[:-1])
    pm.train(table, *ONE, target="<b>label</b>", out=tmp_path / "run")
    text = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert EVIL not in text
    assert "<b>label" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert not Page(text).open


@pytest.mark.parametrize("words", [("report.examples=false",), ("data.private=true",)])
def test_private_rows_are_not_shown(words: tuple[str, ...], shop_folder: Path, tmp_path: Path) -> None:
    pm.train(shop_folder / "shop.csv", *FAST, "training.epochs=1", *words, target="label", out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "report.json").read_text())["worst"] == {}
    text = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "data:image/png" not in text
    assert "Rows with the largest errors" not in text
    assert "Confusion" in text


def test_medical_pictures_behind_the_first_rows_are_private_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "scan.dcm").write_bytes(dicom(RAMP))
    rows = []
    for at in range(60):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)).save(tmp_path / f"{at}.png")
        rows.append(["scan.dcm" if at >= 40 else f"{at}.png", "ab"[at % 2]])
    pm.train(write_csv(tmp_path / "t.csv", ["photo", "y"], rows), *ONE, target="y", out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "report.json").read_text())["worst"] == {}


def test_medical_pictures_are_not_shown_unless_asked(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for at in range(24):
        ill = at % 2
        (tmp_path / f"{at}.dcm").write_bytes(dicom((RAMP // (1 + ill)).astype(np.uint16)))
        rows.append([f"{at}.dcm", f"{rng.normal():.3f}", "yes" if ill else "no"])
    table = write_csv(tmp_path / "t.csv", ["scan", "age", "ill"], rows)
    pm.train(table, *ONE, target="ill", out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "report.json").read_text())["worst"] == {}
    pm.train(table, *ONE, "report.examples=true", target="ill", out=tmp_path / "asked")
    assert json.loads((tmp_path / "asked" / "report.json").read_text())["worst"]["ill"]


@pytest.mark.parametrize(("method", "guarantee"), [("split", "probability c at least"), ("cv+", "probability 2c - 1 at least")])
def test_the_guarantee_of_the_sets_is_stated(method: str, guarantee: str, shop_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(shop_run, tmp_path / "run")
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    for kept in metrics["conformal"].values():
        kept["method"] = method
    (run / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    text = write(run).read_text(encoding="utf-8")
    assert guarantee in text
    rows = {kept["rows"] for kept in metrics["conformal"].values()}
    assert all(f"{count:,} rows" in text for count in rows)


def test_numbers_and_labels_are_drawn_as_such(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [[f"{x:.3f}", f"{2 * x:.3f}", "a;b" if x > 0 else "b"] for x in rng.normal(size=60)]
    table = write_csv(tmp_path / "t.csv", ["x", "price", "tags"], rows)
    pm.train(table, *ONE, "tasks.tags.kind=multilabel", "tasks.price.kind=regression", target=["price", "tags"], out=tmp_path / "run")
    text = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Prediction against truth" in text
    assert "Precision and recall" in text
    assert not Page(text).open


def test_a_run_of_an_older_version_and_one_without_an_end(shop_run: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(shop_run, tmp_path / "run")
    (tmp_path / "run" / "report.json").unlink()
    assert "<h2>Metrics</h2>" in run_page(read_run(tmp_path / "run"))
    (tmp_path / "run" / "metrics.json").unlink()
    with pytest.raises(pm.UserError, match=r"no report can be made of it .*; expected a run that"):
        write(tmp_path / "run")


def test_curves_are_those_computed_by_hand() -> None:
    truth, scores = np.array([0, 0, 1, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.35, 0.65], [0.2, 0.8]])
    found = curves.classification(["no", "yes"], truth, scores)
    assert found["confusion"] == {"classes": ["no", "yes"], "counts": [[1, 1], [0, 2]], "of": 2}
    (curve,) = found["curves"]
    assert curve["roc"] == [[0.0, 0.0], [0.0, 0.5], [0.0, 1.0], [0.5, 1.0], [1.0, 1.0]]
    assert curve["precision_recall"] == [[0.5, 1.0], [1.0, 1.0], [1.0, 2 / 3], [1.0, 0.5]]
    assert curve["roc_auc"] == 1.0
    assert found["calibration"] == [[pytest.approx(0.625), 0.5, 2], [pytest.approx(0.8), 1.0, 1], [pytest.approx(0.9), 1.0, 1]]
    assert curves.doubt(np.array([1, -1]), scores[:2]) == pytest.approx([0.9, 1.0])
    assert curves.regression(np.array([2.0, 1.0]), np.array([3.0, 1.5]))["scatter"] == [[1.0, 1.5], [2.0, 3.0]]


def test_of_many_classes_the_most_confused_are_shown_and_the_others_are_summed() -> None:
    names = [f"class {at}" for at in range(30)]
    truth, answers = [], []
    for at in range(30):
        truth += [at] * 10
        answers += [at] * 10
    for true, given, rows in ((20, 3, 5), (3, 20, 4), (*range(7, 9), 3), *((at, at + 1, 1) for at in range(10, 17))):
        truth += [true] * rows
        answers += [given] * rows
    truth += [29] * 2
    answers += [0, 1]
    found = curves.confusion(names, np.array(truth), np.array(answers))
    kept = [3, 7, 8, 11, 12, 13, 14, 15, 16, 20, 29]  # 3 and 20 have 9 errors, 7 and 8 have 3, and so on; 0, 1, 10 and 17 have one
    assert found["of"] == 30
    assert [name for name in found["classes"] if name != "class 10"] == [f"class {at}" for at in kept]
    assert len(found["classes"]) == curves.MOST_CLASSES == len(found["counts"]) - 1
    counts = np.array(found["counts"])
    assert counts.sum() == len(truth)
    assert counts[0].tolist() == [10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0]
    assert counts[-2].tolist() == [0] * 11 + [10, 2]
    assert counts[-1, -1] == 18 * 10
    assert counts[-1].tolist()[:-1] == [0] * 12
    assert found["pairs"][:3] == [["class 20", "class 3", 5, 15], ["class 3", "class 20", 4, 14], ["class 7", "class 8", 3, 13]]
    assert len(found["pairs"]) == 12
    assert curves.confusion(names[:13], np.zeros(0, np.int64), np.zeros(0, np.int64))["pairs"] == []
    many = curves.confusion([str(at) for at in range(100_000)], np.array([99_999, 5]), np.array([99_999, 6]))  # no table of all pairs
    assert many["pairs"] == [["5", "6", 1, 1]]
    assert many["classes"][:2] == ["0", "1"]
