"""Tests of ``check``: the faults by row and the estimates before training, and no files left behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import polymodal as pm
from builders.tables import FAST, shop, write_csv
from polymodal.cli.main import main
from polymodal.storage import Lock
from polymodal.training.events import Event, StepEvent
from polymodal.training.observers import Observer


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return shop(tmp_path / "data", 60)


def changed(table: Path, changes: dict[int, dict[int, str]]) -> Path:
    """Cells changed, by row (1 = first) and position."""
    lines = [line.split(",") for line in table.read_text(encoding="utf-8").splitlines()]
    for row, cells in changes.items():
        for at, cell in cells.items():
            lines[row][at] = cell
    return write_csv(table.with_name("changed.csv"), lines[0], lines[1:])


def flat(result: Result) -> str:
    """Return what a command prints as one line."""
    return " ".join(result.output.split())


def run(*words: Any) -> Result:
    return CliRunner().invoke(main, ["check", *(str(word) for word in words)])


def test_a_good_table_and_what_it_takes(table: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    found = pm.check(table, *FAST, target="label")
    assert found.ok
    assert not found.faults
    assert found.facts["rows"] == "30 to train on, 30 to validate on"
    assert found.facts["models"].startswith("2 of all fields; up to 3 epochs of 1 step")
    assert found.facts["precision"].startswith("float32: on a CPU") or "bfloat16" in found.facts["precision"]
    assert found.seconds is not None
    assert 0 < found.seconds < 600
    assert found.memory_mb is not None
    assert 50 < found.memory_mb < 5_000
    assert sorted(tmp_path.rglob("*")) == before, "nothing is left behind"


def test_bad_cells_are_told_by_row_with_what_comes_of_them(table: Path) -> None:
    bad = changed(table, {3: {0: "photos/none.png"}, 7: {2: "cheap"}})
    for policy, comes in (("blank", "the cell counts as missing"), ("skip", "the row is left out")):
        found = pm.check(bad, *FAST, target="label", on_error=policy)  # type: ignore[arg-type]
        assert found.ok
        none = "no such file 'photos/none.png' under the table's folder (--root adds folders)"
        assert found.faults == [(3, "photo", f"{none} ({comes})"), (7, "price", f"found 'cheap'; expected a finite number ({comes})")]
        assert len(pm.train(bad, *FAST, "training.epochs=1", target="label", on_error=policy).predict(bad)) == 60  # type: ignore[arg-type]
    stopped = run(bad, *FAST, "--target", "label", "--on-error", "error")
    assert stopped.exit_code == 2
    assert f"row 3, column 'photo': {none}; set data.on_error: blank" in flat(stopped)
    assert "Traceback" not in flat(stopped)


@pytest.mark.parametrize(
    ("changes", "words", "said"),
    [
        ({at: {0: "none.png"} for at in range(1, 9)}, [], "column 'photo': 8 of 60 cells cannot be read; expected at most 5%"),
        ({at: {4: "red"} for at in range(1, 61)}, [], "only one class"),
        ({}, ["--valid", "OTHER"], "no column '标题'"),
        ({}, ["-o", "/proc/run"], "/proc/run: cannot be"),
    ],
)
def test_what_would_stop_a_run_is_what_stops_it(table: Path, changes: dict[int, dict[int, str]], words: list[str], said: str) -> None:
    bad = changed(table, changes) if changes else table
    other = write_csv(table.with_name("other.csv"), ["photo", "label"], [["photos/0_0001.png", "red"]])
    words = [str(other) if word == "OTHER" else word for word in words]
    found = run(bad, *FAST, "--target", "label", *words)
    assert found.exit_code == 2, found.output
    assert said in flat(found)
    trained = CliRunner().invoke(
        main, ["train", str(bad), *FAST, "--target", "label", *(words if "-o" in words else [*words, "-o", str(bad.parent / "run")])]
    )
    assert trained.exit_code == 2
    assert said.split(";")[0].split(":")[-1].strip() in flat(trained)


def test_mistakes_are_told_as_train_tells_them(table: Path) -> None:
    for words, said in (
        (["--target", "labl"], "did you mean 'label'?"),
        (["--target", "label", "training.epoch=3"], "did you mean 'training.epochs'?"),
    ):
        found = run(table, *words)
        assert found.exit_code == 2
        assert said in flat(found)


def test_a_file_and_a_large_table_of_which_some_rows_are_read(table: Path, tmp_path: Path) -> None:
    rows = [line.split(",") for line in table.read_text(encoding="utf-8").splitlines()]
    large = write_csv(table.with_name("large.csv"), rows[0], [rows[1 + at % 60] for at in range(4_000)])
    text = pm.check(large, *FAST, target="label").text()
    assert "of 60 cells" not in text
    assert "1 of all fields" in text
    assert "to train on" in text
    assert pm.check(large, *FAST, "training.time_limit=1s", target="label").seconds == 1
    assert run(large, *FAST, "-o", tmp_path / "run", "--target", "label").exit_code == 0
    CliRunner().invoke(main, ["init", str(table), "--target", "label", "-o", str(tmp_path / "data" / "run.yaml")])
    found = run(tmp_path / "data" / "run.yaml", *FAST)
    assert found.exit_code == 0, found.output


class Break(Observer):
    def __init__(self, step: int) -> None:
        self.left = step

    def observe(self, event: Event) -> None:
        self.left -= isinstance(event, StepEvent)
        if self.left == 0:
            raise KeyError("broken off")


def test_a_run_is_looked_at_as_resume_would(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(KeyError):
        pm.train(table, *FAST, "training.checkpoint_steps=1", target="label", out=out, observers=[Break(5)])
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    found = run(out)
    assert found.exit_code == 0, found.output
    assert "trained completely: fold_0" in flat(found)
    assert "in training: fold_1, epoch 1, after step 1" in flat(found)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    with Lock(out):
        held = run(out)
    assert held.exit_code == 2
    assert f"another process ({os.getpid()} on " in flat(held)
    (out / "checkpoints" / "last.safetensors").write_bytes(b"x")
    assert ": ignored, " in flat(run(out))
    assert "training.lr: was 0.001, is 0.1" in flat(run(out, "training.lr=0.1"))
    table.rename(table.with_name("moved.csv"))
    gone = run(out)
    assert gone.exit_code == 2
    assert "no such file" in flat(gone)
    table.with_name("moved.csv").rename(table)
    pm.resume(out)
    ended = run(out)
    assert ended.exit_code == 0
    assert "training has ended" in flat(ended)
    assert "bundle: whole, 2 models" in flat(ended)
    with pytest.raises(pm.UserError, match=r"contains no run\.yaml"):
        pm.check(tmp_path)


def test_clusters_of_bad_cells_are_counted_over_the_whole_table(tmp_path: Path) -> None:
    rows = [[f"word {at} here", f"bad {at}" if at >= 3_900 else at, "ab"[at % 2]] for at in range(4_000)]
    table = write_csv(tmp_path / "tail.csv", ["text", "x", "label"], rows)
    found = pm.check(table, target="label", columns={"x": "number"})
    assert found.ok, found.stops
    assert found.counts == {"x": 100}


@pytest.mark.parametrize("what", ["init", "weight", "weights", "valid weight", "valid label", "valid photos", "out", "file"])
def test_what_check_does_not_stop_train_does_not_stop(table: Path, tmp_path: Path, what: str) -> None:
    valid = shop(tmp_path / "valid", 40, seed=2)
    options: dict[str, Any] = {"out": tmp_path / "run"}
    overrides: list[str] = []
    if what == "init":
        overrides = ["training.init=nowhere"]
    elif what.startswith("weight"):
        lines = table.read_text(encoding="utf-8").splitlines()
        table = table.with_name("weighed.csv")
        extra = [("-1" if at == 3 else "1") if what == "weight" else "0" for at in range(len(lines) - 1)]
        table.write_text(
            "\n".join([lines[0] + ",w", *(f"{line},{w}" for line, w in zip(lines[1:], extra, strict=True))]) + "\n", encoding="utf-8"
        )
        overrides = ["data.weight=w"]
    elif what.startswith("valid"):
        options["valid"] = valid
        if what == "valid weight":
            overrides = ["data.weight=price"]
            valid.write_text(valid.read_text(encoding="utf-8").replace("price", "cost"), encoding="utf-8")
        elif what == "valid label":
            valid = changed(valid, {at: {4: ""} for at in range(1, 41)})
            options["valid"] = valid
        else:
            options["valid"] = changed(valid, {at: {0: "none.png"} for at in range(1, 31)})
    elif what == "out":
        (tmp_path / "run").mkdir()
    else:
        (tmp_path / "run").touch()
        options["out"] = tmp_path / "run" / "below"
    with pytest.raises(pm.UserError) as refused:
        pm.train(table, *FAST, *overrides, target="label", **options)
    said = ""
    try:
        found = pm.check(table, *FAST, *overrides, target="label", **options)
    except pm.UserError as error:
        said = str(error)
    assert said == str(refused.value) if said else not found.ok
    assert said or "too few rows" not in found.text()


def test_flags_beside_a_run_are_refused(shop_run: Path) -> None:
    for words in (["--seed", "7"], ["--target", "label"], ["--valid", "gone.csv"]):
        found = run(shop_run, *words)
        assert found.exit_code == 2
        assert "beside a run" in flat(found)


def test_no_room_for_a_trial_is_said(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from polymodal.data.store import Store

    def full(self: Store, *_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Store, "fill", full)
    found = pm.check(table, *FAST, target="label")
    assert found.ok
    assert "no model was tried" in found.text()
