"""Broken trees of every layout end with one message that names the place and what was expected; nothing is written, and nothing of a file
is executed."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from builders.layouts import FURTHER, TREES
from polymodal.cli.main import main

ALL = {**{name: (name, build) for name, build in TREES.items()}, **FURTHER}
MEDIA = (".png", ".jpg", ".jpeg", ".wav", ".avi", ".pcd")
"""Files of cells, which are read when a model is trained."""


class Runs:
    def __reduce__(self) -> Any:
        return os.system, ("touch PWNED",)


def table(layout: str, tree: Path, out: Path) -> tuple[int, list[str], list[str]]:
    """The exit code of ``polymodal table``, its warnings, and its other lines."""
    done = CliRunner().invoke(main, ["table", layout, str(tree), "-o", str(out / "t.csv")])
    assert done.exception is None or isinstance(done.exception, SystemExit), (done.output, done.exc_info)
    lines = done.output.splitlines()
    first = next((at for at, line in enumerate(lines) if not line.startswith(("warning:", "  "))), len(lines))
    return done.exit_code, lines[:first], lines[first:]


def message(layout: str, tree: Path, out: Path) -> str:
    """The message of a command that is refused: one line, exit code 2, and nothing written."""
    code, _, lines = table(layout, tree, out)
    assert code == 2, lines
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    assert "expected" in lines[0]
    assert list(out.iterdir()) == []
    return lines[0]


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the table."""
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "out"


@pytest.mark.parametrize("layout", TREES)
def test_what_is_no_tree_is_named(layout: str, out: Path) -> None:
    here = out.parent
    (here / "empty").mkdir()
    (here / "file").write_bytes(b"\xff\xfenothing")
    (here / "other").mkdir()
    (here / "other" / "README.md").write_text("nothing")
    for name in ("absent", "empty", "file", "other"):
        printed = message(layout, here / name, out)
        assert str(here / name) in printed
        assert ("no such" in printed) == (name == "absent")


# -- files of a tree -------------------------------------------------------------------------------------------------------


def as_folder(path: Path) -> None:
    """A folder in the place of a file."""
    path.unlink()
    path.mkdir()


BREAKS: dict[str, Callable[[Path], Any]] = {
    "deleted": lambda path: path.unlink(),
    "a folder": as_folder,
    "empty": lambda path: path.write_bytes(b""),
    "blank": lambda path: path.write_bytes(b" \n \n"),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 3]),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe\x00\xd8" * 50),
    "a list": lambda path: path.write_bytes(b"[[1]]"),
    "an object": lambda path: path.write_bytes(b'{"a": {"b": 1}}'),
    "a number": lambda path: path.write_bytes(b"3"),
    "deep": lambda path: path.write_bytes(b"[" * 100_000),
    "a pickle that calls a function": lambda path: path.write_bytes(pickle.dumps({"train": Runs()})),
}
ACCEPTED = (
    # a part of the data set that is not there, or that ends between two rows, cannot be distinguished from a smaller data set
    ("mmf-(?!mm-imdb|mosei).*|imagefolder|described|coco|webdataset|tfrecord|parquet", ".*", "deleted|a folder"),
    ("mmf-(hateful-memes|annotations|nlvr2|snli-ve|petfinder|food101)|mimic-cxr|described", r".*\.(jsonl?|csv)", "cut"),
    ("mimic-cxr", r".*split\.csv", "deleted|a folder|cut"),
    ("tfrecord", ".*", "empty"),  # as TensorFlow writes a shard without records
    ("mmf-petfinder", r".*_(labels\.csv|\w+/\w+-?1?\.json)", "an object|cut"),  # nothing of an object is required
    ("mmf-annotations", r".*\.jsonl", "an object"),  # any keys are entries
    ("mmf-mm-imdb", r"dataset/.*", "an object"),
    # what the Arrow files state themselves
    ("huggingface", r".*dataset_info\.json", ".*"),
    ("huggingface", r"dataset_dict\.json", "deleted|a folder"),
    ("tfds", r".*labels\.txt", "deleted|a folder"),  # classes without names
    ("described", ".*", "empty|blank"),  # with a warning: the files of the folder are in no row
)
"""What is read although a file is broken: patterns of the layout, the file and the break."""


def described(tree: Path) -> list[Path]:
    """The files that describe a tree, one of those whose names differ in digits only."""
    files = {re.sub(r"\d+", "0", str(path)): path for path in sorted(tree.rglob("*"), reverse=True) if path.is_file()}
    found = [path for path in files.values() if path.suffix not in MEDIA]
    return [path for path in found if path.suffix != ".txt" or "labels" in path.name]


def broken(tree: Path, folder: Path) -> Iterator[tuple[Path, str, Path]]:
    """Copies of a tree with one broken file each: the file, how it is broken, and the copy."""
    for path in described(tree):
        for how, breaks in BREAKS.items():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(tree, folder, copy_function=os.link)
            name = path.relative_to(tree)
            body = (folder / name).read_bytes()
            (folder / name).unlink()
            (folder / name).write_bytes(body)
            breaks(folder / name)
            yield name, how, folder


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ALL if name not in ("imagefolder", "audiofolder", "videofolder")])
def test_a_broken_file_gives_one_message_that_names_it(name: str, out: Path) -> None:
    layout, build = ALL[name]
    tree = build(out.parent / "whole")
    count = 0
    for path, how, copy in broken(tree, out.parent / "tree"):
        count += 1
        accepted = any(
            re.fullmatch(one, name) and re.fullmatch(file, path.as_posix()) and re.fullmatch(what, how) for one, file, what in ACCEPTED
        )
        code, warnings, lines = table(layout, copy, out)
        if code == 0:
            assert accepted, (path, how, lines)
            assert warnings or name != "described", (path, how, lines)
            for made in out.iterdir():
                shutil.rmtree(made) if made.is_dir() else made.unlink()
            continue
        assert (code, len(lines)) == (2, 1), (path, how, lines)
        assert lines[0].startswith("error: "), (path, how, lines)
        assert "expected" in lines[0], (path, how, lines)
        where = str(copy) if how in ("deleted", "a folder") else path.name
        assert where in lines[0], (path, how, lines)
        assert list(out.iterdir()) == [], (path, how)
    assert count >= len(BREAKS)
    assert not (out.parent / "PWNED").exists()


# -- values of a file ------------------------------------------------------------------------------------------------------

OUT = "../../etc/passwd"
Change = Callable[[Any], Any]


def put(*keys: Any, value: Any) -> Change:
    """Put a value into a JSON document at some keys."""

    def change(document: Any) -> Any:
        inner = document
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        return document

    return change


def edit(path: Path, change: Change) -> None:
    """Change a JSON document, or that of the first line of a file of lines."""
    text = path.read_text(encoding="utf-8")
    first, *rest = text.splitlines() if text.count("\n{") and text[0] == "{" else [text]
    path.write_text("\n".join([json.dumps(change(json.loads(first))), *rest]), encoding="utf-8")


TRAIN_QUESTIONS, TRAIN_ANSWERS = "v2_OpenEnded_mscoco_train2014_questions.json", "v2_mscoco_train2014_annotations.json"


@pytest.mark.parametrize(
    ("name", "file", "change", "expected"),
    [
        # names that lead out of the folder
        ("nuscenes", "v1.0-mini/sample_data.json", put(0, "filename", value=OUT), "entry 1, filename: '../../etc/passwd'"),
        ("mmf-hateful-memes", "data/train.jsonl", put("img", value=OUT), "line 1, img: '../../etc/passwd'"),
        ("mmf-mm-imdb", "split.json", put("train", 0, value=OUT), "split.json: id '../../etc/passwd' in 'train'"),
        ("mmf-vqa2", TRAIN_QUESTIONS, put("questions", 0, "image_id", value=OUT), "entry 1: image_id '../../etc/passwd'; expected a number"),
        ("mmf-gqa", "train_balanced_questions.json", put("t0000000", "imageId", value=OUT), "imageId: '../../etc/passwd.jpg'"),
        ("mmf-nlvr2", "data/train.json", put("identifier", value=OUT), "line 1: identifier '../../etc/passwd'"),
        ("mmf-nlvr2", "data/train.json", put("directory", value=OUT), "line 1: directory '../../etc/passwd'"),
        ("mmf-snli-ve", "snli_ve_train.jsonl", put("Flickr30K_ID", value=OUT), "line 1: Flickr30K_ID '../../etc/passwd'"),
        ("mmf-annotations", "annotations/val.json", put("data", 0, "image_name", value=OUT), "val.json entry 1, image_name: '../../etc/passwd'"),
        ("huggingface", "dataset_dict.json", put("splits", 0, value=OUT), "dataset_dict.json: '../../etc/passwd'"),
        ("huggingface", "train/state.json", put("_data_files", 0, "filename", value=OUT), "state.json: '../../etc/passwd'"),
        ("described", "train/metadata.jsonl", put("file_name", value=OUT), "metadata.jsonl"),
        ("coco", "annotations/captions_train2017.json", put("images", 0, "file_name", value=OUT), "images: '../../etc/passwd'"),
        ("tfds", "shop/1.0.0/dataset_info.json", put("splits", 0, "filepathTemplate", value=OUT), "dataset_info.json: '../../etc/passwd'"),
        ("tfds", "shop/1.0.0/dataset_info.json", put("name", value="../../etc/x"), "dataset_info.json: '../../etc/x-train.tfrecord"),
        # values of another type
        ("nuscenes", "v1.0-mini/sample.json", put(0, "scene_token", value={"a": 1}), "sample.json entry 1: scene_token \"{'a': 1}\"; expected a value"),
        ("mmf-hateful-memes", "data/train.jsonl", put("text", value=["a", "b"]), "train.jsonl line 1: found \"['a', 'b']\"; expected text or a number"),
        ("mmf-hateful-memes", "data/train.jsonl", put("label", value={"a": 1}), "train.jsonl line 1: found \"{'a': 1}\"; expected text or a number"),
        ("mmf-mm-imdb", "dataset/0000005.json", put("title", value=[[1]]), "dataset/0000005.json: found '[[1]]'; expected text or a number"),
        ("mmf-mm-imdb", "split.json", put("dev", 0, value=True), "split.json: id '' in 'dev'; expected text of digits"),
        ("mmf-vqa2", TRAIN_ANSWERS, put("annotations", 0, "answers", 0, "answer", value={"x": 1}), "annotations entry 1: found \"{'x': 1}\""),
        ("mmf-gqa", "train_balanced_questions.json", put("t0000000", "question", value=["a"]), "entry 't0000000': found \"['a']\""),
        ("mmf-petfinder", "train_sentiment/t0001.json", put("language", value={}), "train_sentiment/t0001.json: found '{}'; expected text or a number"),
        ("coco", "annotations/instances_train2017.json", put("images", 0, "id", value={"a": 1}), "entry 1: id \"{'a': 1}\"; expected a value"),
        ("coco", "annotations/instances_train2017.json", put("annotations", 0, "image_id", value=7), "image '7' is not among the images"),
        ("tfds", "shop/1.0.0/dataset_info.json", put("splits", 0, "name", value=[1]), "dataset_info.json: a split \"{'filepathTemplate'"),
        ("tfds", "shop/1.0.0/features.json", put("featuresDict", "features", "label", "classLabel", "numClasses", value="4"),
         "label.labels.txt: 3 classes; expected 4, as features.json states"),
        # tables without rows
        ("nuscenes", "v1.0-mini/sample.json", lambda _: [], "v1.0-mini/sample.json: no samples; expected at least one"),
        ("nuscenes", "v1.0-mini/sample_data.json", lambda _: [], "v1.0-mini/sample_data.json: no file of CAM_FRONT in any sample; expected at least one"),
        ("mmf-vqa2", TRAIN_QUESTIONS, put("questions", value=[]), f"no rows in {TRAIN_QUESTIONS}; expected those of the part train"),
        ("mmf-gqa", "val_balanced_questions.json", lambda _: {}, "no rows in val_balanced_questions.json; expected those of the part valid"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_gives_one_message(name: str, file: str, change: Change, expected: str, out: Path) -> None:
    layout, build = ALL[name]
    tree = build(out.parent / "tree")
    edit(tree / file, change)
    assert expected in message(layout, tree, out)


def test_a_scene_without_objects_is_a_warning(out: Path) -> None:
    tree = TREES["nuscenes"](out.parent / "tree")
    (tree / "v1.0-mini" / "sample_annotation.json").write_text("[]")
    code, warnings, _ = table("nuscenes", tree, out)
    assert code == 0
    assert "sample_annotation.json: no object within 50 m in any sample; the targets are empty" in " ".join(" ".join(warnings).split())


def test_a_shard_that_ends_between_two_members_is_truncated(out: Path) -> None:
    tree = TREES["webdataset"](out.parent / "tree")
    path = tree / "shop-train-000006.tar"
    body = path.read_bytes()
    second = body.index(b"0007.cls")
    assert second % 512 == 0
    path.write_bytes(body[:second])
    assert f"{path}: truncated (the mark at its end is missing); expected a complete tar file; copy it again" in message(
        "webdataset", tree, out
    )


def test_archives_that_were_joined_as_files_are_refused(out: Path) -> None:
    tree = TREES["webdataset"](out.parent / "tree")
    path = tree / "shop-train-000006.tar"
    path.write_bytes(path.read_bytes() + (tree / "shop-train-000012.tar").read_bytes())
    assert f"{path}: data after the end of the archive; expected one archive" in message("webdataset", tree, out)


def test_the_rows_of_each_split_are_counted(out: Path) -> None:
    tree = TREES["mmf-gqa"](out.parent / "tree")
    _, _, lines = table("mmf-gqa", tree, out)
    assert lines[0] == f"wrote {out / 't.csv'}: 60 rows (40 train, 12 valid, 8 test)"
