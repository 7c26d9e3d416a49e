"""Every layout of ``polymodal table`` becomes a table that a model trains on, by the commands that ``polymodal table`` prints."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shlex
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import polymodal as pm
from builders.layouts import FURTHER, TREES, as_xlsx
from builders.tables import shop
from polymodal.cli.main import main
from polymodal.cli.table import table

FAST = ("--preset", "fast", "training.epochs=1", "model.width=8", "--quiet", "-o", "run")
ALL = {**{name: (name, build) for name, build in TREES.items()}, **FURTHER}


def command(*words: object) -> Result:
    """The result of a command that succeeds."""
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, (done.output, done.exception)
    return done


def next_commands(output: str) -> list[list[str]]:
    """The words of the commands that ``polymodal table`` prints, after ``polymodal``."""
    return [shlex.split(line)[2:] for line in output.splitlines() if line.startswith("next: polymodal ")]


def test_every_layout_of_the_menu_has_a_tree() -> None:
    assert set(TREES) == set(table.commands)


def test_the_language_of_a_conversion_is_no_part_of_the_printed_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    TREES["imagefolder"](tmp_path / "tree")
    plain = next_commands(command("table", "imagefolder", "tree", "-o", "t.csv").output)
    for words in (("--lang", "en", "table", "imagefolder"), ("table", "imagefolder", "--lang", "en")):
        assert next_commands(command(*words, "tree", "-o", "t.csv", "--overwrite").output) == plain


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_the_printed_commands_train_a_model_that_predicts(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    layout, build = ALL[name]
    build(tmp_path / "tree")
    output = command("table", layout, "tree", "-o", "t.csv").output
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert f"wrote t.csv: {len(written)} rows" in output
    *conversions, words = next_commands(output)
    for conversion in conversions:
        command(*conversion)
    assert words[0] == "train"
    command(*words, *FAST)
    model = pm.load(tmp_path / "run")
    experiment = model.bundle.experiment
    target = words[words.index("--target") + 1]
    assert list(experiment.tasks) == [target]
    used = {column for field in experiment.fields.values() for column in field.sources}
    assert used
    assert not used & {"split", "__key__", "image_id", target}
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["validation"]["rows"] > 0
    answers = model.predict(tmp_path / "t.csv", root=tmp_path / "tree")  # a cell that cannot be read is a warning, an error here
    assert len(answers) == len(written)
    files = {"image", "audio", "video", "points", "pictures"} & {field.kind for field in experiment.fields.values()}
    assert files or layout == "mmf-mosei", "the files of the data set are features"
    labelled = Counter(row["split"] for row in written if row.get("split") and row[target])
    if "--split" in words or "--test" in words:
        assert metrics.get("test", {"rows": 0})["rows"] == labelled["test"]
    assert ("--split" in words) == ({"train", "valid"} <= labelled.keys())
    if "--split" in words:
        assert 0 < metrics["validation"]["rows"] <= labelled["valid"]


def packed(table: Path) -> bytes:
    """A CSV table in a zip archive, with a file that is no table."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.write(table, "shop/shop.csv")
        archive.writestr("shop/notes.md", "none")
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "body"),
    [("shop.xlsx", as_xlsx), ("shop.zip", packed), ("shop.csv.gz", lambda table: gzip.compress(table.read_bytes()))],
)
def test_tables_in_other_files_are_trained_on_as_they_are(
    name: str, body: Callable[[Path], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = shop(tmp_path, rows=40)
    (tmp_path / name).write_bytes(body(plain))
    with plain.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    command("train", name, "--target", header[-1], *FAST)
    model = pm.load(tmp_path / "run")
    assert len(model.predict(tmp_path / name)) == len(rows) == 40
    assert list(model.predict(tmp_path / name)) == list(model.predict(plain))
