"""Tests of point clouds: the same cloud from every format, sweeps with times, and messages for invalid headers."""

from __future__ import annotations

import io
import json
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polymodal as pm
from polymodal.errors import Fault
from polymodal.modalities import Points, PointsConfig, Roots

CLOUD = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)


def reader(root: Path | None = None, cells: Any = None, **settings: Any) -> Points:
    config = PointsConfig(**{"column": "x", **settings})
    state = Points.fit(config, [CLOUD] * 3 if cells is None else cells, "points", {}, Roots([root] if root else []))
    return Points(config, state, Roots([root] if root else []))


def raw(points: Points, cell: Any) -> np.ndarray:
    return points.read(cell)["points"] * np.array(points.state["std"]) + np.array(points.state["mean"])  # type: ignore[no-any-return]


def pcd(cloud: np.ndarray, mode: str, names: str = "x y z intensity", claimed: int | None = None) -> bytes:
    count = cloud.shape[1]
    head = (
        f"# .PCD v0.7\nVERSION 0.7\nFIELDS {names}\nSIZE {' '.join(['4'] * count)}\nTYPE {' '.join(['F'] * count)}\nCOUNT {' '.join(['1'] * count)}\n"
        f"WIDTH {claimed or len(cloud)}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {claimed or len(cloud)}\nDATA {mode}\n"
    ).encode()
    body = cloud.astype("<f4").tobytes()
    if mode == "ascii":
        return head + "\n".join(" ".join(f"{v:.8g}" for v in row) for row in cloud.tolist()).encode()
    if mode == "binary_compressed":
        columns = cloud.astype("<f4").T.tobytes()
        packed = b"".join(bytes([min(32, len(columns) - at) - 1]) + columns[at : at + 32] for at in range(0, len(columns), 32))
        return head + struct.pack("<II", len(packed), len(columns)) + packed
    return head + body


def ply(cloud: np.ndarray, mode: str, claimed: int | None = None) -> bytes:
    names = ("x", "y", "z", "intensity")
    head = (
        f"ply\nformat {mode} 1.0\ncomment made\nelement vertex {claimed or len(cloud)}\n"
        + "".join(f"property float {name}\n" for name in names)
        + "end_header\n"
    )
    if mode == "ascii":
        return head.encode() + "\n".join(" ".join(f"{v:.8g}" for v in row) for row in cloud.tolist()).encode()
    return head.encode() + cloud.astype("<f4" if "little" in mode else ">f4").tobytes()


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


# -- the right values ----------------------------------------------------------------------------------------------------


def test_every_format_of_one_cloud_is_one_sample(tmp_path: Path) -> None:
    files = {"a.npy": npy(CLOUD), "b.bin": CLOUD.tobytes(), "c.pcd": pcd(CLOUD, "ascii"), "d.pcd": pcd(CLOUD, "binary"),
             "e.pcd": pcd(CLOUD, "binary_compressed"), "f.ply": ply(CLOUD, "ascii"), "g.ply": ply(CLOUD, "binary_little_endian"),
             "h.ply": ply(CLOUD, "binary_big_endian"), "i.csv": ("x,y,z,intensity\n" + "\n".join(",".join(f"{v:.8g}" for v in row) for row in CLOUD.tolist())).encode()}  # fmt: skip
    for name, body in files.items():
        (tmp_path / name).write_bytes(body)
    points = reader(tmp_path)
    np.testing.assert_allclose(raw(points, CLOUD), CLOUD, atol=1e-5)
    expected = points.read(CLOUD)["points"]
    for cell in (*files, CLOUD.tolist(), json.dumps(CLOUD.tolist()), tmp_path / "d.pcd"):
        np.testing.assert_allclose(points.read(cell)["points"], expected, atol=1e-5, err_msg=str(cell))


@pytest.mark.parametrize("ending", ["las", "laz"])
def test_las_and_laz_give_their_points(tmp_path: Path, ending: str) -> None:
    import laspy

    header = laspy.LasHeader(point_format=0, version="1.2")
    header.scales = np.array([0.001] * 3)
    las = laspy.LasData(header)
    las.x, las.y, las.z = CLOUD[:, 0], CLOUD[:, 1], CLOUD[:, 2]
    las.intensity = np.arange(80)
    las.write(str(tmp_path / f"a.{ending}"))
    values = raw(reader(tmp_path, cells=[np.c_[CLOUD[:, :3], np.arange(80)]] * 3), f"a.{ending}")
    np.testing.assert_allclose(values[:, :3], CLOUD[:, :3], atol=2e-3)
    np.testing.assert_allclose(values[:, 3], np.arange(80), atol=1e-3)


def test_x_y_z_come_first_whatever_a_file_s_order(tmp_path: Path) -> None:
    turned = np.concatenate([CLOUD[:, 3:], CLOUD[:, :3]], 1)
    for mode in ("ascii", "binary"):
        (tmp_path / f"{mode}.pcd").write_bytes(pcd(turned, mode, "intensity x y z"))
        np.testing.assert_allclose(raw(reader(tmp_path), f"{mode}.pcd"), CLOUD, atol=1e-5)


def test_sweeps_become_one_set_whose_points_know_their_time(tmp_path: Path) -> None:
    for at in range(3):
        (tmp_path / f"{at}.pcd").write_bytes(pcd(CLOUD[at * 20 : at * 20 + 10 + at], "binary"))
    nested = [CLOUD[at * 20 : at * 20 + 10 + at].tolist() for at in range(3)]
    points = reader(tmp_path, cells=[nested] * 3)
    values = raw(points, "0.pcd;1.pcd; 2.pcd")
    assert values.shape == (33, 5)
    np.testing.assert_allclose(np.unique(values[:, 4].round(4)), [0, 0.5, 1])
    np.testing.assert_allclose(raw(points, nested), values, atol=1e-5)
    with pytest.raises(Fault, match=r"5 numbers|4 numbers"):
        points.read("0.pcd")


def test_large_clouds_are_drawn_from_by_their_content_and_nan_points_are_nothing() -> None:
    large = np.random.default_rng(1).normal(size=(5_000, 4))
    points = reader(points=64)
    one, two = points.read(large), points.read(large.tolist())
    assert one["points"].shape == (64, 4)
    np.testing.assert_array_equal(one["points"], two["points"])
    assert one["count"] > points.read(CLOUD)["count"]
    holes = CLOUD.copy()
    holes[::2, 1] = np.nan
    np.testing.assert_allclose(raw(points, holes), CLOUD[1::2], atol=1e-5)


def test_the_order_of_points_says_nothing() -> None:
    rows = clouds(40, 0)
    model = pm.train(rows, "training.epochs=1", "data.split.folds=2", target="form")
    shuffled = [{**row, "scan": [row["scan"][at] for at in np.random.default_rng(3).permutation(len(row["scan"]))]} for row in rows]
    np.testing.assert_allclose(model.predict_proba(shuffled), model.predict_proba(rows), atol=1e-5)


# -- what is no cloud ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ([], "no points"),
        ([[]], "no points"),
        ([1, 2, 3], "no points"),
        ([[1, 2, 3], [1, 2]], "no points"),
        ([["a", "b", "c"]], "no points"),
        ([[float("nan")] * 4] * 5, "numbers are not finite"),
        ([[float("inf")] * 4] * 5, "numbers are not finite"),
        (CLOUD[:, :3], "3 numbers; expected 4"),
        ("[[1, 2", "not valid JSON"),
        (npy(np.zeros((0, 4))), "no points"),
        (pcd(CLOUD, "binary", claimed=10**8), "claims 100,000,000 points"),
        (pcd(CLOUD, "ascii", claimed=10**8), "claims 100,000,000 points"),
        (pcd(CLOUD, "binary_compressed", claimed=10**8), "claims 100,000,000 points"),
        (pcd(CLOUD, "binary", claimed=-5), "claims -5 points"),
        (pcd(CLOUD, "pickled"), "expected ascii, binary"),
        (pcd(CLOUD, "binary")[:150], "header without an end|cannot be read|claims"),
        (ply(CLOUD, "binary_little_endian", claimed=10**9), "claims 1,000,000,000 points"),
        (ply(CLOUD, "ascii", claimed=500), "claims 500 points"),
        (
            b"ply\nformat binary_little_endian 1.0\nelement vertex 3\nproperty list uchar int x\nend_header\n" + bytes(99),
            "lists in its vertices",
        ),
        (b"ply\nformat other 1.0\nelement vertex 3\nend_header\n" + bytes(99), "cannot be read"),
        (b"LASF" + bytes(400), "cannot be read"),
        (b"\x80\x04cos\nsystem\n.", "cannot be read|numbers"),
        ("https://example.com/a.pcd", "a URL"),
        ("../a.pcd;b.pcd", "no folder|outside"),
        (3.5, "found float"),
    ],
)
def test_what_is_no_cloud_is_told(cell: Any, said: str) -> None:
    with pytest.raises(Fault, match=said) as caught:
        reader().read(cell)
    assert len(str(caught.value)) < 250


def test_a_raw_file_says_how_many_numbers_it_wants(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(np.zeros((7, 5), np.float32).tobytes())
    (tmp_path / "b.bin").write_bytes(bytes(7))
    points = reader(tmp_path, cells=[np.zeros((7, 5))] * 2)
    assert points.read("a.bin")["points"].shape == (7, 5)
    with pytest.raises(Fault, match="raw file of 7 bytes"):
        points.read("b.bin")


# -- how many numbers a point of a raw file has -----------------------------------------------------------------------------


def scan(points: int, channels: int, seed: int) -> np.ndarray:
    """A lidar's sweep of 32 rings: x y z, then the strength (0 to 255), the ring and the time of each point, or as many as are asked for."""
    rng = np.random.default_rng(seed)
    ring, turn = np.arange(points) % 32, 2 * np.pi * (np.arange(points) // 32) / (points / 32)
    rise = np.deg2rad(-30 + 40 * ring / 32)
    far = np.minimum(np.where(rise < 0, 1.8 / np.maximum(np.sin(-rise), 1e-3), 80), 80) * rng.uniform(0.3, 1, points)
    columns = [far * np.cos(rise) * np.cos(turn), far * np.cos(rise) * np.sin(turn), far * np.sin(rise),
               rng.integers(0, 256, points), ring, np.linspace(0, 0.1, points)]  # fmt: skip
    return np.stack(columns[:channels], 1).astype("<f4")


def written(folder: Path, clouds: list[np.ndarray]) -> list[str]:
    for at, cloud in enumerate(clouds):
        (folder / f"{at}.bin").write_bytes(cloud.astype("<f4").tobytes())
    return [f"{at}.bin" for at in range(len(clouds))]


@pytest.mark.parametrize("channels", [3, 4, 5, 6])
@pytest.mark.parametrize("points", [120, 4_800, 34_720])
def test_the_numbers_of_a_point_are_told_from_the_column_and_not_from_the_size_of_a_file(
    channels: int, points: int, tmp_path: Path
) -> None:
    points -= points % 60  # so that the size of every file allows 3 to 6
    clouds = [scan(points, channels, seed) for seed in range(4)]
    cells = written(tmp_path, clouds)
    reads = reader(tmp_path, cells, points=65_536)
    reads.check()
    assert (reads.state["raw_channels"], reads.state["channels"]) == (channels, channels)
    np.testing.assert_allclose(raw(reads, cells[2]), clouds[2], rtol=1e-4, atol=1e-2)
    sweeps = reader(tmp_path, [f"{one};{two}" for one, two in pairwise(cells)])
    assert (sweeps.state["raw_channels"], sweeps.state["channels"]) == (channels, channels + 1)


@pytest.mark.parametrize("channels", [3, 6])
def test_plain_clouds_of_objects_and_coloured_ones(channels: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clouds = [
        np.c_[rng.uniform(-1, 1, (2_040, 3)) * rng.uniform(0.3, 1, 3), rng.uniform(0, 1, (2_040, 3))][:, :channels] for _ in range(20)
    ]
    assert reader(tmp_path, written(tmp_path, clouds)).state["raw_channels"] == channels


def test_sizes_decide_where_they_can_and_the_config_always(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clouds = [rng.normal(size=(20 * at + 7, 5)) for at in range(1, 9)]  # all channels alike
    cells = written(tmp_path, clouds)
    assert reader(tmp_path, cells).state["raw_channels"] == 5
    seven = written(tmp_path, [rng.normal(size=(60, 7))] * 3)
    told = reader(tmp_path, seven, channels=7)
    assert (told.state["raw_channels"], told.read(seven[0])["points"].shape) == (7, (60, 7))
    assert "raw_channels" not in reader(tmp_path, [CLOUD] * 3).state


def test_a_raw_file_of_another_size_than_the_column_s_is_a_fault(tmp_path: Path) -> None:
    cells = written(tmp_path, [scan(600, 5, seed) for seed in range(3)])
    points = reader(tmp_path, cells)
    (tmp_path / "four.bin").write_bytes(scan(601, 4, 0).tobytes())
    with pytest.raises(Fault, match="expected float32 of 5 channels"):
        points.read("four.bin")


def test_a_state_without_the_count_reads_by_the_size_as_before(tmp_path: Path) -> None:
    cells = written(tmp_path, [scan(601, 5, seed) for seed in range(3)])
    state = {name: value for name, value in reader(tmp_path, cells).state.items() if name != "raw_channels"}
    points = Points(PointsConfig(column="x"), state, Roots([tmp_path]))
    points.check()
    assert points.read(cells[0])["points"].shape == (512, 5)
    (tmp_path / "even.bin").write_bytes(scan(600, 5, 0).tobytes())
    with pytest.raises(Fault, match="points of 4 numbers; expected 5"):
        points.read("even.bin")


@pytest.mark.parametrize("bad", [0, 65, 4.0, "4", None, True, [4]])
def test_a_count_that_no_fit_makes_is_refused(bad: Any) -> None:
    points = reader()
    points.state["raw_channels"] = bad
    with pytest.raises(ValueError, match="raw files"):
        points.check()


def test_raw_files_of_no_numbers_tell_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for at, body in enumerate((b"", bytes(7), b"\xff" * 4_800, rng.bytes(4_800), np.full(1_200, np.nan, "<f4").tobytes(), bytes(240))):
        (tmp_path / f"{at}.bin").write_bytes(body)
    for at in range(6):
        reader(tmp_path, [f"{at}.bin", "none.bin", "../x.bin", "https://example.com/a.bin"]).check()


# -- a table of clouds -----------------------------------------------------------------------------------------------------


def clouds(rows: int, seed: int, as_text: bool = False) -> list[dict[str, Any]]:
    """A ball, a ring or a plane, of any size and place, of any count of points, each with a strength."""
    rng = np.random.default_rng(seed)
    made = []
    for at in range(rows):
        form = ["ball", "ring", "plane"][at % 3]
        points = int(rng.integers(60, 200))
        xyz = rng.normal(size=(points, 3))
        if form == "ball":
            xyz /= np.linalg.norm(xyz, axis=1, keepdims=True)
        elif form == "ring":
            angle = rng.uniform(0, 2 * np.pi, points)
            xyz = np.stack([np.cos(angle), np.sin(angle), 0.1 * rng.normal(size=points)], 1)
        else:
            xyz = np.stack([*rng.uniform(-1, 1, (2, points)), 0.1 * rng.normal(size=points)], 1)
        xyz = xyz * rng.uniform(0.7, 1.4) + rng.normal(0, 0.5, 3)
        scan = np.c_[xyz, rng.uniform(0, 1, points)].round(3).tolist()
        made.append({"scan": json.dumps(scan) if as_text else scan, "form": form})
    return made


@pytest.mark.parametrize("as_text", [False, True])
def test_a_table_of_clouds_is_recognised_and_learned_with_nothing_said(tmp_path: Path, as_text: bool) -> None:
    rows, other = clouds(240, 0, as_text), clouds(60, 1, as_text)
    assert "points (series with --column NAME=series)" in " ".join(pm.inspect(rows, target="form").text().split())
    assert "series" in pm.inspect(rows, target="form", columns={"scan": "series"}).text()
    model = pm.train(rows, "data.split.folds=2", "training.epochs=18", target="form", out=tmp_path / "run")
    assert model.evaluate(other)["tasks"]["form"]["accuracy"] > 0.9
    np.testing.assert_array_equal(pm.load(tmp_path / "run").predict_proba(other), model.predict_proba(other))


def test_one_table_of_everything_trains_and_answers_with_any_part_missing(tmp_path: Path) -> None:
    from builders.series import table_of
    from builders.sounds import sounds
    from builders.tables import shop
    from polymodal.data.sources import open_source

    shop_rows = open_source(shop(tmp_path, 60))
    sound_rows = open_source(sounds(tmp_path, 60))
    columns = {name: list(shop_rows.cells([name])) for name in shop_rows.columns}
    series, scans, clips = table_of(60, 0), clouds(60, 0), list(sound_rows.cells(["clip"]))
    rows = [
        {
            **{name: cells[at] for name, cells in columns.items()},
            "signal": series[at]["signal"],
            "scan": scans[at]["scan"],
            "clip": clips[at],
        }
        for at in range(60)
    ]
    settings = ("training.epochs=3", "data.split.folds=2", "training.baselines=false", "model.width=16", "fields.photo.size=16")
    model = pm.train(rows, *settings, target="label", root=[tmp_path], out=tmp_path / "run")
    assert {field.kind for field in model.bundle.experiment.fields.values()} == {"image", "text", "tabular", "audio", "series", "points"}
    expected = model.predict_proba(rows)
    again = pm.load(tmp_path / "run", root=[tmp_path])
    np.testing.assert_array_equal(again.predict_proba(rows), expected)
    names = [name for name in rows[0] if name != "label"]
    rng = np.random.default_rng(0)
    for _ in range(6):
        kept = [name for name in names if rng.random() < 0.5] or names[:1]
        scores = again.predict_proba([{name: row[name] if name in kept else None for name in names} for row in rows[:6]])
        assert np.isfinite(scores).all(), kept
    some = again.predict_proba([{**rows[0], "scan": None}, {**rows[1], "signal": None, "clip": None}, rows[2]])
    np.testing.assert_array_equal(some[2], expected[2])
