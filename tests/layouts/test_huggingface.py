"""Data sets of Hugging Face: what features become, the files that are read, and folders that are refused."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from builders.formats import (
    FILE,
    SAMPLE_FEATURES,
    arrow_table,
    dataset_dict,
    sample_table,
    samples,
    save_to_disk,
    value,
    write_parquet,
)
from polymodal.errors import DataError
from polymodal.layouts import huggingface

MADE = samples(7)


def rows(folder: Path) -> list[dict[str, Any]]:
    return list(huggingface.rows(folder))


def refused(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        rows(folder)
    return str(caught.value)


def is_sample(row: dict[str, Any], at: int) -> bool:
    one = MADE[at]
    return bool(
        row["image"] == {"bytes": one.png, "path": None}
        and (row["text"], row["label"]) == (one.text, one.name)
        and row["price"] == np.float32(one.price)
    )


def test_a_folder_of_one_split_in_shards(tmp_path: Path) -> None:
    save_to_disk(tmp_path / "d", sample_table(MADE), SAMPLE_FEATURES, shards=3, batch=2)
    found = rows(tmp_path / "d")
    assert all(is_sample(row, at) for at, row in enumerate(found))
    assert (len(found), list(found[0])) == (7, ["image", "text", "price", "label"])
    save_to_disk(tmp_path / "e", sample_table(MADE), SAMPLE_FEATURES, split="validation")
    assert {row["split"] for row in rows(tmp_path / "e")} == {"valid"}


def test_a_folder_of_splits(tmp_path: Path) -> None:
    found = rows(dataset_dict(tmp_path, {"train": MADE[:4], "test": MADE[4:], "unsupervised": MADE[:1]}))
    assert [row["split"] for row in found] == ["train"] * 4 + ["test"] * 3 + ["unsupervised"]
    assert all(is_sample(row, at) for at, row in enumerate(found[:7]))


def test_parquet_files_by_split(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data" / "test-00000-of-00001.parquet", sample_table(MADE[4:]))
    write_parquet(tmp_path / "data" / "train-00000-of-00002.parquet", sample_table(MADE[:2]))
    write_parquet(tmp_path / "data" / "train-00001-of-00002.parquet", sample_table(MADE[2:4]))
    found = rows(tmp_path)
    assert [row["split"] for row in found] == ["train"] * 4 + ["test"] * 3
    assert all(is_sample(row, at) for at, row in enumerate(found))
    assert [row["label"] for row in rows(tmp_path / "data" / "test-00000-of-00001.parquet")] == [one.name for one in MADE[4:]]
    (tmp_path / "data" / "train-00000-of-00002.parquet").unlink()
    with pytest.warns(UserWarning, match="1 of 2 shards are absent"):
        assert len(rows(tmp_path)) == 5
    write_parquet(tmp_path / "data" / "more.parquet", sample_table(MADE))
    assert "'data/more.parquet' states no split as other files do" in refused(tmp_path)
    for config in ("en", "fr"):
        write_parquet(tmp_path / "c" / config / "train" / "0000.parquet", sample_table(MADE))
    assert "files in 2 folders ('en', 'fr'); expected one data set; name one folder" in refused(tmp_path / "c")
    assert len(rows(tmp_path / "c" / "fr")) == 7


def test_every_feature_becomes_a_cell(tmp_path: Path) -> None:
    features: dict[str, Any] = {
        "sound": {"sampling_rate": 8000, "_type": "Audio"}, "views": {"feature": {"_type": "Image"}, "_type": "List"},
        "grid": {"shape": [2, 2], "dtype": "float32", "_type": "Array2D"}, "tags": {"feature": value("string"), "length": -1, "_type": "Sequence"},
        "kinds": {"feature": {"names": ["a", "b"], "_type": "ClassLabel"}, "_type": "List"}, "vector": {"feature": value("float32"), "_type": "List"},
        "box": {"w": value("int64"), "in": {"h": value("float32")}}, "answers": {"feature": {"text": value("string"), "at": value("int32")}, "_type": "Sequence"},
        "items": {"feature": {"q": value("string")}, "_type": "List"}, "old": [value("int64")], "when": value("timestamp[s]"),
        "tr": {"languages": ["en", "zh"], "_type": "Translation"}, "none": {"names": ["x"], "_type": "ClassLabel"}, "future": {"_type": "Unknown"},
    }  # fmt: skip
    row = {
        "sound": {"bytes": b"RIFF", "path": "a/b.wav"}, "views": [{"bytes": b"1", "path": None}, {"bytes": b"2", "path": None}],
        "grid": [[1.0, 2.0], [3.0, 4.5]], "tags": ["x", "y"], "kinds": [1, 0, -1], "vector": [0.1, 0.2], "box": {"w": 3, "in": {"h": 0.5}},
        "answers": {"text": ["t", "u"], "at": [4, 5]}, "items": [{"q": "?"}], "old": [1, 2], "when": datetime.datetime(2024, 1, 2),
        "tr": {"en": "hi", "zh": "你好"}, "none": -1, "future": "f",
    }  # fmt: skip
    types = {
        "sound": FILE, "views": pa.list_(FILE), "grid": pa.list_(pa.list_(pa.float32())), "tags": pa.list_(pa.string()), "kinds": pa.list_(pa.int64()),
        "vector": pa.list_(pa.float32()), "box": pa.struct([("w", pa.int64()), ("in", pa.struct([("h", pa.float32())]))]),
        "answers": pa.struct([("text", pa.list_(pa.string())), ("at", pa.list_(pa.int32()))]), "items": pa.list_(pa.struct([("q", pa.string())])),
        "old": pa.list_(pa.int64()), "when": pa.timestamp("s"), "tr": pa.struct([("en", pa.string()), ("zh", pa.string())]), "none": pa.int64(),
        "future": pa.string(),
    }  # fmt: skip
    save_to_disk(tmp_path, arrow_table([row, dict.fromkeys(row)], features, types), features)
    first, second = rows(tmp_path)
    assert first.pop("grid").tolist() == [[1.0, 2.0], [3.0, 4.5]]
    assert first.pop("vector").tolist() == [np.float32(0.1), np.float32(0.2)]
    assert first == {
        "sound": {"bytes": b"RIFF", "path": "a/b.wav"}, "views": [{"bytes": b"1", "path": None}, {"bytes": b"2", "path": None}], "tags": ["x", "y"],
        "kinds": ["b", "a", None], "box_w": 3, "box_in_h": 0.5, "answers_text": ["t", "u"], "answers_at": [4, 5], "items": [{"q": "?"}], "old": [1, 2],
        "when": datetime.datetime(2024, 1, 2), "tr_en": "hi", "tr_zh": "你好", "none": None, "future": "f",
    }  # fmt: skip
    assert set(second.values()) == {None}


def test_files_outside_the_data_set_are_named_below_the_folder(tmp_path: Path) -> None:
    features = {"image": {"_type": "Image"}}
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "1.png").write_bytes(b"x")
    names = ["p/1.png", str(tmp_path / "p" / "1.png"), "/etc/passwd", "../x.png", None]
    table = arrow_table([{"image": {"bytes": None, "path": name}} for name in names], features, {"image": FILE})
    save_to_disk(tmp_path, table, features)
    with pytest.warns(UserWarning, match="files") as caught:
        assert [row["image"] for row in rows(tmp_path)] == ["p/1.png", "p/1.png", None, None, None]
    assert "2 of 4 files do not exist, or are outside the folder (first '/etc/passwd')" in str(caught[0].message)
    assert f"2 files are not in the data set but below {tmp_path}; train with --root {tmp_path}" in str(caught[1].message)


def test_the_features_of_the_schema_or_of_the_description_are_used(tmp_path: Path) -> None:
    plain = sample_table(MADE).replace_schema_metadata(None)
    save_to_disk(tmp_path, plain, SAMPLE_FEATURES)
    assert is_sample(rows(tmp_path)[3], 3)
    (tmp_path / "dataset_info.json").unlink()
    assert [row["label"] for row in rows(tmp_path)] == [one.label for one in MADE]
    assert rows(tmp_path)[0]["image"] == {"bytes": MADE[0].png, "path": None}


def test_broken_and_hostile_folders_are_refused(tmp_path: Path) -> None:
    assert "no such folder; expected the folder of a data set of Hugging Face" in refused(tmp_path / "no")
    (tmp_path / "e").mkdir()
    assert "no data set of Hugging Face; expected state.json or dataset_dict.json" in refused(tmp_path / "e")
    folder = save_to_disk(tmp_path / "d", sample_table(MADE), SAMPLE_FEATURES)
    state, file = folder / "state.json", folder / "data-00000-of-00001.arrow"
    body = file.read_bytes()
    for part, words in (
        (body[:-8], "truncated, or no Arrow stream"), (body[:3_000], "truncated"), (b"junk", "truncated, or no Arrow stream"), (b"", "truncated"),
        (b"junk" + body[-8:], "broken, or not a file of datasets"), (body[:2] + b"\1" + body[3:], "broken, or not a file of datasets"),
        (b"ARROW1\0\0" + body, "broken, or not a file of datasets"),
    ):  # fmt: skip
        file.write_bytes(part)
        assert f"{file}: {words}" in refused(folder)
    file.unlink()
    assert "no file 'data-00000-of-00001.arrow', or it is outside the folder" in refused(folder)
    file.symlink_to("/etc/passwd")
    assert "or it is outside the folder" in refused(folder)
    for text, words in (
        ("[]", "state.json: not a JSON object"), ("{", "state.json: not a JSON object"), ("{}", "state.json: no _data_files"),
        (json.dumps({"_data_files": [{"filename": "../x.arrow"}]}), "'../x.arrow'; expected the name of a file below the folder"),
        (json.dumps({"_data_files": [{"filename": "/x.arrow"}]}), "'/x.arrow'; expected the name of a file below the folder"),
        (json.dumps({"_data_files": [], "_indices_data_files": [{"filename": "i"}]}), "rows are selected by an index file of an old version"),
    ):  # fmt: skip
        state.write_text(text)
        assert words in refused(folder), text
    (tmp_path / "m").mkdir()
    for splits, words in ((["../d"], "'../d'; expected the name of a file below"), ([], "no splits"), ("x", "no splits")):
        (tmp_path / "m" / "dataset_dict.json").write_text(json.dumps({"splits": splits}))
        assert words in refused(tmp_path / "m")
    (tmp_path / "m" / "dataset_dict.json").unlink()
    table = arrow_table([{"a": {"b": 1}, "a_b": 2}], {"a": {"b": value("int64")}}, {"a": pa.struct([("b", pa.int64())]), "a_b": pa.int64()})
    write_parquet(tmp_path / "m" / "x.parquet", table)
    assert "two columns are named 'a_b'" in refused(tmp_path / "m")
    nested: Any = value("int64")
    for _ in range(12):
        nested = {"feature": nested, "_type": "List"}
    write_parquet(tmp_path / "m" / "x.parquet", arrow_table([{"a": 1}], {"a": nested}, {"a": pa.int64()}))
    assert "features nested more than 8 deep" in refused(tmp_path / "m")


def test_invalid_features_are_read_as_plain_values(tmp_path: Path) -> None:
    invalid: tuple[dict[str, Any], ...] = (
        {"label": {"names": 3, "_type": "ClassLabel"}},
        {"label": {"_type": "ClassLabel"}},
        {"label": []},
        {"label": {"_type": "List"}},
        {"label": 3},
    )
    for features in invalid:
        write_parquet(tmp_path / "x.parquet", arrow_table([{"label": 1}], features, {"label": pa.int64()}))
        assert rows(tmp_path) == [{"label": 1}], features
