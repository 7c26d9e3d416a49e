"""The tables, features and results of ``benchmarks/tables.py``."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from builders import ROOT


@pytest.fixture
def features(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("table_features")


@pytest.fixture
def tables(features: Any) -> Any:
    return importlib.import_module("tables")


def goods(rows: int = 80) -> pd.DataFrame:
    """Rows of a photo, a title, a colour, a weight and a price."""
    rng = np.random.default_rng(0)
    words = np.array(["oak", "brass", "lamp", "chair", "small", "round", "green", "desk"])
    return pd.DataFrame({
        "photo": [f"photos/{at}.jpg" for at in range(rows)],
        "title": [f"{' '.join(rng.choice(words, 3))} no {at}" for at in range(rows)],
        "colour": rng.choice(["red", "blue"], rows),
        "weight": rng.normal(size=rows).round(3),
        "price": (10 + rng.gamma(2.0, 3.0, rows)).round(2),
    })  # fmt: skip


def test_a_folder_is_a_fold_of_the_table_whose_name_it_has(features: Any, tmp_path: Path) -> None:
    for name in ("goods_3", "houses"):
        (tmp_path / name).mkdir()
        goods().to_csv(tmp_path / name / "train.csv", index=False)
        goods(20).to_csv(tmp_path / name / "test.csv", index=False)
    fold = features.fold_of(tmp_path / "goods_3", {"goods": "price"})
    assert (fold.table, fold.number, fold.target, fold.metric) == ("goods", 3, "price", "r2")
    assert fold.source("test") == tmp_path / "goods_3" / "test.csv"
    train, target_N, test, truth_N = fold.labelled()
    assert "price" not in train
    assert (len(train), len(test), len(target_N), len(truth_N)) == (80, 20, 80, 20)
    assert features.fold_of(tmp_path / "houses", {"houses": "colour"}).metric == "accuracy"
    with pytest.raises(SystemExit, match="--target goods=COLUMN"):
        features.fold_of(tmp_path / "goods_3", {})


def test_columns_are_numbers_categories_and_texts_and_files_are_left_out(features: Any) -> None:
    columns = features.columns_of(goods().drop(columns="price"))
    assert columns.numbers == ["weight"]
    assert columns.categories == ["title", "colour"]
    assert columns.texts == ["title"]


def test_numbers_and_dates_are_read_from_strings(features: Any) -> None:
    cells = pd.Series(["1,204", "3", None, " 17 "])
    assert features.numbers_of(cells).tolist() == [1204.0, 3.0, pytest.approx(np.nan, nan_ok=True), 17.0]
    dates = pd.Series(["January 2nd 2000", "2000-01-11", None, "December 31st 1999"])
    assert features.numbers_of(dates).tolist() == [1.0, 10.0, pytest.approx(np.nan, nan_ok=True), -1.0]
    assert features.numbers_of(pd.Series(["oak 2", "brass"])).isna().all()
    columns = features.columns_of(pd.DataFrame({"reviews": ["1,204", "3"] * 20, "date": dates.tolist() * 10}))
    assert columns.numbers == ["reviews", "date"]
    assert columns.texts == columns.categories == []


def test_features_are_fitted_on_training_rows_and_unknown_values_are_missing(features: Any) -> None:
    train, test = goods(), goods(20).assign(colour="violet")
    columns = features.columns_of(train)
    made = features.tfidf_features(train, test, columns, 0)
    assert list(made[0].columns) == list(made[1].columns)
    texts = [name for name in made[0].columns if name.startswith("t0_")]
    assert len(texts) == features.COMPONENTS
    assert made[0]["n0"].tolist() == train["weight"].tolist()
    at = f"c{columns.categories.index('colour')}"
    assert made[0][at].tolist() == train["colour"].tolist()
    assert made[1][at].isna().all()
    coded = features.coded(made[1])
    assert coded.shape == (20, made[1].shape[1])
    assert np.isnan(coded[:, list(made[1].columns).index(at)]).all()


def test_the_plain_tables_have_targets_and_their_splits_are_disjoint(features: Any) -> None:
    made = features.plain_tables(rows=400)
    assert {name: len(rows) for name, rows in made.items()} == {
        "digits": 1797, "breast_cancer": 569, "wine": 178, "diabetes": 442, "california_like": 400,
    }  # fmt: skip
    pd.testing.assert_frame_equal(made["california_like"], features.california(np.random.default_rng(0), 400))
    folds = list(features.splits_of("california_like", made["california_like"], 2))
    assert [(fold.number, len(fold.train), len(fold.test), fold.metric) for fold in folds] == [(0, 300, 100, "r2"), (1, 300, 100, "r2")]
    assert not folds[0].test.equals(folds[1].test)
    assert sorted([*folds[0].train["y"], *folds[0].test["y"]]) == sorted(made["california_like"]["y"])
    (wine,) = features.splits_of("wine", made["wine"], 1)
    assert wine.metric == "accuracy"


def test_the_generated_table_is_predictable_by_its_columns_but_not_linear(features: Any, tables: Any) -> None:
    (fold,) = features.splits_of("california_like", features.california(np.random.default_rng(0), 2_000), 1)
    values = {}
    for name, estimator in (("boosting", tables.histogram_boosting), ("linear", tables.linear)):
        (line,) = tables.on_features(fold, name, features.plain_features, estimator, 0)
        values[name] = line["value"]
    assert 0.3 < values["linear"] < values["boosting"] < 0.95


def test_a_file_continues_after_a_broken_line_and_is_summarised(features: Any, tables: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    folds = [features.Fold("goods", number, "price", goods(), goods(20)) for number in range(2)]
    calls: list[tuple[str, int]] = []

    def contender(name: str, value: float) -> Any:
        def measured(fold: Any) -> list[dict[str, Any]]:
            calls.append((name, fold.number))
            return [tables.result(fold, name, value + 0.1 * fold.number, 2.0)]

        return measured

    path.write_text(json.dumps(tables.result(folds[0], "polymodal, 10m", 0.5, 3.0)) + '\n{"table": "go', encoding="utf-8")
    tables.run(folds, {"polymodal, 10m": contender("polymodal, 10m", 0.5), "other": contender("other", 0.3)}, path)
    assert calls == [("other", 0), ("polymodal, 10m", 1), ("other", 1)]
    lines = list(tables.summary(tables.read(path), ["polymodal, 10m"]))
    assert lines[0].strip() == "### goods, r2"
    assert lines[3:] == [
        "| polymodal, 10m | 2 | 0.5500 | 0.0707 |  | 2 |",
        "| other | 2 | 0.3500 | 0.0707 | +0.2000 (0.0000) | 2 |",
    ]


def test_votes_have_the_names_of_the_leaderboard(tables: Any) -> None:
    names = [tables.vote_name(voter) for voter in ("", "\0trees", "\0network 2", "title")]
    assert names == ["network", "boosted trees", "network 2", "vote of title"]
