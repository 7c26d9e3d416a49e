"""Tables and files in an object store (here: in the memory of this process), and what is never fetched."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import polymodal as pm
from polymodal.data.sources import folder_of, open_source
from polymodal.errors import ConfigError, DataError, MissingDependency
from polymodal.modalities import Roots
from polymodal.outputs import check_path
from polymodal.remote import Remote, is_remote, scheme_of
from polymodal.training.events import Event, StepEvent
from polymodal.training.observers import Observer

SETTINGS = ("training.epochs=2", "training.baselines=false", "model.trees=null")
SHOP = "memory://bucket/shop"


@pytest.fixture
def store() -> Iterator[Any]:
    files = fsspec.filesystem("memory")
    files.store.clear()
    yield files
    files.store.clear()


@pytest.fixture
def frame(store: Any) -> pd.DataFrame:
    """A table whose pictures are in the store, 60 rows."""
    rows = []
    for at in range(60):
        body = io.BytesIO()
        Image.fromarray(np.full((16, 16, 3), [200 if at % 2 else 20, 30, 30], np.uint8)).save(body, "PNG")
        store.pipe(f"/bucket/shop/img/{at}.png", body.getvalue())
        rows.append({"photo": f"img/{at}.png", "price": at * 1.5, "y": "ab"[at % 2]})
    frame = pd.DataFrame(rows)
    store.pipe("/bucket/shop/goods.csv", frame.to_csv(index=False).encode())
    store.pipe("/bucket/shop/goods.parquet", frame.to_parquet(index=False))
    for at in range(3):
        store.pipe(f"/bucket/shop/parts/part-{at}.parquet", frame[20 * at : 20 * at + 20].to_parquet(index=False))
    store.pipe("/bucket/shop/parts/_SUCCESS", b"")
    store.pipe("/bucket/secret.png", b"secret")
    return frame


def test_every_kind_of_table_is_read(frame: pd.DataFrame, store: Any) -> None:
    rows = list(map(tuple, frame.itertuples(index=False)))
    for name in ("goods.parquet", "parts", "parts/"):
        source = open_source(f"{SHOP}/{name}")
        assert list(source.cells(["photo", "price", "y"])) == rows
        assert source.name == f"{SHOP}/{name.rstrip('/')}" + ("" if name == "goods.parquet" else "/")
        assert source.folder == (SHOP if name == "goods.parquet" else f"{SHOP}/parts")
    source = open_source(f"{SHOP}/goods.csv")
    assert [row[0] for row in source.cells(["photo", "price"])] == frame["photo"].tolist()
    assert (source.name, source.folder, source.rows) == (f"{SHOP}/goods.csv", SHOP, 60)
    store.pipe("/bucket/shop/umlaut.csv", "name;zahl\nKöln;1\n".encode("cp1252"))
    with pytest.warns(UserWarning, match=rf"^{SHOP}/umlaut\.csv: not UTF-8 text; read as cp1252"):
        assert list(open_source(f"{SHOP}/umlaut.csv").cells(["name"])) == ["Köln"]


def test_of_a_parquet_file_only_the_columns_that_are_used_are_fetched(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    wide = pd.DataFrame({f"x{at}": rng.normal(size=20_000) for at in range(20)})
    body = wide.to_parquet(index=False)
    store.pipe("/bucket/wide.parquet", body)
    fetched: list[int] = []
    memory_file = type(store.open("/bucket/wide.parquet", "rb"))
    read = memory_file.read

    def counted(self: Any, size: int = -1) -> bytes:
        part: bytes = read(self, size)
        fetched.append(len(part))
        return part

    monkeypatch.setattr(memory_file, "read", counted)
    source = open_source("memory://bucket/wide.parquet")
    assert sum(source.cells(["x3"])) == pytest.approx(wide["x3"].sum())
    assert sum(fetched) < 0.2 * len(body)


def test_a_model_is_trained_on_a_table_and_pictures_in_a_store(frame: pd.DataFrame, tmp_path: Path) -> None:
    local = tmp_path / "shop"
    fsspec.filesystem("memory").get("/bucket/shop", str(local), recursive=True)
    out = tmp_path / "run"
    remote = pm.train(f"{SHOP}/goods.csv", *SETTINGS, target="y", out=out)
    near = pm.train(str(local / "goods.csv"), *SETTINGS, target="y")
    assert "photo" in remote.bundle.experiment.fields
    expected = near.predict_proba(local / "goods.csv")
    np.testing.assert_array_equal(remote.predict_proba(f"{SHOP}/goods.csv"), expected)
    loaded = pm.load(out)
    assert loaded.trained_in == [SHOP]
    rows = frame.drop(columns="y").to_dict("records")
    np.testing.assert_array_equal(loaded.predict_proba(rows), expected)
    assert loaded.evaluate(f"{SHOP}/goods.parquet")["rows"] == 60
    of_parts = pm.train(f"{SHOP}/parts", *SETTINGS, target="y", root=SHOP)  # the pictures are not below the folder of the parts
    assert "photo" in of_parts.bundle.experiment.fields
    np.testing.assert_array_equal(of_parts.predict_proba(rows), expected)


CELLS = {
    "../secret.png": "a path outside every root",
    "img/../../secret.png": "a path outside every root",
    "/bucket/secret.png": "a path outside every root",
    "/bucket/shop/img/1.png": "a path outside every root",
    "memory://bucket/secret.png": "a URL",
    "memory://bucket/shop/../secret.png": "a path outside every root|a URL",
    "memory://bucket/shopping/1.png": "a URL",
    "s3://other/1.png": "a URL",
    "http://127.0.0.1:1/1.png": "a URL",
    "file:///etc/passwd": "a URL",
    "/etc/passwd": "a path outside every root",
    "img": "a folder",
    "img/absent.png": r"no such file 'img/absent\.png'",
    "img/1.png\0": "NUL",
}


@pytest.mark.parametrize("cell", CELLS)
def test_no_cell_leads_out_of_a_folder_in_an_object_store(frame: pd.DataFrame, cell: str) -> None:
    roots = Roots([SHOP])
    with pytest.raises(pm.errors.Fault, match=CELLS[cell]):
        roots.bytes_of(cell)
    with pytest.raises(pm.errors.Fault), roots.opened(cell):
        pass


def test_files_below_the_folder_are_read_and_bounded(frame: pd.DataFrame, tmp_path: Path) -> None:
    roots = Roots([SHOP])
    body = roots.bytes_of("img/1.png")
    assert body.startswith(b"\x89PNG")
    assert roots.bytes_of(f"{SHOP}/img/1.png") == roots.bytes_of("./img/../img/1.png") == body
    assert roots.heads(["img/1.png", "img/absent.png"]) == [body[:512]]
    with pytest.raises(pm.errors.Fault, match=r"a file of \d+ bytes; expected at most 10"):
        roots.bytes_of("img/1.png", 10)
    names = roots.names_in("img", 100)
    assert names is not None
    assert (len(names), names[0]) == (60, "img/0.png")
    with pytest.raises(pm.errors.Fault, match="more than 10 entries"):
        roots.names_in("img", 10)
    assert roots.names_in("img/1.png", 10) is None
    # A local folder is looked in first, and a later root has what an earlier one lacks.
    (tmp_path / "img").mkdir()
    (tmp_path / "img" / "1.png").write_bytes(b"local")
    both = Roots([f"{SHOP}/parts", tmp_path, SHOP])
    assert both.bytes_of("img/1.png") == b"local"
    assert both.bytes_of("img/2.png") == roots.bytes_of("img/2.png")
    assert both.places == [str(tmp_path.resolve()), f"{SHOP}/parts", SHOP]


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        ("memory://bucket/absent.csv", DataError, r"memory://bucket/absent\.csv: no such file or folder in the store"),
        ("memory://bucket/shop/img", DataError, r"a folder; expected a table"),
        ("memory://bucket/secret.png", DataError, r"^memory://bucket/secret\.png: "),
        (
            "s3://me:secret@host/t.csv",
            ConfigError,
            r"^s3://host/t\.csv: a URL with a password, or a chain of URLs; expected s3://BUCKET/PATH",
        ),
        ("memory://a::s3://b", ConfigError, "^memory://a: .*a chain of URLs"),
        ("s3://a/x::https://me:secret@host/t.csv", ConfigError, "^s3://a/x: .*a chain of URLs"),
        ("memory://bucket//t.csv", ConfigError, "without empty parts and dots"),
        ("memory://bucket/../t.csv", ConfigError, "without empty parts and dots"),
        ("memory://", ConfigError, "not a URL of an object store"),
        ("http://host/t.csv", DataError, r"web addresses are never fetched\); download it first, and name the file: t\.csv"),
    ],
)
def test_what_is_not_a_table_is_an_error(frame: pd.DataFrame, url: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        pm.inspect(url)


def test_a_run_knows_the_folder_of_its_table(frame: pd.DataFrame, store: Any, tmp_path: Path) -> None:
    for at in range(60):
        store.pipe(f"/bucket/out.parquet/img/{at}.png", store.cat(f"/bucket/shop/img/{at}.png"))
    store.pipe("/bucket/out.parquet/part-0.parquet", frame.to_parquet(index=False))
    model = pm.train("memory://bucket/out.parquet", *SETTINGS, target="y", out=tmp_path / "run")
    loaded = pm.load(tmp_path / "run")
    assert loaded.trained_in == model.trained_in == ["memory://bucket/out.parquet"]
    rows = frame.drop(columns="y").to_dict("records")
    np.testing.assert_array_equal(loaded.predict_proba(rows), model.predict_proba(rows))
    with pytest.raises(DataError, match="a path outside every root"):
        loaded.predict([{**rows[0], "photo": "../secret.png"}], on_error="error")


def test_a_run_that_is_resumed_with_a_moved_folder_gets_no_wider_root(frame: pd.DataFrame, store: Any, tmp_path: Path) -> None:
    class Broken(BaseException):
        pass

    class Breaks(Observer):
        def observe(self, event: Event) -> None:
            if isinstance(event, StepEvent):
                raise Broken

    for at in range(60):
        store.pipe(f"/bucket/moved/rows/img/{at}.png", store.cat(f"/bucket/shop/img/{at}.png"))
    store.pipe("/bucket/moved/rows/part-0.parquet", frame.to_parquet(index=False))
    store.copy("/bucket/moved/rows", "/bucket/before", recursive=True)
    out = tmp_path / "run"
    with pytest.raises(Broken):
        pm.train("memory://bucket/before", *SETTINGS, target="y", out=out, observers=[Breaks()])
    pm.resume(out, table="memory://bucket/moved/rows")
    assert pm.load(out).trained_in == ["memory://bucket/moved/rows"]


def test_a_model_of_a_remote_table_without_files_needs_no_store(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"x": np.linspace(-1, 1, 80), "y": ["ab"[at > 39] for at in range(80)]})
    store.pipe("/bucket/numbers.csv", frame.to_csv(index=False).encode())
    pm.train("memory://bucket/numbers.csv", *SETTINGS, target="y", out=tmp_path / "run")

    def absent(*_: Any, **__: Any) -> None:
        raise ImportError("not here")

    monkeypatch.setattr(fsspec, "filesystem", absent)
    assert len(pm.load(tmp_path / "run").predict([{"x": 1.0}])) == 1


@pytest.mark.parametrize("method", ["read", "seek"])
def test_a_file_that_breaks_while_it_is_read_is_a_fault(
    frame: pd.DataFrame, store: Any, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LostError(Exception):
        pass

    def broken(*_: Any, **__: Any) -> None:
        raise LostError("the connection")

    monkeypatch.setattr(type(store.open("/bucket/secret.png", "rb")), method, broken)
    if method == "read":
        with pytest.raises(pm.errors.Fault, match=r"a file that cannot be read \(LostError: the connection\)"):
            Roots([SHOP]).bytes_of("img/1.png")
    with pytest.raises(DataError, match=r"goods\.parquet: not a Parquet file that can be read"):
        open_source(f"{SHOP}/goods.parquet")


def test_a_folder_with_other_tables_or_too_many_files_is_refused(frame: pd.DataFrame, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store.pipe("/bucket/shop/parts/other.csv", b"a\n1\n")
    with pytest.raises(DataError, match=r"a folder; expected a table .*it contains 'other\.csv'"):
        open_source(f"{SHOP}/parts")
    store.rm("/bucket/shop/parts/other.csv")
    monkeypatch.setattr("polymodal.data.sources.parquet_folder._MOST_FILES", 2)
    with pytest.raises(DataError, match="more than 2 files"):
        open_source(f"{SHOP}/parts")


def test_a_member_of_an_archive_and_a_sheet_are_named_after_the_url(store: Any) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("a.csv", "x\n1\n")
        archive.writestr("b.csv", "name\nKöln\n".encode("cp1252"))
    store.pipe("/bucket/t.zip", body.getvalue())
    assert list(open_source("memory://bucket/t.zip#a.csv").cells(["x"])) == ["1"]
    with pytest.warns(UserWarning, match=r"^memory://bucket/t\.zip"):
        assert list(open_source("memory://bucket/t.zip#b.csv").cells(["name"])) == ["Köln"]
    with pytest.raises(DataError, match=r"memory://bucket/t\.zip: 2 tables .*name it after the file: memory://bucket/t\.zip#a\.csv"):
        open_source("memory://bucket/t.zip")


def test_nothing_is_written_to_a_url(frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pm.UserError, match=r"^s3://bucket/run: a URL; expected a local path"):
        pm.train(f"{SHOP}/goods.csv", *SETTINGS, target="y", out="s3://bucket/run")
    with pytest.raises(pm.UserError, match=r"^s3://bucket/run: a URL; expected a local run or bundle"):
        pm.load("s3://bucket/run")
    with pytest.raises(pm.UserError, match=r"^s3://bucket/p\.csv: a URL"):
        check_path("s3://bucket/p.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(scheme: str, **_: Any) -> None:
        raise ImportError(f"Install a package to access {scheme}")

    monkeypatch.setattr(fsspec, "filesystem", absent)
    with pytest.raises(MissingDependency, match=r"s3://bucket/t\.csv: package 's3fs' is not installed .*pip install 'polymodal\[remote\]'"):
        open_source("s3://bucket/t.csv")
    with pytest.raises(MissingDependency, match=r"package 'adlfs' is not installed .*pip install adlfs$"):
        open_source("az://bucket/t.csv")


def test_errors_of_a_store_are_errors_of_reading(frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoCredentials(Exception):
        pass

    def refused(*_: Any, **__: Any) -> None:
        raise NoCredentials("Unable to locate credentials")

    monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, "info", refused)
    with pytest.raises(DataError, match=r"goods\.csv: cannot be read \(NoCredentials: Unable to locate credentials\); expected a table"):
        open_source(f"{SHOP}/goods.csv")
    with pytest.raises(pm.errors.Fault, match=r"a file that cannot be opened \(NoCredentials"):
        Roots([SHOP]).bytes_of("img/1.png")


def test_schemes_and_folders() -> None:
    assert [scheme_of(text) for text in ("S3://a/b", "s3:/a", "C:\\data\\t.csv", "data:text/csv,a", "a/b://c")] == ["s3", *[None] * 4]
    assert [is_remote(one) for one in ("gs://b/t.csv", "https://b/t.csv", Path("gs://b/t.csv"), "t.csv")] == [True, False, False, False]
    assert folder_of("s3://b/d/t.csv") == folder_of("s3://b/d/t") == folder_of("s3://b/d/") == "s3://b/d"
    place = Remote("memory://b/d")
    below = place.below("e/../f/g.png")
    assert below is not None
    assert (below.url, below.name, below.parent) == ("memory://b/d/f/g.png", "g.png", "memory://b/d/f")
    assert place.below("..") is None
    assert place.below("") is None
