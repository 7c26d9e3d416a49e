"""The estimators of scikit-learn: its own checks, its tools, tables of all kinds, files and pickles."""

from __future__ import annotations

import copy
import importlib
import inspect
import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

import polymodal as pm
from builders import ROOT
from polymodal.errors import UserError
from polymodal.sklearn import EXPECTED_FAILED_CHECKS, EstimatorError, MultimodalClassifier, MultimodalRegressor
from polymodal.sklearn.targets import in_order

FAST: dict[str, Any] = {"preset": "fast", "epochs": 2}
"""Settings of a training of a tenth of a second: one network of two epochs, without models of single fields."""


def _expected(estimator: BaseEstimator) -> dict[str, str]:
    return EXPECTED_FAILED_CHECKS


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [MultimodalClassifier(preset="fast", epochs=1), MultimodalRegressor(preset="fast", epochs=6)], expected_failed_checks=_expected
)
def test_the_checks_of_scikit_learn(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)


def test_a_check_that_is_not_passed_has_a_reason() -> None:
    assert list(EXPECTED_FAILED_CHECKS) == ["check_sample_weight_equivalence_on_dense_data"]
    assert all(len(reason.split()) > 10 for reason in EXPECTED_FAILED_CHECKS.values())


@pytest.fixture(scope="module")
def table() -> tuple[pd.DataFrame, pd.Series]:
    """60 rows of a text that states the class, a number and a category; the index is in another order."""
    rng = np.random.default_rng(0)
    label = rng.choice(["cat", "dog", "NA"], 60)
    frame = pd.DataFrame(
        {
            "text": [f"{one} {rng.choice(['a', 'b'])} word{at}" for at, one in enumerate(label)],
            "number": rng.normal(size=60),
            "颜色": rng.choice(["红", "绿"], 60),
        },
        index=rng.permutation(60),
    )
    return frame, pd.Series(label, name="kind")


@pytest.fixture(scope="module")
def fitted(table: tuple[pd.DataFrame, pd.Series]) -> MultimodalClassifier:
    """A classifier that has been fitted on the table."""
    return MultimodalClassifier(**FAST).fit(*table)


# Tables and targets


def test_a_classifier_of_texts_numbers_and_categories(fitted: MultimodalClassifier, table: tuple[pd.DataFrame, pd.Series]) -> None:
    frame, y = table
    assert fitted.classes_.tolist() == ["NA", "cat", "dog"], "NA is a class, not a missing target"
    assert (fitted.n_features_in_, fitted.feature_names_in_.tolist()) == (3, ["text", "number", "颜色"])
    assert (fitted.target_, fitted.seed_) == ("kind", 0)
    scores = fitted.predict_proba(frame)
    assert scores.shape == (60, 3)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-6)
    assert (fitted.predict(frame) == fitted.classes_[scores.argmax(1)]).all()
    assert fitted.score(frame, y) > 0.9
    assert fitted.model_.classes.tolist() == ["NA", "cat", "dog"]
    assert {entry["kind"] for entry in fitted.model_.leaderboard()} == {"model", "network", "vote"}, "no models of single fields"


@pytest.mark.parametrize(
    "convert",
    [pl.from_pandas, pa.Table.from_pandas, lambda frame: frame.to_dict("list"), lambda frame: frame.to_dict("records")],
    ids=["polars", "arrow", "columns", "rows"],
)
def test_every_kind_of_table_gives_the_same_model(
    fitted: MultimodalClassifier, table: tuple[pd.DataFrame, pd.Series], convert: Callable[[pd.DataFrame], Any]
) -> None:
    X = convert(table[0].reset_index(drop=True))
    other = MultimodalClassifier(**FAST).fit(X, table[1].tolist())
    assert other.feature_names_in_.tolist() == ["text", "number", "颜色"]
    assert other.target_ == "y", "a list has no name"
    np.testing.assert_array_equal(other.predict_proba(X), fitted.predict_proba(table[0]))
    np.testing.assert_array_equal(fitted.predict_proba(X), fitted.predict_proba(table[0]))


def test_arrays_have_columns_of_numbers_even_if_they_look_like_ids_or_categories() -> None:
    X = np.column_stack([np.arange(40), np.arange(40) % 2])
    model = MultimodalRegressor(**FAST).fit(X, np.arange(40.0))
    assert model.model_.bundle.experiment.columns() == ["x0", "x1"]
    assert {column["type"] for column in model.model_.bundle.states["columns"]["columns"]} == {"number"}
    assert model.predict(X).shape == (40,)
    assert not hasattr(model, "feature_names_in_")
    objects = MultimodalClassifier(**FAST).fit(np.array([["a b c d", 1.5], ["d e f g", 2.5]] * 20, object), [0, 1] * 20)
    assert objects.score([["a b c d", 1.5]], [0]) == 1.0


def test_names_that_are_no_text_count_by_position() -> None:
    frame = pd.DataFrame({0: np.linspace(0, 1, 30), 1: np.linspace(1, 0, 30)})
    model = MultimodalRegressor(**FAST).fit(frame, frame[0])
    assert model.columns_ == ["x0", "x1"]
    np.testing.assert_array_equal(model.predict(frame), model.predict(frame.to_numpy()))


def test_the_index_of_a_table_is_no_feature(table: tuple[pd.DataFrame, pd.Series]) -> None:
    frame, y = table
    X = pa.Table.from_pandas(frame)
    assert "__index_level_0__" in X.column_names
    assert MultimodalClassifier(**FAST).fit(X, y).columns_ == list(frame.columns)
    assert MultimodalClassifier(**FAST).fit(frame.rename_axis("key"), y).columns_ == list(frame.columns)


def test_the_target_gets_a_name_that_no_column_has(table: tuple[pd.DataFrame, pd.Series]) -> None:
    frame = table[0].assign(y=1.0 * table[0].number, sample_weight=1.0)
    model = MultimodalClassifier(**FAST).fit(frame, table[1].tolist(), sample_weight=np.ones(60))
    assert model.target_ == "y_"
    assert model.model_.bundle.experiment.data.weight == "sample_weight_"
    assert MultimodalClassifier(**FAST).fit(frame, table[1].rename(" text ")).target_ == " text _"


@pytest.mark.parametrize("y", [[True, False], [0.0, 1.0], [-1, 1], ["true", "True"], ["", "x"], ["1", "1.0"], [2, 3]])
def test_classes_keep_their_type(y: list[Any]) -> None:
    X = np.random.default_rng(0).normal(size=(40, 1)) + 9 * np.arange(40)[:, None].__mod__(2)
    model = MultimodalClassifier(**FAST).fit(X, y * 20)
    assert model.classes_.tolist() == sorted(y)
    assert model.classes_.dtype == np.array(y).dtype
    assert set(model.predict(X).tolist()) <= set(y)
    assert model.score(X, y * 20) > 0.9


def test_a_class_that_no_training_row_has_gets_a_probability_of_zero() -> None:
    scores = in_order(np.array([[0.25, 0.75]]), ["b", "10"], ["a", 10, "b"])
    assert scores.tolist() == [[0.0, 0.75, 0.25]]


def test_a_row_weight_changes_the_model_and_a_row_of_weight_zero_is_not_trained_on() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), rng.normal(size=60)
    weight = np.where(np.arange(60) < 50, 1.0, 0.0)
    fit = MultimodalRegressor(**FAST).fit
    assert fit(X, y, sample_weight=weight).model_.metrics["rows"]["training"] < fit(X, y).model_.metrics["rows"]["training"]
    assert not np.array_equal(fit(X, y).predict(X), MultimodalRegressor(**FAST).fit(X, y, sample_weight=1 + 9 * weight).predict(X))


def test_pictures_are_found_below_root(shop_folder: Path) -> None:
    frame = pd.read_csv(shop_folder / "shop.csv")
    X, y = frame.drop(columns="label"), frame["label"]
    settings = ["model.width=16", "model.encoders.photo.kind=convnet", "model.encoders.photo.channels=[8, 16]", "fields.photo.size=16"]
    model = MultimodalClassifier({"photo": "image"}, preset="fast", epochs=3, overrides=settings, root=shop_folder).fit(X, y)
    assert set(model.model_.bundle.experiment.fields) == {"photo", "标题", "columns"}
    assert model.score(X, y) > 0.9
    with pytest.raises(EstimatorError, match="no folder"):
        MultimodalClassifier({"photo": "image"}, preset="fast", epochs=1, overrides=settings).fit(X, y)


# Faults


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"fusion": "nothing"}, "model.fusion.kind: 'nothing' is not on the menu"),
        ({"overrides": "x=1"}, r"overrides: found the text 'x=1'; expected a list of texts; write \['x=1'\]"),
        ({"columns": {"nothing": "number"}}, "X: no column 'nothing'"),
        ({"preset": "bad"}, "training.preset: found 'bad'"),
        ({"epochs": 0}, "training.epochs: found 0"),
        ({"folds": 1}, "data.split.folds: found 1"),
        ({"device": "tpu"}, "training.device: found 'tpu'"),
        ({"random_state": -1}, "seed: found -1"),
        ({"root": "/nothing"}, "no such folder"),
        ({"group": "nothing"}, "no column 'nothing'"),
    ],
)
def test_a_wrong_parameter_is_a_value_error_that_names_it(
    table: tuple[pd.DataFrame, pd.Series], parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        MultimodalClassifier(**{**FAST, **parameters}).fit(*table)
    assert isinstance(caught.value, UserError)


def test_wrong_data_is_a_value_error(table: tuple[pd.DataFrame, pd.Series], fitted: MultimodalClassifier) -> None:
    frame, y = table
    cases: list[tuple[Any, Any, str]] = [
        (frame, None, "requires y to be passed"), (frame, y[:3], "inconsistent numbers of samples"), (frame, [None] * 60, "contains None"),
        (frame[:0], y[:0], "no rows"), (frame.number, y, "2-dimensional container"), ("table.csv", y, "2D array"),
        (frame, ["one"] * 60, "got 1 class"), (frame[:1], ["a"], "n_samples = 1"), (frame, np.linspace(0, 1, 60), "Unknown label type"),
        ({"a": [1, 2], "b": [1]}, y, "different lengths"), (frame.assign(**{" number": 1.0}), y, "differ only in surrounding white space"),
    ]  # fmt: skip
    for X, target, message in cases:
        with pytest.raises(ValueError, match=message):
            MultimodalClassifier(**FAST).fit(X, target)
    with pytest.raises(ValueError, match="Feature names seen at fit time, yet now missing"):
        fitted.predict(frame[["text", "number"]])
    with pytest.raises(NotFittedError):
        MultimodalClassifier().predict(frame)
    with pytest.raises(ValueError, match="every weight is zero"):
        MultimodalClassifier(**FAST).fit(frame, y, sample_weight=np.zeros(60))
    with pytest.raises(ValueError, match="Negative values"):
        MultimodalClassifier(**FAST).fit(frame, y, sample_weight=-np.ones(60))
    with pytest.warns(DataConversionWarning):
        MultimodalClassifier(**FAST).fit(frame, y.to_frame())


def test_a_row_that_the_settings_skip_is_an_error_and_no_wrong_class(table: tuple[pd.DataFrame, pd.Series]) -> None:
    frame, y = table
    model = MultimodalClassifier({"number": "number"}, **{**FAST, "overrides": ["data.on_error=skip"]}).fit(frame, y)
    with pytest.raises(EstimatorError, match="on_error=skip"), pytest.warns(UserWarning, match="60 of 60 cells cannot be read"):
        model.predict(frame.astype({"number": object}).assign(number="no number"))


def test_an_interruption_stops_a_search_rather_than_being_a_failed_fit(
    table: tuple[pd.DataFrame, pd.Series], monkeypatch: pytest.MonkeyPatch
) -> None:
    estimators = importlib.import_module("polymodal.sklearn.estimators")

    def interrupted(*_: Any, **__: Any) -> None:
        raise estimators.Interrupted(None, signal.SIGINT, None)

    monkeypatch.setattr(estimators, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cross_val_score(MultimodalClassifier(**FAST), *table, cv=2)


# Tools of scikit-learn


@pytest.mark.filterwarnings("ignore:X, column 'number'")
def test_the_tools_of_scikit_learn(table: tuple[pd.DataFrame, pd.Series]) -> None:
    frame, y = table
    model = MultimodalClassifier(**FAST)
    assert cross_val_score(model, frame, y, cv=2).shape == (2,)
    assert cross_val_predict(model, frame, y, cv=2, method="predict_proba").shape == (60, 3)
    search = GridSearchCV(model, {"fusion": ["concat", "lowrank"], "overrides": [(), ["training.lr=1e-2"]]}, cv=2).fit(frame, y)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_estimator_.model_.bundle.experiment.model.fusion.kind == search.best_params_["fusion"]
    double = FunctionTransformer(lambda frame: frame.assign(twice=2 * frame.number))
    assert make_pipeline(double, model).fit(frame, y)[-1].n_features_in_ == 4
    assert CalibratedClassifierCV(model, cv=2).fit(frame, y).predict_proba(frame).shape == (60, 3)


def test_a_clone_has_the_parameters_and_no_model(fitted: MultimodalClassifier) -> None:
    other = clone(fitted)
    assert other.get_params() == fitted.get_params()
    assert not hasattr(other, "model_")
    assert other.set_params(epochs=7).epochs == 7


def test_a_random_state_gives_the_seed(table: tuple[pd.DataFrame, pd.Series]) -> None:
    models = [MultimodalClassifier(**FAST, random_state=np.random.RandomState(3)).fit(*table) for _ in range(2)]
    assert models[0].seed_ == models[1].seed_ > 0
    np.testing.assert_array_equal(models[0].predict_proba(table[0]), models[1].predict_proba(table[0]))
    assert copy.deepcopy(models[0]).random_state == models[0].seed_


# Files and pickles


def test_an_estimator_that_was_saved_predicts_the_same_bits(
    fitted: MultimodalClassifier, table: tuple[pd.DataFrame, pd.Series], tmp_path: Path
) -> None:
    folder = fitted.save(tmp_path / "model")
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "bundle.json",
        "estimator.json",
        "states.json",
        "weights.safetensors",
    ]
    other = MultimodalClassifier.load(folder)
    np.testing.assert_array_equal(other.predict_proba(table[0]), fitted.predict_proba(table[0]))
    assert other.get_params() == fitted.get_params()
    assert other.classes_.dtype == fitted.classes_.dtype
    assert vars(other).keys() == vars(fitted).keys()
    assert pm.load(folder).predict(table[0]).tolist() == fitted.predict(table[0]).tolist(), "it is a bundle as well"
    with pytest.raises(EstimatorError, match=r"expected a MultimodalRegressor; load it by MultimodalClassifier\.load"):
        MultimodalRegressor.load(folder)


def test_a_pickle_contains_the_bytes_of_the_files_and_plain_parameters(
    fitted: MultimodalClassifier, table: tuple[pd.DataFrame, pd.Series], tmp_path: Path
) -> None:
    state = fitted.__getstate__()
    assert set(state) == {"parameters", "files"}
    folder = fitted.save(tmp_path)
    assert state["files"] == {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "README.md"}
    assert json.loads(json.dumps(state["parameters"])) == state["parameters"]
    for other in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        np.testing.assert_array_equal(other.predict_proba(table[0]), fitted.predict_proba(table[0]))
    unfitted = pickle.loads(pickle.dumps(MultimodalRegressor(epochs=3, columns={"a": "text"})))
    assert (unfitted.epochs, unfitted.columns) == (3, {"a": "text"})
    with pytest.raises(EstimatorError, match="columns: found dict; expected texts, numbers, lists or a dict"):
        clone(fitted).set_params(columns={"text": "text"}).fit(*table).set_params(columns={"text": object()}).__getstate__()


def test_an_estimator_of_another_machine_is_loaded_on_a_device_of_this_one(fitted: MultimodalClassifier, tmp_path: Path) -> None:
    folder = fitted.save(tmp_path)
    content = json.loads((folder / "estimator.json").read_text(encoding="utf-8"))
    _changed(folder, parameters=content["parameters"] | {"device": "mps"})
    with pytest.raises(EstimatorError, match="mps is not available"):
        MultimodalClassifier.load(folder)
    assert MultimodalClassifier.load(folder, device="cpu").device == "cpu"


def _changed(folder: Path, **facts: Any) -> None:
    """Change ``estimator.json`` as someone would who knows its checksum."""
    from polymodal.storage import checksum_of

    content = json.loads((folder / "estimator.json").read_text(encoding="utf-8")) | facts
    content["check"] = checksum_of({key: value for key, value in content.items() if key != "check"})
    (folder / "estimator.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    "facts",
    [
        {"format": 2}, {"format": "x"}, {"estimator": "os.system"}, {"bundle": "0" * 32}, {"columns": []}, {"columns": ["a"]}, {"columns": "text"},
        {"columns": [1, 2, 3]}, {"target": "other"}, {"parameters": {}}, {"parameters": {"__class__": 1}}, {"parameters": None}, {"classes": None},
        {"classes": {"type": "U1000000000", "values": ["a", "b", "c"]}}, {"classes": {"type": "str", "values": ["a"]}},
        {"classes": {"type": "int64", "values": [1, 2, 2**70]}}, {"classes": {"type": "int64", "values": ["1", "2", "3"]}}, {"cells": ["a", "b", "c"]},
        {"cells": None}, {"cells": [[], {}, None]}, {"seed": "x"}, {"seed": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_folder_that_was_altered_is_refused(fitted: MultimodalClassifier, tmp_path: Path, facts: dict[str, Any]) -> None:
    folder = fitted.save(tmp_path)
    _changed(folder, **facts)
    with pytest.raises(EstimatorError):
        MultimodalClassifier.load(folder)
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "README.md"}
    with pytest.raises(EstimatorError):
        MultimodalClassifier().__setstate__({"parameters": {}, "files": files})


def test_broken_files_and_states_are_refused(fitted: MultimodalClassifier, tmp_path: Path) -> None:
    for body in (b"", b"[]", b"{", b'{"check": 1}', b"\xff", b"[" * 100_000):
        folder = fitted.save(tmp_path)
        (folder / "estimator.json").write_bytes(body)
        with pytest.raises(EstimatorError, match=r"estimator\.json"):
            MultimodalClassifier.load(folder)
    (folder / "estimator.json").unlink()
    with pytest.raises(EstimatorError, match=r"no estimator\.json; expected a folder that MultimodalClassifier\.save wrote"):
        MultimodalClassifier.load(folder)
    good = fitted.__getstate__()
    states: list[Any] = [
        None, {}, {**good, "more": 1}, {**good, "files": None}, {**good, "files": {"../escape": b"x"}}, {**good, "files": {"bundle.json": "text"}},
        {**good, "files": {"bundle.json": good["files"]["bundle.json"]}}, {"parameters": None, "files": {}}, {"parameters": {"a": 1}, "files": {}},
        {**good, "files": good["files"] | {"weights.safetensors": b"\0" * 100}},
    ]  # fmt: skip
    for state in states:
        with pytest.raises(EstimatorError):
            MultimodalClassifier().__setstate__(state)
    assert not (tmp_path.parent / "escape").exists()


def test_without_scikit_learn_the_message_names_the_extra_and_polymodal_works() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import polymodal, polymodal.predictor\n"
        "try:\n    import polymodal.sklearn\n"
        "except polymodal.MissingDependency as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ}, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip().endswith("pip install 'polymodal[sklearn]'")


def test_importing_polymodal_does_not_import_scikit_learn() -> None:
    code = "import sys, polymodal; polymodal.train; polymodal.Predictor; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Pictures given as paths


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layout of the README: ``products.csv`` beside the folder ``photos``. The colour of a photo is the category."""
    folder = tmp_path_factory.mktemp("products")
    (folder / "photos").mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for at in range(48):
        category = ("chair", "lamp")[at % 2]
        pixels = rng.integers(0, 100, (8, 8, 3), np.uint8)
        pixels[..., 0] += 150 * (category == "lamp")
        Image.fromarray(pixels).save(folder / "photos" / f"{at:04}.png")
        rows.append({"photo": f"photos/{at:04}.png", "title": f"thing number {at}", "price": 3.5 * at % 7, "category": category})
    pd.DataFrame(rows).to_csv(folder / "products.csv", index=False)
    return folder


def test_the_example_of_the_documentation_runs(products: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "howto" / "scikit-learn.md").read_text(encoding="utf-8")
    example = page.partition("```python\n")[2].partition("```")[0]
    assert 'MultimodalClassifier(root=".", preset="fast", epochs=5)' in example
    monkeypatch.chdir(products)
    values: dict[str, Any] = {}
    exec(compile(example, "scikit-learn.md", "exec"), values)
    assert values["model"].score(values["X_test"], values["y_test"]) == 1.0, "the colour is the category"
    assert values["search"].best_params_["fusion"] in ("concat", "lowrank")
    assert len(values["search"].cv_results_["params"]) == 4
    score, shape = capsys.readouterr().out.splitlines()[0].split(maxsplit=1)
    assert (float(score), shape) == (1.0, "(12, 2)")


def test_paths_without_root_are_an_error_that_names_it(products: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.read_csv(products / "products.csv")
    X, y = frame.drop(columns="category"), frame["category"]
    with pytest.raises(EstimatorError) as caught:
        MultimodalClassifier(**FAST).fit(X, y)
    assert str(caught.value) == (
        "X, column 'photo': 48 of 48 cells are paths, and a table in memory has no folder; expected root=... (--root), the folder that they "
        "are relative to; write root='.' for the current folder"
    )
    with pytest.raises(EstimatorError, match=r"root 'nowhere': no such folder"):
        MultimodalClassifier(**FAST, root="nowhere").fit(X, y)
    model = MultimodalClassifier(**FAST, root=str(products)).fit(X, y)
    assert clone(model).root == str(products)
    model.save(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    for other in (MultimodalClassifier.load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        assert other.root == str(products)
        np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epoch": 3}, "MultimodalClassifier: unexpected argument 'epoch'; did you mean 'epochs'?"),
        ({"lr": 0.1}, "it is a setting, which is passed as text: MultimodalClassifier(overrides=['training.lr=0.1'])"),
        ({"training": {"lr": 1}}, "MultimodalClassifier(overrides=['training.lr=1'])"),
        ({"n_jobs": 3}, "MultimodalClassifier(overrides=['training.workers=3'])"),
        ({"target": "x"}, "unexpected argument 'target'; expected one of baselines, columns, device, epochs"),
    ],
)
def test_an_unknown_parameter_is_answered_with_what_to_write(given: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        MultimodalClassifier(**given)
    assert message in str(caught.value)
    with pytest.raises(EstimatorError) as refused:
        MultimodalClassifier().set_params(**given)
    assert str(refused.value) == str(caught.value)


def test_the_signature_is_that_of_the_parameters() -> None:
    for kind in (MultimodalClassifier, MultimodalRegressor):
        assert list(inspect.signature(kind).parameters) == list(inspect.signature(kind.__init__).parameters)[1:]
        assert sorted(inspect.signature(kind).parameters) == sorted(kind().get_params())
