"""Tests of several pictures in one cell: any number in any form, invalid folders, and predictions that do not depend on the order."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

import polymodal as pm
from builders.inspection import kind_of
from builders.tables import COLORS, write_csv
from polymodal.config import validate
from polymodal.data.loader import field_of
from polymodal.encoders import CONFIGS, FramesConfig, PatchEmbeddingsConfig, PretrainedConfig
from polymodal.encoders.frames import EACH
from polymodal.errors import ConfigError, Fault
from polymodal.flow import Features
from polymodal.modalities import Image, ImageConfig, PartFault, Pictures, PicturesConfig, Roots

SIDE = 16


def body(color: Any, side: int = SIDE) -> bytes:
    out = io.BytesIO()
    Pillow.new("RGB", (side, side), tuple(color)).save(out, "PNG")
    return out.getvalue()


def reader(root: Path | None = None, **settings: Any) -> Pictures:
    config = PicturesConfig(**{"column": "x", "size": SIDE, **settings})
    roots = Roots([root] if root else [])
    return Pictures(config, Pictures.fit(config, [[body((10, 20, 30)), body((90, 20, 30))]] * 3, "frames", {}, roots), roots)


def reds(sample: Any) -> list[int]:
    return [int(picture[0, 3, 3]) for picture in sample["pixels"]]


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Eight pictures of red 0, 10 ... 70, whose names are not in the order in which they were written."""
    (tmp_path / "album").mkdir()
    for at in (3, 0, 7, 1, 6, 2, 5, 4):
        (tmp_path / "album" / f"{at}.png").write_bytes(body((10 * at, 0, 0)))
    (tmp_path / "album" / "notes.txt").write_text("no picture")
    (tmp_path / "album" / ".hidden.png").write_bytes(body((99, 0, 0)))
    return tmp_path


# -- the right values ----------------------------------------------------------------------------------------------------


def test_lists_json_names_and_folders_are_one_set(album: Path) -> None:
    pictures = reader(album)
    names = [f"album/{at}.png" for at in range(8)]
    expected = pictures.read(names)
    assert expected["pixels"].shape == (8, 3, SIDE, SIDE)
    assert reds(expected) == [0, 10, 20, 30, 40, 50, 60, 70]
    bodies = [(album / name).read_bytes() for name in names]
    cells = (tuple(names), np.array(names, object), json.dumps(names), ";".join(names), " ; ".join([*names, ""]), "album", "album/",
             album / "album", bodies, [*bodies[:4], *names[4:]], [None, *names, ""])  # fmt: skip
    for cell in cells:
        np.testing.assert_array_equal(pictures.read(cell)["pixels"], expected["pixels"], err_msg=str(cell)[:60])
    for one in (names[2], [names[2]], bodies[2]):
        assert reds(pictures.read(one)) == [20]


def test_each_picture_is_what_it_is_alone() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 50, 3)).astype(np.uint8)
    out = io.BytesIO()
    Pillow.fromarray(noise).save(out, "PNG")
    state = {"size": SIDE, "channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3, "form": "pixels"}
    alone = Image(ImageConfig(column="x"), state, Roots()).read(out.getvalue())["pixels"]
    np.testing.assert_array_equal(reader().read([body((1, 2, 3)), out.getvalue()])["pixels"][1], alone)


def test_of_many_some_are_taken_evenly(album: Path) -> None:
    assert reds(reader(album, max_pictures=3).read("album")) in ([0, 40, 70], [0, 30, 70])
    assert reds(reader(album, max_pictures=1).read("album")) == [0]
    assert len(reader().read([body((1, 1, 1))] * 40)["pixels"]) == 16


@pytest.mark.parametrize("cell", [None, "", "  ", [], (), "[]", ";", " ; ", [None, ""], float("nan"), np.array([], object)])
def test_no_pictures_at_all_is_missing(cell: Any) -> None:
    assert reader().is_missing(cell)


def test_padding_is_black_and_masked() -> None:
    pictures = reader()
    samples = [pictures.read([body((at, 0, 0))] * count) for at, count in ((50, 3), (60, 1))]
    assert [pictures.geometry(sample) for sample in samples] == [(4,), (1,)]
    field = field_of(pictures, samples, np.arange(2))
    assert field.values["pixels"].shape == (2, 4, 3, SIDE, SIDE)
    assert field.values["mask"].tolist() == [[True, True, True, False], [True, False, False, False]]
    assert not field.values["pixels"][~field.values["mask"]].any()


# -- what cannot be read ----------------------------------------------------------------------------------------------------


def test_those_that_can_be_read_stay_and_the_others_are_told(album: Path) -> None:
    (album / "album" / "4.png").write_bytes(body((40, 0, 0))[:45])
    with pytest.raises(PartFault) as caught:
        reader(album).read("album/1.png;album/none.png;../out.png;album/2.png;album/4.png")
    assert caught.value.rest is not None
    assert reds(caught.value.rest) == [10, 20]
    said = caught.value.columns["x"]
    assert "picture 2: no such file 'album/none.png'" in said
    assert "picture 3: a path outside every root" in said
    assert "picture 5: a " in said
    with pytest.raises(Fault, match=r"picture 1: no such file 'none\.png' under .*; picture 2: not a picture") as whole:
        reader(album).read(["none.png", b"no picture"])
    assert not isinstance(whole.value, PartFault)
    many = "; ".join(f"{at}.png" for at in range(12))
    with pytest.raises(Fault, match="and 9 more"):
        reader(album).read(many)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("empty", "a folder without pictures"),
        ("..", "outside every root"),
        ("/", "outside every root"),
        ("away", "outside every root"),
        ("none", "no such file"),
        ("full", "more than 10,000 entries"),
        ("a\0b", "NUL"),
        (["a.png"] * 10_001, "10,001 pictures"),
        ([["a.png"]], "found list"),
        ([3], "found int"),
        ("[3, {}]", "found int"),
        ("[1, 2", "no such file"),
        ("https://example.com/a.png;https://example.com/b.png", "a URL"),
        ({"a": 1}, "found dict"),
    ],
)
def test_what_is_no_set_is_told_and_no_folder_leads_out(tmp_path: Path, cell: Any, said: str) -> None:
    root = tmp_path / "root"
    (root / "empty").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.png").write_bytes(body((1, 1, 1)))
    (root / "away").symlink_to(tmp_path / "outside")
    if cell == "full":
        (root / "full").mkdir()
        for at in range(10_001):
            (root / "full" / f"{at}.txt").touch()
    with pytest.raises(Fault, match=said) as caught:
        reader(root).read(cell)
    assert str(tmp_path) not in str(caught.value)


def test_links_in_a_folder_lead_nowhere(album: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.png"
    secret.write_bytes(body((123, 0, 0)))
    (album / "album" / "9.png").symlink_to(secret)
    os.mkfifo(album / "album" / "8.png")
    with pytest.raises(PartFault, match=r"picture 9: not a regular file.*picture 10: a path outside every root") as caught:
        reader(album).read("album")
    assert caught.value.rest is not None
    assert reds(caught.value.rest) == [0, 10, 20, 30, 40, 50, 60, 70]


def test_one_cell_is_bounded() -> None:
    with pytest.raises(ConfigError, match="expected at most 256 MiB"):
        reader(size=1_024, max_pictures=200)
    with pytest.raises(PartFault, match="at most 300"):
        reader(max_pixels=300).read([body((1, 1, 1)), body((1, 1, 1), 40)])


# -- recognition ------------------------------------------------------------------------------------------------------------


def test_sets_are_told_from_pictures_alone_and_from_words(album: Path) -> None:
    names = [f"album/{at}.png" for at in range(8)]
    for at in range(10):
        (album / f"s{at}").mkdir()
        (album / f"s{at}" / "a.png").write_bytes(body((at, 0, 0)))
    assert kind_of(names, album) == "image"
    assert kind_of([";".join(names[:2]), *names], album) == "pictures"
    assert kind_of([names[:2], names[2:3], []] * 4, album) == "pictures"
    assert kind_of([json.dumps(names[:2]), json.dumps(names[3:])] * 4, album) == "pictures"
    assert kind_of([[body((at, 0, 0)), body((9, at, 0))] for at in range(8)], album) == "pictures"
    assert kind_of([f"s{at}" for at in range(10)], album) == "pictures"
    assert kind_of([f"s{at % 2}" for at in range(40)], album) != "pictures", "two words that happen to be folders"
    assert kind_of(["a;b", "b;c", "c"] * 5, album) != "pictures"
    assert kind_of([f"photo;{at}.png" for at in range(8)], album) == "image", "a name that holds a semicolon"
    assert kind_of([f"some words {at}" for at in range(20)], album) != "pictures"
    assert kind_of(names, album, {"it": "pictures"}) == "pictures"


# -- the encoder -------------------------------------------------------------------------------------------------------------


def encoder_of(pictures: Pictures, **settings: Any) -> Any:
    torch.manual_seed(0)
    return FramesConfig(hidden=16, each={"kind": "convnet", "channels": [8, 16]}, **settings).build(12, pictures.state).eval()


def encoded(encoder: Any, pictures: Pictures, *cells: Any) -> Features:
    with torch.inference_mode():
        return encoder(field_of(pictures, [pictures.read(cell) for cell in cells], np.arange(len(cells))))  # type: ignore[no-any-return]


@pytest.mark.parametrize("pool", ["attention", "mean"])
def test_order_says_something_only_where_it_should(pool: str) -> None:
    pictures = reader()
    cell = [body((at * 40, 255 - at * 30, at)) for at in range(5)]
    loose, ordered = encoder_of(pictures, pool=pool), encoder_of(pictures, pool=pool, order=True)
    one, two = (encoded(loose, pictures, turned).tokens_BLD for turned in (cell, cell[::-1]))
    torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-5)
    one, two = (encoded(ordered, pictures, turned).tokens_BLD for turned in (cell, cell[::-1]))
    assert (one - two).abs().max() > 1e-3
    for encoder in (loose, ordered):
        company = encoded(encoder, pictures, cell[:3], cell, cell[:1]).tokens_BLD
        torch.testing.assert_close(company[0], encoded(encoder, pictures, cell[:3]).tokens_BLD[0], atol=1e-5, rtol=1e-5)


def test_any_encoder_of_pictures_may_be_inside() -> None:
    assert set(EACH) == {
        PretrainedConfig,
        *(config for config in CONFIGS if config.form == "pixels" and config is not PatchEmbeddingsConfig),
    }, "a new encoder of pictures: name it in EACH"
    pictures = reader()
    config = validate(FramesConfig, {"each": {"kind": "vit", "patch": 8, "hidden": 16, "depth": 1}, "order": True, "depth": 0})
    assert encoded(config.build(12, pictures.state).eval(), pictures, [body((1, 2, 3))] * 3).tokens_BLD.shape == (1, 1, 12)
    with pytest.raises(ConfigError, match="bag"):
        validate(FramesConfig, {"each": {"kind": "bag"}})


# -- tables of sets -----------------------------------------------------------------------------------------------------------


def baskets(folder: Path, rows: int, seed: int) -> Path:
    """Whether any of 1 to 5 pictures is red; in some rows there are none."""
    rng = np.random.default_rng(seed)
    (folder / "p").mkdir(parents=True, exist_ok=True)
    table = []
    for at in range(rows):
        names, red = [], at % 2
        count = int(rng.integers(1, 6))
        for item in range(count):
            colour = "red" if red and item == count // 2 else str(rng.choice(["green", "blue"]))
            pixels = np.clip(np.array(COLORS[colour]) + rng.normal(0, 12, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
            Pillow.fromarray(pixels).save(folder / "p" / f"{seed}_{at}_{item}.png")
            names.append(f"p/{seed}_{at}_{item}.png")
        table.append([";".join(names) if at % 20 else "", f"{rng.normal():.2f}", "red" if red else "other"])
    return write_csv(folder / f"baskets{seed}.csv", ["photos", "price", "held"], table)


FAST = ("data.split.folds=2", "training.baselines=false", "model.width=16", "fields.photos.size=16", "model.encoders.photos.hidden=16",
        "model.encoders.photos.each.channels=[8, 16]")  # fmt: skip


def test_a_table_of_sets_answers_whatever_its_neighbours_have(tmp_path: Path) -> None:
    table, other = baskets(tmp_path, 60, 0), baskets(tmp_path, 40, 1)
    model = pm.train(table, *FAST, "training.epochs=2", target="held", out=tmp_path / "run")
    field = model.bundle.experiment.fields["photos"]
    assert field.kind == "pictures"
    assert model.bundle.experiment.model.encoders["photos"].kind == "frames"
    rows = list(pm.load(tmp_path / "run").predictions(other))
    assert ["photos" in there for part in rows for there in part.present] == [bool(at % 20) for at in range(40)]
    whole = model.predict_proba(other)
    assert np.isfinite(whole).all()
    lines = other.read_text().splitlines()
    for keep in ([1, 2, 3], [3], [30, 2, 1], list(range(1, 41))[::-1]):
        (tmp_path / "some.csv").write_text("\n".join([lines[0], *(lines[at] for at in keep)]) + "\n")
        np.testing.assert_array_equal(model.predict_proba(tmp_path / "some.csv"), whole[[at - 1 for at in keep]])


def test_a_broken_picture_in_training_and_a_small_store(tmp_path: Path) -> None:
    """The cell stays with its other pictures, in the store or read anew; the fault is in ``faults.csv``."""
    table = baskets(tmp_path, 60, 0)
    broken = sorted((tmp_path / "p").glob("0_4_*.png")) + sorted((tmp_path / "p").glob("0_7_*.png"))[:1]
    assert len(broken) > 2
    for path in broken[1:]:
        path.write_bytes(b"no picture")
    scores = []
    for cache in (8.0, 0.0):
        out = tmp_path / f"run{cache}"
        model = pm.train(table, *FAST, "training.epochs=1", "data.max_faults=0.5", f"data.cache_gb={cache}", target="held", out=out)
        faults = (out / "faults.csv").read_text()
        assert "photos,picture " in faults or 'photos,"picture ' in faults
        scores.append(model.predict_proba(table))
    np.testing.assert_array_equal(*scores)
