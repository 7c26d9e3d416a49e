"""A folder of Parquet files is one table, in the order of the file names; files that do not fit together are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import polymodal as pm
from polymodal.data.sources import open_source
from polymodal.errors import DataError


def write(path: Path, columns: dict[str, Any], group: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path, row_group_size=group)
    return path


def cells(folder: Path, *columns: str) -> list[Any]:
    return list(open_source(folder).cells(columns))


def test_the_rows_of_all_files_follow_one_another(tmp_path: Path) -> None:
    write(tmp_path / "part-2.parquet", {"b": ["z"], "a": [5]})  # the order of columns may differ
    write(tmp_path / "part-1.parquet", {"a": [1, 2, 3, 4], "b": ["v", "w", None, "y"]}, group=2)
    write(tmp_path / "part-3.pq", {"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())})
    for name in ("_SUCCESS", ".part-1.parquet.crc", "_metadata.parquet", "notes.md"):
        (tmp_path / name).write_text("not a table")
    source = open_source(tmp_path)
    assert (source.rows, source.columns, source.folder, source.typed) == (5, ["a", "b"], tmp_path.resolve(), True)
    assert list(source.cells(["a", "b"])) == [(1, "v"), (2, "w"), (3, None), (4, "y"), (5, "z")]
    assert [part["a"] for part in source.at(["a"], np.array([0, 3, 4]))] == [[1, 4], [5]]


def test_folders_with_a_name_and_a_value_add_a_column(tmp_path: Path) -> None:
    write(tmp_path / "year=2025" / "city=S%C3%A3o Paulo" / "a.parquet", {"x": [1.0, 2.0]})
    write(tmp_path / "year=2024" / "city=__HIVE_DEFAULT_PARTITION__" / "b.parquet", {"x": [3.0]})
    assert open_source(tmp_path).columns == ["x", "year", "city"]
    assert cells(tmp_path, "x", "year", "city") == [(3.0, 2024, None), (1.0, 2025, "São Paulo"), (2.0, 2025, "São Paulo")]
    assert cells(tmp_path, "year") == [2024, 2025, 2025]
    write(tmp_path / "year=007" / "city=x" / "c.parquet", {"x": [4.0]})
    assert cells(tmp_path, "year") == ["007", "2024", "2025", "2025"], "a code is text"
    write(tmp_path / "d.parquet", {"x": [4.0]})
    with pytest.raises(
        DataError, match=r"year=.*in folders year, city; expected none|in folders without a name and a value; expected year, city"
    ):
        open_source(tmp_path)


def test_types_that_cells_do_not_show_may_differ(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", {"t": pa.array(["x"], pa.large_string()), "n": pa.array([1], pa.int8()), "e": pa.nulls(1)})
    write(tmp_path / "b.parquet", {"t": pa.array(["y"]).dictionary_encode(), "n": pa.array([2], pa.int64()), "e": ["z"]})
    assert cells(tmp_path, "t", "n", "e") == [("x", 1, None), ("y", 2, "z")]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"a": [1]}, r"b\.parquet: no column 'b'; expected the columns of .*a\.parquet"),
        ({"a": [1], "b": ["x"], "c": [1]}, r"b\.parquet: a further column 'c'"),
        ({"a": ["1"], "b": ["x"]}, r"b\.parquet, column 'a': string; expected int64, as in the files before"),
        ({"a": [1.5], "b": ["x"]}, r"column 'a': double; expected int64"),
    ],
)
def test_files_of_different_columns_are_refused(tmp_path: Path, second: dict[str, Any], message: str) -> None:
    write(tmp_path / "a.parquet", {"a": [1], "b": ["x"]})
    write(tmp_path / "b.parquet", second)
    with pytest.raises(DataError, match=message):
        open_source(tmp_path)


def test_the_type_of_a_column_that_is_empty_at_first_is_that_of_the_next_file(tmp_path: Path) -> None:
    for name, values in (("a", pa.nulls(1)), ("b", ["x"]), ("c", [1])):
        write(tmp_path / f"{name}.parquet", {"e": values})
    with pytest.raises(DataError, match=r"c\.parquet, column 'e': int64; expected string"):
        open_source(tmp_path)


def test_no_file_of_a_folder_is_left_out_in_silence(tmp_path: Path) -> None:
    write(tmp_path / "rows" / "k=1" / "a.parquet", {"x": [1]})
    write(tmp_path / "elsewhere" / "b.parquet", {"x": [2]})
    (tmp_path / "rows" / "k=2").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"k=2: a link; expected a folder of Parquet files"):
        open_source(tmp_path / "rows")
    (tmp_path / "rows" / "k=2").unlink()
    (tmp_path / "rows" / "k=1" / "b.csv").write_text("x\n2\n")
    with pytest.raises(DataError, match="a folder; expected a table"):
        open_source(tmp_path / "rows")


def test_files_without_columns_have_the_columns_of_their_folders(tmp_path: Path) -> None:
    write(tmp_path / "k=1" / "a.parquet", {"__index_level_0__": [5, 6]})
    assert cells(tmp_path, "k") == [1, 1]


def test_parts_of_a_split_are_not_joined(tmp_path: Path) -> None:
    for name in ("train-00000-of-00002.parquet", "train-00001-of-00002.parquet"):
        write(tmp_path / name, {"a": [1]})
    assert open_source(tmp_path).rows == 2
    write(tmp_path / "test-00000-of-00001.parquet", {"a": [1]})
    with pytest.raises(DataError, match=r"a folder of test and training rows .*; expected the parts of one table; name a single file"):
        open_source(tmp_path)


def test_a_folder_with_other_tables_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a folder; expected a table"):
        open_source(tmp_path)
    write(tmp_path / "a.parquet", {"a": [1]})
    (tmp_path / "b.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"a folder; expected a table .*it contains 'a\.parquet', 'b\.csv'; name one"):
        open_source(tmp_path)
    (tmp_path / "b.csv").unlink()
    (tmp_path / "a.parquet").write_bytes(b"PAR1 broken")
    with pytest.raises(DataError, match=r"a\.parquet: not a Parquet file"):
        open_source(tmp_path)


def test_a_model_is_trained_on_a_folder_and_predicts_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=120).tolist()
    rows = {"x": x, "y": ["yes" if one > 0 else "no" for one in x]}
    settings = ("training.epochs=2", "training.baselines=false", "model.trees=null")
    for at in range(3):
        write(tmp_path / "rows" / f"{at}.parquet", {name: values[40 * at : 40 * at + 40] for name, values in rows.items()})
    whole = write(tmp_path / "whole.parquet", rows)
    checked = pm.check(str(tmp_path / "rows"), *settings, target="y")
    assert checked.ok
    of_folder, of_file = (pm.train(str(path), *settings, target="y") for path in (tmp_path / "rows", whole))
    np.testing.assert_array_equal(of_folder.predict_proba(tmp_path / "rows"), of_file.predict_proba(whole))
