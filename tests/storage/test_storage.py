"""Tests of output folders and files: made, replaced, restored or refused; and of the journal of a comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import polymodal as pm
from polymodal.cli.main import main
from polymodal.errors import on_command_line
from polymodal.journal import LineJournal
from polymodal.storage import Lock, OutputFolder, check_file, check_files, free_folder, unwritable
from polymodal.storage.folders import REPLACED


def output(path: Path, **settings: Any) -> OutputFolder:
    return OutputFolder(path, "a run", "-o RUN", marker="log", begun="inner/journal", folders=("inner",), **settings)


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != Lock.NAME)
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def old(folder: Path) -> Path:
    (folder / "inner").mkdir(parents=True)
    for name in ("log", "inner/journal", "mine"):
        (folder / name).write_text(f"old {name}")
    return folder


def attempt(place: OutputFolder, error: Exception, name: str = "", overwrite: bool = False, others: bool = True) -> None:
    """Claim the folder, write one file, and end with an error."""
    with place.claim(overwrite) as folder:
        assert not (folder / "log").exists()
        assert (folder / "mine").exists() == others
        if name:
            (folder / name).write_text("new")
        raise error


# -- folders -------------------------------------------------------------------------------------------------------------


def test_a_new_folder_is_made_and_a_mistake_leaves_nothing(tmp_path: Path) -> None:
    with output(tmp_path / "a" / "b").claim(False) as folder:
        assert (folder / "inner").is_dir()
    with pytest.raises(pm.UserError, match="wrong"):
        attempt(output(tmp_path / "c"), pm.UserError("wrong"), "log", others=False)
    assert not (tmp_path / "c").exists()
    with pytest.raises(pm.UserError, match="late"):
        attempt(output(tmp_path / "d"), pm.UserError("late"), "inner/journal", others=False)
    assert (tmp_path / "d" / "inner" / "journal").exists(), "what can be resumed is kept"


def test_what_is_refused_says_what_was_found_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    run = old(tmp_path / "run")
    for path, overwrite, settings, message in (
        (
            run,
            False,
            {},
            r"already there; expected no such folder; choose another one \(out=\.\.\.\), or replace it: overwrite=True, or .*polymodal\.resume\('.*run'\)$",
        ),
        (tmp_path / "full", False, {}, r"already there; expected no such folder; .*overwrite=True$"),
        (tmp_path / "full", True, {}, r"not a run, so it is not replaced; expected a folder that contains log; choose another one"),
        (tmp_path / "file", True, {}, "not a run, so it is not replaced"),
        (run, True, {"inputs": [str(run / "t.csv")]}, r"contains .*t\.csv, so it is not replaced; expected no input inside it"),
        (
            tmp_path / "file" / "x",
            False,
            {},
            r"cannot be written \(.*\); expected a place that can be; choose another folder \(out=\.\.\.\)",
        ),
        (tmp_path / ("x" * 300), False, {}, "cannot be written"),
    ):
        with pytest.raises(pm.UserError, match=message), output(path, **settings).claim(overwrite):  # type: ignore[arg-type]
            pass
    assert contents(run) == {name: f"old {name}" for name in ("log", "inner/journal", "mine")}
    with Lock(run), pytest.raises(pm.UserError, match=r"another process .*expected one process at a time"), output(run).claim(True):
        pass


@pytest.mark.parametrize("entries", [None, ("log", "inner")])
def test_a_replaced_output_is_restored_after_a_mistake(tmp_path: Path, entries: tuple[str, ...] | None) -> None:
    run = old(tmp_path / "run")
    before = contents(run)
    place = output(run, entries=entries)
    others = entries is not None  # what does not belong to the output is left alone
    with pytest.raises(pm.UserError, match="wrong"):
        attempt(place, pm.UserError("wrong"), "log", True, others)
    assert contents(run) == before
    assert not (run / REPLACED).exists()
    with pytest.raises(KeyError):  # killed before it began
        attempt(place, KeyError(), "log", True, others)
    assert contents(run / REPLACED).items() <= before.items()
    with pytest.raises(pm.UserError, match="wrong"):
        attempt(place, pm.UserError("wrong"), "", True, others)
    assert contents(run) == before, "that of two attempts before is the one that is kept"


# -- files ---------------------------------------------------------------------------------------------------------------


def test_a_message_states_how_its_caller_writes_an_option(tmp_path: Path) -> None:
    run = old(tmp_path / "run")
    refusals = [output(run).refusal(False)]
    with on_command_line():
        refusals.append(output(run).refusal(False))
    refusals.append(output(run).refusal(False))
    beginning = f"{run}: already there; expected no such folder; choose another one "
    python = f"{beginning}(out=...), or replace it: overwrite=True, or resume it: polymodal.resume({str(run)!r})"
    command = f"{beginning}(-o RUN), or replace it: --overwrite, or resume it: --resume {run}"
    assert refusals == [python, command, python]


def test_files_and_free_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    check_file(tmp_path / "a.csv", True, (".csv",))
    with pytest.raises(
        pm.UserError, match=r"a\.csv: already there; expected no such file; choose another one \(out=\.\.\.\), or replace it"
    ):
        check_file(tmp_path / "a.csv", False, option="-o FILE")
    with pytest.raises(pm.UserError, match=r"extension that is not known; expected \.csv; choose another file name"):
        check_file(tmp_path / "a.txt", False, (".csv",))
    check_files(tmp_path / "new", ["a.csv"], False)
    assert not (tmp_path / "new").exists(), "nothing is made before there is something to write"
    with pytest.raises(pm.UserError, match="already there"):
        check_files(tmp_path, ["b.csv", "a.csv"], False)
    assert unwritable(tmp_path / "a.csv" / "b", "file") is not None
    assert free_folder(tmp_path, "run") == tmp_path / "run"
    (tmp_path / "run").mkdir()
    (tmp_path / "run-2").mkdir()
    assert free_folder(tmp_path, "run") == tmp_path / "run-3"


# -- the journal of a comparison -----------------------------------------------------------------------------------------

ABOUT = {
    "content": {"training rows": "60", "field 'x'": "abc"},
    "experiment": {"data": {"table": "/t.csv", "split": {"kind": "auto"}}, "training": {"lr": 0.1, "time_limit": None, "workers": 2}},
    "code": {"torch": "1", "numpy": "2"},
    "asked": {"fusions": [], "trials": 4},
}


class Journal(LineJournal):
    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self.cells: list[Any] = []
        super().__init__(*arguments, **settings)

    def take(self, entry: Any) -> None:
        self.cells.append(entry["cell"])


def test_a_journal_is_read_back_without_the_line_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    journal = Journal(path, ABOUT)
    assert journal.decide("rows", 120, 1.0) == 120
    journal.append({"cell": {"at": 1}}, 2.5)
    path.write_bytes(path.read_bytes() + b'{"cell": {"at"')
    again = Journal(path, ABOUT)
    assert (again.decisions, again.cells, again.spent) == ({"rows": 120}, [{"at": 1}], 2.5)
    again.append({"cell": {"at": 2}}, 3.0)
    assert Journal(path, ABOUT).cells == [{"at": 1}, {"at": 2}]
    for body in (b"", b"{}\n", b"[]\n", b'{"about": 1}\n', b"\xff\n"):
        path.write_bytes(body)
        with pytest.raises(pm.UserError, match=r"cannot be read .*expected the results of a comparison"):
            Journal(path, ABOUT)


def test_a_journal_of_the_version_before_is_read(tmp_path: Path) -> None:
    """It had no settings that change no result."""
    path = tmp_path / "cells.jsonl"
    experiment = {"data": {"split": {"kind": "auto"}}, "training": {"lr": 0.1}}
    path.write_text(json.dumps({"about": {"format": 2, **ABOUT, "experiment": experiment}}) + "\n")
    assert Journal(path, ABOUT).cells == []


def test_other_code_can_be_forced_and_other_settings_and_data_cannot(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    Journal(path, ABOUT).append({"cell": 1}, 1.0)
    other = {**ABOUT, "code": {"torch": "3", "numpy": "2"}}
    with pytest.raises(pm.UserError, match=r"not as it was when the comparison began:\n  torch: was 1, is 3\n.*force=True"):
        Journal(path, other)
    warnings: list[str] = []
    assert Journal(path, other, force=True, warn=warnings.append).cells == [1]
    assert warnings == ["resumed all the same (--force): torch: was 1, is 3"]
    assert Journal(path, other).cells == [1], "it is of the other code from then on"
    for name, change, message in (
        ("experiment", {"training": {"lr": 0.2}, "data": ABOUT["experiment"]["data"]}, r"training\.lr: was 0\.1, is 0\.2"),  # type: ignore[index]
        ("content", {"training rows": "59", "field 'x'": "abc"}, "training rows: were 60, are 59"),
        ("content", {"training rows": "60", "field 'x'": "abd"}, "field 'x': other data than before"),
        ("asked", {"fusions": [], "trials": 3}, "trials: was 4, is 3"),
    ):
        with pytest.raises(pm.UserError, match=rf"{message}\n.*compare anew in another folder"):
            Journal(path, {**other, name: change}, force=True)


def test_force_without_resume_is_refused() -> None:
    result = CliRunner().invoke(main, ["compare", "t.csv", "--target", "y", "--force"])
    assert (result.exit_code, "--force without --resume" in result.output) == (2, True)
