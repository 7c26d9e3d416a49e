"""A search: what it returns and writes, how it goes on after a kill, what is pruned, and what fails."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

import polymodal as pm
from builders.interruptions import At, Broken, crash, digest, interrupt
from builders.tables import shop
from polymodal.cli.main import main
from polymodal.errors import UserError
from polymodal.runs import Interrupted
from polymodal.training.events import Event, TrialEvent
from polymodal.training.observers import Observer
from polymodal.tuning import TuneResult
from polymodal.tuning.space import space_of
from polymodal.tuning.study import Study
from polymodal.tuning.trials import Trial

SMALL = ("training.preset=fast", "model.width=8", "data.split.test=0.2", "training.checkpoint_steps=2")
OVER = ("training.lr=log:1e-4..1e-1", "model.fusion.kind=concat,gated", "training.epochs=int:3..5")
SETTINGS: dict[str, Any] = {"target": "label", "ignore": ["photo", "price"], "over": OVER}
TRIALS = 6


class Trials(Observer):
    """Keeps the events of trials."""

    def __init__(self) -> None:
        self.events: list[TrialEvent] = []

    def observe(self, event: Event) -> None:
        if isinstance(event, TrialEvent):
            self.events.append(event)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop(tmp_path_factory.mktemp("tuned"))


@pytest.fixture(scope="module")
def whole(table: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], Trials]:
    """A search that nothing interrupted: its folder, its results and its events."""
    out, trials = tmp_path_factory.mktemp("whole") / "search", Trials()
    result = pm.tune(table, *SMALL, **SETTINGS, trials=TRIALS, out=out, observers=[trials])
    return out, result, trials


def without_time(result: dict[str, Any]) -> dict[str, Any]:
    """The results without seconds and places."""
    trials = [{key: value for key, value in one.items() if key != "seconds"} for one in result["trials"]]
    best = {key: value for key, value in result["best"].items() if key not in ("seconds", "run")}
    return {**result, "trials": trials, "best": best, "seconds": None}


def test_a_search_returns_its_trials_and_writes_the_best_configuration(table: Path, whole: tuple[Path, dict[str, Any], Trials]) -> None:
    out, result, trials = whole
    assert [one["number"] for one in result["trials"]] == list(range(TRIALS))
    best = result["best"]
    complete = [one for one in result["trials"] if one["state"] == "complete"]
    assert best["goodness"] == max(one["goodness"] for one in complete)
    assert json.loads((out / "tune.json").read_bytes()) == result
    assert [event.number for event in trials.events] == list(range(TRIALS))
    assert [event.number for event in trials.events if event.best][-1] == best["number"]
    for one in result["trials"]:
        assert 1e-4 <= one["settings"]["training.lr"] <= 1e-1
        assert one["settings"]["training.epochs"] in (3, 4, 5)
    run = Path(best["run"])
    assert [path.parent.name for path in out.glob("trials/*/bundle")] == [run.name], "only the best model is kept"
    metrics = json.loads((run / "metrics.json").read_bytes())
    assert metrics["validation"]["tasks"]["label"]["accuracy"] == best["scores"]["label"]
    assert "test" not in metrics, "trials do not look at the test rows"
    assert result["test"]["rows"] == 24
    assert "optimistic" in result["statement"]
    assert f"accuracy {result['test']['tasks']['label']['accuracy']:.4f}" in result["statement"]

    experiment = pm.Experiment.read(out / "best.yaml")
    assert experiment.training.lr == best["settings"]["training.lr"]
    assert experiment.model.fusion.kind == best["settings"]["model.fusion.kind"]
    assert experiment.training.baselines
    assert experiment.training.time_limit is None
    again = pm.train(out / "best.yaml", "training.baselines=false", out=out.parent / "again")
    assert digest(out.parent / "again") == digest(run)
    assert again.metrics["test"] == result["test"], "the test figure is that of train"


@pytest.mark.parametrize(("step", "act"), [(2, crash), (9, crash), (15, interrupt)])
def test_a_search_broken_off_anywhere_ends_with_the_same_results(
    table: Path, whole: tuple[Path, dict[str, Any], Trials], tmp_path: Path, step: int, act: Callable[[], None]
) -> None:
    out = tmp_path / "search"
    for at in (step, 3):  # broken off twice
        with pytest.raises((Broken, Interrupted)):
            pm.tune(table, *SMALL, **SETTINGS, trials=TRIALS, out=out, observers=[At(at, act)])
    result = pm.tune(table, *SMALL, **SETTINGS, trials=TRIALS, out=out)
    assert without_time(result) == without_time(whole[1])
    assert digest(Path(result["best"]["run"])) == digest(Path(whole[1]["best"]["run"]))
    assert json.loads((out / "tune.json").read_bytes()) == result


@pytest.mark.slow
def test_a_search_that_was_killed_goes_on_with_the_same_command(
    table: Path, whole: tuple[Path, dict[str, Any], Trials], tmp_path: Path
) -> None:
    out = tmp_path / "search"
    words = [sys.executable, "-m", "polymodal", "tune", str(table), *SMALL, "--target", "label", "--ignore", "photo", "--ignore", "price",
             "--trials", str(TRIALS), "-o", str(out), "--quiet", *(word for one in OVER for word in ("--over", one))]  # fmt: skip
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and (not (out / "trials.jsonl").exists() or (out / "trials.jsonl").read_bytes().count(b"\n") < 3):
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -9
    assert not (out / "tune.json").exists()
    again = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True).stdout
    assert "is the best of 6 trials" in again
    assert without_time(json.loads((out / "tune.json").read_bytes())) == without_time(whole[1])


def test_a_line_that_a_kill_cut_off_is_dropped_and_more_trials_go_on(
    table: Path, whole: tuple[Path, dict[str, Any], Trials], tmp_path: Path
) -> None:
    out = tmp_path / "search"
    pm.tune(table, *SMALL, **SETTINGS, trials=3, out=out)
    journal = out / "trials.jsonl"
    journal.write_bytes(journal.read_bytes()[:-40])
    trials = Trials()
    result = pm.tune(table, *SMALL, **SETTINGS, trials=TRIALS, out=out, observers=[trials])
    assert without_time(result) == without_time(whole[1])
    assert len(trials.events) == TRIALS, "trials of an earlier process are reported as well"


def test_a_trial_is_pruned_from_epoch_3_on_once_4_trials_are_complete() -> None:
    study = Study(space_of(["training.lr=log:1e-4..1e-1"]), 0, None)
    curves = [
        [0.9, 0.5, 0.4, 0.3],
        [0.8, 0.6, 0.5, 0.4],
        [0.7, 0.6, 0.3, 0.2],
        [0.9, 0.9, 0.6, 0.5],
        [1.0, 1.0, 0.7, 0.1],
        [1.0, 1.0, 0.4, 0.3],
    ]
    pruned = []
    for number, curve in enumerate(curves):
        asked = study.ask(number)
        at = next((epoch for epoch, monitor in enumerate(curve, 1) if study.is_pruned(asked, epoch, monitor)), None)
        kept = dict(enumerate(curve[:at], 1))
        state = "complete" if at is None else "pruned"
        study.tell(Trial(number, {}, asked.params, state, goodness=1 - curve[-1], curve=kept), asked)
        pruned.append(at)
    assert pruned == [None, None, None, None, 3, None]


def test_trials_that_are_worse_than_the_median_are_pruned(table: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "target": "label", "ignore": "photo", "trials": 16, "over": {"training.lr": [0.03, 0.025, 0.02, 0.015, 0.01, 1e-7, 2e-7, 3e-7]},
    }  # fmt: skip
    fixed = (*SMALL, "training.epochs=5", "training.patience=5")
    result = pm.tune(table, *fixed, **settings, out=tmp_path / "a")
    pruned = [one for one in result["trials"] if one["state"] == "pruned" and one["repeats"] is None]
    assert pruned
    for one in pruned:
        assert one["reason"] == f"after epoch {one['epochs']}: worse than the median of the other trials"
        assert 3 <= one["epochs"] < 5
        assert one["scores"] == {}
        assert not (tmp_path / "a" / "trials" / f"{one['number']:04d}" / "metrics.json").exists()
    assert sum(one["state"] == "complete" for one in result["trials"][: pruned[0]["number"]]) >= 4
    for one in result["trials"]:
        if one["repeats"] is not None:
            first = result["trials"][one["repeats"]]
            assert (one["seconds"], one["scores"], one["settings"]) == (0.0, first["scores"], first["settings"])
    whole = pm.tune(table, *fixed, **{**settings, "trials": 6}, prune=False, out=tmp_path / "b")
    assert {one["state"] for one in whole["trials"]} == {"complete"}


def test_a_search_ends_once_all_combinations_were_tried(table: Path) -> None:
    result = pm.tune(table, *SMALL, target="label", ignore="photo", over={"training.epochs": [1, 2]}, trials=40)
    assert result["stopped"] == "all 2 combinations were tried"
    assert "(all 2 combinations were tried)" in result["statement"]
    assert len(result["trials"]) < 40


def test_a_trial_that_cannot_be_trained_is_recorded_and_does_not_end_the_search(table: Path, tmp_path: Path) -> None:
    over = {"model.fusion.kind": ["gated", "lowrank"], "model.fusion.rank": [2, 3]}
    result = pm.tune(table, *SMALL, "training.epochs=1", target="label", ignore="photo", over=over, trials=8, out=tmp_path / "a")
    failed = [one for one in result["trials"] if one["state"] == "failed"]
    assert failed
    assert all(one["settings"]["model.fusion.kind"] == "gated" and "model.fusion.rank" in one["reason"] for one in failed)
    assert result["best"]["settings"]["model.fusion.kind"] == "lowrank"
    with pytest.raises(UserError, match=r"tune: all trials failed \(1\); the first: nothing/[ab]: no such folder"):
        pm.tune(table, *SMALL, target="label", ignore="photo", over={"training.init": ["nothing/a", "nothing/b"]}, trials=1)


def test_a_search_that_differs_does_not_go_on(table: Path, whole: tuple[Path, dict[str, Any], Trials], tmp_path: Path) -> None:
    out = tmp_path / "search"
    shutil.copytree(whole[0], out)
    other = {**SETTINGS, "over": ("training.lr=log:1e-4..1e-2", *OVER[1:])}
    with pytest.raises(UserError, match="not as it was when the search began"):
        pm.tune(table, *SMALL, **other, out=out)
    with pytest.raises(UserError, match=r"training\.clip: was 1\.0, is 2\.0"):
        pm.tune(table, *SMALL, "training.clip=2", **SETTINGS, out=out)
    with pytest.raises(UserError, match="table: other data than before"):
        pm.tune(shop(tmp_path / "other", seed=1), *SMALL, **SETTINGS, out=out)
    (out / "trials.jsonl").write_text('{"about": 3}\n[]\n')
    with pytest.raises(UserError, match=r"trials.jsonl: cannot be read .*expected the results of a search"):
        pm.tune(table, *SMALL, **SETTINGS, out=out)
    (tmp_path / "full").mkdir()
    with pytest.raises(UserError, match="already there; expected no such folder"):
        pm.tune(table, *SMALL, **SETTINGS, out=tmp_path / "full")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trials": 0}, r"trials: 0; expected 1 or more$"),
        ({"over": ["model.fusion.kind=concat,nothing"]}, 'over: model.fusion.kind="nothing"'),
        ({"track": "tensorboard"}, "track: the trials are written to the folder of the search.*give out=FOLDER"),
    ],
)
def test_arguments_are_checked_before_anything_is_trained(table: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        pm.tune(table, *SMALL, **{**SETTINGS, **arguments})
    with pytest.raises(UserError, match=r"over: training\.lr is set as well, by training\.lr=3"):
        pm.tune(table, "training.lr=3", **SETTINGS)


def test_the_time_limit_ends_the_search_and_a_longer_one_goes_on(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "search"
    with pytest.raises(
        UserError, match=r"no trial ended within the time limit of 1 s; set a longer time_limit, with which the same call goes on"
    ):
        pm.tune(table, *SMALL, **SETTINGS, trials=2, out=out, time_limit=1, start=time.monotonic() - 0.95)
    assert (out / "trials.jsonl").exists()
    result = pm.tune(table, *SMALL, **SETTINGS, trials=2, out=out, time_limit=600)
    assert [one["state"] for one in result["trials"]] == ["complete", "complete"]
    assert (result["stopped"], result["time_limit"]) == ("", 600.0)


def test_a_trial_that_ended_before_its_line_was_written_is_not_trained_again(tmp_path: Path) -> None:
    rows, out = [{"a": at % 7, "y": at % 7 > 3} for at in range(90)], tmp_path / "search"
    settings: dict[str, Any] = {"target": "y", "over": {"training.epochs": [1, 2]}, "trials": 1, "out": out}
    first = pm.tune(rows, "training.preset=fast", "model.width=8", **settings)
    journal = out / "trials.jsonl"
    journal.write_bytes(journal.read_bytes().split(b"\n")[0] + b"\n")
    written = (out / "trials" / "0000" / "log.jsonl").read_bytes()
    assert without_time(pm.tune(rows, "training.preset=fast", "model.width=8", **settings)) == without_time(first)
    assert (out / "trials" / "0000" / "log.jsonl").read_bytes() == written


def test_a_table_in_memory_and_no_folder() -> None:
    rows = [{"a": at % 7, "y": at % 7 > 3} for at in range(90)]
    result = pm.tune(rows, "training.preset=fast", "model.width=8", target="y", over={"training.epochs": [1, 2]}, trials=2)
    assert result["best"]["run"] is None
    assert result["test"] is None
    assert "keep test rows: --test TABLE, or data.split.test=0.2" in result["statement"]


def test_a_result_prints_as_a_summary_and_has_its_keys_as_attributes(whole: tuple[Path, dict[str, Any], Trials]) -> None:
    result: Any = whole[1]
    assert isinstance(result, TuneResult)
    assert (result.best, result.test, result.statement, result.seed) == tuple(result[key] for key in ("best", "test", "statement", "seed"))
    assert {"best", "trials", "space", "stopped", "items"} <= set(dir(result))
    with pytest.raises(AttributeError, match="no attribute 'bst'; it has table, rows, space, trials"):
        _ = result.bst
    lines = str(result).splitlines()
    assert all(cell_len(line) <= 80 for line in lines)
    complete = sorted(
        (one for one in result["trials"] if one["state"] == "complete" and one["repeats"] is None), key=lambda one: -one["goodness"]
    )
    assert lines[0] == f"{result['table']}: the best {min(len(complete), 5)} of {TRIALS} trials, each with its metric on validation rows"
    shown = next(line for line in lines if line.startswith(f"{result.best['number']} "))
    assert f"{result.best['scores']['label']:.4f} ± {result.best['errors']['label']:.4f}" in shown
    assert f"best: trial {result.best['number']}: training.lr=" in str(result)
    assert result.statement.replace(" ", "") in str(result).replace("\n", "").replace(" ", "")
    assert result.trials == result["trials"]
    assert [len(one) for one in (result.trials, result["trials"])] == [TRIALS] * 2
    assert "state" in str(result.trials)
    html = result._repr_html_()
    assert html.count("<table>") == 2
    assert "<script" not in html
    same = pickle.loads(pickle.dumps(result))
    assert (type(same), same) == (TuneResult, result)
    assert json.loads(json.dumps(result)) == result


def test_a_result_shows_hostile_names_as_text_and_many_settings_within_80_columns() -> None:
    trial: dict[str, Any] = {
        "number": 0, "state": "complete", "goodness": 0.5, "scores": {"<b>": 0.5, "价格": 0.25}, "errors": {}, "repeats": None, "reason": "",
        "settings": {f"fields.<i>{at}.size": at / 3 for at in range(6)}, "epochs": 1, "seconds": 1.0,
    }  # fmt: skip
    result = TuneResult({
        "table": "<script>.csv\x1b[31m", "space": [{"path": path} for path in trial["settings"]], "trials": [trial], "test": None,
        "best": {**trial, "metrics": {"<b>": "accuracy", "价格": "r2"}, "run": None}, "statement": "one",
    })  # fmt: skip
    assert all(cell_len(line) <= 80 and line.isprintable() for line in repr(result).splitlines())
    assert "<script>" not in result._repr_html_()
    assert "<b>" not in result._repr_html_()
    assert "0.3333" in repr(result)
    assert "价格" in repr(result)


def test_a_test_table_is_measured_once(table: Path, tmp_path: Path) -> None:
    test = shop(tmp_path / "test", rows=30, seed=5)
    settings = {**SETTINGS, "test": test}
    result = pm.tune(table, "training.preset=fast", "model.width=8", **settings, trials=2, out=tmp_path / "search")
    model = pm.load(result["best"]["run"])
    assert result["test"]["tasks"]["label"] == model.evaluate(test)["tasks"]["label"]
    assert "test" not in model.metrics


def test_a_trial_survives_its_journal() -> None:
    trial = Trial(3, {"a": 1}, {"a": "1"}, "pruned", curve={1: float("inf"), 2: 0.5}, reason="after epoch 2", seconds=1.5)
    written = json.loads(json.dumps({**trial.facts(), "curve": {"1": None, "2": 0.5}}))
    assert Trial.of(written) == trial


def test_the_command(table: Path, tmp_path: Path) -> None:
    words = ["tune", str(table), "--target", "label", "--ignore", "photo", "--ignore", "price", "--preset", "fast", "model.width=8",
             "--over", "training.lr=log:1e-4..1e-1", "--over", "model.fusion.kind=concat,gated", "training.epochs=2", "--trials", "2",
             "-o", str(tmp_path / "搜索")]  # fmt: skip
    first = CliRunner().invoke(main, words)
    assert first.exit_code == 0, first.output
    lines = first.stdout.splitlines()[1:]
    assert lines[0] == "the best 2 of 2 trials, each with its metric on validation rows and its settings"
    assert sorted(" ".join(lines[1:3]).split()) == ["accuracy", "fusion.kind", "model.", "training.lr", "trial"]
    assert re.fullmatch(r"  [01] +0\.\d{4} ± 0\.\d{4} +0\.\d+ +(concat|gated)", lines[3])
    said = " ".join(first.stdout.split())
    assert "is the best of 2 trials; its validation figure is optimistic" in said
    assert f"polymodal train {tmp_path}/搜索/best.yaml" in first.stdout.replace("'", "")
    assert "次试验是 2 次试验中最好的；它的验证指标偏乐观" in CliRunner().invoke(main, ["--lang", "zh", *words, "-q"]).stdout
    progress = " ".join(first.stderr.split())
    assert "trials, each with its metric on validation rows and its settings: 1/2 trial 0 accuracy 0." in progress
    assert " s best so far " in progress
    again = CliRunner().invoke(main, [*words, "--json", "--quiet"])
    assert json.loads(again.stdout)["trials"] == json.loads((tmp_path / "搜索" / "tune.json").read_bytes())["trials"]
    for wrong, message in (
        (["--over", "training.lr=1e-4"], "over: training.lr: 1 value"),
        ([], "Missing option '--over'"),
        (["--over", "training.lr=1,2", "--trials", "0"], "0 is not in the range x>=1"),
    ):
        got = CliRunner().invoke(main, ["tune", str(table), "--target", "label", *wrong, "-o", str(tmp_path / "b")])
        assert got.exit_code == 2
        assert message in got.output
        assert not (tmp_path / "b").exists()


def test_a_search_is_announced_before_its_first_trial_and_a_warning_is_shown_once(table: Path, tmp_path: Path) -> None:
    shop_in_gbk = tmp_path / "商店.csv"
    shop_in_gbk.write_bytes(table.read_text(encoding="utf-8").replace("label", "类别").encode("gbk"))
    out = tmp_path / "search"
    settings = ("--target", "类别", "--ignore", "photo", "--over", "training.lr=log:1e-3..1e-2", "--trials", "2", "--preset", "fast")
    done = CliRunner().invoke(main, ["tune", str(shop_in_gbk), *settings, "training.epochs=1", "-o", str(out)])
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    assert text.index("2 trials with other values of training.lr, each a run on 120 rows") < text.index("trial 0")
    assert text.count("warning: ") == 1, text


def test_a_search_sends_its_trials_to_the_logger(table: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="polymodal"):
        result = pm.tune(table, *SMALL, target="label", ignore=["photo"], over="training.epochs=1,2", trials=2)
    value = next(iter(result["trials"][1]["scores"].values()))
    assert "2 trials with other values of training.epochs, each a run on 120 rows" in caplog.messages
    assert f"2/2  trial 1: accuracy {value:.4f}" in caplog.messages
