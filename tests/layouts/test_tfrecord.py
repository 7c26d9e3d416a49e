"""TFRecord files: messages, checksums, compression, and files that are refused with the number of the record."""

from __future__ import annotations

import contextlib
import gzip
import random
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders.formats import checksum, chunk, example, record, sequence_example, varint
from polymodal.errors import DataError
from polymodal.layouts import tfrecord
from polymodal.layouts.crc32c import crc32c, masked_crc
from polymodal.storage import unpacking

PNG = b"\x89PNG\r\n\x1a\n\xff"


def write(path: Path, *bodies: bytes, packed: Any = bytes) -> Path:
    path.write_bytes(packed(b"".join(map(record, bodies))))
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    return list(tfrecord.rows(path))


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        rows(path)
    return str(caught.value)


def test_the_checksum_of_any_length() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"") == 0
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    rng = random.Random(0)
    for length in (1, 511, 512, 513, 1_000, 1_023, 1_024, 1_025, 4_097, 10_007):
        body = rng.randbytes(length)
        assert masked_crc(body) == checksum(body), length


def test_features_become_cells(tmp_path: Path) -> None:
    features: dict[str, Any] = {
        "image/encoded": [PNG],
        "text": ["你好"],
        "n": [-3],
        "x": [0.1],
        "many": [1, 2],
        "words": ["a", "b"],
        "none": [],
        "raw": [b"\0\1"],
    }
    (row,) = rows(write(tmp_path / "shop-train.tfrecord", example(features)))
    assert row["image_encoded"] == {"bytes": PNG, "path": None}
    assert (row["text"], row["n"], row["many"], row["words"], row["none"]) == ("你好", -3, [1, 2], ["a", "b"], None)
    assert (row["x"], type(row["x"])) == (np.float32(0.1), np.float32)
    assert row["raw"] == {"bytes": b"\0\1", "path": None}
    assert row["split"] == "train"
    assert list(row) == ["image_encoded", "many", "n", "none", "raw", "text", "words", "x", "split"]


def test_values_that_are_not_packed_are_read(tmp_path: Path) -> None:
    integers = chunk(3, varint(1 << 3) + varint(5) + varint(1 << 3) + varint(-1))
    floats = chunk(2, varint(1 << 3 | 5) + np.float32(2.5).tobytes())
    body = chunk(1, chunk(1, chunk(1, b"n") + chunk(2, integers)) + chunk(1, chunk(1, b"x") + chunk(2, floats)))
    (row,) = rows(write(tmp_path / "t.tfrecord", body))
    assert (row["n"], float(row["x"])) == ([5, -1], 2.5)


def test_lists_of_features_become_arrays_and_lists(tmp_path: Path) -> None:
    body = sequence_example(
        {"id": [7]}, {"x": [[0.0, 0.5], [1.0, 1.5]], "n": [[1], [2], [3]], "w": [["a"], ["b"]], "u": [[1], [2, 3]], "e": []}
    )
    (row,) = rows(write(tmp_path / "t.tfrecord", body))
    assert row["x"].tolist() == [[0.0, 0.5], [1.0, 1.5]]
    assert row["n"].tolist() == [[1], [2], [3]]
    assert (row["id"], row["w"], row["u"], row["e"]) == (7, ["a", "b"], [[1], [2, 3]], [])


@pytest.mark.parametrize("packed", [gzip.compress, zlib.compress, lambda body: gzip.compress(body[:40]) + gzip.compress(body[40:])])
def test_compressed_files_give_the_same_rows(tmp_path: Path, packed: Any) -> None:
    bodies = [example({"n": [at], "t": ["x" * 700]}) for at in range(50)]
    assert rows(write(tmp_path / "a.tfrecord", *bodies, packed=packed)) == rows(write(tmp_path / "b.tfrecord", *bodies))


def test_broken_records_are_refused_with_their_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = record(example({"n": [1]}))
    path = tmp_path / "t.tfrecord"
    for body, words in (
        (good + good[:8] + bytes(4) + good[12:], "record 2: broken (the checksum of its length is wrong)"),
        (good + good[:-1] + b"\0", "record 2: broken (the checksum of its data is wrong)"),
        (good + good[:-5] + b"\xff" + good[-4:], "record 2: broken (the checksum of its data is wrong)"),
        (good + good[:5], "record 2: truncated (7 bytes are missing)"),
        (good + good[:-9], "record 2: truncated (9 bytes are missing)"),
        (b"not a record at all", "record 1: no TFRecord (the checksum of the first length is wrong); expected a TFRecord file"),
        (record(b"\xff\xff\xff"), "record 1: a number that does not end; expected a message tf.train.Example"),
        (record(chunk(1, chunk(1, chunk(1, b"\xff") + chunk(2, b"")))), "record 1: a name of a feature that is not UTF-8"),
        (record(varint(1 << 3 | 2) + varint(2**40)), "record 1: a field that is longer than its message"),
        (record(varint(1 << 3 | 3)), "record 1: wire type 3; expected 0, 1, 2 or 5"),
        (record(chunk(9, b"")), "record 1: field 9 of wire type 2; expected features"),
        (record(example({"a/b": [1], "a_b": [2]})), "record 1: two features whose names differ only in '/' and '_'"),
        (gzip.compress(good)[:-9], "its end is missing"),
    ):
        path.write_bytes(body)
        assert words in refused(path), words
        assert str(path) in refused(path)
    length = (2**40).to_bytes(8, "little")
    path.write_bytes(length + checksum(length).to_bytes(4, "little"))
    assert "record 1: 1,099,511,627,776 bytes; expected at most 1,073,741,824" in refused(path)
    monkeypatch.setattr(unpacking, "BOMB", 2**20)
    write(path, bytes(3_000_000), packed=gzip.compress)
    assert "unpacks to more than 200 times its size" in refused(path)


def test_files_and_folders_that_are_absent_or_empty_are_refused(tmp_path: Path) -> None:
    assert "no TFRecord file in the folder; expected files such as train.tfrecord" in refused(tmp_path)
    assert "no such folder" in refused(tmp_path / "no")
    with pytest.raises(DataError, match="no such file; expected TFRecord files, or a single folder"):
        list(tfrecord.rows(tmp_path / "a", tmp_path / "b"))
    write(tmp_path / "train-00000-of-00002", example({"n": [1]}))
    with pytest.warns(UserWarning, match="1 of 2 shards are absent"):
        assert rows(tmp_path) == [{"n": 1, "split": "train"}]


def test_any_bytes_end_in_a_message(tmp_path: Path) -> None:
    messages = []
    for at in range(200):
        path = write(tmp_path / "x.tfrecord", random.Random(at).randbytes(60))
        with contextlib.suppress(DataError):
            rows(path)
            continue
        messages.append(refused(path))
    assert len(messages) > 150
    assert all("record 1: " in message for message in messages)
