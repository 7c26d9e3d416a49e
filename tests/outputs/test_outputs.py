"""Tests that prediction rows in Python equal those of ``polymodal predict``, for every task, with sets, abstention and faults."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet

import polymodal as pm
from builders.tables import write_csv
from polymodal.cli.main import COMMANDS, main
from polymodal.outputs import ColumnNames, PredictionTable, check_path, json_line

COLUMNS = ["x", "z", "word"]
KINDS = {
    "binary": ["answer"],
    "multiclass": ["color"],
    "regression": ["price"],
    "multilabel": ["tags"],
    "answers": ["said"],
    "several": ["color", "price"],
}
"""The targets of a model by the kind of its tasks."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training table, a table to predict with cells that cannot be read or are missing, and a run for each kind of task."""
    folder = tmp_path_factory.mktemp("outputs")
    rng = np.random.default_rng(0)
    rows, new = [], []
    for at in range(160):
        x, z = rng.normal(size=2)
        word = ("red", "green", "blue")[at % 3]
        color = word if rng.random() < 0.8 else "red"
        answer = "yes" if x + rng.normal(0, 0.6) > 0 else "no"
        tags = ";".join(tag for tag, there in (("hot", x > 0), ("wet", z > 0)) if there) or "none"
        price = 3 * x + rng.normal(0, 0.2)
        said = json.dumps([color if rng.random() < 0.7 else "blue" for _ in range(4)])
        rows.append([f"{x:.4f}", f"{z:.4f}", f"a {word} thing {at % 7}", answer, color, f"{price:.4f}", tags, said])
        new.append(rows[-1][:3])
    new[3][0], new[5][1], new[9] = "not a number", "", ["", "", ""]
    write_csv(folder / "train.csv", [*COLUMNS, "answer", "color", "price", "tags", "said"], rows)
    write_csv(folder / "new.csv", COLUMNS, new)
    targets = ["answer", "color", "price", "tags", "said"]
    words = ("training.epochs=3", "training.baselines=false", "model.width=8", "data.split.kind=random", "data.split.valid=0.4")
    types = ("fields.columns.types.x=number", "fields.columns.types.z=number")
    for kind, target in KINDS.items():
        override = ("tasks.tags.kind=multilabel",) if kind == "multilabel" else ()
        ignore = [name for name in targets if name not in target]
        pm.train(folder / "train.csv", *words, *types, *override, target=target, ignore=ignore, columns={"word": "text"}, out=folder / kind)
    return folder


def run(*words: object) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def csv_cell(cell: Any) -> str:
    """The text of a cell in a CSV file."""
    if cell is None:
        return ""
    return ";".join(map(str, cell)) if isinstance(cell, list) else str(cell)


@pytest.mark.parametrize("policy", ["blank", "skip"])
@pytest.mark.parametrize(
    ("kind", "coverage", "abstain_below"),
    [
        ("binary", 0.9, 0.8),
        ("binary", None, None),
        ("multiclass", 0.9, 0.6),
        ("multiclass", None, 0.6),
        ("regression", 0.9, None),
        ("multilabel", None, 0.7),
        ("answers", 0.9, 0.5),
        ("several", 0.8, 0.6),
    ],
)
def test_rows_in_python_are_those_that_the_command_writes(
    folder: Path, tmp_path: Path, kind: str, coverage: float | None, abstain_below: float | None, policy: str
) -> None:
    options = [] if coverage is None else ["--coverage", coverage]
    options += [] if abstain_below is None else ["--abstain-below", abstain_below]
    for extension in ("csv", "jsonl", "parquet"):
        run("predict", folder / kind, folder / "new.csv", "-o", tmp_path / f"out.{extension}", "--on-error", policy, *options)
    model = pm.load(folder / kind)
    outputs = PredictionTable(model, coverage=coverage, abstain_below=abstain_below)
    rows = list(outputs.predict(folder / "new.csv", on_error=policy))  # type: ignore[arg-type]

    assert [row["row"] for row in rows] == list(range(1, 161))
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        header, *lines = list(csv.reader(file))
    assert header == list(outputs.columns)
    assert lines == [[csv_cell(row[name]) for name in header] for row in rows]
    texts = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert texts == [json_line(row) for row in rows]
    assert [list(json.loads(text)) for text in texts] == [list(row) for row in rows], "the order of the keys"
    written = parquet.read_table(tmp_path / "out.parquet")
    assert written.column_names == list(outputs.columns)
    assert [("list " if str(one.type).startswith("list") else "") + str(getattr(one.type, "value_type", one.type)) for one in written.schema] \
        == [outputs.columns[name] for name in outputs.columns]  # fmt: skip
    assert written.to_pylist() == [{name: row[name] for name in outputs.columns} for row in rows]

    faulty = rows[3]
    assert faulty["faults"].startswith("x: found 'not a number'")
    assert faulty["present"] == ("" if policy == "skip" else "word;columns")
    assert rows[9]["present"] == ""
    probabilities = {name: [column for column in outputs.columns if column.startswith(f"{name}:")] for name in KINDS[kind]}
    for name, columns in probabilities.items():
        ends = [column for column in columns if column.split(":")[-1] in ("set", "low", "high")]
        assert len(ends) == (0 if coverage is None else 2 if name == "price" else 1)
        scores = [column for column in columns if column not in ends]
        if policy == "skip":
            assert [faulty[column] for column in (name, *scores)] == [None] * (1 + len(scores))
            assert all(faulty[column] == (None if name == "price" else []) for column in ends)
        if abstain_below is not None and scores:
            below = [max(row[column] for column in scores) < abstain_below for row in rows if policy == "blank" or row is not faulty]
            withheld = [row[name] is None for row in rows if policy == "blank" or row is not faulty]
            assert withheld == below
            assert {*withheld} == {True, False}


@pytest.mark.parametrize("kind", list(KINDS))
def test_rows_hold_the_predictions_of_the_model(folder: Path, kind: str) -> None:
    model = pm.load(folder / kind)
    outputs = PredictionTable(model, coverage=None if kind == "multilabel" else 0.9)
    columns = outputs.as_columns(outputs.predict(folder / "new.csv"))
    assert list(columns) == list(outputs.columns)
    values, classes = model.predict(folder / "new.csv"), model.classes
    several = len(KINDS[kind]) > 1
    for name in KINDS[kind]:
        predicted = (values[name] if several else values).tolist()
        assert columns[name] == predicted
        labels = classes[name] if several else classes
        if labels is not None:
            scores = model.predict_proba(folder / "new.csv")
            np.testing.assert_array_equal(
                np.array([columns[f"{name}:{label}"] for label in labels], np.float32).T, scores[name] if several else scores
            )
        if kind != "multilabel":
            sets = model.predict_sets(folder / "new.csv", 0.9)
            sets = sets[name] if several else sets
            if labels is not None:
                assert columns[f"{name}:set"] == [list(one) for one in sets]
            else:
                np.testing.assert_array_equal(np.array([columns["price:low"], columns["price:high"]]).T, sets)


def test_one_row_as_the_command_prints_it(folder: Path, tmp_path: Path) -> None:
    row = {"x": 0.5, "z": -0.25, "word": "a red thing"}
    printed = run("predict", folder / "several", "--row", json.dumps(row), "--coverage", 0.9, "-o", tmp_path / "one.jsonl").stdout
    outputs = PredictionTable(pm.load(folder / "several"), coverage=0.9)
    rows = list(outputs.predict([row]))
    assert printed.splitlines() == [json_line(rows[0])]
    assert (tmp_path / "one.jsonl").read_text(encoding="utf-8") == printed
    assert list(outputs.predict(row)) == rows, "a dict of single values is one row"


def test_infinite_ends_of_intervals_are_null_in_json(folder: Path, tmp_path: Path) -> None:
    outputs = PredictionTable(pm.load(folder / "regression"), coverage=0.999)
    rows = list(outputs.predict(folder / "new.csv"))
    assert {(row["price:low"], row["price:high"]) for row in rows} == {(-math.inf, math.inf)}
    assert json.loads(json_line(rows[0]))["price:low"] is None
    assert outputs.write(tmp_path / "out.csv", rows) == 160
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert {(row["price:low"], row["price:high"]) for row in csv.DictReader(file)} == {("-inf", "inf")}


def test_a_table_without_rows_has_its_columns(folder: Path, tmp_path: Path) -> None:
    outputs = PredictionTable(pm.load(folder / "multiclass"), coverage=0.9)
    assert list(outputs.predict(write_csv(tmp_path / "none.csv", COLUMNS, []))) == []
    assert outputs.as_columns([]) == {name: [] for name in outputs.columns}
    assert outputs.columns["color:set"] == "list string"
    assert outputs.write(tmp_path / "out.parquet", []) == 0
    assert parquet.read_table(tmp_path / "out.parquet").column_names == list(outputs.columns)


def test_empty_sets_cause_one_warning_after_the_last_row(folder: Path) -> None:
    outputs = PredictionTable(pm.load(folder / "binary"), coverage=0.5)
    rows = outputs.predict(folder / "new.csv", on_error="skip")
    with pytest.warns(UserWarning, match="sets are empty") as caught:
        made = list(rows)
    empty = sum(not row["answer:set"] for row in made if row["answer"] is not None)
    assert empty > 0
    assert str(caught[-1].message).startswith(f"target 'answer': {empty} of 159 sets are empty: no class is probable enough")
    assert caught[-1].filename == __file__, "the warning points at the line that consumed the rows"


def test_several_threads_share_one_table(folder: Path) -> None:
    outputs = PredictionTable(pm.load(folder / "several"), coverage=0.9, abstain_below=0.6)
    expected = list(outputs.predict(folder / "new.csv"))
    results: list[list[dict[str, Any]]] = []
    threads = [threading.Thread(target=lambda: results.append(list(outputs.predict(folder / "new.csv")))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 3


def test_what_cannot_be_stated_is_refused(folder: Path, tmp_path: Path) -> None:
    number, labels, classes = (pm.load(folder / kind) for kind in ("regression", "multilabel", "multiclass"))
    with pytest.raises(pm.ConfigError, match=r"abstain_below: every target is a number.*use coverage$"):
        PredictionTable(number, abstain_below=0.5)
    for probability in (1.5, -0.1, math.nan):
        with pytest.raises(pm.ConfigError, match=r"abstain_below: found .*; expected a probability from 0 to 1"):
            PredictionTable(classes, abstain_below=probability)
    with pytest.raises(pm.ConfigError, match="coverage 2: expected a fraction between 0 and 1"):
        PredictionTable(classes, coverage=2)
    with pytest.raises(pm.ConfigError, match="of kind multilabel"):
        PredictionTable(labels, coverage=0.9)
    with pytest.raises(pm.ConfigError, match=r"target 'color': predictions without sets; .* make the predictions with coverage=0.9"):
        list(PredictionTable(classes, coverage=0.9).rows(classes.predictions(folder / "new.csv")))
    with pytest.raises(pm.DataError, match="no column"):
        PredictionTable(classes).predict(tmp_path / write_csv(tmp_path / "other.csv", ["q"], [["1"]]))
    outputs = PredictionTable(classes)
    with pytest.raises(pm.UserError, match=r"an extension that is not known; expected one of \.csv, \.jsonl, \.parquet"):
        check_path(tmp_path / "out.xlsx")
    (tmp_path / "out.csv").write_text("kept")
    with pytest.raises(pm.UserError, match=r"already there; expected no such file; choose another one, or replace it: overwrite=True"):
        outputs.write(tmp_path / "out.csv", [])
    assert (tmp_path / "out.csv").read_text() == "kept"
    with pytest.raises(KeyError):
        outputs.write(tmp_path / "out.csv", [{"row": 1}], overwrite=True)
    assert (tmp_path / "out.csv").read_text() == "kept", "a file is replaced only after all rows are written"
    assert [path.name for path in tmp_path.glob(".*")] == []
    with pytest.raises(pm.UserError, match="cannot be written"):
        outputs.write(tmp_path / "none" / "out.csv", [])


def test_names_of_columns_are_those_of_the_rows(folder: Path) -> None:
    model = pm.load(folder / "several")
    names = ColumnNames.of(model.bundle.tasks)
    assert (names.row, names.present, names.faults) == ("row", "present", "faults")
    assert names.scores == {"color": ["color:blue", "color:green", "color:red"], "price": []}
    assert names.sets == {"color": ["color:set"], "price": ["price:low", "price:high"]}
    outputs = PredictionTable(model, coverage=0.9)
    assert list(outputs.columns) == [
        "row", "color", *names.scores["color"], "price", "color:set", "price:low", "price:high", "present", "faults",
    ]  # fmt: skip


def test_the_room_needs_no_command_line() -> None:
    code = (
        "import sys, polymodal.outputs; sys.exit(bool({'click', 'pyarrow.parquet'} & set(sys.modules)) or 'polymodal.cli' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in COMMANDS), ["table", "nuscenes", "--help"]])
def test_help_imports_no_heavy_package(words: list[str]) -> None:
    code = (
        "import sys\nfrom polymodal.cli.main import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit as stopped:\n    assert stopped.code == 0\n"
        "heavy = {'torch', 'numpy', 'pyarrow', 'pydantic', 'rich', 'matplotlib'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


def test_every_command_has_a_file_of_its_name_and_is_imported_only_when_it_runs() -> None:
    folder = Path(sys.modules[main.callback.__module__].__file__ or "").parent  # type: ignore[union-attr]
    assert list(main.commands) == list(COMMANDS)
    for name in COMMANDS:
        assert (folder / f"{name}.py").exists()
        assert main.commands[name].name == name
    code = (
        "import sys\nfrom polymodal.cli.main import main\n"
        "try:\n    main(['report', '--help'])\nexcept SystemExit:\n    pass\n"
        "files = {name for name in sys.modules if name.startswith('polymodal.cli.')}\n"
        "assert files == {'polymodal.cli.' + name for name in ('main', 'mistakes', 'report', 'options', 'language_option')}, files\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
