"""Trackers: what each of them stores, that they change nothing, that they continue a run, and that an error of one stops nothing."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import polymodal as pm
from builders.interruptions import At, Broken, crash, digest, without_time
from builders.tables import FAST, shop
from builders.trackers import scalars, wandb_records, wandb_rows
from polymodal.errors import ConfigError
from polymodal.runs import resume
from polymodal.tracking import TRACKERS, TRACKING, Tracker, flat
from polymodal.tracking.tracker import figures_of_run, part
from polymodal.training.events import EndEvent, EpochEvent, Event, NoteEvent, StartEvent
from polymodal.training.observers import Observer

START = StartEvent("0.1.0", "2.13.0", "3.11.7", 2, "shop.csv", 90, 3, time_limit=None)
EPOCH = EpochEvent("fused", 1, 4, 0.25, 1.5, 60.0, 0.02, True, 0.2, True, {}, {}, {})
QUICK = (*FAST, "training.checkpoint_steps=2", "training.batch_size=16")
"""Two folds of 4 steps an epoch and 3 epochs, 24 steps in all."""
ROWS = [{"photo": None, "标题": "红色 river stone", "price": 5, "region": "north"}, {"标题": "blue 蓝色"}]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trackers write below a temporary folder, and find no account; their libraries use features that are deprecated."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with warnings.catch_warnings():
        for category in (DeprecationWarning, FutureWarning, PendingDeprecationWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
        yield
        _end_wandb()  # its settings are those of the process


def _end_wandb() -> None:
    """End the process of wandb, which writes its files."""
    if sys.modules.get("wandb") is not None:
        sys.modules["wandb"].teardown()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop(tmp_path_factory.mktemp("tracked"))


@pytest.fixture(scope="module")
def untracked(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("untracked") / "run"
    pm.train(table, *QUICK, target="label", out=out)
    return out


def epochs_of(run: Path) -> dict[str, list[tuple[int, float]]]:
    """The loss of each epoch in the log of a run, by model."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["event"] == "epoch":
            curves.setdefault(part(event["name"]), []).append((event["epoch"], event["loss"]))
    return curves


class Memory(Tracker):
    """A tracker that keeps everything in lists, which tests pass to it."""

    name = "tensorboard"
    package = "json"

    def __init__(self, run: Path | None, received: list[Any], fails: str = "") -> None:
        super().__init__(run, {"training.lr": 0.1})
        self.received, self.fails = received, fails

    def begin(self) -> None:
        self._do("begin", dict(self.settings))

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        self._do("log", (next(iter(figures)), epoch))

    def conclude(self, figures: Mapping[str, float]) -> None:
        self._do("conclude", dict(figures))

    def finish(self, ended: bool) -> None:
        self._do("finish", ended)

    def _do(self, what: str, content: Any) -> None:
        if what == self.fails:
            raise OSError(f"no server for {what}")
        self.received.append((what, content))


@pytest.mark.slow
@pytest.mark.parametrize("step", [6, 17])
def test_all_trackers_together_change_no_bit_and_a_resumed_run_is_tracked_once(
    table: Path, untracked: Path, tmp_path: Path, step: int
) -> None:
    out = tmp_path / "run"
    with pytest.raises(Broken):
        pm.train(table, *QUICK, target="label", out=out, track=list(TRACKERS), observers=[At(step, crash)])
    states = json.loads((out / TRACKING).read_bytes())
    resume(out)
    _end_wandb()
    assert digest(out) == digest(untracked)
    assert without_time(out) == without_time(untracked)
    after = json.loads((out / TRACKING).read_bytes())
    for name in ("mlflow", "wandb"):
        assert after[name]["id"] == states[name]["id"]

    import mlflow

    client = mlflow.MlflowClient()
    (run,) = client.search_runs(["0"])
    assert run.info.status == "FINISHED"
    for name, losses in epochs_of(untracked).items():
        assert [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, f"{name}/loss")] == losses
        assert scalars(out / "tensorboard")[f"{name}/loss"] == [(epoch, pytest.approx(loss)) for epoch, loss in losses]
        assert [(row["epoch"], row[f"{name}/loss"]) for row in wandb_rows(tmp_path) if f"{name}/loss" in row] == losses


def test_wandb_without_a_server_holds_the_settings_the_curves_and_the_figures(table: Path, tmp_path: Path) -> None:
    out, notes = tmp_path / "run", []

    class Notes(Observer):
        def observe(self, event: Event) -> None:
            if isinstance(event, NoteEvent):
                notes.append(event.text)

    model = pm.train(table, *FAST, target="label", out=out, track="wandb", observers=[Notes()])
    _end_wandb()
    rows, curves = wandb_rows(tmp_path), epochs_of(out)
    assert set(curves) == {"fused fold 1", "fused fold 2"}
    for name, losses in curves.items():
        assert [(row["epoch"], row[f"{name}/loss"]) for row in rows if f"{name}/loss" in row] == losses
    records = list(wandb_records(tmp_path))
    (run,) = [record.run for record in records if record.WhichOneof("record_type") == "run"]
    config = {one.key: json.loads(one.value_json) for one in run.config.update}
    assert config["training.epochs"] == 3
    assert config["model.encoders.photo.channels"] == [8, 16]
    assert (run.display_name, run.run_id) == ("run", json.loads((out / TRACKING).read_bytes())["wandb"]["id"])
    summary = {one.key or one.nested_key[0]: one.value_json for record in records for one in record.summary.update}
    assert float(summary["validation/label/accuracy"]) == model.metrics["validation"]["tasks"]["label"]["accuracy"]
    (folder,) = tmp_path.glob("wandb/offline-run-*")
    assert any(text.startswith(f"tracked by wandb without a server: {folder}") for text in notes)
    assert (folder / "files" / "report.html").read_bytes() == (out / "report.html").read_bytes()


@pytest.mark.slow
def test_wandb_with_a_server_that_does_not_answer_writes_to_disk(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from polymodal.tracking import wandb_runs

    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(wandb_runs, "_ANSWER_SECONDS", 2.0)
    out = tmp_path / "run"
    pm.train(table, *FAST, target="label", out=out, track="wandb")
    _end_wandb()
    assert len(list(tmp_path.glob("wandb/offline-run-*"))) == 1
    for name, losses in epochs_of(out).items():
        assert [(row["epoch"], row[f"{name}/loss"]) for row in wandb_rows(tmp_path) if f"{name}/loss" in row] == losses


@pytest.mark.slow
def test_mlflow_stores_parameters_metrics_files_and_a_model_that_answers_as_the_predictor(table: Path, tmp_path: Path) -> None:
    import mlflow
    import pandas

    out = tmp_path / "run"
    model = pm.train(table, *FAST, "training.baselines=true", target="label", out=out, track="mlflow")
    client = mlflow.MlflowClient()
    (run,) = client.search_runs(["0"])
    assert (run.info.status, run.info.run_name) == ("FINISHED", "run")
    settings = flat(yaml.safe_load((out / "run.yaml").read_text(encoding="utf-8")))
    params = dict(run.data.params)
    assert (params.pop("trust"), params.pop("root")) == ("False", ""), "MLflow adds the model_config of the stored model"
    assert {path: json.loads(value) if not isinstance(settings[path], str) else value for path, value in params.items()} == settings
    metrics = json.loads((out / "metrics.json").read_bytes())
    assert run.data.metrics["validation/label/accuracy"] == metrics["validation"]["tasks"]["label"]["accuracy"]
    assert run.data.metrics["only photo/label/log_loss"] == metrics["baselines"]["photo"]["tasks"]["label"]["log_loss"]
    (entry,) = [one for one in metrics["leaderboard"]["label"] if one["kind"] == "model"]
    assert run.data.metrics[f"validation/label/{entry['metric']} standard error"] == entry["error"]
    for name, losses in epochs_of(out).items():
        assert [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, f"{name}/loss")] == losses
    assert sorted(one.path for one in client.list_artifacts(run.info.run_id)) == ["metrics.json", "report.html", "run.yaml"]

    stored = Path(mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/model", dst_path=str(tmp_path / "stored")))
    names = {path.relative_to(stored).as_posix() for path in stored.rglob("*") if path.is_file()}
    assert {"stored_model.py", "artifacts/bundle/bundle.json", "artifacts/bundle/weights.safetensors"} <= names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib", ".pt"))], "nothing is pickled"
    loaded = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    assert [one.name for one in loaded.metadata.signature.inputs.inputs] == ["photo", "标题", "price", "region"]
    frame = pandas.DataFrame(ROWS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        answer = loaded.predict(frame)
        assert list(answer["label"]) == list(model.predict(ROWS))
        assert np.array_equal(answer[[f"label:{name}" for name in model.classes]].to_numpy(), model.predict_proba(ROWS))
        example = loaded.predict(loaded.input_example)
    assert list(answer.columns) == [one.name for one in loaded.metadata.signature.outputs.inputs]
    assert len(example) == 2
    assert set(example["present"]) == {"photo;标题;columns"}, "the example holds the content of files"

    from mlflow.pyfunc.scoring_server import init
    from starlette.testclient import TestClient

    sent = (stored / "serving_input_example.json").read_text(encoding="utf-8")
    got = TestClient(init(loaded)).post("/invocations", content=sent, headers={"content-type": "application/json"})
    assert got.status_code == 200, got.text
    assert [row["label"] for row in got.json()["predictions"]] == list(example["label"])

    (tmp_path / "photos").mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (len(ROWS), 8, 8, 3), np.uint8)
    for at in range(len(ROWS)):
        Image.fromarray(pixels[at]).save(tmp_path / "photos" / f"{at}.png")
    paths = frame.assign(photo=[f"photos/{at}.png" for at in range(len(ROWS))])
    said = f"column 'photo': {len(ROWS)} of {len(ROWS)} cells are paths, and this table has no folder; expected the content of the files"
    with pytest.raises(mlflow.exceptions.MlflowException, match=said) as refused:
        loaded.predict(paths)
    assert "model_config={'root': FOLDER}" in str(refused.value)
    assert refused.value.get_http_status_code() == 400
    sent = json.dumps({"dataframe_split": {"columns": list(paths), "data": [["photos/0.png", "red", 5, "north"]]}})
    got = TestClient(init(loaded)).post("/invocations", content=sent, headers={"content-type": "application/json"})
    assert got.status_code == 400
    assert "1 of 1 cell is a path, and this table has no folder" in got.text
    rooted = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model", model_config={"root": str(tmp_path)})
    rows: Any = ROWS
    pictures = [(tmp_path / "photos" / f"{at}.png").read_bytes() for at in range(len(ROWS))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        expected = model.predict_proba([{**row, "photo": picture} for row, picture in zip(rows, pictures, strict=True)])
        found = rooted.predict(paths)
    assert np.array_equal(found[[f"label:{name}" for name in model.classes]].to_numpy(), expected)
    assert all("photo" in one.split(";") for one in found["present"])


@pytest.mark.slow
def test_mlflow_uses_the_active_run_and_leaves_it_open(table: Path, tmp_path: Path) -> None:
    import mlflow

    with mlflow.start_run(run_name="own") as run:
        model = pm.train(table, *FAST, "data.private=true", target="label", track="mlflow")
        assert model.run is None
        active = mlflow.active_run()
        assert active is not None
        assert active.info.run_id == run.info.run_id
    (only,) = mlflow.MlflowClient().search_runs(["0"])
    assert only.info.run_id == run.info.run_id
    assert only.data.metrics["validation/label/accuracy"] == model.metrics["validation"]["tasks"]["label"]["accuracy"]
    example = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model").input_example
    assert example.isna().all().all(), "the rows are private"


def test_tensorboard_gets_the_curves_and_the_final_figures(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    model = pm.train(table, *FAST, target="label", out=out, track=["tensorboard"])
    curves = scalars(out / "tensorboard")
    for name, losses in epochs_of(out).items():
        assert curves[f"{name}/loss"] == [(epoch, pytest.approx(loss)) for epoch, loss in losses]
    accuracy = model.metrics["validation"]["tasks"]["label"]["accuracy"]
    assert curves["validation/label/accuracy"] == [(0, pytest.approx(accuracy))]


@pytest.mark.parametrize("fails", ["begin", "log", "conclude", "finish"])
def test_an_error_of_a_tracker_is_one_warning(tmp_path: Path, fails: str) -> None:
    received: list[Any] = []
    tracker = Memory(None, received, fails)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for event in (START, EPOCH, dataclasses.replace(EPOCH, epoch=2), EndEvent({"fused": 1.0}, {"tasks": {}}, "")):
            tracker.observe(event)
        tracker.close()
    (warning,) = [str(one.message) for one in caught]
    assert re.fullmatch(
        rf"tensorboard: [\w ,]+ could not be tracked \(no server for {fails}\); training continues, and nothing more is tracked by "
        r"tensorboard",
        warning,
    )
    kept = {"begin": [], "log": ["begin"], "conclude": ["begin", "log", "log"], "finish": ["begin", "log", "log", "conclude"]}
    assert [what for what, _ in received] == kept[fails]


def test_a_training_whose_tracker_fails_ends_with_the_same_bits(table: Path, untracked: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="could not be tracked .no server for log"):
        pm.train(table, *QUICK, target="label", out=tmp_path / "run", observers=[Memory(tmp_path / "run", [], "log")])
    assert digest(tmp_path / "run") == digest(untracked)


@pytest.mark.slow
def test_a_server_that_is_not_there_stops_nothing(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.warns(UserWarning, match="mlflow: the run could not be tracked") as caught:
        model = pm.train(table, *FAST, target="label", out=tmp_path / "run", track="mlflow")
    assert [one for one in caught if "mlflow" in str(one.message)] == [caught[0]]
    assert model.metrics["validation"]["rows"] > 0


def test_a_tracker_without_a_folder_tracks_the_events(table: Path) -> None:
    received: list[Any] = []
    model = pm.train(table, *FAST, target="label", observers=[Memory(None, received)])
    assert received[0] == ("begin", {"training.lr": 0.1})
    assert [content for what, content in received if what == "log"] == [
        (f"fused fold {fold}/loss", epoch) for fold in (1, 2) for epoch in (1, 2, 3)
    ]
    (figures,) = [content for what, content in received if what == "conclude"]
    assert figures["validation/label/accuracy"] == model.metrics["validation"]["tasks"]["label"]["accuracy"]
    assert received[-1] == ("finish", True)


def test_epochs_that_only_the_log_holds_are_tracked_when_the_run_goes_on(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(Broken):
        pm.train(table, *QUICK, target="label", out=out, observers=[At(9, crash)])
    received: list[Any] = []
    resume(out, observers=[Memory(out, received)])
    logged = [content for what, content in received if what == "log" and content[0].startswith("fused fold 1")]
    assert logged == [("fused fold 1/loss", epoch) for epoch in (1, 2, 3)]


def test_a_damaged_state_of_trackers_counts_as_none(tmp_path: Path) -> None:
    for body in (b"", b"{", b"[]", b'{"tensorboard": 3}', b"\xff"):
        (tmp_path / TRACKING).write_bytes(body)
        assert Memory(tmp_path, [])._states() == {}


def test_a_tracker_is_a_setting_that_changes_no_result(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(Broken):
        pm.train(table, *QUICK, target="label", out=out, observers=[At(3, crash)])
    resume(out, "training.track=[tensorboard]")
    assert (out / "tensorboard").is_dir()
    with pytest.raises(ConfigError, match=r"training\.track.*comet"):
        pm.train(table, *FAST, target="label", track="comet")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"track: tensorboard writes to the folder of the run.*give out=RUN"):
        pm.train(table, *FAST, target="label", track="tensorboard")


def test_a_missing_package_is_reported_before_training(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    for call in (pm.train, pm.check):
        with pytest.raises(pm.MissingDependency, match=r"package 'wandb'.*pip install 'polymodal\[wandb\]'"):
            call(table, *FAST, target="label", track="wandb", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fused, fold 1", "fused fold 1"),
        ("价格(元)", "价格_元_"),
        ("a/b", "a_b"),
        ("..", "__"),
        ("", "_"),
        ("x" * 3, "xxx"),
        ("a\nb", "a_b"),
    ],
)
def test_names_of_figures_are_those_that_trackers_allow(name: str, expected: str) -> None:
    assert part(name) == expected


def test_figures_of_a_run() -> None:
    board = [{"kind": "model", "name": "all fields", "metric": "r2", "error": 0.1}, {"kind": "vote", "name": "v", "metric": "r2", "error": 1},
             {"kind": "single field", "name": "only a", "metric": "r2", "error": 0.2}]  # fmt: skip
    metrics = {"validation": {"rows": 3, "tasks": {"y": {"r2": 0.5, "mae": None}}}, "test": {"tasks": {"y": {"r2": 0.4}}},
               "baselines": {"a": {"tasks": {"y": {"r2": 0.3}}}}, "leaderboard": {"y": board}, "seconds": {"fused": 2.0}}  # fmt: skip
    assert figures_of_run(metrics) == {
        "validation/y/r2": 0.5, "test/y/r2": 0.4, "only a/y/r2": 0.3, "validation/y/r2 standard error": 0.1,
        "only a/y/r2 standard error": 0.2, "seconds/fused": 2.0,
    }  # fmt: skip


def test_settings_by_path() -> None:
    assert flat({"a": {"b.c": 1, "d": {}}, "e": [1, {"f": 2}]}) == {'a."b.c"': 1, "e": [1, {"f": 2}]}


def test_an_interrupted_run_is_not_concluded(tmp_path: Path) -> None:
    received: list[Any] = []
    (tmp_path / "checkpoints").mkdir()
    from polymodal.journal import JOURNAL_FILE, Journal

    Journal(tmp_path / JOURNAL_FILE).save()
    tracker = Memory(tmp_path, received)
    for event in (EPOCH, EPOCH, dataclasses.replace(EPOCH, epoch=2), EndEvent({"fused": 1.0}, {"tasks": {}}, "")):
        tracker.observe(event)
    tracker.close()
    assert received == [("log", ("fused/loss", 1)), ("log", ("fused/loss", 2)), ("finish", False)]
