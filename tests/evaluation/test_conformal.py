"""Tests of prediction sets with a stated coverage, intervals, and abstention."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import polymodal as pm
from builders.tables import write_csv
from polymodal.cli.main import main
from polymodal.errors import ConfigError
from polymodal.evaluation.conformal import KEPT, Errors, kept_errors, sets
from polymodal.tasks import MulticlassConfig, RegressionConfig, Task


def a_number() -> Task:
    config = RegressionConfig(column="y")
    return config.task()(config, config.task().fit(config, ["0", "1", "2"], "t"))


def classes(names: str = "abc") -> Task:
    config = MulticlassConfig(column="y")
    return config.task()(config, config.task().fit(config, list(names), "t"))


def test_the_interval_is_the_order_statistic_of_split_conformal() -> None:
    kept = {"rows": 20, "errors": [at / 20 for at in range(1, 21)]}  # of a bundle of an older version
    errors, zero = Errors.of(kept, 5, "y"), [np.zeros((1, 1))]
    assert errors.interval(zero, 0.5).tolist() == [[-11 / 20, 11 / 20]]  # ceil(21 * 0.5) = the 11th
    assert errors.interval(zero, 0.9).tolist() == [[-19 / 20, 19 / 20]]
    assert errors.interval(zero, 0.99).tolist() == [[-math.inf, math.inf]]  # the 21st of 20
    for bad in (0.0, 1.0, 90.0):
        with pytest.raises(ConfigError, match=r"expected a fraction between 0 and 1"):
            errors.rank(bad)


@pytest.mark.parametrize(
    "kept",
    [None, {}, [], {"rows": 3, "errors": [0.1, 0.2, 0.3]}, {"rows": 30, "errors": [0.1]}, {"rows": 20, "errors": [0.2, 0.1] * 10},
     {"rows": 20, "errors": [math.nan] * 20}, {"models": [{"rows": 20, "errors": [0.1] * 20}] * 3}, {"models": 3}, {"models": [None] * 5},
     {"models": [{"rows": 2, "errors": [0.1, 0.2]}] * 5}],
)  # fmt: skip
def test_errors_that_are_too_few_or_malformed_are_refused(kept: Any) -> None:
    with pytest.raises(ConfigError, match=r"y: \d+ validation rows for a coverage; expected 19 or more; train on more rows"):
        Errors.of(kept, 5, "y")


def test_an_interval_of_a_number_of_0_or_more_has_no_negative_bound() -> None:
    errors = Errors.of({"rows": 20, "errors": [at / 20 for at in range(1, 21)]}, 5, "y")
    config, zero = RegressionConfig(column="y", transform="log"), np.array([[0.25], [-0.95]])
    count = config.task()(config, config.task().fit(config, ["0", "1", "2"], "t"))
    assert sets(a_number(), errors, zero, [zero], 0.5).tolist() == pytest.approx(np.array([[-0.3, 0.8], [-1.5, -0.4]]))
    assert sets(count, errors, zero, [zero], 0.5).tolist() == pytest.approx(np.array([[0.0, 0.8], [0.0, 0.0]]))
    assert sets(count, errors, zero, [zero], 0.99).tolist() == [[0.0, math.inf]] * 2


def test_of_many_errors_some_are_kept_and_the_interval_is_never_narrower() -> None:
    task, rng = a_number(), np.random.default_rng(0)
    scores = rng.normal(size=(3_333, 1)).astype(np.float32)
    targets = np.stack([task.encode(str(value)) for value in np.zeros(3_333)])
    for models in (1, 5):
        kept = kept_errors(task, targets, scores, np.arange(3_333) % models, models)
        assert [len(one["errors"]) for one in kept["models"]] == [KEPT] * models
        assert kept["method"] == ("cv+" if models > 1 else "split")
        assert json.loads(json.dumps(kept)) == kept
        exact = np.sort(task.errors(targets, scores))
        for coverage in (0.05, 0.5, 0.8, 0.9, 0.95, 0.999):
            rank, found = math.ceil(3_334 * coverage), Errors.of(kept, models, "y")
            ((low, high),) = found.interval([np.zeros((1, 1))] * models, coverage)
            assert -low == high
            assert exact[rank - 1] - 1e-6 <= high <= exact[min(rank + 7, 3_332)] + 1e-6


def test_cv_plus_is_that_of_the_papers() -> None:
    """Against the definitions, row by row: Barber et al. (2021), equation 11, and Romano et al. (2020), equation 9."""
    rng, models, rows = np.random.default_rng(1), 5, 60
    part_N = np.arange(rows) % models
    task, errors_N = a_number(), np.abs(rng.normal(size=rows))
    answers = [rng.normal(size=(7, 1)) for _ in range(models)]
    kept = {"models": [{"rows": 12, "errors": np.sort(errors_N[part_N == at]).tolist()} for at in range(models)]}
    for coverage in (0.5, 0.8, 0.9):
        rank = math.ceil(coverage * (rows + 1))
        for at, (low, high) in enumerate(sets(task, Errors.of(kept, models, "y"), answers[0], answers, coverage)):
            centre = np.array([answers[part][at, 0] for part in part_N])
            assert high == pytest.approx(np.sort(centre + errors_N)[rank - 1])
            assert low == pytest.approx(np.sort(centre - errors_N)[rows - rank])
    chances = [rng.dirichlet([1, 1, 1], 7) for _ in range(models)]
    errors_N = rng.random(rows)
    kept = {"models": [{"rows": 12, "errors": np.sort(errors_N[part_N == at]).tolist()} for at in range(models)]}
    for coverage in (0.5, 0.8, 0.9):
        inside = Errors.of(kept, models, "y").classes(chances, coverage)
        for at in range(7):
            for label in range(3):
                own = np.array([1 - chances[part][at, label] for part in part_N])
                assert inside[at, label] == ((errors_N < own).sum() < coverage * (rows + 1))


def test_cv_plus_covers_too_much_where_models_disagree() -> None:
    """Five models that answer coin labels independently of one another: sets of 80 % contain the truth in nearly every row, and those of one
    of these models, by its own errors, in 80 %."""
    rng, rows, new = np.random.default_rng(0), 160, 4_000
    chances = rng.random(rows)
    errors_N = np.where(rng.random(rows) < 0.5, chances, 1 - chances)
    truth = rng.integers(0, 2, new)
    scores = [np.stack([1 - one, one], 1) for one in rng.random((5, new))]
    kept = {"models": [{"rows": 32, "errors": np.sort(errors_N[at::5]).tolist()} for at in range(5)]}
    inside = Errors.of(kept, 5, "y").classes(scores, 0.8)
    assert inside[np.arange(new), truth].mean() > 0.95
    one = Errors.of({"rows": rows, "errors": np.sort(errors_N).tolist()}, 1, "y").classes(scores[:1], 0.8)
    assert one[np.arange(new), truth].mean() == pytest.approx(0.8, abs=0.07)


def test_sets_contain_the_classes_and_are_ordered_by_their_probability() -> None:
    task, scores = classes(), np.array([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [0.05, 0.05, 0.9]], np.float32)
    inside = scores >= 0.3
    assert task.sets(scores, inside).tolist() == [["a"], ["a", "b"], ["c"]]
    assert task.sets(scores, scores >= 0.8).tolist() == [[], [], ["c"]]
    assert task.sets(scores, scores >= 0.8, empty=False).tolist() == [["a"], ["a"], ["c"]]
    assert task.sets(scores, scores >= 0).tolist() == [["a", "b", "c"], ["a", "b", "c"], ["c", "a", "b"]]


@pytest.mark.parametrize("rows", [19, 39, 119])
@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_split_conformal_has_its_coverage_exactly_in_the_mean(rows: int, coverage: float) -> None:
    """Over 2,000 draws of so many errors, whatever they are: here of three classes, of Cauchy noise and of a second regime."""
    rng, draws = np.random.default_rng(3), 2_000
    cauchy, regime = (np.abs(rng.standard_cauchy((draws, rows + 1))), np.abs(rng.normal(size=(draws, rows + 1))))
    regime *= np.where(rng.random(regime.shape) < 0.05, 10, 1)
    for errors in (cauchy, regime):
        inside = []
        for one in errors:
            kept = Errors.of({"rows": rows, "errors": np.sort(one[:-1]).tolist()}, 1, "y")
            inside.append(kept.interval([np.zeros((1, 1))], coverage)[0, 1] >= one[-1])
        assert np.mean(inside) == pytest.approx(coverage, abs=3.5 * (coverage * (1 - coverage) / draws) ** 0.5)


def noisy(path: Path, rows: int, seed: int) -> Path:
    """A class that two numbers tell three times in four, and a number that one tells within a spread of 1."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 2))
    right = np.where(x[:, 0] + x[:, 1] > 0, "up", "down")
    label = np.where(rng.random(rows) < 0.75, right, rng.choice(["up", "down", "flat"], rows))
    price = 3 * x[:, 0] + rng.normal(size=rows)
    return write_csv(
        path,
        ["a", "b", "label", "price"],
        [[f"{a:.4f}", f"{b:.4f}", name, f"{p:.4f}"] for (a, b), name, p in zip(x, label, price, strict=True)],
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("conformal")
    table = noisy(folder / "train.csv", 1_500, 0)
    words = ("training.epochs=20", "training.lr=3e-3", "model.width=16", "data.split.kind=random", "data.split.valid=0.4")
    pm.train(table, *words, target=["label", "price"], out=folder / "run")
    noisy(folder / "test.csv", 3_000, 1)
    return folder


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_the_truth_is_in_as_many_sets_as_was_stated(run: Path, coverage: float) -> None:
    model = pm.load(run / "run")
    sets = model.predict_sets(run / "test.csv", coverage)
    with (run / "test.csv").open(encoding="utf-8") as file:
        truth = list(csv.DictReader(file))
    inside = np.mean([row["label"] in found for row, found in zip(truth, sets["label"], strict=True)])
    price = np.array([float(row["price"]) for row in truth])
    between = np.mean((sets["price"][:, 0] <= price) & (price <= sets["price"][:, 1]))
    assert abs(between - coverage) < 0.04  # 600 rows to calibrate on, 3,000 to count on
    assert abs(inside - coverage) < 0.04
    assert np.mean([len(found) for found in sets["label"]]) < 2.5


def test_probabilities_are_calibrated(run: Path) -> None:
    assert pm.load(run / "run").evaluate(run / "test.csv")["tasks"]["label"]["ece"] < 0.05


def test_the_command_writes_sets_and_withholds_answers(run: Path, tmp_path: Path) -> None:
    words = ["predict", str(run / "run"), str(run / "test.csv"), "--coverage", "0.9", "--abstain-below", "0.6"]
    for name in ("p.csv", "p.jsonl", "p.parquet"):
        result = CliRunner().invoke(main, [*words, "-o", str(tmp_path / name)])
        assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {row["label"] is None for row in rows} == {True, False}
    for row in rows:
        best = max(row[f"label:{name}"] for name in ("up", "down", "flat"))
        assert (row["label"] is None) == (best < 0.6)
        assert row["price:low"] < row["price"] < row["price:high"]
        assert isinstance(row["label:set"], list)
    with (tmp_path / "p.csv").open(encoding="utf-8") as file:
        head = next(csv.reader(file))
    assert {"label:set", "price:low", "price:high"} <= set(head)


def test_sets_that_are_empty_are_told(tmp_path: Path) -> None:
    """Nineteen answers in twenty are right; of sets that are to hold three in four, the least sure are empty."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    rows = [[f"{one:.4f}", ("up" if one + rng.normal(0, 0.1) > 0 else "down")] for one in x]
    table = write_csv(tmp_path / "t.csv", ["x", "y"], rows)
    model = pm.train(table, "training.epochs=20", "model.width=16", "data.split.kind=random", target="y", out=tmp_path / "run")
    sets = model.predict_sets(table, 0.75)
    none = sum(not one for one in sets)
    assert 0.1 < none / 400 < 0.4
    assert min(map(len, model.predict_sets(table, 0.75, empty=False))) == 1
    words = ["predict", str(tmp_path / "run"), str(table), "-o", str(tmp_path / "p.jsonl"), "--coverage"]
    result = CliRunner().invoke(main, [*words, "0.75"])
    assert f"warning: target 'y': {none} of 400 sets are empty" in result.output.replace("\n  ", " ")
    told = [json.loads(line)["y:set"] for line in (tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()]
    assert told == [list(one) for one in sets]
    assert "sets are empty" not in CliRunner().invoke(main, [*words, "0.995", "--overwrite"]).output


def test_what_has_no_sets_is_told(tmp_path: Path) -> None:
    rows = [[f"{at % 7 + 0.5}", "a;b" if at % 2 else "b"] for at in range(60)]
    table = write_csv(tmp_path / "t.csv", ["x", "tags"], rows)
    model = pm.train(table, "tasks.tags.kind=multilabel", "training.epochs=1", "data.split.kind=random", target="tags")
    assert model.metrics["conformal"] == {}, "nothing is kept, and the report states no guarantee"
    with pytest.raises(ConfigError, match=r"of kind multilabel, whose answers are sets"):
        model.predict_sets(table)
    few = pm.train(write_csv(tmp_path / "u.csv", ["x", "y"], [[f"{at % 7 + 0.5}", "ab"[at % 2]] for at in range(30)]), "training.epochs=1",
                   "data.split.kind=random", target="y")  # fmt: skip
    with pytest.raises(ConfigError, match=r"target 'y': \d+ validation rows for a coverage"):
        few.predict_sets([{"x": 1.0}])
