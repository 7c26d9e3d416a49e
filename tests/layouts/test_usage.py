"""Tests of the commands that train on a table of a data set, and of what the first word after ``polymodal table`` means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from builders.layouts import TREES
from polymodal.cli.main import main
from polymodal.layouts.usage import Contents, Usage, Written, training_commands, usual


def written(*rows: dict[str, Any]) -> Written:
    contents = Contents()
    assert list(contents.of(rows)) == list(rows)
    return contents.written()


def commands(usage: Usage, *rows: dict[str, Any]) -> list[str]:
    return [" ".join(words) for words in training_commands("out/t.csv", ["polymodal", "table", "x", "tree"], written(*rows), usage)]


def rows(*splits: str, target: Any = "red") -> list[dict[str, Any]]:
    return [{"id": at, "y": target, "g": "a", **({"split": split} if split else {})} for at, split in enumerate(splits)]


USAGE = Usage("y", "tree", group="g", ignored=["id", "absent"], settings=["--column", "t=text"])
TRAIN = "polymodal train out/t.csv --root tree --target y --column t=text"


def test_a_split_with_training_and_validation_rows_is_used() -> None:
    for splits in (("train", "valid"), ("train", "valid", "test")):
        assert commands(USAGE, *rows(*splits)) == [f"{TRAIN} --split split --ignore id --ignore g"], "a group cannot divide the rows again"
    unlabelled = rows("test", target="")
    assert commands(USAGE, *rows("train", "valid"), *unlabelled) == [f"{TRAIN} --split split --ignore id --ignore g"]


@pytest.mark.parametrize("target", [None, "", []])
def test_parts_without_the_target_are_no_parts(target: Any) -> None:
    one = f"{TRAIN} --group g --ignore split --ignore id"
    for others in (("valid",), ("test",), ("valid", "test")):
        assert commands(USAGE, *rows("train"), *rows(*others, target=target)) == [one]
    assert commands(USAGE, *rows("test")) == [one]
    assert commands(USAGE, *rows("")) == [f"{TRAIN} --group g --ignore id"], "no split, no column to leave out"


def test_other_parts_become_tables_of_their_own() -> None:
    last = "--root tree --target y --column t=text --group g --ignore split --ignore id"
    assert commands(USAGE, *rows("train", "test")) == [
        "polymodal table x tree --only train -o out/t_train.csv",
        "polymodal table x tree --only test -o out/t_test.csv",
        f"polymodal train out/t_train.csv --test out/t_test.csv {last}",
    ]
    found = commands(USAGE, *rows("train", "valid", "test", "unsupervised"))
    assert [line.rpartition(" ")[2] for line in found[:-1]] == ["out/t_train.csv", "out/t_valid.csv", "out/t_test.csv"]
    assert found[-1] == f"polymodal train out/t_train.csv --valid out/t_valid.csv --test out/t_test.csv {last}"
    assert commands(USAGE, *rows("train", "testA", "testB"))[-1] == f"polymodal train out/t_train.csv --test out/t_testA.csv {last}"
    assert len(commands(USAGE, *rows("train", "valid", ""))) == 3, "a row without a split cannot be divided by the column"


def test_the_usual_names_of_a_target() -> None:
    assert usual(written({"Text": "a", "LABEL": 1}), None).target == "LABEL"
    assert usual(written({"text": "a", "caption": "b"}), None).target == "TARGET"
    assert commands(usual(written({"__key__": "a", "image_id": 3, "class": 1}), "r"), {"__key__": "a", "image_id": 3, "class": 1}) == [
        "polymodal train out/t.csv --root r --target class --ignore __key__ --ignore image_id"
    ]


# -- the first word --------------------------------------------------------------------------------------------------------


def answer(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["table", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


def test_a_format_is_always_the_format_and_a_folder_of_its_name_is_written_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert answer("coco") == (2, "error: polymodal table coco: a format without a folder; expected polymodal table coco FOLDER\n")
    assert answer("webdataset", "-o", "t.csv")[1].endswith("a format without a folder; expected polymodal table webdataset PATH...\n")
    TREES["coco"](tmp_path / "coco")
    beside = "; the folder 'coco' here is polymodal table coco ./coco, or polymodal table ./coco"
    assert answer("coco")[1].endswith(f"expected polymodal table coco FOLDER{beside}\n")
    tables = []
    for at, words in enumerate((["coco", "coco"], ["coco", "./coco"], ["./coco"], ["coco/"])):
        code, output = answer(*words, "-o", f"{at}.csv")
        assert code == 0, output
        assert ("read as coco" in output) == (len(words) == 1)
        tables.append((tmp_path / f"{at}.csv").read_bytes())
    assert len(set(tables)) == 1
    TREES["imagefolder"](tmp_path / "tfds")
    assert "no features.json" in answer("tfds", "tfds")[1]
    assert "read as imagefolder" in answer("./tfds", "-o", "i.csv")[1]


def test_words_that_are_neither_a_format_nor_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shards").mkdir()
    (tmp_path / "notes.md").write_text("x")
    (tmp_path / "t.csv").write_text("a\n1\n")
    formats = r"nuscenes, mimic-cxr, .*, tfds"
    for words, expected in (
        (["nothere"], rf"nothere: no such folder or file, and no format; expected polymodal table FOLDER, or .* with one of {formats}"),
        (["webdatset"], r".*tfds; did you mean 'webdataset'\?"),
        (["shard"], r".*tfds; did you mean 'shards'\?"),
        (["data/nothere"], r"data/nothere: no such folder or file; expected the folder of a data set"),
        (["./shard"], r"\./shard: no such folder or file; expected the folder of a data set; did you mean 'shards'\?"),
        (["webdatset", "shards"], rf"polymodal table webdatset: no such format; expected one of {formats}; did you mean 'webdataset'\?"),
        (["shards"], r"shards: a folder whose format is not recognised \(it contains nothing\); expected a data set; name its format: .*"),
        (["notes.md"], r"notes.md: a file whose format is not recognised; expected the folder of a data set; name its format: .*"),
        (["t.csv"], r"t.csv: a table; .*a table needs no conversion: polymodal train t.csv --target COL"),
        (["b.xlsx"], r"b.xlsx: no such file; .*a table needs no conversion: polymodal train b.xlsx --target COL"),
        (["no.csv"], r"no.csv: no such file; .*a table needs no conversion: polymodal train no.csv --target COL"),
    ):
        code, output = answer(*words)
        assert code == 2
        assert re.fullmatch(f"error: {expected}\n", output), output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.md", "shards", "t.csv"]


def test_the_options_of_a_command_are_kept_in_the_commands_that_follow(tmp_path: Path) -> None:
    tree = TREES["mmf-annotations"](tmp_path / "my tree")
    words = ["--annotations", "train=annotations/train.npy", "--annotations", "test=annotations/test.jsonl"]
    code, output = answer("mmf-annotations", tree, *words, "-o", tmp_path / "t.csv")
    assert code == 0, output
    given = f"next: polymodal table mmf-annotations '{tree}' {' '.join(words)} --only"
    assert [line for line in output.splitlines() if line.startswith(given)] == [
        f"{given} {part} -o {tmp_path / f't_{part}.csv'}" for part in ("train", "test")
    ]
    people = tmp_path / "people.csv"
    people.write_text("subject_id,age\n10000000,3\n")
    tree = TREES["mimic-cxr"](tmp_path / "m")
    code, output = answer("mimic-cxr", tree, "--join", f"{people}:age", "--no-labels", "-o", tmp_path / "m.csv")
    assert code == 0, output
    assert output.splitlines()[-1] == "TARGET is the column to predict: subject_id, study_id, frontal, lateral, view, age"
