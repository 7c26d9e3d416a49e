"""Tests of ``explain``: its results, its files and the arguments that it refuses."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import polymodal as pm
from builders.tables import write_csv
from builders.tiny import tiny
from polymodal.cli.main import main


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["explain", *map(str, words)])


def log_odds(scores: np.ndarray) -> np.ndarray:
    return np.log(scores / (1 - scores))


# -- rows ----------------------------------------------------------------------------------------------------------------


def test_a_row_s_answer_is_predict_s_and_its_fields_sum_to_it(model: pm.Predictor, rows: list[dict[str, Any]]) -> None:
    found = pm.explain(model, rows, rows=[3, 17])
    scores = model.predict_proba(rows)
    nothing = log_odds(model.predict_proba([dict.fromkeys(rows[0])]))
    for row in found["explained"]:
        told, number = row["targets"]["label"], row["row"] - 1
        label = list(model.classes).index(told["label"])
        assert told["answer"] == told["label"] == model.predict(rows)[number]
        assert told["score"] == scores[number, label]
        assert told["whole"] == pytest.approx(log_odds(scores)[number, label], abs=1e-4)
        assert told["nothing"] == pytest.approx(nothing[0, label], abs=1e-4)
        assert sum(one["shapley"] for one in told["fields"].values()) == pytest.approx(told["whole"] - told["nothing"], abs=1e-9)
    assert found == pm.explain(model, rows, rows=[17, 3, 3]), "in the order of the table, each once"


def test_what_a_part_is_worth_is_what_is_lost_without_it(model: pm.Predictor, rows: list[dict[str, Any]]) -> None:
    row = {**rows[6], "标题": "apple, 红色 river"}
    (found,) = pm.explain(model, [row], rows=[1])["explained"]
    assert pm.explain(model, [row], rows=1)["explained"] == [found]
    told, cells = found["targets"]["label"], found["cells"]
    label = list(model.classes).index(told["label"])

    def lost(**without: Any) -> float:
        return float(told["whole"] - log_odds(model.predict_proba([{**row, **without}]))[0, label])

    assert cells["标题"]["parts"]["names"] == ["apple", ",", "红", "色", "river"]
    expected = [lost(标题=text) for text in (", 红色 river", "apple 红色 river", "apple, 色 river", "apple, 红 river", "apple, 红色 ")]
    assert told["fields"]["标题"]["parts"] == pytest.approx(expected, abs=1e-4)
    assert [name.partition(" =")[0] for name in cells["columns"]["parts"]["names"]] == ["price", "region"]
    assert told["fields"]["columns"]["parts"] == pytest.approx([lost(price=""), lost(region="")], abs=1e-4)
    assert cells["photo"]["parts"]["grid"] == [8, 8]
    assert len(told["fields"]["photo"]["parts"]) == 64
    assert len(set(told["fields"]["photo"]["parts"])) > 32


def test_a_place_of_a_picture_is_worth_something_where_what_is_asked_for_is(tmp_path: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    table = []
    (tmp_path / "p").mkdir()
    for at in range(160):
        pixels = rng.integers(90, 130, (32, 32, 3)).astype(np.uint8)
        if at % 2:
            pixels[4:12, 20:28] = (250, 20, 20)
        Image.fromarray(pixels).save(tmp_path / "p" / f"{at}.png")
        table.append([f"p/{at}.png", "yes" if at % 2 else "no"])
    path = write_csv(tmp_path / "t.csv", ["photo", "y"], table)
    model = pm.train(path, "training.epochs=8", "data.split.kind=random", "training.baselines=false", "model.width=16", "training.lr=5e-3",
                     "model.encoders.photo.channels=[8, 16]", "fields.photo.size=32", "fields.photo.shift=0", "fields.photo.flip=false",
                     target="y")  # fmt: skip
    (row,) = pm.explain(model, path, rows=[2])["explained"]
    assert row["targets"]["y"]["answer"] == "yes"
    grid = np.array(row["targets"]["y"]["fields"]["photo"]["parts"]).reshape(8, 8)
    assert grid[1:3, 5:7].min() > np.delete(grid.ravel(), [13, 14, 21, 22]).max()


def test_numbers_and_labels_are_explained_beside_one_another(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = []
    for a, b in rng.normal(size=(80, 2)):
        names = [name for name, there in (("warm", a > 0), ("wet", b > 0)) if there]
        table.append(
            [
                f"{a:.3f}",
                "rain" if b > 0 else "sun",
                " ".join(map(str, rng.permutation(["some", "words"]))),
                f"{2 * a + b:.3f}",
                ";".join(names) or ";",
            ]
        )
    path = write_csv(tmp_path / "t.csv", ["a", "b", "said", "amount", "tags"], table)
    model = pm.train(path, "training.epochs=3", "data.split.folds=2", "training.baselines=false", "model.width=8", "tasks.tags.kind=multilabel",
                     "tasks.amount.unit=mm", target=["amount", "tags"], columns={"said": "text"})  # fmt: skip
    whole = pm.explain(model, path)["targets"]
    assert (whole["amount"]["metric"], whole["tags"]["metric"]) == ("r2", "accuracy")
    (row,) = pm.explain(model, path, rows=[9])["explained"]
    amount, tags = row["targets"]["amount"], row["targets"]["tags"]
    predicted, scores = model.predict(path), model.predict_proba(path)["tags"][8]
    assert (amount["unit"], amount["label"]) == ("mm", None)
    assert amount["answer"] == predicted["amount"][8] == pytest.approx(amount["whole"], rel=1e-6)
    assert (tags["answer"], tags["label"], tags["score"]) == (predicted["tags"][8], model.classes["tags"][scores.argmax()], scores.max())
    for told in (amount, tags):
        assert sum(one["shapley"] for one in told["fields"].values()) == pytest.approx(told["whole"] - told["nothing"], abs=1e-9)


@pytest.mark.parametrize("tune", ["frozen", "full"])
def test_a_pretrained_encoder_is_asked_like_any_other(tmp_path: Path, shop_folder: Path, tune: str) -> None:
    model = pm.train(shop_folder / "shop.csv", f"model.encoders.photo.model={tiny('vit')}", "model.encoders.photo.kind=pretrained",
                     f"model.encoders.标题.model={tiny('bert')}", "model.encoders.标题.kind=pretrained", f"model.encoders.photo.tune={tune}",
                     "training.epochs=1", "data.split.kind=random", "training.baselines=false", "model.width=8", target="label")  # fmt: skip
    (row,) = pm.explain(model, shop_folder / "shop.csv", rows=[4])["explained"]
    told, cells = row["targets"]["label"], row["cells"]
    assert told["score"] == model.predict_proba(shop_folder / "shop.csv")[3].max()
    assert (cells["photo"]["kind"], cells["photo"]["parts"]["grid"], cells["标题"]["kind"]) == ("image", [8, 8], "text")
    assert np.abs(told["fields"]["photo"]["parts"]).max() > 0
    assert np.abs(told["fields"]["标题"]["parts"]).max() > 0


def test_missing_unreadable_and_empty_rows_are_told(model: pm.Predictor, rows: list[dict[str, Any]]) -> None:
    broken = [{**rows[0], "photo": "photos/none.png"}, dict.fromkeys(rows[0]), {**rows[1], "photo": None, "price": "cheap"}]
    first, empty, third = pm.explain(model, broken, rows=[1, 2, 3])["explained"]
    assert set(first["targets"]["label"]["fields"]) == {"标题", "columns"}
    assert first["faults"] == "photo: no such file 'photos/none.png' under the table's folder (--root adds folders)"
    assert empty["targets"]["label"]["fields"] == {}
    assert empty["targets"]["label"]["whole"] == empty["targets"]["label"]["nothing"]
    assert [name.partition(" =")[0] for name in third["cells"]["columns"]["parts"]["names"]] == ["region"]
    skipped, *_ = pm.explain(model, broken, rows=[1, 2], on_error="skip")["explained"]
    assert skipped == {"row": 1, "faults": first["faults"], "skipped": True}


# -- the whole table -----------------------------------------------------------------------------------------------------


def test_of_a_long_table_500_rows_are_drawn_and_the_number_is_told(model: pm.Predictor, rows: list[dict[str, Any]]) -> None:
    long = [{**row, "label": ""} for row in rows] + rows * 8
    found = pm.explain(model, long)
    assert (found["rows"], found["with_target"], found["asked"], found["targets"]["label"]["rows"]) == (630, 560, 500, 500)
    assert found["targets"]["label"]["additive"]["rows"] == 163


def test_rows_that_are_skipped_are_not_measured_and_a_table_without_targets_is_refused(
    model: pm.Predictor, rows: list[dict[str, Any]]
) -> None:
    broken = [{**row, "photo": "none.png"} if at < 5 else row for at, row in enumerate(rows)]
    assert pm.explain(model, broken, on_error="skip")["asked"] == 65
    with pytest.raises(pm.DataError, match="no row has a target"):
        pm.explain(model, [{**row, "label": None} for row in rows])
    with pytest.raises(pm.DataError, match="no column 'label'"):
        pm.explain(model, [{name: cell for name, cell in row.items() if name != "label"} for row in rows])
    with pytest.raises(pm.DataError, match="none of 5 rows can be read"):
        pm.explain(model, broken[:5], on_error="skip")


# -- the command ---------------------------------------------------------------------------------------------------------


def test_the_command_prints_and_writes_what_python_returns(shop_run: Path, shop_folder: Path, tmp_path: Path) -> None:
    table = shop_folder / "other.csv"
    result = run(shop_run, table, "-o", tmp_path / "whole")
    assert result.exit_code == 0, (result.output, result.exception)
    assert "70 of 70 rows with a target" in result.stdout
    assert "EMAP, 70 rows" in result.stdout
    found = json.loads((tmp_path / "whole" / "explain.json").read_text(encoding="utf-8"))
    assert found == json.loads(run(shop_run, table, "--json").stdout)
    assert found == pm.explain(shop_run, table)
    assert "标题" in (tmp_path / "whole" / "explain.html").read_text(encoding="utf-8")
    result = run(shop_run, table, "--rows", "3,17", "-o", tmp_path / "rows")
    assert [line.split(":")[0] for line in result.stdout.splitlines() if line.startswith("row")] == ["row 3, label", "row 17, label"]
    again = run(shop_run, table, "--rows", "3", "-o", tmp_path / "rows")
    assert (again.exit_code, "already there" in again.stderr) == (2, True)
    assert run(shop_run, table, "--rows", "3", "-o", tmp_path / "rows", "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [(("--rows", "0"), "expected numbers from 1 to 70"), (("--rows", "71"), "71; expected numbers from 1 to 70"), (("--rows", "3,x"), "such as 3,17"),
     (("--rows", ",".join(map(str, range(1, 60)))), "59 of them; expected 1 to 50"), (("--seed", "-1"), "-1")],
)  # fmt: skip
def test_a_mistake_ends_with_a_message(shop_run: Path, shop_folder: Path, words: tuple[str, ...], told: str) -> None:
    result = run(shop_run, shop_folder / "other.csv", *words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.output


class _Page(HTMLParser):
    """What a browser would make of a page: its elements, their attributes and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes += [(name, value or "") for name, value in attributes]

    def handle_data(self, data: str) -> None:
        self.text += data


EVIL = "<script>alert(1)</script>"
TEXT = "\"><img src=x onerror=alert(2)> & </span><b>bold</b> {} '\u2028"


def test_what_comes_from_a_table_is_text_on_the_page(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = [
        [TEXT.format("lemon" if at % 2 else "tiger"), f"{rng.normal():.2f}", EVIL if at % 2 else "</table><a href=//x>no"]
        for at in range(60)
    ]
    path = write_csv(tmp_path / f"{'<i>t'}.csv", [EVIL, "<u>n</u>", "<b onclick=x>y"], table)
    model = pm.train(path, "training.epochs=2", "data.split.kind=random", "training.baselines=false", "model.width=8",
                     target="<b onclick=x>y", columns={EVIL: "text"})  # fmt: skip
    for name, chosen in (("whole", None), ("rows", [1, 2])):
        pm.explain(model, path, rows=chosen, out=tmp_path / name)
        html = (tmp_path / name / "explain.html").read_text(encoding="utf-8")
        page = _Page(html)
        allowed = {
            "html",
            "head",
            "meta",
            "title",
            "link",
            "br",
            "small",
            "style",
            "body",
            "div",
            "h1",
            "h2",
            "h3",
            "h4",
            "p",
            "b",
            "table",
            "tr",
            "td",
            "th",
            "svg",
            "rect",
            "image",
            "span",
        }
        assert page.elements <= allowed
        assert not [name for name, _ in page.attributes if name.startswith("on") or name == "src"]
        assert all(value.startswith("data:image/png;base64,") for name, value in page.attributes if name == "href" and value != "data:,")
        assert "url(" not in html
        assert "default-src 'none'" in html
        for said in (EVIL, "<b onclick=x>y", "<i>t.csv"):
            assert said in page.text
        if chosen:
            assert "".join(page.text.split()).count("".join(TEXT.format("tiger").split())) >= 2, "in one line, and word by word"
            assert "<u>n</u> = " in page.text
            assert json.loads((tmp_path / name / "explain.json").read_text(encoding="utf-8"))["explained"][1]["targets"]["<b onclick=x>y"]
