"""WebDataset shards: samples, types of members, and archives that are refused."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path
from typing import Any

import pytest

from builders.formats import sample_members, samples, shard
from polymodal.errors import DataError
from polymodal.layouts import webdataset
from polymodal.storage import unpacking


def rows(*paths: Path) -> list[dict[str, Any]]:
    return list(webdataset.rows(*paths))


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        rows(path)
    return str(caught.value)


def test_members_of_one_name_are_a_row(tmp_path: Path) -> None:
    one, two = samples(2)
    members = [*sample_members("a/0001", one), *sample_members("./a/0002", two)]
    first, second = rows(shard(tmp_path / "train-000000.tar", members))
    assert first == {
        "__key__": "a/0001", "cls": "0", "price": one.price, "shop_city": "上海", "png": {"bytes": one.png, "path": "x.png"}, "txt": one.text,
        "split": "train",
    }  # fmt: skip
    assert (second["__key__"], second["cls"], second["txt"]) == ("a/0002", "1", two.text)


def test_the_name_ends_at_the_first_dot_and_other_members_are_left_out(tmp_path: Path) -> None:
    members = [
        ("d.e/x.left.jpg", b"L"), ("d.e/x.right.JPEG", b"R"), ("d.e/x.seg.txt", "标签".encode()), ("d.e/x.jpeg", b"J"), ("d.e/x.tags.json", b"[1, 2]"),
        ("__meta__.json", b"no"), (".hidden", b"no"), ("README", b"no"), ("y.txt", b"\xef\xbb\xbfbom"), ("y.index", b" 7\n"),
    ]  # fmt: skip
    first, second = rows(shard(tmp_path / "s.tar", members))
    assert first == {
        "__key__": "d.e/x", "left": {"bytes": b"L", "path": "x.jpg"}, "right": {"bytes": b"R", "path": "x.jpeg"}, "seg": "标签",
        "jpg": {"bytes": b"J", "path": "x.jpeg"}, "tags": [1, 2],
    }  # fmt: skip
    assert second == {"__key__": "y", "txt": "bom", "index": "7"}


def test_keys_of_json_that_are_also_members_have_a_prefix(tmp_path: Path) -> None:
    path = shard(
        tmp_path / "s.tar", [("a.json", b'{"txt": 1, "__key__": "x", "n": 2}'), ("a.txt", b"t"), ("b.more.json", b'{"n": {"m": 3}}')]
    )
    assert rows(path) == [{"__key__": "a", "txt": "t", "json_txt": 1, "json___key__": "x", "n": 2}, {"__key__": "b", "more_n_m": 3}]
    path = shard(tmp_path / "s.tar", [("a.json", b'{"more_n": 1}'), ("a.more.json", b'{"n": 2}')])
    assert "the column 'more_n' of sample 'a' a second time; expected it once" in refused(path)


def test_shards_are_read_in_order_packed_or_not(tmp_path: Path) -> None:
    shard(tmp_path / "train" / "000001.tar", [("0.txt", b"b")])
    shard(tmp_path / "train" / "000000.tar.gz", [("0.txt", b"a")], "w:gz")
    shard(tmp_path / "val-000000.tgz", [("0.txt", b"c")], "w:gz")
    assert [(row["txt"], row["split"]) for row in rows(tmp_path)] == [("c", "valid"), ("a", "train"), ("b", "train")]
    assert [row["txt"] for row in rows(tmp_path / "val-000000.tgz", tmp_path / "train" / "000001.tar")] == ["c", "b"]


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    path = shard(tmp_path / "s.tar", [("a.pyd", b"\x80\x04."), ("a.txt", b"x"), ("b.pyd", b"\x80\x04."), ("b.txt", b"y"), ("b.mp", b"z")])
    with pytest.warns(UserWarning, match="member") as caught:
        found = rows(path)
    assert [str(one.message) for one in caught] == [
        "2 members .pyd are pickles, which can run code; they are left out",
        "1 member .mp is of a format that is not read; it is left out",
    ]
    assert found == [{"__key__": "a", "txt": "x"}, {"__key__": "b", "txt": "y"}]


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        (
            "a.jpg",
            {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd", "size": 0},
            "a link, a device or a sparse file; expected plain files",
        ),
        ("a.jpg", {"type": tarfile.LNKTYPE, "linkname": "b", "size": 0}, "a link, a device or a sparse file"),
        ("a.jpg", {"type": tarfile.CHRTYPE, "size": 0}, "a link, a device or a sparse file"),
        ("a.jpg", {"type": tarfile.FIFOTYPE, "size": 0}, "a link, a device or a sparse file"),
        ("../a.jpg", {}, "a path out of the archive; expected a name below it"),
        ("/etc/a.jpg", {}, "a path out of the archive"),
        ("x/..\\..\\a.jpg", {}, "a path out of the archive"),
        ("k.jpg", {}, "the column 'jpg' of sample 'k' a second time; expected it once"),
        ("k.json", {}, "not UTF-8 text; expected UTF-8, as .json states"),
        ("q.txt", {}, "not UTF-8 text; expected UTF-8, as .txt states"),
    ],
)
def test_hostile_members_are_refused_with_their_name(tmp_path: Path, name: str, changes: dict[str, Any], words: str) -> None:
    said = refused(shard(tmp_path / "s.tar", [("k.jpeg", b"x"), (name, b"\xff\xfe")], **changes))
    assert said.startswith(f"{tmp_path / 's.tar'}, member {name!r}: {words}")


def test_json_that_is_broken_or_no_object(tmp_path: Path) -> None:
    for body, words in ((b"{", "not valid JSON"), (b"[" * 100_000, "not valid JSON"), (b"1" * 5_000, "not valid JSON")):
        assert words in refused(shard(tmp_path / "s.tar", [("k.json", body)])), body[:9]
    assert rows(shard(tmp_path / "s.tar", [("k.json", b"3"), ("l.json", b'{"json": {}}')])) == [
        {"__key__": "k", "json": 3},
        {"__key__": "l", "json": {}},
    ]


def test_a_sample_that_is_not_together_is_refused(tmp_path: Path) -> None:
    path = shard(tmp_path / "s.tar", [("a.txt", b"1"), ("b.txt", b"2"), ("a.cls", b"3")])
    assert "member 'a.cls': the sample 'a' a second time, after others; expected its members side by side" in refused(path)
    assert len(rows(shard(tmp_path / "t.tar", [("a.txt", b"1")]), shard(tmp_path / "u.tar", [("a.txt", b"1")]))) == 2, (
        "names count by shard"
    )


def test_broken_and_truncated_archives_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shard(tmp_path / "s.tar", [("a.txt", b"1" * 2_000), ("b.txt", b"2" * 2_000)])
    body = path.read_bytes()
    for name, part, words in (
        ("short.tar", body[:4_000], "broken or truncated after member 'b.txt'"),
        ("junk.tar", b"junk" * 300, "broken or truncated"),
        ("short.tgz", gzip.compress(body)[:-20], "its end is missing"),
        ("junk.tgz", gzip.compress(body)[:20] + bytes(90), "broken"),
    ):
        (tmp_path / name).write_bytes(part)
        assert words in refused(tmp_path / name), name
    monkeypatch.setattr(unpacking, "BOMB", 2**20)
    shard(tmp_path / "bomb.tgz", [("a.bin", bytes(3_000_000))], "w:gz")
    assert "unpacks to more than 200 times its size" in refused(tmp_path / "bomb.tgz")
    (tmp_path / "e").mkdir()
    assert "no .tar file in the folder; expected WebDataset shards" in refused(tmp_path / "e")
    assert "no such folder" in refused(tmp_path / "missing")


def test_absent_shards_are_reported(tmp_path: Path) -> None:
    shard(tmp_path / "s-00001-of-00003.tar", [("a.txt", b"1")])
    with pytest.warns(UserWarning, match=r"s: 2 of 3 shards are absent \(first 0\); their rows are left out"):
        assert len(rows(tmp_path)) == 1
