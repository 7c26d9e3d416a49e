"""Tests of objects in memory and cells in Hugging Face formats: the same samples as from files, no crash, and no memory address."""

from __future__ import annotations

import base64
import datetime
import decimal
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import soundfile
import torch
from PIL import Image as Pillow
from pyarrow import feather, parquet

import polymodal as pm
from polymodal.data.sources import open_source
from polymodal.data.store import Store, _digest
from polymodal.errors import Fault
from polymodal.flow import Unreadable
from polymodal.modalities import Audio, AudioConfig, Image, ImageConfig, Pictures, PicturesConfig, Roots
from polymodal.modalities.audio import decode
from polymodal.modalities.objects import FixedList, plain

FAST = ("training.epochs=1", "training.baselines=false", "model.width=8", "data.split.kind=random", "data.split.valid=0.3")
TONE = (0.3 * np.sin(np.arange(8_000) / 5)).astype(np.float32)


def png(seed: int, mode: str = "RGB", size: int = 20, format: str = "PNG", **settings: Any) -> bytes:
    rng = np.random.default_rng(seed)
    out = io.BytesIO()
    Pillow.fromarray(rng.integers(0, 256, (size, size + 3, 3)).astype(np.uint8)).convert(mode).save(out, format, **settings)
    return out.getvalue()


def opened(data: bytes) -> Pillow.Image:
    return Pillow.open(io.BytesIO(data))


def image(cells: Any = None, **settings: Any) -> Image:
    config = ImageConfig(column="x", size=16, **settings)
    return Image(config, Image.fit(config, [png(0)] if cells is None else cells, "pixels", {}, Roots()), Roots())


def cells_of(table: Any, column: str = "x") -> list[Any]:
    return list(open_source(table).cells([column]))


# -- Hugging Face's layouts ----------------------------------------------------------------------------------------------

FILES = [
    {"bytes": b"abc", "path": "a.png"},
    {"bytes": None, "path": "b.png"},
    {"bytes": None, "path": None},
    None,
    {"bytes": b"", "path": ""},
]
FILES_READ = [b"abc", "b.png", None, None, None]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()], ids=str)
def test_bytes_or_else_the_path_of_a_struct_are_the_cell(tmp_path: Path, kind: pa.DataType) -> None:
    column = pa.array(FILES, pa.struct([("bytes", kind), ("path", pa.string())]))
    table = pa.table({"x": column, "several": pa.array([FILES[:2], [], None, [FILES[2]], FILES], pa.list_(column.type))})
    parquet.write_table(table, tmp_path / "t.parquet")
    feather.write_feather(table, str(tmp_path / "t.feather"), compression="uncompressed")
    for source in (table, tmp_path / "t.parquet", tmp_path / "t.feather", table.to_pylist(), table.to_pandas()):
        assert cells_of(source) == FILES_READ
        assert [None if cell is None else list(cell) for cell in cells_of(source, "several")] == [
            [b"abc", "b.png"],
            [],
            None,
            [None],
            FILES_READ,
        ]


def test_json_lines_hold_paths_and_bytes_as_base64(tmp_path: Path) -> None:
    lines = [
        {"x": {"path": "a.png"}, "y": 1},
        {"x": {"bytes": base64.b64encode(b"abc").decode(), "path": None}},
        {"x": {"bytes": "no base64!"}},
    ]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = cells_of(tmp_path / "t.jsonl")
    assert found[:2] == ["a.png", b"abc"]
    assert found[2] == Unreadable("dict (bytes) whose bytes are text that is not base64")


def test_a_table_of_such_pictures_and_sounds_is_recognised_and_trained(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {
            "photo": {"bytes": png(at), "path": f"{at}.png"},
            "clip": {"array": (TONE * (at % 2 + 1) / 2)[:2_000].tolist(), "sampling_rate": 8_000, "path": None},
            "y": "ab"[at % 2],
        }
        for at in range(40)
    ]
    table = pa.Table.from_pylist(rows)
    parquet.write_table(table, tmp_path / "t.parquet")
    model = pm.train(tmp_path / "t.parquet", *FAST, "fields.photo.size=8", target="y")
    assert {name: field.kind for name, field in model.bundle.experiment.fields.items()} == {"photo": "image", "clip": "audio"}
    whole = model.predict_proba(tmp_path / "t.parquet")

    class Streamed:
        """A table of another library."""

        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            return table.__arrow_c_stream__(requested_schema)

    memory = [
        {**row, "photo": opened(row["photo"]["bytes"]), "clip": {**row["clip"], "array": np.array(row["clip"]["array"])}} for row in rows
    ]
    for other in (table, Streamed(), rows, pd.DataFrame(rows), table.to_pandas(), memory, pd.DataFrame(memory)):
        np.testing.assert_array_equal(model.predict_proba(other), whole)


# -- pictures ------------------------------------------------------------------------------------------------------------


def turned() -> bytes:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    return png(3, "RGB", 20, "JPEG", exif=exif.tobytes())


def deep(values: np.ndarray, format: str) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(values).save(out, format)
    return out.getvalue()


GREYS = np.arange(400).reshape(20, 20)
PICTURES = {
    **{mode: png(1, mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")},
    "a palette with a colour that is transparent": png(1, "P", transparency=7),
    "grey of which one is transparent": png(1, "L", transparency=7),
    "GIF": png(1, "P", format="GIF", transparency=3),
    "CMYK": png(1, "CMYK", format="TIFF"),
    "YCbCr": png(1, "YCbCr", format="JPEG"),
    "turned": turned(),
    "16 bits": deep((GREYS * 100).astype(np.uint16), "PNG"),
    "32 bits": deep((GREYS * 1_000).astype(np.int32), "TIFF"),
    "floats": deep((GREYS / 7).astype(np.float32), "TIFF"),
}


@pytest.mark.parametrize("data", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_picture_in_memory_has_the_pixels_of_its_file(data: bytes, channels: int) -> None:
    reader = image(channels=channels)
    expected = reader.read(data)["pixels"]
    picture = opened(data)
    before = picture.copy()
    frame = pd.DataFrame({"x": [picture, None], "n": [1, 2]})
    for table in ([{"x": picture}], frame, {"x": [picture, None]}):
        (cell, *_) = cells_of(table)
        assert not isinstance(cell, Pillow.Image)
        np.testing.assert_array_equal(reader.read(cell)["pixels"], expected)
        assert Image.recognise([cell] * 3, Roots()).confidence > 0.9
    np.testing.assert_array_equal(reader.read(picture)["pixels"], expected)
    assert picture.mode == before.mode
    assert picture.tobytes() == before.tobytes()


def test_arrays_of_bytes_are_pictures_and_of_other_numbers_maps() -> None:
    rng = np.random.default_rng(0)
    color, grey, clear = (rng.integers(0, 256, shape).astype(np.uint8) for shape in ((20, 23, 3), (20, 23), (20, 23, 4)))
    reader = image()
    for array, same in (
        (color, [color.transpose(2, 0, 1), np.asfortranarray(color), torch.from_numpy(color), torch.from_numpy(color).permute(2, 0, 1)]),
        (grey, [grey[None], grey[:, :, None], torch.from_numpy(grey)]),
        (clear, [clear[::-1][::-1], torch.from_numpy(clear)]),
    ):
        out = io.BytesIO()
        Pillow.fromarray(array).save(out, "PNG")
        expected = reader.read(out.getvalue())["pixels"]
        for cell in cells_of([{"x": one} for one in (array, *same)]):
            np.testing.assert_array_equal(reader.read(cell)["pixels"], expected)
            assert Image.recognise([cell] * 5, Roots()).confidence == 1.0
    for kind in (np.uint16, np.float32, np.float64, ">f4"):
        maps = [(rng.normal(size=(20, 24, 5)) * 100 + 500).astype(kind) for _ in range(4)]
        files = []
        for one in maps:
            out = io.BytesIO()
            np.save(out, one)
            files.append(out.getvalue())
        told, filed = image(maps), image(files)
        assert told.state == filed.state
        assert told.state["channels"] == 5
        for one, file in zip(maps, files, strict=True):
            np.testing.assert_array_equal(told.read(one)["pixels"], filed.read(file)["pixels"])
        assert Image.recognise(maps, Roots()).confidence == 1.0
    assert Image.recognise([rng.normal(size=(30, 12)) for _ in range(5)], Roots()).confidence == 0
    assert Image.recognise([rng.integers(0, 9, (90, 4)).astype(np.uint8) for _ in range(5)], Roots()).confidence == 0
    for wrong in (np.zeros((0, 3, 3), np.uint8), np.zeros((2, 3, 4, 5)), np.zeros((30, 40, 50))):
        with pytest.raises(Fault, match="an array of"):
            reader.read(wrong)
    with pytest.raises(Fault, match="expected at most 100"):
        image(max_pixels=100).read(color)


@pytest.mark.parametrize("form", ["rows", "pandas", "tensors", "polars", "columns", "one array", "one tensor"])
def test_a_table_of_arrays_is_one_of_pictures_however_it_is_held(form: str) -> None:
    stack = np.random.default_rng(0).integers(0, 256, (12, 20, 23, 3)).astype(np.uint8)
    label = ["ab"[at % 2] for at in range(12)]
    table: Any = {"x": list(stack), "y": label}
    if form == "rows":
        table = [{"x": array, "y": one} for array, one in zip(stack, label, strict=True)]
    elif form == "pandas":
        table = pd.DataFrame(table)
    elif form == "tensors":
        table = pd.DataFrame({"x": [torch.from_numpy(array) for array in stack], "y": label})
    elif form == "polars":
        table = pl.DataFrame({"x": pl.Series([Pillow.fromarray(array) for array in stack], dtype=pl.Object), "y": label})
    elif form != "columns":
        table = {"x": stack if form == "one array" else torch.from_numpy(stack), "y": label}
    for cell, array in zip(cells_of(table), stack, strict=True):
        np.testing.assert_array_equal(cell, array)
    assert {column.name: column.modality for column in pm.inspect(table).columns}["x"] == "image"
    for wrong in ({"x": stack, "y": label[1:]}, {"x": stack, "y": 3}):
        with pytest.raises(pm.DataError, match=r"is a list and 'y' a single value|columns of different lengths"):
            open_source(wrong)


def test_a_list_of_pictures_in_memory_is_a_set_of_them() -> None:
    files = [png(at) for at in range(3)]
    config = PicturesConfig(column="x", size=16)
    reader = Pictures(config, Pictures.fit(config, [files], "frames", {}, Roots()), Roots())
    expected = reader.read(files)["pixels"]
    listed = [{"bytes": data, "path": None} for data in files]
    for cell in cells_of(
        [
            {"x": one}
            for one in ([opened(data) for data in files], tuple(map(opened, files)), listed, [np.asarray(opened(d)) for d in files])
        ]
    ):
        np.testing.assert_array_equal(reader.read(cell)["pixels"], expected)
        assert Pictures.recognise([cell] * 3, Roots()).confidence == 1.0
        assert reader.show(cell) == "<3 pictures>"


def test_equal_content_is_one_digest_and_a_run_goes_on_with_the_same_frame(tmp_path: Path) -> None:
    def frame() -> pd.DataFrame:
        return pd.DataFrame({
            "photo": [opened(png(at % 10)) for at in range(40)],
            "clip": [(TONE[: 1_000 + at], 8_000) for at in range(40)],
            "y": ["ab"[at % 2] for at in range(40)],
        })  # fmt: skip

    one, other = open_source(frame()), open_source(frame())
    assert one.digest(["photo", "clip"]) == other.digest(["photo", "clip"]) == one.digest(["photo", "clip"])
    changed = frame()
    changed.loc[0, "photo"].putpixel((0, 0), (1, 2, 3))
    assert open_source(changed).digest(["photo"]) != one.digest(["photo"])
    assert len({_digest(cell).tobytes() for cell in one.cells(["photo"])}) == 10
    fast = (*FAST, "fields.photo.size=8", "fields.clip.mels=8")
    whole = pm.train(frame(), *fast, target="y", out=tmp_path / "kept")
    small = pm.train(frame(), *fast, "data.cache_gb=0", target="y", out=tmp_path / "none")
    np.testing.assert_array_equal(whole.predict_proba(frame()), small.predict_proba(frame()))
    (tmp_path / "none" / "checkpoints").mkdir(exist_ok=True)
    explained = pm.explain(whole, frame(), rows=[1])["explained"][0]["cells"]
    assert explained["photo"]["shown"] == "<array of 20 x 23 x 3>"
    assert explained["clip"]["shown"].endswith("bytes>")


class BreakOff(Exception):
    """Ends a run as a crash would."""


def test_a_run_on_objects_is_resumed(tmp_path: Path) -> None:
    from polymodal.training.events import EpochEvent, Event
    from polymodal.training.observers import Observer

    class Breaks(Observer):
        def observe(self, event: Event) -> None:
            if isinstance(event, EpochEvent) and event.epoch == 1:
                raise BreakOff

    def rows() -> list[dict[str, Any]]:
        return [{"photo": opened(png(at)), "y": "ab"[at % 2]} for at in range(40)]

    fast = (*FAST, "training.epochs=2", "fields.photo.size=8", "data.cache_gb=0")
    whole = pm.train(rows(), *fast, target="y")
    with pytest.raises(BreakOff):
        pm.train(rows(), *fast, target="y", out=tmp_path / "run", observers=[Breaks()])
    again = pm.resume(tmp_path / "run", table=rows())
    np.testing.assert_array_equal(again.predict_proba(rows()), whole.predict_proba(rows()))


def test_a_store_past_its_limit_reads_arrays_back(tmp_path: Path) -> None:
    pictures = [np.asarray(opened(png(at))) for at in range(5)]
    for limit in (0, 2**30):
        store = Store(tmp_path / "cells", {"x": image()}, limit)
        store.fill(open_source([{"x": one} for one in pictures]), lambda *_: None)
        for at, one in enumerate(pictures):
            np.testing.assert_array_equal(store.sample("x", at)["pixels"], image().read(one)["pixels"])
        store.close()


def test_slices_of_large_objects_are_cut_by_their_size() -> None:
    pictures = [Pillow.new("RGB", (2_000, 2_000), (at, 0, 0)) for at in range(8)]
    source = open_source([{"x": picture, "n": at} for at, picture in enumerate(pictures)])
    parts = list(source.slices(["x", "n"]))
    assert len(parts) == 2
    assert [int(cell[0, 0, 0]) for part in source.slices(["x"]) for cell in part["x"]] == list(range(8))
    assert [at for part in source.slices(["n"]) for at in part["n"]] == list(range(8))
    assert [at for part in source.at(["n", "x"], np.array([1, 6])) for at in part["n"]] == [1, 6]
    assert isinstance(source.table[0]["x"], Pillow.Image)  # type: ignore[attr-defined]


# -- sounds --------------------------------------------------------------------------------------------------------------


def heard(cell: Any) -> np.ndarray:
    assert isinstance(cell, bytes)
    return decode(cell, 8_000, 10.0)[0]


@pytest.mark.parametrize("path", [{}, {"path": None}, {"path": "a.wav", "bytes": None}])
def test_a_decoded_sound_is_a_sound(path: dict[str, Any]) -> None:
    row = {"x": {"array": TONE, "sampling_rate": 8_000, **path}}
    for table in ([row], pd.DataFrame([row]), pa.Table.from_pylist([{"x": {**row["x"], "array": TONE.tolist()}}])):
        (cell,) = cells_of(table)
        np.testing.assert_allclose(heard(cell), TONE, atol=1e-7)
    assert Audio.recognise([cell] * 5, Roots()).confidence == 1.0
    config = AudioConfig(column="x", rate=8_000, mels=8)
    reader = Audio(config, Audio.fit(config, [row["x"]], "spectrogram", {}, Roots()), Roots())
    np.testing.assert_array_equal(reader.read(row["x"])["mel"], reader.read(cell)["mel"])


@pytest.mark.parametrize(
    ("samples", "atol"),
    [
        (TONE, 1e-7),
        (TONE.astype(np.float64), 1e-7),
        (TONE.astype(np.float16), 1e-3),
        (TONE.astype(">f4"), 1e-7),
        ((TONE * 2**15).astype(np.int16), 1e-4),
        ((TONE.astype(np.float64) * 2**31).astype(np.int32), 1e-7),
        ((TONE.astype(np.float64) * 2**31).astype(np.int64), 1e-7),
        ((TONE * 2**15).astype(np.int64), 1e-4),
        ((TONE * 128 + 128).astype(np.uint8), 1e-2),
        ((TONE * 128).astype(np.int8), 1e-2),
        (np.stack([TONE, TONE], 1), 1e-7),
        (np.stack([TONE, TONE]), 1e-7),
        (torch.from_numpy(TONE), 1e-7),
        (torch.from_numpy(TONE)[None], 1e-7),
        (TONE.tolist(), 1e-7),
    ],
    ids=lambda value: None if isinstance(value, float) else str(getattr(value, "dtype", "list")) + str(getattr(value, "shape", "")),
)
def test_a_pair_of_samples_and_rate_is_a_sound_as_loud_as_it_was(samples: Any, atol: float) -> None:
    for pair in ((samples, 8_000), (8_000, samples), (samples, np.int64(8_000))):
        np.testing.assert_allclose(heard(plain(pair)), TONE, atol=atol)


def test_samples_survive_as_soundfile_reads_them() -> None:
    stereo = np.array([[1, -2], [300, -400], [32_767, -32_768]], np.int16)
    read, rate = soundfile.read(io.BytesIO(plain((22_050, stereo))), dtype="int16")
    assert rate == 22_050
    np.testing.assert_array_equal(read, stereo)


def test_what_is_no_pair_of_samples_and_rate_stays_what_it_was() -> None:
    series = TONE[:30].tolist()
    for cell, expected in (((series, 3), [series, 3]), ((1, 2), [1, 2]), (("a", "b"), ["a", "b"]), ((series, True), [series, True])):
        assert plain(cell) == expected
    for broken in ({"array": [], "sampling_rate": 8_000}, {"array": TONE, "sampling_rate": 0}, {"array": TONE, "sampling_rate": "8000"},
                   {"array": np.zeros((2, 3, 4)), "sampling_rate": 8_000}, {"array": np.zeros(5, complex), "sampling_rate": 8_000}):  # fmt: skip
        assert isinstance(plain(broken), Unreadable)
    assert plain({"array": None, "sampling_rate": 8_000, "path": "a.wav"}) == "a.wav"
    assert plain({"array": None, "sampling_rate": None, "path": None}) is None
    for samples in ([0.0, float("nan")] * 9, [1e300] * 9):
        with pytest.raises(Fault, match="not all finite numbers"):
            heard(plain((np.array(samples), 8_000)))


# -- every type ----------------------------------------------------------------------------------------------------------

MOMENT = datetime.datetime(2024, 5, 31, 12, 30)
TYPES: dict[str, tuple[Any, Any]] = {
    "binary view": (pa.array([b"ab"], pa.binary_view()), b"ab"),
    "large binary": (pa.array([b"ab"], pa.large_binary()), b"ab"),
    "binary of one size": (pa.array([b"ab"], pa.binary(2)), b"ab"),
    "string view": (pa.array(["a"], pa.string_view()), "a"),
    "dictionary": (pa.array(["a"]).dictionary_encode(), "a"),
    "dictionary of lists": (pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()), pa.array([["a", "b"]])), ["a", "b"]),
    "runs": (pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), pa.array(["a"])), "a"),
    "decimal": (pa.array([decimal.Decimal("1.50")]), decimal.Decimal("1.50")),
    "half": (pa.array([np.float16(1.5)], pa.float16()), 1.5),
    "time": (pa.array([datetime.time(1, 2)]), datetime.time(1, 2)),
    "duration": (pa.array([90], pa.duration("s")), datetime.timedelta(seconds=90)),
    "moment with a zone": (pa.array([MOMENT], pa.timestamp("s", "+02:00")), MOMENT.replace(tzinfo=datetime.UTC)),
    "moment of an unknown zone": (pa.array([MOMENT], pa.timestamp("s", "No/Where")), MOMENT.replace(tzinfo=datetime.UTC)),
    "interval": (pa.array([(1, 2, 3)], pa.month_day_nano_interval()), [1, 2, 3]),
    "list of nulls": (pa.array([[1, None]]), [1, None]),
    "list view": (pa.array([[1, None]], pa.list_view(pa.int8())), [1, None]),
    "list of one size": (pa.array([[1.5, None]], pa.list_(pa.float32(), 2)), FixedList([1.5, None])),
    "tensor": (pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(6.0).reshape(1, 2, 3)), np.arange(6.0).reshape(2, 3)),
    "tensor of one dimension": (pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(3.0).reshape(1, 3)), FixedList([0.0, 1.0, 2.0])),
    "JSON": (pa.ExtensionArray.from_storage(pa.json_(), pa.array(["[1]"])), "[1]"),
    "map": (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), {"a": 1}),
    "struct": (pa.array([{"a": [{"b": 1}]}]), {"a": [{"b": 1}]}),
    "union": (pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([5]), pa.array(["a"])]), 5),
    "null": (pa.nulls(1), None),
}  # fmt: skip


@pytest.mark.parametrize(("column", "expected"), TYPES.values(), ids=TYPES)
def test_what_each_type_of_arrow_becomes(column: Any, expected: Any) -> None:
    (cell,) = cells_of(pa.table({"x": column}))
    if isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(cell, expected)
    else:
        assert cell == expected
        assert type(cell) is type(expected)


class Thing:
    """An object whose text shows its address."""


class Broken:
    """An array that cannot be had."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("no")


class Shown:
    """An object with a text of its own."""

    def __str__(self) -> str:
        return "shown"


def itself() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        (Thing(), "object of type Thing"),
        ([1, Thing()], None),
        (Broken(), "Broken whose content cannot be read"),
        (1 + 2j, "complex number"),
        (np.complex64(1), "complex number"),
        (np.zeros(9, complex), "array of complex128"),
        (np.zeros(9, [("a", "f4"), ("b", "f4")]), "array of named fields"),
        (np.zeros(2, [("a", "f4")])[0], "record of named fields"),
        (np.broadcast_to(np.zeros(1), (2**20, 2**20)), "array of shape (1048576, 1048576), more than 2 GiB"),
        (np.array(["2024-01-01"], "M8[D]"), "array of datetime64[D]"),
        ({"a", 1}, "set whose content cannot be read"),
        (torch.zeros(3).to_sparse(), "Tensor whose content cannot be read"),
        (Pillow.new("1", (2**15, 2**14)), "picture of 32,768 x 16,384 pixels; expected at most 268,435,456"),
        ({"bytes": 3, "path": None}, "dict (bytes, path) whose bytes are int"),
        ({"bytes": None, "path": 3}, "dict (bytes, path) whose path is int"),
        (lambda: None, "object of type function"),
    ],
)
def test_an_object_that_cannot_be_read_says_what_it_was(cell: Any, found: str | None) -> None:
    made = plain(cell)
    if found is not None:
        assert made == Unreadable(found)
    assert plain(made) == made
    assert _digest(made).tobytes() == _digest(plain(cell)).tobytes()
    for modality in (image(), Audio(AudioConfig(column="x"), {"form": "spectrogram", "rate": 8_000, "mels": 8, "frames": 32}, Roots())):
        with pytest.raises(Fault, match="found"):
            modality.read(made)


def test_other_objects_become_what_they_hold() -> None:
    for cell, expected in (
        (np.array(5), 5), (np.array("a"), "a"), (np.array([["a"], ["b"]]), [["a"], ["b"]]), (np.array(["a", None], object), ["a", None]),
        (torch.tensor(1.5), 1.5), (torch.tensor([1.5], dtype=torch.bfloat16), [1.5]), (torch.ones(2, requires_grad=True), [1.0, 1.0]),
        (pd.Series([1, 2]), [1, 2]), (pd.Categorical(["a", "b"]), ["a", "b"]), ({"b", "a"}, ["a", "b"]), (memoryview(b"ab"), b"ab"),
        ((1, ("a", 2)), [1, ["a", 2]]), (pd.Period("2024-05", "M"), pd.Timestamp("2024-05-01")),
    ):  # fmt: skip
        made = plain(cell)
        np.testing.assert_array_equal(np.asarray(made, object), np.asarray(expected, object))
    np.testing.assert_array_equal(plain(np.ma.masked_array([1, 2], [False, True])), [1.0, np.nan])
    for same in (pd.Timestamp("2024-01-01"), pd.NaT, pd.NA, Shown(), Path("a"), decimal.Decimal(1), np.float32(1), [1, 2], ["a", None]):
        assert plain(same) is same
    deep: Any = "a"
    for _ in range(30):
        deep = [deep]
    for nested in (deep, itself()):
        assert _digest(plain(nested)).tobytes() == _digest(plain(nested)).tobytes()


class Silent:
    """An object whose text cannot be had."""

    def __str__(self) -> str:
        raise ValueError("no")


def test_hostile_objects_end_neither_digests_nor_inspection() -> None:
    strange = [Silent(), 10**5_000, [10**5_000] * 9, np.zeros((0, 3)), np.array([None, None], object), [np.zeros(2), None, "a"], {("a",): {None: 1}},
               {10**5_000: 1}, (np.zeros(5), 10**400), range(3), [[[]]], torch.empty(2, device="meta"), opened(png(0)[:300])]  # fmt: skip
    for cell in strange:
        rows = [{"x": cell, "n": at % 5, "y": "ab"[at % 2]} for at in range(20)]
        source = open_source(rows)
        assert source.digest(["x"]) == open_source(rows).digest(["x"])
        assert {column.name: column.role for column in pm.inspect(rows, target="y").columns}["x"] in ("ignored", "feature")
    rows = [{"x": 10**5_000 + at if at != 7 else [10**5_000], "n": at % 5, "y": "ab"[at % 2]} for at in range(30)]
    assert pm.check(rows, *FAST, target="y").faults[0][:2] == (8, "x")
    assert plain(Silent()) == Unreadable("Silent whose content cannot be read")
