"""Folders of pictures in classes or with metadata, and annotations of COCO."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from builders.formats import coco as write_coco
from builders.formats import samples
from polymodal.errors import ConfigError, DataError
from polymodal.layouts import coco, media_folders
from polymodal.layouts.kinds import recognised
from polymodal.layouts.shards import split_of

MADE = samples(3)


def files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def rows(folder: Path, kind: str = "image") -> list[dict[str, Any]]:
    return list(media_folders.rows(folder, kind))


def refused(read: Any, *arguments: Any) -> str:
    with pytest.raises(DataError) as caught:
        list(read(*arguments))
    return str(caught.value)


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("train-00000-of-00001.parquet", "train"), ("imagenet_val_0001.tar", "valid"), ("val2017", "valid"), ("train/0000.parquet", "train"),
        ("a/Validation/x/1.png", "valid"), ("latest.csv", ""), ("contrain.tar", ""), ("测试集/1.tar", "test"), ("dev.jsonl", "valid"), ("test/train-1.tar", "train"),
        ("my_test_data/shop.tar", ""), ("", ""),
    ],
)  # fmt: skip
def test_the_split_that_a_path_states(path: str, split: str) -> None:
    assert split_of(path) == split


# -- folders of files ---------------------------------------------------------------------------------------------------------


def test_classes_and_splits_are_folders(tmp_path: Path) -> None:
    files(
        tmp_path, "train/猫/1.png", "train/dog/2.JPEG", "test/dog/3.webp", "train/dog/notes.md", "train/dog/.hidden.png", "train/dog/a.wav"
    )
    assert rows(tmp_path) == [
        {"image": "test/dog/3.webp", "label": "dog", "split": "test"},
        {"image": "train/dog/2.JPEG", "label": "dog", "split": "train"},
        {"image": "train/猫/1.png", "label": "猫", "split": "train"},
    ]
    assert rows(tmp_path, "audio") == [{"audio": "train/dog/a.wav", "label": "dog", "split": "train"}]
    assert rows(files(tmp_path / "flat", "1.png", "x/2.png")) == [{"image": "1.png"}, {"image": "x/2.png", "label": "x"}]
    assert "no video files in the folder; expected such as train/cat/1.mp4" in refused(media_folders.rows, tmp_path, "video")
    assert "no such folder" in refused(media_folders.rows, tmp_path / "no")


def test_links_that_lead_out_are_left_out(tmp_path: Path) -> None:
    files(tmp_path / "outside", "secret.png")
    files(tmp_path / "d", "a/1.png")
    (tmp_path / "d" / "a" / "2.png").symlink_to(tmp_path / "outside" / "secret.png")
    (tmp_path / "d" / "b").symlink_to(tmp_path / "outside")
    assert [row["image"] for row in rows(tmp_path / "d")] == ["a/1.png"]


def test_metadata_give_the_rows(tmp_path: Path) -> None:
    files(tmp_path, "train/1.png", "train/in/2.png", "test/3.png", "train/4.png")
    (tmp_path / "train" / "metadata.csv").write_text("file_name,text,price\n1.png,你好,2\nin/2.png,b,3\n", encoding="utf-8")
    (tmp_path / "test" / "metadata.jsonl").write_text('{"file_name": "3.png", "text": "c", "box": {"w": 1}, "tags": ["x"]}\n\n')
    with pytest.warns(UserWarning, match="1 of 4 files are in no row of the metadata; they are not in the table"):
        found = rows(tmp_path)
    assert found == [
        {"image": "test/3.png", "text": "c", "box_w": 1, "tags": ["x"], "split": "test"},
        {"image": "train/1.png", "text": "你好", "price": "2", "split": "train"},
        {"image": "train/in/2.png", "text": "b", "price": "3", "split": "train"},
    ]


def test_metadata_may_be_parquet(tmp_path: Path) -> None:
    files(tmp_path, "train/1.png", "train/2.png", "test/3.png")
    lines = [
        {"file_name": "1.png", "n": 1, "box": {"w": 1.5}, "tags": ["x"]},
        {"file_name": "2.png", "n": None, "box": {"w": 2.0}, "tags": []},
    ]
    parquet.write_table(pa.Table.from_pylist(lines), tmp_path / "train" / "metadata.parquet")
    parquet.write_table(pa.Table.from_pylist([{"file_name": "3.png", "n": 3}]), tmp_path / "test" / "metadata.parquet")
    assert rows(tmp_path) == [
        {"image": "test/3.png", "n": 3, "split": "test"},
        {"image": "train/1.png", "n": 1, "box_w": 1.5, "tags": ["x"], "split": "train"},
        {"image": "train/2.png", "n": None, "box_w": 2.0, "tags": [], "split": "train"},
    ]
    assert recognised(tmp_path) == ("imagefolder", "image files and their metadata")
    (tmp_path / "test" / "metadata.parquet").write_bytes(b"PAR1")
    assert "test/metadata.parquet: broken, or not a file of datasets" in refused(media_folders.rows, tmp_path)


def test_metadata_with_several_files_in_a_row(tmp_path: Path) -> None:
    files(tmp_path, "1.png", "2.png", "3.png")
    line = {"front_file_name": "1.png", "others_file_names": ["2.png", "3.png"], "mask_file_name": None, "label": "a"}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(line))
    with pytest.warns(UserWarning, match="2 of 3 files are in no row"):
        assert rows(tmp_path) == [{"front": "1.png", "others": ["2.png", "3.png"], "mask": None, "label": "a"}]


def test_broken_and_hostile_metadata_are_refused(tmp_path: Path) -> None:
    files(tmp_path, "1.png")
    for name, text, words in (
        ("csv", "file_name,text\n../../etc/passwd,x\n", "metadata.csv row 1: '../../etc/passwd'; expected the name of a file below the folder"),
        ("csv", "file_name,text\n/etc/passwd,x\n", "metadata.csv row 1: '/etc/passwd'; expected the name of a file below the folder"),
        ("csv", "file_name,text\n2.png,x\n", "1 of 1 file does not exist, or is outside the folder (first '2.png')"),
        ("csv", "text,label\nx,y\n", "no column 'file_name'; expected the file of each row"),
        ("csv", "file_name,image\n1.png,y\n", "two columns become 'image'; expected one"),
        ("jsonl", '{"file_name": ["1.png", 3]}', "'3'; expected the name of a file below the folder"),
        ("jsonl", "[1]", "expected a JSON object in each line"), ("jsonl", "{", "expected a JSON object in each line"), ("jsonl", "[" * 100_000, "expected a JSON object in each line"),
    ):  # fmt: skip
        path = tmp_path / f"metadata.{name}"
        path.write_text(text)
        assert words in refused(media_folders.rows, tmp_path), text[:40]
        path.unlink()


# -- COCO ----------------------------------------------------------------------------------------------------------------------


def test_every_caption_is_a_row_with_the_labels_of_its_picture(tmp_path: Path) -> None:
    write_coco(tmp_path, "train2017", MADE[:2])
    write_coco(tmp_path, "val2017", MADE[2:])
    found = list(coco.rows(tmp_path))
    assert found[0] == {
        "image": "train2017/000000000000.png", "image_id": "500", "caption": f"{MADE[0].text} 0", "labels": ["red"], "split": "train",
    }  # fmt: skip
    assert [(row["image_id"], row["labels"], row["split"]) for row in found] == [
        ("500", ["red"], "train"), ("500", ["red"], "train"), ("501", ["green"], "train"), ("501", ["green"], "train"),
        ("500", ["blue"], "valid"), ("500", ["blue"], "valid"),
    ]  # fmt: skip
    assert {tuple(row) for row in coco.rows(tmp_path, only="captions")} == {("image", "image_id", "caption", "split")}
    labels = list(coco.rows(tmp_path, only="labels"))
    assert [tuple(row) for row in labels] == [("image", "image_id", "labels", "split")] * 3
    with pytest.raises(ConfigError, match="expected captions or labels"):
        coco.rows(tmp_path, only="boxes")  # type: ignore[arg-type]


def test_labels_are_the_categories_in_their_order(tmp_path: Path) -> None:
    files(tmp_path, "train/a.png", "train/b.png", "train/c.png")
    notes = {
        "categories": [{"id": 2, "name": "z"}, {"id": 1, "name": "狗"}], "annotations": [{"image_id": 8, "category_id": 1}, {"image_id": 8, "category_id": 2}],
        "images": [{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "b.png"}, {"id": 9, "file_name": "d.png"}],
    }  # fmt: skip
    (tmp_path / "train" / "_annotations.coco.json").write_text(json.dumps(notes, indent=1))
    with pytest.warns(UserWarning, match=r"1 of 3 files do not exist, or are outside the folder \(first 'train/d.png'\)"):
        found = list(coco.rows(tmp_path))
    assert [(row["image"], row["labels"], row["split"]) for row in found] == [
        ("train/a.png", [], "train"), ("train/b.png", ["z", "狗"], "train"), ("", [], "train"),
    ]  # fmt: skip


def test_large_documents_are_read_entry_by_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polymodal.layouts.json_stream._CHUNK", 7)  # values and names continue in the next part
    write_coco(tmp_path, "train2017", MADE)
    assert [row["caption"] for row in coco.rows(tmp_path)] == [f"{one.text} {number}" for one in MADE for number in range(2)]


def test_broken_and_hostile_annotations_are_refused(tmp_path: Path) -> None:
    assert "no annotations of COCO; expected annotations/captions_*.json" in refused(coco.rows, tmp_path)
    path = tmp_path / "captions_train.json"
    picture = {"id": 1, "file_name": "a.png"}
    files(tmp_path, "a.png")
    for notes, words in (
        ([], "expected an object with a list 'images'"), ({"images": [picture]}, "no list 'annotations'"), ({"imagse": []}, "no list 'images'; expected an object with it; did you mean 'imagse'?"),
        ({"images": [{"id": 1}], "annotations": []}, "images entry 1: no 'file_name'; expected id, file_name"),
        ({"images": [{"id": 1, "file_name": "../x"}], "annotations": []}, "'../x'; expected the name of a file below the folder"),
        ({"images": [picture], "annotations": [{"image_id": 5, "caption": "x"}]}, "annotation 1: image '5' is not among the images"),
        ({"images": 3, "annotations": []}, "images: found '3"), ({"images": [3]}, "images entry 1: found '3'; expected an object"),
        ("{", "invalid or truncated JSON"), ('{"images": [{"id": 1', "invalid or truncated JSON"), ('{"images" [', "invalid or truncated JSON"), ("", "found ''; expected an object"),
        ('{"other": [1, 2', "invalid or truncated JSON"), ("[" * 100_000, "expected an object"), ('{"a": ' + "[" * 100_000, "invalid or truncated JSON"),
    ):  # fmt: skip
        path.write_text(notes if isinstance(notes, str) else json.dumps(notes))
        assert words in refused(coco.rows, tmp_path), str(notes)[:40]
    path.write_bytes(b"\xff\xfe")
    assert "not UTF-8 text" in refused(coco.rows, tmp_path)
    path.unlink()
    notes = {"images": [picture], "categories": [], "annotations": [{"image_id": 1, "category_id": 4}]}
    (tmp_path / "instances_train.json").write_text(json.dumps(notes))
    assert "annotation 1: category '4' is not among the categories" in refused(coco.rows, tmp_path)
    files(tmp_path / "x", "instances_train.json")
    assert "expected one file of instances for 'train'" in refused(coco.rows, tmp_path)
