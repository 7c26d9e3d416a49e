"""Tests of training on tables with many missing cells: the model learns from the others, and each field predicts alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import polymodal as pm
from builders.tables import COLORS, WORDS, picture, write_csv
from polymodal.cli.main import main

QUICK = ("training.epochs=8", "training.baselines=false", "model.width=16", "data.split.kind=random", "data.split.valid=0.3",
         "model.encoders.photo.kind=convnet", "model.encoders.photo.channels=[8, 16]", "fields.photo.size=16", "training.lr=5e-3")  # fmt: skip
SAID = {"red": "apple", "green": "river", "blue": "stone"}


def holes(folder: Path, rows: int, seed: int, photo: float, title: float, both: bool = False) -> Path:
    """A colour that picture and title tell alike; a share of the rows lacks either, a row has one of them unless ``both`` may go."""
    rng = np.random.default_rng(seed)
    table = []
    for at in range(rows):
        label = str(rng.choice(list(COLORS)))
        shown, told = rng.random() >= photo, rng.random() >= title
        told = told or (not shown and not both)
        cell = picture(folder / "photos" / f"{seed}_{at}.png", COLORS[label], rng) if shown else ""
        words = [*rng.choice(WORDS[3:], 6), SAID[label]]
        table.append([cell, " ".join(rng.permutation(words)) if told else "", f"{rng.normal():.2f}", label])
    return write_csv(folder / f"{seed}.csv", ["photo", "title", "price", "label"], table)


@pytest.mark.parametrize("missing", ["nothing", "token"])
def test_rows_that_mostly_lack_a_field_still_teach_it(tmp_path: Path, missing: str) -> None:
    train = holes(tmp_path, 400, 0, photo=0.8, title=0.15)
    command = ["train", str(train), "--target", "label", "-o", str(tmp_path / "run"), *QUICK, f"model.missing={missing}"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    model = pm.load(tmp_path / "run")
    new = holes(tmp_path, 200, 1, photo=0.5, title=0.5)
    assert model.evaluate(new)["tasks"]["label"]["accuracy"] > 0.9
    with new.open(encoding="utf-8") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    seen = [row for row in rows if row["photo"]]
    right = np.mean(model.predict([{**row, "title": "", "price": ""} for row in seen], root=[tmp_path]) == [row["label"] for row in seen])
    assert right > 0.85, "the picture alone, which one training row in five has"


def test_a_row_with_no_field_at_all_trains_and_is_answered(tmp_path: Path) -> None:
    train = holes(tmp_path, 240, 0, photo=0.6, title=0.6, both=True)
    model = pm.train(
        train, *QUICK, "fields.title.kind=text", target="label", columns={"title": "text"}, ignore=["price"], out=tmp_path / "run"
    )
    nothing = model.predict_proba([{"photo": "", "title": ""}] * 2, root=[tmp_path])
    assert np.isfinite(nothing).all()
    np.testing.assert_array_equal(nothing[0], nothing[1])
    assert nothing.max() < 0.6, "no more sure than how often a class comes"
    told = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))["validation"]
    assert told["shapley"]["label"]["nothing"] < told["shapley"]["label"]["whole"]


def test_a_column_that_is_empty_throughout_training(tmp_path: Path) -> None:
    train = holes(tmp_path, 200, 0, photo=0.0, title=1.0)
    said = ["fields.title.kind=text", "fields.title.column=title"]
    for words in ([], said):  # left out by itself; or asked for all the same
        out = tmp_path / f"run{len(words)}"
        result = CliRunner().invoke(main, ["train", str(train), "--target", "label", "-o", str(out), *QUICK, *words])
        assert result.exit_code == 0, result.output
        validation = json.loads((out / "metrics.json").read_text(encoding="utf-8"))["validation"]
        assert validation["tasks"]["label"]["accuracy"] > 0.95
    votes = [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines() if '"votes"' in line]
    assert votes[-1]["weights"]["title"] == 0, "nobody heard it"
    told = {**dict.fromkeys(["photo", "price"], ""), "title": "apple"}
    assert np.isfinite(pm.load(out).predict_proba([told], root=[tmp_path])).all()
