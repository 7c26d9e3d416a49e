"""Fuzz tests of cells, tables, configurations, bundles and checkpoints: they are read, or raise a documented error."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import gzip
import hashlib
import json
import lzma
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import feather, parquet

import polymodal as pm
from builders.hostile_cells import encoded, noisy
from polymodal.cells import category, date, number
from polymodal.config import parse_yaml
from polymodal.data.sources import open_source
from polymodal.errors import Fault, UserError
from polymodal.journal import Journal
from polymodal.modalities import (
    Image,
    ImageConfig,
    Modality,
    PartFault,
    Pictures,
    PicturesConfig,
    Roots,
    Tabular,
    TabularConfig,
    Text,
    TextConfig,
    Video,
    VideoConfig,
)
from polymodal.storage import checksum_of
from polymodal.tasks import BinaryConfig, MulticlassConfig, MultilabelConfig, RegressionConfig
from polymodal.training.checkpoint import BrokenCheckpoint, unseal

some = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
few = settings(some, max_examples=40)

texts = st.text(st.characters(), max_size=60) | st.text("0123456789.,eE+-% ０１−年月日/:TZ", max_size=30)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(10**400), 10**400), st.floats(), texts, st.binary(max_size=60),
    st.decimals(), st.dates(), st.datetimes(), st.complex_numbers(), st.fractions(), st.sampled_from([np.float32("nan"), np.int8(3), np.datetime64("NaT"), np.str_("x"), ..., object()]),
)  # fmt: skip
cells = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3), max_leaves=6)


def mutated(body: bytes) -> st.SearchStrategy[bytes]:
    """The body cut, with bytes changed, put in, or taken out."""

    def change(edits: list[tuple[float, str, bytes]]) -> bytes:
        changed = bytearray(body)
        for where, how, new in edits:
            at = int(where * len(changed))
            if how == "cut":
                del changed[at:]
            elif how == "put":
                changed[at:at] = new
            elif how == "drop":
                del changed[at : at + len(new)]
            else:
                changed[at : at + len(new)] = new
        return bytes(changed)

    edit = st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(["cut", "put", "drop", "write", "write", "write"]),
        st.binary(min_size=1, max_size=8),
    )
    return st.lists(edit, min_size=1, max_size=5).map(change)


# -- cells ---------------------------------------------------------------------------------------------------------------


def made() -> dict[str, Modality]:
    text, column, several = TextConfig(column="x"), TabularConfig(columns=["x"]), TabularConfig(columns=["a", "b", "c"])
    several_pictures, video = PicturesConfig(column="x", size=16), VideoConfig(column="x", size=16)
    rows = [(float(at), "ab"[at % 2], f"2024-01-{1 + at % 28:02d}") for at in range(40)]
    return {
        "image": Image(ImageConfig(column="x"), {"size": 16, "channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3, "form": "pixels"}, Roots(["."])),
        "pictures": Pictures(several_pictures, Pictures.fit(several_pictures, [], "frames", {}, Roots()), Roots(["."])),
        "video": Video(video, Video.fit(video, [], "frames", {}, Roots()), Roots(["."])),
        "ngrams": Text(text, Text.fit(text, ["a word"], "ngrams", {"buckets": 512, "max_ngrams": 64}, Roots()), Roots()),
        "tokens": Text(text, Text.fit(text, ["a word"], "tokens", {"vocabulary": 300, "max_tokens": 64}, Roots()), Roots()),
        "number": Tabular(column, Tabular.fit(column, [float(at) for at in range(9)], "columns", {}, Roots()), Roots()),
        "several": Tabular(several, Tabular.fit(several, rows, "columns", {}, Roots()), Roots()),
    }  # fmt: skip


MADE = made()


def read(modality: Modality, cell: Any) -> Any:
    try:
        return modality.read(cell)
    except PartFault as fault:
        told(fault)
        return fault.rest
    except Fault as fault:
        told(fault)
        return None


def told(error: Exception, at_most: int = 500) -> None:
    """A message that a person can read."""
    assert 0 < len(str(error)) < at_most


@some
@given(cell=cells, more=st.tuples(cells, cells))
@pytest.mark.parametrize("name", MADE)
def test_any_cell_is_missing_or_a_finite_sample_or_a_fault(name: str, cell: Any, more: tuple[Any, Any]) -> None:
    modality = MADE[name]
    cell = (cell, *more) if name == "several" else cell
    if modality.is_missing(cell):
        return
    sample = read(modality, cell)
    modality.show(cell)
    if sample is not None:
        for name, value in modality.collate([sample, modality.blank()], modality.geometry(sample)).items():
            assert not value.isinf().any(), name
        again = read(modality, cell)
        assert again is not None
        assert all(np.array_equal(again[key], sample[key], equal_nan=sample[key].dtype.kind == "f") for key in sample)
        drift = modality.drift()
        if drift is not None:
            drift.see([cell], [sample], np.zeros(1, np.int64))
            drift.lines()


@some
@given(cell=cells)
def test_numbers_dates_and_categories_of_anything(cell: Any) -> None:
    value = number(cell)
    assert value is None or np.isfinite(value)
    day = date(cell)
    assert day is None or np.isfinite(day)
    assert len(category(cell)) <= 200


@some
@given(cell=cells)
def test_targets_of_anything(cell: Any) -> None:
    samples: list[tuple[Any, list[Any]]] = [
        (BinaryConfig(column="y"), ["a", "b"]), (MulticlassConfig(column="y"), ["a", "b", "c"]), (MultilabelConfig(column="y"), [["a"], ["b"]]),
        (RegressionConfig(column="y"), [1.0, 2.0, 3.0]),
    ]  # fmt: skip
    for config, known in samples:
        task = config.task()(config, config.task().fit(config, known, "here"))
        try:
            assert task.encode(cell).shape == (task.target_width,)
        except Fault as fault:
            told(fault, 500)


PICTURES = {
    "PNG": encoded(noisy(24), "PNG"), "JPEG": encoded(noisy(24), "JPEG"), "progressive": encoded(noisy(24), "JPEG", progressive=True),
    "WEBP": encoded(noisy(24), "WEBP"), "BMP": encoded(noisy(24), "BMP"), "TIFF": encoded(noisy(24), "TIFF"),
    "LZW": encoded(noisy(24), "TIFF", compression="tiff_lzw"), "GIF": encoded(noisy(24).quantize(16), "GIF"),
    "palette": encoded(noisy(24).quantize(16), "PNG", transparency=3), "deep": encoded(noisy(24).convert("I;16"), "PNG"),
}  # fmt: skip


@some
@given(data=st.data())
@pytest.mark.parametrize("name", PICTURES)
def test_pictures_with_bytes_changed(name: str, data: Any) -> None:
    image = MADE["image"]
    try:
        assert image.read(data.draw(mutated(PICTURES[name])))["pixels"].shape == (3, 16, 16)
    except Fault as fault:
        told(fault, 200)


PARTS = [*"/./.\\~$%: a", "..", "\0", "\ud800", "é", "secret", "link", "in.png", "file:", "//", "data:"]


@some
@given(path=st.lists(st.sampled_from(PARTS), max_size=12).map("".join))
def test_no_path_leads_out_of_its_root(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    if not root.exists():
        root.mkdir()
        (tmp_path / "secret").write_bytes(b"secret")
        (root / "in.png").write_bytes(b"inside")
        (root / "link").symlink_to(tmp_path)
    for cell in (path, f"{root}/{path}", f"../root/{path}"):
        said = ""
        try:
            assert Roots([root]).bytes_of(cell) in (b"inside", b"")
        except Fault as fault:
            said = str(fault)
        assert str(tmp_path) not in said.replace(cell.strip(), ""), "a message says no more of a path than the cell does"


# -- tables --------------------------------------------------------------------------------------------------------------


def written(kind: str, folder: Path) -> bytes:
    table = pa.table(
        {
            "text": [f"word {at}" for at in range(40)],
            "x": [float(at) for at in range(40)],
            "tags": [["a"], []] * 20,
            "b": [b"\0", None] * 20,
        }
    )
    path = folder / f"table.{kind}"
    if kind == "parquet":
        parquet.write_table(table, path, row_group_size=16)
    elif kind == "feather":
        feather.write_feather(table, path, compression="uncompressed")
    elif kind == "jsonl":
        path.write_text("".join(json.dumps({"text": f"word {at}", "x": at, "tags": ["a"]}) + "\n" for at in range(40)))
    elif kind == "json":
        path.write_text(json.dumps([{"text": f"word {at}", "x": at, "tags": ["a"]} for at in range(40)]))
    elif kind == "xlsx":
        pandas.DataFrame({"text": ["word"] * 40, "x": range(40)}).to_excel(path, index=False)
    else:
        body = ("text,x,tags\n" + "".join(f'"word, {at}",{at},a\n' for at in range(40))).encode()
        if kind == "zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("t.csv", body)
        else:
            path.write_bytes(gzip.compress(body) if kind == "csv.gz" else lzma.compress(body) if kind == "csv.xz" else body)
    return path.read_bytes()


@some
@given(data=st.data())
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "feather", "json", "xlsx", "zip", "csv.gz", "csv.xz"])
def test_tables_with_bytes_changed(tmp_path: Path, kind: str, data: Any) -> None:
    original = tmp_path / "original"
    if not original.exists():
        original.write_bytes(written(kind, tmp_path))
    path = tmp_path / f"changed.{kind}"
    path.write_bytes(data.draw(mutated(original.read_bytes())))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of encodings that were guessed, and of garbled text
            source = open_source(path)
        rows = sum(len(part[source.columns[0]]) for part in source.slices(source.columns)) if source.columns else 0
        assert rows == source.rows or not source.columns
    except UserError as error:
        told(error, 3_000)


@some
@given(body=st.binary(max_size=200))
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "feather", "json", "xlsx", "zip", "csv.gz", "csv.xz"])
def test_tables_of_any_bytes(tmp_path: Path, kind: str, body: bytes) -> None:
    path = tmp_path / f"any.{kind}"
    path.write_bytes(body)
    with contextlib.suppress(UserError), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        source = open_source(path)
        list(source.slices(source.columns)) if source.columns else None


@few
@given(rows=st.lists(st.dictionaries(st.sampled_from(["a", "b", "y"]), cells, max_size=3), min_size=1, max_size=30))
def test_inspecting_rows_of_anything(rows: list[dict[str, Any]]) -> None:
    for target in ([], ["y"]):
        with contextlib.suppress(UserError):
            pm.inspect(rows, target=target).text()


# -- settings ------------------------------------------------------------------------------------------------------------

NAMES = ["data", "table", "fields", "tasks", "model", "training", "seed", "kind", "image", "text", "tabular", "column", "columns", "encoders", "fusion",
         "lowrank", "convnet", "bag", "x", "y", "label", "epochs", "lr", "split", "group", "on_error", "blank", "multiclass", "class_weights", "size"]  # fmt: skip
plain = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(NAMES) | st.text(max_size=8)
trees = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=5),
    max_leaves=20,
)
GOOD: dict[str, Any] = {
    "data": {"table": "t.csv", "split": {"kind": "random"}}, "fields": {"x": {"kind": "image", "column": "x", "size": 32}, "t": {"kind": "text", "column": "t"}},
    "tasks": {"y": {"kind": "multiclass", "column": "y"}}, "model": {"encoders": {"x": {"kind": "convnet"}}, "fusion": {"kind": "lowrank"}}, "training": {"lr": 0.1},
}  # fmt: skip


def replaced(tree: Any, edits: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """The tree with something else at one of its nodes."""

    def draw(data: Any) -> Any:
        copy = json.loads(json.dumps(tree))
        at = copy
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            key = data.draw(st.sampled_from(keys))
            if isinstance(at[key], (dict, list)) and len(at[key]) and data.draw(st.booleans()):
                at = at[key]
                continue
            at[key] = data.draw(edits)
            return copy

    return draw


@some
@given(tree=trees, data=st.data())
def test_settings_of_any_shape(tree: Any, data: Any) -> None:
    for candidate in (tree, replaced(GOOD, trees)(data)):
        try:
            experiment = pm.Experiment.of(candidate if isinstance(candidate, dict) else {"data": candidate})
            assert pm.Experiment.of(experiment.tree()) == experiment
        except UserError as error:
            told(error, 10_000)


@some
@given(text=st.text(max_size=80) | st.text("{}[]:,-&*!|>'\"#%@`?\n x1.e~=<", max_size=40))
def test_yaml_of_any_text(tmp_path: Path, text: str) -> None:
    with contextlib.suppress(UserError):
        parse_yaml(text, "here")
    path = tmp_path / "run.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    for given_ in ([], [text], [f"training.{text}"]):
        with contextlib.suppress(UserError):
            pm.Experiment.read(path, given_)


# -- bundles and checkpoints -----------------------------------------------------------------------------------------------


def resealed(folder: Path, head: Any) -> None:
    if isinstance(head, dict):
        head.pop("check", None)
        if isinstance(head.get("sha256"), dict):
            for name in ("states.json", "weights.safetensors"):
                head["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        head["check"] = checksum_of(head)
    (folder / "bundle.json").write_text(json.dumps(head), encoding="utf-8")


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**12) | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(NAMES) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3), max_leaves=5,
)  # fmt: skip


@some
@given(data=st.data())
@pytest.mark.parametrize("part", ["bundle.json", "states.json", "weights.safetensors"])
def test_bundles_with_anything_changed_and_sealed_again(tmp_path: Path, shop_run: Path, shop_folder: Path, part: str, data: Any) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(shop_run / "bundle", folder, dirs_exist_ok=True)
    head = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    if part == "bundle.json":
        head = replaced(head, values)(data)
    elif part == "states.json":
        states = replaced(json.loads((folder / part).read_text(encoding="utf-8")), values)(data)
        (folder / part).write_text(json.dumps(states), encoding="utf-8")
    else:
        body = (folder / part).read_bytes()
        (folder / part).write_bytes(data.draw(mutated(body[:4_000])) + body[4_000:])
    resealed(folder, head)
    try:
        model = pm.load(folder)
        rows = [{"photo": "photos/1_0001.png", "标题": "红色 river", "price": 5, "region": "north"}, {"price": "x"}]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            assert len(model.predict_proba(rows, root=[shop_folder])) == 2
    except UserError as error:
        told(error, 2_000)


@some
@given(body=st.binary(max_size=300))
def test_checkpoints_and_ledgers_of_any_bytes(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(BrokenCheckpoint):
        unseal(body)
    with pytest.raises(BrokenCheckpoint):
        unseal(len(body).to_bytes(8, "little") + body)
    (tmp_path / "ledger.json").write_bytes(body)
    with pytest.raises(UserError):
        Journal.read(tmp_path / "ledger.json")


def test_decimals_and_dates_are_cells() -> None:
    assert number(decimal.Decimal("1.5")) == 1.5
    assert number(decimal.Decimal("NaN")) is None
    assert date(datetime.date(1970, 1, 2)) == 1.0
