"""The tables that are written from the formats of other libraries, and the format of a folder that the command line recognises."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import polymodal as pm
from builders.formats import (
    CLASSES,
    FAST,
    dataset_dict,
)
from builders.layouts import TEST, TRAIN, TREES, VALID
from polymodal.cli.main import main
from polymodal.errors import DataError, UserError
from polymodal.layouts import huggingface
from polymodal.layouts.kinds import recognised
from polymodal.layouts.tables import write_table

KINDS = {"huggingface": ("image", "label"), "webdataset": ("png", "cls"), "tfrecord": ("image_encoded", "label"), "tfds": ("image_encoded", "label"),
         "coco": ("image", "labels"), "imagefolder": ("image", "label")}  # fmt: skip
"""The columns of the picture and of the class in each format."""


def command(*words: Any) -> str:
    """The output of a command that succeeds."""
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_of_every_format_contains_the_samples(tmp_path: Path, kind: str) -> None:
    picture, target = KINDS[kind]
    folder = TREES[kind](tmp_path / "data")
    output = command("table", folder, "-o", tmp_path / "t.csv")
    assert f"{folder}: read as {kind} (" in output
    rows = read(tmp_path / "t.csv")
    copies = 2 if kind == "coco" else 1
    assert [row["split"] for row in rows].count("train") == 18 * copies
    assert {row["split"] for row in rows} == {"train", "valid", "test"}
    next_line = output.splitlines()[-1]
    assert next_line.startswith(f"next: polymodal train {tmp_path / 't.csv'} ")
    assert f"--target {target} --split split" in next_line
    root = folder if "--root" in next_line else tmp_path
    for row in rows:
        body = (root / row[picture]).read_bytes()
        label = json.loads(row[target])[0] if kind == "coco" else CLASSES[int(row[target])] if row[target].isdigit() else row[target]
        assert body in {one.png for one in (*TRAIN, *VALID, *TEST) if one.name == label}
    ignored = [name for name in ("__key__", "image_id") if name in rows[0]]
    assert all(f"--ignore {name}" in next_line for name in ignored)


def test_train_and_test_rows_become_tables_of_their_own(tmp_path: Path) -> None:
    dataset_dict(tmp_path / "hf", {"train": TRAIN, "test": TEST})
    lines = command("table", "huggingface", tmp_path / "hf", "-o", tmp_path / "all.csv").splitlines()
    assert lines[-3:] == [
        f"next: polymodal table huggingface {tmp_path / 'hf'} --only train -o {tmp_path / 'all_train.csv'}",
        f"next: polymodal table huggingface {tmp_path / 'hf'} --only test -o {tmp_path / 'all_test.csv'}",
        f"next: polymodal train {tmp_path / 'all_train.csv'} --test {tmp_path / 'all_test.csv'} --target label --ignore split",
    ]
    command("table", "huggingface", tmp_path / "hf", "--only", "test", "-o", tmp_path / "test.csv")
    assert [row["text"] for row in read(tmp_path / "test.csv")] == [one.text for one in TEST]
    done = CliRunner().invoke(main, ["table", "huggingface", str(tmp_path / "hf"), "--only", "valid", "-o", str(tmp_path / "x.csv")])
    assert done.exit_code == 2
    assert "no rows of split 'valid'; the splits are 'test', 'train'; name one of them" in done.output
    assert not (tmp_path / "x.csv").exists()
    assert not (tmp_path / "x_files").exists()


def test_a_folder_of_no_known_format_is_refused_with_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "notes.md").write_text("x")
    done = CliRunner().invoke(main, ["table", str(tmp_path / "d")])
    assert done.exit_code == 2
    assert "a folder whose format is not recognised (it contains 'notes.md'); expected a data set; name its format" in done.output
    assert "no such folder; expected the folder of" in CliRunner().invoke(main, ["table", "tfds", str(tmp_path / "no")]).output


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["train/cat/1.png"], "imagefolder"), (["a/1.wav", "a/2.wav", "b/cover.jpg"], "audiofolder"), (["1.mp4", "metadata.csv"], "videofolder"),
        (["1.png"], None), (["img/1.png", "train.jsonl"], None), (["files/1.jpg", "mimic-cxr-2.0.0-metadata.csv.gz"], None), (["notes.md"], None),
        (["data/train-00000-of-00001.parquet", "README.md"], "huggingface"), (["x-00000-of-00001.tfrecord"], "tfrecord"), (["x.tfrecord-00000-of-00001"], "tfrecord"),
        (["1.0.0/features.json", "1.0.0/dataset_info.json", "1.0.0/x-train.tfrecord-00000-of-00001"], "tfds"), (["a.tar", "sizes.json"], "webdataset"),
        (["annotations/instances_val2017.json", "val2017/1.jpg"], "coco"), (["train/_annotations.coco.json", "train/1.jpg"], "coco"),
    ],
)  # fmt: skip
def test_the_format_of_a_folder_is_recognised_only_where_it_is_obvious(tmp_path: Path, names: list[str], kind: str | None) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = recognised(tmp_path)
    assert (None if found is None else found[0]) == kind


# -- the table that is written ------------------------------------------------------------------------------------------------


def test_cells_of_every_type_are_written(tmp_path: Path) -> None:
    rows = [
        {"a": b"\x89PNG\r\n\x1a\nx", "n": np.float32(0.1), "l": [1, 2], "t": "=1+1", "d": {"x": 1}, "z": np.zeros((2, 2), np.uint8)},
        {"a": {"bytes": b"\xff\xfe", "path": "../../etc/x.LAS"}, "n": 1e-7, "l": 3, "t": "中文\n第二行", "new": True, "z": None},
        {"a": b"\x89PNG\r\n\x1a\nx", "n": float("nan"), "l": None, "t": "", "d": None, "z": np.zeros(0)},
    ]
    written = write_table(lambda: rows, tmp_path / "t.csv")
    assert (written.rows, written.columns, written.folder) == (3, ["a", "n", "l", "t", "d", "z", "new"], tmp_path / "t_files")
    first, second, third = read(tmp_path / "t.csv")
    assert (tmp_path / first["a"]).read_bytes() == b"\x89PNG\r\n\x1a\nx"
    assert first["a"] == third["a"], "equal contents are one file"
    assert Path(first["a"]).parts[0] == "t_files"
    assert (Path(first["a"]).suffix, Path(second["a"]).suffix) == (".png", ".las")
    assert (tmp_path / second["a"]).read_bytes() == b"\xff\xfe"
    assert [row["n"] for row in (first, second, third)] == ["0.1", "1e-07", ""]
    assert [row["l"] for row in (first, second, third)] == ["[1, 2]", "[3]", ""], "a column of lists has lists only"
    assert [row["t"] for row in (first, second, third)] == ["'=1+1", "中文\n第二行", ""]
    assert (first["d"], first["new"], second["new"]) == ('{"x": 1}', "", "True")
    assert np.load(tmp_path / first["z"], allow_pickle=False).tolist() == [[0, 0], [0, 0]]
    write_table(lambda: rows, tmp_path / "u.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "u.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["n"] for line in lines] == [0.1, 1e-07, None]
    assert (lines[0]["t"], lines[1]["l"], lines[1]["new"]) == ("=1+1", [3], True)


def test_objects_that_merely_look_like_files_are_written_as_they_are(tmp_path: Path) -> None:
    looks: list[Any] = [
        {"bytes": "text", "path": "x"},
        {"bytes": 3, "path": 4},
        {"bytes": None, "path": "../x"},
        {"bytes": b"x", "path": 5},
        {"bytes": b"", "path": None},
    ]
    written = write_table(lambda: [{"a": [one]} for one in looks], tmp_path / "t.jsonl")
    lines = [json.loads(line)["a"][0] for line in (tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[:3] == looks[:3]
    assert written.folder is not None
    assert (tmp_path / lines[3]).read_bytes() == b"x"
    assert lines[3].endswith(".bin")
    assert lines[4] is None


def test_rows_of_a_reader_are_a_table_in_memory(tmp_path: Path) -> None:
    rows = list(huggingface.rows(TREES["huggingface"](tmp_path)))
    settings = ("model.encoders.image.kind=convnet", "model.encoders.image.channels=[8, 16]", "fields.image.size=16")
    model = pm.train(rows, *FAST, *settings, target="label", split="split")
    assert model.bundle.experiment.fields["image"].kind == "image"
    assert set(model.predict(rows)) <= set(CLASSES)


def test_an_error_leaves_everything_as_it_was(tmp_path: Path) -> None:
    def broken() -> Any:
        yield {"a": b"second"}
        raise DataError("broken")

    with pytest.raises(DataError, match="broken"):
        write_table(broken, tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []
    write_table(lambda: [{"a": b"first"}], tmp_path / "t.csv")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"}
    with pytest.raises(UserError, match="already there"):
        write_table(lambda: [{"a": b"second"}], tmp_path / "t.csv")
    with pytest.raises(DataError, match="broken"):
        write_table(broken, tmp_path / "t.csv", overwrite=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"} == before
    write_table(lambda: [{"a": b"second"}], tmp_path / "t.csv", overwrite=True)
    assert sorted(path.read_bytes() for path in (tmp_path / "t_files").glob("*/*")) == [b"second"]


def test_a_folder_that_is_no_folder_of_files_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "t_files").mkdir()
    (tmp_path / "t_files" / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="not the files of a table, so it is not replaced"):
        write_table(lambda: [{"a": b"x"}], tmp_path / "t.csv", overwrite=True)
    assert (tmp_path / "t_files" / "mine.txt").read_text() == "x"
    assert not (tmp_path / "t.csv").exists()
    for name in ("t.parquet", "t"):
        with pytest.raises(UserError, match=r"expected one of \.csv, \.jsonl"):
            write_table(lambda: [{"a": 1}], tmp_path / name)
    with pytest.raises(DataError, match=r"no rows to write"):
        write_table(list, tmp_path / "e.csv")
    with pytest.raises(DataError, match=r"more than 10,000 columns"):
        write_table(lambda: [{str(at): 1 for at in range(10_001)}], tmp_path / "e.csv")
    deep: Any = 1
    for _ in range(12):
        deep = [deep]
    with pytest.raises(DataError, match=r"e\.csv row 1: a cell nested more than 8 deep"):
        write_table(lambda: [{"a": deep}], tmp_path / "e.csv")
