"""Folders of TensorFlow Datasets: what features become, and folders that are refused."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders.formats import example, record, tensor, tfds_feature, tfds_folder
from polymodal.errors import DataError
from polymodal.layouts import tfds

TEXT, IMAGE, LABEL = (
    tfds_feature("text"),
    tfds_feature("image", shape={"dimensions": ["1", "1", "3"]}),
    tfds_feature("classLabel", numClasses="2"),
)


def listed(feature: Any) -> Any:
    return tfds_feature("sequence", feature=feature, length="-1")


def rows(folder: Path) -> list[dict[str, Any]]:
    return list(tfds.rows(folder))


def refused(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        rows(folder)
    return str(caught.value)


def test_every_feature_becomes_a_cell(tmp_path: Path) -> None:
    features = {
        "image": IMAGE, "views": listed(IMAGE), "film": tfds_feature("video", shape={}, encodingFormat="png"), "text": TEXT, "words": listed(TEXT),
        "label": LABEL, "kinds": listed(LABEL), "other": LABEL, "x": tensor("float32"), "d": tensor("float64"), "n": tensor("int64"), "ok": tensor("bool"),
        "vector": tensor("float32", 3), "grid": tensor("float32", -1, 2), "bytes": tensor("uint8", 2, 2), "packed": tensor("int32", 3, encoding="zlib"),
        "raw": tensor("float32", 2, encoding="bytes"), "any": tensor("float32", -1, -1, encoding="zlib"), "name": tensor("string"), "ints": listed(tensor("int64")),
        "boxes": listed(tfds_feature("boundingBox", shape={"dimensions": ["4"]}, dtype="float32")), "rag": listed(listed(tensor("int64"))),
        "objects": listed(tfds_feature("featuresDict", features={"kind": LABEL, "size": tensor("float32")})),
        "in": tfds_feature("featuresDict", features={"t": TEXT}), "tr": tfds_feature("translation", languages=["en", "zh"]),
    }  # fmt: skip
    body = example({
        "image": [b"1"], "views": [b"2", b"3"], "film": [b"4", b"5"], "text": ["你好"], "words": ["a", "b"], "label": [1], "kinds": [0, 1], "other": [-1],
        "x": [0.1], "d": [0.25], "n": [-5], "ok": [1], "vector": [1.0, 2.0, 0.1], "grid": [1.0, 2.0, 3.0, 4.0], "bytes": [1, 2, 3, 255],
        "packed": [zlib.compress(np.arange(3, dtype="<i4").tobytes())], "raw": [np.array([1, 2], "<f4").tobytes()], "any/shape": [1, 2],
        "any/value": [zlib.compress(np.array([[7, 8]], "<f4").tobytes())], "name": ["n"], "ints": [], "boxes": [0.0, 0.0, 0.5, 1.0] * 2,
        "rag/ragged_flat_values": [1, 2, 3], "rag/ragged_row_lengths_0": [1, 0, 2], "objects/kind": [1], "objects/size": [0.5], "in/t": ["deep"],
        "tr/en": ["hi"], "tr/zh": ["你"],
    })  # fmt: skip
    tfds_folder(
        tmp_path / "shop" / "1.0.0", features, {"train": [body]}, {"label": ["cat", "狗"], "kinds": ["a", "b"], "objects-kind": ["p", "q"]}
    )
    (row,) = rows(tmp_path)
    arrays = {name: row.pop(name) for name in ("vector", "grid", "bytes", "packed", "raw", "any", "boxes", "objects_size")}
    assert {name: array.tolist() for name, array in arrays.items()} == {
        "vector": [1.0, 2.0, np.float32(0.1)], "grid": [[1.0, 2.0], [3.0, 4.0]], "bytes": [[1, 2], [3, 255]], "packed": [0, 1, 2], "raw": [1.0, 2.0],
        "any": [[7.0, 8.0]], "boxes": [[0.0, 0.0, 0.5, 1.0]] * 2, "objects_size": [0.5],
    }  # fmt: skip
    assert arrays["bytes"].dtype == np.uint8
    file = [{"bytes": str(number).encode(), "path": None} for number in range(6)]
    assert row == {
        "image": file[1], "views": file[2:4], "film": file[4:6], "text": "你好", "words": ["a", "b"], "label": "狗", "kinds": ["a", "b"], "other": None,
        "x": np.float32(0.1), "d": 0.25, "n": -5, "ok": True, "name": "n", "ints": None, "rag": [[1], [], [2, 3]], "objects_kind": ["q"], "in_t": "deep",
        "tr_en": "hi", "tr_zh": "你", "split": "train",
    }  # fmt: skip


def test_sounds_become_wav_files(tmp_path: Path) -> None:
    def sound(**facts: Any) -> Any:
        return tfds_feature(
            "audio", **{"shape": {"dimensions": ["-1"]}, "dtype": "int64", "encoding": "NONE", "sampleRate": "8000"} | facts
        )

    features = {
        "a": sound(),
        "b": sound(shape={"dimensions": ["-1", "2"]}),
        "c": sound(sampleRate="0"),
        "d": sound(encoding="BYTES", fileFormat="MP3"),
    }
    body = example({"a": [0, 100, -100], "b": [1, 2, 3, 70_000], "c": [1, 2], "d": [b"file"]})
    (row,) = rows(tfds_folder(tmp_path / "s" / "1.0.0", features, {"train": [body]}))
    assert row["a"]["bytes"][:4] + row["a"]["bytes"][8:16] == b"RIFFWAVEfmt "
    assert np.frombuffer(row["a"]["bytes"][44:], "<i2").tolist() == [0, 100, -100]
    assert (row["a"]["bytes"][22], int.from_bytes(row["a"]["bytes"][24:28], "little")) == (1, 8_000)
    assert (row["b"]["bytes"][22], row["b"]["bytes"][34]) == (2, 32)
    assert (row["c"].tolist(), row["d"]) == ([1, 2], {"bytes": b"file", "path": "x.mp3"})
    soundfile = pytest.importorskip("soundfile")
    (tmp_path / "a.wav").write_bytes(row["a"]["bytes"])
    samples, rate = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert (samples.tolist(), rate) == ([0, 100, -100], 8_000)


def test_splits_follow_the_description(tmp_path: Path) -> None:
    bodies = [example({"n": [at]}) for at in range(5)]
    folder = tfds_folder(tmp_path / "s" / "2.0.0", {"n": tensor("int64")}, {"validation": bodies[:2], "train": bodies[2:], "extra": []})
    assert [(row["n"], row["split"]) for row in rows(tmp_path)] == [(0, "valid"), (1, "valid"), (2, "train"), (3, "train"), (4, "train")]
    (folder / "s-train.tfrecord-00000-of-00001").write_bytes(b"".join(map(record, bodies[2:4])))
    assert "s-train.tfrecord-00000-of-00001: 2 records; expected 3, as dataset_info.json states; copy the file again" in refused(tmp_path)
    (folder / "s-train.tfrecord-00000-of-00001").unlink()
    assert "no file 's-train.tfrecord-00000-of-00001', or it is outside the folder; expected the shards of split 'train'" in refused(
        tmp_path
    )
    tfds_folder(tmp_path / "s" / "3.0.0", {"n": tensor("int64")}, {"train": bodies})
    assert "2 data sets (" in refused(tmp_path)
    assert len(rows(tmp_path / "s" / "3.0.0")) == 5


def test_examples_that_contradict_their_features_are_refused(tmp_path: Path) -> None:
    cases: list[tuple[Any, list[Any], str]] = [
        (LABEL, [9], "feature 'f': IndexError"), (LABEL, ["cat"], "feature 'f': TypeError"), (TEXT, [b"\xff"], "feature 'f': UnicodeDecodeError"),
        (tensor("int64", 2), [1, 2, 3], "feature 'f': ValueError (cannot reshape"), (tensor("int8", 1), [300], "feature 'f': OverflowError"),
        (tensor("int32", 1, encoding="zlib"), [b"junk"], "feature 'f': error"), (tensor("int64"), ["x"], "feature 'f': ValueError"),
        (tensor("int32", 1, encoding="bytes"), [b"123"], "feature 'f': ValueError"),
        (tfds_feature("audio", shape=3, sampleRate="8000"), [1], "feature 'f': AttributeError"),
    ]  # fmt: skip
    for number, (feature, values, words) in enumerate(cases):
        folder = tfds_folder(tmp_path / str(number) / "1.0.0", {"f": feature}, {"train": [example({"f": values})]}, {"f": ["a", "b"]})
        assert f"record 1, {words}" in refused(folder), words
        assert "expected what features.json states" in refused(folder)
    folder = tfds_folder(tmp_path / "r" / "1.0.0", {"f": listed(listed(tensor("int64")))},
                         {"train": [example({"f/ragged_flat_values": [1], "f/ragged_row_lengths_0": [5]})]})  # fmt: skip
    assert "row lengths that do not add up" in refused(folder)


def test_broken_and_hostile_descriptions_are_refused(tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "no")
    assert "no features.json in the folder; expected a TFDS data set, such as mnist/3.0.1" in refused(tmp_path)
    folder = tfds_folder(tmp_path / "s" / "1.0.0", {"n": tensor("int64")}, {"train": [example({"n": [1]})]})
    info, features = folder / "dataset_info.json", folder / "features.json"
    good = json.loads(info.read_text())
    for changed, words in (
        ({"fileFormat": "array_record"}, "file format 'array_record'; expected tfrecord; prepare the data set again"),
        ({"splits": []}, "no splits"), ({"splits": 3}, "no splits"), ({"splits": [3]}, "a split '3'; expected its name and shardLengths"),
        ({"splits": [{"name": "train", "shardLengths": ["x"]}]}, "expected its name and shardLengths"),
        ({"splits": [{"name": "../../x", "shardLengths": ["1"], "filepathTemplate": "{SPLIT}"}]}, "'../../x'; expected the name of a file below"),
        ({"splits": [{"name": "t", "shardLengths": ["1"], "filepathTemplate": "/etc/passwd"}]}, "'/etc/passwd'; expected the name of a file below"),
    ):  # fmt: skip
        info.write_text(json.dumps(good | changed))
        assert words in refused(folder), words
    info.write_text(json.dumps(good))
    for text, words in (
        ("[", "features.json: not a JSON object"), ("{}", "features.json: no features; expected a FeaturesDict"),
        (json.dumps({"type": "old", "content": "{}"}), "no features; expected a FeaturesDict of TFDS"),
        (json.dumps(tfds_feature("featuresDict", features={"a": 3})), "a is no feature"),
        (json.dumps(tfds_feature("featuresDict", features={"a/b": TEXT, "a_b": TEXT})), "two features are named 'a_b'"),
        (json.dumps(tfds_feature("featuresDict", features={"a": tensor("int64", "x")})), "not features of TFDS"),  # type: ignore[arg-type]
        (json.dumps({"featuresDict": {"features": {"t": {"translation": {"languages": 3}}}}}), "not features of TFDS"),
    ):  # fmt: skip
        features.write_text(text)
        assert words in refused(folder), text
    features.write_text(json.dumps(tfds_feature("featuresDict", features={"n": {"pythonClassName": "my.Thing", "mine": {}}})))
    with pytest.warns(UserWarning, match="'n' is a Thing, which is read as it is stored"):
        assert rows(folder) == [{"n": 1, "split": "train"}]
