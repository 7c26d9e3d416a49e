"""Tests of malicious cells among valid ones: each is a line in ``faults.csv``, costs little, and changes no prediction of another row."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import resource
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polymodal as pm
from builders.hostile_cells import Case, chunk, encoded, numbers, paths, pictures, png, solid, texts
from builders.tables import shop
from polymodal.errors import Fault
from polymodal.modalities import Image, ImageConfig, Modality, Roots, Tabular, TabularConfig, Text, TextConfig

SETTINGS = ("training.epochs=2", "data.split.folds=2", "training.baselines=false", "model.width=16", "model.encoders.photo.kind=convnet",
            "model.encoders.photo.channels=[8, 16]", "fields.photo.size=16", "data.max_faults=1")  # fmt: skip
TYPES = ("fields.columns.types.price=number",)
BOUND_MB = 700
"""What one hostile cell may add to a process's memory (docs/trust.md)."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "root"


def readers(root: Path) -> dict[str, Modality]:
    text, column = TextConfig(column="x"), TabularConfig(columns=["x"], types={"x": "number"})
    return {
        "photo": Image(ImageConfig(column="x"), {"size": 16, "channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3, "form": "pixels"}, Roots([root])),
        "ngrams": Text(text, Text.fit(text, ["a word"], "ngrams", {"buckets": 4096, "max_ngrams": 512}, Roots()), Roots()),
        "tokens": Text(text, Text.fit(text, ["a word"], "tokens", {"vocabulary": 300, "max_tokens": 64}, Roots()), Roots()),
        "number": Tabular(column, Tabular.fit(column, [1.0, 2.0], "columns", {}, Roots()), Roots()),
    }  # fmt: skip


def corpora(root: Path) -> Iterator[tuple[str, Case]]:
    for case in (*pictures(), *paths(root)):
        yield "photo", case
    for case in texts():
        yield "ngrams", case
        yield "tokens", case
    for case in numbers():
        yield "number", case


def test_every_hostile_cell_is_read_or_told_quickly(root: Path) -> None:
    made = readers(root)
    wrong = []
    for name, case in corpora(root):
        modality, said, begin = made[name], "", time.process_time()
        if modality.is_missing(case.cell):
            continue
        try:
            sample = modality.read(case.cell)
            for value in sample.values():
                if value.dtype.kind == "f" and not np.isfinite(value).all():
                    said = "a sample that is not finite"
            modality.collate([sample], modality.geometry(sample))
        except Fault as fault:
            said = str(fault)
        seconds = time.process_time() - begin
        if (case.fault is not None and (case.fault not in said or (said and not case.fault))) or len(said) > 300 or str(root) in said:
            wrong.append(f"{name}, {case.name}: {said!r}; expected {case.fault!r}")
        if seconds > 10:  # a bound against hanging, many times what it takes
            wrong.append(f"{name}, {case.name}: {seconds:.0f} s")
    assert not wrong, "\n".join(wrong)


def hostile_table(folder: Path) -> tuple[Path, Path, dict[int, list[str]]]:
    """``good.jsonl``, and ``all.jsonl`` in which hostile rows stand among its rows; by row, the columns that must be told."""
    source = shop(folder, 60)
    with source.open(encoding="utf-8", newline="") as file:
        good = list(csv.DictReader(file))
    bad: list[tuple[dict[str, Any], list[str] | None]] = []
    for name, cases in (("photo", [*pictures(), *paths(folder)]), ("标题", list(texts())), ("price", list(numbers()))):
        for case in cases:
            if name == "标题" and isinstance(case.cell, str) and len(case.cell) > 3_000_000:
                case = case._replace(cell=case.cell[:3_000_000])
            told = None if case.fault is None else [name] if case.fault else []
            bad.append(({**good[len(bad) % 60], name: case.cell}, told))
    rng = np.random.default_rng(0)
    rows: list[tuple[dict[str, Any], list[str] | None]] = [*((row, []) for row in good), *bad]
    rows = [rows[at] for at in rng.permutation(len(rows))]

    def cell(value: Any) -> Any:
        if not isinstance(value, bytes):
            return value
        if len(value) < 10_000:
            return "data:image/png;base64," + base64.b64encode(value).decode()
        path = folder / f"{hashlib.sha256(value).hexdigest()}.png"
        path.write_bytes(value)
        return path.name

    def write(path: Path, chosen: list[dict[str, Any]]) -> Path:
        with path.open("w", encoding="ascii") as file:
            for row in chosen:
                file.write(json.dumps({key: cell(value) for key, value in row.items()}) + "\n")
        return path

    must = {at: told for at, (_, told) in enumerate(rows, 1) if told is not None}
    return write(folder / "good.jsonl", good), write(folder / "all.jsonl", [row for row, _ in rows]), must


@pytest.mark.slow
def test_training_ends_within_its_memory_and_lists_every_bad_row(tmp_path: Path) -> None:
    good, everything, must = hostile_table(tmp_path / "data")

    def peak(table: Path, out: Path) -> float:
        code = "import resource, subprocess, sys; p = subprocess.run(sys.argv[1:]); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(p.returncode)"
        command = [
            "train",
            str(table),
            *SETTINGS,
            *TYPES,
            "--target",
            "label",
            "-o",
            str(out),
            "--quiet",
            "--column",
            "标题=text",
            "--column",
            "photo=image",
        ]
        done = subprocess.run(
            [sys.executable, "-c", code, sys.executable, "-m", "polymodal.cli.main", *command], capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return int(done.stdout.split()[-1]) / 1024

    alone = peak(good, tmp_path / "alone")
    together = peak(everything, tmp_path / "run")
    assert together - alone < BOUND_MB, f"{alone:.0f} MiB without hostile rows, {together:.0f} with them"
    with (tmp_path / "run" / "faults.csv").open(encoding="utf-8", newline="") as file:
        told = {(int(row["row"]), row["column"]) for row in csv.DictReader(file)}
    for row, columns in must.items():
        assert {column for at, column in told if at == row} == set(columns), f"row {row}"

    model = pm.load(tmp_path / "run")
    rows = [json.loads(line) for line in everything.read_text().splitlines()]
    kept = [json.loads(line) for line in good.read_text().splitlines()]
    place = {json.dumps(row, sort_keys=True): at for at, row in enumerate(rows)}
    for policy in ("blank", "skip"):
        beside = model.predict_proba(everything, on_error=policy)  # type: ignore[arg-type]
        expected = model.predict_proba(good, on_error=policy)  # type: ignore[arg-type]
        np.testing.assert_array_equal(beside[[place[json.dumps(row, sort_keys=True)] for row in kept]], expected)
        assert np.isfinite(beside).all() == (policy == "blank")


@pytest.mark.slow
@pytest.mark.parametrize("color", ["rgba", "grey 16", "rgb", "tiff float"])
def test_the_largest_picture_that_is_read_stays_within_its_memory(tmp_path: Path, color: str) -> None:
    side = 7_990
    if color == "tiff float":
        body = encoded(solid(side, 0.5, "F"), "TIFF", compression="tiff_lzw")
    else:
        body = png(side, side, side, *{"rgba": (8, 6), "grey 16": (16, 0), "rgb": (8, 2)}[color])
    (tmp_path / "large.png").write_bytes(body)
    code = f"""
import resource
from polymodal.modalities import Image, ImageConfig, Roots
image = Image(ImageConfig(column="x"), {{"size": 32, "channels": 3, "mean": [0], "std": [1], "form": "pixels"}}, Roots([{str(tmp_path)!r}]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
image.read("large.png")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert int(found.stdout) < BOUND_MB


# -- tables --------------------------------------------------------------------------------------------------------------


def bounded(code: str, megabytes: int = 1_900) -> subprocess.CompletedProcess[str]:
    """Python in a process that may not take more memory than this. Arrow takes what it needs, not a gigabyte of addresses in advance."""

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes * 2**20, megabytes * 2**20))

    environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    return subprocess.run([sys.executable, "-c", code], preexec_fn=bound, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("name", ["field.csv", "header.csv", "quoted.csv", "line.jsonl", "field.csv.gz"])
def test_a_field_of_a_gigabyte_is_a_message_within_bounded_memory(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    start = {"field": b"a,b\n1,", "header": b"a,", "quoted": b'a,b\n1,"', "line": b'{"a": "'}[name.partition(".")[0]]
    if name.endswith(".gz"):
        import gzip

        path.write_bytes(gzip.compress(start) + gzip.compress(b"x" * 2**20, 1) * 1024)
    else:
        with path.open("wb") as plain:
            plain.write(start)
            plain.truncate(2**30)  # zeros that take no room on the disk
    done = bounded(f"""
import polymodal as pm
try:
    pm.inspect({str(path)!r})
except pm.DataError as error:
    print(str(error)[:300])""")
    assert done.returncode == 0, done.stderr[-2000:]
    assert (
        "larger than 64 MiB" in done.stdout
        or "first line" in done.stdout
        or "67 million characters" in done.stdout
        or "expected at most 200 times the packed size" in done.stdout
        or "64 million" in done.stdout
    ), done.stdout


def test_a_table_with_a_mark_windows_line_ends_and_empty_lines_is_the_plain_table(tmp_path: Path) -> None:
    plain = "text,x,label\n" + "".join(f"word {at % 7} here,{at},{'ab'[at % 2]}\n" for at in range(60))
    bodies = {"plain": plain.encode(), "mark": b"\xef\xbb\xbf" + plain.encode(), "windows": plain.replace("\n", "\r\n").encode(),
              "both": b"\xef\xbb\xbf" + plain.replace("\n", "\r\n").encode(), "utf-16": plain.encode("utf-16")}  # fmt: skip
    found = {}
    for name, body in bodies.items():
        (tmp_path / f"{name}.csv").write_bytes(body)
        model = pm.train(tmp_path / f"{name}.csv", "training.epochs=1", "data.split.folds=2", "training.baselines=false", target="label")
        found[name] = model.predict_proba(tmp_path / "plain.csv")
    for name, scores in found.items():
        np.testing.assert_array_equal(scores, found["plain"], err_msg=name)


def test_constant_missing_and_id_columns_train_even_when_they_are_asked_for(tmp_path: Path) -> None:
    rows = [
        {
            "id": at,
            "constant": 5,
            "nothing": None,
            "mixed": [at % 11, str(at % 7), None, at / 3, f"{at * 100:,}"][at % 5],
            "label": "ab"[at % 2],
        }
        for at in range(60)
    ]
    profile = pm.inspect(rows, target="label")
    said = {column.name: (column.role, column.why) for column in profile.columns}
    assert said["constant"] == ("ignored", "every cell is the same")
    assert said["nothing"] == ("ignored", "every cell is empty")
    assert said["id"][0] == "ignored"
    assert said["mixed"][0] == "feature"
    asked = {"id": "number", "constant": "number", "nothing": "number"}
    model = pm.train(rows, "training.epochs=1", "data.split.folds=2", target="label", columns=asked)
    assert np.isfinite(model.predict_proba(rows)).all()
    with pytest.warns(UserWarning, match="outside the range of the training rows"):
        assert np.isfinite(model.predict_proba([{"id": 10**30, "constant": -1e300, "nothing": 3, "mixed": "7"}])).all()


@pytest.mark.parametrize("header", [b"a\0b,y", b'"x\0",y', b"x,y\0"])
def test_a_nul_in_a_header_is_refused_and_costs_no_row(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(header + b"\n" + b"".join(b"%d,a\n" % at for at in range(5)))
    with pytest.raises(pm.DataError, match="a name that is not valid text"):
        pm.inspect(tmp_path / "t.csv")


def app(number: int, body: bytes) -> bytes:
    return bytes([0xFF, 0xE0 + number]) + (len(body) + 2).to_bytes(2, "big") + body


@pytest.mark.parametrize("piece", [app(1, b"Exif\0\0" + bytes(94)), app(5, b""), app(1, b"Exif\0\0" + bytes(60_000))])
def test_headers_of_many_pieces_are_refused_before_they_are_put_together(piece: bytes) -> None:
    body = encoded(solid(), "JPEG")
    image = readers(Path("."))["photo"]
    with pytest.raises(Fault, match="segments or 16 MiB before its first pixel"):
        image.read(body[:2] + piece * (30_000_000 // len(piece)) + body[2:])
    image.read(body[:2] + piece * 3 + body[2:])


def test_tiles_larger_than_their_picture_are_refused() -> None:
    from PIL import Image as Pillow
    from PIL import TiffImagePlugin

    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[322], tags[323] = 20_000, 20_000
    out = io.BytesIO()
    Pillow.new("RGB", (40, 40)).save(out, "TIFF", tiffinfo=tags)
    body = out.getvalue()
    if b"\x42\x01" not in body:  # this Pillow writes no such tags of its own
        at = body.index(b"\x16\x01")  # rows a strip becomes the tile's width
        body = body[:at] + b"\x42\x01\x04\0\x01\0\0\0" + (400_000_000).to_bytes(4, "little") + body[at + 12 :]
    with pytest.raises(Fault, match=r"tiles|broken|picture"):
        readers(Path("."))["photo"].read(body)


def test_deep_greys_that_are_transparent_or_turned_over_have_their_value() -> None:
    from PIL import Image as Pillow

    image = readers(Path("."))["photo"]
    deep = Pillow.fromarray(np.full((20, 20), 30_000, np.uint16))
    assert (image.read(encoded(deep, "PNG"))["pixels"] == 117).all()
    assert (image.read(encoded(deep, "PNG", transparency=30_000))["pixels"] == 255).all()
    turned = encoded(deep, "TIFF")
    at = turned.index(struct.pack("<HHI", 262, 3, 1))
    turned = turned[: at + 8] + struct.pack("<H", 0) + turned[at + 10 :]
    assert (image.read(turned)["pixels"] == 138).all()
    header = struct.pack(">IIBBBBB", 20, 20, 4, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x33" * 10) * 20)
    for clear, value in ((3, 255), (4, 51)):
        body = (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", header)
            + chunk(b"tRNS", struct.pack(">H", clear))
            + chunk(b"IDAT", rows)
            + chunk(b"IEND", b"")
        )
        assert (image.read(body)["pixels"] == value).all(), clear


def test_nothings_of_pandas_are_missing_and_dates_out_of_range_are_faults(tmp_path: Path) -> None:
    import pandas
    import pyarrow as pa
    from pyarrow import feather, parquet

    from polymodal.cells import date, is_empty

    assert is_empty(pandas.NaT)
    assert is_empty(pandas.NA)
    assert date(pandas.NaT) is None
    assert date(np.datetime64(2**62, "s")) is None
    assert date(np.datetime64("2024-01-02")) == 19_724
    dates = pa.array([20_000 + at for at in range(39)] + [2**31 - 1], pa.int32()).cast(pa.date32())
    zoned = pa.array(list(range(40)), pa.timestamp("s", "Mars/Olympus"))
    labels = ["a", "b"] * 20
    settings = ("training.epochs=1", "data.split.folds=2", "training.baselines=false", "data.max_faults=1")
    table = pa.table({"day": dates, "x": [at * 0.5 for at in range(40)], "label": labels})
    parquet.write_table(table, tmp_path / "t.parquet")
    feather.write_feather(table, tmp_path / "t.feather")
    for source in (table, tmp_path / "t.parquet", tmp_path / "t.feather"):
        pm.train(source, *settings, target="label", columns={"day": "date"}, out=tmp_path / "run", overwrite=True)
        assert "40,day,found 'date32[day]" in (tmp_path / "run" / "faults.csv").read_text()
    assert pm.inspect(pa.table({"day": zoned, "label": labels})).rows == 40


@pytest.mark.parametrize("scale", [1e-40, 1e-13, 1e-9, 1.0, 1e20, 1e120])
def test_numbers_of_any_size_keep_their_signal(scale: float) -> None:
    rows = [{"x": scale * (1 + at % 10), "y": "ab"[at % 10 >= 5]} for at in range(200)]
    model = pm.train(rows, "training.epochs=10", "data.split.folds=2", target="y", columns={"x": "number"})
    assert model.metrics["validation"]["tasks"]["y"]["accuracy"] > 0.95


@pytest.mark.parametrize("cell", ["12,5", "1,23", "1,2,3", "1_000"])
def test_a_target_is_a_number_where_a_feature_is_one(cell: str) -> None:
    from polymodal.tasks import RegressionConfig

    config = RegressionConfig(column="y")
    task = config.task()(config, config.task().fit(config, [1.0, 2.0, 3.0], "here"))
    with pytest.raises(Fault, match="expected a finite number"):
        task.encode(cell)
    assert task.encode("12,000") == task.encode(12_000)


def test_names_and_lists_of_classes_are_bounded() -> None:
    from polymodal.tasks import MultilabelConfig, labels_of
    from polymodal.tasks.names import name_of

    with pytest.raises(Fault, match="150,001 characters"):
        name_of("a" + "\u0315\u0300" * 75_000)
    with pytest.raises(Fault, match="no Unicode text"):
        name_of("\ud800")
    with pytest.raises(Fault, match="a list of 2,0"):
        labels_of("[" + "1," * 1_000_000 + "'a']")
    assert MultilabelConfig(column="y").separator == ";"


def test_very_many_columns_are_read_in_a_moment(tmp_path: Path) -> None:
    from polymodal.data.sources import open_source

    names = ",".join(f"c{at}" for at in range(100_000))
    (tmp_path / "wide.csv").write_text(names + "\n" + ",".join("1" * 100_000) + "\n")
    assert len(open_source(tmp_path / "wide.csv").columns) == 100_000


def test_half_characters_are_told_before_anything_is_trained(tmp_path: Path) -> None:
    rows = [{"x": at * 0.5, "y": "\ud800" if at % 4 == 1 else "bc"[at % 2]} for at in range(40)]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "c.jsonl").write_text("".join(json.dumps({"\ud800": at, "y": "ab"[at % 2]}) + "\n" for at in range(40)))
    for act in (pm.check, pm.train):
        with pytest.raises(pm.DataError, match="no Unicode text"):
            act(tmp_path / "t.jsonl", target="y")
        with pytest.raises(pm.DataError, match="a name that is not valid text"):
            act(tmp_path / "c.jsonl", target="y")
    found = pm.check(tmp_path / "t.jsonl", "tasks.y.kind=multiclass", target="y", on_error="error")
    assert "no Unicode text" in found.text()


def test_integers_of_thousands_of_digits_are_cells_that_cannot_be_read(tmp_path: Path) -> None:
    rows = [json.dumps({"x": at % 9, "t": f"word {at}", "y": "ab"[at % 2]}) for at in range(40)]
    rows[3] = '{"x": ' + "9" * 5_000 + ', "t": "word", "y": "a"}'
    (tmp_path / "t.jsonl").write_text("\n".join(rows) + "\n")
    pm.train(tmp_path / "t.jsonl", "training.epochs=1", "data.split.folds=2", target="y", columns={"x": "number"}, out=tmp_path / "run")
    assert "4,x,found inf" in (tmp_path / "run" / "faults.csv").read_text()
    model = pm.load(tmp_path / "run")
    with pytest.warns(UserWarning, match="2 of 2 cells cannot be read"):
        assert len(model.predict([{"x": 10**5_000, "t": 10**5_000}, {"x": (1, 2), "t": ()}])) == 2
